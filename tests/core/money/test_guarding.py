"""Is money unsent? What is counted, what is doubt, and what is written down when it is forced."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.core.money.guarding import (
    FORCED_OP,
    Purpose,
    Standing,
    deed_of,
    forced,
    guarded,
    line_of,
    provisioned,
)
from agent.core.money.journal import Amounts, Backlog
from tests.core.money.payments import AT

NONE = Amounts()
TWO = Amounts(count=2, by_currency={"CNY": 2500, "USD": 100})


def backlog(total: Amounts = NONE, aside: Amounts | None = NONE) -> Backlog:
    return Backlog(
        total=total, by_state={}, in_doubt=NONE, held=NONE, quarantined=aside,
        oldest_at=AT if total.count else None, by_cause={},
    )  # fmt: skip


def test_nothing_unsent_is_clear() -> None:
    """Counts of zero, nothing aside, nothing damaged."""
    found = guarded(backlog(), "", AT)
    assert (found.standing, found.total, found.oldest_age_s) == (Standing.CLEAR, NONE, None)


def test_what_lies_aside_counts_as_unsent() -> None:
    """Two in the journal and one put aside are three, by currency."""
    aside = Amounts(count=1, by_currency={"CNY": 1, "EUR": 5})
    found = guarded(backlog(TWO, aside), "", AT + timedelta(minutes=2))
    assert found.standing is Standing.UNSENT
    assert found.total == Amounts(count=3, by_currency={"CNY": 2501, "USD": 100, "EUR": 5})
    assert found.oldest_age_s == 120
    assert guarded(backlog(aside=aside), "", AT).standing is Standing.UNSENT


def test_a_clock_that_went_back_makes_no_negative_age() -> None:
    """The oldest is in the future: it waits for no time at all."""
    assert guarded(backlog(TWO), "", AT - timedelta(days=1)).oldest_age_s == 0


@pytest.mark.parametrize("total", [NONE, TWO])
def test_damage_cannot_be_told(total: Amounts) -> None:
    """Uncounted, or a journal found damaged: never clear, whatever the counts say."""
    uncounted = guarded(backlog(total, None), "", AT)
    assert (uncounted.standing, uncounted.total) == (Standing.UNKNOWN, total)
    assert "not been counted" in uncounted.reason
    damaged = guarded(backlog(total), "the log was cut", AT)
    assert damaged.standing is Standing.UNKNOWN
    assert "the log was cut" in damaged.reason


def test_what_is_forced_survives_as_a_line() -> None:
    """Written and read back it is the same deed; the count is what was unsent."""
    deed = forced("uid:0", Purpose.PURGE, "Li: scrapped\n", 3)
    assert (deed.op, deed.target, deed.count) == (FORCED_OP, "purge: Li: scrapped?", 3)
    assert deed_of(line_of(deed, 5)) == (5, deed)
    assert forced("uid:0", "purge", "Li", None).count == 1


def test_whose_the_money_is_survives_as_a_line() -> None:
    """Who decided about a copied store, and how; a line of before knows only what was forced."""
    deed = provisioned("uid:1000", "adopt", "replace")
    assert (deed.op, deed.target, deed.outcome) == ("provision_adopt", "replace", "ok")
    assert deed_of(line_of(deed, 5)) == (5, deed)
    older = '{"at_ms":5,"actor":"uid:0","target":"purge: Li","outcome":"forced","count":3}'
    assert deed_of(older) == (5, forced("uid:0", "purge", "Li", 3))


def test_a_card_number_in_a_reason_is_not_kept() -> None:
    """Whoever types one there finds only the purpose in the trail."""
    assert forced("uid:0", "purge", "card 6222021234567890128", 1).target == "purge: "


@pytest.mark.parametrize(
    "line",
    [
        "", "{", "[1]", '{"at_ms": 1}',
        '{"at_ms":true,"actor":"a","target":"t","outcome":"o","count":1}',
        '{"at_ms":-1,"actor":"a","target":"t","outcome":"o","count":1}',
        '{"at_ms":1,"actor":"a","target":"t","outcome":"o","count":0}',
        '{"at_ms":1,"actor":"a","target":"t","outcome":"o","count":"1"}',
        '{"at_ms":1,"actor":"a","target":"t","outcome":"o","count":1,"op":"abandon"}',
        '{"at_ms":1,"actor":2,"target":"t","outcome":"o","count":1}',
    ],
)  # fmt: skip
def test_a_line_that_is_none_of_ours_is_left_out(line: str) -> None:
    """Torn by a power cut, or written by somebody else."""
    assert deed_of(line) is None
