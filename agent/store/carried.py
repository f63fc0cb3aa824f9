"""What an update must carry over: the unsent payments before it, and the same ones after it.

Reads in pieces between other work. What it means is `agent.core.software.carried`. Called by the
updates, through main.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from agent.core.software.carried import Carried, Found, carried

if TYPE_CHECKING:
    from agent.store import Store
    from agent.store.journal import Journal

#: Rows in one piece: less than 5 ms of the writer.
PIECE = 500

_UNSENT = (
    "SELECT seq, coalesce(currency, ''), coalesce(amount_minor, 0) FROM tx INDEXED BY tx_unsent "
    "WHERE state < 4 AND uplink = ? AND seq > ? ORDER BY seq LIMIT ?"
)
_THERE = (
    "SELECT coalesce(currency, ''), count(*), coalesce(sum(amount_minor), 0) FROM tx "
    "WHERE seq BETWEEN ? AND ? GROUP BY 1"
)
Row = tuple[int, str, int]


class CarriedMoney:
    """Of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def unsent(self) -> Carried | None:
        """All that is unsent now; None where it is too scattered. Raises StoreError."""
        numbers: list[int] = []
        amounts: Counter[str] = Counter()
        for uplink in await self._store.journal(lambda journal: journal.table.uplinks()):
            after = 0
            while rows := await self._store.journal(partial(_unsent, uplink, after)):
                for seq, currency, minor in rows:
                    numbers.append(seq)
                    amounts[currency] += minor
                after = rows[-1][0]
        return carried(numbers, dict(amounts))

    async def found(self, before: Carried) -> Found:
        """What is there of them, in whatever state. Raises StoreError."""
        count, amounts = 0, Counter[str]()
        for first, last in before.ranges:
            for start in range(first, last + 1, PIECE):
                end = min(last, start + PIECE - 1)
                for currency, rows, minor in await self._store.journal(partial(_there, start, end)):
                    count += rows
                    amounts[currency] += minor
        return Found(count=count, amounts=dict(amounts))


def _unsent(uplink: str, after: int, journal: Journal) -> list[Row]:
    found = journal.table.db.execute(_UNSENT, (uplink, after, PIECE)).fetchall()
    return [(row[0], row[1], row[2]) for row in found]


def _there(first: int, last: int, journal: Journal) -> list[tuple[str, int, int]]:
    found = journal.table.db.execute(_THERE, (first, last)).fetchall()
    return [(row[0], row[1], row[2]) for row in found]
