"""The rows of self-inspections in state.db. Lost with it without harm: one is made anew in a day.

Called by `agent.watch.inspection` and by the offline reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from agent.core.inspection.report import Report

T = TypeVar("T")

_COLUMNS = "number, trigger, actor, started_ms, ended_ms, body"
_ADD = f"INSERT OR REPLACE INTO inspection ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)"
_PRUNE = """
DELETE FROM inspection WHERE number <= (
    SELECT number FROM inspection ORDER BY number DESC LIMIT 1 OFFSET ?
)
"""
_NEXT = "SELECT coalesce(max(number), 0) + 1 FROM inspection"
_ONE = f"SELECT {_COLUMNS} FROM inspection WHERE number = ?"
_LATEST = f"SELECT {_COLUMNS} FROM inspection ORDER BY number DESC LIMIT ?"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class InspectionRows:
    """What `agent.watch.inspection` needs from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def next_number(self) -> int:
        """The number of the next inspection."""
        return await self._db.state(lambda db: int(db.execute(_NEXT).fetchone()[0]))

    async def add(self, report: Report, keep: int) -> None:
        """Keep a report that is over, and of all only the last `keep`."""
        from agent.core.inspection.report import to_plain

        row = (
            report.number,
            report.trigger.value,
            report.actor,
            report.started_ms,
            report.ended_ms,
            json.dumps(to_plain(report), ensure_ascii=False, separators=(",", ":")),
        )

        def work(db: sqlite3.Connection) -> None:
            db.execute(_ADD, row)
            db.execute(_PRUNE, (keep,))

        await self._db.state(work)

    async def one(self, number: int) -> Report | None:
        """A report by its number."""
        return await self._db.state(partial(one, number=number))

    async def latest(self, limit: int) -> list[Report]:
        """The last reports, the newest first."""
        return await self._db.state(partial(latest, limit=limit))


def one(db: sqlite3.Connection, number: int) -> Report | None:
    """A report by its number."""
    row = db.execute(_ONE, (number,)).fetchone()
    return None if row is None else _report(row)


def latest(db: sqlite3.Connection, limit: int) -> list[Report]:
    """The last reports, the newest first."""
    return [_report(row) for row in db.execute(_LATEST, (limit,))]


def _report(row: Any) -> Report:
    # Loaded with the first report: a terminal that starts has not made one yet.
    from agent.core.inspection.report import Report, Trigger, checks_from

    number, trigger, actor, started_ms, ended_ms, body = row
    try:
        plain = json.loads(body)
    except ValueError:
        plain = None  # flash left something else: when it was is still worth telling
    expected, checks = checks_from(plain)
    return Report(
        number=number,
        trigger=Trigger(trigger) if trigger in list(Trigger) else Trigger.ASKED,
        actor=actor,
        started_ms=started_ms,
        ended_ms=ended_ms,
        expected=expected,
        checks=checks,
    )
