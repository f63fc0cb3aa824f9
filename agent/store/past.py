"""The history of each record: one line per step, written in the same commit, checked when read.

A plain life is taken over, sent once and answered: the row says all of it, and its own MAC vouches
for it, so no line is written (a third of what such a payment would cost the flash). The first step
that is anything else writes down those before it as well. Repeats of the same trouble only raise
the count of their line. A line that is not what was written is shown as altered and never taken for
true; it decides nothing about money, so nothing is put aside for it. Lives on the writer thread.
"""

from __future__ import annotations

import hmac
import sqlite3
from collections.abc import Sequence
from typing import Any

from agent.core.moment import Moment, to_ms
from agent.core.money.journal import Change, Event, Record, State, Step
from agent.store.rows import NUMBER, Sealer, step_of
from agent.store.sql import QUERIES

#: Event of a line that was found altered.
ALTERED = "altered"
#: One round of asking about a payment is four steps; two of them must not hide the other two.
TAIL = 4
#: The first line of every history.
SUBMITTED = "submitted"
_AGENT = "agent"
#: What ends a plain life.
_ENDS = {State.POSTED: Event.POSTED, State.DECLINED: Event.DECLINED}

#: The columns of a line but for its MAC.
Line = tuple[Any, ...]


class Past:
    """The table `history`, and what rows say without it."""

    def __init__(self, db: sqlite3.Connection, sealer: Sealer) -> None:
        self._db = db
        self._sealer = sealer

    def moved(self, before: Record, after: Record, change: Change, now: Moment) -> None:
        """One step more, of a record that was moved on."""
        told = implied(after)
        if told and _line(after, len(told), change.event.value, change, now) == told[-1]:
            return
        earlier = implied(before)
        for line in earlier:
            self._db.execute(QUERIES["history_before"], (*line, self._mac(line)))
        self.remember(after, change.event.value, change, now, len(earlier) + 1 if earlier else 0)

    def remember(self, record: Record, event: str, change: Change, now: Moment, n: int = 0) -> None:
        """A line of its own; the same trouble again only raises the count of its line.

        `n`: the number of the new line where it is known that it is new.
        """
        tail = [] if n else self._newest(record.seq, TAIL)
        standing = (NUMBER[record.state], int(record.in_doubt))
        said = (event, change.cause, change.note, change.actor)
        if tail and not _still_ends_there(tail[0], record):
            tail = tail[:1]  # the last line says where it stands: none before it may take this
        for row in tail if change.actor == _AGENT else ():  # what a person did is never folded
            if (row["event"], row["cause"], row["note"], row["actor"]) != said:
                continue
            if not self._genuine(row):
                break  # what was altered stays as it is: a new line is begun
            again = (row["count"] + 1, row["first_ms"], now.wall_ms)
            line = (record.seq, row["n"], event, *standing, *said[1:], *again)
            self._db.execute(
                QUERIES["history_again"],
                (again[0], again[2], *standing, self._mac(line), record.seq, row["n"]),
            )
            return
        n = n or (tail[0]["n"] + 1 if tail else 1)
        line = _line(record, n, event, change, now)
        self._db.execute(QUERIES["history_add"], (*line, self._mac(line)))

    def steps(self, seq: int, record: Record | None, limit: int) -> list[Step]:
        """The newest `limit` steps, oldest first. `record`: the row, where it is believed."""
        written = {
            row["n"]: step_of(tuple(row), altered="" if self._genuine(row) else ALTERED)
            for row in self._newest(seq, limit)
        }
        told = {line[1]: step_of(line) for line in (implied(record) if record else ())}
        steps = told | written
        return [steps[n] for n in sorted(steps)][-limit:]

    def _newest(self, seq: int, limit: int) -> list[sqlite3.Row]:
        return self._db.execute(QUERIES["history"], (seq, limit)).fetchall()

    def _mac(self, line: Line) -> bytes:
        return self._sealer.line("history", line)

    def _genuine(self, row: sqlite3.Row) -> bool:
        *line, mac = tuple(row)
        try:
            return hmac.compare_digest(self._mac(tuple(line)), mac)
        except TypeError:
            return False


def implied(record: Record) -> Sequence[Line]:
    """The lines a row says by itself; none, once anything but a plain life has happened to it."""
    t = record.transaction
    standing = (NUMBER[record.state], int(record.in_doubt))
    first = (record.seq, 1, SUBMITTED)
    stored = _once(record.stored.wall_ms)
    if record.version == 1:
        return ((*first, *standing, *stored),)
    sent = record.first_sent
    if sent is None or sent != record.last_sent or record.sent != 1 or t.attempts:
        return ()
    if record.payload_version != 1 or record.in_doubt:
        return ()
    taken = (*first, NUMBER[State.QUEUED], 0, *stored)
    attempt = (record.seq, 2, Event.ATTEMPT.value, NUMBER[State.SENDING], 0, *_once(sent.wall_ms))
    if record.version == 2 and record.state is State.SENDING:
        return taken, attempt
    ended = _ENDS.get(record.state)
    if record.version != 3 or ended is None:
        return ()
    at_ms = to_ms(record.changed_at)
    end = (
        record.seq, 3, ended.value, *standing, record.cause, record.note, _AGENT, 1, at_ms, at_ms,
    )  # fmt: skip
    return taken, attempt, end


def _still_ends_there(newest: sqlite3.Row, record: Record) -> bool:
    """Whether the newest line still says where the record stands. Sending says nothing lasting."""
    if record.state is State.SENDING:
        return True
    return (newest["state"], newest["in_doubt"]) == (NUMBER[record.state], int(record.in_doubt))


def _line(record: Record, n: int, event: str, change: Change, now: Moment) -> Line:
    return (
        record.seq, n, event, NUMBER[record.state], int(record.in_doubt), change.cause, change.note,
        change.actor, 1, now.wall_ms, now.wall_ms,
    )  # fmt: skip


def _once(wall_ms: int) -> Line:
    """From `cause` on, of a step of the agent's own that needs no words."""
    return "", "", _AGENT, 1, wall_ms, wall_ms
