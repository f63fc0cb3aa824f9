"""The rows of the inventory in state.db: what hangs on this terminal, and its last changes.

Lost with state.db without harm: it is read again from the devices, only the dates begin anew.
Called by `agent.watch.inventory` and by the offline reader.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from agent.core.fleet.inventory import FACTS, Item, ItemChange, Policy, recovered

T = TypeVar("T")

#: The name under which `Item.kernel` is kept beside the facts.
KERNEL = "kernel"
#: Changes kept; a terminal sees a handful a year.
KEEP_ROWS = 200

_PUT = "INSERT OR REPLACE INTO inventory (component, since_ms, facts) VALUES (?, ?, ?)"
_ADD = "INSERT INTO inventory_change (component, at_ms, before, after) VALUES (?, ?, ?, ?)"
_PRUNE = """
DELETE FROM inventory_change WHERE id <= (
    SELECT id FROM inventory_change ORDER BY id DESC LIMIT 1 OFFSET ?
)
"""
_COVER = "UPDATE inventory SET facts = ? WHERE component = ?"
_COVER_CHANGE = "UPDATE inventory_change SET before = ?, after = ? WHERE id = ?"
_CHANGES = "SELECT component, at_ms, before, after FROM inventory_change ORDER BY id DESC LIMIT ?"


class StateDb(Protocol):
    """state.db behind the store's writer thread."""

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` inside one transaction."""
        ...


class InventoryRows:
    """What `agent.watch.inventory` needs from the store."""

    def __init__(self, state_db: StateDb) -> None:
        self._db = state_db

    async def cover(self, policy: Policy) -> None:
        """Leave no more of a serial number than `policy` allows: it may be stricter than before."""
        await self._db.state(lambda connection: _cover(connection, policy))

    async def load(self) -> list[Item]:
        """What was known when the daemon stopped."""
        return await self._db.state(items)

    async def save(self, known: Iterable[Item], changed: Sequence[ItemChange]) -> None:
        """In one transaction: make `known` all that is there, add `changed` to its history."""
        rows = [(one.component, one.since_ms, _text(one)) for one in known]

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM inventory")
            connection.executemany(_PUT, rows)
            connection.executemany(
                _ADD,
                (
                    (one.component, one.at_ms, _text(one.before), _text(one.after))
                    for one in changed
                ),
            )
            connection.execute(_PRUNE, (KEEP_ROWS,))

        await self._db.state(work)

    async def changes(self, limit: int) -> list[ItemChange]:
        """The last changes, the newest first."""
        return await self._db.state(lambda connection: changes(connection, limit))


def items(connection: sqlite3.Connection) -> list[Item]:
    """Everything known, by component."""
    rows = connection.execute("SELECT component, since_ms, facts FROM inventory ORDER BY component")
    return [_item(component, since, facts) for component, since, facts in rows]


def changes(connection: sqlite3.Connection, limit: int) -> list[ItemChange]:
    """The last changes, the newest first."""
    return [
        ItemChange(
            component=component,
            at_ms=at,
            before=None if before is None else _item(component, at, before),
            after=None if after is None else _item(component, at, after),
        )
        for component, at, before, after in connection.execute(_CHANGES, (limit,))
    ]


def _cover(connection: sqlite3.Connection, policy: Policy) -> None:
    for one in items(connection):
        found = recovered(one, policy)
        if found is not one:
            connection.execute(_COVER, (_text(found), one.component))
    rows = connection.execute("SELECT id, before, after FROM inventory_change").fetchall()
    for number, *told in rows:
        found_there = [None if text is None else _item("", 0, text) for text in told]
        left = [None if one is None else recovered(one, policy) for one in found_there]
        if left != found_there:
            connection.execute(_COVER_CHANGE, (*map(_text, left), number))


def _item(component: str, since_ms: int, text: str) -> Item:
    facts = _loaded(text)
    told = {name: str(facts.get(name, "")) for name in (*FACTS, KERNEL)}
    return Item(component=component, since_ms=since_ms, **told)


def _loaded(text: str) -> Mapping[str, object]:
    """A JSON object; empty where flash left something else."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(one: Item | None) -> str | None:
    if one is None:
        return None
    facts = one.facts() | ({KERNEL: one.kernel} if one.kernel else {})
    return json.dumps(facts, ensure_ascii=False)
