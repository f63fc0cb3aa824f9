"""What speaks against a payment, what is said before it, and what a submission of it meets."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.moment import Moment, to_ms
from agent.core.money.limits import (
    TAKES_NEW,
    Answer,
    Exposure,
    Finding,
    Ground,
    Level,
    Limit,
    Policy,
    RefusedError,
    Rules,
    Ruling,
    Seen,
    alike_amounts,
    answer_of,
    examine,
    fullest,
    rule_on,
)
from agent.core.money.transaction import Card, Delivery, Kind, Posting, Transaction
from tests.core.money.payments import AT, transaction

NOW = Moment(wall_ms=to_ms(AT) + 60_000, boot_ms=1, boot_id="b", trusted=True)
CARD = Card(scheme="unionpay", masked="622202******0123")
ALL = dict.fromkeys(Ground, Policy.REFUSE)
NOTHING = Exposure()


def found(
    rules: Rules, exposure: Exposure = NOTHING, *seen: Seen, now: Moment = NOW, **of: Any
) -> dict[str, Level]:
    """Codes with their levels for the plain sale of 12.50, varied."""
    findings = examine(transaction(**of), rules, exposure, seen, now)
    return {one.code: one.level for one in findings}


def limited(**limits: Any) -> Rules:
    return Rules(limits=(Limit(currency="CNY", **limits),))


def seen(**changes: Any) -> Seen:
    """A payment like the plain sale, ten seconds before it."""
    plain = Seen(key="k0", amount_minor=1250, occurred_ms=to_ms(AT) - 10_000, card=CARD.masked)
    return replace(plain, **changes)


def test_no_rules_find_nothing() -> None:
    """What was not configured is not checked."""
    assert found(Rules(), Exposure(count=10**6, total_minor=10**12, oldest_ms=10**12), seen()) == {}


@pytest.mark.parametrize(
    ("limits", "exposure", "expected"),
    [
        ({"single_minor": 1249}, Exposure(), {"limit.single": Level.REFUSE}),
        ({"single_minor": 1250}, Exposure(), {"limit.single": Level.WARN}),
        ({"single_minor": 1562}, Exposure(), {"limit.single": Level.WARN}),
        ({"single_minor": 1563}, Exposure(), {}),
        ({"total_minor": 5000}, Exposure(total_minor=3751), {"limit.total": Level.REFUSE}),
        ({"total_minor": 5000}, Exposure(total_minor=3750), {"limit.total": Level.WARN}),
        ({"total_minor": 5000}, Exposure(total_minor=2750), {"limit.total": Level.WARN}),
        ({"total_minor": 5000}, Exposure(total_minor=2749), {}),
        ({"count": 10}, Exposure(count=10), {"limit.count": Level.REFUSE}),
        ({"count": 10}, Exposure(count=9), {"limit.count": Level.WARN}),
        ({"count": 10}, Exposure(count=7), {"limit.count": Level.WARN}),
        ({"count": 10}, Exposure(count=6), {}),
        ({"age_s": 100}, Exposure(oldest_ms=100_000), {"limit.age": Level.REFUSE}),
        ({"age_s": 100}, Exposure(oldest_ms=99_999), {"limit.age": Level.WARN}),
        ({"age_s": 100}, Exposure(oldest_ms=80_000), {"limit.age": Level.WARN}),
        ({"age_s": 100}, Exposure(oldest_ms=79_999), {}),
        ({"age_s": 100}, Exposure(oldest_ms=None), {}),
        ({"count": 10, "warn_percent": 50}, Exposure(count=4), {"limit.count": Level.WARN}),
        ({"confirm_minor": 1250}, Exposure(), {"amount.large": Level.CONFIRM}),
        ({"confirm_minor": 1251}, Exposure(), {}),
    ],
)
def test_each_limit_warns_at_80_percent_and_refuses_what_passes_it(
    limits: dict[str, int], exposure: Exposure, expected: dict[str, Level]
) -> None:
    """Single amount, total, count and age, with this payment counted in."""
    assert found(limited(**limits), exposure) == expected


def test_a_limit_binds_its_currency_and_its_posting() -> None:
    """A limit for advices says nothing of requests, one in CNY nothing of USD."""
    rules = limited(posting=Posting.ADVICE, single_minor=1)
    assert found(rules) == {"limit.single": Level.REFUSE}
    assert found(rules, posting=Posting.REQUEST) == {}
    assert found(rules, currency="USD") == {}
    assert found(limited(single_minor=1), posting=Posting.REQUEST) != {}


@pytest.mark.parametrize("kind", sorted(set(Kind) - TAKES_NEW))
def test_what_undoes_or_closes_something_is_never_stopped(kind: Kind) -> None:
    """A reversal that a limit keeps back would leave the money in the wrong place."""
    rules = replace(
        limited(single_minor=1, total_minor=1, count=1, age_s=1, confirm_minor=1),
        terminal_ids=frozenset({"other"}),
        policies=ALL,
    )
    t = transaction(kind=kind, posting=Posting.REQUEST)
    findings = examine(t, rules, Exposure(count=9, total_minor=9, oldest_ms=10**9), (), NOW)
    assert {one.code for one in findings} == {"terminal.mismatch"}
    assert answer_of(t, findings) is Answer.TAKE
    assert rule_on(t, findings, rules, frozenset(), in_doubt=False) == Ruling(
        flags=("terminal.mismatch",)
    )


def test_a_payment_without_an_amount_has_no_limit_and_no_twin() -> None:
    """A settlement is not held against what it settles."""
    rules = replace(limited(count=0), duplicate_window_s=60)
    bare = {"amount_minor": None, "currency": None, "kind": Kind.SETTLEMENT}
    assert found(rules, Exposure(), seen(), **bare) == {}


def test_the_fullest_limit_is_the_one_to_show() -> None:
    """For the queue's condition: across currencies and kinds of limit, the worst."""
    rules = Rules(
        limits=(
            Limit(currency="CNY", total_minor=1000, count=10, single_minor=5),
            Limit(currency="USD", age_s=100),
        )
    )
    use = fullest(rules, {"CNY": Exposure(count=3, total_minor=500), "USD": Exposure()})
    assert use is not None
    assert (use.code, use.percent) == ("limit.total", 50)
    use = fullest(rules, {"USD": Exposure(oldest_ms=101_000)})
    assert use is not None
    assert (use.code, use.percent) == ("limit.age", 101)
    assert fullest(Rules(limits=(Limit(currency="CNY", single_minor=5),)), {}) is None
    zero = fullest(Rules(limits=(Limit(currency="CNY", count=0),)), {})
    assert zero is not None
    assert zero.percent == 100


