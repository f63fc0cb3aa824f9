"""One batch, one transaction: all of it is durable, or none of it happened.

A fault of one caller spoils neither the batch of the others nor the counts that are kept beside
the tables; an error of SQLite itself is not judged here but passed on (writer). On its thread only.
"""

from __future__ import annotations

import logging
import sqlite3

from agent.errors import InternalError, StoreError
from agent.store.item import Item, again
from agent.store.journal import Journal
from agent.store.opening import family, sqlite_name

log = logging.getLogger(__name__)


def transaction(db: sqlite3.Connection, journal: Journal, items: list[Item]) -> None:
    """Run and commit the items. Raises sqlite3.Error after undoing all of them."""
    try:
        if not _together(db, journal, items):
            _one_by_one(db, journal, items)
    except BaseException:
        _roll_back(db)
        journal.table.rolled_back()
        raise
    journal.table.committed()


def _together(db: sqlite3.Connection, journal: Journal, items: list[Item]) -> bool:
    """All in one go, without the cost of savepoints. False, and nothing done, if one of several
    fails by its caller's fault."""
    db.execute("BEGIN IMMEDIATE")
    try:
        for item in items:
            item.result = item.work(journal)
    except Exception as error:  # noqa: BLE001 - handed to the caller, or met again one by one
        fault = _fault(error)
        db.execute("ROLLBACK")
        journal.table.rolled_back()
        if len(items) > 1:
            return False
        items[0].error = fault
        return True
    db.execute("COMMIT")
    return True


def _one_by_one(db: sqlite3.Connection, journal: Journal, items: list[Item]) -> None:
    """Still one commit, but a caller's fault spoils only its own item."""
    db.execute("BEGIN IMMEDIATE")
    for item in items:
        item.result = None
        mark = journal.tally.mark()
        db.execute("SAVEPOINT item")
        try:
            item.result = item.work(journal)
        except Exception as error:  # noqa: BLE001 - a caller's fault must not spoil the batch
            item.error = _fault(error)
            db.execute("ROLLBACK TO item")
            journal.table.rolled_back(mark)
        db.execute("RELEASE item")
    db.execute("COMMIT")


def _fault(error: Exception) -> Exception:
    """What the caller is told. Raises it again if the flash or SQLite failed, not the caller."""
    if not isinstance(error, sqlite3.Error):
        return error
    if family(error) != "refused":
        raise error
    log.error("event=row_refused code=%s", sqlite_name(error))
    return InternalError("store.row", f"refused: {sqlite_name(error)}")


class StateCommits:
    """state.db has no money: a failure is an error for the caller and nothing more."""

    def __init__(self) -> None:
        self._failures = 0  # in a row

    def commit(self, db: sqlite3.Connection, items: list[Item]) -> None:
        try:
            db.execute("BEGIN IMMEDIATE")
            for item in items:
                item.result = item.work(db)
            db.execute("COMMIT")
            if self._failures:
                log.info("event=state_written_again failures=%d", self._failures)
                self._failures = 0
        except sqlite3.Error as error:
            self._failures += 1
            level = logging.WARNING if self._failures == 1 else logging.DEBUG
            log.log(level, "event=state_write_failed code=%s", sqlite_name(error))
            refusal = StoreError("store.state", f"state.db: {sqlite_name(error)}")
            for item in items:
                item.result, item.error = None, again(refusal)
            _roll_back(db)
        except Exception as error:  # noqa: BLE001 - one caller's fault fails its batch
            for item in items:
                item.result, item.error = None, error
            _roll_back(db)


def _roll_back(db: sqlite3.Connection) -> None:
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        log.warning("event=rollback_failed code=%s", sqlite_name(error))
