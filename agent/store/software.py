"""The rows of installed versions in state.db, and their changes.

Lost with state.db without harm to money: versions are read again, only what changed before is no
longer known. Called by `agent.watch.software.history` and by the offline reader.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from agent.core.software.standing import Known, VersionChanged

T = TypeVar("T")

#: Changes kept; a terminal sees a few a month.
KEEP_ROWS = 500

_PUT = "INSERT OR REPLACE INTO software (component, version, since_ms, seen_ms) VALUES (?, ?, ?, ?)"
_ADD = (
    "INSERT INTO software_change (component, at_ms, noticed_ms, before, after) "
    "VALUES (?, ?, ?, ?, ?)"
)
_PRUNE = """
DELETE FROM software_change WHERE id <= (
    SELECT id FROM software_change ORDER BY id DESC LIMIT 1 OFFSET ?
)
"""
_KNOWN = "SELECT component, version, since_ms, seen_ms FROM software ORDER BY component"
_CHANGES = (
    "SELECT component, at_ms, noticed_ms, before, after FROM software_change "
    "ORDER BY id DESC LIMIT ?"
)


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class SoftwareRows:
    """What `agent.watch.software` needs from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def load(self) -> list[Known]:
        """What was installed when it was read last."""
        return await self._db.state(known)

    async def save(self, found: Iterable[Known], changed: Sequence[VersionChanged]) -> None:
        """In one transaction: what is installed now, and what changed."""
        rows = [(one.component, one.version, one.since_ms, one.seen_ms) for one in found]
        lines = [
            (one.component, one.at_ms, one.noticed_ms, one.before, one.after) for one in changed
        ]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM software")
            connection.executemany(_PUT, rows)
            connection.executemany(_ADD, lines)
            connection.execute(_PRUNE, (KEEP_ROWS,))

        await self._db.state(work)

    async def changes(self, limit: int) -> list[VersionChanged]:
        """The last changes, the newest first."""
        return await self._db.state(lambda connection: changes(connection, limit))


def known(connection: sqlite3.Connection) -> list[Known]:
    """Everything that was installed, by component."""
    return [
        Known(component=component, version=version, since_ms=since, seen_ms=seen)
        for component, version, since, seen in connection.execute(_KNOWN)
    ]


def changes(connection: sqlite3.Connection, limit: int) -> list[VersionChanged]:
    """The last changes, the newest first."""
    return [
        VersionChanged(component=component, at_ms=at, noticed_ms=noticed, before=before, after=now)
        for component, at, noticed, before, now in connection.execute(_CHANGES, (limit,))
    ]
