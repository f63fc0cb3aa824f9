"""The history of each record: one line per step, written in the same commit, checked when read.

Repeats of the same trouble only raise the count of their line. A line that is not what was written
is shown as altered and never taken for true; it decides nothing about money, so nothing is put
aside for it. Lives on the writer thread.
"""

from __future__ import annotations

import hmac
import sqlite3

from agent.core.moment import Moment
from agent.core.money.journal import Change, Record, Step
from agent.store.rows import NUMBER, Sealer, step_of
from agent.store.sql import QUERIES

#: Event of a line that was found altered.
ALTERED = "altered"


class Past:
    """The table `history`."""

    def __init__(self, db: sqlite3.Connection, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer

    def remember(self, record: Record, event: str, change: Change, now: Moment) -> None:
        """One step more; the same trouble again only raises the count of its line."""
        tail = self._db.execute(QUERIES["history"], (record.seq, 2)).fetchall()
        standing = (NUMBER[record.state], int(record.in_doubt))
        trouble = (change.cause, change.note)
        for row in tail:
            if (row["event"], row["cause"], row["note"]) != (event, *trouble):
                continue
            if not self._genuine(row):
                break  # what was altered stays as it is: a new line is begun
            n, count = row["n"], row["count"] + 1
            line = (record.seq, n, event, *standing, *trouble, row["actor"], count,
                    row["first_ms"], now.wall_ms)  # fmt: skip
            self._db.execute(
                QUERIES["history_again"],
                (count, now.wall_ms, *standing, self._sealer.line(line), record.seq, n),
            )
            return
        n = tail[0]["n"] + 1 if tail else 1
        line = (record.seq, n, event, *standing, *trouble, change.actor, 1, now.wall_ms,
                now.wall_ms)  # fmt: skip
        self._db.execute(QUERIES["history_add"], (*line, self._sealer.line(line)))

    def steps(self, seq: int, limit: int) -> list[Step]:
        """The newest `limit` steps, oldest first."""
        rows = self._db.execute(QUERIES["history"], (seq, limit)).fetchall()
        return [self._step(row) for row in reversed(rows)]

    def _step(self, row: sqlite3.Row) -> Step:
        return step_of(row) if self._genuine(row) else step_of(row, altered=ALTERED)

    def _genuine(self, row: sqlite3.Row) -> bool:
        *line, mac = tuple(row)
        try:
            return hmac.compare_digest(self._sealer.line(tuple(line)), mac)
        except TypeError:
            return False
