"""Opening the journal: who may, is it ours, is it whole, and what the last run left behind.

Order matters. The lock comes first; then the write-ahead log is read before SQLite touches it;
what is damaged is put aside by renaming while closed, never repaired; and a fresh journal takes
over at once, knowing that it does not know what was in the old one.
"""

from __future__ import annotations

import errno
import hmac
import json
import logging
import os
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

from agent.core.moment import Moment, at_ms
from agent.core.money.journal import State
from agent.core.money.lanes import Order
from agent.core.money.limits import Rules
from agent.durable import sync_directory
from agent.errors import StoreError
from agent.record import dataclass
from agent.store import migrate, quarantine, sealing
from agent.store.files import row_key
from agent.store.journal import RECORDS, Journal
from agent.store.recovery import AT_START, restarted, settle_suspects
from agent.store.rows import Sealer
from agent.store.schema import (
    CLEAN,
    SCHEMA,
    STEPPED_FOR,
    DamagedError,
    check_identity,
    database_id,
    meta,
    number,
    statements,
)
from agent.store.sealing import KEY_FILE, Sealing
from agent.store.sql import QUERIES, migration
from agent.store.table import CUT_OFF, Table, counted, keep_tally, tally_kept
from agent.store.wal import read_log

log = logging.getLogger(__name__)

JOURNAL = "journal.db"
STATE = "state.db"
STATE_SCHEMA = 10
#: The last number is kept in so many digits. Agents that keep no counts write it without zeros in
#: front: then one of them has worked here since, and counts that were kept are out of date.
SEQ_DIGITS = 20
#: An unclean start checks the structure for at most this long; a million rows take about a second.
CHECK_S = 1.0

