"""Who took note of an open alarm, in which words, until when, and who has it now.

A note stands beside an alarm and hides nothing. It ends with the alarm, when its time is over and
when somebody takes it back; an alarm that comes back begins without one. Called by the tracker.
"""

from __future__ import annotations

from agent.core.moment import Moment
from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody who takes note of an alarm wants written beside it."""

    text: str = ""
    until_ms: int | None = None  #: wall time; None: until the alarm ends
    to: str = ""  #: who has it in hand from now on; "": whoever took note

    def __bool__(self) -> bool:
        return bool(self.text or self.to or self.until_ms is not None)


#: Took note, and nothing more.
NOTHING_MORE = Wish()


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What stands beside an alarm."""

    by: str
    at_ms: int
    wish: Wish = NOTHING_MORE

    def over(self, now: Moment) -> bool:
        """Whether its time has passed. A clock nobody believes ends nothing."""
        until_ms = self.wish.until_ms
        return until_ms is not None and now.trusted and now.wall_ms >= until_ms


def noted(old: Note | None, by: str, wish: Wish, now: Moment) -> Note:
    """The first who took note stays, unless something more is said than that."""
    if old is not None and not wish:
        return old
    return Note(by=by, at_ms=now.wall_ms, wish=wish)
