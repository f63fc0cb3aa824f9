"""Settlement lists plugged together. What reads them is loaded with the first one that comes."""

from __future__ import annotations

from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import StoreError
from agent.main.floor import Floor
from agent.store.settled_counts import SettledCounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from agent.actions.pulling import Pulling
    from agent.actions.reconciling import Reconciler
    from agent.offload import Offload
    from agent.store.settled import SettledRows

SPOOL = "settlement-list.part"
#: How often old lists are forgotten.
TIDY_S = 86_400.0
#: How often it is looked whether a list is due; a comparison of numbers.
PULL_LOOK_S = 30.0
#: Lists looked through for the last one that was brought by hand.
OVERDUE_LISTS = 100


def puller_of(
    floor: Floor, rows: SettledRows, reconciler: Callable[[], Reconciler], device_id: str
) -> Callable[[], Pulling]:
    """Who fetches lists, made when one is due or a technician asks."""

    @cache
    def made() -> Pulling:
        from agent.actions.list_source import ListSource
        from agent.actions.pulling import Pulling
        from agent.link.dial import Dialer
        from agent.store.notes import Notes

        return Pulling(
            floor.config.reconcile,
            source=ListSource(
                Dialer(floor.threads, ways=floor.ways),
                floor.threads,
                Path(floor.config.hooks.directory),
            ),
            reconciler=reconciler,
            lists=rows,
            notes=Notes(floor.store),
            clock=floor.clock,
            device_id=device_id,
        )

    async def tick() -> None:
        await made().tick()

    if any(table.pull for table in floor.config.reconcile):
        floor.timers.every(PULL_LOOK_S, "list-pull", tick)
    return made


def overdue_of(floor: Floor) -> Callable[[], Awaitable[str]] | None:
    """Says which list that should be fetched has not come for days; None: none is fetched."""
    if not any(table.pull for table in floor.config.reconcile):
        return None

    async def told() -> str:
        from agent.actions.pulling import overdue
        from agent.store.notes import Notes
        from agent.store.settled import SettledRows

        lists = partial(SettledRows(floor.store).lists, OVERDUE_LISTS)
        now_ms = floor.clock.now().wall_ms
        return await overdue(floor.config.reconcile, Notes(floor.store), lists, now_ms)

    return told


def reconciler_of(
    floor: Floor, rows: SettledRows, offload: Offload, changed: Callable[[], object]
) -> Callable[[], Reconciler]:
    """Who reads lists, made when it is first asked for."""

    @cache
    def made() -> Reconciler:
        from agent.actions.reconciling import Reconciler
        from agent.store.paid import PaidRows
        from agent.store.spool import Spool

        return Reconciler(
            floor.config.reconcile,
            rows=rows,
            paid=PaidRows(floor.store, floor.clock),
            offload=offload,
            clock=floor.clock,
            spool=Spool(floor.store.directory / SPOOL),
            keep_days=floor.config.store.retention_days,
            told=changed,
        )

    async def tidy() -> None:
        # A store that does not open says so itself; what is too old waits for the next time.
        with suppress(StoreError):
            await tidied()

    async def tidied() -> None:
        if made.cache_info().currsize or await SettledCounts(floor.store).any_read():
            await made().tidy()

    floor.timers.every(TIDY_S, "lists", tidy)
    return made
