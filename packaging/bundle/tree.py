"""The bundle's folder: what of each wheel goes in, in one form, so that two builds are the same.

Decides what a terminal has no use for, and refuses a compiled file of another machine or C
library. Called by build.py; fetches nothing.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import uuid
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import elf
from targets import BundleError, Target
from wheels import ALWAYS, LOCK, NOT_NEEDED, ROOT, Locked, Wheel, locked

HERE = Path(__file__).resolve().parent
PROGRAMS = ("posagent", "posagent-actions")
#: What belongs to a developer's or an operator's computer and not to a terminal.
NOT_ON_TERMINALS = (
    "agent/sim/*",
    "agent/fleet/*",
    "agent/conformance/*",
    "agent/cli/sim.py",
    "agent/cli/sim_fleet.py",
    "agent/cli/fleet.py",
    "agent/cli/fleet_*.py",
    "agent/cli/conformance.py",
)
#: Of other people's wheels: tests, headers, types, and parts nothing of ours can reach.
NEVER = (
    "*/__pycache__/*",
    "*/tests/*",
    "*/test/*",
    "*.pyc",
    "*.pyi",
    "*.pxd",
    "*.c",
    "*.h",
    "*.exe",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/top_level.txt",
    "*.dist-info/entry_points.txt",
    # Only its compiled half is loaded, by PyNaCl and cryptography.
    "cffi/*",
    # A slip is PNG: no films, no windows.
    "PIL/_avif*",
    "PIL/_imagingtk*",
    "PIL/ImageTk.py",
    "pillow.libs/libavif*",
)
LICENCE = re.compile(r"(^|/)(LICEN[CS]E|COPYING|NOTICE|AUTHORS)", re.IGNORECASE)
COMPILED = re.compile(r"\.so(\.[0-9.]+)?$")


@dataclass(frozen=True)
class Laid:
    """What came of it."""

    glibc: str  # the oldest glibc everything runs on, as in "2.28"; "" with another C library
    stripped_by: str


def unpack(wheel: Wheel, site: Path, licences: Path) -> None:
    """One wheel's files into site-packages, its licences beside."""
    with zipfile.ZipFile(wheel.path) as held:
        for name in sorted(held.namelist()):
            if name.endswith("/") or ".." in Path(name).parts or name.startswith("/"):
                continue
            place = _inside(name)
            if place is None:
                continue
            if ".dist-info/" in place and LICENCE.search(place.partition(".dist-info/")[2]):
                to = licences / f"{wheel.name}-{wheel.version}" / Path(place).name
            elif _left_out(wheel.name, place):
                continue
            else:
                to = site / place
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes(held.read(name))


def _inside(name: str) -> str | None:
    """Where in site-packages a wheel's member goes; None for scripts and data."""
    folder, slash, rest = name.partition("/")
    if not folder.endswith(".data"):
        return name
    kind, _, path = rest.partition("/")
    return path if slash and kind in {"purelib", "platlib"} else None


def _left_out(wheel: str, place: str) -> bool:
    if any(fnmatch.fnmatchcase(place, pattern) for pattern in NEVER):
        return True
    ours = wheel == "posagent"
    return ours and any(fnmatch.fnmatchcase(place, pattern) for pattern in NOT_ON_TERMINALS)


def parts(own: Wheel, others: Sequence[Wheel], extras: Sequence[str], lock: Path) -> bytes | None:
    """The list of the parts that go in; None for a lock that is not the project's."""
    if lock != LOCK:
        return None
    with tempfile.TemporaryDirectory(prefix="posagent-parts-") as name:
        folder = Path(name)
        for wheel in others:
            (folder / wheel.path.name).symlink_to(wheel.path.absolute())
        for pin in wanted_but_not_needed(lock):
            # The generator wants a file for everything the lock asks for; taken out again below.
            (folder / f"{pin.name}-{pin.version}-py3-none-any.whl").touch()
        command = [sys.executable, str(ROOT / "packaging/sbom/generate.py"), "--wheels", name]
        command += ["--own", str(own.path)]
        command += [f"--extra={extra}" for extra in (*ALWAYS, *extras)]
        listed = json.loads(_run(command, env={"PATH": os.environ.get("PATH", "")}))
    listed["components"] = [c for c in listed["components"] if c["name"] not in NOT_NEEDED]
    refs = {
        listed["metadata"]["component"]["bom-ref"],
        *(c["bom-ref"] for c in listed["components"]),
    }
    listed["dependencies"] = [
        {**entry, "dependsOn": [ref for ref in entry["dependsOn"] if ref in refs]}
        for entry in listed["dependencies"]
        if entry["ref"] in refs
    ]
    body = {name: listed[name] for name in ("version", "metadata", "components", "dependencies")}
    number = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(body, sort_keys=True))
    listed["serialNumber"] = f"urn:uuid:{number}"
    return (json.dumps(listed, indent=1, ensure_ascii=False) + "\n").encode()


def wanted_but_not_needed(lock: Path) -> list[Locked]:
    """What the lock asks for and a bundle does without."""
    return [pin for name, pin in sorted(locked(lock).items()) if name in NOT_NEEDED]


