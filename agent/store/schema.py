"""What makes a file a posagent journal: its marks, its schema, and the table of small facts.

It decides whether a file is one of ours and whole enough to be opened. How one is made or brought
to this schema is `migrate`, what the rows in it are worth is `table`. On the writer thread only.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from agent import __version__
from agent.errors import OperatorError
from agent.store.sql import QUERIES

SCHEMA = 3
#: The lowest a journal can be stepped down to (`stepdown`).
LOWEST = 2
#: The oldest schema whose agents can work with a journal of this one, where that is not the schema
#: itself: what came with it are new tables and indexes only, and an agent without them writes no
#: row that one with them cannot read. Such a journal needs no step down.
READERS: Mapping[int, int] = {}
#: Agents of earlier schemas do not look for it.
READERS_FROM = 3
#: Those that are written in the table too; the first was not.
KNOWN = tuple(str(version) for version in range(2, SCHEMA + 1))
APPLICATION_ID = 0x504F5341  # "POSA"
#: Until an agent works with the journal again: the schema somebody has brought it to, or found it
#: to be of already, for an older version.
STEPPED_FOR = "stepped_for"
#: A word and not a digit: no flipped bit makes a store look cleanly closed.
CLEAN = "yes"


class DamagedError(Exception):
    """The file opens but is not whole."""


def check_identity(db: sqlite3.Connection, path: Path) -> None:
    application_id = db.execute("PRAGMA application_id").fetchone()[0]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    ours = db.execute(QUERIES["has_meta"]).fetchone() is not None
    if version == 0 and not ours and application_id == 0:
        return  # created, but the power went before the first commit
    # The header repeats what the table says; where they differ, bits have changed.
    written = meta(db, "schema") if ours else None
    if written in KNOWN:
        if (application_id, version) != (APPLICATION_ID, int(written)):
            raise DamagedError(f"the header says schema {version} of {application_id:#x}")
        if meta(db, "schema_sum") != schema_sum(db):
            raise DamagedError("the text of the schema is not what was written")
    if application_id != APPLICATION_ID:
        raise OperatorError(
            "store.foreign", f"{path} is not a posagent journal", "set agent.state_dir correctly"
        )
    if version > SCHEMA and not for_us(db, version):
        by = meta(db, "written_by") if ours else None
        raise OperatorError(
            "store.newer_schema",
            f"{path} was written by a newer agent (version {by or 'unknown'}, schema {version}; "
            f"this one is {__version__} and knows {SCHEMA})",
            f"nothing was changed. Start the newer version again, or have it run "
            f"'posagent journal step-down --to {SCHEMA}' first; never put an older copy back",
        )


def for_us(db: sqlite3.Connection, version: int) -> bool:
    """Whether a journal of a newer schema says, in both its places, that we can work with it."""
    if meta(db, "schema") != str(version) or meta(db, "schema_sum") != schema_sum(db):
        return False
    readers = range(READERS_FROM, SCHEMA + 1)
    return meta(db, "min_reader") in {told(version, reader) for reader in readers}


def told(version: int, reader: int) -> str:
    """What stands in the journal about who can work with it; no flipped bit makes it another."""
    seal = hashlib.blake2b(f"{version} {reader}".encode(), digest_size=8).hexdigest()
    return f"{reader} {seal}"


def write_down(db: sqlite3.Connection, schema: int) -> None:
    """Have the table say what the header says: which schema this is, and whose."""
    db.execute(QUERIES["set_meta"], ("schema", str(schema)))
    db.execute(QUERIES["set_meta"], ("schema_sum", schema_sum(db)))
    reader = told(schema, READERS.get(schema, schema)) if schema > READERS_FROM else ""
    if reader:
        db.execute(QUERIES["set_meta"], ("min_reader", reader))
    else:
        db.execute("DELETE FROM meta WHERE name = 'min_reader'")
    db.execute(QUERIES["set_meta"], ("written_by", __version__))


def statements(script: str) -> list[str]:
    lines = [line.split("--", 1)[0] for line in script.splitlines()]
    return [part for part in "\n".join(lines).split(";") if part.strip()]


def meta(db: sqlite3.Connection, name: str) -> str | None:
    row = db.execute(QUERIES["get_meta"], (name,)).fetchone()
    return None if row is None else str(row[0])


def schema_sum(db: sqlite3.Connection) -> str:
    text = str(db.execute(QUERIES["schema_text"]).fetchone()[0])
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def number(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError as error:
        raise DamagedError("the table meta is not what was written") from error


def database_id(db: sqlite3.Connection) -> bytes:
    try:
        return bytes.fromhex(meta(db, "database_id") or "missing")
    except ValueError as error:
        raise DamagedError("the table meta is not what was written") from error
