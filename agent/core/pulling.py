"""When a bank's list is asked for, and how long to wait after it did not come. Pure.

One moment a day in the merchant's own time, shifted by a few minutes that are this device's own, so
that a thousand terminals do not ask in the same second. One that passed while the terminal was off
counts once: only the latest is ever asked for.
"""

from __future__ import annotations

from hashlib import sha256

DAY_MS = 86_400_000
_MINUTE_MS = 60_000
#: After a failure: doubled with each further one.
FIRST_REST_S = 300.0
MOST_REST_S = 14_400.0
#: What a server may ask for with Retry-After.
LEAST_TOLD_S = 60.0
MOST_TOLD_S = 21_600.0
#: 1970-01-01 as an ordinal day.
_EPOCH_DAY = 719_163


def shift_s(device_id: str, name: str, most_s: int) -> int:
    """This device's own shift for this list, from 0 to `most_s`; the same every day."""
    drawn = int.from_bytes(sha256(f"{device_id}\0{name}".encode()).digest()[:8])
    return drawn % (most_s + 1)


def latest(now_ms: int, offset_minutes: int, at_minute: int, shift: int) -> tuple[int, int]:
    """The last moment it was to be asked for, in UTC, and that moment's local day (ordinal)."""
    local_ms = now_ms + offset_minutes * _MINUTE_MS
    in_day_ms = at_minute * _MINUTE_MS + shift * 1000
    day = (local_ms - in_day_ms) // DAY_MS
    return day * DAY_MS + in_day_ms - offset_minutes * _MINUTE_MS, day + _EPOCH_DAY


def rest_s(failures: int, told_s: float | None) -> float:
    """How long to wait after so many failures in a row, where the server asked for `told_s`."""
    own = min(MOST_REST_S, FIRST_REST_S * 2.0 ** min(failures - 1, 10))
    if told_s is None:
        return own
    return max(own, min(MOST_TOLD_S, max(LEAST_TOLD_S, told_s)))
