"""Steps, sleep and freezes, told apart by three clocks."""

from __future__ import annotations

from dataclasses import replace

from agent.core.moment import Moment
from agent.core.terminal.rhythm import Beat, Rhythm

FIRST = Moment(wall_ms=1_795_000_000_000, boot_ms=10_000, boot_id="b", trusted=True)


def later(
    moment: Moment, ms: int, *, stepped_ms: int = 0, slept_ms: int = 0, boot_id: str = "b"
) -> Moment:
    return replace(
        moment,
        wall_ms=moment.wall_ms + ms + stepped_ms,
        boot_ms=moment.boot_ms + ms,
        suspended_ms=moment.suspended_ms + slept_ms,
        boot_id=boot_id,
    )


def test_an_ordinary_tick_brings_nothing() -> None:
    """Nor does NTP's slewing, or a tick that was a little late."""
    assert Rhythm(FIRST).tick(later(FIRST, 5_000)) == Beat()
    assert Rhythm(FIRST).tick(later(FIRST, 25_000, stepped_ms=1_900)) == Beat()


def test_a_step_is_told_with_the_time_before_and_after() -> None:
    """In both directions, and apart from the time that passed."""
    for by_ms in (-86_400_000, 3_000):
        now = later(FIRST, 5_000, stepped_ms=by_ms)
        step = Rhythm(FIRST).tick(now).step
        assert step is not None
        assert step.by_ms == by_ms
        assert (step.before_ms, step.after_ms) == (FIRST.wall_ms + 5_000, now.wall_ms)


def test_sleep_is_not_a_freeze_and_neither_is_a_step() -> None:
    """An hour suspended: boot time and wall clock ran on, the awake clock did not."""
    rhythm = Rhythm(FIRST)
    beat = rhythm.tick(later(FIRST, 3_605_000, slept_ms=3_600_000))
    assert beat.slept is not None
    assert (beat.slept.slept_ms, beat.frozen, beat.step) == (3_600_000, None, None)
    assert rhythm.slept_ms == 3_600_000


def test_frozen_awake_is_a_freeze_and_may_follow_a_sleep() -> None:
    """A container that was stopped, a machine that thrashed: awake time without a tick."""
    beat = Rhythm(FIRST).tick(later(FIRST, 700_000, slept_ms=100_000))
    assert beat.frozen is not None
    assert beat.slept is not None
    assert (beat.frozen.frozen_ms, beat.frozen.slept_ms) == (600_000, 100_000)
    assert beat.frozen.from_ms == FIRST.wall_ms


def test_another_boot_under_us_is_told_and_nothing_is_measured_against_it() -> None:
    """A restored image: its clocks have nothing to do with each other."""
    rhythm = Rhythm(FIRST)
    other = later(FIRST, 900_000, boot_id="c")
    assert rhythm.tick(other) == Beat(rebooted=True)
    assert rhythm.tick(later(other, 5_000, boot_id="c")) == Beat()
