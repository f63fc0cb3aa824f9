"""Whether all money that was unsent before an update is still there after it.

What is written down before the new version is put in force: the numbers of the unsent payments, as
ranges, and their amounts. After it, each of them must be in the journal, unsent or settled, and the
amounts must be the same: unsent before = unsent now + settled since. Decides nothing else; reading
the journal is `agent.store.carried`, what follows is `agent.core.software.update`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agent.record import dataclass

#: More than this is not written down with the update: the count is all there is then.
RANGES_MAX = 500
_MARGIN_MS = 86_400_000
_TOLD = re.compile(r"(?P<ranges>(\d+-\d+)(,\d+-\d+)*)?\|(?P<sums>\w*:-?\d+(;\w*:-?\d+)*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """Payments by number, and what they are worth."""

    ranges: tuple[tuple[int, int], ...] = ()  #: both ends in it
    amounts: Mapping[str, int]  #: by currency, in minor units; "" for those without

    @property
    def count(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)

    def text(self) -> str:
        """As it is kept with the update."""
        ranges = ",".join(f"{first}-{last}" for first, last in self.ranges)
        return (
            f"{ranges}|{';'.join(f'{name}:{sum_}' for name, sum_ in sorted(self.amounts.items()))}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the journal says of them afterwards."""

    count: int
    amounts: Mapping[str, int]


def carried(numbers: Iterable[int], amounts: Mapping[str, int]) -> Carried | None:
    """From the numbers of the unsent, in any order; None where they are too scattered to keep."""
    ranges: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if ranges and number == ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    if len(ranges) > RANGES_MAX:
        return None
    return Carried(ranges=tuple(ranges), amounts=amounts)


def told(text: str) -> Carried | None:
    """What was kept; None where nothing was, or it is not what was written."""
    said = _TOLD.fullmatch(text)
    if said is None:
        return None
    pairs = (one.split("-") for one in (said["ranges"] or "").split(",") if one)
    sums = (one.split(":") for one in (said["sums"] or "").split(";") if one)
    return Carried(
        ranges=tuple((int(first), int(last)) for first, last in pairs),
        amounts={name: int(sum_) for name, sum_ in sums},
    )


def forgettable(waited_ms: int, keep_ms: int) -> bool:
    """Whether what was settled since may have been forgotten by now, as final payments are after
    their time: then it is not missing. The margin is for what was settled before the waiting."""
    return waited_ms > keep_ms - min(keep_ms // 2, _MARGIN_MS)


def missing(before: Carried, now: Found) -> str:
    """A sentence where something is gone or changed; "" where all of it is there."""
    if now.count < before.count:
        return f"{before.count - now.count} of {before.count} unsent payments are missing"
    changed = sorted(
        name
        for name in before.amounts.keys() | now.amounts.keys()
        if before.amounts.get(name, 0) != now.amounts.get(name, 0)
    )
    return f"amounts of unsent payments have changed: {', '.join(changed)}" if changed else ""