def judge(site: Path, target: Target, strip: Sequence[str]) -> Laid:
    """Refuse what is for another machine; strip symbols nobody on a terminal reads."""
    newest = (0, 0)
    for path in sorted(files(site)):
        if not COMPILED.search(path.name):
            continue
        part = elf.compiled(path.read_bytes())
        where = path.relative_to(site)
        if part is None:
            raise BundleError(f"{where} is named like a compiled file and is none")
        if (part.bits, part.machine) != target.machine.elf:
            raise BundleError(f"{where} is compiled for another machine than {target.arch}")
        if part.libc and part.libc != target.libc:
            raise BundleError(
                f"{where} is compiled for the C library {part.libc}, not {target.libc}"
            )
        named = re.search(r"\.(cpython-[^.]+)\.so$", path.name)
        if named and named[1] != target.tag:
            raise BundleError(
                f"{where} is for {named[1]}: an interpreter {target.tag} passes it by"
            )
        newest = max(newest, part.glibc)
        # What auditwheel has rewritten does not survive strip; it lies in folders *.libs.
        if strip and not where.parts[0].endswith(".libs"):
            _run([*strip, "--strip-unneeded", str(path)])
    version = _run([*strip, "--version"]).splitlines()[0] if strip else ""
    return Laid(
        glibc=f"{newest[0]}.{newest[1]}" if target.libc == "gnu" and newest > (0, 0) else "",
        stripped_by=version,
    )


def compile_all(site: Path, python: str) -> None:
    """Bytecode that depends on nothing but the source: no times, no paths of this machine."""
    paths = sorted(str(path.relative_to(site)) for path in files(site) if path.suffix == ".py")
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"}
    script = str(HERE / "bytecode.py")
    _run(
        [python, "-S", "-X", "no_debug_ranges", script],
        given="\0".join(paths),
        cwd=site,
        env=environment,
    )


def launchers(out: Path, target: Target, glibc: str, link: str) -> None:
    """bin/, start.py and pyvenv.cfg."""
    (out / "bin").mkdir()
    (out / "bin" / "python").symlink_to(link)
    text = (HERE / "launcher.sh").read_text("utf-8")
    text = text.replace("@PYTHON@", target.python).replace("@TAG@", target.tag)
    for program in PROGRAMS:
        (out / "bin" / program).write_text(text.replace("@PROGRAM@", program), "utf-8")
    needed = {"python": target.python, "tag": target.tag, "glibc": glibc}
    start = (HERE / "start.py").read_text("utf-8")
    start, count = re.subn(
        r"(?<=# needed: written by packaging/bundle/build\.py\n)NEEDED = .*\n",
        f"NEEDED = {json.dumps(needed)}\n",
        start,
    )
    if count != 1:
        raise BundleError("start.py has no place for what is needed")
    (out / "start.py").write_text(start, "utf-8")
    (out / "pyvenv.cfg").write_text(
        f"home = {Path(link).parent}\ninclude-system-site-packages = false\n"
        f"version = {target.python}\n",
        "utf-8",
    )


def shared(out: Path, listed: bytes | None, man: Sequence[Path]) -> list[str]:
    """share/posagent; returns what is not there to be taken."""
    share = out / "share" / "posagent"
    share.mkdir(parents=True, exist_ok=True)
    absent = []
    shutil.copy(ROOT / "packaging" / "posagent.toml", share / "posagent.toml")
    for path in sorted(files(ROOT / "firmware_hooks")):
        if "__pycache__" in path.parts:
            continue
        to = share / "firmware_hooks" / path.relative_to(ROOT / "firmware_hooks")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, to)
        to.chmod(0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644)
    if listed is None:
        absent.append("the list of parts (the lock is not the project's)")
    else:
        (share / "sbom.cdx.json").write_bytes(listed)
    for folder in man:
        for path in sorted(files(folder)):
            to = share / folder.name / path.relative_to(folder)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
    return absent


def settle(out: Path, epoch: int) -> None:
    """One mode and one time for everything."""
    for path in [*walk(out), out]:
        if path.is_symlink():
            os.utime(path, (epoch, epoch), follow_symlinks=False)
            continue
        hooks = out / "share" / "posagent" / "firmware_hooks"
        runs = path.parent == out / "bin" or (hooks in path.parents and path.stat().st_mode & 0o100)
        path.chmod(0o755 if path.is_dir() or runs else 0o644)
        os.utime(path, (epoch, epoch))


def manifest(out: Path, facts: dict[str, object]) -> None:
    """MANIFEST.json: what this is, and the hash of every file."""
    held: dict[str, str] = {}
    links: dict[str, str] = {}
    for path in walk(out):
        name = path.relative_to(out).as_posix()
        if path.is_symlink():
            links[name] = str(path.readlink())
        elif path.is_file():
            held[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    written = {**facts, "files": held, "links": links}
    text = json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (out / "MANIFEST.json").write_text(text, "utf-8")


def differing(out: Path) -> list[str]:
    """What of a bundle is not as its manifest says; links may lead elsewhere."""
    told = json.loads((out / "MANIFEST.json").read_text("utf-8"))
    said = dict(told["files"])
    wrong = []
    for path in walk(out):
        name = path.relative_to(out).as_posix()
        if name == "MANIFEST.json" or path.is_symlink() or path.is_dir():
            continue
        expected = said.pop(name, None)
        if expected is None:
            wrong.append(f"{name}: not in the manifest")
        elif hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            wrong.append(f"{name}: changed")
    wrong += [f"{name}: missing" for name in said]
    wrong += [f"{name}: missing" for name in told["links"] if not (out / name).is_symlink()]
    return sorted(wrong)


def files(folder: Path) -> Iterator[Path]:
    """Every file below `folder`."""
    return (path for path in walk(folder) if path.is_file())


def walk(folder: Path) -> list[Path]:
    """Everything below `folder`, in one order."""
    found = []
    for place, folders, names in os.walk(folder):
        found += [Path(place) / name for name in (*folders, *names)]
    return sorted(found)


def _run(
    command: Sequence[str],
    *,
    given: str = "",
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
) -> str:
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, input=given, cwd=cwd, env=env
    )
    if done.returncode:
        raise BundleError(f"{command[0]} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout
