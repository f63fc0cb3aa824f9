"""Settlement lists plugged together. What reads them is loaded with the first one that comes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from agent.main.floor import Floor
from agent.store.settled_counts import SettledCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.actions.reconciling import Reconciler
    from agent.offload import Offload
    from agent.store.settled import SettledRows

SPOOL = "settlement-list.part"
#: How often old lists are forgotten.
TIDY_S = 86_400.0


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
        if made.cache_info().currsize or await SettledCounts(floor.store).any_read():
            await made().tidy()

    floor.timers.every(TIDY_S, "lists", tidy)
    return made
