"""posagent as Debian packages: a bundle below /opt/posagent, and everything Debian adds to it.

    python packaging/debian/build.py --arch amd64 --out DIR

makes posagent_VERSION_ARCH.deb and, unless --no-extras, posagent-extras_VERSION_ARCH.deb. The
bundle is made by packaging/bundle/build.py, or given ready with --bundle (and --extras-bundle). Two
builds of the same checkout are the same, byte for byte (SOURCE_DATE_EPOCH, or the commit's time).
docs/operations/packages.md tells what the packages do and refuse.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from email.utils import formatdate
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
#: 1980, where neither SOURCE_DATE_EPOCH nor a commit tells a time.
FIRST = 315_532_800
#: Nobody's: whoever ships packages names himself with --maintainer.
MAINTAINER = "posagent vendor not named <posagent@example.invalid>"
ADDED = "opt/posagent"
ARCHES = ("amd64", "arm64", "armhf", "i386")
DIRECTORIES = ("conf.d", "hooks.d", "actions.d")
EXAMPLES = ("payment-app.conf", "usb-stick.conf")
CONFFILES = ("/etc/posagent/posagent.toml",)
#: Files of a bundle that describe the whole of it; the base's stay.
WHOLE = frozenset({"MANIFEST.json", "start.py", "share/posagent/sbom.cdx.json"})


class PackageError(Exception):
    """The package cannot be made; the text says why."""


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    os.environ["SOURCE_DATE_EPOCH"] = str(_epoch())
    try:
        with tempfile.TemporaryDirectory(prefix="posagent-deb-") as scratch:
            for made in _built(args, Path(scratch)):
                digest = hashlib.sha256(made.read_bytes()).hexdigest()
                print(f"{made}  {made.stat().st_size} bytes  sha256 {digest}")
        if args.maintainer == MAINTAINER:
            print("the packages name no vendor: --maintainer 'NAME <ADDRESS>'", file=sys.stderr)
    except (PackageError, subprocess.CalledProcessError) as error:
        print(f"no package: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--arch", default="amd64", choices=ARCHES)
    parser.add_argument("--python", default="3.11", help="minor version of Debian's python3")
    parser.add_argument("--revision", default="1", help="of the package: VERSION-REVISION")
    parser.add_argument(
        "--maintainer", default=MAINTAINER,
        metavar="'NAME <ADDRESS>'", type=_maintainer, help="who answers for the package",
    )  # fmt: skip
    parser.add_argument(
        "--homepage", default="", metavar="URL", help="where its users find more; left out without"
    )
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="made already")
    parser.add_argument("--extras-bundle", type=Path, metavar="DIR", help="made with the extras")
    parser.add_argument("--no-extras", action="store_true", help="only the package posagent")
    parser.add_argument("--no-man", action="store_true", help="without man pages and completions")
    parser.add_argument(
        "--unguarded", action="store_true",
        help="without the guard in its scripts: only for the control of tests.packages",
    )  # fmt: skip
    parser.add_argument("--fast", action="store_true", help="hardly packed: for tests")
    parser.add_argument("--wheels", action="append", default=[], type=Path, metavar="DIR")
    parser.add_argument("--offline", action="store_true")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    return parser.parse_args(argv)


def _maintainer(text: str) -> str:
    """Refused where Debian's tools would stumble over it."""
    if not re.fullmatch(r"[^<>@\n,]+ <[^<>@\s,]+@[^<>@\s,]+>", text):
        raise argparse.ArgumentTypeError(f"not of the form 'NAME <ADDRESS>': {text}")
    return text


def _journal() -> str:
    """The schema of the journal this version knows."""
    told = re.search(
        r"^SCHEMA = (\d+)$", (ROOT / "agent/store/schema.py").read_text("utf-8"), re.MULTILINE
    )
    if told is None:
        raise PackageError("agent/store/schema.py names no schema")
    return told[1]


def _epoch() -> int:
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdecimal():
        return int(given)
    told = subprocess.run(
        ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"],
        check=False,
        capture_output=True,
        text=True,
    )
    return int(told.stdout) if told.stdout.strip().isdecimal() else FIRST


