"""The states of a payment: what the transition table allows, and that doubt is sticky."""

from __future__ import annotations

import pytest

from agent.core.money.journal import (
    FINAL,
    TRANSITIONS,
    UNSENT,
    Doubt,
    Event,
    IllegalMoveError,
    State,
    move,
)
from tests.core.money.payments import record


def test_nothing_leaves_a_final_state() -> None:
    """Proof is proof: no event moves a posted, declined, reversed, voided or lapsed payment."""
    for state in FINAL:
        for event in set(Event) - {Event.LATE}:
            if (state, event) == (State.POSTED, Event.REVERSE):
                continue  # taken back after the fact: test_reversing
            with pytest.raises(IllegalMoveError):
                move(state, False, event)


def test_only_a_bound_answer_or_an_authoritative_not_found_takes_doubt_away() -> None:
    """Doubt is cleared by U3/U6/U11/U17/U18 and by an accepted reversal, by nothing else."""
    clearing = {event for (_, event), to in TRANSITIONS.items() if to.doubt is Doubt.CLEAR}
    assert clearing == {Event.POSTED, Event.DECLINED, Event.NOT_FOUND, Event.REVERSE}
    for (state, event), to in TRANSITIONS.items():
        if to.doubt is Doubt.KEEP:
            assert move(state, True, event) == (to.to, True)
            assert move(state, False, event) == (to.to, False)


def test_a_payment_in_doubt_is_neither_voided_nor_lapsed() -> None:
    """L10 and rule 2: what the host may have is not withdrawn here."""
    for state in (State.QUEUED, State.WAITING):
        for event, to in ((Event.VOID, State.VOIDED), (Event.LAPSE, State.LAPSED)):
            assert move(state, False, event) == (to, False)
            with pytest.raises(IllegalMoveError, match="in doubt"):
                move(state, True, event)


def test_losing_an_answer_or_the_process_sets_doubt() -> None:
    """U2 and U22: bytes left, nobody knows."""
    assert move(State.SENDING, False, Event.NO_ANSWER) == (State.WAITING, True)
    assert move(State.SENDING, False, Event.RESTART) == (State.WAITING, True)


def test_damage_holds_everything_unsent_in_doubt() -> None:
    """Money rule 8."""
    for state in UNSENT:
        assert move(state, False, Event.DAMAGE) == (State.HELD, True)


def test_every_unsent_state_can_reach_an_end() -> None:
    """No payment can get stuck in a corner of the table."""
    for start in UNSENT:
        seen, todo = {start}, [start]
        while todo:
            here = todo.pop()
            for (state, _), to in TRANSITIONS.items():
                if state is here and to.to not in seen:
                    seen.add(to.to)
                    todo.append(to.to)
        assert State.POSTED in seen
        assert State.DECLINED in seen


def test_a_record_knows_its_key_and_whether_it_is_done() -> None:
    """The two questions everybody asks of a record."""
    assert record("k9").key == "k9"
    assert not record().final
    assert record(state=State.POSTED).final
