"""Signed commands on disk: which were taken, from which key up to which sequence, what came of it.

A command's row and its key's sequence are one commit, and the sequence is synced to the counters
file too before anything is done: either file alone may be lost. Decides nothing about commands. A
row that was altered counts as done, with nobody knowing how. On the writer's thread.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from agent.core.audit import Deed
from agent.core.fleet.ledger import Order, Stage, Standing
from agent.errors import StoreError
from agent.store import audit
from agent.store.audit import Trail
from agent.store.files import Counters
from agent.store.journal import Journal
from agent.store.rows import Sealer
from agent.store.sequences import MOST_KEYS, Sequences, name_of

T = TypeVar("T")

#: Results kept for whoever asks again; a lifetime is a week at most.
KEEP_MS = 30 * 86_400_000
KEEP_ROWS = 200

_COLUMNS = (
    "cmd_id, key_id, seq, digest, op, target, at_ms, state, status, code, detail, result, "
    "ended_ms, mac"
)
_ONE = f"SELECT {_COLUMNS} FROM command WHERE cmd_id = ?"
_OPEN = f"SELECT {_COLUMNS} FROM command WHERE state < 2 ORDER BY at_ms, cmd_id"
_PUT = f"INSERT OR REPLACE INTO command ({_COLUMNS}) VALUES ({','.join('?' * 14)})"
_PRUNE = """
DELETE FROM command WHERE state = 2 AND (at_ms < ? OR cmd_id IN (
    SELECT cmd_id FROM command WHERE state = 2 ORDER BY at_ms DESC, seq DESC LIMIT -1 OFFSET ?
))
"""
_KEY = "SELECT seq FROM command_key WHERE name = ?"
_PUT_KEY = "INSERT OR REPLACE INTO command_key (name, seq) VALUES (?, ?)"
_NEWEST_KEYS = "SELECT name, seq FROM command_key ORDER BY seq DESC LIMIT ?"


class Store(Protocol):
    """The store's writer thread: the journal, and the counters file."""

    @property
    def directory(self) -> Path: ...
    async def journal(self, work: Callable[[Journal], T]) -> T: ...
    async def outside(self, work: Callable[[Counters], T]) -> T: ...


class Orders:
    """The ledger. Every method raises StoreError while nothing can be stored."""

    def __init__(self, store: Store, trail: Trail) -> None:
        self._store = store
        self._trail = trail
        self._sequences: Sequences | None = None

    async def standing(self, cmd_id: str, key_id: str) -> Standing:
        """What is kept under this id, and how far this key has come."""
        sequences = await self._kept()
        kept, seq = await self._store.journal(partial(_standing, cmd_id=cmd_id, key_id=key_id))
        return Standing(
            kept=kept,
            last_seq=max(seq, sequences.last(key_id)),
            since_ms=sequences.since_ms,
        )

    async def begin(self, now_ms: int) -> None:
        """Since then, by a clock that is believed, no sequence was lost; unless it is longer."""
        sequences = await self._kept()
        if sequences.since_ms is None:
            await self._outside(lambda: sequences.begin(now_ms))

    async def take(self, order: Order, deed: Deed) -> None:
        """Keep a command and its sequence, on disk twice when this returns."""
        sequences = await self._kept()
        keep_ms = self._trail.keep

        def work(journal: Journal) -> None:
            db, sealer = journal.table.db, journal.table.sealer
            _put(db, sealer, order)
            _raise(db, name_of(order.key_id), order.seq)
            db.execute(_PRUNE, (order.at_ms - KEEP_MS if keep_ms else 0, KEEP_ROWS))
            audit.add(journal, deed, order.at_ms, keep_ms)

        await self._store.journal(work)
        await self._outside(lambda: sequences.raise_to(order.key_id, order.seq))

    async def move(self, order: Order, deed: Deed | None = None) -> None:
        """Keep how far a command has come; the line that says so in the same commit."""
        at_ms, keep_ms = self._trail.now_ms, self._trail.keep

        def work(journal: Journal) -> None:
            _put(journal.table.db, journal.table.sealer, order)
            if deed is not None:
                audit.add(journal, deed, at_ms, keep_ms)

        await self._store.journal(work)

    async def unfinished(self) -> list[Order]:
        """What was taken and has come to no end, the oldest first."""
        return await self._store.journal(_unfinished)

    async def write(self, deed: Deed) -> None:
        """A line about something that is kept nowhere else."""
        await self._trail.write(deed)

    async def _kept(self) -> Sequences:
        if self._sequences is None:
            path = self._store.directory / "counters"
            found = await self._outside(lambda: Sequences(path))
            # Where one of the two was lost, the other one puts it right.
            known = await self._store.journal(partial(_merged, found=dict(found.all)))
            for name, seq in known:
                await self._outside(partial(found.raise_name, name, seq))
            self._sequences = found
        return self._sequences

    async def _outside(self, work: Callable[[], T]) -> T:
        def tried(_: Counters) -> T | OSError:
            try:
                return work()
            except OSError as error:
                return error

        done = await self._store.outside(tried)
        if isinstance(done, OSError):
            raise StoreError(
                "store.unavailable", f"cannot keep the sequences of commands: {done.strerror}"
            )
        return done


