"""When the next self-inspection is due, and from when on it is overdue. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

DAY = timedelta(days=1)


def due(now: datetime, last: datetime | None, hour: int, jitter_s: float) -> bool:
    """Whether the inspection of the day is still to be made.

    `now` is in the terminal's own time zone; `jitter_s` is this terminal's share of the spread. A
    terminal that was switched off at its hour makes it up when it is on again.
    """
    planned = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    planned += timedelta(seconds=jitter_s)
    if planned > now:
        planned -= DAY
    return last is None or last < planned


def overdue(now: datetime, last: datetime, days: int) -> bool:
    """Whether the last one (or the day this terminal began) is too long ago; 0 days: never is."""
    return days > 0 and now - last > days * DAY
