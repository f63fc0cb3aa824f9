"""Drills from the daemon's side: alarms raised and cleared, scheduled, overdue, broken off."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config.drill import Drill as DrillConfig
from agent.core.drill.report import Done, Drill, Result, Step, Verdict
from agent.core.drill.words import result_said, said
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Alarm, Change, Tracker
from agent.core.why.stats import stood
from agent.main import drill_alarm
from agent.main.drill import FOLDER, Drills
from agent.store import Store
from tests.fakes import FakeClock, Straight

DAY_S = 86_400


class Health:
    """The terminal's list: a real tracker, its other alarms, and what it announced."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.tracker = clock, Tracker(STANDARD, clock.now())
        self.told: list[tuple[str, str]] = []
        self.drills: Drills | None = None
        self.deaf = False
        self._tasks: set[asyncio.Task[None]] = set()
        clock.advance(10)

    def alarms(self) -> Sequence[Alarm]:
        return self.tracker.alarms()

    def poke(self, component: str) -> None:
        assert component == "drill"
        if not self.deaf:
            task = asyncio.create_task(self.read())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def read(self) -> None:
        assert self.drills is not None
        told = await self.drills.read()
        self.heard(self.tracker.observe("drill", told, 1, self.clock.now()))

    def heard(self, changes: Sequence[Change]) -> None:
        self.told += [(one.code, str(one.what)) for one in changes]

    def standing(self) -> list[str]:
        return [one.code for one in self.tracker.alarms()]


class Halves:
    """The program of a drill as far as the daemon sees it: what it says, and what it waits for."""

    def __init__(self, health: Health) -> None:
        self.health = health
        self.seen: dict[str, list[str]] = {}
        self.hangs = False

    async def run(
        self, program: str, lines: AsyncIterable[bytes], deadline_s: float
    ) -> AsyncIterator[bytes]:
        assert (program, deadline_s > 1) == ("drill", True)
        given = aiter(lines)
        head = json.loads(await anext(given))
        if head["half"] == "accept":
            for place in range(1, head["records"] + 1):
                yield json.dumps({"accepted": place, "took_ms": 1}).encode()
            return
        for name in ("reopen", "alarm", "drain", "clear", "remove"):
            if name == "drain":
                await anext(given)  # the sink stays silent until somebody has seen the alarm
                if self.hangs:
                    await asyncio.Event().wait()
            self.seen[name] = self.health.standing()
            facts = {"good": True, "code": "network.host_unreachable", "after_ms": 3, "delay_s": 60}
            told = {"step": name, "began_ms": 1, "duration_ms": 2, "facts": facts}
            yield json.dumps(told).encode()


Work = Callable[[Drills, Health, Halves, Store], Awaitable[None]]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drill_alarm, "STANDS_S", 0.0)
    monkeypatch.setattr(drill_alarm, "LOOK_S", 0.001)


def drilled(tmp_path: Path, work: Work, config: DrillConfig | None = None) -> None:
    """`work` with the drills of a terminal of today, its clocks the test's own."""

    async def body() -> None:
        clock = FakeClock(boot_ms=2_000_000)
        store = Store(tmp_path / "state", clock)
        await store.start()
        health = Health(clock)
        halves = Halves(health)

        async def born_at() -> object:
            return (await store.facts()).born_at

        floor: Any = SimpleNamespace(
            config=SimpleNamespace(drill=config or DrillConfig()), clock=clock, store=store,
            keeper=SimpleNamespace(born_at=born_at), threads=Straight(),
        )  # fmt: skip
        drills = health.drills = Drills(floor, halves)
        drills.alarm.equip(health)
        drills.subscribe(lambda one: None if one.ended_ms is None else health.poke("drill"))
        try:
            await work(drills, health, halves, store)
        finally:
            store.stop(5.0)

    asyncio.run(body())


async def ended(drills: Drills, number: int | None = None) -> Drill:
    """A drill that is over."""
    while True:
        found = await drills.drill(number, after=99, wait_s=5.0)
        if found is not None and found.ended_ms is not None:
            return found