# -- twins ---------------------------------------------------------------------------------------

TWINS = Rules(duplicate_window_s=60, trace_window_s=3600)


@pytest.mark.parametrize(
    ("other", "of", "expected"),
    [
        (seen(), {"card": CARD}, "duplicate.suspected"),
        (seen(key="k1"), {"card": CARD}, None),  # itself
        (seen(occurred_ms=to_ms(AT) - 60_000), {"card": CARD}, "duplicate.suspected"),
        (seen(occurred_ms=to_ms(AT) + 60_000), {"card": CARD}, "duplicate.suspected"),
        (seen(occurred_ms=to_ms(AT) - 60_001), {"card": CARD}, None),
        (seen(card="622202******9999"), {"card": CARD}, None),
        (seen(card=None), {"card": None}, None),
        (seen(card=""), {"card": Card(masked="")}, None),
        (seen(card=None, stan="000123", batch="000001"), {}, "duplicate.suspected"),
        (seen(card=None, stan="000124", batch="000001"), {}, None),
        (seen(card=None, stan="000123", batch="000002"), {}, None),
        (seen(card=None, stan=None, batch=None), {"stan": None, "batch": None}, None),
        (seen(card=None, stan="000123", batch="000001", occurred_ms=0), {}, None),
        (seen(amount_minor=12500), {"card": CARD}, "amount.mistyped"),
        (seen(amount_minor=125), {"card": CARD}, "amount.mistyped"),
        (seen(amount_minor=125000), {"card": CARD}, "amount.mistyped"),
        (seen(amount_minor=125, stan="000123", batch="000001", card=None), {}, None),
    ],
)
def test_what_counts_as_a_twin(other: Seen, of: dict[str, Any], expected: str | None) -> None:
    """Same card, or same STAN and batch, near in time, under another key; or a zero too many."""
    assert list(found(TWINS, Exposure(), other, **of)) == ([expected] if expected else [])


