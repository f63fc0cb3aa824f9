"""The rules over the store's own figures, asked from the loop: nothing is written by asking."""

from __future__ import annotations

from agent.clock import Clock
from agent.core.money.lately import entered
from agent.core.money.limits import Finding, Rules, Use
from agent.core.money.transaction import Transaction
from agent.store import Store

NO_RULES = Rules()


class Checks:
    """Holds payments against the rules the store was opened with."""

    def __init__(self, store: Store, clock: Clock, rules: Rules = NO_RULES) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock

    async def examine(self, transaction: Transaction) -> tuple[Finding, ...]:
        """All that speaks against taking this payment now."""
        return await self._store.journal(
            lambda journal: journal.examiner.findings(transaction, self._clock.now())
        )

    def entered(self, entry_ms: int) -> list[Finding]:
        """What speaks against a payment keyed within so many milliseconds."""
        watch = self._rules.watch
        return [] if watch is None else entered(entry_ms, watch)

    async def unfinished(self, transaction: Transaction) -> str | None:
        """Key of an open payment that this one may be again."""
        return await self._store.journal(
            lambda journal: journal.examiner.unfinished(transaction, self._clock.now())
        )

    async def fullest(self) -> tuple[Use | None, bool]:
        """The limit used up furthest, and whether it counts as reached."""
        return await self._store.journal(
            lambda journal: journal.examiner.fullest(self._clock.now())
        )
