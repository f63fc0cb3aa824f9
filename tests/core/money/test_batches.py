"""Batches and sign-on as reported: late, twice, and round again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agent.core.money.batches import (
    AppReport,
    Batch,
    BatchReport,
    SignOn,
    batch_after,
    sign_on_after,
)
from tests.core.money.payments import AT


def told(
    hours: float, *, closed: bool | None = None, on: bool | None = None, **of: Any
) -> AppReport:
    batch = None if closed is None else BatchReport(batch="000007", closed=closed, **of)
    return AppReport(terminal_id="T1", at=AT + timedelta(hours=hours), signed_on=on, batch=batch)


def test_a_day_of_a_batch() -> None:
    """Opened, closed with its totals, and nothing said about it changes nothing."""
    opened = batch_after(None, told(0, closed=False))
    assert opened is not None
    assert (opened.opened_at, opened.closed_at) == (AT, None)
    assert batch_after(opened, told(1)) is None
    assert batch_after(opened, told(1, closed=False)) is None
    closed = batch_after(opened, told(9, closed=True, agreed=True, count=3, by_currency={"CNY": 9}))
    assert closed is not None
    assert (closed.opened_at, closed.agreed, closed.count) == (AT, True, 3)
    assert closed.told_at == AT + timedelta(hours=9)
    assert batch_after(closed, told(10, closed=True, agreed=True)) is None


def test_totals_that_agree_later_are_told_later() -> None:
    """Closed with a difference, then settled: the time of closing stays, the totals stay."""
    first = batch_after(None, told(9, closed=True, agreed=False, count=3, by_currency={"CNY": 9}))
    assert first is not None
    then = batch_after(first, told(10, closed=True, agreed=True))
    assert then is not None
    assert (then.closed_at, then.agreed, then.count) == (AT + timedelta(hours=9), True, 3)
    assert then.by_currency == {"CNY": 9}


def test_what_comes_late() -> None:
    """An old report fills in what was never said and overturns nothing."""
    closed = batch_after(None, told(9, closed=True))
    assert closed is not None
    filled = batch_after(closed, told(0, closed=False))
    assert filled is not None
    assert (filled.opened_at, filled.closed_at) == (AT, AT + timedelta(hours=9))
    assert batch_after(filled, told(1, closed=False)) is None
    assert batch_after(filled, told(2, closed=True, agreed=False)) is None


def test_the_same_number_comes_round_again() -> None:
    """Terminals count batches round: opened after it was closed, it is a new one."""
    old = Batch(
        terminal_id="T1",
        batch="000007",
        opened_at=AT,
        closed_at=AT + timedelta(hours=9),
        agreed=True,
    )
    fresh = batch_after(old, told(24 * 300, closed=False))
    assert fresh is not None
    assert (fresh.opened_at, fresh.closed_at, fresh.agreed) == (
        AT + timedelta(days=300),
        None,
        None,
    )
    assert Batch(terminal_id="T1", batch="1").told_at is None


def test_sign_on_keeps_the_time_of_the_change() -> None:
    """Since when it is so, not since when it was last said."""
    on = sign_on_after(None, told(0, on=True))
    assert on == SignOn(terminal_id="T1", signed_on=True, at=AT)
    assert sign_on_after(on, told(1, on=True)) is None
    assert sign_on_after(on, told(1)) is None
    assert sign_on_after(on, told(-1, on=False)) is None
    off = sign_on_after(on, told(2, on=False))
    assert off is not None
    assert not off.signed_on
