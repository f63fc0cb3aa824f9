"""The store room: the only importer of sqlite3, and what the rest of the house may ask of it.

`open_store` gives a `Store` whose every method returns after the commit. The daemon opens it
exclusively; the command line reads it with `agent.store.offline` while no daemon runs.
"""

from __future__ import annotations

import functools
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from agent.clock import Clock, SystemClock
from agent.core.money.journal import Backlog, Change, Record, State, Step
from agent.core.money.lanes import Order
from agent.core.money.transaction import Payload, Submission
from agent.errors import OperatorError, StoreError
from agent.store import opening
from agent.store.files import Counters, LockFile, private_directory
from agent.store.journal import Appended, Due, Journal, Quarantined
from agent.store.opening import JournalFacts
from agent.store.salvage import count_unsent
from agent.store.writer import Opened, Target, Writer

log = logging.getLogger(__name__)
T = TypeVar("T")


class Store:
    """The journal, the state database and the counters, asynchronously."""

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        orders: Mapping[str, Order] | None = None,
        on_fatal: Callable[[str], None] | None = None,
    ) -> None:
        self.directory = directory
        self._clock = clock
        self._orders = dict(orders or {})
        self._lock = LockFile(directory / "lock")
        self._counters: Counters | None = None
        self._facts: JournalFacts | None = None
        self._sinks: list[Callable[[Record], None]] = []
        self._writer = Writer(directory, self._open, clock, on_fatal or (lambda _code: None))

    async def start(self) -> None:
        """Lock and open. Raises StoreError `store.busy` or OperatorError; an unusable flash is
        not an error here: every call answers with the reason until it works again."""
        try:
            private_directory(self.directory)
            self._lock.acquire("daemon")
        except OSError as error:
            raise OperatorError(
                "store.directory",
                f"cannot use {self.directory}: {error.strerror}",
                "create it for the agent's user, or set agent.state_dir",
            ) from error
        try:
            outcome = await self._writer.start()
            if isinstance(outcome, StoreError):
                if not outcome.code.startswith(("store.full", "store.unavailable")):
                    raise OperatorError(outcome.code, outcome.what, outcome.hint)
                log.critical("event=store_unavailable reason=%r", outcome.what)
        except BaseException:
            self.stop(1.0)
            raise

    def stop(self, timeout_s: float = 3.0) -> bool:
        """Commit what is queued and close. False when a sync hangs past the deadline."""
        done = self._writer.stop(timeout_s)
        self._lock.release()
        return done

    def _open(self) -> Opened:
        """On the writer thread."""
        now = self._clock.now()
        if self._counters is None:
            self._counters = Counters(self.directory / "counters")
        journal_db, journal, facts = opening.open_journal(self.directory, now, self._orders)
        try:
            state_db = opening.open_state(self.directory, now)
        except BaseException:
            journal_db.close()
            raise
        if self._counters.counts.failures:
            self._counters.save(failures=0)
        self._facts = facts
        if isinstance(self._clock, SystemClock):
            self._clock.seen(facts.last_seen_ms)
        return Opened(journal_db=journal_db, journal=journal, state_db=state_db, facts=facts)

    # -- money -----------------------------------------------------------------------------

    async def append(self, submission: Submission) -> Appended:
        """Take a payment over. Returns after the commit; see `Journal.append` for refusals."""
        appended: Appended = await self._journal(
            lambda journal: journal.append(submission, self._clock.now())
        )
        if appended.created:
            self._changed(appended.record)
        return appended

    async def record(self, key: str) -> Record | None:
        return await self._journal(lambda journal: journal.record(key, self._clock.now()))

    async def payload(self, record: Record) -> Payload:
        return await self._journal(lambda journal: journal.payload(record))

    async def steps(self, seq: int, limit: int = 100) -> list[Step]:
        return await self._journal(lambda journal: journal.steps(seq, limit))

    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]:
        return await self._journal(
            lambda journal: journal.page(states, after_seq, limit, self._clock.now())
        )

    async def recent(self, limit: int = 20) -> list[Record]:
        return await self._journal(lambda journal: journal.recent(limit, self._clock.now()))

    async def due(self, uplink: str, after_seq: int, limit: int) -> Due:
        return await self._journal(
            lambda journal: journal.due(uplink, after_seq, limit, self._clock.now())
        )

    async def backlog(self) -> Backlog:
        return await self._journal(lambda journal: journal.backlog())

    async def advance(self, seq: int, version: int, change: Change) -> Record:
        """Move a record on; history in the same commit. See `Journal.advance`."""
        record: Record = await self._journal(
            lambda journal: journal.advance(seq, version, change, self._clock.now())
        )
        self._changed(record)
        return record

    async def facts(self) -> JournalFacts:
        """What start-up found. Raises StoreError while the journal cannot be opened."""
        if self._facts is None:
            raise self._writer.refusal or StoreError("store.unavailable", "the store is closed")
        return self._facts

    async def quarantined(self) -> list[Quarantined]:
        return await self._journal(lambda journal: journal.quarantined())

    async def boot_no(self) -> int:
        return await self._journal(lambda journal: journal.boot_no)

    async def count_quarantined(self, run: Callable[[Callable[[], Any]], Any]) -> None:
        """Count what lies in journals put aside, off the loop; `run` calls in a thread."""
        for item in await self.quarantined():
            if item.records is not None:
                continue
            found = await run(functools.partial(_count_copy, Path(item.path)))
            if found is None:
                log.warning("event=quarantine_unreadable path=%s", item.path)
                continue
            records, amounts = found
            await self._journal(
                functools.partial(
                    Journal.counted, quarantine_id=item.id, records=records, amounts=amounts
                )
            )

    def on_change(self, sink: Callable[[Record], None]) -> None:
        """Be told of every record after its change is committed, on the loop's thread."""
        self._sinks.append(sink)

    @property
    def refusal(self) -> StoreError | None:
        """Why nothing can be stored at the moment, or None."""
        return self._writer.refusal

    # -- what is not money -----------------------------------------------------------------

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on state.db inside one transaction."""
        result: T = await self._writer.submit(Target.STATE, work)
        return result

    def outbox_id(self) -> str:
        return self._held_counters().counts.outbox_id

    async def next_connect(self) -> int:
        """Raise the connect counter and sync it; consumers drop a Will with an older one."""
        counters = self._held_counters()

        def raise_it(_: object) -> int:
            return counters.save(connects=counters.counts.connects + 1).connects

        result: int = await self._writer.submit(Target.FILES, raise_it)
        return result

    def _held_counters(self) -> Counters:
        if self._counters is None:
            raise self._writer.refusal or StoreError("store.unavailable", "the store is closed")
        return self._counters

    async def _journal(self, work: Callable[[Journal], T]) -> T:
        result: T = await self._writer.submit(Target.JOURNAL, work)
        return result

    def _changed(self, record: Record) -> None:
        for sink in self._sinks:
            sink(record)


def _count_copy(path: Path) -> tuple[int, dict[str, int]] | None:
    """Count on a copy: a journal put aside must stay exactly as it was found."""
    with tempfile.TemporaryDirectory(prefix="posagent-") as scratch:
        copy = Path(scratch) / "journal.db"
        try:
            for suffix in ("", "-wal"):
                source = path.with_name(path.name + suffix)
                if source.exists():
                    shutil.copyfile(source, copy.with_name(copy.name + suffix))
        except OSError as error:
            log.warning("event=quarantine_not_copied reason=%r", error.strerror)
            return None
        return count_unsent(copy)


__all__ = ["Appended", "Due", "JournalFacts", "Quarantined", "Store", "StoreError"]
