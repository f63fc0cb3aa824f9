"""posagent for an Android image: a folder to put into the vendor's source tree.

    python packaging/android/build.py --arch arm64 --python 3.13 --interpreter PREFIX \\
        --wheels DIR --out vendor/…/posagent

PREFIX is a CPython built for Android with its program (`bin/python3.13`, `lib/`); DIR holds the
Android wheels of the compiled dependencies, which nobody publishes. The folder holds Android.bp,
posagent.mk, init and SELinux files, and `tree/`: bundle and interpreter as they lie on
/system_ext/posagent. What is of another machine, C library or version is refused with its name.
docs/operations/android.md tells what to do with it.
"""

from __future__ import annotations

import argparse
import fnmatch
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "bundle"))

import elf
import tree
from targets import MACHINES, BundleError, Target

HERE = Path(__file__).resolve().parent
BUNDLE = HERE.parent / "bundle"
ON_TERMINAL = "/system_ext/posagent"
PARTS = (
    "Android.bp", "posagent.mk", "posagent.rc", "posagent.sh", "posagent-prepare.sh",
    "posagent.toml", "payment-apps", "config.fs", "posagent-permissions.xml", "sepolicy",
)  # fmt: skip
#: Of the interpreter, what a terminal has no use for.
NOT_NEEDED = (
    "include/*", "share/*", "lib/pkgconfig/*", "*.a", "*/__pycache__/*", "*.pyc",
    "lib/python3.*/test/*", "lib/python3.*/*/test/*", "lib/python3.*/*/tests/*",
    "lib/python3.*/idlelib/*", "lib/python3.*/tkinter/*", "lib/python3.*/turtledemo/*",
    "lib/python3.*/turtle.py", "lib/python3.*/ensurepip/*", "lib/python3.*/lib2to3/*",
    "lib/python3.*/pydoc_data/*", "lib/python3.*/config-*/*", "lib/python3.*/site-packages/*",
    "lib/python3.*/lib-dynload/_test*",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    args = _arguments(argv)
    try:
        _build(args)
    except BundleError as error:
        print(f"no overlay: {error}", file=sys.stderr)
        return 2
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    known = ", ".join(name for name, machine in MACHINES.items() if machine.android)
    parser.add_argument("--arch", default="arm64", help=known)
    parser.add_argument("--python", default="3.13", help="the interpreter's minor version")
    parser.add_argument("--interpreter", type=Path, required=True, metavar="PREFIX")
    parser.add_argument("--wheels", type=Path, action="append", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "bundle", nargs="*", help="after --: further arguments of packaging/bundle/build.py"
    )
    return parser.parse_args(argv)


def _build(args: argparse.Namespace) -> None:
    target = Target(args.arch, args.python, "android")
    checked = list(interpreter(args.interpreter, target))
    out: Path = args.out.absolute()
    if out.exists() and any(out.iterdir()) and not (out / "tree" / "MANIFEST.json").exists():
        raise BundleError(f"{out} holds something else: nothing of it was touched")
    link = f"{ON_TERMINAL}/python/bin/python{target.python}"
    command = [
        sys.executable, str(BUNDLE / "build.py"), "--arch", args.arch, "--python", args.python,
        "--libc", "android", "--python-link", link, "--out", str(out / "tree"),
    ]  # fmt: skip
    for folder in args.wheels:
        if not folder.is_dir():
            raise BundleError(f"{folder} is no folder with wheels")
        command += ["--wheels", str(folder)]
    done = subprocess.run([*command, *args.bundle], check=False, capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().removeprefix("no bundle: ")
        raise BundleError(said + _passed_by(args.wheels, target))
    print(done.stdout.rstrip())
    python = out / "tree" / "python"
    if python.exists():
        shutil.rmtree(python)
    for path, place in checked:
        to = python / place
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, to)
        to.chmod(0o755 if place.parts[0] == "bin" else 0o644)
    for name in PARTS:
        source, to = HERE / name, out / name
        if source.is_dir():
            shutil.copytree(source, to, dirs_exist_ok=True)
        else:
            shutil.copy(source, to)
    sizes = [path.stat().st_size for path in tree.files(python)]
    print(f"{python}: interpreter, {sum(sizes) / 1e6:.1f} MB in {len(sizes)} files")
    print(f"{out}: give it to the build with posagent.mk; see docs/operations/android.md")


def interpreter(prefix: Path, target: Target) -> Iterator[tuple[Path, Path]]:
    """Its files and where each goes. Raises BundleError for one that does not run there."""
    name = f"python{target.python}"
    program, library = prefix / "bin" / name, prefix / "lib" / name
    if not library.is_dir():
        raise BundleError(
            f"{prefix} holds no lib/{name}: name the prefix of a CPython {target.python} "
            "built for Android"
        )
    if not program.is_file():
        raise BundleError(
            f"{prefix} holds no bin/{name}: the packages for apps come without the program; take "
            "the prefix that CPython's own Android build leaves behind"
        )
    if "linker" not in (found := loader(program.read_bytes())):
        raise BundleError(
            f"{program} is started by {found or 'nothing'}, not by Android's linker: it was built "
            "for another system"
        )
    for path in sorted(tree.files(prefix)):
        place = path.relative_to(prefix)
        if any(fnmatch.fnmatchcase(place.as_posix(), pattern) for pattern in NOT_NEEDED):
            continue
        if place.parts[0] == "bin" and path != program:
            continue
        part = elf.compiled(path.read_bytes())
        if part is not None and (part.bits, part.machine) != target.machine.elf:
            raise BundleError(f"{path} is compiled for another machine than {target.arch}")
        if part is not None and part.libc not in ("", "android"):
            raise BundleError(f"{path} is compiled for the C library {part.libc}, not Android's")
        yield path, place


def loader(content: bytes) -> str:
    """The program an executable asks to be started by; "" for none."""
    if content[:4] != elf.MAGIC:
        return "its first line" if content[:2] == b"#!" else ""
    wide = content[4] == 2
    table = int.from_bytes(content[32:40] if wide else content[28:32], "little")
    size, count = (
        int.from_bytes(content[at : at + 2], "little") for at in ((54, 56) if wide else (42, 44))
    )
    for number in range(count):
        entry = content[table + number * size : table + (number + 1) * size]
        if int.from_bytes(entry[:4], "little") != 3:  # PT_INTERP
            continue
        start, length = (
            (entry[8:16], entry[32:40]) if wide else (entry[4:8], entry[16:20])
        )  # offset and size in the file
        at, long = int.from_bytes(start, "little"), int.from_bytes(length, "little")
        return content[at : at + long].rstrip(b"\0").decode("ascii", "replace")
    return ""


def _passed_by(folders: Sequence[Path], target: Target) -> str:
    """Wheels that lie there and are for something else: most often that is the reason."""
    others = sorted(
        path.name
        for folder in folders
        for path in folder.glob("*.whl")
        if target.rank(path.name) is None
    )
    if not others:
        return ""
    return (
        f"\n  passed by, because they are not for {target.tag} "
        f"({target.abi} or abi3, android_21 to android_36 _{target.machine.android}): "
        + ", ".join(others)
    )


if __name__ == "__main__":
    sys.exit(main())
