"""The service's own record of what it was asked: appended, synced, chained, never rewritten.

Decides nothing about actions; a line that cannot be written means that the action is not done. Each
line carries the hash of the one before, so that a line changed or taken out shows. What was begun
and has no end was cut short.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

#: Then it becomes `.1`, and the chain goes on in a new file.
MAX_BYTES = 4 * 1024 * 1024
MODE = 0o600
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
            self._previous = _last_hash(path)
        except OSError as error:
            raise AuditError(f"cannot keep {path}: {error.strerror}") from None

    def write(self, what: str, **more: object) -> None:
        """Append one line; on disk when this returns. Raises AuditError. Blocking."""
        entry = {"at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}", "what": what, **more}
        line = _line({**entry, "previous": self._previous})
        try:
            if os.fstat(self._fd).st_size + len(line) > self._max_bytes:
                self._turn()
            written = os.write(self._fd, line)
            if written != len(line):
                raise OSError(0, "the storage is full")
            os.fsync(self._fd)
        except OSError as error:
            raise AuditError(f"cannot write to {self.path}: {error.strerror}") from None
        self._previous = hashlib.sha256(line).hexdigest()

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._fd)

    def _turn(self) -> None:
        self.path.replace(self.path.with_name(self.path.name + ".1"))
        os.close(self._fd)
        self._fd = _opened(self.path)


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
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    fd = os.open(path, flags | os.O_NONBLOCK, MODE)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "it is not a file")
    return fd


def _last_hash(path: Path) -> str:
    """What the next line follows from. A line cut short by a power cut is one like any other."""
    for file in (path, path.with_name(path.name + ".1")):
        try:
            text = file.read_bytes()
        except FileNotFoundError:
            continue
        if text and not text.endswith(b"\n"):
            with file.open("ab") as cut:
                cut.write(b"\n")
            text += b"\n"
        lines = text.splitlines(keepends=True)
        if lines:
            return hashlib.sha256(lines[-1]).hexdigest()
    return FIRST


def _line(entry: Mapping[str, object]) -> bytes:
    return json.dumps(entry, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
