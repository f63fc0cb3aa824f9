"""posagent in one folder that runs where it is put: for read-only images, Android and packages.

    python packaging/bundle/build.py --arch amd64 --python 3.11 --libc gnu --out DIR

The folder is a virtual environment without pip, for one architecture, one C library and one minor
version of CPython; it holds the agent, the locked dependencies and a start that refuses any other
interpreter. Two builds from the same checkout are the same, byte for byte. The build prints the
folder's size and, where this machine can run it, how long it takes to start.
docs/bundle-image.md tells how to put it into an image.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import tree
import wheels
from targets import LIBCS, MACHINES, BundleError, Target

#: The time every file carries, unless SOURCE_DATE_EPOCH says another: the first a zip can hold.
FIRST = 315_532_800
STARTS = 5


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        if args.verify:
            return _verified(args.verify)
        if args.out is None:
            raise BundleError("where to? --out DIR")
        _build(args)
    except BundleError as error:
        print(f"no bundle: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--arch", default="amd64", help=", ".join(MACHINES))
    parser.add_argument("--python", default="3.11", help="the minor version it is for, as in 3.11")
    parser.add_argument("--libc", default="gnu", help=", ".join(LIBCS))
    parser.add_argument("--extra", action="append", default=[], choices=wheels.EXTRAS)
    parser.add_argument("--wheels", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--own-wheel", type=Path, metavar="FILE", help="instead of building it")
    parser.add_argument("--lock", default=wheels.LOCK, type=Path, metavar="FILE")
    parser.add_argument("--offline", action="store_true", help="fetch nothing")
    parser.add_argument(
        "--python-link", default="", metavar="PATH", help="where the interpreter is there"
    )
    parser.add_argument(
        "--compiler", default="", metavar="PATH", help="a Python of that minor version, here"
    )
    parser.add_argument(
        "--unstripped", action="store_true", help="keep the symbols of compiled parts"
    )
    parser.add_argument(
        "--man",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="copied into share/posagent",
    )
    parser.add_argument("--out", type=Path, metavar="DIR")
    parser.add_argument("--tar", action="store_true", help="also DIR.tar.gz")
    parser.add_argument(
        "--verify", type=Path, metavar="DIR", help="compare a bundle with its manifest"
    )
    return parser.parse_args(argv)


def _verified(folder: Path) -> int:
    wrong = tree.differing(folder)
    for line in wrong:
        print(line)
    print(f"{folder}: " + (f"{len(wrong)} differences" if wrong else "as its manifest says"))
    return 1 if wrong else 0


def _build(args: argparse.Namespace) -> None:
    target = Target(args.arch, args.python, args.libc)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or FIRST)
    link = args.python_link or f"/usr/bin/python{target.python}"
    compiler = _compiler(target, args.compiler)
    strip = [] if args.unstripped else _strip(target)
    entries = wheels.wanted(wheels.locked(args.lock), args.extra)
    others = wheels.gathered(target, entries, args.wheels, offline=args.offline)
    out: Path = args.out.absolute()
    _may_replace(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as name:
        scratch = Path(name)
        path = args.own_wheel or wheels.own_wheel(scratch, epoch)
        own = wheels.Wheel(path, "posagent", path.name.split("-")[1], wheels.digest(path))
        made = scratch / "made"
        site = made / "lib" / f"python{target.python}" / "site-packages"
        site.mkdir(parents=True)
        for wheel in (*others, own):
            tree.unpack(wheel, site, made / "share" / "posagent" / "licences")
        laid = tree.judge(site, target, strip)
        tree.compile_all(site, compiler)
        tree.launchers(made, target, laid.glibc, link)
        listed = tree.parts(own, others, args.extra, args.lock)
        absent = tree.shared(made, listed, args.man)
        tree.settle(made, epoch)
        tree.manifest(made, _facts(target, own, others, args.extra, laid))
        tree.settle(made, epoch)
        if out.exists():
            shutil.rmtree(out)
        made.rename(out)
    _told(out, target, laid, absent)
    if args.tar:
        _packed(out, epoch)


def _facts(
    target: Target,
    own: wheels.Wheel,
    others: Sequence[wheels.Wheel],
    extras: Sequence[str],
    laid: tree.Laid,
) -> dict[str, object]:
    return {
        "format": 1,
        "name": "posagent",
        "version": own.version,
        "tag": target.tag,
        "arch": target.arch,
        "python": target.python,
        "libc": target.libc,
        "glibc": laid.glibc,
        "extras": sorted(extras),
        "stripped_by": laid.stripped_by,
        "wheels": [
            {
                "name": wheel.name,
                "version": wheel.version,
                "file": wheel.path.name,
                "sha256": wheel.sha256,
                **({"built_from_sha256": wheel.built_from} if wheel.built_from else {}),
            }
            for wheel in (*others, own)
        ],
    }


def _may_replace(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise BundleError(f"{out} is there and no folder")
    if out.exists() and any(out.iterdir()) and not (out / "MANIFEST.json").exists():
        raise BundleError(f"{out} holds something that is no bundle: nothing of it was touched")


def _compiler(target: Target, named: str) -> str:
    """An interpreter of the target's minor version: bytecode is only for the one that made it."""
    name = f"python{target.python}"
    candidates = [named] if named else [f"/usr/bin/{name}", sys.executable, name]
    candidates += (
        []
        if named
        else sorted(map(str, Path.home().glob(f".pyenv/versions/{target.python}.*/bin/{name}")))
    )
    question = "import sys; print('cpython-%d%d' % sys.version_info[:2])"
    for candidate in candidates:
        path = shutil.which(candidate)
        if path is None:
            continue
        done = subprocess.run([path, "-c", question], check=False, capture_output=True, text=True)
        if done.stdout.strip() == target.cache_tag:
            return path
    raise BundleError(
        f"no Python {target.python} on this machine compiles the sources: install one, or name it "
        "with --compiler PATH"
    )


