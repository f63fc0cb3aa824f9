"""Whether late payments are more frequent in one group than in the rest, or chance may do the same.

Payments of one day are late together, so a day counts as one observation and not its thousand
payments: an outage on one Tuesday says nothing about Tuesdays. Where there are too few payments or
days there is no answer. Knows nothing of what the groups stand for. Called by `stats`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

from agent.record import dataclass

#: Two-sided 95 %.
Z95 = 1.959964
#: No comparison with fewer payments than this on either side …
FEWEST = 30
#: … on fewer different days …
FEWEST_DAYS = 4
#: … or with fewer late payments in all.
FEWEST_LATE = 5
#: How often all comparisons together may call chance a difference.
LEVEL = 0.05

#: Day -> payments and late ones of a group on it.
Days = Mapping[int, tuple[int, int]]


class Verdict(StrEnum):
    """What a comparison came to."""

    MORE = "more"
    LESS = "less"
    SAME = "same"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Some of several, and between what the true share lies."""

    count: int
    of: int
    low: float | None = None
    high: float | None = None

    @property
    def rate(self) -> float | None:
        return self.count / self.of if self.of else None


def share(count: int, of: int) -> Share:
    """With Wilson's interval, which holds for small numbers and for none at all, too."""
    if of <= 0:
        return Share(count=count, of=of)
    rate, square = count / of, Z95 * Z95 / of
    middle = (rate + square / 2) / (1 + square)
    half = Z95 * math.sqrt(rate * (1 - rate) / of + square / (4 * of)) / (1 + square)
    low = 0.0 if count == 0 else max(0.0, middle - half)
    high = 1.0 if count == of else min(1.0, middle + half)
    return Share(count=count, of=of, low=low, high=high)


def chance(group: Days, everything: Days) -> float | None:
    """How often chance alone would set this group so far apart from the rest; None: cannot say."""
    n, late = _sums(group)
    total, total_late = _sums(everything)
    rest, rest_late = total - n, total_late - late
    rest_days = sum(1 for day, (all_n, _) in everything.items() if all_n > _of(group, day)[0])
    if min(n, rest) < FEWEST or total_late < FEWEST_LATE:
        return None
    if min(len(group), rest_days) < FEWEST_DAYS:
        return None
    gap = late / n - rest_late / rest
    # By chance the days may look more alike than payments drawn one by one could be.
    drawn = total_late / total * (1 - total_late / total) * (1 / n + 1 / rest)
    spread = max(_by_day(group, everything, (n, late), (rest, rest_late)), drawn)
    if spread <= 0.0:
        return 1.0  # all of them are late
    return _tail(abs(gap) / math.sqrt(spread), min(len(group), rest_days) - 1)


def verdicts(
    chances: Sequence[float | None], higher: Sequence[bool]
) -> list[tuple[Verdict, float]]:
    """Verdict and corrected chance of each comparison; the more are made, the less each counts.

    Holm's step-down: over all of them together chance is called a difference in 1 of 20 looks.
    """
    asked = sorted((p, place) for place, p in enumerate(chances) if p is not None)
    found = [(Verdict.TOO_FEW, 1.0)] * len(chances)
    reached = 0.0
    for rank, (p, place) in enumerate(asked):
        reached = max(reached, min(1.0, p * (len(asked) - rank)))
        verdict = Verdict.SAME
        if reached < LEVEL:
            verdict = Verdict.MORE if higher[place] else Verdict.LESS
        found[place] = (verdict, reached)
    return found


def _sums(days: Days) -> tuple[int, int]:
    return sum(n for n, _ in days.values()), sum(late for _, late in days.values())


def _of(days: Days, day: int) -> tuple[int, int]:
    return days.get(day, (0, 0))


def _by_day(group: Days, everything: Days, mine: tuple[int, int], others: tuple[int, int]) -> float:
    """The variance of the difference when whole days are what varies."""
    (n, late), (rest, rest_late) = mine, others
    squares = 0.0
    for day, (all_n, all_late) in everything.items():
        day_n, day_late = _of(group, day)
        ours = (day_late - late / n * day_n) / n
        theirs = (all_late - day_late - rest_late / rest * (all_n - day_n)) / rest
        squares += (ours - theirs) ** 2
    count = len(everything)
    return squares * count / (count - 1)


def _tail(t: float, freedom: int) -> float:
    """Both tails of Student's t by Wallace's formula (Ann. Math. Stat. 30, 1959): within 0.2 %."""
    z = math.sqrt(freedom * math.log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    return math.erfc(z / math.sqrt(2))
