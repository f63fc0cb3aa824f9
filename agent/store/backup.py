"""Copies the journal while it works: rows in small pieces, sealed before they leave the daemon.

It is not a copy of the file but of what is in it: a payment is read with everything that belongs to
it in one piece, the next piece may see a later state, and what is restored is asked about before
anything is sent (money rule 8), so that no moment in time has to be held still for it. Payments
taken over after it began are not in it. No piece keeps the writer longer than a page of a list.

Sealed to a recovery key the backup holds the keys of the rows too, and opens on any terminal;
without one it is sealed under this terminal's own ring and opens only here. With `hand_over` this
journal is fenced first, for good: it sends nothing and takes nothing any more.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import secrets
import sqlite3
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any, Protocol, TypeVar

from agent import chance
from agent.clock import Clock
from agent.crypt import KEY_BYTES, seal
from agent.errors import CallerError, OperatorError, StoreError
from agent.record import dataclass
from agent.store.journal import Journal
from agent.store.recipient import Recipient, box_to
from agent.store.schema import SCHEMA, meta
from agent.store.sql import QUERIES

T = TypeVar("T")

MAGIC = b"posagent-backup 1\n"
#: A piece ends behind the row that reaches one of these: about 2 ms of the writer.
PIECE_ROWS = 50
PIECE_BYTES = 65_536
#: Between two pieces, so that payments are not slowed down by a person's backup.
PAUSE_S = 0.005
#: Tables of a journal beside its payments, each with the columns it is walked by.
TABLES: tuple[tuple[str, str], ...] = (
    ("boot", "no"),
    ("tombstone", "key"),
    ("batch", "terminal_id, batch"),
    ("sign_on", "terminal_id"),
    ("quarantine", "id"),
    ("quarantined_row", "id"),
)
#: What belongs to a payment: table, and the range of its numbers in it.
OWNED: tuple[tuple[str, str, int], ...] = (
    ("payload", "id", 256),
    ("history", "seq", 1),
    ("stage", "seq", 1),
)
#: What is not carried over from the table of small facts: it is about this file and this run.
_OWN_META = frozenset({
    "clean", "tally", "suspicion", "space_tried", "handed_over", "retention", "not_yet_ms",
    "min_reader", "written_by", "stepped_down", "stepped_for",
})  # fmt: skip

Rows = list[tuple[Any, ...]]
Length = struct.Struct(">I")


class Journals(Protocol):
    """The store, live or as a snapshot."""

    async def journal(self, work: Callable[[Journal], T]) -> T: ...


@dataclass(slots=True, kw_only=True)
class Walk:
    """A backup under way: how it is sealed and how far it has got."""

    backup_id: str
    head: bytes
    key: bytes
    first: dict[str, Any]  #: what the first piece says
    index: int = 0
    table: int = -1  #: -1: the payments; then the place in TABLES
    after: tuple[Any, ...] = ()
    last: tuple[int, bytes, bool] | None = None  #: number, bytes and whether it was the last
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some more bytes for the file."""

    data: bytes
    last: bool
    records: int  #: payments so far


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A backup has begun: its id, and the first bytes of the file."""

    backup_id: str
    head: bytes


@dataclass(slots=True)
class Backups:
    """The backups of one store, one at a time: a new one ends the one before."""

    store: Journals
    clock: Clock
    device_id: str = ""
    _walk: Walk | None = field(default=None, init=False)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def begin(self, recipient: str, *, hand_over: bool) -> Begun:
        """Raises OperatorError for a recipient that is none, or where nothing can seal it."""
        to = Recipient.of(recipient) if recipient else None
        if hand_over and to is None:
            raise OperatorError(
                "backup.no_key",
                "a hand-over must be sealed to a recovery key: it opens on another terminal",
                "give it: --recipient",
            )
        now = self.clock.now()
        backup_id = chance.name()

        def started(journal: Journal) -> Walk:
            walk = _begun(journal, backup_id, to, now.wall_ms, self.device_id, hand_over=hand_over)
            if hand_over:
                journal.gate.hand_over(journal.table.db, backup_id, now.wall_ms)
            return walk

        async with self._turn:
            try:
                self._walk = await self.store.journal(started)
            except StoreError:
                # Not committed, or nobody knows: what the journal says counts.
                if hand_over:
                    await self.store.journal(lambda journal: journal.gate.load(journal.table.db))
                raise
            return Begun(backup_id=backup_id, head=MAGIC + self._walk.head + b"\n")

    async def piece(self, backup_id: str, number: int) -> Piece:
        """Piece `number`, counted from 0; the last one given may be asked for again."""
        async with self._turn:
            walk = self._walk
            if walk is None or walk.backup_id != backup_id:
                raise CallerError(
                    "backup.unknown", "this backup is not under way", "begin it again"
                )
            if walk.last is None or walk.last[0] != number:
                if number != walk.index:
                    raise CallerError("backup.unknown", f"piece {number} is not the next")
                await self._read(walk)
            assert walk.last is not None
            await asyncio.sleep(PAUSE_S)
            return Piece(data=walk.last[1], last=walk.last[2], records=walk.records)

    async def _read(self, walk: Walk) -> None:
        if walk.index == 0:
            content, done = walk.first, False
        else:
            found = await self.store.journal(lambda journal: _piece(journal, walk))
            content, done = {"rows": found[0]}, found[1]
        data = sealed(walk.key, walk.head, walk.index, content, last=done)
        walk.last = (walk.index, data, done)
        walk.index += 1


def _begun(
    journal: Journal, backup_id: str, to: Recipient | None, at_ms: int, device_id: str,
    *, hand_over: bool,
) -> Walk:  # fmt: skip
    db, ring = journal.table.db, journal.payloads.seals.ring
    kept = db.execute("SELECT name, value FROM meta").fetchall()
    facts = {row["name"]: row["value"] for row in kept if row["name"] not in _OWN_META}
    first: dict[str, Any] = {"meta": facts, "last_seq": journal.table.next_seq - 1}
    bound_to = bound(backup_id)
    # Of a newer journal that we can read, what we know of it.
    schema = min(int(meta(db, "schema") or SCHEMA), SCHEMA)
    head: dict[str, Any] = {
        "backup": backup_id, "schema": schema, "at_ms": at_ms,
        "device": device_id, "hand_over": hand_over,
    }  # fmt: skip
    if to is not None:
        key = secrets.token_bytes(KEY_BYTES)
        head |= {"to": to.text, "wrapped": base64.b64encode(box_to(to, key)).decode()}
        first["row_key"] = journal.table.sealer.secret.hex()
        first["ring"] = {} if ring is None else {i: k.hex() for i, k in ring.keys.items()}
    elif ring is None:
        raise OperatorError(
            "backup.no_key",
            "this terminal has no key ring to seal a backup with",
            "give a recovery key: --recipient",
        )
    else:
        key, wrapped = ring.fresh(bound_to)
        head |= {
            "key_id": wrapped.key_id, "wrapped": base64.b64encode(wrapped.wrapped).decode()
        }  # fmt: skip
    text = json.dumps(head, sort_keys=True, separators=(",", ":")).encode()
    return Walk(backup_id=backup_id, head=text, key=key, first=first)


def _piece(journal: Journal, walk: Walk) -> tuple[dict[str, Rows], bool]:
    """The rows of the next piece by table, and whether it is the last."""
    db = journal.table.db
    if walk.table < 0:
        found = _payments(db, walk)
        if found:
            return found, False
        walk.table, walk.after = 0, ()
    name, order = TABLES[walk.table]
    rows = _page(db, name, order, walk.after)
    if len(rows) == PIECE_ROWS:
        columns = [row.strip() for row in order.split(",")]
        walk.after = tuple(rows[-1][column] for column in columns)
        return {name: _plain(rows)}, False
    walk.table, walk.after = walk.table + 1, ()
    return {name: _plain(rows)}, walk.table == len(TABLES)


def _payments(db: sqlite3.Connection, walk: Walk) -> dict[str, Rows]:
    found: dict[str, Rows] = {"tx": [], **{name: [] for name, _, _ in OWNED}}
    after = walk.after[0] if walk.after else 0
    size = 0
    for row in db.execute(QUERIES["backup_tx"], (after, walk.first["last_seq"], PIECE_ROWS)):
        seq = row["seq"]
        found["tx"].append(tuple(row))
        for name, column, width in OWNED:
            owned = db.execute(
                f"SELECT * FROM {name} WHERE {column} >= ? AND {column} < ?",
                (seq * width, seq * width + width),
            ).fetchall()
            found[name] += _plain(owned)
            size += sum(len(value) for own in owned for value in own if isinstance(value, bytes))
        walk.after = (seq,)
        size += 1_024
        if size >= PIECE_BYTES:
            break
    walk.records += len(found["tx"])
    return found if found["tx"] else {}


def _page(
    db: sqlite3.Connection, name: str, order: str, after: tuple[Any, ...]
) -> list[sqlite3.Row]:
    marks = ",".join("?" * len(after))
    where = f"WHERE ({order}) > ({marks})" if after else ""
    return db.execute(
        f"SELECT * FROM {name} {where} ORDER BY {order} LIMIT ?", (*after, PIECE_ROWS)
    ).fetchall()


def _plain(rows: list[sqlite3.Row]) -> Rows:
    return [tuple(row) for row in rows]


# -- the form of the file, for both directions -------------------------------------------------


def bound(backup_id: str) -> bytes:
    """What the key of a backup under the terminal's own ring is bound to."""
    return b"posagent-backup" + backup_id.encode()


def binding(head: bytes, index: int, *, last: bool) -> bytes:
    """What a piece is bound to: this file, its place in it, and whether anything follows."""
    named = hashlib.blake2b(head, digest_size=16).digest()
    return named + struct.pack(">Q?", index, last)


def sealed(key: bytes, head: bytes, index: int, content: object, *, last: bool) -> bytes:
    """One piece as it stands in the file."""
    plain = json.dumps(content, separators=(",", ":"), default=_blob).encode()
    box = seal(key, zlib.compress(plain, 1), binding(head, index, last=last))
    return Length.pack(len(box)) + box


def _blob(value: object) -> list[str]:
    """Bytes in JSON: a list of one text, since a column never holds a list."""
    if isinstance(value, bytes):
        return [base64.b64encode(value).decode()]
    raise TypeError(type(value).__name__)


def columns(row: list[Any]) -> Iterator[Any]:
    """A row from JSON again."""
    for value in row:
        yield base64.b64decode(value[0]) if isinstance(value, list) else value
