"""How actions change payments: compare-and-set, in batches, with the actor in the history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import field

from agent.actions.ports import Ports
from agent.actions.ports.rooms import Mover
from agent.core.money.journal import Change, IllegalMoveError, Record, State
from agent.errors import CallerError
from agent.record import dataclass
from agent.wire.views import Moved, transaction_out

#: Changed at once, so that they share a commit of the store's writer.
BATCH = 50
#: Moved by one call: at 5 ms a commit this stays far below the handler's deadline.
MOST = 5_000
SHOWN = 100


@dataclass(slots=True)
class Tally:
    """What has been moved so far."""

    moved: list[Record] = field(default_factory=list)
    skipped: int = 0
    more: bool = False

    def out(self) -> Moved:
        return Moved(
            moved=len(self.moved),
            skipped=self.skipped,
            more=self.more,
            items=[transaction_out(record) for record in self.moved[:SHOWN]],
        )


async def move_all(
    ports: Ports,
    states: frozenset[State],
    wanted: Callable[[Record], bool],
    change: Callable[[Record], Change],
) -> Tally:
    """Every wanted record of these states, once."""
    mover = ports.moving()
    tally = Tally()
    after = 0
    while not tally.more:
        page = await ports.journal.page(states=states, after_seq=after, limit=500)
        if not page:
            break
        after = page[-1].seq
        chosen = [record for record in page if wanted(record)]
        room = MOST - len(tally.moved) - tally.skipped
        tally.more = len(chosen) > room
        for start in range(0, min(len(chosen), room), BATCH):
            await _move(mover, chosen[start : min(start + BATCH, room)], change, tally)
    return tally


async def _move(
    mover: Mover, records: Iterable[Record], change: Callable[[Record], Change], tally: Tally
) -> None:
    outcomes = await asyncio.gather(
        *(mover.advance(record.seq, record.version, change(record)) for record in records),
        return_exceptions=True,
    )
    for outcome in outcomes:
        match outcome:
            case Record():
                tally.moved.append(outcome)
            case CallerError() | IllegalMoveError():
                tally.skipped += 1  # the uploader was faster
            case _:
                raise outcome
