"""Opening the journal: who may, is it ours, is it whole, and what the last run left behind.

Order matters. The lock comes first; then the write-ahead log is read before SQLite touches it;
what is damaged is put aside by renaming while closed, never repaired; and a fresh journal takes
over at once, knowing that it does not know what was in the old one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from agent.core.moment import Moment, at_ms
from agent.core.money.journal import State
from agent.core.money.lanes import Order
from agent.core.money.limits import Rules
from agent.errors import OperatorError, StoreError
from agent.store import quarantine
from agent.store.doubt import doubt_unsent
from agent.store.files import row_key, sync_directory
from agent.store.journal import Journal
from agent.store.rows import Sealer
from agent.store.sql import QUERIES, migration
from agent.store.wal import read_log

log = logging.getLogger(__name__)

JOURNAL = "journal.db"
STATE = "state.db"
SCHEMA = 1
APPLICATION_ID = 0x504F5341  # "POSA"
#: An unclean start checks the structure for at most this long; a million rows take about a second.
CHECK_S = 1.0

#: A word and not a digit: no flipped bit makes a store look cleanly closed.
CLEAN = "yes"

DAMAGE_CODES = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalFacts:
    """What start-up found out about the journal."""

    path: str
    schema: int
    born_at: datetime
    clean_start: bool
    damage: str = ""
    doubtful: int = 0  #: records that were being sent when the agent last stopped
    last_seen_ms: int = 0


def sqlite_name(error: sqlite3.Error) -> str:
    """`SQLITE_FULL` and so on; older extended codes are cut to their family by the callers."""
    return getattr(error, "sqlite_errorname", "") or type(error).__name__


def family(error: sqlite3.Error) -> str:
    """full, damaged, io, busy (or no memory) or other: what an error means for the whole store."""
    name = sqlite_name(error)
    if name == "SQLITE_FULL":
        return "full"
    if any(name.startswith(code) for code in DAMAGE_CODES):
        return "damaged"
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "io"
    busy = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM"))
    return "busy" if busy else "other"


def connect(path: Path) -> sqlite3.Connection:
    """A connection under the store's rules: one, exclusive, WAL, explicit everything."""
    db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        db.row_factory = sqlite3.Row
        db.text_factory = _text
        for pragma in (
            "trusted_schema = OFF",
            "locking_mode = EXCLUSIVE",  # before journal_mode: then there is no -shm file at all
            "page_size = 1024",
            "mmap_size = 0",
            "wal_autocheckpoint = 0",  # a failing automatic checkpoint tells nobody
            "cache_size = -512",
            "temp_store = MEMORY",
            "foreign_keys = OFF",
        ):
            db.execute(f"PRAGMA {pragma}")
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError("store.unavailable", f"{path} cannot use a write-ahead log here")
    except BaseException:
        db.close()
        raise
    return db


def _text(raw: bytes) -> str:
    """Text of a damaged row must be readable to be found altered, not end the reading."""
    return raw.decode("utf-8", "backslashreplace")


def open_journal(
    directory: Path, now: Moment, orders: Mapping[str, Order], rules: Rules | None = None
) -> tuple[sqlite3.Connection, Journal, JournalFacts]:
    """Open, or put a damaged journal aside and open a new one.

    Raises OperatorError for a journal of a newer agent or a bad key, StoreError where the flash
    refuses.
    """
    path = directory / JOURNAL
    quarantine.finish(path, now)
    secret, new_key = row_key(directory / "row.key")
    found = read_log(path.with_name(JOURNAL + "-wal"))
    damage = found.missing if path.exists() else ""
    kept = quarantine.keep_log(path, now) if damage else None
    if new_key and path.exists():
        damage = damage or "the key file was missing, so no stored row can be believed"
    start = _Start(
        path=path, secret=secret, now=now, orders=orders, rules=rules, damage=damage,
        cut_off=found.cut_off,
    )  # fmt: skip
    try:
        db, journal, facts = _opened(start)
        return db, journal, _listed(db, journal, facts, now, kept)
    except sqlite3.Error as error:
        # "Other" on a journal that exists: its own schema can no longer be read as ours.
        if family(error) != "damaged" and (family(error) != "other" or not path.exists()):
            raise refused(error, path) from error
        reason = f"{sqlite_name(error)}: {error}"
    except (_DamagedError, UnicodeDecodeError) as error:  # the latter: a column's very name
        reason = str(error)
    aside = quarantine.put_aside(path, now)
    log.critical("event=journal_quarantined path=%s reason=%r", aside, reason)
    start = replace(start, damage=f"the journal was damaged ({reason})", cut_off=False)
    try:
        db, journal, facts = _opened(start)
        return db, journal, _listed(db, journal, facts, now, None)
    except sqlite3.Error as error:
        raise refused(error, path) from error


