"""Places in the journal are found a row at a time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from agent.actions.paging import first_stored_since, last_seq
from agent.core.money.journal import Record, State
from tests.golden.slips.samples import NOW, record


class Pages:
    """Rows with gaps, in memory."""

    def __init__(self, seqs: list[int]) -> None:
        self.rows = [record(seq) for seq in seqs]
        self.asked = 0

    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]:
        self.asked += 1
        return [row for row in self.rows if row.seq > after_seq][:limit]


@pytest.mark.parametrize("seqs", [[], [1], [5], [1, 2, 3], [7, 9, 80], list(range(1, 60))], ids=str)
def test_the_newest_row_and_the_first_since_are_found(seqs: list[int]) -> None:
    """Whatever the gaps; in steps that grow with the logarithm only."""

    async def run() -> None:
        pages = Pages(seqs)
        last = await last_seq(pages)
        assert last == max(seqs, default=0)
        assert pages.asked <= 20
        for minute in range(20, 95, 7):
            at = NOW - timedelta(minutes=90 - minute)
            after = await first_stored_since(pages, at, last)
            assert [one.seq for one in pages.rows if one.seq > after] == [
                one.seq for one in pages.rows if one.stored_at >= at
            ]

    asyncio.run(run())
