"""The newest part of the journal by kind of payment, for questions a person asks now and then.

No index serves it: one more would cost flash for every payment. The journal is walked backwards by
its numbers instead, in pieces that hold up nobody's payment, and so far and no further. Serves the
daemon and the offline command line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from datetime import datetime
from typing import Protocol, TypeVar

from agent.core.moment import Moment, at_ms, to_ms
from agent.core.money.batches import Batch
from agent.core.money.journal import Record
from agent.core.money.transaction import Kind
from agent.record import dataclass
from agent.store.journal import Journal

T = TypeVar("T")

#: Numbers gone over in one turn on the store's thread, and records read in it.
ROWS, RECORDS = 2_000, 32
#: Turns at most: some fifty thousand payments.
PIECES = 25
MOST = 2_000


class Store(Protocol):
    """The journal, behind the store's writer thread or as a copy."""

    async def journal(self, work: Callable[[Journal], T]) -> T: ...


class Clock(Protocol):
    def now(self) -> Moment: ...


@dataclass(slots=True, kw_only=True)
class _Walk:
    """How far it came. `below`: the highest number not looked at yet."""

    below: int | None = None
    ended: bool = False
    back_to_ms: int | None = None
    found: list[Record] = field(default_factory=list)


class KindRows:
    """What `agent.actions` asks for."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def of_kinds(
        self, kinds: Collection[Kind], since_at: datetime
    ) -> tuple[Sequence[Record], datetime | None]:
        """Those of these kinds, oldest first, and how far back was looked; None: to `since_at`."""
        wanted = "[" + ",".join(f'"{kind}"' for kind in sorted(kinds)) + "]"
        since_ms, walk = to_ms(since_at), _Walk()
        for _ in range(PIECES):
            await self._store.journal(
                lambda journal: _piece(journal, walk, wanted, since_ms, self._clock.now())
            )
            if walk.ended or len(walk.found) >= MOST:
                break
        back_to_ms = None if walk.ended else walk.back_to_ms
        return walk.found[::-1], None if back_to_ms is None else at_ms(back_to_ms)

    async def batches(self) -> Sequence[Batch]:
        """The batches told of last, the newest first."""
        return await self._store.journal(lambda journal: journal.reported.batches())

    async def terminals(self) -> Sequence[tuple[str, str]]:
        """(TID, MID) of the newest payments."""
        rows = await self._store.journal(lambda journal: journal.table.many("terminals"))
        return [(row[0], row[1]) for row in rows]


def _piece(journal: Journal, walk: _Walk, wanted: str, since_ms: int, now: Moment) -> None:
    top = journal.table.next_seq - 1 if walk.below is None else walk.below
    low = max(0, top - ROWS)
    rows = journal.table.many("of_kinds", low, top, wanted, RECORDS)
    if len(rows) == RECORDS:
        low = rows[-1]["seq"] - 1
    walk.found += [r for row in rows if (r := journal.table.believed(row, now)) is not None]
    # Numbers nobody has any more (retention) are passed over in one step.
    following = journal.table.one("at_or_below", low)
    walk.below = 0 if following is None else following["seq"]
    walk.back_to_ms = None if following is None else following["stored_ms"]
    walk.ended = following is None or following["stored_ms"] < since_ms
