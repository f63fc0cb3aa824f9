"""Looks for card numbers at every place of long rows of digits at once.

A body of 256 KiB full of single spaced digits has 130,000 places where numbers of seven lengths
could begin: looked at one by one that takes more than a second, in which no payment is answered.
Here a byte is a lane of one huge integer and a shift moves every lane to its neighbour: check
digits, prefixes and groups of all places cost some hundred additions, about twenty milliseconds
for the same body.

It does not know text, tracks or masks: `cards` finds the rows and reads the answers.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, compress, pairwise

from agent.record import dataclass

#: A digit's lane: its value, whether it begins a group, whether it begins a row.
_GROUP, _ROW = 0x10, 0x20
#: Lanes of what stands between digits, until it is taken out.
_GAP, _BREAK = 0x40, 0x80


def _table(lane: Callable[[int], int]) -> bytes:
    return bytes(lane(byte) for byte in range(256))


_LANE = _table(lambda b: b - 48 if 48 <= b < 58 else _BREAK if b == 10 else _GAP)
_BEHIND = _table(lambda b: _GROUP | _ROW if b == _BREAK else _GROUP if b == _GAP else 0)
_DIGIT = _table(lambda b: b & 0x0F)
_DOUBLED = _table(lambda b: sum(divmod(2 * (b & 0x0F), 10)))
_INSIDE = _table(lambda b: 0 if b & _GROUP else 1)
_BEGINS = _table(lambda b: 1 if b & _ROW else 0)
_UNEVEN = _table(lambda b: 1 if b % 10 else 0)
_NONE = _table(lambda b: 0 if b else 1)
_KEPT = _table(lambda b: 0 if b & (_GAP | _BREAK) else 1)


@dataclass(frozen=True, slots=True)
class Place:
    """A number: in which row, from where to where in it, and the widths of its groups."""

    row: int
    start: int
    end: int
    widths: tuple[int, ...]


class Prefixes:
    """Issuers' prefixes of up to four digits, prepared for looking at all places at once."""

    def __init__(self, issuers: Sequence[tuple[str, str, tuple[int, ...]]]) -> None:
        self._issuers = issuers
        self.sizes = tuple(sorted({size for _, _, sizes in issuers for size in sizes}))
        #: The first two digits they begin with.
        self.pairs = tuple(
            f"{pair:02}"
            for pair in sorted(
                {
                    pair
                    for low, high, _ in issuers
                    for pair in range(int(low.ljust(2, "0")[:2]), int(high.ljust(2, "9")[:2]) + 1)
                }
            )
        )

    @functools.cached_property
    def _tables(self) -> Mapping[int, tuple[bytes, bytes]]:
        # Made when they are needed: few payments ever need them, and it takes milliseconds.
        found: list[tuple[int, ...]] = [()] * 10_000
        for low, high, sizes in reversed(self._issuers):
            begin, end = int(low.ljust(4, "0")), int(high.ljust(4, "9")) + 1
            found[begin:end] = [sizes] * (end - begin)
        return {size: self._of(size, found) for size in self.sizes}

    def lengths(self, number: str) -> tuple[int, ...]:
        """How long numbers that begin like this one are, the longest first; () if no issuer's."""
        for low, high, found in self._issuers:
            if low <= number[: len(low)] <= high:
                return found
        return ()

    def absent(self, pairs: bytes, size: int) -> bytes:
        """For each place: 0 where a number of this size may begin. `pairs` are lanes of 0 to 99."""
        first, second = self._tables[size]
        ones = int.from_bytes(pairs.translate(first), "little")
        twos = int.from_bytes(pairs.translate(second), "little") >> 16
        return (ones & twos).to_bytes(len(pairs), "little").translate(_NONE)

    @staticmethod
    def _of(size: int, found: Sequence[tuple[int, ...]]) -> tuple[bytes, bytes]:
        """Two tables whose lanes have a bit in common where the two pairs begin such a number.

        The first two digits choose a bit, the next two have the bits of all choices they fit.
        """
        fitting = [
            frozenset(second for second in range(100) if size in found[first + second])
            for first in range(0, 10_000, 100)
        ]
        choices = sorted(set(fitting) - {frozenset()}, key=sorted)
        first = bytearray(256)
        second = bytearray(256)
        for bit, choice in enumerate(choices):
            for pair in choice:
                second[pair] |= 1 << bit
            for pair, fits in enumerate(fitting):
                if fits == choice:
                    first[pair] = 1 << bit
        return bytes(first), bytes(second)


