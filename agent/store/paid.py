"""Journal rows as a settlement list is held against them: a few columns, written out by SQLite.

A hundred thousand rows taken apart one by one would cost the daemon ten seconds of its thread. So
a page is one text, made by SQLite itself and handed on unread; what its columns mean is
`core.why.reconcile.payments.Payment`. Row MACs are not checked on the way (decisions.md): what a
list says moves no payment, and whoever asks about one payment reads its row with its MAC. Serves
the daemon and the offline command line.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

from agent.core.moment import Moment
from agent.core.why.reconcile.payments import FROM_MERCHANT, payment_of
from agent.store.rows import NUMBER

if TYPE_CHECKING:
    from agent.store.journal import Journal

T = TypeVar("T")

#: Rows of one turn on the store's thread: some 2 ms.
ROWS = 400


#: The same where each is taken apart.
FEW = 32


class Clock(Protocol):
    def now(self) -> Moment: ...


def _in(column: str, field: str) -> str:
    # What flash has spoilt is no JSON any more, and no reason to read no list at all.
    return f"CASE WHEN json_valid({column}) THEN json_extract({column}, '$.{field}') END"


_STATE = " ".join(f"WHEN {number} THEN '{state}'" for state, number in NUMBER.items())
_TAKEN = ", ".join(f"'{kind}'" for kind in sorted(FROM_MERCHANT))
_AMOUNT = f"coalesce({_in('result', 'posted_amount_minor')}, posted_amount_minor, amount_minor, 0)"
#: In the order of `Payment`.
_COLUMNS = ", ".join(
    (
        "seq", "key", f"coalesce({_in('result', 'rrn')}, rrn, '')",
        "coalesce(nullif(ltrim(stan, '0'), ''), stan, '')", "ltrim(coalesce(batch, ''), '0')",
        "terminal_id", "merchant_id",
        f"{_AMOUNT} * CASE WHEN kind IN ({_TAKEN}) THEN -1 ELSE 1 END", "coalesce(currency, '')",
        "kind", "occurred_ms", f"coalesce(substr({_in('card', 'masked')}, -4), '')",
        f"CASE state {_STATE} END", "in_doubt <> 0", "coalesce(refers_to, '')", "0", "0", "''",
        "0", "''", "changed_ms",
    )
)  # fmt: skip
_OF_TIME = "FILTER (WHERE occurred_ms >= ? AND occurred_ms < ?)"
_PAGE = (
    "SELECT count(*), min(seq), max(seq), min(stored_ms), "
    f"CAST(json_group_array(json_array({_COLUMNS})) {_OF_TIME} AS BLOB), count(*) {_OF_TIME} "
    "FROM (SELECT * FROM tx WHERE seq > ? ORDER BY seq LIMIT ?)"
)
#: By key, whatever the day, but for those a page of this run has told already.
_NAMED = (
    "SELECT count(*), min(seq), max(seq), min(stored_ms), "
    f"CAST(json_group_array(json_array({_COLUMNS})) AS BLOB), count(*) "
    "FROM (SELECT * FROM tx WHERE key IN (SELECT value FROM json_each(?)) "
    "AND NOT (seq > ? AND seq <= ? AND occurred_ms >= ? AND occurred_ms < ?) ORDER BY seq)"
)
_STORED = "SELECT stored_ms FROM tx WHERE seq > ? ORDER BY seq LIMIT 1"


class Page(NamedTuple):
    """One turn: the payments of the time asked for, as JSON, and how far it came."""

    text: bytes
    payments: int
    first_seq: int
    last_seq: int
    stored_ms: int  #: when the first of its rows was stored


class Told(NamedTuple):
    """What the pages of one run have told: rows of these numbers, of this time."""

    after: int
    last: int
    since_ms: int
    until_ms: int


class Store(Protocol):
    """The journal, behind the store's writer thread or as a copy."""

    async def journal(self, work: Callable[[Journal], T]) -> T: ...


class PaidRows:
    """What the actions ask for."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    async def first_after(self, since_ms: int) -> int:
        """The number after which payments may be of that time: journals grow at their end."""
        return await self._store.journal(partial(_first_after, since_ms=since_ms))

    async def page(self, after: int, since_ms: int, until_ms: int) -> Page | None:
        """Those of the next rows that were made in that time; None: there are no more rows."""
        now = self._clock.now()
        return await self._store.journal(
            partial(_rows, after=after, since_ms=since_ms, until_ms=until_ms, now=now)
        )

    async def named(
        self, keys: Sequence[str], after: int, last: int, span: tuple[int, int]
    ) -> Page | None:
        """Those of these keys (at most ROWS) but what pages from `after` to `last` have told."""
        told = Told(after, last, *span)
        now = self._clock.now()
        return await self._store.journal(partial(_named, keys=keys, told=told, now=now))


def _named(journal: Journal, keys: Sequence[str], told: Told, now: Moment) -> Page | None:
    try:
        row = journal.table.db.execute(_NAMED, (json.dumps(keys), *told)).fetchone()
        if _readable(row[4]):
            return Page(row[4], row[5], row[1], row[2], row[3]) if row[0] else None
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
    rows = [row for key in keys if (row := journal.table.one("by_key", key)) is not None]
    believed = [one for row in rows if (one := journal.table.believed(row, now)) is not None]
    found = sorted({one.seq: payment_of(one) for one in believed}.values())
    found = [
        one
        for one in found
        if not (
            told.after < one.seq <= told.last and told.since_ms <= one.occurred_ms < told.until_ms
        )
    ]
    if not found:
        return None
    text = json.dumps(found, ensure_ascii=False).encode()
    return Page(text, len(found), found[0].seq, found[-1].seq, 0)


def _first_after(journal: Journal, since_ms: int) -> int:
    db = journal.table.db
    low, high = 0, journal.table.next_seq
    while high - low > 1:
        middle = (low + high) // 2
        row = db.execute(_STORED, (middle,)).fetchone()
        low, high = (middle, high) if row is not None and row[0] < since_ms else (low, middle)
    return low


def _rows(journal: Journal, after: int, since_ms: int, until_ms: int, now: Moment) -> Page | None:
    span = (since_ms, until_ms)
    try:
        row = journal.table.db.execute(_PAGE, (*span, *span, after, ROWS)).fetchone()
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) != sqlite3.SQLITE_ERROR:
            raise
        return _one_by_one(journal, after, since_ms, until_ms, now)
    count, first, last, stored_ms, text, payments = row
    if not _readable(text):
        return _one_by_one(journal, after, since_ms, until_ms, now)
    return Page(text, payments, first, last, stored_ms) if count else None


def _readable(text: bytes) -> bool:
    """SQLite writes out whatever bytes a column has; a list is told of text only."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _one_by_one(
    journal: Journal, after: int, since_ms: int, until_ms: int, now: Moment
) -> Page | None:
    """A row among them cannot be written out: each is read with its MAC, and that one put aside."""
    rows = journal.table.many("records_after", after, FEW)
    if not rows:
        return None
    believed = [one for row in rows if (one := journal.table.believed(row, now)) is not None]
    found = [payment_of(one) for one in believed]
    found = [one for one in found if since_ms <= one.occurred_ms < until_ms]
    text = json.dumps(found, ensure_ascii=False).encode()
    stored_ms = believed[0].stored.wall_ms if believed else 0
    return Page(text, len(found), rows[0]["seq"], rows[-1]["seq"], stored_ms)
