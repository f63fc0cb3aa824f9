"""The lists package managers keep: who is installed in which version.

dpkg and opkg keep paragraphs, apk lines of one letter, rpm a database only `rpm` reads: that is
asked when the database changed, and not more than once an hour. No package manager is ever run for
the others. Called by `agent.watch.software.sources`, on a thread that may wait.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agent.watch.software.files import Files, Told

log = logging.getLogger(__name__)

DPKG = ("var/lib/dpkg/status",)
OPKG = ("usr/lib/opkg/status", "var/lib/opkg/status", "var/opkg/status", "opt/lib/opkg/status")
APK = ("lib/apk/db/installed",)
RPM = (
    "var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages.db",
    "var/lib/rpm/Packages",
)  # fmt: skip
RPM_EVERY_S = 3_600.0
RPM_WITHIN_S = 10.0
#: A line of such a list; more is not one.
LINE_MAX_BYTES = 65_536
VERSION_MAX_CHARS = 120

Asks = Callable[[list[str]], str]


class Packages:
    """The lists of one machine."""

    def __init__(self, root: Path, files: Files, ask_rpm: Asks | None = None) -> None:
        self._root = root
        self._files = files
        self._ask_rpm = ask_rpm or _rpm
        self._rpm_asked_s: float | None = None
        self._rpm: tuple[frozenset[str], Told] | None = None

    def of(self, manager: str, wanted: frozenset[str]) -> Told:
        """Version by name of those of `wanted` that are installed; None: no list to be read."""
        match manager:
            case "dpkg":
                return self._first(DPKG, manager, wanted)
            case "opkg":
                return self._first(OPKG, manager, wanted)
            case "apk":
                return self._first(APK, manager, wanted)
            case _:
                return self._by_rpm(wanted)

    def _first(self, places: Iterable[str], manager: str, wanted: frozenset[str]) -> Told:
        told = Told(None)
        for place in places:
            path = self._root / place
            told = self._files.read(path, lambda path: _listed(path, manager, wanted), wanted)
            if told.value is not None:
                return told
        return told

    def _by_rpm(self, wanted: frozenset[str]) -> Told:
        place = next((self._root / one for one in RPM if (self._root / one).exists()), None)
        if place is None:
            return Told(None, why="there is no rpm database")
        changed = self._files.reads
        stamp = self._files.read(place, lambda _: True, "rpm")
        same = self._files.reads == changed
        now_s = time.monotonic()
        early = self._rpm_asked_s is not None and now_s - self._rpm_asked_s < RPM_EVERY_S
        if self._rpm is not None and self._rpm[0] == wanted and (same or early):
            return self._rpm[1]
        if early and self._rpm is not None and self._rpm[0] != wanted:
            return Told(None, why="rpm is asked again within the hour")
        self._rpm_asked_s = now_s
        try:
            told = Told(_of_rpm(self._ask_rpm(sorted(wanted))), stamp.changed_ms)
        except (OSError, ValueError) as error:
            log.debug("event=rpm_failed reason=%r", str(error))
            told = Told(None, why=f"rpm: {error}")
        self._rpm = wanted, told
        return told


def _listed(path: Path, manager: str, wanted: frozenset[str]) -> dict[str, str]:
    """Read line by line: the file is large."""
    found: dict[str, str] = {}
    with path.open("rb") as lines:
        entries = _apk(lines) if manager == "apk" else _paragraphs(lines)
        for package, version in entries:
            if package in wanted:
                found[package] = version
                if len(found) == len(wanted):
                    break
    return found


def _paragraphs(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    package = status = version = ""
    for line in lines:
        if line.startswith(b"Package:"):
            package = _value(line)
        elif line.startswith(b"Status:"):
            status = _value(line)
        elif line.startswith(b"Version:"):
            version = _value(line)
        elif not line.strip():
            if status.endswith(" installed") and package and version:
                yield package, version
            package = status = version = ""
    if status.endswith(" installed") and package and version:
        yield package, version


def _apk(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    package = version = ""
    for line in lines:
        if line.startswith(b"P:"):
            package = _value(line)
        elif line.startswith(b"V:"):
            version = _value(line)
        elif not line.strip():
            if package and version:
                yield package, version
            package = version = ""
    if package and version:
        yield package, version


def _value(line: bytes) -> str:
    text = line[:LINE_MAX_BYTES].partition(b":")[2].decode("utf-8", "replace").strip()
    return text[:VERSION_MAX_CHARS]


def _of_rpm(said: str) -> dict[str, str]:
    found = {}
    for line in said.splitlines():
        name, _, version = line.partition(" ")
        if re.fullmatch(r"[^\s:]+", name) and re.fullmatch(r"[0-9]+:\S+", version):
            found[name] = version.removeprefix("0:")[:VERSION_MAX_CHARS]
    return found


def _rpm(names: list[str]) -> str:
    """What rpm says of them. Raises OSError and ValueError."""
    import subprocess  # few terminals have one

    form = "%{NAME} %{EPOCHNUM}:%{VERSION}-%{RELEASE}\n"
    try:
        done = subprocess.run(
            ["rpm", "-q", "--qf", form, "--", *names],
            capture_output=True, timeout=RPM_WITHIN_S, check=False, text=True,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        raise ValueError(str(error)) from None
    return done.stdout  # its exit code counts the packages that are not installed
