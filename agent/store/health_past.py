"""The history of health page by page: what a person or a chart asks about the past.

Reads the table `health_history`, which `store.health` owns, a bounded page at a time, so that no
question keeps the store's writer from a payment. Serves the daemon and the offline command line.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from agent.core.health.tracker import HistoryLine
from agent.core.moment import at_ms

T = TypeVar("T")

#: By time, for a clock that was set back leaves numbers and times in different orders; the number
#: decides among equals. The index is on at_ms.
_PAGE = """
SELECT id, code, what, at_ms, args FROM health_history
WHERE at_ms >= ?1 AND (at_ms < ?2 OR (at_ms = ?2 AND id < ?3))
ORDER BY at_ms DESC, id DESC LIMIT ?4
"""
_PAGE_OF_ONE = _PAGE.replace("ORDER BY", "AND code = ?5 ORDER BY")


class StateDb(Protocol):
    """state.db, behind the store's writer thread or as a copy."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class HealthPast:
    """What `agent.actions` asks of the past."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def page(
        self, since_ms: int, until_ms: int, before: int, limit: int, code: str = ""
    ) -> Sequence[tuple[int, HistoryLine]]:
        """The newest `limit` lines of that time, newest first, each with its number; `before` is
        the number of the last line seen at `until_ms`."""

        def work(connection: sqlite3.Connection) -> list[tuple[int, HistoryLine]]:
            given = (since_ms, until_ms, before, limit, *((code,) if code else ()))
            rows = connection.execute(_PAGE_OF_ONE if code else _PAGE, given)
            return [
                (number, HistoryLine(code=of, what=what, at=at_ms(at), args=_plain(args)))
                for number, of, what, at, args in rows
            ]

        return await self._db.state(work)


def _plain(text: str) -> dict[str, str | int | float | bool | None]:
    """Empty where flash or an older release left something else."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {
        name: value
        for name, value in told.items()
        if value is None or isinstance(value, str | int | float)
    }