def _listed(
    db: sqlite3.Connection, journal: Journal, facts: JournalFacts, now: Moment, kept: Path | None
) -> JournalFacts:
    """Write down what lies in quarantine, also what a start that was cut short put there."""
    known = [item.path for item in journal.aside.journals()]
    path = Path(facts.path)
    found = quarantine.unlisted(path, known)
    if kept is not None and str(kept) not in known:
        found.append(kept)
    for file in found:
        reason = facts.damage or "a damaged journal had been put aside before the last stop"
        db.execute(QUERIES["add_quarantine"], (str(file), now.wall_ms, reason, None, None))
        facts = replace(facts, damage=reason)
    return facts


class _DamagedError(Exception):
    """The file opens but is not whole."""


def _opened(start: _Start) -> tuple[sqlite3.Connection, Journal, JournalFacts]:
    path, now = start.path, start.now
    existed = path.exists() and path.stat().st_size > 0
    db = connect(path)
    try:
        db.execute("PRAGMA synchronous = FULL")
        if db.execute("PRAGMA synchronous").fetchone()[0] != 2:
            raise StoreError("store.unavailable", "this SQLite cannot run with synchronous=FULL")
        if existed:
            _check_identity(db, path)
        if db.execute("PRAGMA user_version").fetchone()[0] == 0:
            _create(db, now)
            sync_directory(path.parent)
        clean = _meta(db, "clean") == CLEAN
        if existed and not clean:
            _check_structure(db)
        if existed:
            _fold(db)
        db.execute("BEGIN IMMEDIATE")
        journal, facts = _recovered(db, start, clean)
        db.execute("COMMIT")
        journal.tally.load(db.execute(QUERIES["tally"]).fetchall())
        journal.examiner.load(now)
    except BaseException:
        db.close()
        raise
    return db, journal, facts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What an opening begins with."""

    path: Path
    secret: bytes
    now: Moment
    orders: Mapping[str, Order]
    rules: Rules | None
    damage: str
    cut_off: bool


def _recovered(db: sqlite3.Connection, start: _Start, clean: bool) -> tuple[Journal, JournalFacts]:
    now, damage = start.now, start.damage
    born_ms = _number(_meta(db, "born_ms"))
    database_id = _database_id(db)
    last_seq = db.execute(QUERIES["last_seq"]).fetchone()[0] or 0
    journal = Journal(
        db,
        Sealer(start.secret, database_id),
        boot_no=_boot_no(db, now),
        born_ms=born_ms,
        next_seq=max(last_seq, _number(_meta(db, "last_seq") or "0")) + 1,
        orders=start.orders,
        rules=start.rules,
    )
    if not damage and not clean:
        # A changed row anywhere among the newest is damage to all; older ones are checked as
        # they are read.
        before = len(journal.aside.keys)
        journal.page(None, max(0, last_seq - 500), 500, now)
        if len(journal.aside.keys) > before:
            damage = "a row of this journal was found altered"
    moved = {"doubt": 0, "held": 0} if clean and not damage else journal.recover(now, damage)
    if start.cut_off and not damage:
        moved["doubt"] += doubt_unsent(journal, now)
        log.warning("event=log_end_unreadable in_doubt=%s", moved["doubt"])
    db.execute(QUERIES["set_meta"], ("clean", "no"))
    last_seen_ms = max(
        db.execute(QUERIES["last_changed"]).fetchone()[0] or 0,
        _number(_meta(db, "last_seen_ms") or "0"),
    )
    return journal, JournalFacts(
        path=str(start.path),
        schema=SCHEMA,
        born_at=at_ms(born_ms),
        clean_start=clean,
        damage=damage,
        doubtful=moved["doubt"],
        last_seen_ms=last_seen_ms,
    )


def _check_identity(db: sqlite3.Connection, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    ours = db.execute(QUERIES["has_meta"]).fetchone() is not None
    if version == 0 and not ours and application_id == 0:
        return  # created, but the power went before the first commit
    # The header repeats what the table says; where they differ, bits have changed.
    written = _meta(db, "schema") if ours else None
    if written == str(SCHEMA) and (application_id, version) != (APPLICATION_ID, SCHEMA):
        raise _DamagedError(f"the header says schema {version} of {application_id:#x}")
    if written == str(SCHEMA) and _meta(db, "schema_sum") != _schema_sum(db):
        raise _DamagedError("the text of the schema is not what was written")
    if application_id != APPLICATION_ID:
        raise OperatorError(
            "store.foreign", f"{path} is not a posagent journal", "set agent.state_dir correctly"
        )
    if version > SCHEMA:
        raise OperatorError(
            "store.newer_schema",
            f"{path} was written by a newer agent (schema {version}, this one knows {SCHEMA})",
            "install the newer agent again; nothing was changed",
        )


def _check_structure(db: sqlite3.Connection) -> None:
    """quick_check, given up silently after CHECK_S: rows are still checked one by one."""
    ends = time.monotonic() + CHECK_S
    db.set_progress_handler(lambda: int(time.monotonic() > ends), 20_000)
    try:
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if sqlite_name(error) != "SQLITE_INTERRUPT":
            raise
        log.info("event=quick_check_cut_short after_s=%s", CHECK_S)
        return
    finally:
        db.set_progress_handler(None, 0)
    if verdict != "ok":
        raise _DamagedError(f"quick_check: {verdict}")


def _fold(db: sqlite3.Connection) -> None:
    """Write what the log holds into the database, before anything is answered from it.

    After a sync that failed, parts of the log can be readable and yet never reach the flash: the
    kernel has marked them clean. Only writing them again makes them durable; a commit behind such
    a part would be lost with it at the next power cut.
    """
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.Error as error:
        if family(error) != "full":
            raise
        log.warning("event=log_not_folded code=%s", sqlite_name(error))


def _create(db: sqlite3.Connection, now: Moment) -> None:
    db.execute("BEGIN IMMEDIATE")
    for statement in _statements(migration(f"journal_{SCHEMA:04d}")):
        db.execute(statement)
    for name, value in (
        ("database_id", uuid.uuid4().hex),
        ("born_ms", str(now.wall_ms)),
        ("schema", str(SCHEMA)),
        ("schema_sum", _schema_sum(db)),
        ("clean", CLEAN),
    ):
        db.execute(QUERIES["set_meta"], (name, value))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {SCHEMA}")
    db.execute("COMMIT")


def _statements(script: str) -> list[str]:
    lines = [line.split("--", 1)[0] for line in script.splitlines()]
    return [part for part in "\n".join(lines).split(";") if part.strip()]


def _meta(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute(QUERIES["get_meta"], (name,)).fetchone()
    return None if row is None else str(row[0])


def _schema_sum(db: sqlite3.Connection) -> str:
    text = str(db.execute(QUERIES["schema_text"]).fetchone()[0])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _number(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise _DamagedError("the table meta is not what was written") from error


def _database_id(db: sqlite3.Connection) -> bytes:
    try:
        return bytes.fromhex(_meta(db, "database_id") or "missing")
    except ValueError as error:
        raise _DamagedError("the table meta is not what was written") from error


def _boot_no(db: sqlite3.Connection, now: Moment) -> int:
    row = db.execute(QUERIES["boot"], (now.boot_id,)).fetchone()
    if row is not None:
        return int(row[0])
    return int(db.execute(QUERIES["add_boot"], (now.boot_id, now.wall_ms)).lastrowid or 0)


def close_cleanly(db: sqlite3.Connection, journal: Journal, now: Moment) -> None:
    """Say that nothing was left half done, and fold the WAL into the database."""
    db.execute("BEGIN IMMEDIATE")
    if State.SENDING in journal.backlog().by_state:
        # Attempts that were cut off by the stop: a clean start does not look for them.
        journal.recover(now, "")
        journal.tally.commit()
    db.execute(QUERIES["set_meta"], ("clean", CLEAN))
    if now.trusted:
        db.execute(QUERIES["set_meta"], ("last_seen_ms", str(now.wall_ms)))
    last_seq = db.execute(QUERIES["last_seq"]).fetchone()[0] or 0
    db.execute(QUERIES["set_meta"], ("last_seq", str(last_seq)))
    backlog = journal.backlog()
    db.execute(
        QUERIES["set_meta"],
        ("unsent", json.dumps([backlog.total.count, dict(backlog.total.by_currency)])),
    )
    db.execute("COMMIT")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def open_state(directory: Path, now: Moment) -> sqlite3.Connection:
    """state.db: opened, or made anew when it is damaged. It may be lost; money is not in it."""
    path = directory / STATE
    try:
        return _state(path)
    except sqlite3.Error as error:
        if family(error) not in ("damaged", "other"):
            raise refused(error, path) from error
        log.warning("event=state_rebuilt path=%s reason=%r", path, sqlite_name(error))
    for suffix in ("", "-wal"):
        path.with_name(STATE + suffix).unlink(missing_ok=True)
    return _state(path)


def _state(path: Path) -> sqlite3.Connection:
    db = connect(path)
    try:
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA wal_autocheckpoint = 1000")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version > SCHEMA:
            raise sqlite3.DatabaseError(f"schema {version} of a newer agent")
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            for statement in _statements(migration(f"state_{SCHEMA:04d}")):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {SCHEMA}")
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    return db


def refused(error: sqlite3.Error | OSError, path: Path) -> StoreError:
    """The flash said no: a sentence with the likeliest cause, for whoever stands there."""
    read_only = False
    try:
        read_only = bool(os.statvfs(path.parent).f_flag & os.ST_RDONLY)
    except OSError:
        log.debug("event=statvfs_failed path=%s", path.parent)
    if isinstance(error, sqlite3.Error) and family(error) == "full":
        return StoreError(
            "store.full", f"no space left for {path}", "free storage on this terminal"
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            "store.full", f"no space left for {path}", "free storage on this terminal"
        )
    if read_only:
        return StoreError(
            "store.unavailable",
            f"{path.parent} is mounted read-only",
            "worn flash remounts itself read-only: back up and replace it",
        )
    why = error.strerror or str(error) if isinstance(error, OSError) else sqlite_name(error)
    return StoreError(
        "store.unavailable", f"cannot use {path}: {why}", "check rights and the state of the flash"
    )
