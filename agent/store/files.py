"""Small files that must survive a power cut: the key, the counters, the lock.

Everything here is written the same way: owner only, synced, and its directory synced after.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
import stat
import struct
import uuid
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from agent.durable import sync_directory
from agent.errors import OperatorError, StoreError
from agent.record import dataclass

log = logging.getLogger(__name__)

KEY_BYTES = 32


def private_directory(directory: Path) -> None:
    """Create it for the owner only. Raises OperatorError where others can write to it."""
    missing = [place for place in (directory, *directory.parents) if not place.exists()]
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        for place in reversed(missing):
            sync_directory(place.parent)
    except OSError:
        for place in missing:  # else the next start would take them for durable
            place.rmdir()
        raise
    mode = directory.stat().st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise OperatorError(
            "store.open_directory",
            f"{directory} can be written by others (mode {stat.S_IMODE(mode):04o})",
            f"chmod 0700 {directory}",
        )


def row_key(path: Path) -> tuple[bytes, bool]:
    """The key of the row MACs and fingerprints, and whether it had to be made now.

    Raises OperatorError for a key that is a link, has the wrong size or is readable by others.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return _new_key(path), True
    except OSError as error:
        raise OperatorError("store.key", f"cannot read {path}: {error.strerror}") from error
    with os.fdopen(fd, "rb") as file:
        mode = os.fstat(fd).st_mode
        key = file.read(KEY_BYTES + 1)
    if mode & 0o077:
        raise OperatorError(
            "store.key",
            f"{path} can be read by others (mode {stat.S_IMODE(mode):04o})",
            f"chmod 0600 {path}, and consider the key known",
        )
    if len(key) != KEY_BYTES:
        raise OperatorError(
            "store.key",
            f"{path} holds {len(key)} bytes instead of {KEY_BYTES}",
            "restore it from the backup; without it no stored payment can be believed",
        )
    return key, False


def _new_key(path: Path) -> bytes:
    """Named only once it is whole: an empty key after a power cut would stop every start."""
    key = secrets.token_bytes(KEY_BYTES)
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    sync_directory(path.parent)
    return key


class LockFile:
    """Who works on this store: the daemon alone, or readers together.

    The lock is the kernel's (flock), so it ends with the process; the text in the file only says
    who holds it, for the message a second daemon shows.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, role: str, *, shared: bool = False) -> None:
        """Raises StoreError `store.busy` naming the holder."""
        # A pipe somebody put there is not waited for: root asks here, too.
        flags = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        flags |= os.O_RDONLY if shared else os.O_RDWR | os.O_CREAT
        fd = os.open(self._path, flags, 0o640)
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 200, 0).decode("utf-8", "replace").strip()
            os.close(fd)
            raise StoreError(
                "store.busy",
                f"another posagent works on {self._path.parent}: {holder or 'an offline reader'}",
                "stop it first, or give this one a state_dir of its own",
            ) from None
        if not shared:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{role}, process {os.getpid()}\n".encode(), 0)
        self._fd = fd

    @property
    def held(self) -> bool:
        return self._fd is not None

    def release(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


_SLOT_BYTES = 512
_SLOT_HEAD = struct.Struct(">IIQ")  # magic, crc32 of the rest, generation
_MAGIC = 0x504F5343


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What must never go back, whatever happens to the databases."""

    outbox_id: str  #: random; with `seq` it names a telemetry message for ever
    connects: int = 0  #: CONNECTs to a broker; consumers drop an older Will
    commands: int = 0  #: of older agents; sequences stand behind these slots (`store.sequences`)
    failures: int = 0  #: starts in a row that ended in an IO error
    generation: int = 0


class Counters:
    """The counters file: two slots, written in turn, so that a torn write costs one step at most.

    `lost` is True when neither slot could be read: the outbox id is new then, and whoever relies
    on sequences must know (commands that change anything must then be refused).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lost = False
        self.counts = self._load()

    def _load(self) -> Counts:
        try:
            raw = self._path.read_bytes()
        except FileNotFoundError:
            raw = b""
        found = [
            counts
            for start in (0, _SLOT_BYTES)
            if (counts := _slot(raw[start : start + _SLOT_BYTES])) is not None
        ]
        if found:
            return max(found, key=lambda counts: counts.generation)
        self.lost = bool(raw)
        counts = Counts(outbox_id=uuid.uuid4().hex)
        self._write(counts)
        return counts

    def save(self, **changes: int) -> Counts:
        """Raise counters and sync. Blocks: call it on the store's writer thread."""
        now = self.counts
        self._write(
            Counts(
                outbox_id=now.outbox_id,
                connects=changes.get("connects", now.connects),
                commands=changes.get("commands", now.commands),
                failures=changes.get("failures", now.failures),
                generation=now.generation + 1,
            )
        )
        return self.counts

    def failed(self, times: int) -> None:
        """How often in a row the storage failed; on dead flash not even that can be kept."""
        if times == self.counts.failures:
            return
        try:
            self.save(failures=times)
        except OSError as error:
            log.warning("event=failure_not_counted reason=%s", error.strerror)

    def _write(self, counts: Counts) -> None:
        body = json.dumps(
            {
                "outbox_id": counts.outbox_id,
                "connects": counts.connects,
                "commands": counts.commands,
                "failures": counts.failures,
            }
        ).encode()
        tail = struct.pack(">Q", counts.generation) + body
        slot = struct.pack(">II", _MAGIC, zlib.crc32(tail)) + tail
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.pwrite(fd, slot.ljust(_SLOT_BYTES, b"\0"), (counts.generation % 2) * _SLOT_BYTES)
            os.fsync(fd)
        finally:
            os.close(fd)
        if counts.generation == 0:
            sync_directory(self._path.parent)
        self.counts = counts


def _slot(raw: bytes) -> Counts | None:
    if len(raw) < _SLOT_HEAD.size:
        return None
    magic, crc, generation = _SLOT_HEAD.unpack_from(raw)
    tail = raw[8:].rstrip(b"\0")
    if magic != _MAGIC or zlib.crc32(tail) != crc:
        return None
    try:
        return Counts(generation=generation, **json.loads(tail[8:]))
    except (ValueError, TypeError):
        return None