def test_a_true_twin_outweighs_a_mistyped_one() -> None:
    """One sentence is enough, and it is about the equal amount."""
    findings = examine(
        transaction(card=CARD), TWINS, Exposure(), (seen(amount_minor=125), seen(key="k9")), NOW
    )
    assert [(one.code, one.args["twin"]) for one in findings] == [("duplicate.suspected", "k9")]


def test_without_a_window_nobody_is_compared() -> None:
    """0 switches it off, also for payments of the very same millisecond."""
    same = seen(occurred_ms=to_ms(AT), stan="000123", batch="000001")
    assert found(Rules(), Exposure(), same, card=CARD) == {}


@given(st.integers(min_value=0, max_value=10**9))
def test_alike_amounts_are_each_once(amount_minor: int) -> None:
    """The index is asked for each amount once, the equal one first."""
    alike = alike_amounts(amount_minor)
    assert alike[0] == amount_minor
    assert len(set(alike)) == len(alike)
    assert all(max(a, amount_minor) in (a, a * 10, a * 100, amount_minor) for a in alike)


def test_the_window_is_the_longer_of_the_two() -> None:
    """So far back the index has to reach."""
    assert TWINS.window_s == 3600


# -- parameters ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "of", "expected"),
    [
        (Rules(terminal_ids=frozenset({"T9"})), {}, {"terminal.mismatch": Level.REFUSE}),
        (Rules(terminal_ids=frozenset({"T0000001"})), {}, {}),
        (Rules(merchant_ids=frozenset({"M9"})), {}, {"merchant.mismatch": Level.REFUSE}),
        (Rules(currencies=frozenset({"USD"})), {}, {"currency.not_taken": Level.REFUSE}),
        (Rules(currencies=frozenset({"CNY"})), {}, {}),
        (Rules(currencies=frozenset({"USD"})), {"currency": None}, {}),
        (Rules(kinds=frozenset({Kind.REFUND})), {}, {"kind.not_taken": Level.REFUSE}),
        (Rules(kinds=frozenset({Kind.SALE})), {}, {}),
        (
            Rules(future_s=30),
            {"occurred_at": AT + timedelta(seconds=91)},
            {"date.future": Level.REFUSE},
        ),
        (Rules(future_s=30), {"occurred_at": AT + timedelta(seconds=90)}, {}),
        (Rules(past_s=30), {"posting": Posting.REQUEST}, {"date.past": Level.REFUSE}),
        (Rules(past_s=60), {"posting": Posting.REQUEST}, {}),
        (Rules(past_s=30), {"posting": Posting.ADVICE}, {}),
    ],
)
def test_parameters_are_held_against_what_was_issued_and_against_the_clock(
    rules: Rules, of: dict[str, Any], expected: dict[str, Level]
) -> None:
    """TID, MID, currency, kind and date; an advice may be as old as it is."""
    assert found(rules, **of) == expected


def test_a_clock_nobody_believes_refuses_nothing() -> None:
    """At 1970 every payment would be from the future."""
    lost = replace(NOW, wall_ms=0, trusted=False)
    assert found(Rules(future_s=1, past_s=1), now=lost) == {"date.unchecked": Level.WARN}


