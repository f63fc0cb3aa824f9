"""What happens beside a payment's own attempts: a reversal, an answer that comes late.

It says what is to be written down, or has the reversal made; it knows neither hosts nor channels.
Called by the attempts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from agent.core.money.delivery import OUTCOMES, Plan, Reply
from agent.core.money.journal import TRANSITIONS, Change, Event, Record, State
from agent.core.money.reversing import late
from agent.errors import CallerError

log = logging.getLogger(__name__)

#: Records the reversal the app prepared: key, reason -> the reversal's record.
Reverse = Callable[[str, str], Awaitable[Record]]


async def taken_back(reverse: Reverse | None, record: Record, decision: Plan) -> Change | None:
    """Money rule 5: take it back with the message the app prepared. None, or the change that
    leaves it to a person."""
    why = "no reversal can be recorded here"
    if reverse is not None:
        try:
            made = await reverse(record.key, decision.reason)
        except CallerError as error:
            why = error.what
        else:
            log.info("event=reversal_made seq=%s of_seq=%s", made.seq, record.seq)
            return None
    note = f"the outcome is unknown, and it cannot be taken back: {why}"
    return Change(event=Event.HOLD, cause="queue.held", note=note)


def outcome_of(reply: Reply) -> Change:
    """What an answer says of a payment, apart from when it is tried again."""
    outcome = OUTCOMES[reply.answer]
    cause = reply.cause or outcome.cause
    return Change(event=outcome.event, cause=cause, note=reply.note, result=reply.result)


def overtaken(found: Record, change: Change) -> Change | None:
    """U20: what is left of an outcome whose record has moved on meanwhile; None: nothing.

    A final answer is proof and ends what is open all the same. What has ended keeps it as a line
    of history; against another end it is an alarm besides, except where it was taken back.
    """
    if change.event is Event.LATE:
        return change
    if change.event not in (Event.POSTED, Event.DECLINED):
        return None
    if not found.final:
        return change if (found.state, change.event) in TRANSITIONS else None
    if found.state.value != change.event.value and found.state is not State.REVERSED:
        log.error(
            "event=answer_contradicts seq=%s state=%s answer=%s",
            found.seq, found.state, change.event,
        )  # fmt: skip
    return late(found, change)
