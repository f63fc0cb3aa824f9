"""Whether settlement lists were ever read here, and what is open of them: asked every few minutes.

Most terminals never read one; the rest of `agent.store.settled` is loaded with the first.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

T = TypeVar("T")

_ANY = "SELECT 1 FROM settlement_list LIMIT 1"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T: ...


class SettledCounts:
    """What the watcher of settlement reads."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def any_read(self) -> bool:
        """Whether a list was ever read here."""
        return await self._db.state(lambda db: db.execute(_ANY).fetchone() is not None)

    async def open_counts(self) -> Mapping[str, int]:
        """As `SettledRows.open_counts`."""
        from agent.store.settled import SettledRows

        return await SettledRows(self._db).open_counts()
