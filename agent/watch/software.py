"""Watches what is installed against what should be.

Reads its own version, the operating system and, if a manifest names required versions, what is
installed by dpkg, as a Python distribution or stated in a version file. Runs no package manager:
it reads the files they keep. A manifest that cannot be used makes this component unknown, naming
file and line; a package nobody can find is *unknown*, not behind.

A manifest is JSON or TOML, one entry for each component:

    [pinpad-driver]
    required = "2.4.1"
    installed_by = "dpkg"          # or "python", "file", "agent"
    package = "acme-pinpad"        # dpkg, python: if named otherwise than the component
    path = "/opt/acme/VERSION"     # file: the version file; python: the site-packages directory
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar

import agent
from agent.config import Software
from agent.core.health.reading import Outcome, Reading, Unknown, Value
from agent.watch.versions import compare, python_version

T = TypeVar("T")

DEADLINE_S = 20.0
#: A version file holds one line; anything longer is the wrong file.
VERSION_FILE_MAX_BYTES = 4_096
MANIFEST_MAX_BYTES = 262_144
_KEYS = {"required", "installed_by", "package", "path"}


class Blocking(Protocol):
    """Runs a call that may hang, off the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T: ...


class Standing(StrEnum):
    """How an installed version compares with the required one."""

    BEHIND = "behind"
    EQUAL = "equal"
    AHEAD = "ahead"
    UNKNOWN = "unknown"


class Source(StrEnum):
    """Where a version is read from."""

    DPKG = "dpkg"
    PYTHON = "python"
    FILE = "file"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """One entry of the manifest."""

    component: str
    version: str
    source: Source
    package: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One component's verdict."""

    component: str
    required: str
    installed: str
    standing: Standing

    def __str__(self) -> str:
        return f"{self.installed or '?'} -> {self.required} ({self.standing})"


class ManifestError(Exception):
    """The manifest cannot be used; the message names file and line."""


class SoftwareWatcher:
    """One reading of versions."""

    component = "software"
    deadline_s = DEADLINE_S

    def __init__(self, config: Software, blocking: Blocking, root: Path) -> None:
        self.period_s = config.period_s
        self._manifest = Path(config.manifest) if config.manifest else None
        self._blocking = blocking
        self._root = root

    async def read(self) -> Outcome:
        """Versions as they are now."""
        return await self._blocking.call("software", self._collect, DEADLINE_S - 1.0)

    def _collect(self) -> Outcome:
        values: dict[str, Value] = {
            "agent_version": agent.__version__,
            "os": operating_system(self._root),
            "kernel": _text(self._root / "proc/sys/kernel/osrelease"),
        }
        values = {name: one for name, one in values.items() if one}
        if self._manifest is None:
            return Reading(values)
        try:
            required = load_manifest(self._manifest)
        except ManifestError as error:
            return Unknown(str(error), "", {"manifest": str(self._manifest)})
        found = compare_all(required, self._root)
        counts = {one.value: sum(c.standing is one for c in found) for one in Standing}
        values |= counts
        behind = [one for one in found if one.standing is Standing.BEHIND]
        if behind:
            values |= {
                "package": ", ".join(one.component for one in behind),
                "installed": ", ".join(one.installed for one in behind),
                "required": ", ".join(one.required for one in behind),
            }
        return Reading(values, {one.component: str(one) for one in found})


def build(config: Software, *, blocking: Blocking, root: Path = Path("/")) -> SoftwareWatcher:
    """The watcher of what is installed on this machine."""
    return SoftwareWatcher(config, blocking, root)