def _built(args: argparse.Namespace, scratch: Path) -> Iterable[Path]:
    base = args.bundle or _bundle(args, scratch / "base", ())
    version = (
        f"{json.loads((base / 'MANIFEST.json').read_text('utf-8'))['version']}-{args.revision}"
    )
    args.out.mkdir(parents=True, exist_ok=True)
    yield _posagent(args, scratch / "posagent", base, version)
    if args.no_extras:
        return
    full = args.extras_bundle or _bundle(args, scratch / "full", ("provision", "slips"))
    yield _extras(args, scratch / "extras", base, full, version)


def _bundle(args: argparse.Namespace, out: Path, extras: Sequence[str]) -> Path:
    command = [sys.executable, str(ROOT / "packaging/bundle/build.py"), "--arch", args.arch]
    command += ["--python", args.python, "--libc", "gnu", "--out", str(out)]
    command += ["--python-link", f"/usr/bin/python{args.python}"]
    for extra in extras:
        command += ["--extra", extra]
    for folder in args.wheels:
        command += ["--wheels", str(folder)]
    if args.offline:
        command.append("--offline")
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise PackageError(f"the bundle could not be made: {done.stderr.strip()[-600:]}")
    return out


def _posagent(args: argparse.Namespace, tree: Path, base: Path, version: str) -> Path:
    shutil.copytree(base, tree / ADDED, symlinks=True)
    etc = tree / "etc/posagent"
    for name in DIRECTORIES:
        (etc / name).mkdir(parents=True)
    shutil.copyfile(base / "share/posagent/posagent.toml", etc / "posagent.toml")
    programs = tree / "usr/bin"
    programs.mkdir(parents=True)
    (programs / "posagent").symlink_to("/opt/posagent/bin/posagent")
    units = tree / "lib/systemd/system"
    units.mkdir(parents=True)
    for unit in sorted((ROOT / "packaging/systemd").iterdir()):
        shutil.copyfile(unit, units / unit.name)
    rules = tree / "lib/udev/rules.d"
    rules.mkdir(parents=True)
    shutil.copyfile(HERE / "99-posagent.rules", rules / "99-posagent.rules")
    doc = _documents(args, tree, "posagent", version)
    (doc / "examples").mkdir()
    for name in EXAMPLES:
        shutil.copyfile(HERE / name, doc / "examples" / name)
    if not args.no_man:
        _pages(tree)
    _overrides(tree, "posagent")
    _control(tree, "posagent", args, version, _glibc(base))
    return _packed(tree, args.out / f"posagent_{version}_{args.arch}.deb", fast=args.fast)


def _extras(args: argparse.Namespace, tree: Path, base: Path, full: Path, version: str) -> Path:
    """What the fuller bundle has and the base has not, in the same place."""
    for source in sorted(full.rglob("*")):
        name = source.relative_to(full)
        if (source.is_dir() and not source.is_symlink()) or name.as_posix() in WHOLE:
            continue
        own = base / name
        if own.exists() or own.is_symlink():
            if source.is_file() and source.read_bytes() != own.read_bytes():
                raise PackageError(f"{name} differs between the bundle and that of the extras")
            continue
        target = tree / ADDED / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
    parts = tree / ADDED / "share/posagent/sbom-extras.cdx.json"
    parts.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(full / "share/posagent/sbom.cdx.json", parts)
    _documents(args, tree, "posagent-extras", version)
    _overrides(tree, "posagent-extras")
    _control(tree, "posagent-extras", args, version, _glibc(full))
    return _packed(tree, args.out / f"posagent-extras_{version}_{args.arch}.deb", fast=args.fast)


def _documents(args: argparse.Namespace, tree: Path, package: str, version: str) -> Path:
    doc = tree / "usr/share/doc" / package
    doc.mkdir(parents=True)
    shutil.copyfile(HERE / "copyright", doc / "copyright")
    at = formatdate(_epoch(), usegmt=False, localtime=False)
    changes = (
        f"posagent ({version}) unstable; urgency=medium\n\n"
        "  * See CHANGELOG.md of the project.\n\n"
        f" -- {args.maintainer}  {at.replace('-0000', '+0000')}\n"
    )
    _zipped(doc / "changelog.Debian.gz", changes.encode())
    return doc


