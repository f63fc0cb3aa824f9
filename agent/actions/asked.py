"""Reads what a question about several payments needs, a bounded part of the journal at a time."""

from __future__ import annotations

from datetime import timedelta

from agent.actions.ports import Ports
from agent.core.money.journal import UNSENT, Record
from agent.core.why.asked import Asked, Question
from agent.core.why.preauths import PREAUTH_DAYS, PREAUTH_FAMILY
from agent.errors import StoreError

#: The oldest unsent payments that are looked at one by one.
UNSENT_LOOKED_AT = 500
#: So long after its last day a pre-authorisation is still worth a word.
_AFTER_DAYS = 30


async def read(ports: Ports, question: Question) -> Asked:
    """What the answer is made of; what cannot be read is None."""
    match question:
        case Question.SLIP:
            return Asked(question=question)
        case Question.PREAUTH:
            return await _preauths(ports)
        case _:
            return await _unsent(ports, question)


async def _unsent(ports: Ports, question: Question) -> Asked:
    try:
        records: tuple[Record, ...] = tuple(
            await ports.journal.page(states=UNSENT, after_seq=0, limit=UNSENT_LOOKED_AT)
        )
        more = 0
        if len(records) == UNSENT_LOOKED_AT:
            more = max(0, (await ports.journal.backlog()).total.count - len(records))
        batches = () if ports.kinds is None else tuple(await ports.kinds.batches())
    except StoreError:
        return Asked(question=question, records=None, batches=None)
    return Asked(
        question=question,
        records=records,
        more=more,
        batches=batches,
        listed=await _listed(ports),
        late_after_s=ports.late_after_s,
    )


async def _listed(ports: Ports) -> bool | None:
    try:
        return None if ports.lists is None else bool(await ports.lists.lists(1))
    except StoreError:
        return None


async def _preauths(ports: Ports) -> Asked:
    if ports.kinds is None:
        return Asked(question=Question.PREAUTH, records=None)
    since_at = ports.clock.now().at - timedelta(days=PREAUTH_DAYS + _AFTER_DAYS)
    try:
        records, back_to = await ports.kinds.of_kinds(PREAUTH_FAMILY, since_at)
    except StoreError:
        return Asked(question=Question.PREAUTH, records=None)
    return Asked(question=Question.PREAUTH, records=tuple(records), looked_back_to=back_to)
