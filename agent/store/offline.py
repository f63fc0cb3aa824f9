"""The store as a person can read it while the daemon is dead: all of it, and change nothing.

A snapshot is taken under a shared lock (the daemon, starting meanwhile, is told who holds it and
waits its turn) and read as a copy, because a reader of the real files would leave a shared-memory
file behind or ignore the write-ahead log (docs/decisions.md).
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from agent.clock import SystemClock
from agent.core.money.batches import Batch
from agent.core.money.journal import Backlog, Record, State, Step
from agent.core.money.lanes import Order
from agent.core.money.stages import Kept
from agent.errors import OperatorError, StoreError
from agent.store import opening, verify
from agent.store.aside import Quarantined
from agent.store.files import LockFile
from agent.store.journal import Journal
from agent.store.opening import JournalFacts
from agent.store.sealing import KEY_FILE, Sealing
from agent.store.verify import Verified

T = TypeVar("T")


class OfflineStore:
    """The reading half of `Store`, over a snapshot."""

    def __init__(
        self, journal: Journal, facts: JournalFacts, state_db: sqlite3.Connection, as_of: datetime
    ) -> None:
        self._journal = journal
        self._facts = facts
        self._state_db = state_db
        self._clock = SystemClock(facts.last_seen_ms)
        self.as_of = as_of  #: when the daemon last wrote

    async def record(self, key: str) -> Record | None:
        return self._journal.record(key, self._clock.now())

    async def steps(self, seq: int, limit: int = 100) -> list[Step]:
        return self._journal.steps(seq, limit)

    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]:
        found: list[Record] = []
        after: int | None = after_seq
        limit = min(limit, 500)
        while after is not None and len(found) < limit:
            piece = self._journal.page(states, after, limit - len(found), self._clock.now())
            found += piece.records
            after = piece.after_seq
        return found

    async def backlog(self) -> Backlog:
        return self._journal.backlog()

    async def facts(self) -> JournalFacts:
        return self._facts

    async def quarantined(self) -> list[Quarantined]:
        return self._journal.aside.journals()

    async def stages(self, seq: int) -> list[Kept]:
        """What the payment app reported of one payment."""
        return self._journal.reported.stages(seq)

    async def batch(self, terminal_id: str, batch: str | None) -> Batch | None:
        """One batch, if it was told of."""
        return self._journal.reported.batch(terminal_id, batch)

    async def verify(self, after: str = "", for_s: float = 0.0) -> Verified:
        """Everything at once: nobody waits for a snapshot."""
        del for_s
        done = Verified(after=after)
        if self._facts.damage and not self._journal.payloads.seals.missing:
            done.tell("structure", self._facts.damage)
        while done.after is not None:
            now = self._clock.now()
            done.add(verify.piece(self._journal, done.after, now, patient=True))
        return done

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self._state_db)

    async def journal(self, work: Callable[[Journal], T]) -> T:
        """Run `work` on the snapshot."""
        return work(self._journal)


@asynccontextmanager
async def open_offline(
    state_dir: Path, key_file: Path | None = None
) -> AsyncIterator[OfflineStore]:
    """Raises StoreError `store.busy` while a daemon runs, OperatorError without store or rights."""
    lock = LockFile(state_dir / "lock")
    source = state_dir / opening.JOURNAL
    try:
        lock.acquire("offline reader", shared=True)
        with tempfile.TemporaryDirectory(prefix="posagent-") as scratch:
            folder = Path(scratch)
            written = _snapshot(state_dir, folder)
            lock.release()
            now = SystemClock().now()
            keys = Sealing(file=key_file or state_dir / KEY_FILE, makes=False)
            db, journal, facts = opening.open_journal(folder, now, dict[str, Order](), kept_as=keys)
            state_db = opening.open_state(folder, now)
            try:
                yield OfflineStore(journal, facts, state_db, written)
            finally:
                db.close()
                state_db.close()
    except FileNotFoundError as error:
        raise OperatorError(
            "store.absent",
            f"there is no journal at {source}",
            "start the agent; its first start makes the journal. Or check agent.state_dir",
        ) from error
    except PermissionError as error:
        raise OperatorError(
            "store.rights",
            f"no right to read {state_dir}",
            "run this as root or as the agent's own user",
        ) from error
    except sqlite3.Error as error:
        raise StoreError("store.unavailable", f"cannot read {source}: {error}") from error
    finally:
        lock.release()


def _snapshot(state_dir: Path, folder: Path) -> datetime:
    """Copy what is needed; returns when the journal was last written."""
    names = [opening.JOURNAL, opening.JOURNAL + "-wal", "row.key"]
    names += [opening.STATE, opening.STATE + "-wal"]
    newest = 0.0
    for name in names:
        source = state_dir / name
        if name in (opening.JOURNAL, "row.key") or source.exists():
            shutil.copyfile(source, folder / name)
            if name.startswith(opening.JOURNAL):
                newest = max(newest, source.stat().st_mtime)
    (folder / "row.key").chmod(0o600)
    folder.chmod(0o700)
    return datetime.fromtimestamp(newest).astimezone()
