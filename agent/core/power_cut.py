"""Whether a terminal's flash keeps what it has said is stored: the counter's records and verdict.

A number is written, synced, and only then shown to somebody outside of the terminal. After a power
cut the highest number seen is held against what is on the flash. Pure: which bytes a record is,
what a copy proves, what rounds prove together. Who writes and who asks: `agent.cli.selftest`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum

from agent.record import dataclass

RECORD_BYTES = 64
#: The file is a ring: so many records and no more, 256 KiB.
SLOTS = 4096
MAX_NUMBER = 10**10 - 1
#: Rounds without loss before a disk is called honest. A lying cache under steady writing loses at
#: nearly every cut; ten cuts without loss leave at most a quarter of cuts that lose unnoticed.
ENOUGH_ROUNDS = 10
CONFIDENCE = 0.95


class Outcome(StrEnum):
    """What one cut showed."""

    KEPT = "kept"
    LOST = "lost"  #: numbers at the end that were seen are not there
    TORN = "torn"  #: the last is there and an earlier one is not, or a copy cannot be read


class Verdict(StrEnum):
    """What all cuts show together."""

    HONEST = "honest"
    LYING = "lying"
    TORN = "torn"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One of the two copies after a cut: the plain file, or the journal beside it."""

    highest: int  #: 0: nothing of this round
    lost: int  #: numbers seen and later than the highest
    holes: int  #: numbers seen, missing, and later ones are there
    damaged: bool = False

    @property
    def outcome(self) -> Outcome:
        if self.lost:
            return Outcome.LOST
        return Outcome.TORN if self.holes or self.damaged else Outcome.KEPT


def slot(number: int) -> int:
    """Where in the ring a number stands."""
    return number % SLOTS


def record(run: str, number: int) -> bytes:
    """The bytes of one number: of this run and no other, and whole or not at all."""
    text = f"{run} {number:010d}"
    check = hashlib.sha256(text.encode("ascii")).hexdigest()[:16]
    return f"{text} {check}".ljust(RECORD_BYTES - 1, ".").encode("ascii") + b"\n"


def numbers(content: bytes, run: str) -> frozenset[int]:
    """The numbers of this run in a ring file, whatever else is in it."""
    found = set()
    for at in range(0, min(len(content), SLOTS * RECORD_BYTES), RECORD_BYTES):
        piece = content[at : at + RECORD_BYTES]
        digits = piece[len(run) + 1 : len(run) + 11]
        if not (digits.isdigit() and digits.isascii()):
            continue
        number = int(digits)
        if slot(number) * RECORD_BYTES == at and piece == record(run, number):
            found.add(number)
    return frozenset(found)


def compared(present: AbstractSet[int] | None, *, first: int, seen: int) -> Copy:
    """Hold a copy against the last number seen. `present` None: it cannot be read."""
    there = {number for number in present or () if number >= first}
    highest = max(there, default=0)
    reached = max(highest, first - 1)
    # The slot after the last may have been under way, and held the oldest until then.
    oldest = max(first, max(reached, seen) - SLOTS + 2)
    holes = sum(number not in there for number in range(oldest, min(reached, seen) + 1))
    return Copy(highest=highest, lost=max(0, seen - reached), holes=holes, damaged=present is None)


def compared_nothing(copies: Sequence[Copy], *, seen: int) -> bool:
    """Whether the number given is so far behind that the ring has overwritten all up to it: then
    nothing that was seen was looked for, and a cut that lost a thousand would pass."""
    kept = all(copy.outcome is Outcome.KEPT for copy in copies)
    return kept and any(copy.highest - seen > SLOTS - 2 for copy in copies)


def outcome(copies: Sequence[Copy]) -> Outcome:
    """The worst of the copies."""
    found = {copy.outcome for copy in copies}
    return next(one for one in (Outcome.LOST, Outcome.TORN, Outcome.KEPT) if one in found)


def verdict(outcomes: Sequence[Outcome]) -> Verdict:
    """One loss is proof; no loss needs many rounds."""
    if Outcome.LOST in outcomes:
        return Verdict.LYING
    if Outcome.TORN in outcomes:
        return Verdict.TORN
    return Verdict.HONEST if len(outcomes) >= ENOUGH_ROUNDS else Verdict.UNDECIDED


def unnoticed_share(rounds: int) -> float:
    """The largest share of cuts that lose which so many rounds without loss still allow (95 %)."""
    return 1.0 if rounds < 1 else 1.0 - (1.0 - CONFIDENCE) ** (1.0 / rounds)
