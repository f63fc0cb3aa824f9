"""The one thread that touches the databases: batches in, one commit each, answers out.

Whatever waits when a commit ends goes into the next one together, so 64 submitters share a sync.
An answer leaves only after the commit it depends on. Errors are read strictly: on a full disk the
batch is rolled back and tried one by one; an IO error means nobody knows what is on the flash, so
the batch is answered "unknown", the store stops for good, and the process must end and reopen it
(going on after a failed fsync overwrites what may have been written: docs/rules.md, L5).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.errors import AgentError, StoreError
from agent.store import opening
from agent.store.journal import Journal
from agent.store.opening import JournalFacts, family, sqlite_name
from agent.store.space import TRY_S, Space

log = logging.getLogger(__name__)

#: Enough to fill a slow sync, small enough that the first answer does not wait for the last.
MAX_BATCH = 256
IDLE_S = 0.2
#: Checkpoints are few on purpose (each is two syncs and a chance to be cut), and bounded.
CHECKPOINT_BYTES = 1 << 20
CHECKPOINT_HARD_BYTES = 8 << 20
REOPEN_S = 5.0


class Target(Enum):
    """What a piece of work touches."""

    JOURNAL = "journal"
    STATE = "state"
    FILES = "files"  #: the counters file: synced by itself, outside any transaction


@dataclass(slots=True)
class _Item:
    target: Target
    work: Callable[[Any], Any]
    future: asyncio.Future[Any]
    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the thread has open."""

    journal_db: sqlite3.Connection
    journal: Journal
    state_db: sqlite3.Connection
    facts: JournalFacts