def _strip(target: Target) -> list[str]:
    for name in (target.machine.strip, "llvm-strip"):
        if path := shutil.which(name):
            return [path]
    if target.arch == {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine()) and (
        path := shutil.which("strip")
    ):
        return [path]
    raise BundleError(
        f"{target.machine.strip} is not on this machine: install it (sh packaging/ci/bundle.sh), "
        "or build with --unstripped (megabytes larger)"
    )


def _told(out: Path, target: Target, laid: tree.Laid, absent: Sequence[str]) -> None:
    sizes = [path.stat().st_size for path in tree.files(out) if not path.is_symlink()]
    blocks = sum(-(-size // 4096) * 4096 for size in sizes)
    print(
        f"{out}: posagent for {target.tag}"
        + (f", glibc {laid.glibc} or newer" if laid.glibc else "")
    )
    print(
        f"size: {sum(sizes) / 1e6:.1f} MB in {len(sizes)} files, "
        f"{blocks / 1e6:.1f} MB in blocks of 4 KiB"
    )
    for what in absent:
        print(f"not in it: {what}")
    took, why = _start_time(out, target)
    print(
        f"start: {took:.0f} ms for `posagent --version` (median of {STARTS})"
        if took
        else f"start: not measured, {why}"
    )


def _start_time(out: Path, target: Target) -> tuple[float, str]:
    if platform.machine() not in target.machine.unames or not (out / "bin" / "python").exists():
        return 0, "this machine or its Python is not the one it is for"
    command = [str(out / "bin" / "posagent"), "--version"]
    times = []
    for _ in range(STARTS):
        began = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        times.append(1000 * (time.perf_counter() - began))
        if done.returncode == 78:
            return 0, done.stderr.split("\n")[0]
        if done.returncode or not re.search(r"\d+\.\d+", done.stdout):
            raise BundleError(f"the bundle was built and does not start:\n{done.stderr.strip()}")
    return statistics.median(times), ""


def _packed(out: Path, epoch: int) -> None:
    """DIR.tar.gz: one order, one time, nobody's name."""
    told = json.loads((out / "MANIFEST.json").read_text("utf-8"))
    top = f"posagent-{told['version']}-{told['tag']}"
    path = out.with_name(out.name + ".tar.gz")
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for part in [out, *tree.walk(out)]:
            name = f"{top}/{part.relative_to(out)}" if part != out else top
            entry = archive.gettarinfo(part, name)
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch
            if entry.isreg():
                with part.open("rb") as file:
                    archive.addfile(entry, file)
            else:
                archive.addfile(entry)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    sys.exit(main())