def operating_system(root: Path) -> str:
    """The pretty name of os-release; "" where nobody tells."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        for line in _text(root / place).splitlines():
            name, _, value = line.partition("=")
            if name == "PRETTY_NAME":
                return value.strip().strip("\"'")
    return ""


def load_manifest(path: Path) -> list[Required]:
    """The entries of a manifest. Raises ManifestError naming file and line."""
    try:
        if path.stat().st_size > MANIFEST_MAX_BYTES:
            raise ManifestError(f"{path} is larger than {MANIFEST_MAX_BYTES} bytes")
        text = path.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise ManifestError(f"{path} cannot be read: {error}") from error
    try:
        whole = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except json.JSONDecodeError as error:
        raise ManifestError(f"{path}:{error.lineno}: {error.msg}") from error
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"at line (\d+)", str(error))  # else: at the end of the document
        number = line[1] if line else len(text.splitlines())
        raise ManifestError(f"{path}:{number}: {error}") from error
    if not isinstance(whole, dict):
        raise ManifestError(f"{path}:1: must be one object, component -> required version")
    return [_entry(path, text, component, entry) for component, entry in whole.items()]


def compare_all(required: list[Required], root: Path) -> list[Compared]:
    """Every entry with what is installed."""
    wanted = {one.package for one in required if one.source is Source.DPKG}
    packages = dpkg_versions(root, wanted) if wanted else {}
    return [_compared(one, _installed(one, packages, root)) for one in required]


def dpkg_versions(root: Path, wanted: set[str]) -> dict[str, str]:
    """Versions of the wanted packages that are installed, read line by line: the file is large."""
    found: dict[str, str] = {}
    try:
        with (root / "var/lib/dpkg/status").open("rb") as lines:
            for package, status, version in _paragraphs(lines):
                if package in wanted and status.endswith(" installed"):
                    found[package] = version
                    if len(found) == len(wanted):
                        break
    except OSError:
        return {}
    return found


def _paragraphs(lines: Iterable[bytes]) -> Iterator[tuple[str, str, str]]:
    package = status = version = ""
    for line in lines:
        if line.startswith(b"Package:"):
            package = _value(line)
        elif line.startswith(b"Status:"):
            status = _value(line)
        elif line.startswith(b"Version:"):
            version = _value(line)
        elif line == b"\n":
            yield package, status, version
            package = status = version = ""
    if package:
        yield package, status, version


def _value(line: bytes) -> str:
    return line.partition(b":")[2].decode("utf-8", "replace").strip()


def _installed(one: Required, packages: Mapping[str, str], root: Path) -> str:
    match one.source:
        case Source.AGENT:
            return agent.__version__
        case Source.DPKG:
            return packages.get(one.package, "")
        case Source.FILE:
            return _first_line(root / one.path.lstrip("/"))
        case Source.PYTHON:
            return _distribution(root / one.path.lstrip("/"), one.package)


def _compared(one: Required, installed: str) -> Compared:
    standing = Standing.UNKNOWN
    if installed:
        python = one.source in (Source.PYTHON, Source.AGENT)
        left, right = (
            (python_version(installed), python_version(one.version))
            if python
            else (installed, one.version)
        )
        standing = {-1: Standing.BEHIND, 0: Standing.EQUAL, 1: Standing.AHEAD}[compare(left, right)]
    return Compared(
        component=one.component, required=one.version, installed=installed, standing=standing
    )


def _distribution(site: Path, package: str) -> str:
    """The version in the name of `package`'s dist-info directory."""
    wanted = re.sub(r"[-_.]+", "_", package).lower()
    for info in site.glob("*.dist-info"):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        if re.sub(r"[-_.]+", "_", name).lower() == wanted:
            return version
    return ""


def _entry(path: Path, text: str, component: str, entry: object) -> Required:
    where = f"{path}:{_line_of(text, component)}: {component}"
    if not isinstance(entry, dict):
        raise ManifestError(f"{where}: must be a table with `required` and `installed_by`")
    if unknown := sorted(set(entry) - _KEYS):
        raise ManifestError(f"{where}: unknown key {unknown[0]}; known: {', '.join(sorted(_KEYS))}")
    if wrong := [name for name, value in entry.items() if not isinstance(value, str)]:
        raise ManifestError(f"{where}: {wrong[0]} must be a text in quotes")
    if not entry.get("required"):
        raise ManifestError(f"{where}: `required` is missing")
    named = entry.get("installed_by", "")
    if named not in list(Source):
        raise ManifestError(f"{where}: installed_by must be one of {', '.join(Source)}")
    source = Source(named)
    if source in (Source.FILE, Source.PYTHON) and not entry.get("path"):
        raise ManifestError(f"{where}: installed_by = {named} needs `path`")
    return Required(
        component=component,
        version=entry["required"],
        source=source,
        package=entry.get("package", component),
        path=entry.get("path", ""),
    )


def _line_of(text: str, component: str) -> int:
    """Where a component stands in the manifest; 1 if it cannot be found."""
    for number, line in enumerate(text.splitlines(), start=1):
        if component in line:
            return number
    return 1


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(VERSION_FILE_MAX_BYTES)
    except OSError:
        return ""
    return head.decode("utf-8", "replace").strip().partition("\n")[0].strip()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
