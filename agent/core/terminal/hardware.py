"""Whether this is the machine the store was begun on: decided from what could be read of both.

Every mark of a machine is optional, so only what was readable then and is readable now counts. The
flash's own number moves with the flash: it alone never says "the same terminal", but it tells a
flash that was moved from one that was copied. Reads nothing; called by `agent.hardware`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.record import dataclass

FLASH = "flash"


class Verdict(StrEnum):
    """What the comparison came to."""

    SAME = "same"
    PARTLY = "partly"  #: a board was repaired, an interface replaced: noted, nothing more
    COPIED = "copied"  #: other hardware under other flash: an image was taken and put here
    MOVED = "moved"  #: other hardware round the same flash: it was put into another case
    UNKNOWN = "unknown"  #: nothing that was readable both times; no reason for an alarm


#: The store is not where it was begun.
ELSEWHERE = frozenset({Verdict.COPIED, Verdict.MOVED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The verdict, and what it rests on: kinds of marks, never their values."""

    verdict: Verdict
    equal: tuple[str, ...]
    other: tuple[str, ...]


def compared(then: Mapping[str, frozenset[str]], now: Mapping[str, frozenset[str]]) -> Compared:
    """Marks by kind, hashed; a kind with several (interfaces) is equal if one of them is.

    As many equal kinds as other ones are a repair; fewer are another machine that has one thing in
    common, such as a serial number its maker never set.
    """
    both = sorted(kind for kind in then if kind in now)
    equal = tuple(kind for kind in both if then[kind] & now[kind])
    other = tuple(kind for kind in both if not then[kind] & now[kind])
    alike = sum(kind != FLASH for kind in equal)
    unlike = sum(kind != FLASH for kind in other)
    if not both:
        verdict = Verdict.UNKNOWN
    elif alike >= unlike and (alike or FLASH in equal):
        gone = any(then[kind] - now[kind] for kind in equal)
        verdict = Verdict.PARTLY if other or gone else Verdict.SAME
    else:
        verdict = Verdict.MOVED if FLASH in equal else Verdict.COPIED
    return Compared(verdict=verdict, equal=equal, other=other)
