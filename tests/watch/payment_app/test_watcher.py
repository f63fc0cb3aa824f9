"""The component `payment_app`: its process, its calls and what it reported, as one reading."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import App
from agent.config.terminal import PaymentApp
from agent.core.health.reading import NotObservable, Outcome, Reading, Unknown, Value
from agent.core.health.standard import STANDARD
from agent.core.money.batches import Batch, SignOn
from agent.core.money.journal import Record
from agent.core.terminal.payment_app import Mark, What
from agent.errors import StoreError
from agent.watch.payment_app import Activity, AppPorts, PaymentAppWatcher, build, restarting
from agent.watch.payment_app.presence import Presence
from agent.watch.payment_app.process import Process, Processes, Target
from tests.fakes import FakeClock

STOPPED, CRASHING = "software.app_stopped", "software.app_crashing"


class Told:
    """What was reported."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.signed: list[SignOn] = []
        self.under_way: list[Any] = []
        self.asked = 0

    async def open_batches(self) -> Sequence[Batch]:
        self.asked += 1
        return self.batches

    async def sign_ons(self) -> Mapping[str, SignOn]:
        return {one.terminal_id: one for one in self.signed}

    async def pending(self, after_seq: int, limit: int) -> Sequence[Record]:
        return self.under_way[:limit]


class Inline:
    """Runs a blocking call where it is; a hanging one times out."""

    hangs = False

    async def call(self, name: str, function: Callable[[], Any], deadline_s: float) -> Any:
        if self.hangs:
            raise TimeoutError
        return function()


class Kept:
    """Marks of an earlier run."""

    def __init__(self, *marks: Mark) -> None:
        self.marks = list(marks)
        self.broken = False

    async def load(self) -> Sequence[Mark]:
        if self.broken:
            raise StoreError("store.unavailable", "not now")
        return list(self.marks)

    async def add(self, mark: Mark, oldest_ms: int) -> None:
        if self.broken:
            raise StoreError("store.unavailable", "not now")
        self.marks = [one for one in self.marks if one.at_ms >= oldest_ms] + [mark]


class House:
    """A watcher with everything around it."""

    def __init__(self, tmp_path: Path, marks: Kept | None = None, **config: Any) -> None:
        self.clock = FakeClock()
        self.told = Told()
        self.activity = Activity(self.clock)
        self.root = tmp_path
        self.restarts: list[str] = []
        self.answer = (True, "done")
        self.blocking = Inline()
        self.pokes = 0
        self.config = PaymentApp(**{"name": "pay", "start_grace_s": 0.0, **config})
        self.ports = AppPorts(
            reports=self.told, activity=self.activity, marks=marks, restart=self.restart
        )
        self.place(1, "init")

    async def restart(self, app: str, deadline_s: float, socket: Path) -> tuple[bool, str]:
        self.restarts.append(app)
        return self.answer

    def build(self) -> PaymentAppWatcher:
        watcher = build(
            self.config, App(batch_open_max_s=3600), self.ports,
            clock=self.clock, blocking=self.blocking, root=self.root,
        )  # fmt: skip
        watcher.heed(self.poke)
        return watcher

    def poke(self) -> None:
        self.pokes += 1

    def place(self, pid: int, name: str, started: int = 100) -> None:
        folder = self.root / "proc" / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        before = " ".join(["0"] * 18)
        (folder / "stat").write_text(f"{pid} ({name}) S {before} {started} 0\n")
        (folder / "comm").write_text(f"{name}\n")
        (folder / "cmdline").write_bytes(name.encode() + b"\0")

    def remove(self, pid: int) -> None:
        folder = self.root / "proc" / str(pid)
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()

    def run(self, play: Callable[[PaymentAppWatcher], Awaitable[None]]) -> None:
        async def whole() -> None:
            watcher = self.build()
            try:
                await play(watcher)
            finally:
                await watcher.close()

        asyncio.run(whole())


def values(outcome: Outcome) -> Mapping[str, Value]:
    assert isinstance(outcome, Reading), outcome
    return outcome.values


def raised(outcome: Outcome) -> set[str]:
    judged = STANDARD.judged_by("payment_app")
    told = values(outcome)
    return {condition.code for condition, sign in judged if sign.judge(told)}


# -- what it reported --------------------------------------------------------------------------


