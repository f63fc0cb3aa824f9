"""What payment apps report, asked for and written from the loop. The rules are the core's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agent.clock import Clock
from agent.core.money.batches import AppReport, Batch, SignOn
from agent.core.money.journal import Change, Record
from agent.core.money.stages import Kept, Report, Settlement
from agent.store import Store


class Reports:
    """The reports in one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def report(self, key: str, reports: Sequence[Report]) -> tuple[Record, list[Kept]]:
        """Take reports of a payment's stages; see `Reported.report` for refusals."""
        return await self._store.change(
            lambda journal: journal.reported.report(key, reports, self._clock.now())
        )

    async def settle(self, key: str, word: Settlement) -> Record:
        """A person's word about a payment the app sent; see `Reported.settle`."""
        return await self._store.change(
            lambda journal: journal.reported.settle(key, word, self._clock.now())
        )

    async def told(self, report: AppReport) -> tuple[Batch | None, SignOn | None]:
        """Take a report about a terminal in; what is known of it now."""
        return await self._store.journal(lambda journal: journal.reported.told(report))

    async def stages(self, seq: int) -> list[Kept]:
        return await self._store.journal(lambda journal: journal.reported.stages(seq))

    async def batch(self, terminal_id: str, batch: str | None) -> Batch | None:
        return await self._store.journal(lambda journal: journal.reported.batch(terminal_id, batch))

    async def open_batches(self) -> list[Batch]:
        return await self._store.journal(lambda journal: journal.reported.open_batches())

    async def sign_ons(self) -> Mapping[str, SignOn]:
        return await self._store.journal(lambda journal: journal.reported.sign_ons())

    # -- for the one who watches their silence ---------------------------------------------

    async def pending(self, after_seq: int, limit: int) -> list[Record]:
        """Unsettled payments the app sends itself, not in doubt yet."""
        return await self._store.journal(
            lambda journal: journal.pending_by_app(after_seq, limit, self._clock.now())
        )

    async def overdue(self, record: Record, changes: Sequence[Change]) -> Record:
        """Commit what silence means; raises CallerError when the record has moved meanwhile."""
        return await self._store.change(
            lambda journal: journal.reported.overdue(record, changes, self._clock.now())
        )

    async def boot_no(self) -> int:
        return await self._store.boot_no()
