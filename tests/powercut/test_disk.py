"""The disk of the power cuts: what FLUSH promises, and what a cut may leave."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.powercut.disk import SECTOR, Left, VolatileDisk
from tests.powercut.nbd import (
    EXPORT_NAME,
    FLAGS,
    FLUSH,
    FUA,
    GREETING,
    OPTION_MAGIC,
    READ,
    REPLY,
    REQUEST,
    WRITE,
    At,
    DiskServer,
    Trigger,
)

A, B, C = (bytes([letter]) * SECTOR for letter in b"abc")
STYLES = sorted(Left)


def disk(lying: int = 0) -> VolatileDisk:
    return VolatileDisk(bytearray(64 * SECTOR), lying_writes=lying)


@pytest.mark.parametrize("style", STYLES)
def test_what_was_flushed_survives_every_cut(style: Left) -> None:
    """That is the promise of an honest disk."""
    for seed in range(20):
        made = disk()
        made.write(0, A * 8)
        made.flush()
        made.write(8 * SECTOR, B * 8)
        made.cut(random.Random(seed), style)
        assert made.read(0, 8 * SECTOR) == A * 8


@pytest.mark.parametrize("style", STYLES)
def test_what_was_not_flushed_is_old_or_new_by_the_sector(style: Left) -> None:
    """Never anything else, and over some cuts both happen."""
    met = set()
    for seed in range(40):
        made = disk()
        made.write(0, A * 8)
        made.flush()
        for at in range(8):
            made.write(at * SECTOR, B)
        done = made.cut(random.Random(seed), style)
        left = [made.read(at * SECTOR, SECTOR) for at in range(8)]
        assert set(left) <= {A, B}
        assert done.dropped_sectors + done.kept_sectors == 8 == done.pending
        assert left.count(B) == done.kept_sectors
        met |= set(left)
    assert met == ({A} if style is Left.NOTHING else {A, B})


def test_a_later_write_of_a_sector_is_never_undone_by_an_earlier_one() -> None:
    """Of two versions the later wins where both survive."""
    for seed in range(50):
        made = disk()
        made.write(0, A)
        made.write(0, B)
        done = made.cut(random.Random(seed), Left.WRITES)
        expected = {0: bytes(SECTOR), 2: B}.get(done.kept_sectors)
        assert made.read(0, SECTOR) in ((expected,) if expected else (A, B))


def test_fua_is_stable_at_once_and_older_writes_do_not_come_back() -> None:
    """The write itself survives, whatever was pending under it."""
    for style in STYLES:
        made = disk()
        made.write(0, A * 2)
        made.write(0, B, fua=True)
        made.write(SECTOR * 9, C)
        made.cut(random.Random(1), style)
        assert made.read(0, SECTOR) == B


def test_a_lying_disk_drops_what_it_said_was_flushed() -> None:
    """Only what its cache had no room for is there."""
    made = disk(lying=2)
    for at in range(5):
        made.write(at * SECTOR, A, fua=True)
        made.flush()
    made.cut(random.Random(1), Left.NOTHING)
    assert [made.read(at * SECTOR, SECTOR) == A for at in range(5)] == [True] * 3 + [False] * 2


def test_a_disk_is_whole_sectors() -> None:
    """Anything else would tear where no disk tears."""
    with pytest.raises(ValueError, match="sectors"):
        VolatileDisk(bytearray(700))


class Client:
    """As much of an NBD client as asks the server everything qemu does."""

    def __init__(self, path: Path) -> None:
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.line.settimeout(30.0)
        self.line.connect(str(path))
        assert self.line.recv(len(GREETING), socket.MSG_WAITALL) == GREETING
        self.line.sendall(struct.pack(">I", 3))
        self.line.sendall(OPTION_MAGIC + struct.pack(">II", 8, 0))  # structured replies: no
        assert struct.unpack(">QIII", self._read(20))[2] == (1 << 31) + 1
        self.line.sendall(OPTION_MAGIC + struct.pack(">II", EXPORT_NAME, 0))
        self.size, self.flags = struct.unpack(">QH", self._read(10))

    def _read(self, count: int) -> bytes:
        got = b""
        while len(got) < count:
            more = self.line.recv(count - len(got))
            if not more:
                raise EOFError
            got += more
        return got

    def ask(self, kind: int, at: int = 0, length: int = 0, content: bytes = b"", flags: int = 0):  # type: ignore[no-untyped-def]
        head = struct.pack(">IHHQQI", REQUEST, flags, kind, 77, at, length or len(content))
        self.line.sendall(head + content)
        magic, error, handle = struct.unpack(">IIQ", self._read(16))
        assert (magic, handle) == (REPLY, 77)
        return error, self._read(length) if kind == READ and not error else b""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[DiskServer, Path]]:
    path = tmp_path / "disk"
    with DiskServer(disk(), path) as server:
        yield server, path


def test_over_the_socket_writes_are_read_and_flushed(served: tuple[DiskServer, Path]) -> None:
    """The protocol carries what the disk can do, and refuses what is beside it."""
    server, path = served
    client = Client(path)
    assert (client.size, client.flags) == (64 * SECTOR, FLAGS)
    assert client.ask(WRITE, SECTOR, content=A) == (0, b"")
    assert client.ask(READ, SECTOR, SECTOR) == (0, A)
    assert server.disk.pending == 1
    assert client.ask(FLUSH) == (0, b"")
    assert server.disk.pending == 0
    assert client.ask(WRITE, 0, content=B, flags=FUA) == (0, b"")
    assert server.disk.pending == 0
    assert client.ask(READ, 64 * SECTOR, SECTOR)[0]
    assert client.ask(READ, 1, SECTOR)[0]
    client.line.close()


@pytest.mark.parametrize("kind", sorted(At))
def test_the_power_goes_at_the_operation_that_was_drawn(
    served: tuple[DiskServer, Path], kind: At
) -> None:
    """A flush at which it goes has made nothing stable; afterwards nothing reaches the disk."""
    server, path = served
    server.arm(Trigger(kind, 2))
    client = Client(path)
    client.ask(WRITE, 0, content=A)
    client.ask(FLUSH)
    second = [WRITE] if kind is At.WRITE else [WRITE, FLUSH]
    for asked in second[:-1]:
        client.ask(asked, SECTOR, content=A)
    with pytest.raises(EOFError):
        client.ask(second[-1], SECTOR, content=A if second[-1] == WRITE else b"")
    assert server.gone.is_set()
    client.line.close()
    again = Client(path)
    with pytest.raises(EOFError):
        again.ask(READ, 0, SECTOR)
    again.line.close()
    server.disk.cut(random.Random(1), Left.NOTHING)
    server.start()
    client = Client(path)
    assert client.ask(READ, 0, SECTOR) == (0, A)
    assert client.ask(READ, SECTOR, SECTOR) == (0, bytes(SECTOR))
    client.line.close()
