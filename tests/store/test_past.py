"""A history is the same whether its lines were written or the row alone tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, HostResult, Record, Step
from agent.core.money.transaction import Submission
from agent.store import Store
from agent.store.journal import Journal
from agent.store.past import implied
from agent.store.rows import Known
from agent.store.sql import QUERIES
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at

ATTEMPT = Change(event=Event.ATTEMPT)
POSTED = Change(event=Event.POSTED, result=HostResult(response_code="00"))
DECLINED = Change(event=Event.DECLINED, cause="host.rejected", note="declined (51)")
SILENT = Change(event=Event.NO_ANSWER, cause="host.no_reply", note="no answer in 30 s")
LATE = Change(event=Event.LATE, cause="", note="the host answered once more")


async def lines(store: Store, seq: int) -> int:
    """How many are written."""

    def count(journal: Journal) -> int:
        return len(journal.table.many("history_of", seq))

    return await store.journal(count)


async def live(
    store: Store, clock: FakeClock, changes: Sequence[Change], *, written: bool = False
) -> Record:
    """One payment's life; with `written` every line is on the flash, as older builds left it."""

    def write(journal: Journal) -> None:
        row = journal.table.one("by_seq", 1)
        assert row is not None
        known = journal.table.sealer.read(tuple(row))
        assert isinstance(known, Known)
        for line in implied(known.record):
            mac = journal.table.sealer.line("history", line)
            journal.table.db.execute(QUERIES["history_before"], (*line, mac))

    record = (await store.append(submission(**at(clock)))).record
    for change in changes:
        if written:
            await store.journal(write)
        clock.advance(1)
        record = await store.advance(record.seq, record.version, change)
    return record


@pytest.mark.parametrize("end", [(), (ATTEMPT,), (ATTEMPT, POSTED), (ATTEMPT, DECLINED)])
def test_a_plain_life_writes_no_line_and_is_told_whole(
    tmp_path: Path, end: Sequence[Change]
) -> None:
    """Taken over, sent, answered: every step with its own time, cause and words."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            began = clock.now().at
            record = await live(store, clock, end)
            steps = await store.steps(record.seq)
            assert await lines(store, record.seq) == 0
        assert [step.event for step in steps] == ["submitted", *(c.event.value for c in end)]
        assert [(step.cause, step.note) for step in steps[1:]] == [(c.cause, c.note) for c in end]
        assert steps[0].first_at == began
        assert [(s.first_at - began).total_seconds() for s in steps] == [*range(len(steps))]
        assert steps[-1].state is record.state
        assert not any(step.in_doubt for step in steps)

    asyncio.run(story())


@pytest.mark.parametrize(
    "changes",
    [
        (SILENT,),
        (SILENT, ATTEMPT, POSTED),
        (POSTED, LATE),
        (DECLINED, LATE, LATE),
        (SILENT, ATTEMPT, SILENT, ATTEMPT, SILENT),
    ],
)
def test_what_is_not_plain_has_all_its_lines(tmp_path: Path, changes: Sequence[Change]) -> None:
    """The steps before the first unusual one are written with it; a journal in which an older build
    wrote them already tells the same."""

    async def told(folder: Path, *, written: bool) -> list[Step]:
        clock = FakeClock()
        async with opened(folder, clock) as store:
            record = await live(store, clock, (ATTEMPT, *changes), written=written)
            steps = await store.steps(record.seq)
            assert await lines(store, record.seq) == len(steps)
        async with opened(folder, clock) as store:
            assert await store.steps(record.seq) == steps
        return steps

    fresh = asyncio.run(told(tmp_path / "fresh", written=False))
    assert fresh == asyncio.run(told(tmp_path / "older", written=True))
    events = [step.event for step in fresh]
    assert events[:3] == ["submitted", "attempt", changes[0].event.value]
    assert sum(step.count for step in fresh) == len(changes) + 2


@pytest.mark.parametrize("given", [{"attempts": 2}, {}])
def test_a_payment_taken_over_in_doubt_keeps_how_it_began(
    tmp_path: Path, given: dict[str, int]
) -> None:
    """Its end looks plain in the row; its beginning was not, and stays told."""

    async def story() -> None:
        clock = FakeClock()
        old: Submission = submission(**(at(clock) | given))
        clock.advance(3_600)
        async with opened(tmp_path, clock) as store:
            record = (await store.append(old)).record
            assert record.in_doubt
            for change in (ATTEMPT, POSTED):
                record = await store.advance(record.seq, record.version, change)
            steps = await store.steps(record.seq)
        assert [(s.event, s.in_doubt) for s in steps] == [
            ("submitted", True), ("attempt", True), ("posted", False),
        ]  # fmt: skip

    asyncio.run(story())


def test_the_newest_steps_are_told_where_not_all_are_asked_for(tmp_path: Path) -> None:
    """Of those the row tells as well as of those that are written."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = await live(store, clock, (ATTEMPT, POSTED))
            assert [step.event for step in await store.steps(record.seq, 2)] == [
                "attempt",
                "posted",
            ]
            record = await store.advance(record.seq, record.version, LATE)
            assert [step.event for step in await store.steps(record.seq, 2)] == ["posted", "late"]

    asyncio.run(story())


def test_an_altered_row_tells_no_history(tmp_path: Path) -> None:
    """Its steps are its own word, and that is not believed."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = await live(store, clock, (ATTEMPT, POSTED))

            def alter(journal: Journal) -> None:
                journal.table.db.execute("UPDATE tx SET changed_ms = changed_ms + 1")

            await store.journal(alter)
            assert await store.steps(record.seq) == []

    asyncio.run(story())
