"""What the merchant's own payments of late say about a new one, and how much that rests on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.moment import to_ms
from agent.core.money.lately import (
    HALVED_AT,
    OPEN_MOST,
    REMEMBERED,
    Lately,
    Past,
    Watch,
    entered,
    past_of,
)
from agent.core.money.limits import Level, Limit
from agent.core.money.originals import REFERRING, against_original
from agent.core.money.transaction import Card, Kind, Transaction
from tests.core.money.payments import AT, transaction

CARD = Card(scheme="unionpay", masked="622202******0123")
NOW_MS = to_ms(AT)
WATCH = Watch(again_window_s=900, least=50, declines=3, refunds=3, splits=3, fast_ms=1_500)
BOUNDS = (Limit(currency="CNY", single_minor=100_000, confirm_minor=50_000),)


def past(t: Transaction, *, doubt: bool = False, final: bool = True, no: bool = False) -> Past:
    return past_of(t, in_doubt=doubt, final=final, declined=no)


def shop(*amounts: int, watch: Watch = WATCH, **of: Any) -> Lately:
    """A memory of payments of these amounts, long ago."""
    lately = Lately(watch)
    for at, amount in enumerate(amounts):
        t = transaction(f"old-{at}", amount_minor=amount, occurred_at=AT - timedelta(days=9), **of)
        lately.moved(past(t), new=True)
    return lately


def codes(lately: Lately, **of: Any) -> dict[str, Any]:
    found = lately.findings(transaction("new", **of), BOUNDS, NOW_MS)
    return {one.code: one.args for one in found}


USUAL = tuple(range(900, 1_900, 10))


@pytest.mark.parametrize(
    ("amount", "pattern", "meant"),
    [(12_500, "x10", 1_250), (125_000, "x100", 1_250), (11_255, "repeated_digit", 1_255)],
)
def test_an_amount_far_from_usual_that_a_slip_of_the_finger_explains(
    amount: int, pattern: str, meant: int
) -> None:
    """Which slip, what was probably meant, and how many payments say so."""
    args = codes(shop(*USUAL), amount_minor=amount)["amount.unusual"]
    assert (args["pattern"], args["meant"], args["based_on"]) == (pattern, meant, "100")


@pytest.mark.parametrize("amount", [1_250, 2_500, 98_765, 10, 9_990_000_001])
def test_what_no_slip_explains_is_nobody_s_business(amount: int) -> None:
    """Usual amounts, and large ones that come from nothing usual."""
    assert codes(shop(*USUAL), amount_minor=amount) == {}


def test_a_habit_needs_enough_payments_of_the_same_kind_and_currency() -> None:
    """Below the least it is silent; another kind's or currency's habit says nothing."""
    assert codes(shop(*USUAL[:49]), amount_minor=12_500) == {}
    assert codes(shop(*USUAL), amount_minor=12_500, kind=Kind.REFUND) == {}
    assert codes(shop(*USUAL), amount_minor=12_500, currency="EUR") == {}
    assert codes(shop(*USUAL, watch=replace(WATCH, least=0)), amount_minor=12_500) == {}
    assert codes(shop(*USUAL), amount_minor=12_500, kind=Kind.VOID) == {}
    assert codes(shop(*USUAL), amount_minor=None) == {}


def test_a_habit_follows_the_shop_and_forgets_slowly() -> None:
    """Old payments count half after a while; the shop that became dear is not nagged for ever."""
    lately = shop(*USUAL * 45)
    args = codes(lately, amount_minor=12_500)["amount.unusual"]
    assert HALVED_AT // 2 <= int(args["based_on"]) < HALVED_AT
    for at in range(100):
        dear = transaction(f"d{at}", amount_minor=12_500, occurred_at=AT - timedelta(days=8))
        lately.moved(past(dear), new=True)
    assert codes(lately, amount_minor=12_500) == {}


def test_payments_without_an_amount_make_no_habit() -> None:
    """Nor do those that take nothing new."""
    lately = Lately(replace(WATCH, least=1))
    lately.moved(past(transaction("s", kind=Kind.SETTLEMENT, amount_minor=None)), new=True)
    lately.moved(past(transaction("v", kind=Kind.VOID)), new=True)
    assert codes(lately, amount_minor=12_500) == {}


def test_many_declines_before_another_try() -> None:
    """Within the time, however they came to be known; a refund is no try."""
    lately = Lately(WATCH)
    for at in range(3):
        t = transaction(f"d{at}", occurred_at=AT - timedelta(seconds=30))
        lately.moved(past(t, final=False), new=True)
        assert "fraud.declines" not in codes(lately)
        lately.moved(past(t, no=True), new=False)
    assert codes(lately)["fraud.declines"] == {"count": "3", "minutes": "10"}
    assert "fraud.declines" not in codes(lately, kind=Kind.REFUND)
    later = lately.findings(transaction("n"), (), NOW_MS + 3_600_000)
    assert later == []
    lately.moved(past(transaction("never seen"), no=True), new=False)
    assert codes(lately)["fraud.declines"]["count"] == "3"


def test_declines_are_remembered_within_bounds() -> None:
    """The oldest go first."""
    lately = Lately(WATCH)
    for at in range(REMEMBERED + 50):
        lately.moved(past(transaction(f"d{at}", occurred_at=AT), no=True), new=True)
    assert codes(lately)["fraud.declines"]["count"] == str(REMEMBERED)


def test_many_refunds_within_an_hour() -> None:
    """With this one; a sale after them is only a sale."""
    lately = Lately(WATCH)
    for at in range(2):
        lately.moved(past(transaction(f"r{at}", kind=Kind.REFUND)), new=True)
    assert codes(lately, kind=Kind.REFUND)["fraud.refunds"]["count"] == "3"
    assert codes(lately) == {}
    off = Lately(replace(WATCH, refunds=0, declines=0))
    assert codes(off, kind=Kind.REFUND) == {}


def test_one_payment_split_below_a_limit() -> None:
    """The same card, each below, together above what needs a second look."""
    lately = Lately(WATCH)
    for at in range(2):
        t = transaction(f"s{at}", amount_minor=20_000, card=CARD)
        lately.moved(past(t), new=True)
    assert codes(lately, amount_minor=20_000, card=CARD)["fraud.split"]["count"] == "3"
    assert codes(lately, amount_minor=5_000, card=CARD) == {}, "together below the limit"
    assert codes(lately, amount_minor=60_000, card=CARD) == {}, "that one meets the limit itself"
    assert codes(lately, amount_minor=20_000) == {}, "whose card is not known"
    assert lately.findings(transaction("n", amount_minor=20_000, card=CARD), (), NOW_MS) == []
    foreign = (Limit(currency="EUR", single_minor=1),)
    assert lately.findings(transaction("n", amount_minor=9, card=CARD), foreign, NOW_MS) == []


def test_an_hour_without_any_payment_ever() -> None:
    """Only after very many, and only a hint."""
    lately = shop(*USUAL * 5)
    (hint,) = lately.findings(transaction("n", occurred_at=AT + timedelta(hours=9)), (), NOW_MS)
    assert (hint.code, hint.level, hint.args["based_on"]) == ("fraud.hours", Level.WARN, "500")
    assert codes(lately) == {}


def test_an_open_payment_that_this_one_may_be_again() -> None:
    """The newest of the same card in any state; of an unknown card only in doubt; never itself."""
    lately = Lately(WATCH)
    lately.moved(past(transaction("a", card=CARD), final=False), new=True)
    lately.moved(past(transaction("b"), final=False), new=True)
    new = transaction("new", card=CARD)
    again = lately.unfinished(new, NOW_MS)
    assert again is not None
    assert again.key == "a"
    assert lately.unfinished(transaction("new"), NOW_MS) is None, "unsent fares all look the same"
    lately.moved(past(transaction("b"), doubt=True, final=False), new=False)
    again = lately.unfinished(transaction("new"), NOW_MS)
    assert again is not None
    assert again.key == "b"
    assert lately.unfinished(new, NOW_MS + 901_000) is None
    assert lately.unfinished(transaction("b"), NOW_MS) is None
    other = Card(scheme="visa", masked="400000******0001")
    lately.moved(past(transaction("b")), new=False)
    assert lately.unfinished(transaction("new", card=other), NOW_MS) is None
    assert lately.unfinished(transaction("new", card=CARD, amount_minor=9), NOW_MS) is None


def test_of_a_long_queue_the_newest_are_remembered() -> None:
    """The memory does not grow with the backlog."""
    lately = Lately(WATCH)
    for at in range(OPEN_MOST + 1):
        t = transaction(f"q{at}", amount_minor=at + 1, card=CARD)
        lately.moved(past(t, final=False), new=True)
    assert lately.unfinished(transaction("n", amount_minor=1, card=CARD), NOW_MS) is None
    assert lately.unfinished(transaction("n", amount_minor=2, card=CARD), NOW_MS) is not None


def test_keyed_too_fast() -> None:
    """From the figure of the configuration on it is not."""
    (one,) = entered(700, WATCH)
    assert (one.code, one.cause, one.args) == ("entry.too_fast", "operator.too_fast", {"ms": "700"})
    assert entered(1_500, WATCH) == []


def against(kind: Kind, original: Past | None, *, settled: bool = False, **of: Any) -> set[str]:
    t = transaction("n", kind=kind, **of)
    return {one.code for one in against_original(t, original, settled=settled)}


def test_a_payment_has_to_fit_its_original() -> None:
    """Not more back than was paid, not a void of what is settled, not a sale completed."""
    sale, preauth = past(transaction("s")), past(transaction("p", kind=Kind.PREAUTH))
    assert against(Kind.REFUND, sale, amount_minor=1_251) == {"refund.too_large"}
    assert against(Kind.REFUND, sale, amount_minor=1_250) == set()
    assert against(Kind.REFUND, sale, amount_minor=9_999, currency="EUR") == set()
    assert against(Kind.VOID, sale, settled=True) == {"void.settled"}
    assert against(Kind.VOID, sale) == set()
    assert against(Kind.PREAUTH_COMPLETION, preauth) == set()
    assert against(Kind.PREAUTH_COMPLETION, sale) == {"type.wrong_original"}
    assert against(Kind.PREAUTH_COMPLETION, None) == {"type.no_preauth"}
    assert against(Kind.PREAUTH_COMPLETION, None, refers_to="p") == set(), "at another terminal"
    assert against(Kind.REFUND, None) == set()
    assert Kind.SALE not in REFERRING
