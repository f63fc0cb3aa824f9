"""Messages for the fleet, kept until the broker acknowledged them. The SQL of table `outbox`.

Decides what is sent next and what is given up when the space is used; refuses to know what a
message says and how it travels. `telemetry` puts, takes and deletes; rows survive a restart, what
is in flight does not: it is sent again with the same number.

Bounded: beyond its rows or bytes the oldest readings are thinned (every other one of the oldest
stretch, so an outage keeps its outline), then the oldest of what is left. Every row given up is
counted. Counts live in `meta`, written in the same transaction: they are never scanned.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from agent.record import dataclass

T = TypeVar("T")

_COUNTS = "outbox.counts"
_BIRTH = "outbox.birth"


class StateDb(Protocol):
    """Runs work in one transaction on the writer thread of state.db."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class Item(Protocol):
    """A message to keep. Priority 0 is sent first and given up last.

    `supersedes`: queued ones of its kind, of this priority and less important ones, are stale.
    """

    @property
    def kind(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def retained(self) -> bool: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def supersedes(self) -> int | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message to send."""

    seq: int
    kind: str
    retained: bool
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How full it is. `lost`: rows given up since the database was made."""

    rows: int = 0
    body_bytes: int = 0
    lost: int = 0


class Outbox:
    """The only user of the table. One per database."""

    def __init__(self, db: StateDb, *, max_rows: int, max_bytes: int) -> None:
        self._db = db
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._stats = Stats()
        self._flying: set[int] = set()

    @property
    def stats(self) -> Stats:
        """As of the last transaction; call `identity` once to know it after a start."""
        return self._stats

    @property
    def drained(self) -> bool:
        """Whether everything ever put was acknowledged or given up."""
        return self._stats.rows == 0

    @property
    def unsent(self) -> int:
        """Rows that are not in flight."""
        return max(0, self._stats.rows - len(self._flying))

    async def identity(self, counters_id: str) -> str:
        """Within which name `seq` never repeats: changes when this file or the counters do.

        Two sources, because either may be lost alone: a deleted state.db counts from 1 again, and
        a receiver that knew the name would take the new messages for repeats.
        """

        def work(connection: sqlite3.Connection) -> tuple[str, Stats]:
            found = connection.execute("SELECT value FROM meta WHERE name = ?", (_BIRTH,))
            row = found.fetchone()
            if row is None:
                row = (secrets.token_hex(8),)
                connection.execute("INSERT INTO meta VALUES (?, ?)", (_BIRTH, row[0]))
            return row[0], _read(connection)

        birth, self._stats = await self._db.state(work)
        return hashlib.blake2b(f"{counters_id} {birth}".encode(), digest_size=6).hexdigest()

    async def put(self, items: Sequence[Item]) -> list[int]:
        """Keep messages; returns their numbers. On disk (as far as state.db is) on return."""
        flying = frozenset(self._flying)

        def work(connection: sqlite3.Connection) -> tuple[list[int], Stats]:
            stats = _read(connection)
            numbers = []
            for item in items:
                if item.supersedes is not None:
                    stale = connection.execute(
                        "SELECT seq FROM outbox WHERE kind = ? AND priority >= ?",
                        (item.kind, item.supersedes),
                    )
                    old = [seq for (seq,) in stale if seq not in flying]
                    stats = _delete(connection, stats, old, lost=False)
                numbers.append(_insert(connection, item))
                stats = _plus(stats, rows=1, body_bytes=len(item.body))
            stats = self._bound(connection, stats, flying)
            _write(connection, stats)
            return numbers, stats

        numbers, self._stats = await self._db.state(work)
        return numbers

    async def take(self, limit: int) -> list[Row]:
        """The next messages to send, by priority, then age. They are in flight from now on."""
        flying = frozenset(self._flying)

        def work(connection: sqlite3.Connection) -> list[Row]:
            # In-flight rows come first in this order too, hence the larger limit.
            found = connection.execute(
                "SELECT seq, kind, retained, body FROM outbox ORDER BY priority, seq LIMIT ?",
                (limit + len(flying),),
            )
            rows = [
                Row(seq=seq, kind=kind, retained=bool(retained), body=body)
                for seq, kind, retained, body in found
                if seq not in flying
            ]
            return rows[:limit]

        rows = await self._db.state(work)
        self._flying.update(row.seq for row in rows)
        return rows

    async def done(self, seqs: Sequence[int]) -> None:
        """Acknowledged: delete."""
        await self._remove(seqs, lost=False)

    async def refuse(self, seqs: Sequence[int]) -> None:
        """Nobody will ever take these: delete and count as lost."""
        await self._remove(seqs, lost=True)

    def release(self) -> None:
        """The connection is gone: everything in flight is to be sent again."""
        self._flying.clear()

    async def _remove(self, seqs: Sequence[int], *, lost: bool) -> None:
        def work(connection: sqlite3.Connection) -> Stats:
            stats = _delete(connection, _read(connection), seqs, lost=lost)
            _write(connection, stats)
            return stats

        self._stats = await self._db.state(work)
        self._flying.difference_update(seqs)

    def _bound(self, connection: sqlite3.Connection, stats: Stats, flying: frozenset[int]) -> Stats:
        """Give up rows until the bounds hold."""
        while stats.rows > self._max_rows or stats.body_bytes > self._max_bytes:
            (least,) = connection.execute("SELECT max(priority) FROM outbox").fetchone()
            stretch = max(64, stats.rows // 16)
            found = connection.execute(
                "SELECT seq FROM outbox WHERE priority = ? ORDER BY seq LIMIT ?",
                (least, stretch + len(flying)),
            )
            oldest = [seq for (seq,) in found if seq not in flying][:stretch]
            if not oldest:
                break  # only what is on the wire is left of the least important: let it land
            stats = _delete(connection, stats, oldest[::2], lost=True)
        return stats


def _insert(connection: sqlite3.Connection, item: Item) -> int:
    cursor = connection.execute(
        "INSERT INTO outbox (kind, priority, retained, at_ms, body) VALUES (?, ?, ?, ?, ?)",
        (item.kind, item.priority, item.retained, item.at_ms, item.body),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _delete(
    connection: sqlite3.Connection, stats: Stats, seqs: Iterable[int], *, lost: bool
) -> Stats:
    for seq in seqs:
        found = connection.execute("SELECT length(body) FROM outbox WHERE seq = ?", (seq,))
        row = found.fetchone()
        if row is not None:
            connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
            stats = _plus(stats, rows=-1, body_bytes=-row[0], lost=int(lost))
    return stats


def _plus(stats: Stats, *, rows: int, body_bytes: int, lost: int = 0) -> Stats:
    return Stats(
        rows=stats.rows + rows, body_bytes=stats.body_bytes + body_bytes, lost=stats.lost + lost
    )


def _read(connection: sqlite3.Connection) -> Stats:
    found = connection.execute("SELECT value FROM meta WHERE name = ?", (_COUNTS,)).fetchone()
    if found is not None:
        rows, body_bytes, lost = (int(word) for word in found[0].split())
        return Stats(rows=rows, body_bytes=body_bytes, lost=lost)
    counted = connection.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM outbox")
    rows, body_bytes = counted.fetchone()
    return Stats(rows=rows, body_bytes=body_bytes)


def _write(connection: sqlite3.Connection, stats: Stats) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_COUNTS, f"{stats.rows} {stats.body_bytes} {stats.lost}"),
    )
