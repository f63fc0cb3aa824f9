"""Payments by kind, backwards from the newest, in bounded pieces and without a scan."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.money.batches import AppReport, BatchReport
from agent.core.money.transaction import Kind
from agent.store import kinds
from agent.store.kinds import KindRows
from agent.store.reports import Reports
from agent.store.sql import QUERIES
from tests.core.money.payments import AT, submission
from tests.fakes import FakeClock
from tests.store.stores import opened


def test_backwards_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces join without a gap; how far back was looked is told where the walk was cut."""
    monkeypatch.setattr(kinds, "ROWS", 4)
    monkeypatch.setattr(kinds, "RECORDS", 2)

    async def test() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            rows = KindRows(store, clock)
            long_ago = clock.now().at - timedelta(days=1)
            assert await rows.of_kinds({Kind.PREAUTH}, long_ago) == ([], None)
            for number in range(20):
                kind = Kind.PREAUTH if number % 3 == 0 or number in (4, 5) else Kind.SALE
                await store.append(submission(key=f"k-{number:02d}", kind=kind))
            found, back_to = await rows.of_kinds({Kind.PREAUTH}, long_ago)
            wanted = [n for n in range(20) if n % 3 == 0 or n in (4, 5)]
            assert [one.key for one in found] == [f"k-{n:02d}" for n in wanted]
            assert back_to is None
            monkeypatch.setattr(kinds, "PIECES", 2)
            some, back_to = await rows.of_kinds({Kind.PREAUTH}, long_ago)
            assert [one.key for one in some] == [f"k-{n:02d}" for n in wanted][-len(some) :]
            assert back_to is not None
            later = clock.now().at + timedelta(days=1)
            assert len((await rows.of_kinds({Kind.PREAUTH}, later))[0]) <= 2
            assert len(await rows.terminals()) == 1

    asyncio.run(test())


def test_the_newest_batches_first(tmp_path: Path) -> None:
    """Open or closed, by the newest word about them."""

    async def test() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            reports = Reports(store, clock)
            for minute, (number, closed) in enumerate((("1", False), ("1", True), ("2", False))):
                report = BatchReport(batch=number, closed=closed)
                at = AT + timedelta(minutes=minute)
                await reports.told(AppReport(terminal_id="T1", at=at, batch=report))
            found = await KindRows(store, clock).batches()
            assert [one.batch for one in found] == ["2", "1"]

    asyncio.run(test())


@pytest.mark.parametrize("name", ["at_or_below", "by_key", "history", "of_kinds", "stages"])
def test_no_question_scans_the_journal(tmp_path: Path, name: str) -> None:
    """What one payment's verdict and the questions read goes by key or number."""

    async def test() -> list[str]:
        async with opened(tmp_path) as store:
            return await store.journal(
                lambda journal: [
                    row[3]
                    for row in journal.table.db.execute(
                        f"EXPLAIN QUERY PLAN {QUERIES[name]}", (1,) * QUERIES[name].count("?")
                    )
                ]
            )

    plan = asyncio.run(test())
    assert plan
    assert [line for line in plan if line.startswith("SCAN") and "json_each" not in line] == []