DAMAGE_CODES = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
#: Failures of the storage in a row after which a journal is put aside.
ENOUGH = 3


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
    """full, damaged, io, busy, refused or other: what an error means for the store as a whole."""
    name = sqlite_name(error)
    if name == "SQLITE_FULL":
        return "full"
    if any(name.startswith(code) for code in DAMAGE_CODES):
        return "damaged"
    if name.startswith(("SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        return "io"
    if name.startswith(("SQLITE_CONSTRAINT", "SQLITE_TOOBIG", "SQLITE_MISMATCH")):
        return "refused"  # one row was; the flash is well
    busy = name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_NOMEM"))
    return "busy" if busy else "other"


def unreadable(error: BaseException | None) -> bool:
    """Whether blocks of the file itself cannot be read, which will be no better next time."""
    return isinstance(error, sqlite3.Error) and sqlite_name(error) in (
        "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ", "SQLITE_IOERR_CORRUPTFS",
    )  # fmt: skip


def connect(path: Path) -> sqlite3.Connection:
    """A connection under the store's rules: one, exclusive, WAL, explicit everything."""
    db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
    try:
        db.row_factory = sqlite3.Row
        # A flipped bit in a text must come back as an altered row, not as an error that ends the
        # daemon at every start.
        db.text_factory = partial(str, encoding="utf-8", errors="backslashreplace")
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


def open_journal(
    directory: Path,
    now: Moment,
    orders: Mapping[str, Order],
    failures: int = 0,
    rules: Rules | None = None,
    *,
    kept_as: Sealing | None = None,
) -> tuple[sqlite3.Connection, Journal, JournalFacts]:
    """Open, or put a damaged journal aside and open a new one.

    `failures`: how often in a row the storage has failed in it; at `ENOUGH` it is put aside too.
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
        cut_off=found.cut_off, sealing=kept_as or Sealing(file=directory / KEY_FILE),
    )  # fmt: skip
    try:
        if failures >= ENOUGH and path.exists():
            raise DamagedError(f"the storage failed in it {failures} times in a row")
        if _emptied(path):
            raise DamagedError("the file is empty, and its log is not")
        db, journal, facts = _opened(start)
        return db, journal, _listed(db, journal, facts, now, kept)
    except sqlite3.Error as error:
        # "Other" on a journal that exists: its own schema can no longer be read as ours.
        if family(error) != "damaged" and (family(error) != "other" or not path.exists()):
            raise refused(error, path) from error
        reason = f"{sqlite_name(error)}: {error}"
    except (DamagedError, UnicodeDecodeError) as error:  # the latter: a column's very name
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


def _opened(start: _Start) -> tuple[sqlite3.Connection, Journal, JournalFacts]:
    path, now = start.path, start.now
    existed = path.exists() and path.stat().st_size > 0
    db = connect(path)
    try:
        db.execute("PRAGMA synchronous = FULL")
        if db.execute("PRAGMA synchronous").fetchone()[0] != 2:
            raise StoreError("store.unavailable", "this SQLite cannot run with synchronous=FULL")
        if existed:
            check_identity(db, path)
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            migrate.create(db, now)
            sync_directory(path.parent)
        clean = meta(db, "clean") == CLEAN
        if existed and not clean:
            _check_structure(db)
        if existed:
            _fold(db)
        if 0 < version < SCHEMA:
            migrate.migrate(db, path, version, start.secret, own=start.sealing.makes)
        elif clean:
            migrate.forget_copies(path)
        db.execute("BEGIN IMMEDIATE")
        journal, facts = _recovered(db, start, clean)
        db.execute("COMMIT")
        journal.table.committed()
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
    sealing: Sealing


def _recovered(db: sqlite3.Connection, start: _Start, clean: bool) -> tuple[Journal, JournalFacts]:
    now, damage = start.now, start.damage
    born_ms = number(meta(db, "born_ms"))
    stopped = meta(db, "last_seq") or "0"
    stopped_at = number(stopped)
    last_seq = max(db.execute(QUERIES["last_seq"]).fetchone()[0], stopped_at)
    table = Table(
        db, Sealer(start.secret, database_id(db)), boot_no=_boot_no(db, now),
        next_seq=last_seq + 1, window_s=start.rules.window_s if start.rules else 0,
    )  # fmt: skip
    seals = sealing.begin(db, start.sealing, database_id(db))
    journal = Journal(table, seals, born_ms=born_ms, orders=start.orders, rules=start.rules)
    ours = clean and not damage and len(stopped) == SEQ_DIGITS
    kept = tally_kept(db, table) if ours else None
    table.tally.load(counted(table) if kept is None else kept)
    if not damage and not clean:
        # A changed row anywhere among the newest is damage to all; older ones are checked as
        # they are read.
        journal.page(None, max(0, last_seq - RECORDS), RECORDS, now)
    if damage:
        table.suspect(damage)
    elif start.cut_off:
        log.warning("event=log_end_unreadable")
        table.suspect(CUT_OFF.note, doubt=True)
    if table.suspicion is not None:
        if not table.suspicion.doubt:
            damage = damage or table.suspicion.note
        settle_suspects(table, now, AT_START)
    doubtful = restarted(table, now)
    db.execute(QUERIES["set_meta"], ("clean", "no"))
    db.execute("DELETE FROM meta WHERE name = ?", (STEPPED_FOR,))
    last_seen_ms = max(
        db.execute(QUERIES["last_changed"], _not_yet(table)).fetchone()[0] or 0,
        number(meta(db, "last_seen_ms") or "0"),
    )
    return journal, JournalFacts(
        path=str(start.path),
        schema=db.execute("PRAGMA user_version").fetchone()[0],
        born_at=at_ms(born_ms),
        clean_start=clean,
        damage=damage or sealing.told(seals, start.sealing.file),
        doubtful=doubtful,
        last_seen_ms=last_seen_ms,
    )


def clock_proved(table: Table, utc_ms: int, not_yet_ms: int) -> None:
    """Keep over a restart that the newest time seen was a wrong clock's: it is `utc_ms` now."""
    table.db.execute(QUERIES["set_meta"], ("last_seen_ms", str(utc_ms)))
    said = (max(not_yet_ms, _not_yet(table)[0]), table.boot_no)
    seal = table.sealer.line("not_yet_ms", said).hex()
    table.db.execute(QUERIES["set_meta"], ("not_yet_ms", f"{said[0]} {said[1]} {seal}"))


def _not_yet(table: Table) -> tuple[int, int]:
    """Times a wrong clock made up, and the last boot whose rows may be stamped so; (0, -1): none.

    Sealed, because a higher one would make this terminal forget times it has lived through.
    """
    told = str(meta(table.db, "not_yet_ms") or "").split(" ")
    try:
        ms, boot_no, seal = int(told[0]), int(told[1]), told[2]
    except (ValueError, IndexError):
        return 0, -1
    expected = table.sealer.line("not_yet_ms", (ms, boot_no)).hex()
    return (ms, boot_no) if hmac.compare_digest(seal.encode(), expected.encode()) else (0, -1)


def _emptied(path: Path) -> bool:
    """Whether the file was cut to nothing: SQLite then takes its log for a stray and deletes it."""
    log_file = path.with_name(JOURNAL + "-wal")
    there = path.exists() and log_file.exists()
    return there and not path.stat().st_size and log_file.stat().st_size > 0


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
        raise DamagedError(f"quick_check: {verdict}")


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
        restarted(journal.table, now)
        journal.table.committed()
    db.execute(QUERIES["set_meta"], ("clean", CLEAN))
    if now.trusted:
        db.execute(QUERIES["set_meta"], ("last_seen_ms", str(now.wall_ms)))
    last_seq = f"{journal.table.next_seq - 1:0{SEQ_DIGITS}d}"
    db.execute(QUERIES["set_meta"], ("last_seq", last_seq))
    backlog = journal.backlog()
    db.execute(
        QUERIES["set_meta"],
        ("unsent", json.dumps([backlog.total.count, dict(backlog.total.by_currency)])),
    )
    keep_tally(db, journal.table)
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
        if version > STATE_SCHEMA:
            raise sqlite3.DatabaseError(f"schema {version} of a newer agent")
        if version < STATE_SCHEMA:
            db.execute("BEGIN IMMEDIATE")
            for step in range(version + 1, STATE_SCHEMA + 1):
                for statement in statements(migration(f"state_{step:04d}")):
                    db.execute(statement)
            db.execute(f"PRAGMA user_version = {STATE_SCHEMA}")
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
