"""What the store does by itself while nobody waits: its reserve, forgetting what is long final.

One small step at a time, and a look at the inbox between two. The writer calls it when it is idle,
and when a write found no room. On its thread only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.clock import Clock
from agent.config import Storage
from agent.store.ballast import Ballast
from agent.store.gate import Caps, Gate
from agent.store.journal import Journal
from agent.store.retention import DAY_MS, Keeping, Retention

log = logging.getLogger(__name__)

#: Runs and commits a piece of work; None if it failed.
Commit = Callable[[Callable[[Journal], Any]], Any]


class Chores:
    """Those of one open store."""

    def __init__(
        self, journal: Journal, clock: Clock, ballast: Ballast | None, retention: Retention | None
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._ballast = ballast
        self._retention = retention
        self._forgotten = 0
        self._tell_gate()

    def wait_s(self) -> float | None:
        """How long a quiet store may sleep; None: until somebody comes."""
        now_s = time.monotonic()
        waits = [
            chore.wait_s(now_s) for chore in (self._ballast, self._retention) if chore is not None
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def step(self, journal: Journal, commit: Commit) -> None:
        """One small step of whatever is due."""
        now_s = time.monotonic()
        if self._ballast is not None and self._ballast.wait_s(now_s) == 0:
            self.fill_up()
        elif self._retention is not None and self._retention.wait_s(now_s) == 0:
            if journal.gate.low:
                self._retention.put_off(now_s)
                return
            retention, clock = self._retention, self._clock
            forgotten = commit(lambda journal: retention.piece(journal, clock.now()))
            if forgotten is None:
                retention.put_off(now_s)
            else:
                self._count(forgotten)

    def fill_up(self) -> None:
        """A piece of the reserve, if it is due: while it is gone also between two batches, because
        those who are refused ask again and again."""
        now_s = time.monotonic()
        if self._ballast is not None and self._ballast.wait_s(now_s) == 0:
            self._ballast.step(now_s)
            self._tell_gate()

    def make_room(self) -> bool:
        """A write found the storage full: give up the reserve. False if there is none."""
        freed = self._ballast is not None and self._ballast.give_up()
        self._tell_gate()
        return freed

    def _tell_gate(self) -> None:
        self._journal.gate.low = self._ballast is not None and self._ballast.gone

    def _count(self, forgotten: int) -> None:
        """One line for a walk, not one for a piece."""
        if forgotten:
            self._forgotten += forgotten
        elif self._forgotten:
            log.info("event=payments_forgotten count=%d", self._forgotten)
            self._forgotten = 0


def chores_of(journal: Journal, clock: Clock, directory: Path, storage: Storage | None) -> Chores:
    """Caps, reserve and retention as [store] sets them; without it there are none."""
    ballast = retention = None
    if storage is not None:
        ballast = Ballast(directory / "reserve", storage.reserve_kb << 10)
        caps = Caps(unsent=storage.max_unsent, size_bytes=storage.max_mb << 20)
        journal.gate = Gate(caps, ballast.room)
        keep_ms = storage.retention_days * DAY_MS
        retention = Retention(Keeping(keep_ms=keep_ms, per_day=storage.prune_per_day))
    journal.gate.load(journal.table.db)
    return Chores(journal, clock, ballast, retention)
