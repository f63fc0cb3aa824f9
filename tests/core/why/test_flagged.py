"""What flags mean in a verdict, payments left undone, and who has an alarm in hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from agent.core.health.conditions import Severity
from agent.core.health.tracker import Alarm
from agent.core.money.journal import State
from agent.core.money.limits import Rules
from agent.core.money.stages import Effect, Kept, Report, Stage
from agent.core.money.transaction import Card, Delivery
from agent.core.why.causes import CATALOGUE
from agent.core.why.flagged import CAUSES, about, in_hand, not_completed
from agent.core.why.text import Money
from tests.core.money.payments import AT, record

CARD = Card(scheme="unionpay", masked="622202******0123")
RULES = Rules(duplicate_window_s=60, trace_window_s=60)


def test_a_suspected_duplicate_is_told_with_its_twin() -> None:
    """Key, time, amount and STAN; payments taken back or of another kind are no twin."""
    one = record("new", of={"card": CARD, "stan": "000200"}, seq=9, flags=("duplicate.suspected",))
    before = {"card": CARD, "occurred_at": AT - timedelta(seconds=20)}
    twin = record("old", of=before, seq=7)
    undone = record("gone", of=before, seq=8, state=State.REVERSED)
    (said,) = about(one, [one, undone, twin], RULES)
    assert (said.code, said.args["twin"], said.args["twin_stan"]) == (
        "duplicate.suspected", "old", "000123",
    )  # fmt: skip
    assert said.args["twin_at"] == AT - timedelta(seconds=20)
    assert said.args["twin_amount"] == Money(1250, "CNY")
    assert "old" in said.evidence[0].render("en")
    assert "12.50" in said.evidence[0].render("zh")
    (bare,) = about(one, [undone], RULES)
    assert bare.code == "duplicate.suspected"
    assert "twin" not in bare.args


def test_a_mistyped_amount_is_told_with_what_it_is_compared_with() -> None:
    """The same card's other payment."""
    of = {"card": CARD, "amount_minor": 12_500}
    one = record("new", of=of, seq=9, flags=("amount.mistyped", "limit.total"))
    model = record("old", of={"card": CARD}, seq=7)
    (said,) = about(one, [model], RULES)
    assert said.code == "operator.wrong_amount"
    assert said.args == {"compared_with": Money(1250, "CNY")}


def test_every_flag_that_says_something_has_a_cause() -> None:
    """In the catalogue; others are left to what stands beside them."""
    assert set(CAUSES.values()) <= set(CATALOGUE)
    for flag, cause in sorted(CAUSES.items()):
        (said,) = about(record(flags=(flag,)), [], RULES)
        assert said.code == cause
        assert said.evidence[0].render("zh")
        assert flag in said.evidence[0].render("en")
    assert about(record(), [], RULES) == []


def kept(n: int, stage: Stage) -> Kept:
    return Kept(report=Report(n=n, stage=stage, at=AT), effect=Effect.NOTED, stored_at=AT)


def test_a_payment_captured_and_left_alone_was_not_completed() -> None:
    """After a while, by the last report; sent, ended or the agent's own is something else."""
    one = record(of={"delivery": Delivery.APP})
    late = AT + timedelta(seconds=900)
    (said,) = not_completed(one, [kept(1, Stage.CAPTURED)], late, 900)
    assert (said.code, said.args["last_step"]) == ("operator.not_completed", "captured")
    assert not_completed(one, [kept(1, Stage.CAPTURED)], AT, 900) == []
    assert not_completed(one, [kept(2, Stage.SENT), kept(1, Stage.CAPTURED)], late, 900) == []
    assert not_completed(one, [], late, 900) == []
    assert not_completed(record(), [kept(1, Stage.CAPTURED)], late, 900) == []
    ended = replace(one, state=State.VOIDED)
    assert not_completed(ended, [kept(1, Stage.CAPTURED)], late, 900) == []


def test_whoever_has_an_alarm_in_hand_stands_beside_it() -> None:
    """Of roots only; nobody's are left out."""
    alarm = Alarm(
        code="printer.paper_out", component="printer", severity=Severity.MAJOR, since_at=AT,
        shown_at=AT, args={}, flaps=0, suppressed_by="", acknowledged_by="uid:0",
        acknowledged_to="Li", acknowledged_note="roll ordered",
        acknowledged_until=AT,
    )  # fmt: skip
    (said,) = in_hand(
        [alarm, replace(alarm, suppressed_by="x.y"), replace(alarm, acknowledged_by="")]
    )
    text = said.evidence[0].render("en")
    assert said.code == "printer.paper_out"
    assert "Li" in text
    assert "roll ordered" in text
    assert "uid:0" in said.evidence[0].render("zh")
