"""Messages for the fleet, kept until the broker acknowledged them. The SQL of table `outbox`.

Decides what is sent next and what is given up when the space is used; refuses to know what a
message says and how it travels. `telemetry` puts, takes and deletes; rows survive a restart, what
is in flight does not: it is sent again with the same number.

Bounded twice. Readings that wait longer than a day become hourly (`store.waiting`). Beyond its rows
or bytes the oldest of the least important are thinned (every other one of the oldest stretch, so an
outage keeps its outline), alarms and edges of the backlog last of all. Every row given up is
counted. Counts live in `meta`, written in the same transaction: they are never scanned.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from agent.record import dataclass
from agent.store import waiting
from agent.store.waiting import READING, STALE, Past, Row, Stats

__all__ = ["Outbox", "Row", "Stats"]

T = TypeVar("T")

_COUNTS = "outbox.counts"
_BIRTH = "outbox.birth"
_TRIED = "outbox.tried"
_REPLACED = "outbox.replaced"
_ALL = "SELECT seq, kind, priority, retained, body FROM outbox "
_URGENT = _ALL + "WHERE priority < ? ORDER BY priority, seq LIMIT ?"
_LIVE = _ALL + "WHERE priority = ? AND seq > ? ORDER BY seq LIMIT ?"
_LATER = _ALL + "WHERE priority > ? ORDER BY priority, seq LIMIT ?"


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


@dataclass(slots=True)
class _Since:
    """What the connection that stands, or stood last, means for what waits."""

    history_to: int = 0  #: readings up to this number waited for it: they are history
    fresh: bool = False  #: nobody has looked yet whether history is worth it
    most_bytes: int = 0  #: the largest body its broker takes; 0: it named no limit


class Outbox:
    """The only user of the table. One per database."""

    def __init__(
        self, db: StateDb, *, max_rows: int, max_bytes: int, past: Past | None = None
    ) -> None:
        self._db = db
        self._bounds = (max_rows, max_bytes)
        self._past = past
        self._stats = Stats()
        self._flying: set[int] = set()
        #: Replaced while they were in flight: not to be sent again behind what replaced them.
        self._replaced: set[int] = set()
        self._newest = 0
        self._since = _Since()
        self._gathered = 0

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

    @property
    def gathered(self) -> int:
        """Messages of history made since the start."""
        return self._gathered

    async def identity(self, counters_id: str) -> str:
        """Within which name `seq` never repeats: changes when this file or the counters do.

        Two sources, because either may be lost alone: a deleted state.db counts from 1 again, and
        a receiver that knew the name would take the new messages for repeats.
        """

        def work(connection: sqlite3.Connection) -> tuple[str, Stats, int, set[int]]:
            birth = waiting.meta(connection, _BIRTH)
            if birth is None:
                birth = secrets.token_hex(8)
                waiting.note(connection, _BIRTH, birth)
            (newest,) = connection.execute("SELECT max(seq) FROM outbox").fetchone()
            return birth, _read(connection), newest or 0, set(_seqs(connection, _REPLACED))

        birth, self._stats, self._newest, replaced = await self._db.state(work)
        self._replaced |= replaced
        return hashlib.blake2b(f"{counters_id} {birth}".encode(), digest_size=6).hexdigest()

    async def put(self, items: Sequence[Item]) -> list[int]:
        """Keep messages; returns their numbers. On disk (as far as state.db is) on return."""
        flying, known = frozenset(self._flying), frozenset(self._replaced)

        def work(connection: sqlite3.Connection) -> tuple[list[int], Stats, set[int]]:
            stats = _read(connection)
            numbers: list[int] = []
            replaced: set[int] = set()
            for item in items:
                if item.supersedes is not None:
                    stale = _stale(connection, item)
                    gone = [seq for seq in stale if seq not in flying]
                    stats = _delete(connection, stats, gone, lost=False)
                    _forget(connection, gone)
                numbers.append(_insert(connection, item))
                if item.supersedes is not None:
                    kept = [seq for seq in stale if seq in flying]
                    replaced.update(kept)
                    kept += numbers[-1:] if item.priority >= item.supersedes else []
                    waiting.note(connection, STALE + item.kind, _words(kept))
                stats = stats.plus(rows=1, body_bytes=len(item.body))
            if self._past is not None and items and items[-1].priority == READING:
                untouched = flying | _tried(connection)
                now_ms = items[-1].at_ms
                stats = waiting.thin(connection, stats, self._past, now_ms, untouched)
            if replaced:
                waiting.note(connection, _REPLACED, _words(sorted(known | replaced)))
            stats = self._bound(connection, stats, flying)
            _write(connection, stats)
            return numbers, stats, replaced

        numbers, self._stats, replaced = await self._db.state(work)
        self._replaced |= replaced
        self._newest = max([self._newest, *numbers])
        return numbers

    @property
    def most_bytes(self) -> int:
        """The largest body the broker takes; 0: it named no limit, or none was reached yet."""
        return self._since.most_bytes

    def reconnected(self, most_bytes: int = 0) -> None:
        """A connection stands: readings that wait now waited for it, and leave as history."""
        self._since = _Since(history_to=self._newest, fresh=True, most_bytes=most_bytes)

    async def take(
        self, limit: int, *, readings: int | None = None, history: bool = True, now_ms: int = 0
    ) -> list[Row]:
        """The next messages to send, by priority, then age. They are in flight from now on.

        At most `readings` of them are no alarm and no money. History comes last, put together here
        as far as it is needed; `now_ms` (UTC) is when that was. One piece of it at a time.
        """
        flying = frozenset(self._flying)
        gone, since = self._replaced - flying, self._since
        left = self._replaced - gone
        least = limit if readings is None else readings

        def work(connection: sqlite3.Connection) -> tuple[list[Row], Stats, int, int]:
            stats, boundary, made = _read(connection), 0, 0
            if gone:
                stats = _delete(connection, stats, gone, lost=False)
                _write(connection, stats)
                _forget(connection, gone)
                waiting.note(connection, _REPLACED, _words(sorted(left)))
            tried = _tried(connection)
            if self._past is not None:
                enough = 2 if since.fresh else 1
                boundary = waiting.boundary(connection, since.history_to, enough, flying | tried)
            # In-flight rows come first in this order too, hence the larger limits.
            found = connection.execute(_URGENT, (READING, limit + len(flying)))
            rows = _rows(found, flying)[:limit]
            room = min(limit - len(rows), least)
            if room > 0:
                rows += _read_now(connection, boundary, tried, flying, room)
                fresh = {row.seq for row in rows if row.priority == READING}
                if not fresh <= tried:
                    waiting.note(connection, _TRIED, _words(sorted(tried | fresh)))
                room -= sum(row.priority >= READING for row in rows)
            if room > 0 and history:
                later = _history(connection, flying, room)
                if not later and boundary and self._past is not None:
                    stats, made = waiting.gather(
                        connection,
                        stats,
                        self._past,
                        history_to=boundary,
                        now_ms=now_ms,
                        untouched=flying | tried,
                        most_bytes=since.most_bytes,
                    )
                    _write(connection, stats)
                    later = _history(connection, flying, room)
                rows += later
            return rows, stats, boundary, made

        rows, self._stats, since.history_to, made = await self._db.state(work)
        since.fresh = False
        self._replaced -= gone
        self._gathered += made
        self._flying.update(row.seq for row in rows)
        return rows

    async def done(self, seqs: Sequence[int]) -> None:
        """Acknowledged: delete."""
        await self._remove(seqs, lost=False)

    async def refuse(self, seqs: Sequence[int]) -> None:
        """Nobody will ever take these: delete and count as lost."""
        await self._remove(seqs, lost=True)

    async def lose(self, count: int) -> None:
        """Messages that never came this far: count them as lost."""

        def work(connection: sqlite3.Connection) -> Stats:
            stats = _read(connection).plus(lost=count)
            _write(connection, stats)
            return stats

        self._stats = await self._db.state(work)

    def release(self) -> None:
        """The connection is gone: everything in flight is to be sent again."""
        self._flying.clear()

    async def _remove(self, seqs: Sequence[int], *, lost: bool) -> None:
        def work(connection: sqlite3.Connection) -> Stats:
            stats = _delete(connection, _read(connection), seqs, lost=lost)
            _write(connection, stats)
            _forget(connection, seqs)
            return stats

        self._stats = await self._db.state(work)
        self._flying.difference_update(seqs)
        self._replaced.difference_update(seqs)

    def _bound(self, connection: sqlite3.Connection, stats: Stats, flying: frozenset[int]) -> Stats:
        """Give up rows until the bounds hold."""
        max_rows, max_bytes = self._bounds
        while stats.rows > max_rows or stats.body_bytes > max_bytes:
            (least,) = connection.execute("SELECT max(priority) FROM outbox").fetchone()
            found = connection.execute(
                "SELECT seq FROM outbox WHERE priority = ? ORDER BY seq LIMIT ?",
                (least, waiting.PORTION + len(flying)),
            )
            oldest = [seq for (seq,) in found if seq not in flying][: waiting.PORTION]
            if not oldest:
                break  # only what is on the wire is left of the least important: let it land
            stats = _delete(connection, stats, oldest[::2], lost=True)
            _forget(connection, oldest[::2])
        return stats


def _rows(found: Iterable[tuple[int, str, int, int, bytes]], but: Iterable[int]) -> list[Row]:
    return [
        Row(seq=seq, kind=kind, priority=priority, retained=bool(retained), body=body)
        for seq, kind, priority, retained, body in found
        if seq not in but
    ]


def _read_now(
    connection: sqlite3.Connection,
    boundary: int,
    tried: frozenset[int],
    flying: frozenset[int],
    room: int,
) -> list[Row]:
    """Readings that are not history; first those that were on the wire once.

    They keep their own numbers: a reader may have them.
    """
    found: list[Row] = []
    for seq in sorted(tried - flying):
        found += _rows(connection.execute(_ALL + "WHERE seq = ?", (seq,)), ())
    live = connection.execute(_LIVE, (READING, boundary, room + len(flying) + len(found)))
    return (found + _rows(live, flying | {row.seq for row in found}))[:room]


def _history(connection: sqlite3.Connection, flying: frozenset[int], room: int) -> list[Row]:
    found = connection.execute(_LATER, (READING, room + len(flying)))
    return _rows(found, flying)[:room]


def _insert(connection: sqlite3.Connection, item: Item) -> int:
    return waiting.insert(
        connection, item.kind, item.priority, item.at_ms, item.body, retained=item.retained
    )


def _delete(
    connection: sqlite3.Connection, stats: Stats, seqs: Iterable[int], *, lost: bool
) -> Stats:
    for seq in seqs:
        found = connection.execute("SELECT length(body) FROM outbox WHERE seq = ?", (seq,))
        row = found.fetchone()
        if row is not None:
            connection.execute("DELETE FROM outbox WHERE seq = ?", (seq,))
            stats = stats.plus(rows=-1, body_bytes=-row[0], lost=int(lost))
    return stats


def _stale(connection: sqlite3.Connection, item: Item) -> list[int]:
    """Queued rows that a new one of this kind replaces; known without looking at every row."""
    known = waiting.meta(connection, STALE + item.kind)
    if known is not None:
        return [int(word) for word in known.split()]
    found = connection.execute(
        "SELECT seq FROM outbox WHERE kind = ? AND priority >= ?", (item.kind, item.supersedes)
    )
    return [seq for (seq,) in found]


def _tried(connection: sqlite3.Connection) -> frozenset[int]:
    return _seqs(connection, _TRIED)


def _seqs(connection: sqlite3.Connection, name: str) -> frozenset[int]:
    return frozenset(int(word) for word in (waiting.meta(connection, name) or "").split())


def _forget(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    """These are gone: whether they were on the wire no longer matters."""
    tried = _tried(connection)
    if not tried.isdisjoint(seqs):
        waiting.note(connection, _TRIED, _words(sorted(tried.difference(seqs))))


def _words(seqs: Iterable[int]) -> str:
    return " ".join(map(str, seqs))


def _read(connection: sqlite3.Connection) -> Stats:
    found = waiting.meta(connection, _COUNTS)
    if found is not None:
        rows, body_bytes, lost, thinned, *_ = (int(word) for word in f"{found} 0".split())
        return Stats(rows=rows, body_bytes=body_bytes, lost=lost, thinned=thinned)
    counted = connection.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM outbox")
    rows, body_bytes = counted.fetchone()
    return Stats(rows=rows, body_bytes=body_bytes)


def _write(connection: sqlite3.Connection, stats: Stats) -> None:
    counts = f"{stats.rows} {stats.body_bytes} {stats.lost} {stats.thinned}"
    waiting.note(connection, _COUNTS, counts)
