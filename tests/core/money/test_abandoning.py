"""Giving up a held payment: when the host must be asked first, and what the row then says."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.moment import at_ms
from agent.core.money.abandoning import (
    CAUSE,
    Asking,
    Confirmation,
    Outcome,
    abandoned,
    given_up,
    unasked,
)
from agent.core.money.journal import UNSENT, Event, IllegalMoveError, State, Step, move
from tests.core.money.payments import record

DOUBTFUL = replace(record("k", state=State.HELD), in_doubt=True)
WORD = Confirmation(outcome=Outcome.NOT_AT_HOST, reference="ticket 4711", said_by="A. Wang")


def asked(event: Event, seconds: float) -> Step:
    """A line of the history, so long after the payment was stored."""
    at = at_ms(DOUBTFUL.stored.wall_ms) + timedelta(seconds=seconds)
    return Step(
        event=event, state=State.HELD, in_doubt=True, cause="", note="", count=1,
        first_at=at, last_at=at,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "asking", "steps", "must"),
    [
        ({}, Asking.YES, [], True),
        ({}, Asking.YES, [asked(Event.ASKED, 5)], True),
        ({"not_found": 1}, Asking.YES, [], False),
        ({"in_doubt": False}, Asking.YES, [], False),
        ({}, Asking.NO, [], False),
        ({}, Asking.STALE, [], True),
        ({}, Asking.STALE, [asked(Event.HOLD, 5), asked(Event.ASKED, -5)], True),
        ({}, Asking.STALE, [asked(Event.ASKED, 5)], False),
    ],
)
def test_the_host_is_asked_before_a_person_is_believed(
    changes: dict[str, object], asking: Asking, steps: list[Step], must: bool
) -> None:
    """In doubt its own "not found" is needed; where that proves nothing, it was asked at least."""
    assert unasked(replace(DOUBTFUL, **changes), steps, asking) is must


def test_the_history_names_who_and_why() -> None:
    """Outcome, reference, who confirmed it and who entered it; the cause stays to be seen."""
    change = abandoned(replace(DOUBTFUL, not_found=1), WORD, "uid:7")
    assert (change.event, change.cause, change.actor) == (Event.ABANDON, CAUSE, "uid:7")
    assert change.not_found == 1
    for said in ("not_at_host", "ticket 4711", "A. Wang", "uid:7"):
        assert said in change.note


def test_only_what_is_held_is_given_up_and_its_doubt_stays() -> None:
    """A person's word ends a payment; it is not the host's answer."""
    for doubt in (False, True):
        assert move(State.HELD, doubt, Event.ABANDON) == (State.VOIDED, doubt)
    for state in set(State) - {State.HELD}:
        with pytest.raises(IllegalMoveError):
            move(state, False, Event.ABANDON)
    assert State.HELD in UNSENT


def test_given_up_is_not_withdrawn() -> None:
    """What the app withdrew has no cause; what was given up keeps one."""
    assert given_up(record(state=State.VOIDED, cause=CAUSE))
    assert not given_up(record(state=State.VOIDED, cause=""))
    assert not given_up(record(state=State.HELD, cause=CAUSE))
