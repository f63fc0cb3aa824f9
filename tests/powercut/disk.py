"""A disk with a volatile write cache, and what a power cut leaves of it.

Decides which bytes survive. A write is *pending* until a FLUSH (or its own FUA) made it stable; at
a cut every pending write may survive wholly, in part (torn at the sector) or not at all, in any
order, as the draw says. A *lying* disk answers FLUSH and makes nothing stable: it writes out the
oldest only when its cache is full, and a cut takes everything it still holds.
Knows nothing of the network or of qemu (`tests.powercut.nbd`).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from enum import StrEnum

SECTOR = 512
#: What the kernel hands over as one page.
BLOCK = 4096


class Left(StrEnum):
    """What a cut leaves of the pending writes."""

    NOTHING = "nothing"
    FIRST = "the first ones"  #: in order, up to some point, the last of them torn
    WRITES = "some writes"
    BLOCKS = "some blocks"
    SECTORS = "some sectors"
    LAST = "only the last ones"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What one cut did."""

    style: Left
    pending: int  #: writes that were not stable
    dropped_sectors: int
    kept_sectors: int


@dataclass(slots=True)
class Met:
    """What was asked of the disk since it was made."""

    reads: int = 0
    writes: int = 0
    flushes: int = 0
    fua: int = 0


@dataclass(slots=True)
class VolatileDisk:
    """`stable` is the flash, `shown` what a reader sees: the flash under its cache."""

    stable: bytearray
    #: 0: FLUSH is honoured. Else FLUSH is a lie, and so many writes stay in the cache.
    lying_writes: int = 0
    met: Met = field(default_factory=Met)
    shown: bytearray = field(init=False)
    _pending: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if len(self.stable) % SECTOR:
            raise ValueError("a disk is a whole number of sectors")
        self.shown = bytearray(self.stable)

    @property
    def pending(self) -> int:
        return len(self._pending)

    def read(self, offset: int, length: int) -> bytes:
        self.met.reads += 1
        return bytes(self.shown[offset : offset + length])

    def write(self, offset: int, content: bytes, *, fua: bool = False) -> None:
        """One write. With `fua` it is stable at once, on an honest disk."""
        self.met.writes += 1
        self.met.fua += fua
        self.shown[offset : offset + len(content)] = content
        if fua and not self.lying_writes:
            # What is pending of the same sectors is older: it must not come back at a cut.
            self._settle_under(offset, len(content))
            self.stable[offset : offset + len(content)] = content
            return
        self._pending.append((offset, content))
        while self.lying_writes and len(self._pending) > self.lying_writes:
            self._settle(*self._pending.pop(0))

    def flush(self) -> None:
        self.met.flushes += 1
        if self.lying_writes:
            return
        for offset, content in self._pending:
            self._settle(offset, content)
        self._pending.clear()

    def cut(self, draw: random.Random, style: Left | None = None) -> Cut:
        """The power goes; afterwards a reader sees what survived, and nothing is pending."""
        chosen = style or draw.choice(list(Left))
        pieces = _pieces(self._pending, chosen)
        kept = _kept(len(pieces), chosen, draw)
        keeping = dropping = 0
        for stays, (offset, content) in zip(kept, pieces, strict=True):
            sectors = len(content) // SECTOR
            if stays:
                self._settle(offset, content)
                keeping += sectors
            else:
                dropping += sectors
        cut = Cut(
            style=chosen, pending=len(self._pending),
            dropped_sectors=dropping, kept_sectors=keeping,
        )  # fmt: skip
        self._pending.clear()
        self.shown = bytearray(self.stable)
        return cut

    def _settle(self, offset: int, content: bytes) -> None:
        self.stable[offset : offset + len(content)] = content

    def _settle_under(self, offset: int, length: int) -> None:
        under = [
            write
            for write in self._pending
            if write[0] < offset + length and offset < write[0] + len(write[1])
        ]
        for write in under:
            self._settle(*write)
            self._pending.remove(write)


def _pieces(pending: list[tuple[int, bytes]], style: Left) -> list[tuple[int, bytes]]:
    """The pending writes, in order, cut into what survives or goes as one."""
    size = {Left.BLOCKS: BLOCK, Left.SECTORS: SECTOR, Left.FIRST: SECTOR}.get(style, 0)
    if not size:
        return list(pending)
    return [
        (offset + at, content[at : at + size])
        for offset, content in pending
        for at in range(0, len(content), size)
    ]


def _kept(count: int, style: Left, draw: random.Random) -> list[bool]:
    match style:
        case Left.NOTHING:
            return [False] * count
        case Left.FIRST:
            upto = draw.randint(0, count)
            return [number < upto for number in range(count)]
        case Left.LAST:
            since = draw.randint(0, count)
            return [number >= since for number in range(count)]
        case _:
            share = draw.uniform(0.1, 0.9)
            return [draw.random() < share for _ in range(count)]
