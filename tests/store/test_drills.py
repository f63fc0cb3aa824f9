"""Rows of drills and of circumstances in state.db: kept, replaced, pruned, read in order."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from agent.clock import SystemClock
from agent.core.drill.report import Drill, Result
from agent.core.why.stats import Around
from agent.store import Store, arounds
from agent.store.arounds import AroundRows, Span
from agent.store.drills import DrillRows

T0_MS = 1_795_000_000_000
BORN = datetime(2026, 11, 1, tzinfo=UTC)


def drill(number: int) -> Drill:
    return Drill(
        number=number, trigger="asked", actor="uid:0", records=5, restart=False, started_ms=T0_MS
    )


def test_a_drill_is_running_until_it_is_over(tmp_path: Path) -> None:
    """A start finds what was under way; numbers go on, the oldest go."""

    async def body() -> None:
        store = Store(tmp_path / "state", SystemClock())
        await store.start()
        try:
            rows = DrillRows(store)
            assert await rows.next_number() == 1
            for number in range(1, 5):
                await rows.put(drill(number).over(T0_MS + 1, Result.PASSED), 3)
            await rows.put(drill(5), 3)
            assert [one.number for one in await rows.latest(9)] == [5, 4, 3]
            assert await rows.running() == [drill(5)]
            assert await rows.one(1) is None
            await rows.put(drill(5).over(T0_MS + 2, Result.FAILED), 3)
            assert await rows.running() == []
            assert (await rows.latest(1))[0].result is Result.FAILED
            assert await rows.next_number() == 6
            await store.state(lambda db: db.execute("UPDATE drill SET body = '{'").rowcount)
            assert [one.number for one in await rows.latest(9)] == [5, 4, 3], "still told"
        finally:
            store.stop(5.0)

    asyncio.run(body())


def test_circumstances_grow_and_belong_to_one_journal(tmp_path: Path) -> None:
    """A span that has grown replaces itself; another journal's payments are none of these."""

    async def body() -> None:
        store = Store(tmp_path / "state", SystemClock())
        await store.start()
        try:
            rows, wifi = AroundRows(store), Around(network="wifi")
            await rows.put(BORN, [Span(1, 4, wifi)])
            await rows.put(BORN, [Span(1, 9, wifi), Span(10, 12, Around())])
            await rows.put(BORN.replace(year=2027), [Span(1, 1, wifi)])
            assert await rows.page(BORN, -1) == [Span(1, 9, wifi), Span(10, 12, Around())]
            assert await rows.page(BORN, 1) == [Span(10, 12, Around())]
        finally:
            store.stop(5.0)

    asyncio.run(body())


def test_only_so_many_circumstances_are_kept(tmp_path: Path) -> None:
    """The oldest go first."""

    async def body() -> None:
        store = Store(tmp_path / "state", SystemClock())
        await store.start()
        try:
            many = [Span(n, n, Around()) for n in range(1, arounds.KEEP_ROWS + 11)]
            await AroundRows(store).put(BORN, many)
            first = (await AroundRows(store).page(BORN, -1))[0]
            assert first.first_seq == 11
        finally:
            store.stop(5.0)

    asyncio.run(body())
