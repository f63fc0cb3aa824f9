"""Notes under which circumstances each payment was captured, for the statistics.

In memory at once, in state.db a minute later and only while payments come in: no payment waits
for it and none costs a sync of its own. What a crash takes is unknown afterwards, never wrong: a
row covers only payments that were seen under it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from agent.core.health.tracker import Alarm, ComponentState
from agent.core.money.journal import Record
from agent.core.why.around import Around, around_of
from agent.errors import StoreError
from agent.main.drill import LOOK_S, hard_restart
from agent.main.floor import Floor
from agent.main.watching import Watching
from agent.store.arounds import AroundRows, Span

log = logging.getLogger(__name__)

WRITE_S = 60.0
#: Not written because the store refuses: so many are kept, the oldest go first.
MOST = 1_000


def drilling(floor: Floor, rooms: Watching, idle: Callable[[], bool]) -> None:
    """Circumstances are noted from here on, and drills know when they would disturb."""
    arounds = Arounds(floor, rooms.watch)
    floor.store.on_change(arounds.heed)
    floor.timers.every(WRITE_S, "arounds", arounds.write)
    rooms.drills.equip(idle, partial(hard_restart, floor))
    rooms.drills.alarm.equip(rooms.watch)
    rooms.drills.subscribe(
        lambda drill: None if drill.ended_ms is None else rooms.watch.poke("drill")
    )
    if floor.config.drill.scheduled:
        floor.timers.every(LOOK_S, "drill", rooms.drills.look)


class Health(Protocol):
    """What the watchers last said."""

    def alarms(self) -> Sequence[Alarm]: ...
    def components(self) -> Sequence[ComponentState]: ...


class Arounds:
    """Listens to the journal."""

    def __init__(self, floor: Floor, health: Health) -> None:
        self._floor, self._health = floor, health
        self._rows = AroundRows(floor.store)
        self._spans: list[Span] = []
        self._fresh = False

    def heed(self, record: Record) -> None:
        """A record was committed; the first time it is a payment just captured."""
        if record.version != 1:
            return
        around, last = self._around(), self._spans[-1] if self._spans else None
        if last is not None and last.around == around and record.seq == last.last_seq + 1:
            self._spans[-1] = Span(last.first_seq, record.seq, around)
        else:
            self._spans.append(Span(record.seq, record.seq, around))
            del self._spans[:-MOST]
        self._fresh = True

    def _around(self) -> Around:
        ways = self._floor.ways
        channel = "" if ways is None else ways.way().channel
        known = (one for one in self._floor.config.channel if one.name == channel)
        kind = next((one.kind for one in known if one.kind != "other"), "")
        return around_of(self._health.components(), self._health.alarms(), channel, kind)

    async def write(self) -> None:
        """A timer's job: what is new goes to state.db in one transaction."""
        if not self._fresh:
            return
        spans, self._fresh = list(self._spans), False
        try:
            await self._rows.put(await self._floor.keeper.born_at(), spans)
        except StoreError as error:
            self._fresh = True
            log.debug("event=arounds_not_written code=%s", error.code)
            return
        written = len(spans) - 1  # the last one may still grow
        del self._spans[:written]
