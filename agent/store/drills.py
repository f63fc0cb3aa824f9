"""The rows of outage drills in state.db. Lost with it without harm: then a drill is overdue.

Called by `agent.main.drill` and by the offline reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from agent.core.drill.report import Drill

T = TypeVar("T")

_COLUMNS = "number, started_ms, body"
_PUT = "INSERT OR REPLACE INTO drill (state, number, started_ms, body) VALUES (?, ?, ?, ?)"
_PRUNE = """
DELETE FROM drill WHERE number <= (SELECT number FROM drill ORDER BY number DESC LIMIT 1 OFFSET ?)
"""
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM drill"
_ONE = f"SELECT {_COLUMNS} FROM drill WHERE number = ?"
_LATEST = f"SELECT {_COLUMNS} FROM drill ORDER BY number DESC LIMIT ?"
_RUNNING = f"SELECT {_COLUMNS} FROM drill WHERE state = 'running' ORDER BY number"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class DrillRows:
    """What drills need from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def next_number(self) -> int:
        """The number of the next drill."""
        return await self._db.state(lambda db: int(db.execute(_NEXT).fetchone()[0]))

    async def put(self, drill: Drill, keep: int) -> None:
        """Keep a drill as it is now, and of all only the last `keep`."""
        from agent.core.drill.report import to_plain

        state = "running" if drill.ended_ms is None else "done"
        body = json.dumps(to_plain(drill), ensure_ascii=False, separators=(",", ":"))

        def work(db: sqlite3.Connection) -> None:
            db.execute(_PUT, (state, drill.number, drill.started_ms, body))
            db.execute(_PRUNE, (keep,))

        await self._db.state(work)

    async def one(self, number: int) -> Drill | None:
        """A drill by its number."""
        row = await self._db.state(lambda db: db.execute(_ONE, (number,)).fetchone())
        return None if row is None else _drill(row)

    async def latest(self, limit: int) -> list[Drill]:
        """The last drills, the newest first."""
        rows = await self._db.state(lambda db: db.execute(_LATEST, (limit,)).fetchall())
        return [_drill(row) for row in rows]

    async def running(self) -> list[Drill]:
        """Those that nobody ended."""
        rows = await self._db.state(lambda db: db.execute(_RUNNING).fetchall())
        return [_drill(row) for row in rows]


def _drill(row: Any) -> Drill:
    from agent.core.drill.report import from_plain

    number, started_ms, body = row
    try:
        plain = json.loads(body)
    except ValueError:
        plain = None  # flash left something else: when it was is still worth telling
    return from_plain(number, started_ms, plain)
