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
#: One round of asking about a payment is four steps; two of them must not hide the other two.
TAIL = 4


class Past:
    """The table `history`."""

    def __init__(self, db: sqlite3.Connection, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer

    def remember(self, record: Record, event: str, change: Change, now: Moment, n: int = 0) -> None:
        """One step more; the same trouble again only raises the count of its line.

        `n`: the number of the new line where it is known that it is new.
        """
        tail = [] if n else self._newest(record.seq, TAIL)
        standing = (NUMBER[record.state], int(record.in_doubt))
        said = (event, change.cause, change.note, change.actor)
        for row in tail if change.actor == "agent" else ():  # what a person did is never folded
            if (row["event"], row["cause"], row["note"], row["actor"]) != said:
                continue
            if not self._genuine(row):
                break  # what was altered stays as it is: a new line is begun
            again = (row["count"] + 1, row["first_ms"], now.wall_ms)
            line = (record.seq, row["n"], event, *standing, *said[1:], *again)
            mac = self._sealer.line("history", line)
            self._db.execute(
                QUERIES["history_again"],
                (again[0], again[2], *standing, mac, record.seq, row["n"]),
            )
            return
        n = n or (tail[0]["n"] + 1 if tail else 1)
        line = (record.seq, n, event, *standing, *said[1:], 1, now.wall_ms, now.wall_ms)
        self._db.execute(QUERIES["history_add"], (*line, self._sealer.line("history", line)))

    def steps(self, seq: int, limit: int) -> list[Step]:
        """The newest `limit` steps, oldest first."""
        return [
            step_of(row, altered="" if self._genuine(row) else ALTERED)
            for row in reversed(self._newest(seq, limit))
        ]

    def _newest(self, seq: int, limit: int) -> list[sqlite3.Row]:
        return self._db.execute(QUERIES["history"], (seq, limit)).fetchall()

    def _genuine(self, row: sqlite3.Row) -> bool:
        *line, mac = tuple(row)
        try:
            return hmac.compare_digest(self._sealer.line("history", tuple(line)), mac)
        except TypeError:
            return False
