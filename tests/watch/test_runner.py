"""The runner: schedules, measures, survives its watchers and keeps what they say."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.config import Config, Delay
from agent.config.devices import Printer
from agent.core.health.conditions import Catalogue, Condition, Severity, Sign, holds
from agent.core.health.reading import NotFitted, Outcome, Reading, Unknown
from agent.core.health.tracker import Change
from agent.errors import HardwareError, StoreError
from agent.store import health
from agent.store.health import HealthRows
from agent.store.sql import migration
from agent.watch import build
from agent.watch.runner import Watch
from tests.fakes import FakeClock

T = TypeVar("T")

CATALOGUE = Catalogue(
    [
        Condition(
            code="dev.out",
            severity=Severity.MAJOR,
            signs=(Sign(component="dev", judge=holds("out")),),
            depends_on=("net.link",),
        ),
        Condition(
            code="net.link",
            severity=Severity.MAJOR,
            signs=(Sign(component="net", judge=holds("down")),),
        ),
        Condition(code="own.degraded", severity=Severity.MAJOR),
    ],
    silent="own.degraded",
)


class OneFile:
    """A StateDb on the caller's own thread, which can be told to refuse."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.executescript(migration("state_0001"))
        self.connection.executescript(migration("state_0006"))
        self.connection.executescript(migration("state_0008"))
        self.refuses = False
        self.writes = 0

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.refuses:
            raise StoreError("store.full", "no space left")
        self.writes += 1
        with self.connection:
            return work(self.connection)


class ByHand:
    """Timers the test fires."""

    def __init__(self) -> None:
        self.calls: dict[str, Callable[[], Awaitable[None]]] = {}
        self.periods: dict[str, float] = {}

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        assert name not in self.calls
        self.calls[name] = call
        self.periods[name] = period_s

    async def fire(self, *names: str) -> None:
        for name in names:
            await self.calls[f"watch.{name}"]()


class Told:
    """A watcher that says what it is told to, or does what it is given."""

    def __init__(self, component: str, *said: Outcome | Callable[[], Awaitable[Outcome]]) -> None:
        self.component = component
        self.period_s = 10.0
        self.deadline_s = 0.05
        self.said = list(said)
        self.reads = 0

    async def read(self) -> Outcome:
        self.reads += 1
        now = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        return await now() if callable(now) else now


class Bench:
    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        self.timers = ByHand()
        self.db = OneFile(path)
        self.changes: list[str] = []
        self.stop = asyncio.Event()

    def watch(self, *watchers: Told) -> Watch:
        watch = Watch(
            CATALOGUE,
            watchers,
            clock=self.clock,
            timers=self.timers,
            records=HealthRows(self.db),
        )
        watch.subscribe(self._note)
        self.clock.advance(10)  # past the grace of the start
        return watch

    def during(self, watch: Watch, body: Callable[[], Coroutine[Any, Any, None]]) -> None:
        async def whole() -> None:
            self.stop = asyncio.Event()
            running = asyncio.create_task(watch.run(self.stop))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            try:
                await body()
            finally:
                self.stop.set()
                await asyncio.wait_for(running, 2)

        asyncio.run(whole())

    def rows(self, table: str) -> list[tuple[Any, ...]]:
        return self.db.connection.execute(f"SELECT * FROM {table}").fetchall()

    def _note(self, changes: Sequence[Change]) -> None:
        self.changes += [f"{one.code} {one.what}" for one in changes]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    one = Bench(tmp_path / "state.db")
    yield one
    one.db.connection.close()


async def crash() -> Outcome:
    raise ZeroDivisionError("division by zero")


async def refuse() -> Outcome:
    raise HardwareError("dev.broken", "the device says no")


async def give_up() -> Outcome:
    raise TimeoutError


async def hang() -> Outcome:
    await asyncio.Event().wait()
    raise AssertionError("never")


def test_a_reading_is_tracked_told_and_kept(bench: Bench) -> None:
    """One round: the change reaches subscribers, the alarm the view, both reach the disk."""
    dev = Told("dev", Reading({"out": True}))
    watch = bench.watch(dev, Told("net", Reading({"down": False})))

    async def body() -> None:
        await bench.timers.fire("dev")

    bench.during(watch, body)
    assert bench.changes == ["dev.out began", "dev.out shown"]
    assert [one.code for one in watch.alarms()] == ["dev.out"]
    assert [row[0] for row in bench.rows("alarm")] == ["dev.out"]
    assert [row[2] for row in bench.rows("health_history")] == ["began", "shown"]
    assert bench.timers.periods["watch.dev"] == 10


