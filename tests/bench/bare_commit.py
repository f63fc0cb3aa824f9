"""The floor of a durable accept: the statements of one append, committed and nothing else.

`python -m tests.bench.bare_commit DIRECTORY` makes a database as the journal's (same schema and
pragmas: page size 1024, WAL, FULL, EXCLUSIVE, no checkpoint of its own accord). For every line `N`
it reads, it commits N payments one by one and prints their times in microseconds as a JSON list.
What is executed is what a real journal executed for the same payment: look-ups, inserts and all
values are ready, so that nothing is timed but BEGIN, statements and COMMIT. A line `0` is a
checkpoint, unmeasured, and the time to record what the next commits will execute: recorded right
before a commit, it would find the caches warm, and the agent's accept does not.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
import time
from collections import deque
from functools import partial
from pathlib import Path
from unittest import mock

from agent.clock import SystemClock
from agent.store import migrate, opening
from agent.wire.submit import decode_submission
from tests.bench.payments import submission

#: Payments recorded at a time.
AHEAD = 50

Statement = tuple[str, tuple[object, ...]]


class _Recorder(sqlite3.Connection):
    """Writes down what is executed."""

    heard: list[Statement]

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:  # type: ignore[override]
        self.heard.append((sql, values))
        return super().execute(sql, values)


class _Appends:
    """A real journal whose appends are recorded."""

    def __init__(self, directory: Path) -> None:
        _Recorder.heard = []
        self._clock = SystemClock()
        with mock.patch.object(sqlite3, "connect", partial(sqlite3.connect, factory=_Recorder)):
            self._db, self._journal, _facts = opening.open_journal(directory, self._clock.now(), {})

    def of(self, number: int) -> list[Statement]:
        _Recorder.heard = []
        body = submission(f"bench-{number:010d}", number)
        self._journal.append(decode_submission(body, ("host",)), self._clock.now())
        if sum(sql.lstrip().upper().startswith("INSERT") for sql, _ in _Recorder.heard) < 2:
            raise RuntimeError("an append of less than two inserts: nothing was recorded")
        return _Recorder.heard

    def close(self) -> None:
        self._db.close()


def _opened(path: Path) -> sqlite3.Connection:
    db = opening.connect(path)
    db.execute("PRAGMA synchronous = FULL")
    migrate.create(db, SystemClock().now())
    return db


def _commit(db: sqlite3.Connection, statements: list[Statement]) -> float:
    began = time.perf_counter_ns()
    db.execute("BEGIN IMMEDIATE")
    for sql, values in statements:
        cursor = db.execute(sql, values)
        if cursor.description is not None:
            cursor.fetchone()
    db.execute("COMMIT")
    return (time.perf_counter_ns() - began) / 1000


def main(directory: Path) -> None:
    db = _opened(directory / "bare.db")
    number = 0
    with tempfile.TemporaryDirectory(dir=directory) as aside:
        appends = _Appends(Path(aside))
        ahead: deque[list[Statement]] = deque()
        for line in sys.stdin:
            count = int(line)
            if not count:
                db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            while len(ahead) < (count or AHEAD):
                ahead.append(appends.of(number))
                number += 1
            todo = [ahead.popleft() for _ in range(count)]
            print(json.dumps([_commit(db, statements) for statements in todo]), flush=True)
        appends.close()
    db.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