def test_nothing_reported_is_nobodys_fault(tmp_path: Path) -> None:
    """Unknown, not signed off."""

    async def play(watcher: PaymentAppWatcher) -> None:
        assert isinstance(await watcher.read(), NotObservable)

    House(tmp_path).run(play)


def test_sign_on_and_batches_are_told_and_asked_for_once_a_minute(tmp_path: Path) -> None:
    """The terminal that has to sign on is named; a batch open for too long is an alarm."""
    house = House(tmp_path)
    now = house.clock.now().at
    house.told.signed = [
        SignOn(terminal_id="T1", signed_on=True, at=now),
        SignOn(terminal_id="T2", signed_on=False, at=now),
    ]
    house.told.batches = [
        Batch(terminal_id="T1", batch="7", opened_at=now - timedelta(minutes=30), count=3)
    ]

    async def play(watcher: PaymentAppWatcher) -> None:
        first = await watcher.read()
        assert raised(first) == {"config.not_signed_on"}
        assert values(first)["terminal_id"] == "T2"
        assert (values(first)["batch"], values(first)["batch_open_s"]) == ("7", 1800)
        house.told.signed = []
        await watcher.read()
        assert house.told.asked == 1
        house.clock.advance(3600)
        assert raised(await watcher.read()) == {"settlement.batch_not_closed"}
        house.clock.advance(60)
        house.clock.trusted = False
        assert raised(await watcher.read()) == set()

    house.run(play)


# -- its process -------------------------------------------------------------------------------


def test_an_app_that_is_not_there_yet_is_starting(tmp_path: Path) -> None:
    """Within the grace after the start nothing is claimed; afterwards it is stopped."""
    house = House(tmp_path, process="pay", start_grace_s=60)

    async def play(watcher: PaymentAppWatcher) -> None:
        first = await watcher.read()
        assert "running" not in values(first)
        house.clock.advance(61)
        assert raised(await watcher.read()) == {STOPPED}
        house.place(50, "pay")
        house.clock.advance(60)
        well = await watcher.read()
        assert raised(well) == set()
        assert (values(well)["pid"], values(well)["crash_count"]) == (50, 0)

    house.run(play)


def test_another_process_under_the_same_number_is_another(tmp_path: Path) -> None:
    """The app ended and was started again between two looks: that is an end, too."""
    house = House(tmp_path, process="pay", crash_limit=2)

    async def play(watcher: PaymentAppWatcher) -> None:
        house.place(50_000_000, "pay", started=100)
        await watcher.read()
        for times in (1, 2):
            house.place(50_000_000, "pay", started=100 + times)
            again = await watcher.read()
            assert values(again)["running"] is True
            assert values(again)["crash_count"] == times
        assert raised(again) == {CRASHING}

    house.run(play)


def test_a_walk_through_all_processes_is_rare(tmp_path: Path) -> None:
    """Less and less often while the app is not there, and none while it is."""
    house = House(tmp_path, process="pay")
    walks = 0

    class Counting(Inline):
        async def call(self, name: str, function: Callable[[], Any], deadline_s: float) -> Any:
            nonlocal walks
            walks += 1
            return function()

    house.blocking = Counting()

    async def play(watcher: PaymentAppWatcher) -> None:
        for _ in range(60):
            await watcher.read()
            house.clock.advance(10)
        assert walks <= 14  # ten minutes: one a minute, and some more at the beginning
        house.place(50_000_000, "pay")
        house.clock.advance(60)
        await watcher.read()
        before = walks
        for _ in range(60):
            await watcher.read()
            house.clock.advance(10)
        assert walks == before

    house.run(play)


def test_where_it_cannot_be_seen_it_is_not_stopped(tmp_path: Path) -> None:
    """With the right that is needed; a look that hangs is unknown for another reason."""
    house = House(tmp_path, process="pay")
    house.remove(1)

    async def play(watcher: PaymentAppWatcher) -> None:
        outcome = await watcher.read()
        assert isinstance(outcome, NotObservable)
        assert "hidepid" in outcome.why
        house.blocking.hangs = True
        house.clock.advance(60)
        assert isinstance(await watcher.read(), Unknown)

    house.run(play)


def test_the_kernel_tells_the_end_of_a_real_process() -> None:
    """At once, without a round of its own."""
    processes = Processes()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = processes.started(child.pid)
    assert started is not None

    class One(Processes):
        def find(self, target: Target) -> Process | None:
            return Process(child.pid, started)

    async def whole() -> None:
        presence = Presence(Target(process="x"), One(), blocking=Inline(), clock=FakeClock())
        ended = asyncio.Event()
        presence.ended = ended.set
        assert await presence.running() is True
        child.kill()
        async with asyncio.timeout(10):
            await ended.wait()
        presence.close()

    try:
        asyncio.run(whole())
    finally:
        child.kill()
        child.communicate()


