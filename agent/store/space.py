"""Whether the storage had room at the last write; kept by the writer, shown by the queue watcher.

A full disk is found by a write that fails and its end by one that succeeds. While nobody writes,
a small one is tried now and then, so that the alarm ends without a payment.
"""

from __future__ import annotations

import logging
import sqlite3
import time

from agent.errors import StoreError
from agent.store.opening import family
from agent.store.sql import QUERIES

log = logging.getLogger(__name__)

TRY_S = 5.0


class Space:
    """Room on the storage."""

    def __init__(self) -> None:
        self.refusal: StoreError | None = None  #: why nothing can be written, or None
        self._refused = 0
        self._try_at_s = 0.0  # monotonic

    def ran_out(self) -> StoreError:
        """A write found no room; the answer to whoever asked for it."""
        if self.refusal is None:
            log.warning("event=store_full")
        self._refused += 1
        self._try_at_s = time.monotonic() + TRY_S
        self.refusal = StoreError(
            "store.full",
            "no space left on this terminal's storage; not recorded",
            "free storage, then repeat with the same key",
        )
        return self.refusal

    def wrote(self) -> None:
        """A write succeeded."""
        if self.refusal is not None:
            log.info("event=store_space_returned refused=%d", self._refused)
            self.refusal, self._refused = None, 0

    def try_again(self, journal_db: sqlite3.Connection) -> None:
        """When it is time, find out. Raises sqlite3.Error for anything but a full disk."""
        if self.refusal is None or time.monotonic() < self._try_at_s:
            return
        try:
            # Another value each time: SQLite does not write what is there already.
            journal_db.execute(QUERIES["set_meta"], ("space_tried", str(time.monotonic_ns())))
        except sqlite3.Error as error:
            if family(error) != "full":
                raise
            self.ran_out()
        else:
            self.wrote()
