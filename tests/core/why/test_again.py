"""Whether to take a payment again: never while anything says its money may be somewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.money.journal import State
from agent.core.why.case import Payment, Said, Settled
from agent.core.why.explain import Retry, Stage
from tests.core.why.cases import case, codes, condition, record, verdict

PROOF = Settled(number=3, name="list.csv", on="2026-11-21", read_at=None)
ENDED = (State.DECLINED, State.LAPSED, State.REVERSED, State.VOIDED)


@pytest.mark.parametrize("state", ENDED)
def test_not_while_a_list_has_it(state: State) -> None:
    """The terminal says it came to nothing, the bank's list says otherwise: not again."""
    one = record(state)
    assert verdict(one).advice.retry is Retry.SAFE_TO_RETRY
    for code in ("settlement.duplicate", "settlement.risk_hold", "settlement.amount_differs"):
        assert verdict(one, said=(Said(code=code),)).advice.retry is Retry.DO_NOT_RETRY
    assert verdict(one, said=(Said(code="settlement.not_in_file"),)).advice.retry is (
        Retry.SAFE_TO_RETRY
    )


def test_not_while_a_twin_may_have_it() -> None:
    """A declined payment with a twin: the twin may be the one that went through."""
    one = record(State.DECLINED, flags=("duplicate.suspected",))
    answer = verdict(one)
    assert answer.advice.retry is Retry.DO_NOT_RETRY
    assert "duplicate.suspected" in codes(answer)


def test_not_while_it_is_being_reversed() -> None:
    """A payment frozen by its reversal is not sent by itself, and its money is not back yet."""
    one = record(State.WAITING, cause="reversal.pending")
    assert verdict(one).advice.retry is Retry.DO_NOT_RETRY


def test_what_the_check_disliked_is_a_cause() -> None:
    """A flag without an entry in the catalogue stays a fact."""
    one = record(State.QUEUED, flags=("amount.mistyped", "app.contradicted"))
    assert codes(verdict(one)) == ["operator.wrong_amount"]


def test_a_list_proves_settlement() -> None:
    """What a list has is settled: nothing is missing, and nothing about it is unknown."""
    one = record(State.POSTED)
    for proof in (PROOF, replace(PROOF, sure=False)):
        answer = verdict(payment=Payment(key=one.key, record=one, settled=proof))
        assert answer.stages is not None
        assert (answer.stages.proven, answer.stages.missing) == (Stage.SETTLED, None)
        assert any("list 3" in fact.render("en") for fact in answer.facts)
        assert answer.unknowns == ()
    waits = record(State.WAITING)
    asked = case(payment=Payment(key=waits.key, record=waits, settled=PROOF))
    assert asked.payment is not None


def test_who_could_not_be_asked_is_said() -> None:
    """Silence of another part is an unknown."""
    answer = verdict(record(State.POSTED), unheard=("ListEvidence", "Somebody"))
    words = [line.render("en") for line in answer.unknowns]
    assert "the acquirer's lists: could not be asked" in words
    assert "Somebody: could not be asked" in words


def test_a_modem_without_its_card_has_no_link() -> None:
    """The card is the root on the modem's own interface only."""
    sim = condition("network.sim_problem", component="signal")
    mine = condition("network.no_link", args={"interface": "wwan0"})
    answer = verdict(record(State.QUEUED), conditions=(mine, sim))
    assert codes(answer) == ["network.sim_problem"]
    cable = condition("network.no_link", args={"interface": "eth0"})
    answer = verdict(record(State.QUEUED), conditions=(cable, sim))
    assert codes(answer) == ["network.no_link", "network.sim_problem"]
