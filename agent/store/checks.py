"""The rules over the store's own figures, asked from the loop: nothing is written by asking."""

from __future__ import annotations

from agent.clock import Clock
from agent.core.money.limits import Finding, Use
from agent.core.money.transaction import Transaction
from agent.store import Store


class Checks:
    """Holds payments against the rules the store was opened with."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def examine(self, transaction: Transaction) -> tuple[Finding, ...]:
        """All that speaks against taking this payment now."""
        return await self._store.journal(
            lambda journal: journal.examiner.findings(transaction, self._clock.now())
        )

    async def fullest(self) -> tuple[Use | None, bool]:
        """The limit used up furthest, and whether it counts as reached."""
        return await self._store.journal(
            lambda journal: journal.examiner.fullest(self._clock.now())
        )
