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
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.errors import AgentError, StoreError
from agent.record import dataclass
from agent.store import opening
from agent.store.checkpoint import LogBound
from agent.store.chores import Chores
from agent.store.commit import StateCommits, transaction
from agent.store.files import Counters
from agent.store.inbox import Inbox
from agent.store.item import Answer, Item, Target, again, answers, closed, resolve
from agent.store.journal import Journal
from agent.store.opening import JournalFacts, family, sqlite_name
from agent.store.recovery import settle_suspects
from agent.store.space import TRY_S, Space

log = logging.getLogger(__name__)

#: Enough to fill a slow sync, small enough that the first answer does not wait for the last.
MAX_BATCH = 256
IDLE_S = 0.2
REOPEN_S = 5.0
PIECE_RETRY_S = 1.0
#: What counts towards putting a journal aside after several failures in a row.
FAILURES = ("SQLITE_IOERR", *opening.DAMAGE_CODES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the thread has open."""

    journal_db: sqlite3.Connection
    journal: Journal
    state_db: sqlite3.Connection
    facts: JournalFacts
    counters: Counters
    log_bound: LogBound
    chores: Chores


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
        self._inbox: Inbox[Item] = Inbox()
        self._opened: Opened | None = None
        self._refusal: StoreError | None = None  # why nothing can be stored at the moment
        self._fatal = False
        self._abandoned: Opened | None = None
        self._reopen_at_s = self._piece_at_s = 0.0  # monotonic
        self._stopped = False
        self._space = Space()
        self._state = StateCommits()
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

    def submit(
        self,
        target: Target,
        work: Callable[[Any], Any],
        told: Callable[[Any], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Queue a piece of work; the future resolves after its commit.

        `told` gets the result on the loop's thread, also when nobody waits for the future any more:
        what is committed must be known to whoever acts on it.
        """
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if self._stopped:
            future.set_exception(closed())
        else:
            self._inbox.put(Item(target, work, future, told))
        return future

    def stop(self, timeout_s: float) -> bool:
        """Finish what is queued, close cleanly, end the thread. False if it hangs in a sync."""
        self._stopped = True
        self._inbox.end()
        if self._thread is None:
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def refusal(self) -> StoreError | None:
        """Why nothing can be stored at the moment: a new error each time, to be raised."""
        opened = self._opened
        closed = None if opened is None else opened.journal.gate.refusal
        refusal = self._refusal or self._space.refusal or closed
        return None if refusal is None else again(refusal)

    # -- the thread ------------------------------------------------------------------------

    def _run(self, opened: asyncio.Future[JournalFacts | StoreError]) -> None:
        outcome = self._open()
        started: list[Answer] = [(opened, outcome, None, None)]
        if self._loop is not None:
            self._loop.call_soon_threadsafe(resolve, started)
        idle = ending = False
        while not ending:
            item = self._next(idle)
            batch: list[Item] = []
            while isinstance(item, Item):
                batch.append(item)
                item = self._waiting() if len(batch) < MAX_BATCH else _IDLE
            ending = item is None
            idle = not batch
            try:
                self._serve(batch) if batch else self._when_idle()
            except Exception as error:
                # Thread top: a dead thread would leave every later caller waiting for ever.
                log.exception("event=store_thread_failed")
                self._fail_stop(type(error).__name__, batch)
                self._tell(answers(batch))
        self._close()
        while isinstance(item := self._waiting(), Item):
            item.error = closed()
            self._tell(answers([item]))

    def _next(self, idle: bool) -> Item | object | None:
        """Waits for ever when idle, so that a quiet terminal is not woken up for nothing."""
        timeout: float | None = None if idle else IDLE_S
        if self._opened is None:
            if not self._fatal:
                timeout = max(0.0, self._reopen_at_s - time.monotonic())
        elif self._opened.journal.table.suspicion is not None:
            timeout = max(0.0, self._piece_at_s - time.monotonic())
        elif self._space.refusal is not None:
            timeout = TRY_S
        elif idle:
            timeout = self._opened.chores.wait_s()
        try:
            return self._inbox.get(timeout)
        except queue.Empty:
            return _IDLE

    def _waiting(self) -> Item | object | None:
        try:
            return self._inbox.get_nowait()
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
        except Exception as error:
            log.exception("event=store_open_failed")
            self._fatal = True
            self._refusal = StoreError("store.internal", f"cannot open: {type(error).__name__}")
            return self._refusal
        self._refusal = None
        return self._opened.facts

    def _when_idle(self) -> None:
        self._try_again()
        if self._opened is not None:
            self._look_after(self._opened, idle=True)
        opened = self._opened
        if opened is None or opened.journal.table.suspicion is not None:
            return

        def own(work: Callable[[Journal], Any]) -> Any:
            piece = Item(Target.JOURNAL, work, None)
            self._commit(opened.journal_db, opened.journal, [piece])
            return None if piece.error is not None else piece.result

        opened.chores.step(opened.journal, own)

    def _look_after(self, opened: Opened, *, idle: bool) -> None:
        """What belongs to nobody's request: damage to be dealt with, a log grown to its bound."""
        self._hold_piece(opened)
        if opened.journal.gate.low:
            opened.chores.fill_up()
        changes = opened.journal_db.total_changes
        if opened is self._opened and opened.log_bound.due(changes, idle=idle):
            self._checkpoint(opened)

    def _hold_piece(self, opened: Opened) -> None:
        """Money rule 8, a few records at a time between the work of others."""
        if opened.journal.table.suspicion is None or time.monotonic() < self._piece_at_s:
            return
        piece = Item(
            Target.JOURNAL,
            lambda journal: settle_suspects(journal.table, self._clock.now()),
            None,
        )
        self._commit(opened.journal_db, opened.journal, [piece])
        if piece.error is not None:
            self._piece_at_s = time.monotonic() + PIECE_RETRY_S
        elif piece.result:
            log.warning("event=unsent_held backlog=%s", opened.journal.tally.unsent)

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

    def _serve(self, batch: list[Item]) -> None:
        self._try_again()
        journal = [item for item in batch if item.target is Target.JOURNAL]
        state = [item for item in batch if item.target is Target.STATE]
        for item in batch:
            if item.target is Target.FILES:
                _outside(item, self._directory)
        if self._opened is None:
            for item in (*journal, *state):
                item.error = self.refusal
        else:
            if journal:
                self._commit(self._opened.journal_db, self._opened.journal, journal)
            # Money is answered before the telemetry of the same batch is written.
            self._tell(answers([item for item in batch if item.target is not Target.STATE]))
            self._after_money(state)
            batch = state
        self._tell(answers(batch))

    def _after_money(self, state: list[Item]) -> None:
        """What may wait: telemetry of the batch, and a log grown to its bound."""
        if self._opened is None:  # the batch just ended in an IO error
            for item in state:
                item.error = self.refusal
            return
        if state:
            self._state.commit(self._opened.state_db, state)
        self._look_after(self._opened, idle=False)

    def _commit(self, db: sqlite3.Connection, journal: Journal, items: list[Item]) -> None:
        changes = db.total_changes
        try:
            transaction(db, journal, items)
            if db.total_changes != changes:
                self._space.wrote()
        except sqlite3.Error as error:
            kind = family(error)
            if kind == "full" and self._opened is not None and self._opened.chores.make_room():
                for item in items:
                    item.result = item.error = None
                self._commit(db, journal, items)
            elif kind == "full" and len(items) > 1:
                for item in items:
                    item.result = item.error = None
                    if self._opened is None:  # the storage failed at one of those before
                        item.error = self.refusal
                    else:
                        self._commit(db, journal, [item])
            elif kind == "full":
                items[0].error = self._space.ran_out()
            else:
                self._fail_stop(sqlite_name(error), items)

    def _fail_stop(self, code: str, items: list[Item]) -> None:
        unknown = StoreError(
            "store.unknown",
            f"the storage failed during the write ({code}): it may or may not be recorded",
            "repeat with the same key; the agent is restarting its store",
        )
        for item in items:
            item.result, item.error = None, again(unknown)
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
            if code.startswith(FAILURES):
                opened.counters.failed(opened.counters.counts.failures + 1)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._on_fatal, code)

    def _checkpoint(self, opened: Opened) -> None:
        try:
            busy, frames, done = opened.journal_db.execute(
                "PRAGMA wal_checkpoint(PASSIVE)"
            ).fetchone()
        except sqlite3.Error as error:
            if family(error) in ("full", "busy"):
                log.warning("event=checkpoint_failed code=%s", sqlite_name(error))
                return
            self._fail_stop(sqlite_name(error), [])
            return
        if busy or frames != done:
            log.warning("event=checkpoint_partial frames=%s done=%s", frames, done)
            return
        opened.log_bound.carried_over(opened.journal_db.total_changes)
        opened.counters.failed(0)  # everything was written and synced

    def _close(self) -> None:
        if self._opened is None:
            return
        opened, self._opened = self._opened, None
        try:
            opening.close_cleanly(opened.journal_db, opened.journal, self._clock.now())
            opened.counters.failed(0)
        except sqlite3.Error as error:
            log.warning("event=unclean_close code=%s", sqlite_name(error))
        opened.journal_db.close()
        opened.state_db.close()

    def _tell(self, told: list[Answer]) -> None:
        """One wake-up of the loop for the whole batch."""
        if told and self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._resolve, told)

    def _resolve(self, told: list[Answer]) -> None:
        """On the loop again."""
        self._inbox.answered(len(told))
        resolve(told)


_IDLE = object()


def _outside(item: Item, directory: Path) -> None:
    """Work on files of their own, outside any transaction."""
    try:
        item.result = item.work(None)
    except OSError as error:
        item.error = opening.refused(error, directory)
    except Exception as error:  # noqa: BLE001 - a caller's fault must not end the thread
        item.error = error
