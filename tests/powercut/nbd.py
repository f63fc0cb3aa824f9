"""The disk as qemu reaches it: a network block device server on a Unix socket.

Speaks as much of the NBD protocol (fixed newstyle) as qemu's client needs: export by name or GO,
READ, WRITE, FLUSH, FUA, DISC. Decides *when* the power goes, where that is asked for by a number of
operations: the disk stops there, answers nothing any more, and says so to whoever waits. What
survives is the disk's own affair (`tests.powercut.disk`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.powercut.disk import SECTOR, VolatileDisk

GREETING = b"NBDMAGIC" + b"IHAVEOPT" + struct.pack(">H", 0b11)  # fixed newstyle, no zeroes
OPTION_MAGIC = b"IHAVEOPT"
OPTION_REPLY = 0x3E889045565A9
REQUEST, REPLY = 0x25609513, 0x67446698
HAS_FLAGS, SEND_FLUSH, SEND_FUA = 1, 4, 8
FLAGS = HAS_FLAGS | SEND_FLUSH | SEND_FUA
EXPORT_NAME, ABORT, INFO, GO = 1, 2, 6, 7
ACK, SAYS_INFO, UNSUPPORTED = 1, 3, (1 << 31) + 1
READ, WRITE, DISCONNECT, FLUSH = 0, 1, 2, 3
FUA = 1
EINVAL = 22
#: Larger ones nobody sends; a length is read before it is believed.
MOST_BYTES = 32 << 20


class At(StrEnum):
    """What is counted until the power goes."""

    WRITE = "write"
    FLUSH = "flush"


@dataclass(slots=True)
class Trigger:
    """The power goes at the n-th operation of a kind: before a flush works, after a write."""

    kind: At
    left: int


class DiskServer:
    """One disk behind a socket; a connection at a time, as one machine has it."""

    def __init__(self, disk: VolatileDisk, path: Path) -> None:
        self.disk = disk
        self.gone = threading.Event()  #: the trigger has fired
        self._trigger: Trigger | None = None
        self._lock = threading.Lock()
        self._dead = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, name="nbd", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5.0)

    def arm(self, trigger: Trigger) -> None:
        with self._lock:
            self._trigger = trigger

    def stop(self) -> None:
        """The power is gone: from now on nothing reaches the disk."""
        with self._lock:
            self._dead = True

    def start(self) -> None:
        """The power is back."""
        with self._lock:
            self._dead, self._trigger = False, None
            self.gone.clear()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(EOFError, OSError):
                if _greeted(connection, len(self.disk.stable)):
                    while self._answered(connection):
                        pass

    def _answered(self, connection: socket.socket) -> bool:
        head = _exactly(connection, 28)
        magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", head)
        if magic != REQUEST or length > MOST_BYTES or kind == DISCONNECT:
            return False
        content = _exactly(connection, length) if kind == WRITE else b""
        error, answer = self._done(kind, offset, length, content, fua=bool(flags & FUA))
        if error is None:
            return False  # the power went
        connection.sendall(struct.pack(">IIQ", REPLY, error, handle) + answer)
        return True

    def _done(
        self, kind: int, offset: int, length: int, content: bytes, *, fua: bool
    ) -> tuple[int | None, bytes]:
        with self._lock:
            if self._dead:
                return None, b""
            if offset % SECTOR or length % SECTOR or offset + length > len(self.disk.stable):
                return EINVAL, b""
            if kind == FLUSH and self._fires(At.FLUSH):
                return None, b""
            match kind:
                case 0:
                    return 0, self.disk.read(offset, length)
                case 1:
                    self.disk.write(offset, content, fua=fua)
                case 3:
                    self.disk.flush()
                case _:
                    return EINVAL, b""
            if kind == WRITE and self._fires(At.WRITE):
                return None, b""
        return 0, b""

    def _fires(self, kind: At) -> bool:
        if self._trigger is None or self._trigger.kind is not kind:
            return False
        self._trigger.left -= 1
        if self._trigger.left > 0:
            return False
        self._dead = True
        self.gone.set()
        return True


def _greeted(connection: socket.socket, size: int) -> bool:
    """The handshake; False when the client only asked, or left."""
    connection.sendall(GREETING)
    (flags,) = struct.unpack(">I", _exactly(connection, 4))
    no_zeroes = bool(flags & 2)
    while True:
        magic, option, length = struct.unpack(">8sII", _exactly(connection, 16))
        if magic != OPTION_MAGIC or length > 65536:
            return False
        _exactly(connection, length)
        match option:
            case 1:  # EXPORT_NAME
                tail = b"" if no_zeroes else bytes(124)
                connection.sendall(struct.pack(">QH", size, FLAGS) + tail)
                return True
            case 6 | 7:  # INFO, GO
                told = struct.pack(">HQH", 0, size, FLAGS)
                connection.sendall(_option_reply(option, SAYS_INFO, told))
                sizes = struct.pack(">HIII", 3, SECTOR, 4096, MOST_BYTES)
                connection.sendall(_option_reply(option, SAYS_INFO, sizes))
                connection.sendall(_option_reply(option, ACK))
                if option == GO:
                    return True
            case 2:  # ABORT
                connection.sendall(_option_reply(option, ACK))
                return False
            case _:
                connection.sendall(_option_reply(option, UNSUPPORTED))


def _option_reply(option: int, kind: int, content: bytes = b"") -> bytes:
    return struct.pack(">QIII", OPTION_REPLY, option, kind, len(content)) + content


def _exactly(connection: socket.socket, count: int) -> bytes:
    read = bytearray()
    while len(read) < count:
        more = connection.recv(count - len(read))
        if not more:
            raise EOFError
        read += more
    return bytes(read)