def test_its_alarm_stands_on_the_terminals_list_and_ends(tmp_path: Path) -> None:
    """Before the sink answers it is listed, after the drill it is not; a real alarm beside it
    stands all the time, and the report says when."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        from agent.core.health.reading import Reading

        printer = Reading({"paper": "out"})
        health.heard(health.tracker.observe("printer", printer, 1, health.clock.now()))
        health.clock.advance(3_600)
        health.heard(health.tracker.tick(health.clock.now()))
        real = health.standing()
        assert real, "a real alarm stands"
        begun = await drills.begin("uid:0", 3, restart=False)
        report = await ended(drills, begun.number)
        assert report.result is Result.PASSED, report
        assert halves.seen["alarm"] == real
        assert sorted(halves.seen["drain"]) == sorted([*real, "drill.alarm"])
        assert health.standing() == real
        own = [what for code, what in health.told if code == "drill.alarm"]
        assert own == ["began", "shown", "ended", "cleared"]
        alarm, clear = report.done(Step.ALARM), report.done(Step.CLEAR)
        assert alarm is not None
        assert clear is not None
        assert "T" in str(alarm.facts["raised_at"])
        assert str(alarm.facts["raised_at"]) in said(alarm, "zh")
        assert str(clear.facts["cleared_at"]) in said(clear, "en")
        assert "60" in said(alarm, "en"), "that its delay was not waited for"
        lines = [(code, what, 5) for code, what in health.told if code == "drill.alarm"]
        assert stood(lines, 9) == [], "no trouble that made payments late"

    drilled(tmp_path, work)


def test_an_alarm_nobody_lists_fails_the_drill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list must have had it: what the drill's own journal says is not enough."""
    monkeypatch.setattr(drill_alarm, "LISTED_S", 0.01)

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        health.deaf = True
        report = await ended(drills, (await drills.begin("uid:0", 1, restart=False)).number)
        assert report.result is Result.FAILED
        alarm = report.done(Step.ALARM)
        assert alarm is not None
        assert (alarm.verdict, alarm.facts["reason"]) == (Verdict.FAIL, "not on the alarm list")

    drilled(tmp_path, work)


def test_one_given_up_in_the_middle_leaves_no_alarm(tmp_path: Path) -> None:
    """The program hangs while the alarm stands, and the daemon stops."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        halves.hangs = True
        stop = asyncio.Event()
        part = asyncio.create_task(drills.run(stop))
        await drills.begin("uid:0", 1, restart=False)
        while "drill.alarm" not in health.standing():
            await asyncio.sleep(0.001)
        stop.set()
        await part
        while "drill.alarm" in health.standing():
            await asyncio.sleep(0.001)

    drilled(tmp_path, work)


def test_overdue_begins_and_a_passed_drill_ends_it(tmp_path: Path) -> None:
    """After so many days without one; and again so many days after that."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        await health.read()
        assert health.standing() == []
        for _ in range(2):
            health.clock.advance(8 * DAY_S)
            await health.read()
            assert health.standing() == ["drill.overdue"]
            await ended(drills, (await drills.begin("uid:0", 1, restart=False)).number)
            await health.read()
            assert health.standing() == []

    drilled(tmp_path, work, DrillConfig(every_days=7))


def test_a_scheduled_one_waits_until_it_is_overdue_and_nobody_pays(tmp_path: Path) -> None:
    """Then it is made by itself, without a restart, and not twice."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        paying = True
        drills.equip(lambda: not paying, None)
        await drills.look()
        assert await drills.latest(5) == [], "not overdue"
        health.clock.advance(8 * DAY_S)
        await drills.look()
        assert await drills.latest(5) == [], "somebody pays"
        paying = False
        await drills.look()
        report = await ended(drills)
        assert (report.trigger, report.records, report.restart) == ("schedule", 4, False)
        assert report.result is Result.PASSED
        await drills.look()
        assert len(await drills.latest(5)) == 1

    drilled(tmp_path, work, DrillConfig(every_days=7, scheduled=True, records=4))


def left(done: Sequence[Step]) -> Drill:
    """A drill as a process that was killed left it."""
    drill = Drill(
        number=7, trigger="asked", actor="uid:0", records=2, restart=False, started_ms=1_000
    )
    for name in done:
        step = Done(name=name, verdict=Verdict.PASS, began_ms=1_000, duration_ms=1)
        drill = drill.after(step)
    return drill


@pytest.mark.parametrize("steps", [(), ("accept", "kill", "restart", "reopen", "alarm")])
def test_what_cannot_be_judged_any_more_is_broken_off(
    tmp_path: Path, steps: tuple[str, ...]
) -> None:
    """A power cut before anything was confirmed, or behind the reopening."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        from agent.store.drills import DrillRows

        folder = store.directory / FOLDER
        folder.mkdir()
        await DrillRows(store).put(left([Step(name) for name in steps]), 5)
        stop = asyncio.Event()
        part = asyncio.create_task(drills.run(stop))
        report = await ended(drills, 7)
        stop.set()
        await part
        assert (report.result, report.interrupted) == (Result.BROKEN_OFF, True)
        assert not folder.exists()
        assert not halves.seen, "nothing of it was delivered"

    drilled(tmp_path, work)


def test_a_power_cut_behind_the_kill_is_gone_on_from(tmp_path: Path) -> None:
    """What was confirmed lies there: it is judged, and the report says it was interrupted."""

    async def work(drills: Drills, health: Health, halves: Halves, store: Store) -> None:
        from agent.store.drills import DrillRows

        folder = store.directory / FOLDER
        folder.mkdir()
        await DrillRows(store).put(left([Step.ACCEPT, Step.KILL]), 5)
        stop = asyncio.Event()
        part = asyncio.create_task(drills.run(stop))
        report = await ended(drills, 7)
        stop.set()
        await part
        assert (report.result, report.interrupted) == (Result.PASSED, True)
        assert "interrupted" in result_said(report, "en")
        assert "中途" in result_said(report, "zh")
        assert not folder.exists()

    drilled(tmp_path, work)
