"""When a list is asked for: at its hour in the merchant's time, shifted, and how failures rest."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from agent.core.pulling import DAY_MS, latest, rest_s, shift_s


def ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("now", "at", "day"),
    [
        ("2026-11-22T06:29:59+08:00", "2026-11-21T06:30:00+08:00", "2026-11-21"),
        ("2026-11-22T06:30:00+08:00", "2026-11-22T06:30:00+08:00", "2026-11-22"),
        ("2026-11-22T23:59:00+08:00", "2026-11-22T06:30:00+08:00", "2026-11-22"),
        ("2026-11-23T00:10:00+08:00", "2026-11-22T06:30:00+08:00", "2026-11-22"),
    ],
)
def test_the_latest_hour_that_passed(now: str, at: str, day: str) -> None:
    """Before its hour it is yesterday's, in local time, not in UTC."""
    found_ms, found_day = latest(ms(now), 480, 390, 0)
    assert datetime.fromtimestamp(found_ms / 1000, UTC) == datetime.fromisoformat(at)
    assert date.fromordinal(found_day) == date.fromisoformat(day)


def test_a_shift_moves_the_hour_and_may_pass_midnight() -> None:
    """23:55 and a quarter of an hour later is still the day before's."""
    at_ms, day = latest(ms("2026-11-22T00:11:00+08:00"), 480, 1435, 900)
    assert at_ms == ms("2026-11-22T00:10:00+08:00")
    assert date.fromordinal(day) == date(2026, 11, 21)
    assert latest(ms("2026-11-22T00:09:00+08:00"), 480, 1435, 900)[0] == at_ms - DAY_MS


def test_each_device_has_its_own_shift_within_bounds() -> None:
    """The same every time, spread over the whole span, 0 without one."""
    shifts = [shift_s(f"T{number}", "bank", 900) for number in range(2000)]
    assert min(shifts) >= 0
    assert max(shifts) <= 900
    assert len(set(shifts)) > 700
    assert shifts[7] == shift_s("T7", "bank", 900)
    assert shift_s("T7", "bank", 0) == 0


def test_failures_rest_longer_and_a_server_may_ask_for_more() -> None:
    """Doubled up to four hours; what Retry-After says is believed between bounds."""
    assert [rest_s(failures, None) for failures in (1, 2, 3, 50)] == [300, 600, 1200, 14_400]
    assert rest_s(1, 1.0) == 300
    assert rest_s(1, 3600.0) == 3600
    assert rest_s(1, 1e6) == 21_600
