"""The inventory outlives the daemon, and an older state.db is brought to it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.fleet.inventory import Item, ItemChange
from agent.store.inventory import KEEP_ROWS, InventoryRows
from agent.store.opening import STATE_SCHEMA, open_state
from agent.store.schema import statements
from agent.store.sql import migration
from tests.fakes import FakeClock
from tests.store.stores import OneFile

PRINTER = Item(component="printer", make="EPSON", model="TM-T20", serial="***34", since_ms=5)
LOOSE = Item(component="usb:1-1", usb_id="1234:5678", since_ms=6)


@pytest.fixture
def rows(tmp_path: Path) -> Iterator[InventoryRows]:
    connection = open_state(tmp_path, FakeClock().now())
    yield InventoryRows(OneFile(connection))
    connection.close()


def change(number: int, before: Item | None, after: Item | None) -> ItemChange:
    return ItemChange(component="printer", at_ms=number, before=before, after=after)


def test_what_is_saved_is_loaded(rows: InventoryRows) -> None:
    """All of it, and nothing of what was there before."""
    asyncio.run(rows.save([PRINTER, LOOSE], []))
    assert asyncio.run(rows.load()) == [PRINTER, LOOSE]
    asyncio.run(rows.save([LOOSE], []))
    assert asyncio.run(rows.load()) == [LOOSE]


def test_changes_are_kept_newest_first_and_bounded(rows: InventoryRows) -> None:
    """A flapping plug cannot fill the flash."""
    asyncio.run(rows.save([PRINTER], [change(1, None, PRINTER)]))
    asyncio.run(rows.save([], [change(2, PRINTER, None)]))
    newest, oldest = asyncio.run(rows.changes(10))
    assert (newest.at_ms, newest.after, oldest.before) == (2, None, None)
    assert newest.before is not None
    assert newest.before.facts() == PRINTER.facts()
    many = [change(number, None, PRINTER) for number in range(3, 3 + 2 * KEEP_ROWS)]
    asyncio.run(rows.save([PRINTER], many))
    kept = asyncio.run(rows.changes(10_000))
    assert (len(kept), kept[0].at_ms) == (KEEP_ROWS, 2 + 2 * KEEP_ROWS)


def test_a_stricter_policy_reaches_what_is_kept(rows: InventoryRows) -> None:
    """List and history: a whole number written down before is not on the flash any more."""
    whole = Item(component="printer", model="TM-T20", serial="SECRET12", kernel="a SECRET12")
    asyncio.run(rows.save([whole], [change(1, None, whole), change(2, whole, None)]))
    asyncio.run(rows.cover("full"))
    assert asyncio.run(rows.load()) == [whole]
    asyncio.run(rows.cover("masked"))
    assert [one.serial for one in asyncio.run(rows.load())] == ["****ET12"]
    asyncio.run(rows.cover("off"))
    kept = asyncio.run(rows.load()), asyncio.run(rows.changes(10))
    assert "ET12" not in repr(kept)
    assert [one.model for one in kept[0]] == ["TM-T20"]
    assert [(one.before is None, one.after is None) for one in kept[1]] == [
        (False, True),
        (True, False),
    ]


def test_a_torn_row_is_empty_and_harms_nobody(tmp_path: Path, rows: InventoryRows) -> None:
    """Flash may leave anything."""
    asyncio.run(rows.save([PRINTER], []))

    def tear(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE inventory SET facts = '[1'")

    asyncio.run(rows._db.state(tear))
    assert asyncio.run(rows.load()) == [Item(component="printer", since_ms=5)]
    del tmp_path


def test_an_older_state_is_brought_up_and_keeps_what_it_had(tmp_path: Path) -> None:
    """Alarms and outbox of the release before stay; a newer one is made anew."""
    old = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    for statement in statements(migration("state_0001")):
        old.execute(statement)
    old.execute("PRAGMA user_version = 1")
    old.execute("INSERT INTO alarm VALUES ('printer.paper_out', 1, NULL, 0, '{}')")
    old.close()
    new = open_state(tmp_path, FakeClock().now())
    assert new.execute("PRAGMA user_version").fetchone()[0] == STATE_SCHEMA
    assert new.execute("SELECT count(*) FROM alarm").fetchone()[0] == 1
    assert new.execute("SELECT count(*) FROM inventory").fetchone()[0] == 0
    new.close()
