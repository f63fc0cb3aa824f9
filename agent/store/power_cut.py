"""The self-test's numbers on flash: written the way the journal writes, in two copies.

A plain file (write, fsync) and a database under the store's own rules (WAL, synchronous=FULL).
Both are rings of fixed size, in a directory of their own: nothing here touches money. Decides
nothing; `agent.core.power_cut` does. Called by `agent.cli.selftest`. Blocking.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

from agent.core.power_cut import RECORD_BYTES, SLOTS, numbers, record, slot
from agent.durable import sync_directory
from agent.errors import StoreError
from agent.store.opening import connect

FILE, DATABASE = "counter.ring", "counter.db"
CHECKPOINT_EVERY = 512  #: commits; the WAL stays around 1 MiB


class Counter:
    """Writes one number after another; each is on disk, as far as the disk says, on return."""

    def __init__(self, directory: Path, run: str) -> None:
        self._run = run
        for name in (FILE, DATABASE, f"{DATABASE}-wal"):
            (directory / name).unlink(missing_ok=True)
        owner = directory.stat()
        for name in (FILE, DATABASE):
            fd = _created(directory / name)
            if os.geteuid() == 0:
                os.fchown(fd, owner.st_uid, owner.st_gid)
            os.close(fd)
        self._ring = os.open(directory / FILE, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._db = _created_database(directory / DATABASE)
        except BaseException:
            os.close(self._ring)
            raise
        sync_directory(directory)

    def write(self, number: int) -> None:
        """Raises OSError and StoreError: then nobody may be shown the number."""
        at = slot(number)
        content = record(self._run, number)
        if os.pwrite(self._ring, content, at * RECORD_BYTES) != len(content):
            raise StoreError("store.full", "the counter's record was written in part only")
        os.fsync(self._ring)
        try:
            # Autocommit: one statement, one commit, one sync of the WAL.
            row = (at, self._run, number)
            self._db.execute("INSERT OR REPLACE INTO counter VALUES (?, ?, ?)", row)
            if number % CHECKPOINT_EVERY == 0:
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        except sqlite3.Error as error:
            raise StoreError("store.unavailable", f"the counter cannot commit: {error}") from error

    def close(self) -> None:
        self._db.close()
        os.close(self._ring)


def _created_database(path: Path) -> sqlite3.Connection:
    try:
        db = connect(path)
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE counter (slot INTEGER PRIMARY KEY, run TEXT, number INT)")
    except sqlite3.Error as error:
        raise StoreError("store.unavailable", f"the counter cannot begin: {error}") from error
    return db


def _created(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def in_file(directory: Path, run: str) -> frozenset[int] | None:
    """The numbers of a run in the file; None: it cannot be read."""
    try:
        with (directory / FILE).open("rb") as file:
            return numbers(file.read(SLOTS * RECORD_BYTES), run)
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None


def in_database(directory: Path, run: str) -> frozenset[int] | None:
    """The numbers of a run in the database; None: it is damaged."""
    path = directory / DATABASE
    if not path.exists():
        return frozenset()
    try:
        db = connect(path)
    except (sqlite3.Error, StoreError):
        return None
    try:
        # A database cut before its first checkpoint has its table in the WAL, or nowhere yet.
        if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'counter'").fetchone():
            return frozenset()
        asked = "SELECT number, slot FROM counter WHERE run = ? AND typeof(number) = 'integer'"
        rows = db.execute(asked, (run,)).fetchmany(SLOTS + 1)
        return frozenset(int(row["number"]) for row in rows if slot(row["number"]) == row["slot"])
    except sqlite3.Error:
        return None
    finally:
        db.close()


def removed(directory: Path) -> None:
    """The counter and everything beside it in its own directory."""
    if directory.exists():
        shutil.rmtree(directory)
        sync_directory(directory.parent)
