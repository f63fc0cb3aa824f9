"""Reads a write-ahead log the way a sceptic does: is something missing from its middle?

SQLite recovers a WAL up to the first frame whose checksum fails and silently drops the rest. After
a power cut that is right: what follows was never acknowledged. But every commit is synced before
the next begins (`synchronous=FULL`), so a *later* commit behind the bad frame proves that the bad
one was on the flash and has changed since. Then acknowledged money is gone from the journal, and
whoever opens it must know. Format: SQLite "WAL-mode file format", sections 4.1-4.4.

The log is begun again at its front (checkpoint), so behind its end lie frames of earlier rounds.
A new round counts the first salt up by one and draws the second: an old frame shares neither.
"""

from __future__ import annotations

import struct
from pathlib import Path

from agent.record import dataclass

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
_MAGIC = (0x377F0682, 0x377F0683)
#: Rounds a log can have gone through since it was last empty (at the start of the agent).
_ROUNDS = 1 << 16
_SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What a write-ahead log says about itself."""

    missing: str = ""  #: a sentence: committed frames were lost from its middle; "" otherwise
    #: The last commit is there to its end and yet does not add up. A power cut leaves this only
    #: when the end of an unfinished commit overtook its beginning; flash that changed a bit in
    #: the last commit always does. The two cannot be told apart: what the commit said is gone,
    #: and whoever opens the journal must not build on its absence.
    cut_off: bool = False


def read_log(path: Path) -> Log:
    """Reads the whole file, checksums included; a WAL is bounded at 8 MiB."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Log()
    if len(raw) < _HEADER.size:
        return Log()
    magic, _version, page_bytes, _seq, salt1, salt2, sum1, sum2 = _HEADER.unpack_from(raw)
    salts = (salt1, salt2)
    order = ">" if magic == _MAGIC[1] else "<"
    # A page size there is none of can add up too; SQLite ignores such a log as well.
    odd = page_bytes & (page_bytes - 1) or not 512 <= page_bytes <= 65_536
    if magic not in _MAGIC or odd or _sum(raw[:24], (0, 0), order) != (sum1, sum2):
        # It was synced before the first frame, and it lies within one sector.
        held = any(raw[_HEADER.size :])
        return Log(missing="the header of the write-ahead log is damaged" if held else "")
    frames = _Frames(raw, page_bytes, salts, order)
    bad = frames.first_bad((sum1, sum2))
    commit: int | None = None  # the last one seen behind the bad frame
    cut_off = False
    for index in range(bad, frames.count):
        if not frames.own(index):
            continue
        cut_off = cut_off or frames.ends_commit(index)
        ends = frames.surely_ends_commit(index) or (index == bad and frames.ended_commit(index))
        # What follows a commit belongs to a later one, so the first had been synced. What only
        # lies behind it may be left from a large change that was taken back.
        if commit is not None and (ends or frames.follows(index, commit)):
            lost = f"committed changes behind frame {bad} of the write-ahead log are lost"
            return Log(missing=lost)
        if ends:
            commit = index
    return Log(cut_off=cut_off or commit is not None or frames.wiped_at(bad))


class _Frames:
    """The frames of a log whose header is whole."""

    def __init__(self, raw: bytes, page_bytes: int, salts: tuple[int, int], order: str) -> None:
        self._raw = raw
        self._salts = salts
        self._order = order
        self._step = _FRAME.size + page_bytes
        self.count = (len(raw) - _HEADER.size) // self._step

    def _head(self, index: int) -> tuple[int, ...]:
        """Page, size of the database if a commit ends here, both salts, both sums."""
        return _FRAME.unpack_from(self._raw, _HEADER.size + index * self._step)

    def _salts_of(self, index: int) -> tuple[int, ...]:
        return self._head(index)[2:4]

    def own(self, index: int) -> bool:
        """Of this round, also where bits of its salts have changed."""
        salt1, salt2 = self._salts_of(index)
        if salt2 == self._salts[1]:
            return True
        # The first salt counts from one after a start: an older log may share it.
        return salt1 == self._salts[0] and (salt2 ^ self._salts[1]).bit_count() == 1

    def ends_commit(self, index: int) -> bool:
        return self._head(index)[1] != 0

    def surely_ends_commit(self, index: int) -> bool:
        """Not so where the word may have been left by an older round: it reached the flash with
        another sector than the salts, and the frame does not add up."""
        if not self.ends_commit(index):
            return False
        start = _HEADER.size + index * self._step
        together = (start + 4) // _SECTOR_BYTES == (start + 15) // _SECTOR_BYTES
        return together or self._adds_up(index, self._before(index))

    def ended_commit(self, index: int) -> bool:
        """It says it does not, but with a single bit of that word set it would add up."""
        before = self._before(index)
        return any(self._adds_up(index, before, size=1 << bit) for bit in range(32))

    def follows(self, index: int, other: int) -> bool:
        """Written next after the other."""
        return index == other + 1 and self._adds_up(index, self._head(other)[4:])

    def wiped_at(self, index: int) -> bool:
        """What follows the frames of this round is no frame: one that ended a commit, perhaps."""
        while index < self.count and self.own(index):
            index += 1
        if index == self.count:
            return False
        salts = self._salts_of(index)
        if max(0, self._salts[0] - _ROUNDS) < salts[0] < self._salts[0]:
            return False  # of an earlier round
        beside = [at for at in (index - 1, index + 1) if 0 <= at < self.count]
        if salts != (0, 0) and salts in [self._salts_of(at) for at in beside]:
            return False  # of a log that was to be cut short before this one was begun
        start = _HEADER.size + index * self._step
        return any(self._raw[start : start + self._step])

    def first_bad(self, running: tuple[int, int]) -> int:
        """The first frame SQLite will not take, with all behind it."""
        for index in range(self.count):
            *_, salt1, salt2, sum1, sum2 = self._head(index)
            same = (salt1, salt2) == self._salts
            if not same or not self._adds_up(index, running):
                return index
            running = (sum1, sum2)
        return self.count

    def _before(self, index: int) -> tuple[int, ...]:
        return self._head(index - 1)[4:] if index else _HEADER.unpack_from(self._raw)[6:]

    def _adds_up(self, index: int, running: tuple[int, ...], size: int | None = None) -> bool:
        """Its sums are those of its content after `running`, perhaps with another `size`."""
        start = _HEADER.size + index * self._step
        head = self._raw[start : start + 8]
        if size is not None:
            head = head[:4] + size.to_bytes(4, "big")
        sums = _sum(head, (running[0], running[1]), self._order)
        sums = _sum(self._raw[start + _FRAME.size : start + self._step], sums, self._order)
        return sums == self._head(index)[4:]


def _sum(chunk: bytes, running: tuple[int, int], order: str) -> tuple[int, int]:
    """The WAL checksum: a Fibonacci-weighted sum over pairs of 32-bit words."""
    s0, s1 = running
    words = struct.unpack(f"{order}{len(chunk) // 4}I", chunk)
    for index in range(0, len(words), 2):
        s0 = (s0 + words[index] + s1) & 0xFFFFFFFF
        s1 = (s1 + words[index + 1] + s0) & 0xFFFFFFFF
    return s0, s1