def test_android_is_asked_where_proc_hides_it(tmp_path: Path) -> None:
    """Seldom: each question costs a process. Its end counts as an end."""
    house = House(tmp_path, package="com.acme.pay", crash_limit=1)
    house.remove(1)
    asked = 0
    runs = True

    class Android:
        async def running(self, package: str) -> bool | None:
            nonlocal asked
            asked += 1
            return runs if package == "com.acme.pay" else None

        async def version(self, package: str) -> str:
            return "7.1"

    async def play(watcher: PaymentAppWatcher) -> None:
        nonlocal runs
        watcher.on_android(Android())
        for _ in range(13):
            told = await watcher.read()
            assert (values(told)["running"], values(told)["version"]) == (True, "7.1")
            house.clock.advance(10)
        assert asked == 2
        runs = False
        house.clock.advance(120)
        assert raised(await watcher.read()) == {STOPPED, CRASHING}

    house.run(play)


# -- hanging and restarting --------------------------------------------------------------------


def test_an_app_that_says_nothing_hangs_and_speaks_again(tmp_path: Path) -> None:
    """Only one that has spoken before; its next call ends it at once."""
    house = House(tmp_path, process="pay", heartbeat_s=60, restart=("hung",), quiet_s=0)
    house.place(50_000_000, "pay")

    async def play(watcher: PaymentAppWatcher) -> None:
        house.clock.advance(1000)
        assert raised(await watcher.read()) == set()
        house.activity.called("status")  # a technician's call is no sign of the app
        assert house.activity.called_ms_ago is None
        house.activity.called("submit")
        house.clock.advance(61)
        hung = await watcher.read()
        assert raised(hung) == {STOPPED}
        assert values(hung)["silent_s"] == 61
        assert house.pokes == 0
        house.activity.called("app_alive")
        assert house.pokes == 1
        assert raised(await watcher.read()) == set()

    house.run(play)


@pytest.mark.parametrize("payment", ["stages", "busy"])
def test_no_restart_while_a_payment_is_being_taken(tmp_path: Path, payment: str) -> None:
    """What the app reported of a payment, or its own word, holds a restart back."""
    house = House(
        tmp_path, process="pay", heartbeat_s=60, restart=("hung",), quiet_s=0, restart_wait_s=0
    )
    house.place(50_000_000, "pay")

    async def play(watcher: PaymentAppWatcher) -> None:
        house.activity.called("app_alive")
        house.activity.alive("2.1", busy=payment == "busy")
        house.told.under_way = ["one"] if payment == "stages" else []
        house.clock.advance(61)
        held = await watcher.read()
        assert (values(held)["restart"], house.restarts) == ("payment", [])
        assert values(held)["version"] == "2.1"
        house.told.under_way = []
        house.clock.advance(600)
        assert values(await watcher.read())["restart"] == "restart"
        await asyncio.sleep(0)
        assert house.restarts == ["pay"]

    house.run(play)


def test_an_empty_pid_file_does_not_end_a_payment(tmp_path: Path) -> None:
    """Not found is not gone: who says that it takes a payment is there, until its end is seen."""
    house = House(tmp_path, pid_file="/pay.pid", restart=("stopped",), quiet_s=0, restart_wait_s=0)
    (tmp_path / "pay.pid").touch()

    async def play(watcher: PaymentAppWatcher) -> None:
        house.activity.alive("2.1", busy=True)
        assert values(await watcher.read())["restart"] == "payment"
        (tmp_path / "pay.pid").write_text("50000000")
        house.place(50_000_000, "pay")
        house.clock.advance(60)
        assert values(await watcher.read())["state"] == "running"
        assert house.restarts == []
        house.remove(50_000_000)
        assert values(await watcher.read())["restart"] == "restart"

    house.run(play)


def test_a_technician_switches_restarts_off(tmp_path: Path) -> None:
    """With a file, and on again by taking it away."""
    pause = tmp_path / "pause"
    pause.touch()
    house = House(
        tmp_path, process="pay", restart=("stopped",), restart_wait_s=0, pause_file=str(pause)
    )

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "paused"
        pause.unlink()
        assert values(await watcher.read())["restart"] == "restart"

    house.run(play)