def _standing(journal: Journal, cmd_id: str, key_id: str) -> tuple[Order | None, int]:
    db, sealer = journal.table.db, journal.table.sealer
    row = db.execute(_ONE, (cmd_id,)).fetchone()
    kept = None if row is None else _order(sealer, tuple(row))
    return kept, _last(db, name_of(key_id))


def _unfinished(journal: Journal) -> list[Order]:
    db, sealer = journal.table.db, journal.table.sealer
    return [_order(sealer, tuple(row)) for row in db.execute(_OPEN)]


def _values(order: Order) -> tuple[object, ...]:
    return (
        order.cmd_id, order.key_id, order.seq, order.digest, order.op, order.target, order.at_ms,
        int(order.stage), order.status, order.code, order.detail, order.result, order.ended_ms,
    )  # fmt: skip


def _put(db: sqlite3.Connection, sealer: Sealer, order: Order) -> None:
    values = _values(order)
    db.execute(_PUT, (*values, _mac(sealer, values)))


def _order(sealer: Sealer, row: tuple[object, ...]) -> Order:
    """A row; one that is not what was written is over, and nobody knows how."""
    *values, mac = row
    genuine: Order | None
    try:
        fits = isinstance(mac, bytes) and hmac.compare_digest(_mac(sealer, tuple(values)), mac)
        genuine = _made(values) if fits else None
    except (TypeError, ValueError, AttributeError):
        genuine = None  # what no column of ours can hold
    return genuine or Order(
        cmd_id=str(row[0]), key_id=str(row[1]), seq=0, digest=b"", op=str(row[4])[:32],
        target="", at_ms=0, stage=Stage.DONE, status="failed", code="ledger_altered",
    )  # fmt: skip


def _made(values: Sequence[Any]) -> Order:
    cmd_id, key_id, seq, digest, op, target, at_ms, stage, status, code, detail, result, end = (
        values
    )
    return Order(
        cmd_id=cmd_id, key_id=key_id, seq=seq, digest=digest, op=op, target=target, at_ms=at_ms,
        stage=Stage(stage), status=status, code=code, detail=detail, result=result, ended_ms=end,
    )  # fmt: skip


def _mac(sealer: Sealer, values: tuple[object, ...]) -> bytes:
    plain = tuple(value.hex() if isinstance(value, bytes) else value for value in values)
    return sealer.line("command", plain)


def _merged(journal: Journal, found: dict[str, int]) -> list[tuple[str, int]]:
    db = journal.table.db
    for name, seq in found.items():
        _raise(db, name, seq)
    rows = db.execute(_NEWEST_KEYS, (MOST_KEYS,)).fetchall()
    return [(str(row[0]), row[1]) for row in rows if isinstance(row[1], int)]


def _last(db: sqlite3.Connection, name: str) -> int:
    row = db.execute(_KEY, (name,)).fetchone()
    return row[0] if row is not None and isinstance(row[0], int) else 0


def _raise(db: sqlite3.Connection, name: str, seq: int) -> None:
    if seq > _last(db, name):
        db.execute(_PUT_KEY, (name, seq))
