"""What a day of telemetry may cost, and what is given up for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.budget import (
    DAY_MS,
    FROM_PERCENT,
    PROFILES,
    RARER,
    Account,
    Step,
    stretched,
)
from tests.fakes import FakeClock

BUDGET = 150_000
HOUR_S = 3_600


def looked(clock: FakeClock, account: Account | None = None) -> Account:
    account = account or Account()
    account.look(clock.now())
    return account


def test_steps_come_with_the_bytes_and_never_back_within_a_day() -> None:
    """Each is entered at its part of the budget, in order."""
    account = looked(FakeClock())
    seen = [account.step]
    for _ in range(160):
        account.spend(1_000)
        if account.judge(BUDGET):
            seen.append(account.step)
            assert account.spent_bytes * 100 // BUDGET == FROM_PERCENT[account.step]
    assert seen == list(Step)


def test_a_step_is_left_only_clearly_below_where_it_began() -> None:
    """A budget raised a little does not make it flap."""
    account = looked(FakeClock())
    account.spend(90_000)
    assert account.judge(BUDGET)
    assert account.step is Step.NO_HISTORY
    assert not account.judge(BUDGET + 10_000)
    assert account.judge(BUDGET + 40_000)
    assert account.step is Step.FULL


def test_no_budget_no_steps() -> None:
    """0 means: count and say, give nothing up."""
    account = looked(FakeClock())
    account.spend(10**9)
    assert not account.judge(0)
    assert account.step is Step.FULL


def test_a_new_day_begins_with_nothing_spent() -> None:
    """At midnight UTC everything is told again; yesterday's sum is kept."""
    clock = FakeClock()
    account = looked(clock)
    account.spend(200_000, estimated=True)
    account.judge(BUDGET)
    clock.advance((DAY_MS - clock.wall_ms % DAY_MS) / 1000 - 1)
    assert not account.look(clock.now())
    clock.advance(1)
    assert account.look(clock.now())
    assert account.judge(BUDGET)
    assert (account.step, account.spent_bytes, account.last_bytes) == (Step.FULL, 0, 200_000)
    assert account.estimated_bytes == 0


def test_without_a_date_a_day_is_24_hours_of_running() -> None:
    """A clock nobody trusts does not stop the account, and jumps do not end its day."""
    clock = FakeClock()
    clock.trusted = False
    account = looked(clock)
    account.spend(1_000)
    for _ in range(23):
        clock.advance(HOUR_S)
        clock.jump(HOUR_S * 50)
        assert not account.look(clock.now())
    clock.advance(HOUR_S)
    assert account.look(clock.now())
    assert account.last_bytes == 1_000


def test_a_restart_without_a_date_goes_on_where_it_stood() -> None:
    """Nobody knows how long it was off: that time does not count."""
    clock = FakeClock()
    clock.trusted = False
    account = looked(clock)
    clock.advance(20 * HOUR_S)
    account.look(clock.now())
    account = Account.known(account.kept())
    clock.reboot()
    assert not account.look(clock.now())
    clock.advance(3 * HOUR_S)
    assert not account.look(clock.now())
    clock.advance(HOUR_S)
    assert account.look(clock.now())


def test_when_the_clock_is_set_right_what_was_spent_belongs_to_today() -> None:
    """And not to a day of its own that would begin the budget anew."""
    clock = FakeClock()
    clock.trusted = False
    account = looked(clock)
    account.spend(5_000)
    clock.trusted = True
    assert not account.look(clock.now())
    assert account.day == clock.wall_ms // DAY_MS
    assert account.spent_bytes == 5_000


def test_a_dated_day_outlives_a_clock_that_is_doubted() -> None:
    """A battery that died over night: the account goes on, at most for a day of running."""
    clock = FakeClock()
    account = looked(clock)
    account.spend(5_000)
    clock.trusted = False
    clock.advance(HOUR_S)
    assert not account.look(clock.now())
    clock.advance(23 * HOUR_S)
    assert account.look(clock.now())
    assert account.day is None


def test_fewer_readings_stretches_every_period() -> None:
    """The other steps leave the periods alone: they silence."""
    periods = PROFILES["default"]
    assert stretched(periods, Step.NO_HISTORY) == periods
    fewer = stretched(periods, Step.FEWER_READINGS)
    assert fewer.health_s == RARER * periods.health_s
    assert fewer.full_s == RARER * periods.full_s
    assert fewer.backlog_s == RARER * periods.backlog_s


@given(st.integers(0, 10**7), st.sampled_from(Step), st.integers(0, DAY_MS))
def test_what_is_written_down_is_read_back(spent: int, step: Step, running_ms: int) -> None:
    """Over a restart nothing is forgotten."""
    account = Account(day=20_000, spent_bytes=spent, step=step, running_ms=running_ms)
    assert Account.known(account.kept()) == account


@pytest.mark.parametrize(
    "junk", [{}, {"step": "mad", "day": -1, "spent_bytes": "x", "last_bytes": True}]
)
def test_what_cannot_be_read_counts_as_nothing(junk: dict[str, Any]) -> None:
    """state.db may be lost; the day begins anew."""
    assert Account.known(junk) == Account()


@given(
    st.dictionaries(
        st.sampled_from(["day", "spent_bytes", "step", "running_ms", "last_bytes"]),
        st.none() | st.integers() | st.text() | st.booleans() | st.lists(st.integers()),
    )
)
def test_any_account_can_be_gone_on_with(junk: dict[str, Any]) -> None:
    """Whatever stands there, looking and judging work."""
    account = Account.known(junk)
    account.look(FakeClock().now())
    account.judge(BUDGET)
    assert account.spent_bytes >= 0


def test_only_what_is_paid_for_may_be_judged_alone() -> None:
    """A hundred kilobytes on the shop's line cost nothing on the SIM card, and are counted."""
    account = looked(FakeClock())
    account.spend(140_000, paid=False)
    account.spend(10_000)
    assert (account.spent_bytes, account.paid_bytes) == (150_000, 10_000)
    assert not account.judge(150_000, paid_only=True)
    assert account.step is Step.FULL
    assert account.judge(150_000)
    assert account.step is Step.ALARMS_AND_MONEY
    assert Account.known(account.kept()).paid_bytes == 10_000