def _pages(tree: Path) -> None:
    """Man pages and completions, generated from the command line itself."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, str(ROOT / "packaging/man/build.py"), "--out", scratch]
        subprocess.run(command, check=True, cwd=ROOT)
        for source in sorted(Path(scratch, "man").rglob("*.[1-8]")):
            target = tree / "usr/share/man" / source.relative_to(Path(scratch, "man"))
            target.parent.mkdir(parents=True, exist_ok=True)
            _zipped(target.with_name(target.name + ".gz"), source.read_bytes())
        for name, place in (
            ("posagent.bash", "bash-completion/completions/posagent"),
            ("_posagent", "zsh/vendor-completions/_posagent"),
            ("posagent.fish", "fish/vendor_completions.d/posagent.fish"),
        ):
            target = tree / "usr/share" / place
            target.parent.mkdir(parents=True)
            shutil.copyfile(Path(scratch, "completions", name), target)


def _zipped(file: Path, content: bytes) -> None:
    file.write_bytes(gzip.compress(content, 9, mtime=0))


def _overrides(tree: Path, package: str) -> None:
    target = tree / "usr/share/lintian/overrides" / package
    target.parent.mkdir(parents=True)
    shutil.copyfile(HERE / f"{package}.lintian-overrides", target)


def _control(tree: Path, package: str, args: argparse.Namespace, version: str, glibc: str) -> None:
    meta = tree / "DEBIAN"
    meta.mkdir()
    content = [path for path in tree.rglob("*") if meta not in path.parents and path != meta]
    size = sum(_room(path) for path in content)
    major, minor = args.python.split(".")
    words = {
        "@VERSION@": version,
        "@ARCH@": args.arch,
        "@SIZE@": str(size),
        "@MAINTAINER@": args.maintainer,
        "@HOMEPAGE@\n": f"Homepage: {args.homepage}\n" if args.homepage else "",
        "@JOURNAL@": _journal(),
        "@PYTHON@": args.python,
        "@NEXT@": f"{major}.{int(minor) + 1}",
        "@GLIBC@": glibc,
    }
    (meta / "control").write_text(_filled(HERE / f"control.{package}", words), "utf-8")
    if package == "posagent":
        (meta / "conffiles").write_text("\n".join(CONFFILES) + "\n", "ascii")
        asked = (HERE / "scripts/guard.sh").read_text("utf-8")
        if args.unguarded:
            asked += "\nguarded() { return 0; }\nrefused() { return 0; }\n"
        for name in ("preinst", "prerm", "postinst", "postrm"):
            script = _filled(HERE / "scripts" / name, {**words, "#guard#\n": asked})
            (meta / name).write_text(script, "utf-8")
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}  "
        f"{path.relative_to(tree).as_posix()}\n"
        for path in sorted(content)
        if path.is_file() and not path.is_symlink()
        and f"/{path.relative_to(tree).as_posix()}" not in CONFFILES
    ]  # fmt: skip
    (meta / "md5sums").write_text("".join(sums), "utf-8")


def _room(path: Path) -> int:
    return 1 if path.is_symlink() or path.is_dir() else -(-path.stat().st_size // 1024)


def _glibc(bundle: Path) -> str:
    """The oldest its compiled parts load with."""
    told = json.loads((bundle / "MANIFEST.json").read_text("utf-8"))
    return str(told.get("glibc") or "2.17")


def _filled(file: Path, words: dict[str, str]) -> str:
    text = file.read_text("utf-8")
    for word, meaning in words.items():
        text = text.replace(word, meaning)
    return text


def _packed(tree: Path, file: Path, *, fast: bool) -> Path:
    """Modes and times settled; the rest is dpkg-deb's."""
    epoch = _epoch()
    scripts = {tree / "DEBIAN" / name for name in ("preinst", "prerm", "postinst", "postrm")}
    for path in [tree, *tree.rglob("*")]:
        if not path.is_symlink():
            runs = path.is_dir() or path in scripts or path.stat().st_mode & 0o100
            path.chmod(0o755 if runs else 0o644)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    command = ["dpkg-deb", "--root-owner-group", "--uniform-compression"]
    command += ["-Zgzip", "-z1", "--build"] if fast else ["-Zxz", "--build"]
    subprocess.run([*command, str(tree), str(file)], check=True, stdout=subprocess.DEVNULL)
    return file


if __name__ == "__main__":
    sys.exit(main())