def test_history_is_asked_from_the_store(bench: Bench) -> None:
    """What was told can be asked for again by time."""
    watch = bench.watch(Told("dev", Reading({"out": True})))
    start = bench.clock.now().at

    async def body() -> None:
        await bench.timers.fire("dev")
        lines = await watch.history(start, start + timedelta(seconds=1))
        assert [line.what for line in lines] == ["began", "shown"]
        assert await watch.history(start + timedelta(hours=1), start + timedelta(hours=2)) == []

    bench.during(watch, body)


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (crash, "the dev check failed: ZeroDivisionError: division by zero"),
        (refuse, "the device says no"),
        (give_up, "no answer within 0.05 s"),
        (hang, "no answer within 0.05 s"),
    ],
)
def test_a_failing_watcher_is_unknown_and_harms_nobody(
    bench: Bench, read: Callable[[], Awaitable[Outcome]], reason: str
) -> None:
    """Crash, refusal, time-out and hang each become Unknown with the reason; others go on."""
    watch = bench.watch(Told("dev", read), Told("net", Reading({"down": True})))

    async def body() -> None:
        await bench.timers.fire("dev", "net")

    bench.during(watch, body)
    states = {one.component: one for one in watch.components()}
    assert isinstance(states["dev"].outcome, Unknown)
    assert states["dev"].outcome.reason == reason
    assert not states["dev"].success
    assert states["net"].success
    assert {one.code for one in watch.alarms()} == {"own.degraded", "net.link"}


def test_a_read_that_ignores_its_deadline_is_not_started_twice(bench: Bench) -> None:
    """While it still hangs the component stays unknown; when it ends, reading goes on."""
    let_go = asyncio.Event()

    async def stubborn() -> Outcome:
        while True:
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                if not let_go.is_set():
                    continue
                raise
            return Reading({"out": True})

    dev = Told("dev", stubborn, Reading({"out": False}))
    watch = bench.watch(dev)

    async def body() -> None:
        await bench.timers.fire("dev", "dev", "dev")
        assert dev.reads == 1
        (state,) = watch.components()
        assert state.outcome == Unknown("the dev check still hangs")
        let_go.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await bench.timers.fire("dev")
        assert dev.reads == 2
        assert watch.components()[0].success

    bench.during(watch, body)


def test_duration_is_measured_for_every_watcher(bench: Bench) -> None:
    """Watchers do not measure themselves."""

    async def slow() -> Outcome:
        bench.clock.advance(1.25)
        return Reading({})

    watch = bench.watch(Told("dev", slow))

    async def body() -> None:
        await bench.timers.fire("dev")

    bench.during(watch, body)
    assert watch.components()[0].duration_ms == 1250


