"""What the daemon needs of the store beside money: heartbeat, counters, the quarantine count."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path

from agent.errors import StoreError
from agent.store import Store, opening
from agent.store.files import Counters
from agent.store.journal import Journal
from agent.store.salvage import count_copy

log = logging.getLogger(__name__)

#: A sync slower than this is no longer slow flash but dead flash: the watchdog may have us.
STUCK_MS = 120_000

Found = tuple[int, dict[str, int]] | None
Threaded = Callable[[Callable[[], Found]], Awaitable[Found]]


class StorePart:
    """The store as a part of the daemon: opened before and closed after all others."""

    name = "store"
    fatal = True

    def __init__(self, store: Store) -> None:
        self._store = store
        self._probe: tuple[int, asyncio.Task[None]] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Nothing to do: work arrives by itself."""
        await stop.wait()

    def beat(self, now_ms: int) -> str:
        """Each call sends an empty piece of work through the thread and looks for the last one."""
        if self._store.refusal is not None:
            return ""  # it says so to whoever asks; a restart by the watchdog would not help
        if self._probe is not None and not self._probe[1].done():
            late_ms = now_ms - self._probe[0]
            return (
                f"the store has not answered for {late_ms // 1000} s" if late_ms > STUCK_MS else ""
            )
        self._probe = (
            now_ms,
            asyncio.create_task(self._store.outside(_nothing), name="store-probe"),
        )
        return ""

    # -- the counters file, as telemetry sees it -------------------------------------------

    def outbox_id(self) -> str:
        """Names this terminal's messages together with their number."""
        return self._store.counters.counts.outbox_id

    async def next_connect(self) -> int:
        """Raise the connect counter and sync it; consumers drop a Will with an older one."""
        return await self._store.outside(_one_more_connect)

    async def clock_proved(self, utc_ms: int, not_yet_ms: int) -> None:
        """Witnesses have shown that times up to `not_yet_ms`, believed before, have not come."""
        await self._store.journal(
            lambda journal: opening.clock_proved(journal.table, utc_ms, not_yet_ms)
        )

    async def terminals(self) -> list[tuple[str, str]]:
        """Terminals and merchants of the newest payments; none while the store is closed."""
        try:
            return await self._store.journal(_terminals)
        except StoreError:
            return []

    async def born_at(self) -> datetime:
        """When this journal began."""
        return (await self._store.facts()).born_at

    # -- the quarantine --------------------------------------------------------------------

    async def count_quarantined(self, threaded: Threaded) -> None:
        """Count what lies in journals put aside; `threaded` runs a slow call off the loop."""
        for item in await self._store.quarantined():
            if item.records is not None:
                continue
            found = await threaded(functools.partial(count_copy, Path(item.path)))
            if found is None:
                log.warning("event=quarantine_unreadable path=%s", item.path)
                continue
            await self._store.journal(
                functools.partial(_counted, item.id, records=found[0], amounts=found[1])
            )


def _nothing(_: Counters) -> None:
    """The thread came by: it still moves."""


def _terminals(journal: Journal) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in journal.table.many("terminals")]


def _counted(
    quarantine_id: int, journal: Journal, *, records: int, amounts: dict[str, int]
) -> None:
    journal.aside.counted(quarantine_id, records, amounts)


def _one_more_connect(counters: Counters) -> int:
    return counters.save(connects=counters.counts.connects + 1).connects
