"""The payment app's last day: when its ends are a crash loop, and when it may be started again."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core.terminal.payment_app import (
    DAY_MS,
    MOST_MARKS,
    Held,
    Mark,
    Now,
    Plan,
    Seen,
    What,
    crashes,
    may_restart,
    next_try_ms,
    within_a_day,
)

NOW = 1_795_000_000_000
PLAN = Plan(
    when=frozenset({Seen.STOPPED, Seen.HUNG}),
    wait_ms=10_000,
    wait_max_ms=60_000,
    daily=3,
    quiet_ms=30_000,
)


def ended(ago_s: float, version: str = "") -> Mark:
    return Mark(at_ms=NOW - round(ago_s * 1000), what=What.ENDED, version=version)


def asked(ago_s: float, what: What = What.ASKED) -> Mark:
    return Mark(at_ms=NOW - round(ago_s * 1000), what=what)


def now(**changes: Any) -> Now:
    given = {
        "seen": Seen.STOPPED,
        "since_ms": NOW - 3_600_000,
        "paused": False,
        "payment": False,
        "called_ms_ago": None,
        **changes,
    }
    return Now(**given)


def test_ends_of_a_day_are_counted_with_the_version_of_the_first() -> None:
    """An update that began to crash is named by what ran at the first end."""
    told = crashes([ended(90_000, "1.0"), ended(7_200, "2.0"), ended(60, "2.0")], NOW)
    assert (told.count, told.since_version, told.since_ms) == (2, "2.0", NOW - 7_200_000)
    assert crashes([], NOW).count == 0


def test_a_hang_and_the_end_its_restart_brings_are_one() -> None:
    """Of a stopped app a restart ends nothing, so the end after that is another."""
    assert crashes([asked(60, What.KILLED), ended(59)], NOW).count == 1
    assert crashes([ended(61), asked(60), ended(30)], NOW).count == 2


def test_marks_of_a_wrong_clock_and_of_long_ago_do_no_harm() -> None:
    """The future is now, a day is a day, and their number is bounded."""
    fresh = within_a_day([ended(-1e9), ended(86_400), ended(86_399)], NOW)
    assert [one.at_ms for one in fresh] == [NOW, NOW - DAY_MS + 1_000]
    assert len(within_a_day([ended(1)] * (MOST_MARKS + 9), NOW)) == MOST_MARKS


@pytest.mark.parametrize(
    ("state", "marks", "held"),
    [
        ({}, [], Held.RESTART),
        ({"seen": Seen.HUNG}, [], Held.RESTART),
        ({"seen": Seen.RUNNING}, [], Held.NOT_NEEDED),
        ({"seen": Seen.UNKNOWN}, [], Held.UNKNOWN),
        ({"paused": True}, [], Held.PAUSED),
        ({"payment": True}, [], Held.PAYMENT),
        ({"called_ms_ago": 29_999}, [], Held.PAYMENT),
        ({"called_ms_ago": 30_000}, [], Held.RESTART),
        ({"since_ms": NOW - 9_999}, [], Held.WAITING),
        ({}, [asked(19)], Held.WAITING),
        ({}, [asked(20)], Held.RESTART),
        ({}, [asked(300), asked(200), asked(100, What.KILLED)], Held.CAPPED),
        ({}, [asked(90_000), asked(80_000), asked(100)], Held.RESTART),
    ],
)
def test_a_restart_is_asked_for_only_when_nothing_speaks_against_it(
    state: dict[str, Any], marks: list[Mark], held: Held
) -> None:
    """Each reason by itself holds it back."""
    assert may_restart(now(**state), PLAN, marks, NOW) is held


def test_nobody_asked_for_it() -> None:
    """What the configuration does not name is never done."""
    plan = Plan(when=frozenset(), wait_ms=0, wait_max_ms=0, daily=9, quiet_ms=0)
    assert may_restart(now(), plan, [], NOW) is Held.OFF


def test_each_further_restart_waits_longer_up_to_a_bound() -> None:
    """10 s, 20 s, 40 s, then a minute each."""
    times = [next_try_ms(0, PLAN, [0] * number) for number in (0, 1, 2, 3, 50)]
    assert times == [10_000, 20_000, 40_000, 60_000, 60_000]
