"""Clocks that can be wrong, and the grid that periodic work shares."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from agent.core.moment import (
    ANY_BOOT,
    BUILD_FLOOR_MS,
    Stamp,
    at_least_ms,
    at_most_ms,
    at_ms,
    certain_ms,
    plausible,
    to_ms,
)
from agent.core.schedule import Schedule
from tests.fakes import FakeClock


def test_a_clock_before_the_build_or_far_after_it_is_not_believed() -> None:
    """1970 and 2060 are impossible for this software; today is not."""
    assert plausible(BUILD_FLOOR_MS, 0)
    assert not plausible(0, 0)
    assert not plausible(BUILD_FLOOR_MS + 40 * 365 * 86_400_000, 0)


def test_a_clock_behind_a_time_already_seen_is_not_believed() -> None:
    """Ten minutes backwards may be a correction; an hour is not."""
    seen = BUILD_FLOOR_MS + 86_400_000
    assert plausible(seen - 600_000, seen)
    assert not plausible(seen - 3_600_000, seen)


def test_milliseconds_and_datetimes_round_trip_and_never_overflow() -> None:
    """A broken clock is shown clamped instead of crashing whoever prints it."""
    moment = datetime(2026, 11, 21, 8, 30, 0, 123000, tzinfo=UTC)
    assert at_ms(to_ms(moment)) == moment
    assert at_ms(10**18).year == 9999
    assert at_ms(-(10**18)).year == 1
    with pytest.raises(ValueError, match="naive"):
        to_ms(datetime(2026, 1, 1))  # noqa: DTZ001 - the point of the test
    assert FakeClock().now().at.tzinfo is UTC


def test_within_one_boot_the_boot_clock_alone_tells_the_age() -> None:
    """Setting the wall clock changes no age."""
    clock = FakeClock()
    since = Stamp(clock.wall_ms, clock.boot_ms, 1)
    clock.advance(30)
    clock.jump(-50 * 365 * 86_400)
    assert at_least_ms(since, clock.now(), 1) == 30_000
    assert at_most_ms(since, clock.now(), 1) == 30_000


def test_across_a_reboot_the_age_has_a_sure_floor_and_no_ceiling_without_a_clock() -> None:
    """What is certain after a reboot: at least the uptime; an upper bound needs a trusted clock."""
    clock = FakeClock()
    since = Stamp(clock.wall_ms, clock.boot_ms, 1)
    clock.reboot(down_s=600)
    assert at_least_ms(since, clock.now(), 2) == 600_000
    assert at_most_ms(since, clock.now(), 2) == 600_000
    clock.trusted = False
    assert at_least_ms(since, clock.now(), 2) == clock.boot_ms
    assert at_most_ms(since, clock.now(), 2) is None


def test_a_clock_that_may_have_stood_still_gives_no_ceiling_across_a_reboot() -> None:
    """Without a chip it goes on where it stopped; what was stamped since it was started counts."""
    clock = FakeClock()
    since = Stamp(clock.wall_ms, clock.boot_ms, 1)
    clock.reboot(down_s=0)
    clock.carried = False
    assert at_least_ms(since, clock.now(), 2) == clock.boot_ms
    assert at_most_ms(since, clock.now(), 2) is None
    clock.advance(60)
    by_the_app = Stamp(clock.wall_ms - 50_000, 0, ANY_BOOT)
    assert at_most_ms(by_the_app, clock.now(), 2) == 50_000
    before = Stamp(clock.wall_ms - clock.boot_ms - 1, 0, ANY_BOOT)
    assert at_most_ms(before, clock.now(), 2) is None
    clock.carried = True
    assert at_most_ms(before, clock.now(), 2) == clock.boot_ms + 1


def test_certain_is_only_what_one_boot_clock_has_counted() -> None:
    """A stamp of a clock that was behind makes nothing older than this boot."""
    clock = FakeClock()
    since = Stamp(clock.wall_ms - 7_200_000, clock.boot_ms, 1)
    clock.advance(30)
    assert certain_ms(since, clock.now(), 1) == 30_000
    clock.reboot()
    clock.advance(2)
    assert at_least_ms(since, clock.now(), 2) > 7_200_000, "control: the wall clocks say so"
    assert certain_ms(since, clock.now(), 2) == clock.boot_ms == 7_000


def test_jobs_share_one_grid_and_a_late_tick_runs_each_once() -> None:
    """Different periods fall on common ticks; missed ticks are not made up for."""
    schedule = Schedule()
    assert schedule.wait_ms(0) is None
    schedule.every(7, "seven", 1_000)
    schedule.every(5, "five", 1_000)
    assert schedule.wait_ms(1_000) == 4_000
    assert schedule.due(4_999) == []
    assert schedule.due(5_000) == ["seven", "five"]
    assert schedule.due(10_000) == ["five"]
    assert schedule.due(15_000) == ["seven", "five"]
    assert sorted(schedule.due(100_000)) == ["five", "seven"]
    assert schedule.due(100_000) == []
    assert schedule.wait_ms(100_000) == 5_000
