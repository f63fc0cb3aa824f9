"""The service's own record of what it was asked: appended, synced, chained, never rewritten.

Decides nothing about actions; a line that cannot be written means that the action is not done. Each
line carries the hash of the one before, so that a line changed or taken out shows. What was begun
and has no end was cut short.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from agent.durable import sync_directory

#: Then it becomes `.1`, and the chain goes on in a new file.
MAX_BYTES = 4 * 1024 * 1024
MODE = 0o600
CHUNK_BYTES = 65_536
FIRST = "0" * 64


class AuditError(Exception):
    """The record cannot be kept; the text says why."""


class Audit:
    """One file, held open."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        """Raises AuditError."""
        self.path = path
        self._max_bytes = max_bytes
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            self._fd = _opened(path)
            try:
                self._previous = _last_hash(path, self._fd)
                sync_directory(path.parent)
            except BaseException:
                os.close(self._fd)
                raise
        except OSError as error:
            raise AuditError(f"cannot keep {path}: {error.strerror}") from None

    def write(self, what: str, **more: object) -> None:
        """Append one line; on disk when this returns. Raises AuditError. Blocking."""
        entry = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "what": what, **more}
        line = _line({**entry, "previous": self._previous})
        try:
            size = os.fstat(self._fd).st_size
            if size and size + len(line) > self._max_bytes:
                self._turn()
                size = os.fstat(self._fd).st_size
            self._append(line, size)
        except OSError as error:
            raise AuditError(f"cannot write to {self.path}: {error.strerror}") from None
        self._previous = hashlib.sha256(line).hexdigest()

    def _append(self, line: bytes, size: int) -> None:
        """The whole line, or nothing of it: half a line would swallow the next one."""
        try:
            if os.write(self._fd, line) != len(line):
                raise OSError(errno.ENOSPC, "the storage is full")
            os.fsync(self._fd)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, size)
            raise

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _turn(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # moved at a turn that went no further
            self.path.replace(self.path.with_name(self.path.name + ".1"))
        fd = _opened(self.path)  # before the old one goes: its number would be somebody else's
        os.close(self._fd)
        self._fd = fd
        sync_directory(self.path.parent)


def broken_at(text: bytes, first: str | None = None) -> int | None:
    """The number of the first line that does not follow from the one before; None: all do."""
    previous = first
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        try:
            said = json.loads(line)["previous"]
        except (ValueError, KeyError, TypeError):
            return number
        if previous is not None and said != previous:
            return number
        previous = hashlib.sha256(line).hexdigest()
    return None


def _opened(path: Path) -> int:
    return _own(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)


def _own(path: Path, how: int) -> int:
    """Open a file that is nobody else's. Raises OSError, for one that others prepared too."""
    fd = os.open(path, how | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, MODE)
    found = os.fstat(fd)
    why = ""
    if not stat.S_ISREG(found.st_mode):
        why = "it is not a file"
    elif found.st_uid != os.geteuid():
        why = f"it belongs to uid {found.st_uid}"
    elif found.st_nlink > 1:
        why = "it has another name elsewhere"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why = "others can write to it"
    if why:
        os.close(fd)
        raise OSError(errno.EPERM, why)
    return fd


def _last_hash(path: Path, fd: int) -> str:
    """What the next line follows from. A line cut short by a power cut is one like any other."""
    last = _last_line(fd)
    if last and not last.endswith(b"\n"):
        os.write(fd, b"\n")
        last += b"\n"
    if not last:
        try:
            before = _own(path.with_name(path.name + ".1"), os.O_RDONLY)
        except FileNotFoundError:
            return FIRST
        try:
            last = _last_line(before)
        finally:
            os.close(before)
    return hashlib.sha256(last).hexdigest() if last else FIRST


def _last_line(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    tail = b""
    while size and b"\n" not in tail[:-1]:
        taken = min(size, CHUNK_BYTES)
        size -= taken
        tail = os.pread(fd, taken, size) + tail
    return tail[tail.rfind(b"\n", 0, -1) + 1 :]


def _line(entry: Mapping[str, object]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
