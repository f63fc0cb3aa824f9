"""The outage drill: what its steps are, what they came to, and in which words. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

#: Name of the sink of drills: no uplink of a configuration may be called so.
SINK = "drill"
#: `report.Result.PASSED`, for whoever has no report to read.
PASSED = "passed"


def overdue(now: datetime, last: datetime, days: int) -> bool:
    """Whether the last passed drill (or the terminal's first day) is too long ago; 0: never."""
    return days > 0 and now - last > timedelta(days=days)
