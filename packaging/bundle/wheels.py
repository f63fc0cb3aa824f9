"""The wheels a bundle is made of: which, from where, and whether they are the locked ones.

What is wanted follows from pyproject.toml and the lock (packaging/locked/terminal.txt). A wheel is
taken only if the lock names its hash, or if packaging/wheels/build.py wrote down beside it from
which locked source archive it was built. Missing ones are fetched by pip, by hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from targets import BundleError, Target

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "packaging" / "locked" / "terminal.txt"
CACHE_VARIABLE = "POSAGENT_BUNDLE_CACHE"
#: Beside wheels that were built here: which locked source archive each came from.
BUILT = "built.json"
#: Every terminal gets these of pyproject.toml's extras; small, and loaded where they are needed.
ALWAYS = ("modem",)
EXTRAS = ("cli", "provision", "slips")
#: Locked, and still not in a bundle: cffi's reader of C declarations. PyNaCl's and cryptography's
#: declarations were compiled when their wheels were built.
NOT_NEEDED = frozenset({"pycparser"})


@dataclass(frozen=True)
class Locked:
    """One requirement of the lock."""

    name: str
    version: str
    hashes: frozenset[str]
    wanted_by: tuple[str, ...]

    @property
    def line(self) -> str:
        return " ".join(
            [f"{self.name}=={self.version}", *sorted(f"--hash=sha256:{h}" for h in self.hashes)]
        )


@dataclass(frozen=True)
class Wheel:
    """One wheel on this machine."""

    path: Path
    name: str
    version: str
    sha256: str
    built_from: str = ""  # the hash of the locked source archive, where it was built by us


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def locked(path: Path = LOCK) -> dict[str, Locked]:
    """The lock, by name."""
    found: dict[str, Locked] = {}
    name = version = ""
    hashes: set[str] = set()
    via: list[str] = []

    def done() -> None:
        if name:
            found[name] = Locked(name, version, frozenset(hashes), tuple(via))

    for line in path.read_text("utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)==([^\s;\\]+)", line):
            done()
            name, version, hashes, via = normal(match[1]), match[2], set(), []
        hashes.update(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        if match := re.match(r"\s+#\s+(?:via\s+)?([A-Za-z0-9._-]+)", line):
            via.append(normal(match[1]))
    done()
    if not found:
        raise BundleError(f"{path} locks nothing")
    return found


def wanted(lock: dict[str, Locked], extras: Sequence[str]) -> list[Locked]:
    """What a bundle with these extras holds, by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in (*ALWAYS, *extras):
        lines += project["optional-dependencies"][extra]
    names = {normal(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]) for line in lines}
    if absent := sorted(names - set(lock)):
        raise BundleError(f"the lock does not name {', '.join(absent)}: make it again")
    while more := {entry.name for entry in lock.values() if set(entry.wanted_by) & names} - names:
        names |= more
    return [lock[name] for name in sorted(names - NOT_NEEDED)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def gathered(
    target: Target, requirements: Iterable[Locked], folders: Sequence[Path], *, offline: bool
) -> list[Wheel]:
    """A wheel for each requirement: from `folders`, from the cache, else fetched by hash."""
    cache = cache_folder() / target.tag
    cache.mkdir(parents=True, exist_ok=True)
    places = [*folders, cache]
    found: dict[str, Wheel] = {}
    missing: list[Locked] = []
    for entry in requirements:
        wheel = _held(target, entry, places)
        if wheel is None:
            missing.append(entry)
        else:
            found[entry.name] = wheel
    if missing and not offline:
        _fetch(target, missing, cache)
        for entry in missing:
            if wheel := _held(target, entry, [cache]):
                found[entry.name] = wheel
    if absent := [f"{e.name} {e.version}" for e in missing if e.name not in found]:
        how = f"build it (python packaging/wheels/build.py --arch {target.arch} --out DIR)"
        if target.libc != "gnu":
            how = "build it with that system's own compiler, and say so in built.json beside it,"
        raise BundleError(
            f"no locked wheel for {target.tag}: {', '.join(absent)}. Where nobody publishes one, "
            f"{how} and give the folder with --wheels DIR (docs/bundle-image.md)"
        )
    return [found[name] for name in sorted(found)]


def cache_folder() -> Path:
    """Outside the checkout: wheels of other people's code are nothing to commit."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "posagent-bundle"


def _held(target: Target, entry: Locked, places: Sequence[Path]) -> Wheel | None:
    """The best wheel for `entry` in the first of the folders that has any."""
    for place in places:
        ranked = []
        for path in place.glob("*.whl"):
            name, version = path.name.split("-")[:2]
            rank = target.rank(path.name)
            if normal(name) == entry.name and version == entry.version and rank is not None:
                ranked.append((rank, path))
        if ranked:
            return _judged(entry, min(ranked)[1])
    return None


def _judged(entry: Locked, path: Path) -> Wheel:
    """The wheel, if it is a locked one or was built here from a locked source."""
    sha256 = digest(path)
    if sha256 in entry.hashes:
        return Wheel(path, entry.name, entry.version, sha256)
    record = path.with_name(BUILT)
    told = json.loads(record.read_text("utf-8")).get(path.name, {}) if record.exists() else {}
    source = told.get("source_sha256", "")
    if told.get("sha256") != sha256 or source not in entry.hashes:
        raise BundleError(
            f"{path} is not the locked {entry.name} {entry.version}: its hash is neither in the "
            "lock nor that of a wheel built here from a locked source"
        )
    return Wheel(path, entry.name, entry.version, sha256, source)


def _fetch(target: Target, entries: Sequence[Locked], cache: Path) -> None:
    """One by one: what nobody publishes must not keep back the others."""
    for entry in entries:
        with tempfile.TemporaryDirectory() as scratch:
            asked = Path(scratch) / "requirements.txt"
            asked.write_text(entry.line + "\n", "utf-8")
            platforms = [f"--platform={name}" for name in [*target.platforms, "any"]]
            abis = [f"--abi={name}" for name in (target.abi, "abi3", "none")]
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes"]
            command += ["--only-binary=:all:", "--no-deps", "--implementation=cp", *abis]
            command += [f"--python-version={target.python}", *platforms]
            command += ["--dest", scratch, "--requirement", str(asked)]
            subprocess.run(command, check=False, capture_output=True)
            for path in Path(scratch).glob("*.whl"):
                # Two builds at a time may fetch the same: the last move wins, with the same bytes.
                made = cache / f".{path.name}.{os.getpid()}"
                shutil.copy(path, made)
                made.rename(cache / path.name)


def own_wheel(scratch: Path, epoch: int) -> Path:
    """The project's wheel, from a copy: a build leaves files beside the source."""
    source = scratch / "source"
    source.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("agent", "packaging"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--wheel-dir", str(scratch / "own"), str(source)]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(epoch)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    made = sorted((scratch / "own").glob("posagent-*.whl"))
    if done.returncode or len(made) != 1:
        raise BundleError(f"the project's own wheel could not be built:\n{done.stderr.strip()}")
    return made[0]
