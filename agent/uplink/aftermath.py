"""What happens beside a payment's own attempts: a reversal, an answer that comes late.

Called by the uploader. It commits, and knows neither hosts nor channels.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from agent.core.money.delivery import OUTCOMES, Plan, Reply
from agent.core.money.journal import Change, Event, IllegalMoveError, Record
from agent.core.money.reversing import late
from agent.errors import CallerError

log = logging.getLogger(__name__)

#: Records the reversal the app prepared: key, reason -> the reversal's record.
Reverse = Callable[[str, str], Awaitable[Record]]


class Journal(Protocol):
    """What is needed of the store."""

    async def record(self, key: str) -> Record | None: ...
    async def advance(self, seq: int, version: int, change: Change) -> Record: ...


async def reversed_or_held(
    journal: Journal, reverse: Reverse | None, record: Record, decision: Plan
) -> None:
    """Money rule 5: take it back with the message the app prepared, or leave it to a person."""
    why = "no reversal can be recorded here"
    if reverse is not None:
        try:
            made = await reverse(record.key, decision.reason)
        except CallerError as error:
            why = error.what
        else:
            log.info("event=reversal_made seq=%s of_seq=%s", made.seq, record.seq)
            return
    note = f"the outcome is unknown, and it cannot be taken back: {why}"
    hold = Change(event=Event.HOLD, cause="queue.held", note=note)
    await journal.advance(record.seq, record.version, hold)


async def told_late(journal: Journal, key: str, reply: Reply) -> None:
    """U20: an answer to an attempt that is over. It counts while the payment is open."""
    outcome = OUTCOMES[reply.answer]
    record = await journal.record(key)
    if record is None or outcome.event not in (Event.POSTED, Event.DECLINED):
        return
    cause = reply.cause or outcome.cause
    change = Change(event=outcome.event, cause=cause, note=reply.note, result=reply.result)
    kept = late(record, change)
    if record.final and record.state.value != outcome.event.value:
        log.error("event=late_answer_contradicts seq=%s state=%s said=%s",
                  record.seq, record.state, outcome.event)  # fmt: skip
    try:
        await journal.advance(record.seq, record.version, kept)
    except (CallerError, IllegalMoveError) as error:
        log.warning("event=late_answer_lost seq=%s reason=%r", record.seq, str(error))
