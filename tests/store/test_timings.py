"""The columns statistics are made of: in order, all of them, whatever flash left of a row."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Change, Event, State
from agent.core.money.transaction import App
from agent.core.why.stats import Timed
from agent.store import Store
from agent.store import timings as module
from agent.store.timings import Timings
from tests.core.money.payments import submission
from tests.fakes import FakeClock


def run(folder: Path, clock: FakeClock, test: Callable[[Store], Awaitable[None]]) -> None:
    async def running() -> None:
        store = Store(folder, clock)
        await store.start()
        try:
            await test(store)
        finally:
            assert store.stop()

    asyncio.run(running())


async def taken(store: Store, clock: FakeClock, count: int, **of: Any) -> None:
    for number in range(count):
        await store.append(submission(f"k-{number}", occurred_at=clock.now().at, **of))
        clock.advance(60)


async def walked(timings: Timings, after: int, upto: int) -> list[Timed]:
    found: list[Timed] = []
    place: int | None = after
    while place is not None:
        page, place = await timings.page(place, upto)
        found += page
    return found


def test_every_payment_comes_once_and_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces, between two numbers, with what became of each."""
    monkeypatch.setattr(module, "ROWS", 3)
    clock = FakeClock()

    async def story(store: Store) -> None:
        timings = Timings(store)
        assert await timings.newest() == 0
        assert await walked(timings, 0, 100) == []
        await taken(store, clock, 9, app=App(name="till", version="2.1"))
        record = await store.record("k-4")
        assert record is not None
        for event in (Event.ATTEMPT, Event.POSTED):
            record = await store.advance(record.seq, record.version, Change(event=event))
        newest = await timings.newest()
        found = await walked(timings, 0, newest)
        assert [one.seq for one in found] == list(range(1, 10))
        assert {one.app_version for one in found} == {"till 2.1"}
        assert found[4].state is State.POSTED
        assert found[4].sent_ms == found[4].changed_ms == clock.wall_ms
        assert [one.seq for one in await walked(timings, 2, 7)] == [3, 4, 5, 6, 7]

    run(tmp_path, clock, story)


def test_a_time_is_found_without_reading_what_lies_before(tmp_path: Path) -> None:
    """By halves, over the numbers; before the first and behind the last, too."""
    clock = FakeClock()

    async def story(store: Store) -> None:
        timings, began_ms = Timings(store), clock.wall_ms
        assert await timings.stored_since(began_ms, 0) == 0
        await taken(store, clock, 50)
        for number in (0, 1, 17, 49):
            at_ms = began_ms + number * 60_000
            assert await timings.stored_since(at_ms, 50) == number
            assert await timings.stored_since(at_ms + 1, 50) == number + 1

    run(tmp_path, clock, story)


@pytest.mark.parametrize(
    "change",
    [
        "state = 77", "state = 'x'", "cause = x'00'", "occurred_ms = 'then'", "changed_ms = x'00'",
        "last_sent_ms = 'never'", "amount_minor = 'much'",
    ],
)  # fmt: skip
def test_a_row_nobody_can_have_written_is_left_out(tmp_path: Path, change: str) -> None:
    """It is put aside where it is used; the others are counted."""
    damaged(tmp_path, change, [1, 3])


@pytest.mark.parametrize("change", ["currency = 7", "app = '{'", "app = '[]'", "app = 7"])
def test_what_only_names_a_group_becomes_unknown(tmp_path: Path, change: str) -> None:
    """A payment whose app or currency is torn is a payment all the same."""
    damaged(tmp_path, change, [1, 2, 3])


def damaged(folder: Path, change: str, expected: list[int]) -> None:
    clock = FakeClock()

    async def story(store: Store) -> None:
        found = await walked(Timings(store), 0, 10)
        assert [one.seq for one in found] == expected

    run(folder, clock, lambda store: taken(store, clock, 3))
    db = sqlite3.connect(folder / "journal.db", isolation_level=None)
    db.execute(f"UPDATE tx SET {change} WHERE seq = 2")
    db.close()
    run(folder, clock, story)