def places(
    rows: Sequence[str], prefixes: Prefixes, allowed: Callable[[tuple[int, ...]], bool]
) -> Iterator[Place]:
    """Numbers made of whole neighbouring groups, left to right, the longest at each place.

    `rows` are ASCII digits with one space or hyphen at most between any two; `allowed` says
    whether groups of these widths make a card.
    """
    lanes = "\n".join(rows).encode().translate(_LANE)
    behind = int.from_bytes(lanes.translate(_BEHIND), "little") << 8 | _GROUP | _ROW
    marked = (int.from_bytes(lanes, "little") | behind).to_bytes(len(lanes) + 1, "little")
    marked = marked[: len(lanes)]
    digits = marked.translate(None, bytes((_GAP, _BREAK)))
    suspects = _Suspects(_suspicious(digits, prefixes))
    where: _Where | None = None
    while (suspect := suspects.next()) is not None:
        where = where or _Where(rows, marked, digits)
        place = where.place(*suspect)
        if allowed(place.widths):
            suspects.skip_to(sum(suspect))
            yield place


def _suspicious(digits: bytes, prefixes: Prefixes) -> Mapping[int, bytes]:
    """By length, for each place: 0 where check digit, prefix, groups and row fit a number of it."""
    size = len(digits)
    plain = int.from_bytes(digits.translate(_DIGIT), "little")
    doubled = int.from_bytes(digits.translate(_DOUBLED), "little")
    inside = int.from_bytes(digits.translate(_INSIDE), "little")
    begins = int.from_bytes(digits.translate(_BEGINS), "little")
    # The two first digits as a number: 99 at most. Nineteen nines: 171. No lane runs over.
    pairs = (plain * 10 + (plain >> 8)).to_bytes(size + 1, "little")
    found: dict[int, bytes] = {}
    sums: dict[int, int] = {}
    crosses, reached = 0, 1
    for length in prefixes.sizes:
        turns = (plain, doubled) if length % 2 else (doubled, plain)
        if length - 2 in sums:
            # Two more digits in front; the others keep their distance from the check digit.
            sums[length] = turns[0] + (turns[1] >> 8) + (sums[length - 2] >> 16)
        else:
            sums[length] = sum(turns[at % 2] >> (8 * at) for at in range(length))
        for at in range(reached, length):
            crosses |= begins >> (8 * at)
        reached = length
        bad = inside | inside >> (8 * length) | crosses
        bad |= int.from_bytes(
            sums[length].to_bytes(size + 1, "little").translate(_UNEVEN), "little"
        )
        bad |= int.from_bytes(prefixes.absent(pairs, length), "little")
        found[length] = bad.to_bytes(size + 1, "little")[: max(0, size - length + 1)]
    return found


class _Suspects:
    """Walks the zeros of all lengths together: leftmost first, the longest of one place first."""

    def __init__(self, bad: Mapping[int, bytes]) -> None:
        self._bad = bad
        self._at = {length: lanes.find(0) for length, lanes in bad.items()}

    def next(self) -> tuple[int, int] | None:
        """(where, length) of the next one, each once."""
        ahead = [(at, -length) for length, at in self._at.items() if at >= 0]
        if not ahead:
            return None
        at, negative = min(ahead)
        self._at[-negative] = self._bad[-negative].find(0, at + 1)
        return at, -negative

    def skip_to(self, start: int) -> None:
        """Nothing that begins before `start` any more."""
        for length, at in self._at.items():
            if 0 <= at < start:
                self._at[length] = self._bad[length].find(0, start)


class _Where:
    """From digits to places in the rows; made only when there is something to say."""

    def __init__(self, rows: Sequence[str], marked: bytes, digits: bytes) -> None:
        self._digits = digits
        self._row_at = list(accumulate((len(row) + 1 for row in rows[:-1]), initial=0))
        self._char_at = list(compress(range(len(marked)), marked.translate(_KEPT)))

    def place(self, start: int, length: int) -> Place:
        """The place of a number of `length` digits that begins with digit `start`."""
        first, last = self._char_at[start], self._char_at[start + length - 1]
        row = bisect_right(self._row_at, first) - 1
        base = self._row_at[row]
        widths: tuple[int, ...] = (length,)
        if last - first >= length:
            ends = [at for at in range(start, start + length) if self._digits[at] & _GROUP]
            widths = tuple(end - begin for begin, end in pairwise([*ends, start + length]))
        return Place(row, first - base, last + 1 - base, widths)
