"""Reads a lock of `packaging/locked`: what is pinned, by which hashes, and who asked for it.

Knows the form `uv pip compile --generate-hashes` writes and refuses every line it does not know:
a requirement that cannot be read must not be left out of a list of parts. Plain standard library,
for the wheel's build, the list of parts and the tests.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
import tomllib

#: How the lock names the project itself among those who asked.
PROJECT = "posagent"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([A-Za-z0-9.!+_-]+)(?: ; (.+?))?(?: \\)?$")
_HASH = re.compile(r"^    --hash=sha256:([0-9a-f]{64})(?: \\)?$")
_NAME = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


class BadLockError(ValueError):
    """A line of the lock is not of the form it is written in."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One pinned requirement."""

    name: str
    version: str
    marker: str
    sha256: tuple[str, ...]
    asked_by: tuple[str, ...]


def plain(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def required(requirement: str) -> str:
    """The name in `rich>=13`."""
    found = _NAME.match(requirement)
    if found is None:
        raise BadLockError(f"not a requirement: {requirement}")
    return plain(found[1])


def project(root: pathlib.Path) -> dict[str, object]:
    """The table `[project]` of the project at `root`."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert isinstance(table, dict)
    return table


def read(path: pathlib.Path) -> tuple[Locked, ...]:
    """Everything `path` pins, by name; raises BadLockError."""
    found: list[Locked] = []
    hashes: list[str] = []
    asked: list[str] = []
    pin: re.Match[str] | None = None
    via = False

    def close() -> None:
        if pin is None:
            return
        if not hashes:
            raise BadLockError(f"{path.name}: {pin[1]} is pinned without a hash")
        found.append(
            Locked(
                name=plain(pin[1]),
                version=pin[2],
                marker=pin[3] or "",
                sha256=tuple(sorted(hashes)),
                asked_by=tuple(sorted(asked)),
            )
        )

    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), 1):
        if line.startswith("    # via"):
            via = True
            asked += [plain(word) for word in line.removeprefix("    # via").split()[:1]]
        elif via and line.startswith("    #   "):
            asked.append(plain(line.removeprefix("    #   ").split()[0]))
        elif hashed := _HASH.match(line):
            hashes.append(hashed[1])
        elif pinned := _PIN.match(line):
            close()
            pin, hashes, asked, via = pinned, [], [], False
        elif line.strip() and not line.startswith("#"):
            raise BadLockError(f"{path.name}, line {number}: cannot be read: {line.strip()[:60]}")
    close()
    if len({one.name for one in found}) != len(found):
        raise BadLockError(f"{path.name}: a name is pinned twice")
    return tuple(sorted(found, key=lambda one: one.name))


def reached(pins: tuple[Locked, ...], names: set[str]) -> set[str]:
    """`names` and everything they bring along."""
    more = set(names)
    while added := {p.name for p in pins if more & set(p.asked_by)} - more:
        more |= added
    return more
