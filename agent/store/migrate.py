"""Brings a journal to today's schema: every step in order, all of them in one transaction.

The scripts say what the tables look like; rows whose MAC is made over other columns now are carried
over here, each checked under the old MAC first. A row that does not fit keeps the MAC it came with,
so that it is put aside when it is read, like any other altered row. New journals go the same way
from nothing, so that there is one way and it is always walked. On the writer thread only.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import sqlite3
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from agent.core.moment import Moment
from agent.durable import sync_directory
from agent.store.rows import Sealer
from agent.store.schema import (
    APPLICATION_ID,
    CLEAN,
    SCHEMA,
    database_id,
    statements,
    write_down,
)
from agent.store.sql import QUERIES, migration

log = logging.getLogger(__name__)

#: What a row that was not written by us may raise while its MAC is made.
_UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
PUT_BY = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB ? ORDER BY name"
#: The copy and the transaction's log may each be as large as the journal.
_ROOM_FOR_A_COPY = 3


def create(db: sqlite3.Connection, now: Moment, schema: int = SCHEMA) -> None:
    """Make an empty file a journal, of today's schema or an older one (restore)."""
    db.execute("BEGIN IMMEDIATE")
    _step(db, 1)
    for name, value in (
        ("database_id", uuid.uuid4().hex),
        ("born_ms", str(now.wall_ms)),
        ("clean", CLEAN),
    ):
        db.execute(QUERIES["set_meta"], (name, value))
    # There are no rows whose MAC could be made with it.
    _climb(db, 1, schema, Sealer(bytes(32), database_id(db)))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("COMMIT")


def migrate(
    db: sqlite3.Connection, path: Path, found: int, secret: bytes, *, own: bool = True
) -> None:
    """Raise a journal of an older agent from schema `found` to today's, or leave it as it is.

    Not `own`: a copy made for reading, of which nothing is to be told.
    """
    kept = _keep_copy(db, path, found)
    db.execute("BEGIN IMMEDIATE")
    try:
        _climb(db, found, SCHEMA, Sealer(secret, database_id(db)))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    # The log holds the whole journal once more.
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    level = logging.WARNING if own else logging.DEBUG
    log.log(level, "event=journal_migrated from=%d to=%d copy=%s", found, SCHEMA, kept or "none")


def forget_copies(path: Path) -> None:
    """Remove copies of older schemas: a whole run of this agent has gone by without them."""
    for copy in path.parent.glob(f"{path.name}.schema-*"):
        copy.unlink()
        log.info("event=migration_copy_removed path=%s", copy)


def _keep_copy(db: sqlite3.Connection, path: Path, found: int) -> Path | None:
    """The journal as it was, for whoever has to go back; None where there is no room for it.

    Through SQLite and not as a file: closing another descriptor of the database would end the
    locks this process holds on it (POSIX).
    """
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    bytes_needed = pages * db.execute("PRAGMA page_size").fetchone()[0] * _ROOM_FOR_A_COPY
    room = os.statvfs(path.parent)
    if room.f_bavail * room.f_frsize < bytes_needed:
        log.warning("event=migration_copy_skipped needed_bytes=%d", bytes_needed)
        return None
    copy = path.with_name(f"{path.name}.schema-{found}")
    part = path.with_name(copy.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    target = sqlite3.connect(part)
    try:
        db.backup(target)
        _distrust(target)
    finally:
        target.close()
    _sync(part)
    part.replace(copy)
    sync_directory(path.parent)
    return copy


def _distrust(copy: sqlite3.Connection) -> None:
    """Should somebody put the copy back: what is unsent in it may have been sent meanwhile."""
    newest = copy.execute("SELECT coalesce(max(seq), 0) FROM tx").fetchone()[0]
    note = "a copy from before an update was put back; it may have been sent since"
    text = json.dumps({"below": newest, "note": note, "doubt": False})
    copy.execute(QUERIES["set_meta"], ("suspicion", text))
    copy.commit()


def _sync(file: Path) -> None:
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _climb(db: sqlite3.Connection, found: int, schema: int, sealer: Sealer) -> None:
    for version in range(found + 1, schema + 1):
        _step(db, version)
        if version in _CARRIED:
            _CARRIED[version](db, sealer)
        _bring_back(db, version)
    if schema > 1:
        write_down(db, schema)
    db.execute(f"PRAGMA user_version = {schema}")


def _bring_back(db: sqlite3.Connection, version: int) -> None:
    """Fill the tables of this step with what was put by when the journal was stepped down."""
    by = f"later_{version}_"
    for (name,) in db.execute(PUT_BY, (f"{by}*",)).fetchall():
        db.execute(f'INSERT OR REPLACE INTO "{name.removeprefix(by)}" SELECT * FROM "{name}"')
        db.execute(f'DROP TABLE "{name}"')


def _step(db: sqlite3.Connection, version: int) -> None:
    for statement in statements(migration(f"journal_{version:04d}")):
        db.execute(statement)


# -- rows, by the schema they are brought to; what is written here never changes again -----------


def _to_2(db: sqlite3.Connection, sealer: Sealer) -> None:
    """`flags` came into tx before its MAC, and lines of the history got a MAC."""
    rows = db.execute("SELECT * FROM tx_before ORDER BY seq")
    db.executemany(f"INSERT INTO tx VALUES ({_marks(52)})", _with_flags(rows, sealer))
    db.execute("DROP TABLE tx_before")
    lines = db.execute(
        "SELECT seq, n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms "
        "FROM history_before ORDER BY seq, n"
    )
    sealed = ((*line, sealer.line("history", line)) for line in map(tuple, lines))
    db.executemany(f"INSERT INTO history VALUES ({_marks(12)})", sealed)
    db.execute("DROP TABLE history_before")


def _with_flags(rows: sqlite3.Cursor, sealer: Sealer) -> Iterator[tuple[Any, ...]]:
    at = 22  # where the MAC stood
    for row in rows:
        values = tuple(row)
        before, mac, after = values[:at], values[at], values[at + 1 :]
        try:
            if hmac.compare_digest(sealer.whole(before, after), mac):
                mac = sealer.whole((*before, None), after)
        except _UNREADABLE:
            log.warning("event=row_not_believed seq=%s", before[0])
        yield (*before, None, mac, *after)


def _marks(count: int) -> str:
    return ",".join("?" * count)


_CARRIED: Mapping[int, Callable[[sqlite3.Connection, Sealer], None]] = {2: _to_2}
