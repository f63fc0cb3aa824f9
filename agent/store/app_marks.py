"""The rows of the payment app's marks in state.db: so that a day's cap holds over our own restart.

Lost with it without harm: the day begins anew. Called by `agent.watch.payment_app`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from agent.core.terminal.payment_app import MOST_MARKS, Mark, What

T = TypeVar("T")

_ADD = "INSERT INTO app_mark (at_ms, what, version) VALUES (?, ?, ?)"
_PRUNE = "DELETE FROM app_mark WHERE at_ms < ?"
_ALL = "SELECT at_ms, what, version FROM app_mark ORDER BY id DESC LIMIT ?"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class AppMarkRows:
    """What `agent.watch.payment_app` needs from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def load(self) -> Sequence[Mark]:
        """The newest, oldest first; a row nobody knows any more is left out."""
        return await self._db.state(_load)

    async def add(self, mark: Mark, oldest_ms: int) -> None:
        """Keep one, and forget those before `oldest_ms`."""

        def work(db: sqlite3.Connection) -> None:
            db.execute(_PRUNE, (oldest_ms,))
            db.execute(_ADD, (mark.at_ms, mark.what.value, mark.version))

        await self._db.state(work)


def _load(db: sqlite3.Connection) -> list[Mark]:
    words = {one.value for one in What}
    rows = db.execute(_ALL, (MOST_MARKS,)).fetchall()
    return [
        Mark(at_ms=at_ms, what=What(what), version=version)
        for at_ms, what, version in reversed(rows)
        if what in words
    ]
