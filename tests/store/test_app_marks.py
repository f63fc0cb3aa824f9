"""The payment app's marks outlive the daemon."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.core.terminal.payment_app import Mark, What
from agent.store.app_marks import AppMarkRows
from agent.store.opening import open_state
from tests.fakes import FakeClock
from tests.store.stores import OneFile


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_state(tmp_path, FakeClock().now())
    yield connection
    connection.close()


def test_marks_are_kept_in_order_and_old_ones_forgotten(connection: sqlite3.Connection) -> None:
    """As they happened, though a wrong clock dated them otherwise."""
    rows = AppMarkRows(OneFile(connection))
    first = Mark(at_ms=5_000, what=What.ENDED, version="1.0")
    second = Mark(at_ms=4_000, what=What.KILLED)
    third = Mark(at_ms=6_000, what=What.ASKED)

    async def play() -> None:
        for mark in (first, second):
            await rows.add(mark, 0)
        assert list(await rows.load()) == [first, second]
        await rows.add(third, 4_500)
        assert list(await rows.load()) == [first, third]

    asyncio.run(play())


def test_a_word_of_a_later_version_is_left_out(connection: sqlite3.Connection) -> None:
    """After a downgrade the rest is still known."""
    rows = AppMarkRows(OneFile(connection))
    with connection:
        connection.execute("INSERT INTO app_mark (at_ms, what, version) VALUES (1, 'flew', '')")
    assert list(asyncio.run(rows.load())) == []