# -- what it means -------------------------------------------------------------------------------


def finding(code: str, level: Level, ground: Ground = Ground.LIMIT) -> Finding:
    return Finding(code=code, cause="queue.limit_reached", level=level, ground=ground)


WARN = finding("limit.count", Level.WARN)
CONFIRM = finding("duplicate.suspected", Level.CONFIRM, Ground.DUPLICATE)
REFUSE = finding("limit.total", Level.REFUSE)


@pytest.mark.parametrize(
    ("findings", "confirmed", "answer"),
    [
        ([], "", Answer.TAKE),
        ([WARN], "", Answer.TAKE),
        ([CONFIRM, WARN], "", Answer.CONFIRM),
        ([CONFIRM], "duplicate.suspected", Answer.TAKE),
        ([REFUSE, CONFIRM], "duplicate.suspected", Answer.REFUSE),
        ([REFUSE], "limit.total", Answer.REFUSE),
    ],
)
def test_the_word_before_the_payment(
    findings: list[Finding], confirmed: str, answer: Answer
) -> None:
    """The gravest finding decides; a cashier can confirm a doubt but not lift a limit."""
    assert answer_of(transaction(), findings, frozenset({confirmed})) is answer


def ask(t: Transaction, rules: Rules, confirmed: str = "", *, in_doubt: bool = False) -> Ruling:
    return rule_on(t, [REFUSE, CONFIRM, WARN], rules, frozenset({confirmed}), in_doubt=in_doubt)


REQUEST = transaction(posting=Posting.REQUEST)
FLAGS = ("limit.total", "duplicate.suspected")


@pytest.mark.parametrize(
    ("t", "in_doubt"),
    [
        (transaction(posting=Posting.ADVICE), False),
        (transaction(posting=Posting.REQUEST, delivery=Delivery.APP), False),
        (REQUEST, True),
    ],
)
def test_what_may_have_happened_is_taken_and_flagged(t: Transaction, in_doubt: bool) -> None:
    """Money rule 3: advices, the app's own traffic and what was tried before are kept and sent."""
    assert ask(t, Rules(policies=ALL), in_doubt=in_doubt) == Ruling(flags=FLAGS)


def test_a_request_meets_the_policy_of_each_ground() -> None:
    """Refused before held, held before flagged; without a policy it is flagged."""
    with pytest.raises(RefusedError) as caught:
        ask(REQUEST, Rules(policies={Ground.LIMIT: Policy.REFUSE, Ground.DUPLICATE: Policy.HOLD}))
    assert caught.value.code == "limit.total"
    assert caught.value.findings == (REFUSE,)
    held = ask(REQUEST, Rules(policies={Ground.DUPLICATE: Policy.HOLD}))
    assert held == Ruling(flags=FLAGS, held_for=CONFIRM)
    assert ask(REQUEST, Rules()) == Ruling(flags=FLAGS)


def test_what_the_cashier_confirmed_is_flagged_only() -> None:
    """A confirmation answers the doubt and never the limit."""
    rules = Rules(policies={Ground.DUPLICATE: Policy.REFUSE, Ground.LIMIT: Policy.HOLD})
    assert ask(REQUEST, rules, "duplicate.suspected") == Ruling(flags=FLAGS, held_for=REFUSE)


def test_the_gravest_stands_first() -> None:
    """Whoever reads one line reads the one that counts."""
    rules = replace(limited(total_minor=10_000, confirm_minor=1), terminal_ids=frozenset({"x"}))
    exposure = Exposure(total_minor=8_000)
    assert list(found(rules, exposure)) == ["terminal.mismatch", "amount.large", "limit.total"]


def test_nothing_found_means_nothing() -> None:
    """Most payments: no flags, no hold, whatever the policies are."""
    assert rule_on(REQUEST, [], Rules(policies=ALL), frozenset(), in_doubt=False) == Ruling()
