"""Brings a journal back to an older schema, for the older agent that is put in force again.

With no daemon running, in one transaction: a power cut leaves the newer journal or the older one,
whole. Every payment stays, with what happened since the newer agent raised it; what the older one
has no table for is put by in the same file and comes back with the next migration. Refused where
the older one could not say what is in it. The copy from before the migration has no part in this:
payments that were sent since would be sent again. Called by the command line on the way back.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from agent.core.moment import Moment
from agent.errors import OperatorError, StoreError
from agent.record import dataclass
from agent.store import migrate
from agent.store.files import LockFile, row_key
from agent.store.opening import JOURNAL, connect, family, refused, sqlite_name
from agent.store.rows import Sealer
from agent.store.schema import (
    CLEAN,
    LOWEST,
    SCHEMA,
    STEPPED_FOR,
    DamagedError,
    check_identity,
    database_id,
    meta,
    statements,
    write_down,
)
from agent.store.sql import QUERIES, migration
from agent.store.wal import read_log

log = logging.getLogger(__name__)

#: How a script says what the older schema cannot express: a count of rows, and what they are.
_UNLESS = "-- refused while: "
#: Rows whose MAC covers other columns in the older schema, carried before its script runs; what is
#: written here never changes again.
_LOWERED: Mapping[int, Callable[[sqlite3.Connection, Sealer], None]] = {}
#: What must be the same before and after, to the last payment.
_MONEY = (
    "SELECT state, in_doubt, coalesce(currency, ''), count(*), coalesce(sum(amount_minor), 0), "
    "min(seq), max(seq) FROM tx GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SteppedDown:
    """What was done."""

    found: int
    schema: int
    records: int
    unsent: int
    put_by: tuple[str, ...]  #: tables the older schema does not have


def step_down(state_dir: Path, target: int, now: Moment) -> SteppedDown:
    """Bring the journal in `state_dir` to schema `target`; nothing to do where it is there already.

    Raises OperatorError where that cannot be done, StoreError `store.busy` while a daemon runs, or
    where the flash refuses; nothing has changed then.
    """
    path = state_dir / JOURNAL
    if not path.exists():
        raise OperatorError(
            "store.absent", f"there is no journal at {path}", "check agent.state_dir"
        )
    if not LOWEST <= target <= SCHEMA:
        raise OperatorError(
            "journal.target",
            f"this version steps journals down to schema {LOWEST} … {SCHEMA}, not to {target}",
            "the older version says what it knows: posagent journal show",
        )
    with LockFile(state_dir / "lock") as lock:
        lock.acquire("step-down")
        if missing := read_log(path.with_name(JOURNAL + "-wal")).missing:
            raise _damaged(missing)
        if not os.path.lexists(state_dir / "row.key"):
            # One made here would hide from the next start that no row can be believed.
            raise _damaged("its key file is missing")
        try:
            db = connect(path)
            try:
                done = _stepped(db, path, target, now)
            finally:
                db.close()
        except DamagedError as error:
            raise _damaged(str(error)) from error
        except sqlite3.Error as error:
            if family(error) in ("damaged", "other"):
                raise _damaged(sqlite_name(error)) from error
            raise refused(error, path) from error
        except OSError as error:
            raise refused(error, path) from error
    log.info("event=journal_stepped_down from=%d to=%d", done.found, done.schema)
    return done


def _stepped(db: sqlite3.Connection, path: Path, target: int, now: Moment) -> SteppedDown:
    db.execute("PRAGMA synchronous = FULL")
    check_identity(db, path)
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA:
        raise OperatorError(
            "journal.newer",
            f"the journal is of schema {found}, which this version ({SCHEMA}) cannot take apart",
            "run this with the version that wrote it: posagent journal show",
        )
    if found < target:
        raise OperatorError(
            "journal.older",
            f"the journal is of schema {found} already, older than {target}",
            "start the version that is to work with it",
        )
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if target < found:
        sealer = Sealer(row_key(path.with_name("row.key"))[0], database_id(db))
        db.execute("BEGIN IMMEDIATE")
        try:
            _descend(db, found, target, sealer, now)
            db.execute(QUERIES["set_meta"], (STEPPED_FOR, str(target)))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        # The log holds all of it once more, and the older agent reads the header of the file.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    else:
        db.execute(QUERIES["set_meta"], (STEPPED_FOR, str(target)))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    # From here on nobody may take a copy from before the update for the journal.
    migrate.forget_copies(path)
    return SteppedDown(
        found=found,
        schema=target,
        records=db.execute("SELECT count(*) FROM tx").fetchone()[0],
        unsent=db.execute("SELECT count(*) FROM tx WHERE state < 4").fetchone()[0],
        put_by=tuple(put_by(db)),
    )


def _descend(db: sqlite3.Connection, found: int, target: int, sealer: Sealer, now: Moment) -> None:
    money = db.execute(_MONEY).fetchall()
    for version in range(found, target, -1):
        script = migration(f"journal_{version:04d}.down")
        _possible(db, script, version)
        if version in _LOWERED:
            _LOWERED[version](db, sealer)
        for statement in statements(script):
            db.execute(statement)
    write_down(db, target)
    said = {"from": found, "to": target, "at_ms": now.wall_ms}
    db.execute(QUERIES["set_meta"], ("stepped_down", json.dumps(said)))
    db.execute(f"PRAGMA user_version = {target}")
    if [tuple(row) for row in db.execute(_MONEY)] != [tuple(row) for row in money]:
        raise StoreError(
            "journal.changed",
            "stepping down would have changed payments; nothing was changed",
            "start the newer version again and report this",
        )


def _possible(db: sqlite3.Connection, script: str, version: int) -> None:
    for line in script.splitlines():
        if not line.startswith(_UNLESS):
            continue
        counting, _, what = line.removeprefix(_UNLESS).partition(" => ")
        if count := db.execute(counting).fetchone()[0]:
            raise OperatorError(
                "journal.not_expressible",
                f"the older version has no words for {count} {what} (schema {version})",
                "start the newer version and let these be finished first",
            )


def put_by(db: sqlite3.Connection) -> list[str]:
    """Tables that wait for a newer agent."""
    return [row[0] for row in db.execute(migrate.PUT_BY, ("later_*",))]


def known() -> dict[str, Any]:
    """What this version can work with."""
    return {"this_version_knows": SCHEMA, "steps_down_to": LOWEST}


def look(state_dir: Path) -> dict[str, Any]:
    """What a journal says about itself; whole and unchanged also when it is a newer agent's.

    Read from a copy. Raises as `agent.store.offline.open_offline`.
    """
    import shutil
    import tempfile

    source = state_dir / JOURNAL
    lock = LockFile(state_dir / "lock")
    try:
        lock.acquire("offline reader", shared=True)
        with tempfile.TemporaryDirectory(prefix="posagent-") as scratch:
            copy = Path(scratch) / JOURNAL
            for suffix in ("", "-wal"):
                if (there := source.with_name(JOURNAL + suffix)).exists() or not suffix:
                    shutil.copyfile(there, copy.with_name(JOURNAL + suffix))
            lock.release()
            db = sqlite3.connect(copy)
            try:
                return _said(db, source)
            finally:
                db.close()
    except FileNotFoundError as error:
        raise OperatorError(
            "store.absent", f"there is no journal at {source}", "check agent.state_dir"
        ) from error
    except PermissionError as error:
        raise OperatorError(
            "store.rights", f"no right to read {state_dir}",
            "run this as root or as the agent's own user",
        ) from error  # fmt: skip
    except sqlite3.Error as error:
        raise StoreError(
            "store.unavailable", f"cannot read {source}: {sqlite_name(error)}"
        ) from error
    finally:
        lock.release()


def _said(db: sqlite3.Connection, source: Path) -> dict[str, Any]:
    schema = db.execute("PRAGMA user_version").fetchone()[0]
    reader = (meta(db, "min_reader") or str(schema)).split(" ")[0]
    return {
        "schema": schema,
        "readable_from": int(reader) if reader.isdecimal() else schema,
        "written_by": meta(db, "written_by") or "",
        **known(),
        "closed_cleanly": meta(db, "clean") == CLEAN,
        "stepped_for": schema if meta(db, STEPPED_FOR) == str(schema) else None,
        "records": db.execute("SELECT count(*) FROM tx").fetchone()[0],
        "unsent": db.execute("SELECT count(*) FROM tx WHERE state < 4").fetchone()[0],
        "put_by": put_by(db),
        "copies": sorted(copy.name for copy in source.parent.glob(f"{JOURNAL}.schema-*")),
    }


def _damaged(how: str) -> OperatorError:
    return OperatorError(
        "journal.damaged",
        f"the journal is damaged ({how}), so it is not stepped down",
        "start the newer version once: it puts aside what cannot be believed",
    )