def test_the_days_cap_holds_over_a_restart_of_the_agent(tmp_path: Path) -> None:
    """Marks are kept before anything is asked, and taken up again."""
    kept = Kept()
    options = {"process": "pay", "restart": ("stopped",), "restart_wait_s": 0, "restart_daily": 1}
    first = House(tmp_path, kept, **options)
    first.answer = (False, "posagent-actions cannot be reached")

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "restart"
        await asyncio.sleep(0)
        told = await watcher.read()
        assert isinstance(told, Reading)
        assert "cannot be reached" in told.evidence["restart"]

    first.run(play)
    assert [one.what for one in kept.marks] == [What.ASKED]

    async def again(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "capped"

    second = House(tmp_path, kept, **options)
    second.run(again)
    assert second.restarts == []


def test_a_store_that_is_away_delays_nothing(tmp_path: Path) -> None:
    """The marks of this run do."""
    kept = Kept()
    kept.broken = True
    house = House(
        tmp_path, kept, process="pay", restart=("stopped",), restart_wait_s=0, restart_daily=1
    )

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "restart"
        assert values(await watcher.read())["restart"] == "capped"

    house.run(play)


def test_a_restart_that_was_done_is_given_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An app on its way up is not asked for again, even without a wait; one that came up is."""
    monkeypatch.setattr(restarting, "LOOKS_S", (60.0,))
    house = House(tmp_path, process="pay", restart=("stopped",), restart_wait_s=0, quiet_s=0)

    async def play(watcher: PaymentAppWatcher) -> None:
        for times in (1, 2):
            assert values(await watcher.read())["restart"] == "restart"
            for _ in range(3):
                await asyncio.sleep(0)  # the hook answers
                told = values(await watcher.read())
                assert (told["restart"], "restart_in_s" in told) == ("waiting", False)
            assert len(house.restarts) == times
            house.place(50_000_000, "pay", started=times)
            house.clock.advance(2)
            assert values(await watcher.read())["state"] == "running"
            house.remove(50_000_000)

    house.run(play)


def test_a_restart_that_brought_nothing_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the last look for it."""
    monkeypatch.setattr(restarting, "LOOKS_S", (0.0, 0.0))
    house = House(tmp_path, process="pay", restart=("stopped",), restart_wait_s=0)

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "restart"
        while house.pokes < 2:
            await asyncio.sleep(0)
        for _ in range(3):
            await asyncio.sleep(0)
        assert values(await watcher.read())["restart"] == "restart"

    house.run(play)


@pytest.mark.parametrize("seconds", [-86_400.0 * 365, -3_600.0, 3_600.0, 86_400.0 * 365])
def test_a_clock_that_is_set_neither_delays_a_restart_nor_forgets_one(
    tmp_path: Path, seconds: float
) -> None:
    """The waits and the day's cap are of this terminal's own time."""
    kept = Kept(Mark(at_ms=FakeClock().wall_ms - 7_200_000, what=What.ASKED))
    house = House(tmp_path, kept, process="pay", restart=("stopped",), restart_daily=3)
    house.answer = (False, "not now")

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart"] == "waiting"
        house.clock.advance(20)
        house.clock.jump(seconds)
        told = values(await watcher.read())
        assert (told["restart"], told["restart_in_s"]) == ("waiting", 10)
        house.clock.advance(10)
        assert values(await watcher.read())["restart"] == "restart"
        house.clock.jump(-2 * seconds)
        house.clock.advance(30)
        told = values(await watcher.read())
        assert (told["restart"], told["restart_in_s"]) == ("waiting", 30)

    house.run(play)


def test_a_mark_from_the_future_holds_a_restart_back_for_one_wait(tmp_path: Path) -> None:
    """Kept by a clock that was years ahead: it counts for the day's cap, from now on."""
    kept = Kept(Mark(at_ms=FakeClock().wall_ms + 10**11, what=What.ASKED))
    house = House(tmp_path, kept, process="pay", restart=("stopped",), restart_daily=2)
    house.answer = (False, "not now")

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["restart_in_s"] == 30
        house.clock.advance(30)
        assert values(await watcher.read())["restart"] == "restart"
        await asyncio.sleep(0)  # the hook answers
        house.clock.advance(3_600)
        assert values(await watcher.read())["restart"] == "capped"
        house.clock.advance(86_400 - 3_629)
        assert values(await watcher.read())["restart"] == "restart"

    house.run(play)


def test_a_new_process_does_not_inherit_the_silence_of_the_last(tmp_path: Path) -> None:
    """It has its own time until the first call; an app that starts is not killed for hanging."""
    house = House(tmp_path, process="pay", heartbeat_s=60, restart=("hung",), quiet_s=0)
    house.place(50_000_000, "pay")

    async def play(watcher: PaymentAppWatcher) -> None:
        await watcher.read()
        house.activity.called("submit")
        house.clock.advance(61)
        assert values(await watcher.read())["state"] == "hung"
        house.place(50_000_000, "pay", started=house.clock.boot_ms // 10)
        house.clock.advance(60)
        told = values(await watcher.read())
        assert (told["state"], told["silent_s"]) == ("running", 60)
        house.clock.advance(1)
        assert values(await watcher.read())["state"] == "hung"

    house.run(play)


@pytest.mark.parametrize("seen_by", ["hook", "nobody"])
def test_an_app_nobody_has_a_process_of_is_given_the_same_time(
    tmp_path: Path, seen_by: str
) -> None:
    """From when it is said to run again, or from the restart that was done."""
    house = House(tmp_path, heartbeat_s=60, restart=("hung",), quiet_s=0, restart_wait_s=0)

    async def play(watcher: PaymentAppWatcher) -> None:
        if seen_by == "hook":
            watcher.feed(Reading({"running": True}))
        house.activity.called("submit")
        await watcher.read()
        house.clock.advance(61)
        assert values(await watcher.read())["restart"] == "restart"
        if seen_by == "hook":
            watcher.feed(Reading({"running": False}))
            await watcher.read()
            watcher.feed(Reading({"running": True}))
            await watcher.read()
        for _ in range(3):
            await asyncio.sleep(0)  # the hook answers
        house.clock.advance(60)
        assert values(await watcher.read())["state"] != "hung"
        house.clock.advance(1)
        assert values(await watcher.read())["restart"] == "restart"

    house.run(play)


def test_a_look_without_a_daemon_restarts_nothing(tmp_path: Path) -> None:
    """`posagent probe payment_app`."""
    house = House(tmp_path, process="pay", restart=("stopped",), restart_wait_s=0)

    async def play() -> None:
        watcher = build(
            house.config, App(), None, clock=house.clock, blocking=Inline(), root=house.root
        )
        told = await watcher.read()
        assert raised(told) == {STOPPED}
        assert "restart" not in values(told)

    asyncio.run(play())


# -- a hook's word -----------------------------------------------------------------------------


def test_a_hook_tells_that_it_runs_and_that_it_ended(tmp_path: Path) -> None:
    """Where only the firmware can see it; its silence is unknown."""
    house = House(tmp_path, crash_limit=1)

    async def play(watcher: PaymentAppWatcher) -> None:
        watcher.feed(Reading({"running": True, "version": "3.1"}, {"source": "am"}))
        told = await watcher.read()
        assert (values(told)["running"], values(told)["version"]) == (True, "3.1")
        assert told.evidence["hook_source"] == "am"  # type: ignore[union-attr]
        watcher.feed(Reading({"running": False}))
        assert raised(await watcher.read()) == {STOPPED, CRASHING}
        watcher.feed(Unknown("the hook broke"))
        assert not isinstance(await watcher.read(), Reading)

    house.run(play)


def test_its_version_is_read_from_a_file(tmp_path: Path) -> None:
    """The first line; a missing file is no version."""
    file = tmp_path / "VERSION"
    house = House(tmp_path, process="pay", version_file=str(file))

    async def play(watcher: PaymentAppWatcher) -> None:
        assert "version" not in values(await watcher.read())
        file.write_text("4.2\nbuild 7\n")
        assert values(await watcher.read())["version"] == "4.2"

    house.run(play)


def test_a_version_file_that_is_a_pipe_does_not_stop_the_agent(tmp_path: Path) -> None:
    """It is read on the event loop: a pipe would hold up every payment."""
    os.mkfifo(tmp_path / "VERSION")
    house = House(tmp_path, process="pay", version_file=str(tmp_path / "VERSION"))
    house.place(20, "pay")
    house.activity.alive("2.1", busy=False)

    async def play(watcher: PaymentAppWatcher) -> None:
        assert values(await watcher.read())["version"] == "2.1"

    house.run(play)
