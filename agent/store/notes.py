"""Small things watchers keep over a restart: one JSON object under a name, in state.db.

Lost with state.db without harm: counters begin anew and nobody's money depends on them. Whoever
writes here does so a handful of times a day at most; each write is one page of flash.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

_GET = "SELECT value FROM meta WHERE name = ?"
_PUT = "INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class Notes:
    """Named objects."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def load(self, name: str) -> dict[str, Any]:
        """What was kept under a name; empty where nothing was, or something else than an object."""
        row = await self._db.state(lambda db: db.execute(_GET, (_key(name),)).fetchone())
        try:
            found = json.loads(row[0]) if row is not None else {}
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    async def save(self, name: str, kept: Mapping[str, Any]) -> None:
        """Keep this under a name instead of what was there."""
        text = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        await self._db.state(lambda db: db.execute(_PUT, (_key(name), text)).rowcount)


def _key(name: str) -> str:
    return f"note.{name}"
