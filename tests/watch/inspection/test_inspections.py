"""When inspections are made, joined, followed and missed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from agent.config.inspection import Inspection
from agent.core.health.reading import Reading
from agent.core.inspection.report import Looked, Report, Trigger, Verdict
from agent.errors import StoreError
from agent.watch.inspection import Inspections
from agent.watch.inspection.running import Examined
from tests.fakes import FakeClock


class Rows:
    """Kept in memory; may refuse."""

    def __init__(self) -> None:
        self.kept: list[Report] = []
        self.refuses = False

    async def next_number(self) -> int:
        self._may()
        return len(self.kept) + 1

    async def add(self, report: Report, keep: int) -> None:
        self._may()
        self.kept.append(report)

    async def one(self, number: int) -> Report | None:
        return next((one for one in self.kept if one.number == number), None)

    async def latest(self, limit: int) -> list[Report]:
        return self.kept[::-1][:limit]

    def _may(self) -> None:
        if self.refuses:
            raise StoreError("store.unavailable", "the flash says no")


class Terminal:
    """Inspections over checks a test holds in its hand."""

    def __init__(self, **settings: int) -> None:
        self.clock = FakeClock()
        self.rows = Rows()
        self.made = 0
        self.busy = False
        self.checks: list[Examined] = [check("well", well)]
        self.inspections = Inspections(
            Inspection(**settings), self.clock, self.rows, share=0.5, born=self._born
        )
        self.inspections.equip(self._checks, self._busy)

    async def ended(self) -> Report:
        """The report of the inspection under way, once it is over."""
        known = await self.inspections.report(None, after=1_000, wait_s=10)
        assert known is not None
        assert known.ended_ms is not None
        return known

    def at(self, hour: int, minute: int = 0, days: int = 0) -> None:
        """Set both clocks to this time of the terminal's own day, `days` from now."""
        here = self.clock.now().at.astimezone() + timedelta(days=days)
        there = here.replace(hour=hour, minute=minute, second=0, microsecond=0)
        self.clock.advance((there - self.clock.now().at).total_seconds())

    def _checks(self, trigger: Trigger) -> Sequence[Examined]:
        self.made += 1
        return self.checks

    async def _busy(self) -> bool:
        return self.busy

    async def _born(self) -> datetime:
        return datetime(2026, 11, 1, tzinfo=UTC)


async def well() -> Looked:
    return Looked(Reading({"fine": True}))


def check(name: str, look: Callable[[], Awaitable[Looked]], deadline_s: float = 5.0) -> Examined:
    return Examined(name=name, look=look, deadline_s=deadline_s)


def test_a_check_that_hangs_ends_at_its_deadline_and_holds_nobody() -> None:
    """The hanging one is unknown; the others were told before it."""

    release = asyncio.Event()

    async def hangs() -> Looked:
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):  # as a bad driver would
                await release.wait()
        return Looked(Reading({}))

    async def raises() -> Looked:
        raise RuntimeError("boom")

    async def refuses() -> Looked:
        raise StoreError("store.unavailable", "closed")

    async def test() -> None:
        terminal = Terminal()
        terminal.checks = [
            check("hangs", hangs, 0.05), check("raises", raises), check("refuses", refuses),
            check("well", well),
        ]  # fmt: skip
        told: list[int] = []
        terminal.inspections.subscribe(lambda report: told.append(len(report.checks)))
        await terminal.inspections.begin("uid:0")
        report = await terminal.ended()
        assert {one.name: one.verdict for one in report.checks} == {
            "hangs": Verdict.UNKNOWN, "raises": Verdict.UNKNOWN, "refuses": Verdict.UNKNOWN,
            "well": Verdict.PASS,
        }  # fmt: skip
        assert report.checks[-1].name == "hangs"
        assert report.checks[-1].reason == "no answer within 0.05 s"
        assert told == [1, 2, 3, 4, 4]
        assert terminal.rows.kept == [report]
        release.set()

    asyncio.run(test())


def test_two_at_the_same_time_are_one() -> None:
    """Who asks while one is under way joins it, also before it has its number."""

    async def test() -> None:
        terminal = Terminal()
        gate = asyncio.Event()

        async def waits() -> Looked:
            await gate.wait()
            return Looked(Reading({}))

        terminal.checks = [check("well", well), check("waits", waits)]
        first, second = await asyncio.gather(
            terminal.inspections.begin("uid:0"), terminal.inspections.begin("uid:7")
        )
        assert (first.number, first.actor) == (second.number, second.actor) == (1, "uid:0")
        under_way = await terminal.inspections.report(1, after=0, wait_s=10)
        assert under_way is not None
        assert [one.name for one in under_way.checks] == ["well"]
        assert [one.number for one in await terminal.inspections.latest(5)] == [1]
        assert (await terminal.inspections.report(1, after=1, wait_s=0.01)) == under_way
        gate.set()
        await terminal.ended()
        assert (await terminal.inspections.begin("uid:0")).number == 2
        await terminal.ended()
        assert terminal.made == 2

    asyncio.run(test())


