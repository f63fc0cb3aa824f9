"""A payment put into somebody else's queue on SQLite: the other ways to not lose one in Python.

`python -m tests.bench.peer_queue NAME DIRECTORY DURABILITY`, NAME `persist-queue` or `litequeue`,
DURABILITY `shipped` or `equal` (a sync for every commit, as the agent's journal). For every line
`N` it puts N payments one by one and prints their times in microseconds as a JSON list. Neither
looks a key up, keeps a history or checks a row; both store the same bytes a till hands over.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.bench.payments import submission

MISSING = "missing"


def _persist_queue(directory: Path) -> tuple[Callable[[str], Any], sqlite3.Connection]:
    import persistqueue

    made = persistqueue.SQLiteQueue(str(directory), auto_commit=True)
    return made.put, made._putter


def _litequeue(directory: Path) -> tuple[Callable[[str], Any], sqlite3.Connection]:
    import litequeue

    made = litequeue.LiteQueue(str(directory / "queue.db"))
    return made.put, made.conn


MAKERS = {"persist-queue": _persist_queue, "litequeue": _litequeue}


def main(name: str, directory: Path, durability: str) -> None:
    try:
        put, connection = MAKERS[name](directory)
    except ImportError:
        print(MISSING, flush=True)
        return
    if durability == "equal":
        connection.execute("PRAGMA synchronous = FULL")
    print(connection.execute("PRAGMA synchronous").fetchone()[0], flush=True)
    number = 0
    for line in sys.stdin:
        times_us = []
        for _ in range(int(line)):
            text = submission(f"peer-{number:010d}", number).decode()
            number += 1
            began = time.perf_counter_ns()
            put(text)
            times_us.append((time.perf_counter_ns() - began) / 1000)
        print(json.dumps(times_us), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