def test_trouble_is_logged_once_and_its_end_once(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """First silence WARNING, repeats nothing louder than DEBUG, the end INFO."""
    caplog.set_level(logging.INFO)
    quiet = Unknown("no answer")
    watch = bench.watch(Told("dev", quiet, quiet, quiet, Reading({}), crash, crash, Reading({})))

    async def body() -> None:
        await bench.timers.fire(*["dev"] * 7)

    bench.during(watch, body)
    seen = [record.getMessage() for record in caplog.records if "component" in record.getMessage()]
    assert seen == [
        "event=component_unknown component=dev reason='no answer'",
        "event=component_known component=dev",
        "event=watcher_failed component=dev",
        "event=component_known component=dev",
    ]


def test_readings_are_written_rarely(bench: Bench) -> None:
    """The same good news every ten seconds costs one write in five minutes."""
    watch = bench.watch(Told("dev", Reading({"out": False})))

    async def body() -> None:
        await bench.timers.fire("dev")
        first = bench.db.writes
        for _ in range(29):
            bench.clock.advance(10)
            await bench.timers.fire("dev", "tick")
        assert bench.db.writes == first
        bench.clock.advance(10)
        await bench.timers.fire("dev")
        assert bench.db.writes == first + 1

    bench.during(watch, body)


def test_a_new_kind_of_answer_is_written_at_once(bench: Bench) -> None:
    """The store knows within one round that a component fell silent."""
    watch = bench.watch(Told("dev", Reading({}), NotFitted()))

    async def body() -> None:
        await bench.timers.fire("dev", "dev")
        assert [row[2] for row in bench.rows("reading")] == ["not_fitted"]

    bench.during(watch, body)


def test_the_last_readings_are_kept_at_the_end(bench: Bench) -> None:
    """`status` after a clean stop shows the newest words, not those of five minutes ago."""
    watch = bench.watch(Told("dev", Reading({"n": 1}), Reading({"n": 2})))

    async def body() -> None:
        await bench.timers.fire("dev", "dev")

    bench.during(watch, body)
    (state,) = health.last_readings(bench.db.connection)
    assert state.outcome == Reading({"n": 2})


def test_a_full_store_delays_nothing_and_loses_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """Alarms are told while the store refuses; the history is written when it can again."""
    caplog.set_level(logging.INFO)
    watch = bench.watch(Told("dev", Reading({"out": True})))

    async def body() -> None:
        bench.db.refuses = True
        await bench.timers.fire("dev", "tick", "tick", "prune")
        assert bench.changes == ["dev.out began", "dev.out shown"]
        assert bench.rows("health_history") == []
        bench.db.refuses = False
        await bench.timers.fire("tick")
        assert [row[2] for row in bench.rows("health_history")] == ["began", "shown"]
        await bench.timers.fire("tick")
        assert len(bench.rows("health_history")) == 2

    bench.during(watch, body)
    ours = [record.getMessage() for record in caplog.records]
    assert "event=health_saved failures=3" in ours
    assert sum("event=health_not_saved" in line for line in ours) == 1


def test_open_alarms_are_taken_up_after_a_restart(bench: Bench) -> None:
    """The same alarm, the same since, not announced a second time."""
    first = bench.watch(Told("dev", Reading({"out": True})))

    async def fire() -> None:
        await bench.timers.fire("dev")

    bench.during(first, fire)
    since_at = first.alarms()[0].since_at
    bench.changes.clear()
    bench.clock.reboot()
    bench.timers = ByHand()
    second = bench.watch(Told("dev", Reading({"out": True})))
    bench.during(second, fire)
    assert bench.changes == []
    assert second.alarms()[0].since_at == since_at
    assert second.alarms()[0].known


def test_an_unreadable_store_means_starting_afresh(bench: Bench) -> None:
    """Watching begins although nothing could be restored."""
    watch = bench.watch(Told("dev", Reading({"out": True})))
    bench.db.refuses = True

    async def body() -> None:
        await bench.timers.fire("dev")
        assert bench.changes == ["dev.out began", "dev.out shown"]

    bench.during(watch, body)


def test_who_can_name_the_root_is_asked_at_once(bench: Bench) -> None:
    """When something begins, the watchers of what it may follow from do not wait their turn."""
    net = Told("net", Reading({"down": True}))
    watch = bench.watch(Told("dev", Reading({"out": True})), net)

    async def body() -> None:
        await bench.timers.fire("dev")
        async with asyncio.timeout(2):
            while not net.reads or len(watch.components()) < 2:
                await asyncio.sleep(0)

    bench.during(watch, body)
    assert [(one.code, one.suppressed_by) for one in watch.alarms()] == [
        ("net.link", ""),
        ("dev.out", "net.link"),
    ]


def test_a_person_may_ask_now(bench: Bench) -> None:
    """One component is read on request; one nobody watches answers None."""
    dev = Told("dev", Reading({"n": 1}))
    watch = bench.watch(dev)

    async def body() -> None:
        state = await watch.ask("dev")
        assert state is not None
        assert state.outcome == Reading({"n": 1})
        assert await watch.ask("scanner") is None

    bench.during(watch, body)


def test_a_poked_component_is_read_afresh(bench: Bench) -> None:
    """The read under way may have looked too early, so one more follows it; many pokes are one."""
    looking, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> Outcome:
        looking.set()
        await go_on.wait()
        return Reading({"out": False})

    told = Told("dev", slowly, Reading({"out": True}))
    told.deadline_s = 5.0
    watch = bench.watch(told)

    async def body() -> None:
        first = asyncio.create_task(bench.timers.fire("dev"))
        await looking.wait()
        for _ in range(3):
            watch.poke("dev")
        watch.poke("nobody")
        await asyncio.sleep(0)
        go_on.set()
        await first
        async with asyncio.timeout(5):
            while "dev.out began" not in bench.changes:
                await asyncio.sleep(0)
        assert told.reads == 2

    bench.during(watch, body)
    watch.poke("dev")
    assert told.reads == 2, "nothing is read after the stop"


def test_a_poke_cut_short_by_the_end_does_not_deafen_the_next_run(bench: Bench) -> None:
    """The part is stopped while a poked component waits for its turn; started again it hears."""
    told = Told("dev", hang, Reading({"out": True}))
    told.deadline_s = 5.0
    watch = bench.watch(told)

    async def poked_too_late() -> None:
        asyncio.get_running_loop().call_soon(watch.poke, "dev")
        first = asyncio.create_task(bench.timers.fire("dev"))
        for _ in range(3):
            await asyncio.sleep(0)
        bench.stop.set()
        await first

    async def poked_again() -> None:
        watch.poke("dev")
        async with asyncio.timeout(5):
            while told.reads < 2:
                await asyncio.sleep(0)

    bench.during(watch, poked_too_late)
    bench.during(watch, poked_again)


def test_two_who_ask_at_the_same_time_share_one_read(bench: Bench) -> None:
    """A slow device is not asked twice because two people look."""
    gate = asyncio.Event()

    async def slow() -> Outcome:
        await gate.wait()
        return Reading({"n": 1})

    dev = Told("dev", slow)
    dev.deadline_s = 2.0
    watch = bench.watch(dev)

    async def body() -> None:
        async with asyncio.TaskGroup() as group:
            both = [group.create_task(watch.ask("dev")) for _ in range(2)]
            await asyncio.sleep(0)
            gate.set()
        assert [task.result() is not None for task in both] == [True, True]
        assert dev.reads == 1

    bench.during(watch, body)


def test_stopping_does_not_wait_for_a_hanging_read(bench: Bench) -> None:
    """The part returns soon after stop although a read is under way."""
    dev = Told("dev", hang)
    dev.deadline_s = 60
    watch = bench.watch(dev)

    async def body() -> None:
        round_ = asyncio.ensure_future(bench.timers.calls["watch.dev"]())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        bench.stop.set()
        await asyncio.wait_for(round_, 2)

    bench.during(watch, body)
    assert watch.components() == []


def test_after_the_stop_nothing_is_read_any_more(bench: Bench) -> None:
    """Timers that still fire find the part asleep."""
    dev = Told("dev", Reading({}))
    watch = bench.watch(dev)

    async def nothing() -> None:
        return

    bench.during(watch, nothing)
    asyncio.run(bench.timers.fire("dev", "tick"))
    assert dev.reads == 0


def test_a_restarted_part_keeps_its_timers(bench: Bench) -> None:
    """Run again after a crash, it schedules nothing twice and goes on."""
    dev = Told("dev", Reading({}))
    watch = bench.watch(dev)

    async def fire() -> None:
        await bench.timers.fire("dev")

    bench.during(watch, fire)
    bench.during(watch, fire)
    assert dev.reads == 2


def test_beat_tells_when_the_ticks_stopped(bench: Bench) -> None:
    """Quiet before the start and while ticking; a sentence when nothing ticks for a minute."""
    watch = bench.watch(Told("dev", Reading({})))
    assert watch.beat(bench.clock.boot_ms + 3_600_000) == ""

    async def body() -> None:
        assert watch.beat(bench.clock.boot_ms + 60_000) == ""
        assert watch.beat(bench.clock.boot_ms + 61_000) == "no health tick for 61 s"
        bench.clock.advance(61)
        await bench.timers.fire("tick")
        assert watch.beat(bench.clock.boot_ms) == ""

    bench.during(watch, body)


def test_history_is_pruned(bench: Bench) -> None:
    """The daily round drops what is too old."""
    watch = bench.watch(Told("dev", Reading({"out": True})))

    async def body() -> None:
        await bench.timers.fire("dev")
        bench.clock.advance(91 * 86_400)
        await bench.timers.fire("prune")
        assert bench.rows("health_history") == []

    bench.during(watch, body)


def test_everything_is_built_from_the_configuration(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    """All four watchers and the given ones are scheduled; delays come from [health.CODE]."""

    class Straight:
        async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
            return function()

    config = Config(
        printer=Printer(),
        health={
            "queue.held": Delay(visible_after_s=30),
            "printer.paper_low": Delay(enabled=False),
            "external.event": Delay(visible_after_s=1),
        },
    )
    queue = Told("queue", Reading({"held": 1}))
    watch, view = build(
        config,
        clock=bench.clock,
        timers=bench.timers,
        blocking=Straight(),
        records=HealthRows(bench.db),
        extra=[queue],
    )
    bench.clock.advance(10)

    async def body() -> None:
        await bench.timers.fire("queue", "printer")
        assert view.alarms() == []
        bench.clock.advance(30)
        await bench.timers.fire("tick")

    bench.during(watch, body)
    assert [one.code for one in view.alarms()] == ["queue.held"]
    assert "event=delay_unused code=external.event" in caplog.text
    assert set(bench.timers.periods) == {
        f"watch.{name}"
        for name in (
            *("printer", "scanner", "connectivity", "system", "software", "devices", "queue"),
            *("link", "signal"),
            "clock",
            *("tick", "prune"),
        )
    }
