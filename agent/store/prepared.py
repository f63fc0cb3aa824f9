"""What a payment app handed over beside a payment, asked for and used from the loop.

Query messages, reversals by reason, payloads replaced after key loss, and whether a batch upload is
still waiting. The rules are `core.money.reversing` and the journal's.
"""

from __future__ import annotations

from agent.clock import Clock
from agent.core.money.journal import Record
from agent.core.money.transaction import Submission
from agent.store import Store


class Prepared:
    """The further messages of the payments in one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def query_payload(self, record: Record) -> bytes | None:
        """The message that asks for the outcome, if the app gave one."""
        return await self._store.journal(lambda journal: journal.linked.query_payload(record))

    async def waits_for_covered(self, record: Record) -> bool:
        """Whether payments that a batch upload covers are still unsent."""
        return await self._store.journal(lambda journal: journal.linked.waits_for_covered(record))

    async def reverse(self, key: str, reason: str, actor: str = "agent") -> Record:
        """Record the prepared reversal of a payment; see `Linked.reverse` for refusals."""
        appended = await self._store.change(
            lambda journal: journal.linked.reverse(key, reason, actor, self._clock.now())
        )
        return appended.record

    async def replace(self, record: Record, fresh: Submission, actor: str) -> Record:
        """Put new bytes under a payment's key; see `Linked.replace` for refusals."""
        return await self._store.change(
            lambda journal: journal.linked.replace(record, fresh, actor, self._clock.now())
        )
