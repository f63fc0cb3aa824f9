"""When a payment is due in the merchant's account: cut-off, weekends, holidays, real-time payout.

Days are ordinals (`date.toordinal`), minutes are those of the merchant's own day.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.core.why.reconcile.profile import DAY_MINUTES, Profile

#: Ordinals of what a four-digit year can write; beyond, nothing is computed.
FIRST_DAY, LAST_DAY = 366, 3_652_000
MINUTE_MS = 60_000
DAY_MS = DAY_MINUTES * MINUTE_MS
_EPOCH = 719_163  #: ordinal of 1970-01-01
#: No holiday is longer.
_LONGEST_REST = 40


class Due(NamedTuple):
    """The day money is expected, and why it is not at once where it could be."""

    day: int
    reason: str  #: "" or, for real-time payout: off, window, limit


def local(wall_ms: int, profile: Profile) -> tuple[int, int]:
    """Day and minute of a moment, in the merchant's time."""
    days, rest = divmod(wall_ms + profile.utc_offset_minutes * MINUTE_MS, DAY_MS)
    return _EPOCH + days, rest // MINUTE_MS


def start_ms(day: int, profile: Profile) -> int:
    """When a day of the merchant's begins."""
    return (day - _EPOCH) * DAY_MS - profile.utc_offset_minutes * MINUTE_MS


class Cycle:
    """The calendar of one profile. Asked in order of the payments: the daily limit is used up."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._rest = frozenset(profile.holidays)
        self._work = frozenset(profile.workdays)
        self._paid: dict[int, int] = {}

    def pays(self, day: int) -> bool:
        """Whether money moves that day."""
        if day in self._work:
            return True
        if day in self._rest:
            return False
        # Monday is 1 in ordinals modulo 7; Saturday 6, Sunday 0.
        return self._profile.weekends or day % 7 not in (6, 0)

    def next_paying(self, day: int) -> int:
        """The first day after `day` that pays."""
        for later in range(day + 1, day + 1 + _LONGEST_REST):
            if self.pays(later):
                return later
        return day + 1

    def due(self, wall_ms: int, amount_minor: int) -> Due:
        """When a payment of that moment is expected."""
        p = self._profile
        day, minute = local(wall_ms, p)
        if p.cycle == "T+0":
            reason = self._not_at_once(day, minute, amount_minor)
            return Due(day, "") if not reason else Due(self.next_paying(day), reason)
        return Due(self.day_due(wall_ms), "")

    def day_due(self, wall_ms: int) -> int:
        """The same where neither amount nor window matters."""
        p = self._profile
        day, minute = local(wall_ms, p)
        if p.cycle == "T+0":
            return day
        if minute >= p.cut_off_minute:
            day += 1
        return day + 1 if p.cycle == "D+1" else self.next_paying(day)

    def reaches_back(self, day: int) -> int:
        """The first day whose payments may be due on `day` or later."""
        begin = day
        while day - begin < _LONGEST_REST and self.latest(begin - 1) >= day:
            begin -= 1
        return begin

    def latest(self, day: int) -> int:
        """The last day a payment of `day` may be due."""
        if self._profile.cycle == "D+1":
            return day + 2 if self._profile.cut_off_minute < DAY_MINUTES else day + 1
        late = self._profile.cycle == "T+1" and self._profile.cut_off_minute < DAY_MINUTES
        return self.next_paying(day + 1 if late else day)

    def _not_at_once(self, day: int, minute: int, amount_minor: int) -> str:
        p = self._profile
        if not p.realtime:
            return "off"
        if not p.realtime_from <= minute < p.realtime_to:
            return "window"
        if p.realtime_limit_minor:
            paid = self._paid.get(day, 0) + amount_minor
            if amount_minor > 0 and paid > p.realtime_limit_minor:
                return "limit"
            self._paid[day] = paid
        return ""
