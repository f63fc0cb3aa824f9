"""The store room: the only importer of sqlite3, and what the rest of the house may ask of it.

`open_store` gives a `Store` whose every method returns after the commit. The daemon opens it
exclusively; the command line reads it with `agent.store.offline` while no daemon runs.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

from agent.clock import Clock, SystemClock
from agent.config import Storage
from agent.core.money.journal import Backlog, Change, Record, State, Step
from agent.core.money.lanes import Order
from agent.core.money.limits import Rules
from agent.core.money.transaction import Payload, Submission
from agent.errors import CallerError, OperatorError, StoreError
from agent.store import inherited, opening
from agent.store.aside import Quarantined
from agent.store.checkpoint import LogBound
from agent.store.chores import chores_of
from agent.store.feed import Feed
from agent.store.files import Counters, LockFile, private_directory
from agent.store.item import Target
from agent.store.journal import Appended, Due, Journal, Page
from agent.store.opening import JournalFacts
from agent.store.sealing import KEY_FILE, Sealing, sealing_of
from agent.store.writer import Opened, Writer

log = logging.getLogger(__name__)
T = TypeVar("T")


class Store(Feed):
    """The journal, the state database and the counters, asynchronously."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        orders: Mapping[str, Order] | None = None,
        on_fatal: Callable[[str], None] | None = None,
        rules: Rules | None = None,
        *,
        sealing: Sealing | None = None,
        storage: Storage | None = None,
        elsewhere: Callable[[], int] = int,
    ) -> None:
        """`elsewhere`: since when this store is known to be in another terminal's hands; 0: it is
        at home. Called under the lock, before the journal is opened."""
        super().__init__()
        self.directory = directory
        self._clock = clock
        self._orders = dict(orders or {})
        self._lock = LockFile(directory / "lock")
        self._counters: Counters | None = None
        self._facts: JournalFacts | None = None
        self._rules = rules
        self._storage = storage
        self._elsewhere = elsewhere
        self.sealing = sealing or sealing_of(directory, storage)
        self._writer = Writer(directory, self._open, clock, on_fatal or (lambda _code: None))

    async def start(self) -> None:
        """Lock and open. Raises StoreError `store.busy` or OperatorError; an unusable flash is
        not an error here: every call answers with the reason until it works again."""
        outcome = await self._writer.start()
        if not isinstance(outcome, StoreError):
            return
        if outcome.code.startswith(("store.full", "store.unavailable")):
            log.critical("event=store_unavailable reason=%r", outcome.what)
            return
        self.stop(1.0)
        if outcome.code == "store.busy":
            raise outcome
        raise OperatorError(outcome.code, outcome.what, outcome.hint)

    def stop(self, timeout_s: float = 1.5) -> bool:
        """Commit what is queued and close. False when a sync hangs past the deadline."""
        done = self._writer.stop(timeout_s)
        self._lock.release()
        return done

    def _open(self) -> Opened:
        """On the writer thread; again and again while the flash refuses."""
        now = self._clock.now()
        private_directory(self.directory)
        if not self._lock.held:
            self._lock.acquire("daemon")
        if (self.directory / "restored").is_dir():  # rare, and it brings the archive formats along
            from agent.store import restore

            # What a backup brings is never put over what the firmware keeps.
            own = self.sealing.file if self.sealing.unwrap is None else self.directory / KEY_FILE
            restore.finish(self.directory, own)
        if self._counters is None:
            self._counters = Counters(self.directory / "counters")
        counters = self._counters
        failures = counters.counts.failures
        since_ms = self._elsewhere()
        try:
            journal_db, journal, facts = opening.open_journal(
                self.directory,
                now,
                self._orders,
                failures,
                self._rules,
                kept_as=self.sealing,
            )
        except StoreError as error:
            if opening.unreadable(error.__cause__):
                counters.failed(failures + 1)
            raise
        try:
            if since_ms:
                inherited.hold(journal_db, journal, since_ms, now)
        except sqlite3.Error as error:
            journal_db.close()
            raise opening.refused(error, self.directory / opening.JOURNAL) from error
        try:
            state_db = opening.open_state(self.directory, now)
        except BaseException:
            journal_db.close()
            raise
        if failures >= opening.ENOUGH:
            counters.failed(0)  # a new journal has its own
        chores = chores_of(journal, self._clock, self.directory, self._storage)
        self._facts = facts
        if isinstance(self._clock, SystemClock):
            self._clock.seen(facts.last_seen_ms)
        return Opened(
            journal_db=journal_db,
            journal=journal,
            state_db=state_db,
            facts=facts,
            counters=counters,
            log_bound=LogBound(self.directory / (opening.JOURNAL + "-wal")),
            chores=chores,
        )

    # -- money -----------------------------------------------------------------------------

    async def append(self, submission: Submission) -> Appended:
        """Take a payment over. Returns after the commit; see `Journal.append` for refusals."""
        return await self.change(lambda journal: journal.append(submission, self._clock.now()))

    async def record(self, key: str) -> Record | None:
        return await self.journal(lambda journal: journal.record(key, self._clock.now()))

    async def payload(self, record: Record) -> Payload:
        """The bytes as they were handed over. Raises CallerError for a record they are gone of."""
        payload = await self.journal(lambda journal: journal.payload(record, self._clock.now()))
        if payload is None:
            raise CallerError("record.unknown", f"{record.key} was altered and put aside")
        return payload

    async def steps(self, seq: int, limit: int = 100) -> list[Step]:
        return await self.journal(lambda journal: journal.steps(seq, limit))

    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]:
        """At most 500 records after `after_seq`, in order of acceptance; fewer: there are no more.

        Read in small pieces, so that a filter that fits nothing holds up nobody's payment.
        """
        found: list[Record] = []
        after: int | None = after_seq
        limit = min(limit, 500)
        while after is not None and len(found) < limit:
            piece: Page = await self.journal(
                partial(_page, states, after, limit - len(found), self._clock)
            )
            found += piece.records
            after = piece.after_seq
        return found

    async def due(self, uplink: str, after: int | str = 0, limit: int = 64) -> Due:
        """A piece of a walk over the work of an uplink; see `Journal.due`."""
        return await self.journal(
            lambda journal: journal.due(uplink, after, limit, self._clock.now())
        )

    async def requests(self, after_seq: int, limit: int) -> list[Record]:
        return await self.journal(
            lambda journal: journal.requests(after_seq, limit, self._clock.now())
        )

    async def backlog(self) -> Backlog:
        return await self.journal(lambda journal: journal.backlog())

    async def advance(self, seq: int, version: int, change: Change) -> Record:
        """Move a record on; history in the same commit. See `Journal.advance`."""
        moved: Record | CallerError = await self.change(
            lambda journal: journal.advance(seq, version, change, self._clock.now())
        )
        if isinstance(moved, CallerError):
            raise moved
        return moved

    async def facts(self) -> JournalFacts:
        """What start-up found. Raises StoreError while the journal cannot be opened."""
        if self._facts is None:
            raise self._writer.refusal or StoreError("store.unavailable", "the store is closed")
        return self._facts

    async def quarantined(self) -> list[Quarantined]:
        return await self.journal(lambda journal: journal.aside.journals())

    async def boot_no(self) -> int:
        return await self.journal(lambda journal: journal.boot_no)

    @property
    def refusal(self) -> StoreError | None:
        """Why nothing can be stored at the moment, or None."""
        return self._writer.refusal

    # -- what the others are made of -------------------------------------------------------

    async def journal(
        self, work: Callable[[Journal], T], told: Callable[[T], None] | None = None
    ) -> T:
        """Run `work` on the journal; what it changed is committed when this returns.

        `told` hears of the result also when the caller has been cancelled meanwhile.
        """
        result: T = await self._writer.submit(Target.JOURNAL, work, told)
        return result

    async def change(self, work: Callable[[Journal], T]) -> T:
        """The same; after the commit the sinks hear of every record that was changed."""

        def noted(journal: Journal) -> tuple[T, list[Record]]:
            changed = journal.table.changed
            changed.clear()
            return work(journal), changed.copy()

        result, _ = await self.journal(noted, lambda outcome: self.tell(outcome[1]))
        return result

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on state.db inside one transaction."""
        result: T = await self._writer.submit(Target.STATE, work)
        return result

    async def outside(self, work: Callable[[Counters], T]) -> T:
        """Run `work` on the counters file, on the writer thread."""
        counters = self.counters
        result: T = await self._writer.submit(Target.FILES, lambda _: work(counters))
        return result

    @property
    def counters(self) -> Counters:
        """Raises StoreError while the store has never been open."""
        if self._counters is None:
            raise self._writer.refusal or StoreError("store.unavailable", "the store is closed")
        return self._counters


def _page(
    states: frozenset[State] | None, after_seq: int, limit: int, clock: Clock, journal: Journal
) -> Page:
    return journal.page(states, after_seq, limit, clock.now())


__all__ = ["Appended", "Due", "JournalFacts", "Quarantined", "Store", "StoreError"]
