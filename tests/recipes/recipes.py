"""What the recipes for Yocto and Buildroot say, read by plain text: names, versions, hashes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYER = ROOT / "packaging" / "yocto" / "meta-posagent"
TREE = ROOT / "packaging" / "buildroot"
#: Has a recipe of its own upstream, in the release named, in a version that pyproject allows and
#: the lock has (or, where told, another one): looked up in the public repositories on 2026-11-22.
#: name -> (package in Buildroot or recipe in a layer, version there)
IN_OE = {
    "cffi": ("openembedded-core wrynose python3-cffi", "2.0.0"),
    "h11": ("meta-python wrynose python3-h11", "0.16.0"),
    "pynacl": ("meta-python wrynose python3-pynacl", "1.6.2"),
    "pyserial": ("meta-python wrynose python3-pyserial", "3.5"),
}
IN_BUILDROOT = {
    "cffi": ("python-cffi", "2.0.0"),
    "h11": ("python-h11", "0.16.0"),
    "jeepney": ("python-jeepney", "0.9.0"),
    "pynacl": ("python-pynacl", "1.6.2"),
    "pyserial": ("python-serial", "3.5"),
    "segno": ("python-segno", "1.6.6"),
}


@dataclass(frozen=True)
class Locked:
    version: str
    hashes: frozenset[str]


def locked() -> dict[str, Locked]:
    """The lock: name -> version and hashes."""
    text = (ROOT / "packaging" / "locked" / "terminal.txt").read_text("utf-8")
    found = {}
    for block in re.split(r"\n(?=[A-Za-z0-9])", "\n" + text):
        if match := re.match(r"\s*([A-Za-z0-9._-]+)==([^\s;\\]+)", block):
            hashes = frozenset(re.findall(r"sha256:([0-9a-f]{64})", block))
            found[match[1].lower()] = Locked(match[2], hashes)
    return found


def needed() -> set[str]:
    """What a terminal's daemon needs: pyproject's dependencies, the modem's and PyNaCl's."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = project["dependencies"] + project["optional-dependencies"]["modem"]
    return {re.split(r"[^A-Za-z0-9-]", line)[0].lower() for line in lines} | {"cffi"}


@dataclass(frozen=True)
class Recipe:
    name: str  #: of the project on the package index
    version: str
    sha256: str
    licence: str


def yocto() -> dict[str, Recipe]:
    """The layer's recipes of dependencies."""
    found = {}
    for path in sorted(LAYER.glob("recipes-python/*/*.bb")):
        name, _, version = path.stem.removeprefix("python3-").partition("_")
        text = path.read_text("utf-8")
        digest = re.search(r'^SRC_URI\[sha256sum\] = "([0-9a-f]{64})"$', text, re.MULTILINE)
        licence = re.search(r'^LICENSE = "(.+)"$', text, re.MULTILINE)
        assert digest, path
        assert licence, path
        assert path.parent.name == f"python3-{name}", path
        found[name] = Recipe(name, version, digest[1], licence[1])
    return found


def buildroot() -> dict[str, Recipe]:
    """The external tree's packages of dependencies."""
    found = {}
    for path in sorted(TREE.glob("package/posagent-*/*.mk")):
        upper = path.stem.upper().replace("-", "_")
        text = path.read_text("utf-8")
        said = dict(re.findall(rf"^{upper}_([A-Z_]+) = (.+)$", text, re.MULTILINE))
        archive = said["SOURCE"].replace(f"$({upper}_VERSION)", said["VERSION"])
        hashes = {
            line.split()[2]: line.split()[1]
            for line in path.with_suffix(".hash").read_text().splitlines()
            if line.startswith("sha256 ")
        }
        for file in said["LICENSE_FILES"].split():
            assert re.fullmatch(r"[0-9a-f]{64}", hashes[file]), f"{path}: {file}"
        name = path.stem.removeprefix("posagent-")
        found[name] = Recipe(name, said["VERSION"], hashes[archive], said["LICENSE"])
    return found


def allowed(name: str, version: str) -> bool:
    """Whether pyproject.toml takes this version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    lines = project["dependencies"] + [line for extra in extras.values() for line in extra]
    numbers = [int(part) for part in version.split(".")]
    for line in lines:
        if re.split(r"[^A-Za-z0-9-]", line)[0].lower() != name:
            continue
        for sign, bound in re.findall(r"(>=|<)([0-9.]+)", line):
            other = [int(part) for part in bound.split(".")]
            if (numbers < other) if sign == ">=" else (numbers >= other):
                return False
    return True
