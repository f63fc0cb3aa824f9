"""Statistics over a real journal: what is read, joined with what was true then, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.actions import stats
from agent.actions.ports import Identity, Ports
from agent.core.money.journal import Change, Event
from agent.core.money.transaction import Kind, Payload, Posting, Submission, Transaction
from agent.core.why.stats import Around
from agent.errors import OperatorError
from agent.offload import HereOffload
from agent.offloaded import program
from agent.store import Store
from agent.store.arounds import AroundRows, Span
from agent.store.timings import Timings
from agent.wire.problem import RequestError
from agent.wire.stats import StatsArgs, StatsOut
from tests.actions.desk import Tracker
from tests.fakes import FakeClock

AT = datetime(2026, 12, 1, tzinfo=UTC)


def over_payments(
    tmp_path: Path, work: Callable[[Ports, FakeClock], Awaitable[StatsOut]]
) -> StatsOut:
    """Two payments confirmed after 1 s and after 10 minutes of a dead host, and one that waits."""

    async def body() -> StatsOut:
        clock = FakeClock(wall_ms=round(AT.timestamp() * 1000))
        store = Store(tmp_path / "state", clock)
        await store.start()
        try:
            for number, took_s in enumerate((1, 600, 0)):
                t = Transaction(
                    key=f"k-{number}", terminal_id="T", merchant_id="M", kind=Kind.SALE,
                    posting=Posting.ADVICE, occurred_at=clock.now().at, uplink="host",
                    amount_minor=1_250, currency="CNY",
                )  # fmt: skip
                payload = Payload(content_type="text/plain", body=b"x")
                record = (await store.append(Submission(transaction=t, payload=payload))).record
                clock.advance(took_s)
                if took_s:
                    changes = [Change(event=Event.ATTEMPT), Change(event=Event.POSTED)]
                    if took_s > 60:
                        lost = Change(event=Event.NO_ANSWER, cause="host.no_reply")
                        changes[1:] = [lost, Change(event=Event.POSTED)]
                    for change in changes:
                        record = await store.advance(record.seq, record.version, change)
            facts = await store.facts()
            await AroundRows(store).put(facts.born_at, [Span(1, 1, Around(network="wifi"))])
            ports = Ports(
                journal=store, mover=None, health=Tracker(), channels=None,
                identity=Identity(device_id="d", tenant="t", site="", version="1"), clock=clock,
                offload=HereOffload(program), arounds=AroundRows(store), timings=Timings(store),
                late_after_s=60.0,
            )  # fmt: skip
            return await work(ports, clock)
        finally:
            store.stop(5.0)

    return asyncio.run(body())


def test_what_is_in_the_journal_is_told(tmp_path: Path) -> None:
    """Counts, times, the late one with its cause, circumstances with unknown as a value."""
    told = over_payments(tmp_path, lambda ports, _: stats.run(ports, StatsArgs()))
    assert (told.payments, told.confirmed, told.waiting) == (3, 2, 1)
    assert told.times is not None
    assert told.times.longest_s == 600.0
    assert (told.late.count, told.late.of) == (1, 2)
    assert [(one.code, one.share.count) for one in told.causes] == [("host.no_reply", 1)]
    assert told.causes[0].title.zh
    network = next(one for one in told.factors if one.name == "network")
    assert {group.value: group.share.of for group in network.groups} == {"wifi": 1, "unknown": 1}
    assert network.verdict == "too_few"


def test_a_payment_that_waits_too_long_is_late(tmp_path: Path) -> None:
    """Also without an end."""

    async def later(ports: Ports, clock: FakeClock) -> StatsOut:
        clock.advance(120)
        return await stats.run(ports, StatsArgs())

    told = over_payments(tmp_path, later)
    assert (told.late.count, told.late.of) == (2, 3)


def test_only_what_was_asked_for(tmp_path: Path) -> None:
    """A time, a factor, another idea of late."""
    args = StatsArgs(since=AT + timedelta(milliseconds=500), by="amount", late_after_s=1000.0)
    told = over_payments(tmp_path, lambda ports, _: stats.run(ports, args))
    assert (told.payments, told.late.count) == (2, 0)
    assert [one.name for one in told.factors] == ["amount"]
    assert [group.value for group in told.factors[0].groups] == ["10-100 CNY"]


def test_a_time_reads_no_more_than_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows stored a day before it began are not read at all."""
    read: list[int] = []
    page = Timings.page

    async def counted(self: Timings, after: int, upto: int) -> object:
        found = await page(self, after, upto)
        read.extend(one.seq for one in found[0])
        return found

    monkeypatch.setattr(Timings, "page", counted)
    monkeypatch.setattr(stats, "AHEAD_MS", 0)
    args = StatsArgs(since=AT + timedelta(seconds=300))
    told = over_payments(tmp_path, lambda ports, _: stats.run(ports, args))
    assert (told.payments, read) == (1, [3])


def test_a_journal_too_large_for_the_time_is_read_evenly_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No failure: the answer is of a part and says of how much; time for all of it, and it is all,
    in whatever order it was read."""
    monkeypatch.setattr(stats, "STRETCH", 1)

    async def many(ports: Ports, clock: FakeClock) -> StatsOut:
        for number in range(300):
            clock.advance(600)
            t = Transaction(
                key=f"more-{number}", terminal_id="T", merchant_id="M", kind=Kind.SALE,
                posting=Posting.ADVICE, occurred_at=clock.now().at, uplink="host",
                amount_minor=100, currency="CNY",
            )  # fmt: skip
            payload = Payload(content_type="text/plain", body=b"x")
            await ports.journal.append(Submission(transaction=t, payload=payload))  # type: ignore[attr-defined]
        whole = await stats.run(ports, StatsArgs())
        assert (whole.payments, whole.read) == (303, None)
        network = next(one for one in whole.factors if one.name == "network")
        assert {group.value for group in network.groups} == {"wifi", "unknown"}
        times = iter(range(1_000))
        monkeypatch.setattr(stats, "READ_S", 40.0)
        monkeypatch.setattr(stats, "_now_s", lambda: next(times))
        return await stats.run(ports, StatsArgs())

    told = over_payments(tmp_path, many)
    assert told.read is not None
    assert 0.05 < told.read < 0.3
    assert told.payments == round(told.read * 303)


def test_every_stretch_is_read_once_and_the_first_turns_span_the_journal() -> None:
    """Whenever time runs out, what was read lies evenly."""
    for count in (0, 1, 64, 65, 1_000):
        order = [at // 500 for at in stats._evenly(range(0, count * 500, 500))]
        assert sorted(order) == list(range(count))
    assert order[:3] == [0, 16, 32]
    assert max(order[: 1_000 // 16]) > 950


def test_a_time_that_ends_before_it_begins_is_refused(tmp_path: Path) -> None:
    """And where nothing computes, that is said."""
    with pytest.raises(RequestError, match="until"):
        over_payments(tmp_path, lambda p, _: stats.run(p, StatsArgs(since=AT, until=AT)))

    async def nowhere(ports: Ports, clock: FakeClock) -> StatsOut:
        from dataclasses import replace

        return await stats.run(replace(ports, offload=None), StatsArgs())

    with pytest.raises(OperatorError, match="computed"):
        over_payments(tmp_path / "b", nowhere)
