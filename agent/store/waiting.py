"""Readings that wait in the outbox: thinned by folding, and put together as history.

Decides which rows become one; refuses to know what is in them: that is the port `Past`. Works in
portions of the index, at most one a transaction, so that the store's writer is never held up: at
most `PORTION` rows or `PORTION_BYTES`. `store.outbox` is the only caller, on the writer thread.

Folding: readings recorded a day ago and more, of one hour, become the last of them, with the values
of all; a later value wins, so whoever applies what is left in order ends at the same picture. What
was on the wire once is never touched: a reader may have it under its own number.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from itertools import takewhile
from typing import Protocol

from agent.record import dataclass

#: Rows looked at in one transaction; 64 readings are folded in well under a millisecond.
PORTION = 64
PORTION_BYTES = 49_152
#: How long readings wait before they become hourly.
THIN_AFTER_MS = 86_400_000
THIN_TO_MS = 3_600_000
#: Priorities of `core.fleet.messages`, as far as the order of sending needs them.
EVENT, READING, HISTORY = 1, 2, 3
#: The kind that is folded and gathered, and what it is gathered into.
HEALTH, HIST = "health", "hist"

#: Before a kind: the numbers of its rows that the next one of the kind replaces.
STALE = "outbox.stale."
_THINNED = "outbox.thinned"
_NO_END = 2**63 - 1
#: Rows of other kinds among the readings: repeats of the backlog, one queued and a few in flight.
_OTHERS = 8
_WAITING = (
    "SELECT seq, kind, at_ms, body FROM outbox"
    " WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
)


class Past(Protocol):
    """What a reading says, as bytes."""

    def fold(self, bodies: Sequence[bytes]) -> bytes | None:
        """Several readings, oldest first, as one; None: they are better left alone."""
        ...

    def gather(
        self, bodies: Sequence[bytes], now_ms: int, most_bytes: int = 0
    ) -> tuple[int, Sequence[bytes]]:
        """Readings, oldest first, as history: how many were used (at least one), and as what.

        None is larger than `most_bytes`; 0: than the contract allows. Nothing: those cannot be
        read.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A message to send."""

    seq: int
    kind: str
    retained: bool
    body: bytes
    priority: int = READING


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """How full it is. `lost`: rows given up since the database was made; `thinned`: folded away."""

    rows: int = 0
    body_bytes: int = 0
    lost: int = 0
    thinned: int = 0

    def plus(self, *, rows: int = 0, body_bytes: int = 0, lost: int = 0, thinned: int = 0) -> Stats:
        """Changed by this much."""
        return Stats(
            rows=self.rows + rows,
            body_bytes=self.body_bytes + body_bytes,
            lost=self.lost + lost,
            thinned=self.thinned + thinned,
        )


@dataclass(frozen=True, slots=True)
class _Reading:
    seq: int
    at_ms: int
    body: bytes


def thin(
    connection: sqlite3.Connection,
    stats: Stats,
    past: Past,
    now_ms: int,
    untouched: frozenset[int],
) -> Stats:
    """Fold one hour of readings that are old by now. One portion; the rest at the next call."""
    done_to = int(meta(connection, _THINNED) or 0)
    found = _portion(connection, done_to, _NO_END, untouched)
    if not found:
        return stats
    hour = found[0].at_ms // THIN_TO_MS
    ahead = found[0].at_ms > now_ms + THIN_AFTER_MS  # recorded under a clock that was put right
    if now_ms - (hour + 1) * THIN_TO_MS < THIN_AFTER_MS and not ahead:
        return stats
    same = list(takewhile(lambda row: row.at_ms // THIN_TO_MS == hour, found))
    folded = past.fold([row.body for row in same]) if len(same) > 1 else None
    if folded is None:
        note(connection, _THINNED, str(same[0].seq))
        return stats
    for row in same[:-1]:
        connection.execute("DELETE FROM outbox WHERE seq = ?", (row.seq,))
    connection.execute("UPDATE outbox SET body = ? WHERE seq = ?", (folded, same[-1].seq))
    # The hour may go on beyond this portion: what was folded is looked at once more.
    note(connection, _THINNED, str(same[-1].seq - 1))
    saved = sum(len(row.body) for row in same) - len(folded)
    return stats.plus(rows=1 - len(same), body_bytes=-saved, thinned=len(same) - 1)


def boundary(
    connection: sqlite3.Connection, history_to: int, enough: int, untouched: frozenset[int]
) -> int:
    """`history_to` while at least `enough` readings up to it wait; else 0: there is no history.

    A single reading that waited for a connection is not worth it: it goes as it is.
    """
    if not history_to:
        return 0
    if len(_portion(connection, 0, history_to, untouched, most=enough)) < enough:
        return 0
    _lift(connection)
    return history_to


def gather(
    connection: sqlite3.Connection,
    stats: Stats,
    past: Past,
    *,
    history_to: int,
    now_ms: int,
    untouched: frozenset[int],
    most_bytes: int = 0,
) -> tuple[Stats, int]:
    """Make the oldest readings up to `history_to` history; also tells how many messages it became.

    In one transaction: sent again after a cut, it is the same message under the same number.
    """
    found = _portion(connection, 0, history_to, untouched)
    if not found:
        return stats, 0
    used, bodies = past.gather([row.body for row in found], now_ms, most_bytes)
    for body in bodies:
        insert(connection, HIST, HISTORY, now_ms, body)
        stats = stats.plus(rows=1, body_bytes=len(body))
    for row in found[:used]:
        connection.execute("DELETE FROM outbox WHERE seq = ?", (row.seq,))
        stats = stats.plus(rows=-1, body_bytes=-len(row.body), lost=int(not bodies))
    return stats, len(bodies)


def insert(
    connection: sqlite3.Connection,
    kind: str,
    priority: int,
    at_ms: int,
    body: bytes,
    *,
    retained: bool = False,
) -> int:
    """A new row; its number."""
    cursor = connection.execute(
        "INSERT INTO outbox (kind, priority, retained, at_ms, body) VALUES (?, ?, ?, ?, ?)",
        (kind, priority, retained, at_ms, body),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def meta(connection: sqlite3.Connection, name: str) -> str | None:
    """A small fact of state.db."""
    row = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    return None if row is None else str(row[0])


def note(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Write one down."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, value),
    )


def _portion(
    connection: sqlite3.Connection,
    after: int,
    to: int,
    untouched: frozenset[int],
    most: int = PORTION,
) -> list[_Reading]:
    """The oldest readings in a range of numbers, as many as one transaction may look at."""
    limit = most + len(untouched) + _OTHERS
    rows = connection.execute(_WAITING, (READING, after, to, limit))
    found: list[_Reading] = []
    size_bytes = 0
    for seq, kind, at_ms, body in rows:
        if kind != HEALTH or seq in untouched:
            continue
        size_bytes += len(body)
        if len(found) == most or (found and size_bytes > PORTION_BYTES):
            break
        found.append(_Reading(seq, at_ms, body))
    return found


def _lift(connection: sqlite3.Connection) -> None:
    """The newest repeat of the backlog says what is now: it does not wait behind history."""
    noted = connection.execute(
        "SELECT value FROM meta WHERE name >= ? AND name < ?", (STALE, STALE + "~")
    ).fetchall()
    for seq in (int(word) for (value,) in noted for word in value.split()):
        connection.execute(
            "UPDATE outbox SET priority = ? WHERE seq = ? AND priority = ?", (EVENT, seq, READING)
        )