class Writer:
    """Owns both connections. Every method but `_…` may be called from the loop's thread."""

    def __init__(
        self, directory: Path, opener: Callable[[], Opened], clock: Clock,
        on_fatal: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._directory = directory
        self._opener = opener
        self._clock = clock
        self._on_fatal = on_fatal
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._opened: Opened | None = None
        self._refusal: StoreError | None = None  # why nothing can be stored at the moment
        self._fatal = False
        self._reopen_at_s = 0.0  # monotonic
        self._space = Space()
        self._state_failures = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # -- from the loop ---------------------------------------------------------------------

    def start(self) -> asyncio.Future[JournalFacts | StoreError]:
        """Start the thread. The future tells what was opened or why nothing could be."""
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[JournalFacts | StoreError] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="store-writer", daemon=True
        )
        self._thread.start()
        return opened

    def submit(self, target: Target, work: Callable[[Any], Any]) -> asyncio.Future[Any]:
        """Queue a piece of work; the future resolves after its commit."""
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put(_Item(target, work, future))
        return future

    def stop(self, timeout_s: float) -> bool:
        """Finish what is queued, close cleanly, end the thread. False if it hangs in a sync."""
        self._queue.put(None)
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def refusal(self) -> StoreError | None:
        return self._refusal or self._space.refusal

    # -- the thread ------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[JournalFacts | StoreError]) -> None:
        outcome = self._open()
        self._tell([(opened, outcome, None)])
        idle = False
        while True:
            item = self._next(idle)
            if item is _IDLE:
                idle = True
                self._when_idle()
                continue
            if item is None:
                break
            assert isinstance(item, _Item)
            batch = [item]
            ending = False
            while len(batch) < MAX_BATCH:
                try:
                    more = self._queue.get_nowait()
                except queue.Empty:
                    break
                if more is None:
                    ending = True
                    break
                batch.append(more)
            self._serve(batch)
            idle = False
            if ending:
                break
        self._close()

    def _next(self, idle: bool) -> _Item | object | None:
        """Waits for ever when idle, so that a quiet terminal is not woken up for nothing."""
        timeout: float | None = None if idle else IDLE_S
        if self._opened is None and not self._fatal:
            timeout = max(0.0, self._reopen_at_s - time.monotonic())
        elif self._space.refusal is not None:
            timeout = TRY_S
        try:
            return self._queue.get(timeout=timeout)
        except queue.Empty:
            return _IDLE

    def _open(self) -> JournalFacts | StoreError:
        self._reopen_at_s = time.monotonic() + REOPEN_S
        try:
            self._opened = self._opener()
        except StoreError as error:
            self._refusal = error
            return error
        except AgentError as error:
            self._fatal = True
            self._refusal = StoreError(error.code, error.what, error.hint)
            return self._refusal
        except OSError as error:
            self._refusal = opening.refused(error, self._directory)
            return self._refusal
        self._refusal = None
        return self._opened.facts

    def _when_idle(self) -> None:
        self._try_again()
        if self._opened is not None and _wal_bytes(self._directory) >= CHECKPOINT_BYTES:
            self._checkpoint()

    def _try_again(self) -> None:
        """Look now and then whether what failed works again: also while callers keep asking."""
        if self._opened is not None:
            try:
                self._space.try_again(self._opened.journal_db)
            except sqlite3.Error as error:
                self._fail_stop(sqlite_name(error), [])
        elif (
            not self._fatal
            and time.monotonic() >= self._reopen_at_s
            and isinstance(self._open(), JournalFacts)
        ):
            log.info("event=store_reopened path=%s", self._directory)

    def _serve(self, batch: list[_Item]) -> None:
        self._try_again()
        journal = [item for item in batch if item.target is Target.JOURNAL]
        state = [item for item in batch if item.target is Target.STATE]
        for item in batch:
            if item.target is Target.FILES:
                _outside(item, self._directory)
        if self._opened is None:
            for item in (*journal, *state):
                item.error = self._refusal
        else:
            if journal:
                self._commit(self._opened.journal_db, self._opened.journal, journal)
            # Money is answered before the telemetry of the same batch is written.
            self._tell(_answers([item for item in batch if item.target is not Target.STATE]))
            self._after_money(state)
            batch = state
        self._tell(_answers(batch))

    def _after_money(self, state: list[_Item]) -> None:
        """What may wait: telemetry of the batch, and a log grown to its bound."""
        if self._opened is None:  # the batch just ended in an IO error
            for item in state:
                item.error = self._refusal
            return
        if state:
            self._commit_state(self._opened.state_db, state)
        if _wal_bytes(self._directory) >= CHECKPOINT_HARD_BYTES:
            self._checkpoint()

    def _commit(self, db: sqlite3.Connection, journal: Journal, items: list[_Item]) -> None:
        changes = db.total_changes
        try:
            self._transaction(db, journal, items)
            if db.total_changes != changes:
                self._space.wrote()
        except sqlite3.Error as error:
            kind = family(error)
            if kind == "full" and len(items) > 1:
                for item in items:
                    item.result = item.error = None
                    if self._opened is None:  # the storage failed at one of those before
                        item.error = self._refusal
                    else:
                        self._commit(db, journal, [item])
            elif kind == "full":
                items[0].error = self._space.ran_out()
            else:
                self._fail_stop(sqlite_name(error), items)

    def _transaction(self, db: sqlite3.Connection, journal: Journal, items: list[_Item]) -> None:
        try:
            if not self._together(db, journal, items):
                self._one_by_one(db, journal, items)
        except sqlite3.Error:
            journal.tally.rollback()
            _roll_back(db)
            raise
        journal.tally.commit()

    def _together(self, db: sqlite3.Connection, journal: Journal, items: list[_Item]) -> bool:
        """All in one go, without the cost of savepoints. False, and nothing done, if one of
        several fails by its caller's fault."""
        db.execute("BEGIN IMMEDIATE")
        try:
            for item in items:
                item.result = item.work(journal)
        except sqlite3.Error:
            raise
        except Exception as error:  # noqa: BLE001 - handed to the caller, or met again one by one
            db.execute("ROLLBACK")
            journal.tally.rollback()
            if len(items) > 1:
                return False
            items[0].error = error
            return True
        db.execute("COMMIT")
        return True

    def _one_by_one(self, db: sqlite3.Connection, journal: Journal, items: list[_Item]) -> None:
        """Still one commit, but a caller's fault spoils only its own item."""
        db.execute("BEGIN IMMEDIATE")
        for item in items:
            item.result = None
            mark = journal.tally.mark()
            db.execute("SAVEPOINT item")
            try:
                item.result = item.work(journal)
            except sqlite3.Error:
                raise
            except Exception as error:  # noqa: BLE001 - a caller's fault must not spoil the batch
                item.error = error
                db.execute("ROLLBACK TO item")
                journal.tally.rollback(mark)
            db.execute("RELEASE item")
        db.execute("COMMIT")

    def _commit_state(self, db: sqlite3.Connection, items: list[_Item]) -> None:
        """state.db has no money: a failure is an error for the caller and nothing more."""
        try:
            db.execute("BEGIN IMMEDIATE")
            for item in items:
                item.result = item.work(db)
            db.execute("COMMIT")
            if self._state_failures:
                log.info("event=state_written_again failures=%d", self._state_failures)
                self._state_failures = 0
        except sqlite3.Error as error:
            self._state_failures += 1
            log.log(
                logging.WARNING if self._state_failures == 1 else logging.DEBUG,
                "event=state_write_failed code=%s",
                sqlite_name(error),
            )
            refusal = StoreError("store.state", f"state.db: {sqlite_name(error)}")
            for item in items:
                item.result, item.error = None, refusal
            _roll_back(db)
        except Exception as error:  # noqa: BLE001 - one caller's fault fails its batch, not the thread
            for item in items:
                item.result, item.error = None, error
            _roll_back(db)

    def _fail_stop(self, code: str, items: list[_Item]) -> None:
        unknown = StoreError(
            "store.unknown",
            f"the storage failed during the write ({code}): it may or may not be recorded",
            "repeat with the same key; the agent is restarting its store",
        )
        for item in items:
            item.result, item.error = None, unknown
        log.critical("event=store_failed code=%s", code)
        self._fatal = True
        self._refusal = StoreError(
            "store.unavailable",
            f"the storage failed ({code}); nothing is being recorded",
            "repeat with the same key in a few seconds",
        )
        opened, self._opened = self._opened, None
        if opened is not None:
            # Not closed: closing would checkpoint over what the failed sync left behind.
            self._abandoned = opened
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._on_fatal, code)

    def _checkpoint(self) -> None:
        assert self._opened is not None
        try:
            busy, frames, done = self._opened.journal_db.execute(
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).fetchone()
        except sqlite3.Error as error:
            if family(error) in ("full", "busy"):
                log.warning("event=checkpoint_failed code=%s", sqlite_name(error))
                return
            self._fail_stop(sqlite_name(error), [])
            return
        if busy or frames != done:
            log.warning("event=checkpoint_partial frames=%s done=%s", frames, done)

    def _close(self) -> None:
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        try:
            opening.close_cleanly(opened.journal_db, opened.journal, self._clock.now())
        except sqlite3.Error as error:
            log.warning("event=unclean_close code=%s", sqlite_name(error))
        opened.journal_db.close()
        opened.state_db.close()

    def _tell(self, answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
        """One wake-up of the loop for the whole batch."""
        if answers and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_resolve, answers)


_IDLE = object()


def _roll_back(db: sqlite3.Connection) -> None:
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        log.warning("event=rollback_failed code=%s", sqlite_name(error))


def _answers(items: list[_Item]) -> list[tuple[asyncio.Future[Any], Any, BaseException | None]]:
    return [(item.future, item.result, item.error) for item in items]


def _resolve(answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, error in answers:
        if future.done():
            continue  # the caller gave up; what was committed stays committed
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)


def _outside(item: _Item, directory: Path) -> None:
    """Work on files of their own, outside any transaction."""
    try:
        item.result = item.work(None)
    except OSError as error:
        item.error = opening.refused(error, directory)


def _wal_bytes(directory: Path) -> int:
    try:
        return (directory / (opening.JOURNAL + "-wal")).stat().st_size
    except OSError:
        return 0
