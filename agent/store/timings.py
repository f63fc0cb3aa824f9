"""The few columns of every payment that statistics are made of, read in order and in small pieces.

A whole record costs ten times as much to take apart and to check. These are not checked against the
row's MAC: they decide nothing about money, and a row that was altered is found and put aside where
it is used, or by `posagent queue verify`. Called by the statistics, over a running or a dead
daemon's store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from agent.core.why.stats import Timed
from agent.store.journal import Journal
from agent.store.rows import STATES

T = TypeVar("T")

#: Of one piece; about 1 ms of the writer.
ROWS = 250

_TIMINGS = """
SELECT seq, state, cause, occurred_ms, changed_ms, stored_ms, stored_boot_ms, stored_boot_no,
    last_sent_ms, last_sent_boot_ms, last_sent_boot_no, amount_minor, currency, app
FROM tx WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?
"""
_NEWEST = "SELECT coalesce(max(seq), 0) FROM tx"
_STORED = "SELECT seq, stored_ms FROM tx WHERE seq > ? ORDER BY seq LIMIT 1"


class JournalDb(Protocol):
    """journal.db behind the store's writer thread."""

    async def journal(self, work: Callable[[Journal], T]) -> T:
        """Run `work` on the journal."""
        ...


class Timings:
    """The payments of one journal, as far as statistics need them."""

    def __init__(self, store: JournalDb) -> None:
        self._store = store
        self._versions: dict[str, str] = {}

    async def newest(self) -> int:
        """The number of the newest row; 0: there is none."""
        return await self._store.journal(_newest)

    async def page(self, after_seq: int, upto_seq: int) -> tuple[list[Timed], int | None]:
        """Some of those between, in order, and after which number to go on; None: that was all."""
        rows = await self._store.journal(partial(_rows, after_seq, upto_seq))
        found = [one for row in rows if (one := self._timed(row)) is not None]
        return found, rows[-1][0] if len(rows) == ROWS else None

    async def stored_since(self, at_ms: int, newest: int) -> int:
        """After which number the rows begin that were stored at `at_ms` or later.

        They are numbered as they were stored; some twenty reads of one row.
        """
        low, high = 0, newest
        while low < high:
            middle = (low + high) // 2
            row = await self._store.journal(partial(_stored, middle))
            if row is not None and isinstance(row[1], int) and row[1] < at_ms:
                low = row[0]
            else:
                high = middle
        return low

    def _timed(self, row: Sequence[Any]) -> Timed | None:
        """None: no such row was ever written; it is put aside where it is used."""
        seq, state, cause, *numbers, currency, app = row
        fits = isinstance(state, int) and 0 <= state < len(STATES) and isinstance(cause, str)
        if not fits or not all(isinstance(one, int) for one in numbers[:5]):
            return None
        if not all(one is None or isinstance(one, int) for one in numbers[5:]):
            return None
        named = currency if isinstance(currency, str) else None
        values = (*numbers, named, self._version(app))
        return Timed(seq, STATES[state], cause, *values)

    def _version(self, app: object) -> str:
        """Name and version; a terminal has a few of them and a hundred thousand payments."""
        if not isinstance(app, str):
            return ""
        known = self._versions.get(app)
        if known is None:
            try:
                told = json.loads(app)
                known = f"{told['name']} {told['version']}"
            except (ValueError, KeyError, TypeError, RecursionError):
                known = ""
            if len(self._versions) < 64:
                self._versions[app] = known
        return known


def _newest(journal: Journal) -> int:
    return int(journal.table.db.execute(_NEWEST).fetchone()[0])


def _rows(after_seq: int, upto_seq: int, journal: Journal) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in journal.table.db.execute(_TIMINGS, (after_seq, upto_seq, ROWS))]


def _stored(after_seq: int, journal: Journal) -> tuple[Any, ...] | None:
    row = journal.table.db.execute(_STORED, (after_seq,)).fetchone()
    return None if row is None else tuple(row)
