"""Reports of payment apps on disk: one commit with what they do, kept as they came."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.batches import AppReport, BatchReport
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.core.money.stages import (
    CONTRADICTED,
    SETTLED,
    Effect,
    Patience,
    Report,
    Resolution,
    Said,
    Settlement,
    Stage,
    overdue,
)
from agent.core.money.transaction import Delivery
from agent.errors import CallerError
from agent.store import Store
from agent.store.offline import open_offline
from agent.store.reports import Reports
from tests.core.money.payments import AT, submission
from tests.fakes import FakeClock

SENT = Report(n=1, stage=Stage.SENT, at=AT)
APPROVED = Report(
    n=2, stage=Stage.ANSWERED, at=AT + timedelta(seconds=2), outcome=Said.APPROVED,
    result=HostResult(rrn="030614000123", response_code="00"),
)  # fmt: skip


def run(
    folder: Path,
    test: Callable[[Store, Reports], Awaitable[None]],
    clock: FakeClock | None = None,
) -> None:
    async def running() -> None:
        own = clock or FakeClock()
        store = Store(folder, own)
        await store.start()
        try:
            await test(store, Reports(store, own))
        finally:
            assert store.stop()

    asyncio.run(running())


async def take(store: Store, key: str = "k1", **of: Any) -> Record:
    return (await store.append(submission(key, **{"delivery": Delivery.APP, **of}))).record


async def refused(asked: Awaitable[object]) -> str:
    with pytest.raises(CallerError) as caught:
        await asked
    return caught.value.code


def test_a_payments_day_is_kept_and_told_to_who_listens(tmp_path: Path) -> None:
    """Sent and approved in one request: two reports, one commit, every change announced."""
    told: list[State] = []

    async def test(store: Store, reports: Reports) -> None:
        await take(store)
        await asyncio.sleep(0)  # the app hears first
        store.on_change(lambda record: told.append(record.state))
        record, kept = await reports.report("k1", [APPROVED, SENT])
        assert (record.state, record.sent) == (State.POSTED, 1)
        assert record.result is not None
        assert record.result.rrn == "030614000123"
        assert [one.report for one in kept] == [SENT, APPROVED]
        await asyncio.sleep(0)
        assert told == [State.SENDING, State.POSTED]
        steps = await store.steps(record.seq)
        assert [step.event for step in steps] == ["submitted", "attempt", "posted"]

    async def again(store: Store, reports: Reports) -> None:
        record = await store.record("k1")
        assert record is not None
        assert [one.report for one in await reports.stages(record.seq)] == [SENT, APPROVED]

    run(tmp_path, test)
    run(tmp_path, again)


def test_repeating_a_report_is_harmless_and_changing_one_is_refused(tmp_path: Path) -> None:
    """The same number is the same report, or none of the request is taken."""

    async def test(store: Store, reports: Reports) -> None:
        await take(store)
        await reports.report("k1", [SENT])
        record, kept = await reports.report("k1", [SENT])
        assert (len(kept), record.version) == (1, 2)
        other = replace(SENT, stage=Stage.NOT_SENT)
        assert await refused(reports.report("k1", [other, APPROVED])) == "stage.mismatch"
        assert len(await reports.stages(record.seq)) == 1
        assert (await store.record("k1") or record).state is State.SENDING

    run(tmp_path, test)


def test_only_payments_of_the_app_have_reports(tmp_path: Path) -> None:
    """What the agent sends it knows itself; what nobody handed over has no stages."""

    async def test(store: Store, reports: Reports) -> None:
        await take(store, delivery=Delivery.AGENT)
        assert await refused(reports.report("k1", [SENT])) == "record.by_agent"
        assert await refused(reports.report("nobody", [SENT])) == "transaction.unknown"
        many = [replace(SENT, n=n, stage=Stage.CAPTURED) for n in range(1, 102)]
        await take(store, "k2", stan="2")
        assert await refused(reports.report("k2", many)) == "stage.too_many"

    run(tmp_path, test)


def test_a_contradiction_is_kept_flagged_and_settled_by_a_person(tmp_path: Path) -> None:
    """The record stays as proven; who looked at it stands in its history."""

    async def test(store: Store, reports: Reports) -> None:
        await take(store)
        declined = replace(APPROVED, outcome=Said.DECLINED)
        await reports.report("k1", [SENT, declined])
        record, kept = await reports.report("k1", [replace(APPROVED, n=3)])
        assert (record.state, record.flags) == (State.DECLINED, (CONTRADICTED,))
        assert kept[-1].effect is Effect.CONTRADICTS
        word = Settlement(resolution=Resolution.DECLINED, evidence="acquirer's list", actor="uid:7")
        record = await reports.settle("k1", word)
        assert (record.state, record.flags) == (State.DECLINED, (SETTLED,))
        assert "uid:7: acquirer's list" in (await store.steps(record.seq))[-1].note
        wrong = replace(word, resolution=Resolution.POSTED)
        assert await refused(reports.settle("k1", wrong)) == "record.final"

    async def again(store: Store, reports: Reports) -> None:
        del reports
        record = await store.record("k1")  # the MAC covers the flags
        assert record is not None
        assert record.flags == (SETTLED,)

    run(tmp_path, test)
    run(tmp_path, again)


def test_a_restart_of_the_agent_is_not_the_apps(tmp_path: Path) -> None:
    """The app may have its answer: only silence puts its payment in doubt, not our stop."""

    async def test(store: Store, reports: Reports) -> None:
        await take(store)
        await reports.report("k1", [SENT])
        sale = await take(store, "k2", stan="2", delivery=Delivery.AGENT)
        await store.advance(sale.seq, sale.version, Change(event=Event.ATTEMPT))

    async def again(store: Store, reports: Reports) -> None:
        record, other = await store.record("k1"), await store.record("k2")
        assert record is not None
        assert other is not None
        assert (record.state, record.in_doubt) == (State.SENDING, False)
        assert (other.state, other.in_doubt) == (State.WAITING, True)
        (pending,) = await reports.pending(0, 10)
        assert pending.key == "k1"
        after = await reports.overdue(pending, overdue(pending, Patience()))
        assert (after.state, after.in_doubt) == (State.WAITING, True)
        assert await reports.pending(0, 10) == []
        assert await refused(reports.overdue(pending, overdue(pending, Patience())))
        record, _ = await reports.report("k1", [APPROVED])
        assert (record.state, record.in_doubt) == (State.POSTED, False)

    run(tmp_path, test)
    run(tmp_path, again)


def told(
    hours: float, *, on: bool | None = None, closed: bool | None = None, terminal: str = "T1"
) -> AppReport:
    batch = None
    if closed is not None:
        batch = BatchReport(batch="000007", closed=closed, agreed=closed or None, count=2)
    at = AT + timedelta(hours=hours)
    return AppReport(terminal_id=terminal, at=at, signed_on=on, batch=batch)


def test_batches_and_sign_on_survive(tmp_path: Path) -> None:
    """Open ones are listed oldest first, closed ones are found by number."""

    async def test(store: Store, reports: Reports) -> None:
        batch, sign_on = await reports.told(told(0, on=True, closed=False))
        assert batch is not None
        assert sign_on is not None
        assert sign_on.signed_on
        await reports.told(told(-1, closed=False, terminal="T2"))
        assert [one.terminal_id for one in await reports.open_batches()] == ["T2", "T1"]
        assert await reports.told(told(1)) == (None, sign_on)
        closed, _ = await reports.told(told(2, closed=True))
        assert closed is not None
        assert closed.agreed
        sale = (await take(store, terminal_id="T1", batch="000007")).transaction
        assert sale.batch == "000007"

    async def again(store: Store, reports: Reports) -> None:
        del store
        closed = await reports.batch("T1", "000007")
        assert closed is not None
        assert (closed.closed_at, closed.count) == (AT + timedelta(hours=2), 2)
        assert [one.terminal_id for one in await reports.open_batches()] == ["T2"]
        assert set(await reports.sign_ons()) == {"T1"}
        assert await reports.batch("T1", "000008") is None
        assert (await reports.told(told(3, on=False)))[1] is not None
        assert not (await reports.sign_ons())["T1"].signed_on

    run(tmp_path, test)
    run(tmp_path, again)

    async def read() -> None:
        async with open_offline(tmp_path) as store:
            record = await store.record("k1")
            assert record is not None
            assert await store.stages(record.seq) == []
            assert await store.batch("T1", "000007") is not None

    asyncio.run(read())


@pytest.mark.parametrize("table", ["stage", "batch", "sign_on"])
def test_a_report_that_was_altered_is_not_believed(tmp_path: Path, table: str) -> None:
    """It is evidence: left out rather than taken for true."""

    async def test(store: Store, reports: Reports) -> None:
        await take(store)
        await reports.report("k1", [SENT])
        await reports.told(told(0, on=True, closed=False))

    async def looked(store: Store, reports: Reports) -> None:
        record = await store.record("k1")
        assert record is not None
        found = {
            "stage": len(await reports.stages(record.seq)),
            "batch": len(await reports.open_batches()),
            "sign_on": len(await reports.sign_ons()),
        }
        assert found == {name: int(name != table) for name in found}

    run(tmp_path, test)
    column = {"stage": "at_ms", "batch": "opened_ms", "sign_on": "mac"}[table]
    db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    db.execute(f"UPDATE {table} SET {column} = 7")
    db.close()
    run(tmp_path, looked)
