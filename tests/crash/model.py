"""What may be on the flash after a crash: a model of files, names, and what a sync promises.

A write, a truncation or a name is *pending* until the file or the directory it belongs to is
synced. A crash keeps any part of what is pending: nothing, everything, any choice of it, a write
torn at 512 bytes. What has been synced stays. That is the whole promise the store relies on, and
it is weaker than ext4, which also makes a new file's name durable with the file. Names of one
directory reach the flash in order, as every journalling file system has it.

A sync that failed promises nothing and forgets: what was pending stays readable until the crash,
is gone after it, and no later sync brings it back (Linux marks such pages clean).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

SECTOR_BYTES = 512

#: The content of every file by path; a directory is None.
Image = dict[str, bytes | None]
#: A pending change of a file: (offset, bytes) or the size it was truncated to.
Change = tuple[int, bytes] | int
#: A pending change of names, as it was logged.
Naming = tuple[Any, ...]
#: From all pending changes of a file to those that reached the flash.
Choice = Callable[[list[Change]], Iterable[Change]]


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Change] = field(default_factory=list)


def _apply(content: bytearray, change: Change) -> None:
    if isinstance(change, int):
        if change <= len(content):
            del content[change:]
        else:
            content.extend(bytes(change - len(content)))
        return
    offset, data = change
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _name(names: dict[str, int | None], naming: Naming) -> None:
    match naming:
        case ("create", path, ino):
            names[path] = ino
        case ("mkdir", path):
            names[path] = None
        case ("unlink", path):
            names.pop(path, None)
        case ("rename", old, new) if old in names:
            names[new] = names.pop(old)


def _parents(naming: Naming) -> set[str]:
    paths = naming[1:3] if naming[0] == "rename" else naming[1:2]
    return {str(PurePosixPath(path).parent) for path in paths}


class Flash:
    """The disk as the operations so far left it."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._names: dict[str, int | None] = {}
        self._pending_names: list[Naming] = []

    def do(self, operation: tuple[Any, ...]) -> None:
        """One logged operation."""
        match operation:
            case ("write", ino, offset, data):
                self._files[ino].pending.append((offset, data))
            case ("truncate", ino, size):
                self._files[ino].pending.append(size)
            case ("sync", ino):
                file = self._files[ino]
                for change in file.pending:
                    _apply(file.durable, change)
                file.pending.clear()
            case ("sync_failed", ino):
                self._files[ino].pending.clear()
            case ("syncdir", path):
                self._sync_names(path)
            case ("create", _, ino):
                self._files[ino] = _File()
                self._pending_names.append(operation)
            case ("mkdir" | "unlink" | "rename", *_):
                self._pending_names.append(operation)
            case _:
                raise ValueError(f"unknown operation {operation[0]}")

    def _sync_names(self, path: str) -> None:
        left: list[Naming] = []
        for naming in self._pending_names:
            if path in _parents(naming):
                _name(self._names, naming)
            else:
                left.append(naming)
        self._pending_names = left

    def after_crash(self, choose: Choice, names_kept: int) -> Image:
        """The files after a crash that kept what `choose` says, and so many pending names."""
        names = dict(self._names)
        for naming in self._pending_names[:names_kept]:
            _name(names, naming)
        image: Image = {}
        for path, ino in sorted(names.items()):
            parent = str(PurePosixPath(path).parent)
            if parent not in ("/", *image):
                continue  # its directory never reached the flash
            image[path] = None if ino is None else self._content(ino, choose)
        return image

    def _content(self, ino: int, choose: Choice) -> bytes:
        file = self._files[ino]
        if not file.pending:
            return bytes(file.durable)
        content = bytearray(file.durable)
        for change in choose(file.pending):
            _apply(content, change)
        return bytes(content)

    @property
    def pending_names(self) -> int:
        return len(self._pending_names)

    @property
    def pending(self) -> int:
        """Changes of files that a crash may lose."""
        return sum(len(file.pending) for file in self._files.values())


# -- which part of what is pending reaches the flash ------------------------------------------


def nothing(_: list[Change]) -> Iterable[Change]:
    return ()


def everything(pending: list[Change]) -> Iterable[Change]:
    return pending


def torn_end(draw: random.Random) -> Choice:
    """Everything, but the last write stops at a sector."""

    def choose(pending: list[Change]) -> Iterable[Change]:
        return [*pending[:-1], *_sectors(pending[-1], draw, lambda n: range(draw.randint(0, n)))]

    return choose


def newest_first(draw: random.Random) -> Choice:
    """The newer writes arrived, the older ones did not."""

    def choose(pending: list[Change]) -> Iterable[Change]:
        return pending[draw.randint(0, len(pending) - 1) :]

    return choose


def any_part(draw: random.Random) -> Choice:
    """Each sector of each write by itself arrived or not."""

    def sectors(count: int) -> list[int]:
        return [n for n in range(count) if draw.random() < 0.5]

    def choose(pending: list[Change]) -> Iterable[Change]:
        kept = [change for change in pending if draw.random() < 0.7]
        return [part for change in kept for part in _sectors(change, draw, sectors)]

    return choose


def _sectors(
    change: Change, draw: random.Random, keep: Callable[[int], Iterable[int]]
) -> list[Change]:
    """The parts of a write that lie in the sectors to keep; a truncation is whole or nothing."""
    if isinstance(change, int):
        return [change] if draw.random() < 0.5 else []
    offset, data = change
    first = offset // SECTOR_BYTES
    count = (offset + len(data) - 1) // SECTOR_BYTES - first + 1
    parts: list[Change] = []
    for n in keep(count):
        begin = max(offset, (first + n) * SECTOR_BYTES)
        end = min(offset + len(data), (first + n + 1) * SECTOR_BYTES)
        parts.append((begin, data[begin - offset : end - offset]))
    return parts