def test_a_store_that_refuses_costs_the_record_not_the_answer() -> None:
    """Unnumbered, but made and answered; the next one is numbered again."""

    async def test() -> None:
        terminal = Terminal()
        terminal.rows.refuses = True
        assert (await terminal.inspections.begin("uid:0")).number == 0
        report = await terminal.ended()
        assert report.totals["pass"] == 1
        assert await terminal.inspections.report(0) == report
        assert terminal.rows.kept == []
        terminal.rows.refuses = False
        assert (await terminal.inspections.begin("uid:0")).number == 1
        await terminal.ended()
        assert await terminal.inspections.report(9) is None

    asyncio.run(test())


def test_once_a_day_in_a_quiet_moment() -> None:
    """Not before the hour and this terminal's share of the jitter, not while money moves."""

    async def test() -> None:
        terminal = Terminal(hour=4, jitter_s=3_600)
        look = terminal.inspections.look
        await look()
        assert terminal.made == 0, "too soon after the start"
        terminal.clock.advance(700)
        await look()
        assert terminal.made == 1, "the first one is not waited for until the night"
        assert (await terminal.ended()).trigger is Trigger.SCHEDULE
        await look()
        terminal.at(4, 20, days=1)
        await look()
        assert terminal.made == 1, "its share is half an hour"
        terminal.at(4, 31)
        terminal.busy = True
        await look()
        terminal.busy = False
        terminal.inspections.moved(object())
        await look()
        assert terminal.made == 1, "a payment is under way, or was a moment ago"
        terminal.clock.advance(61)
        await look()
        assert terminal.made == 2
        await terminal.ended()
        terminal.clock.advance(3_600)
        await look()
        assert terminal.made == 2

    asyncio.run(test())


def test_without_a_clock_once_in_a_day_of_running() -> None:
    """A terminal that does not know the hour goes by how long it has been running."""

    async def test() -> None:
        terminal = Terminal()
        terminal.clock.trusted = False
        terminal.clock.advance(86_000)
        await terminal.inspections.look()
        assert terminal.made == 0
        terminal.clock.advance(500)
        await terminal.inspections.look()
        assert terminal.made == 1
        await terminal.ended()
        terminal.clock.advance(80_000)
        await terminal.inspections.look()
        assert terminal.made == 1

    asyncio.run(test())


def test_never_by_itself_where_nobody_wants_it() -> None:
    """hour = -1."""

    async def test() -> None:
        terminal = Terminal(hour=-1)
        terminal.clock.advance(900_000)
        await terminal.inspections.look()
        assert terminal.made == 0

    asyncio.run(test())


@pytest.mark.parametrize("trusted", [True, False])
def test_none_for_too_long_is_told(trusted: bool) -> None:
    """Overdue since the terminal began, or since the last one; unknown without a clock."""

    async def values(terminal: Terminal) -> dict[str, object]:
        outcome = await terminal.inspections.read()
        assert isinstance(outcome, Reading)
        return dict(outcome.values)

    async def test() -> None:
        terminal = Terminal(overdue_days=7)
        terminal.clock.trusted = trusted
        assert await values(terminal) == ({"overdue": True} if trusted else {})
        await terminal.inspections.begin("uid:0")
        await terminal.ended()
        told = await values(terminal)
        assert told.get("overdue") is (False if trusted else None)
        assert (told["fail"], told["warn"], told["unknown"]) == (0, 0, 0)
        assert str(told["last_at"]).startswith("2026-11-")
        terminal.clock.advance(8 * 86_400)
        assert (await values(terminal)).get("overdue") is (True if trusted else None)

    asyncio.run(test())


def test_the_daemon_ends_without_waiting_for_it() -> None:
    """An inspection under way is given up, without a report."""

    async def test() -> None:
        terminal = Terminal()

        async def waits() -> Looked:
            await asyncio.Event().wait()
            return Looked(Reading({}))

        terminal.checks = [check("waits", waits, 60)]
        await terminal.inspections.begin("uid:0")
        await terminal.inspections.close()
        assert terminal.rows.kept == []

    asyncio.run(test())
