"""Wheels nobody publishes for a terminal's architecture, built from the locked sources.

    python packaging/wheels/build.py --arch armhf --python 3.11 --out DIR [--extra slips]

Cross-compiles with Debian's compiler against the headers and libraries of Debian's packages for
that architecture, which are unpacked and never run: no emulation, two minutes. Every source archive
is one the lock names; `built.json` in DIR says which wheel came from which, and the bundle's
builder takes no other. glibc is Debian's; the bundle's start refuses an older one.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bundle"))

import wheels
from targets import BundleError, Target

#: What the compiled parts are compiled against, of the target's Debian.
HEADERS = ("libpython{python}-dev", "libffi-dev", "libc6-dev", "zlib1g-dev")
SUITES = {"3.11": "bookworm", "3.13": "trixie"}
#: What the sources' own build systems import; pure, or for this machine.
BUILD_TOOLS = ("setuptools>=80", "setuptools-scm>=8", "wheel", "cffi", "pycparser", "pybind11")
#: A slip is a PNG without text: zlib is all Pillow needs, and Python needs that anyway.
PILLOW = ("jpeg", "tiff", "freetype", "lcms", "webp", "jpeg2000", "imagequant", "xcb", "avif")
COMPILERS = {"armhf": "arm-linux-gnueabihf", "arm64": "aarch64-linux-gnu"}


@dataclass(frozen=True)
class Workshop:
    """What a cross build needs, all of it outside the checkout."""

    target: Target
    sysroot: Path
    python: Path  # of this machine, with the build tools
    facts: Path  # what the target's interpreter was built with

    @property
    def environment(self) -> dict[str, str]:
        prefix = COMPILERS[self.target.arch]
        compiler = f"{prefix}-gcc --sysroot={self.sysroot}"
        return {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": os.environ.get("HOME", "/"),
            "LC_ALL": "C.UTF-8",
            "SOURCE_DATE_EPOCH": "315532800",
            "PYTHONHASHSEED": "0",
            # How CPython's own build system crosses: another machine's facts under this machine's
            # interpreter of the same minor version.
            "PYTHONPATH": str(self.facts.parent),
            "_PYTHON_SYSCONFIGDATA_NAME": self.facts.stem,
            "_PYTHON_HOST_PLATFORM": f"linux-{self.target.machine.wheel}",
            "CC": compiler,
            "CXX": f"{prefix}-g++ --sysroot={self.sysroot}",
            "LDSHARED": f"{compiler} -shared",
            # Before the headers of this machine's interpreter, which setuptools names.
            "CFLAGS": f"-O2 -g0 -I{self.sysroot}/usr/include/python{self.target.python}",
            "LDFLAGS": "",
            "AR": f"{prefix}-ar",
            "RANLIB": f"{prefix}-ranlib",
            "PKG_CONFIG": "false",
            # Where Pillow looks for lib/ and include/.
            "ZLIB_ROOT": str(self.facts.parent / "zlib"),
            # libsodium's configure reads these; its own tests cannot run on this machine.
            "host_alias": prefix,
            "build_alias": f"{os.uname().machine}-linux-gnu",
            "LIBSODIUM_MAKE_ARGS": "-j2 TESTS=",
        } | {key: value for key, value in os.environ.items() if key.startswith("PIP_")}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="build.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--arch", default="armhf", choices=sorted(COMPILERS))
    parser.add_argument("--python", default="3.11", choices=sorted(SUITES))
    parser.add_argument("--extra", action="append", default=[], choices=wheels.EXTRAS)
    parser.add_argument("--all", action="store_true", help="also what is published as a wheel")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR")
    args = parser.parse_args(argv)
    try:
        _build(Target(args.arch, args.python, "gnu"), args.extra, args.out, everything=args.all)
    except BundleError as error:
        print(f"no wheels: {error}", file=sys.stderr)
        return 2
    return 0


def _build(target: Target, extras: Sequence[str], out: Path, *, everything: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    record = out / wheels.BUILT
    built = json.loads(record.read_text("utf-8")) if record.exists() else {}
    wanted = wheels.wanted(wheels.locked(), extras)
    missing = [entry for entry in wanted if everything or not _published(target, entry)]
    missing = [e for e in missing if not any(_is(e, n, built, out) for n in built)]
    if not missing:
        print(f"{out}: nothing to build for {target.tag}")
        return
    shop = _workshop(target)
    for entry in missing:
        source = _source(entry, shop.python)
        sha256 = wheels.digest(source)
        wheel = _compiled(shop, entry, source, out)
        built[wheel.name] = {"sha256": wheels.digest(wheel), "source_sha256": sha256}
        record.write_text(json.dumps(built, indent=1, sort_keys=True) + "\n", "utf-8")
        print(f"{wheel}: from {source.name}")


def _published(target: Target, entry: wheels.Locked) -> bool:
    try:
        return bool(wheels.gathered(target, [entry], [], offline=False))
    except BundleError:
        return False


def _is(entry: wheels.Locked, name: str, built: dict[str, dict[str, str]], out: Path) -> bool:
    own, version = name.split("-")[:2]
    return (
        (wheels.normal(own), version) == (entry.name, entry.version)
        and built[name]["source_sha256"] in entry.hashes
        and (out / name).exists()
        and wheels.digest(out / name) == built[name]["sha256"]
    )


def _workshop(target: Target) -> Workshop:
    cache = wheels.cache_folder() / "workshop"
    cache.mkdir(parents=True, exist_ok=True)
    if not shutil.which(f"{COMPILERS[target.arch]}-gcc"):
        raise BundleError(
            f"{COMPILERS[target.arch]}-gcc is not on this machine (sh packaging/ci/bundle.sh)"
        )
    tools = cache / f"tools-{target.python}"
    python = tools / "bin" / "python"
    if not (tools / "ready").exists():
        shutil.rmtree(tools, ignore_errors=True)
        _run([_interpreter(target), "-m", "venv", str(tools)])
        _run([str(python), "-m", "pip", "install", "--quiet", *BUILD_TOOLS])
        (tools / "ready").touch()
    sysroot = cache / f"sysroot-{target.arch}-{target.python}"
    if not (sysroot / "ready").exists():
        shutil.rmtree(sysroot, ignore_errors=True)
        _unpack(target, sysroot)
        (sysroot / "ready").touch()
    name = f"_sysconfigdata__{COMPILERS[target.arch]}.py"
    found = sorted((sysroot / "usr/lib").glob(f"python{target.python}/{name}"))
    if not found:
        raise BundleError(f"Debian's Python for {target.arch} brought no {name}")
    facts = cache / f"facts-{target.arch}-{target.python}" / name
    facts.parent.mkdir(exist_ok=True)
    shutil.copy(found[0], facts)
    zlib = facts.parent / "zlib"
    if not zlib.exists():
        zlib.mkdir()
        (zlib / "include").symlink_to(sysroot / "usr/include")
        (zlib / "lib").symlink_to(sysroot / "usr/lib" / COMPILERS[target.arch])
    return Workshop(target, sysroot, python, facts)


def _interpreter(target: Target) -> str:
    name = f"python{target.python}"
    for candidate in (sys.executable, name, f"/usr/bin/{name}"):
        question = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if shutil.which(candidate) and _run(question).strip() == target.python:
            return candidate
    raise BundleError(f"crossing needs a Python {target.python} on this machine")


def _unpack(target: Target, sysroot: Path) -> None:
    """Debian's packages for that architecture, unpacked; nothing of them runs."""
    form = "$(ORIGIN) $(REPO_URI) $(COMPONENT)"
    listed = _run(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    uris = [
        words.split()[1] for words in listed.splitlines() if re.match(r"Debian .* main$", words)
    ]
    if not uris:
        raise BundleError("this machine's apt knows no Debian mirror (apt-get update first?)")
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=extract"]
    command += [f"--architectures={target.arch}"]
    command += ["--include=" + ",".join(name.format(python=target.python) for name in HEADERS)]
    main = next(uri for uri in uris if "security" not in uri)
    suite = SUITES[target.python]
    _run([*command, suite, str(sysroot), "-"], given=f"deb {main} {suite} main\n")


def _source(entry: wheels.Locked, python: Path) -> Path:
    """The locked source archive, fetched by its hash."""
    place = wheels.cache_folder() / "sources"
    place.mkdir(parents=True, exist_ok=True)
    for path in sorted(place.glob("*.tar.gz")):
        if wheels.digest(path) in entry.hashes:
            return path
    with tempfile.TemporaryDirectory() as scratch:
        asked = Path(scratch) / "requirements.txt"
        asked.write_text(entry.line + "\n", "utf-8")
        command = [str(python), "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps"]
        command += ["--no-binary=:all:", "--no-build-isolation", "--dest", scratch]
        _run([*command, "--requirement", str(asked)])
        for path in Path(scratch).glob("*.tar.gz"):
            if wheels.digest(path) in entry.hashes:
                return Path(shutil.move(path, place / path.name))
    raise BundleError(f"the lock names no source archive of {entry.name} {entry.version}")


def _compiled(shop: Workshop, entry: wheels.Locked, source: Path, out: Path) -> Path:
    with tempfile.TemporaryDirectory(prefix="posagent-wheel-") as scratch:
        command = [str(shop.python), "-m", "pip", "wheel", "--quiet", "--no-deps"]
        command += ["--no-build-isolation", "--no-cache-dir", "--wheel-dir", scratch]
        if entry.name == "pillow":
            command += ["--config-settings=platform-guessing=disable"]
            command += [f"--config-settings={name}=disable" for name in (*PILLOW, "raqm")]
        _run([*command, str(source)], env=shop.environment)
        made = sorted(Path(scratch).glob("*.whl"))
        if len(made) != 1 or shop.target.rank(made[0].name) is None:
            raise BundleError(f"{source.name} made {[path.name for path in made]}, which is no use")
        return Path(shutil.move(made[0], out / made[0].name))


def _run(command: Sequence[str], *, given: str = "", env: dict[str, str] | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise BundleError(f"{command[0]} is not on this machine (sh packaging/ci/bundle.sh)")
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, input=given, env=env
    )
    if done.returncode:
        raise BundleError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
