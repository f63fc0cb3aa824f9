"""What was true on the terminal while payments were captured: rows of state.db, for statistics.

A row covers payments in a row; a payment no row covers was captured under circumstances nobody
knows any more. Called by `agent.main.arounds` and, for reading, by the statistics.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from agent.core.moment import to_ms
from agent.core.why.around import Around
from agent.record import dataclass

T = TypeVar("T")

#: A terminal whose circumstances change every few minutes fills this in months: 1 MB.
KEEP_ROWS = 20_000
PAGE = 500

_PUT = "INSERT OR REPLACE INTO around VALUES (?, ?, ?, ?, ?, ?, ?)"
_PRUNE = """
DELETE FROM around WHERE (journal_ms, first_seq) <= (
    SELECT journal_ms, first_seq FROM around
    ORDER BY journal_ms DESC, first_seq DESC LIMIT 1 OFFSET ?
)
"""
_PAGE = """
SELECT first_seq, last_seq, network, channel, signal, printer FROM around
WHERE journal_ms = ? AND first_seq > ? ORDER BY first_seq LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Span:
    """Circumstances, and the payments captured under them."""

    first_seq: int
    last_seq: int
    around: Around


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class AroundRows:
    """The rows of one journal."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def put(self, born_at: datetime, spans: Sequence[Span]) -> None:
        """Keep these, and of all only the newest; a span that has grown replaces itself."""
        born_ms = to_ms(born_at)
        rows = [
            (born_ms, one.first_seq, one.last_seq, one.around.network, one.around.channel,
             one.around.signal, one.around.printer)
            for one in spans
        ]  # fmt: skip

        def work(db: sqlite3.Connection) -> None:
            db.executemany(_PUT, rows)
            db.execute(_PRUNE, (KEEP_ROWS,))

        await self._db.state(work)

    async def page(self, born_at: datetime, after_seq: int) -> list[Span]:
        """Some of them in order, after the span that begins at `after_seq`."""
        rows = await self._db.state(
            lambda db: db.execute(_PAGE, (to_ms(born_at), after_seq, PAGE)).fetchall()
        )
        return [
            Span(
                row[0],
                row[1],
                Around(network=row[2], channel=row[3], signal=row[4], printer=row[5]),
            )
            for row in rows
        ]
