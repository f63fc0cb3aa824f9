"""What is left of an answer whose payment has moved on, and of a reversal nobody can make."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from agent.core.money.delivery import Answer, Plan, Reply, Todo
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.errors import StoreError
from agent.uplink.aftermath import outcome_of, overtaken, taken_back
from tests.core.money.payments import record
from tests.uplink.scene import scene

APPROVED = Reply(answer=Answer.POSTED, result=HostResult(reference="h-1"))
POSTED = outcome_of(APPROVED)


@pytest.mark.parametrize("state", [State.SENDING, State.WAITING, State.HELD])
def test_a_final_answer_ends_what_is_open(state: State) -> None:
    """U20: whoever moved it on meanwhile, the host's word is proof."""
    assert overtaken(record(state=state), POSTED) == POSTED


def test_what_was_never_sent_is_not_ended_by_an_answer() -> None:
    """It cannot be an answer to this payment."""
    assert overtaken(record(), POSTED) is None


def test_only_final_answers_outlive_their_attempt() -> None:
    """Silence, refusals and questions say nothing about what came after them."""
    for event in (Event.NO_ANSWER, Event.REFUSED, Event.ASKED, Event.HOLD, Event.LAPSE):
        assert overtaken(record(state=State.POSTED), Change(event=event)) is None


@pytest.mark.parametrize(
    ("state", "alarms"),
    [(State.POSTED, 0), (State.REVERSED, 0), (State.DECLINED, 1), (State.VOIDED, 1)],
)
def test_what_has_ended_keeps_it_as_history(
    state: State, alarms: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Rule 5: an approval of what was taken back is expected; of what was declined it is not."""
    with caplog.at_level(logging.ERROR):
        kept = overtaken(record(state=state), POSTED)
    assert kept is not None
    assert (kept.event, kept.result) == (Event.LATE, None)
    assert len(caplog.records) == alarms
    assert overtaken(record(state=state, version=9), kept) == kept, "also when it moved again"


def test_an_answer_to_an_attempt_that_is_over_counts_while_the_payment_is_open(
    tmp_path: Path,
) -> None:
    """Posted by the late answer; a second one is a line of history and changes nothing else."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("drop_after")
            await it.hand_over("k1")

            async def doubtful() -> bool:
                return (await it.now("k1")).in_doubt

            await it.until(doubtful, 0)
            await it.runner.late("k1", APPROVED)
            posted = await it.reaches("k1", State.POSTED, 0)
            await it.runner.late("k1", Reply(answer=Answer.DECLINED))
            await it.runner.late("k1", Reply(answer=Answer.BUSY))
            await it.runner.late("unknown", APPROVED)
            record = await it.now("k1")
            assert (record.state, record.result) == (State.POSTED, posted.result)
            assert (await it.events("k1"))[-2:] == ["posted", "late"]

    asyncio.run(story())


def test_a_late_answer_waits_for_room_and_is_named_when_it_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """U21 holds for it as well; a store that cannot be opened loses it, and says so."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("delay", delay_s=5)
            await it.hand_over("k1")
            await it.reaches("k1", State.SENDING, 0)
            real, errors = it.store.advance, ["store.unavailable", "store.full"]

            async def refusing(seq: int, version: int, change: Change) -> Record:
                if change.event is Event.POSTED and errors:
                    raise StoreError(errors.pop(0), "no")
                return await real(seq, version, change)

            it.store.advance = refusing  # type: ignore[method-assign]
            await it.runner.late("k1", APPROVED)
            assert (await it.now("k1")).state is State.SENDING
            assert "late_answer_lost" in caplog.text
            await it.runner.late("k1", APPROVED)
            assert (await it.now("k1")).state is State.POSTED

    asyncio.run(story())


def test_without_anything_to_take_it_back_with_a_person_is_asked() -> None:
    """A daemon without that port holds, and never sends again instead."""
    decision = Plan(todo=Todo.REVERSE, reason="98")
    change = asyncio.run(taken_back(None, record(), decision))
    assert change is not None
    assert (change.event, change.cause) == (Event.HOLD, "queue.held")
