"""Streams and pushes: heard at once, believed as agreed, unknown as soon as they fall silent."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.config import Config
from agent.config.hooks import HookComponent, Hooks
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
)
from agent.errors import OperatorError
from agent.hooks import ProbingDoors, build
from agent.hooks.breaker import Breaker
from agent.hooks.doors import HeardDoor
from agent.hooks.findings import TEXTS, Finding, HookError
from agent.hooks.part import HooksPart
from agent.supervise import DaemonThreads
from agent.watch.hooked import heard, merged, outcome_of, plugged
from agent.wire.hook_table import reading_from
from agent.wire.hooks import AnyReading
from agent.wire.problem import RequestError
from tests.fakes import FakeClock
from tests.process.daemon import wait_until

PATIENCE_S = 30.0


def said(component: str = "printer", outcome: str = "reading", **more: Any) -> AnyReading:
    body = {"contract": 1, "component": component, "outcome": outcome, **more}
    return reading_from(json.dumps(body).encode())


def line(**state: Any) -> str:
    return json.dumps({"contract": 1, "component": "printer", "outcome": "reading", "state": state})


class Firmware:
    """A part with one stream for the printer, and what its door says."""

    def __init__(self, home: Path, **more: Any) -> None:
        self.home = home / "hooks.d"
        self.home.mkdir(mode=0o755)
        self.more = more
        self.news: list[str] = []

    def write(self, body: str) -> None:
        path = self.home / "stream.printer"
        path.write_text(f"#!/bin/sh\n{body}\n", "utf-8")
        path.chmod(0o755)

    def run(self, work: Callable[[HooksPart], Awaitable[None]]) -> None:
        async def running() -> None:
            config = Hooks(directory=str(self.home), output_max_bytes=1024, deadline_s=1.0)
            component = HookComponent(component="printer", door="stream", **self.more)
            part = HooksPart(config, [component], clock=SystemClock(), blocking=DaemonThreads())
            part.poke_with(self.news.append)
            stop = asyncio.Event()
            task = asyncio.create_task(part.run(stop))
            try:
                await work(part)
            finally:
                stop.set()
                await asyncio.wait_for(task, PATIENCE_S)

        descriptors = set(Path("/proc/self/fd").iterdir())
        asyncio.run(running())
        assert set(Path("/proc/self/fd").iterdir()) == descriptors


def dead(stat: Path) -> bool:
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def until(part: HooksPart, holds: Callable[[Outcome], bool]) -> Outcome:
    async with asyncio.timeout(PATIENCE_S):
        while not holds(outcome := await heard(part.door("printer"))):
            await asyncio.sleep(0.01)
    return outcome


def tells(word: str) -> Callable[[Outcome], bool]:
    return lambda outcome: isinstance(outcome, Unknown) and word in outcome.reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "signal 9"),
        ("head -c 5000 /dev/zero; sleep 600", "more than 1024 bytes"),
        ("echo nonsense; exec sleep 600", "did not print JSON"),
        (f"echo '{line(paperout=True)}'; exec sleep 600", "does not keep the contract"),
        (f"echo '{line()}' | sed s/printer/scanner/; exec sleep 600", "not its own"),
        (f"echo '{line()}'; exec 1>&-; exec sleep 600", "closed its stdout"),
    ],
)
def test_a_stream_that_goes_wrong_makes_its_component_unknown(
    body: str, reason: str, tmp_path: Path
) -> None:
    """Each way of going wrong has its own sentence, and news of it is told at once."""
    firmware = Firmware(tmp_path)
    firmware.write(body)

    async def work(part: HooksPart) -> None:
        await until(part, tells(reason))

    firmware.run(work)
    assert firmware.news


def test_a_missing_stream_is_waited_for(tmp_path: Path) -> None:
    """It is tried again, and heard once it is there."""
    firmware = Firmware(tmp_path)

    async def work(part: HooksPart) -> None:
        await until(part, tells("there is no hook"))
        firmware.write(f"echo '{line(paper_out=True)}'; exec sleep 600")
        outcome = await until(part, lambda outcome: isinstance(outcome, Reading))
        assert isinstance(outcome, Reading)
        assert outcome.values["paper"] == "out"

    firmware.run(work)


def test_a_flood_waits_in_the_pipe(tmp_path: Path) -> None:
    """A stream that prints without end is slowed down, heard, and stops when the part does."""
    firmware = Firmware(tmp_path)
    firmware.write(f"exec yes '{line(cover_open=True)}'")

    async def work(part: HooksPart) -> None:
        await until(part, lambda outcome: isinstance(outcome, Reading))

    firmware.run(work)
    assert len(firmware.news) == 1  # the same again is no news


def test_a_stopped_part_leaves_no_process(tmp_path: Path) -> None:
    """Streams and what they started end with the part."""
    firmware = Firmware(tmp_path)
    firmware.write(f"sleep 600 & echo $! > {tmp_path}/child; echo '{line()}'; wait")

    async def work(part: HooksPart) -> None:
        await until(part, lambda outcome: isinstance(outcome, Reading))

    firmware.run(work)
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/stat")
    wait_until(lambda: dead(child), "the end of what it started")  # the kernel takes its moment


def test_silence_and_age_make_unknown() -> None:
    """A word counts for stale_s, from when it was true, not from when it came."""
    clock = FakeClock()
    door = HeardDoor(HookComponent(component="printer", stale_s=100.0), "stream.x", clock)

    def asked() -> Outcome:
        return asyncio.run(heard(door))

    assert "nothing was heard" in getattr(asked(), "reason", "")
    assert door.heard(said(state={"paper_out": False}))
    assert not door.heard(said(state={"paper_out": False}))
    clock.advance(99)
    assert isinstance(asked(), Reading)
    clock.advance(2)
    assert "for 101 s" in getattr(asked(), "reason", "")
    assert door.heard(said(state={}, age_s=90))
    assert isinstance(asked(), Reading)
    clock.advance(11)
    assert "101 s old" in getattr(asked(), "reason", "")
    assert door.broke(Finding("no_output", {"hook": "x"}))
    assert not door.broke(Finding("no_output", {"hook": "x"}))
    assert isinstance(asked(), Unknown)


def test_push_is_all_or_nothing_and_only_for_those_named(tmp_path: Path) -> None:
    """The uid must be named for every component of the request."""
    config = Config(
        hooks=Hooks(directory=str(tmp_path)),
        hook=(
            HookComponent(component="printer", door="push", push=("12345",)),
            HookComponent(component="scanner", door="push"),
            HookComponent(component="keypad"),
        ),
    )
    part = build(config, clock=FakeClock(), blocking=DaemonThreads())
    assert part is not None
    printer = said(state={"paper_out": True})
    for uid, readings in (
        (12_346, [printer]),
        (12_345, [printer, said("scanner", state={})]),
        (12_345, [printer, said("keypad", state={})]),
        (0, [said("keypad", state={})]),
        (-1, [printer]),
    ):
        with pytest.raises(RequestError) as caught:
            part.push(readings, uid)
        assert caught.value.code == "reading.component"
    assert isinstance(asyncio.run(heard(part.door("printer"))), Unknown)
    assert part.push([printer], 12_345) == ["printer"]
    assert part.push([said("scanner", state={}), printer], os.geteuid()) == ["scanner", "printer"]
    assert isinstance(asyncio.run(heard(part.door("printer"))), Reading)
    assert part.beat(0) == ""


def test_without_hooks_there_is_no_part_and_unknown_users_are_refused() -> None:
    """Nothing configured: nothing built. A user this terminal has not: said at the start."""
    assert build(Config(), clock=FakeClock(), blocking=DaemonThreads()) is None
    hook = HookComponent(component="printer", door="push", push=("nobody-of-this-name",))
    with pytest.raises(OperatorError) as caught:
        build(Config(hook=(hook,)), clock=FakeClock(), blocking=DaemonThreads())
    assert caught.value.code == "config.unknown_name"


def test_without_a_daemon_only_pull_is_heard(tmp_path: Path) -> None:
    """`posagent probe` runs a pull hook, and says that nobody else can be heard here."""
    hooks = tuple(
        HookComponent(component=name, door=door)  # type: ignore[arg-type]
        for name, door in (("a", "pull"), ("b", "stream"), ("c", "push"))
    )
    config = Config(hooks=Hooks(directory=str(tmp_path / "none")), hook=hooks)
    doors = ProbingDoors(config, clock=FakeClock(), blocking=DaemonThreads())
    reasons = {}
    for name in "abc":
        outcome = asyncio.run(heard(doors.door(name)))
        assert isinstance(outcome, Unknown)
        reasons[name] = outcome.reason
    assert "no directory" in reasons["a"]
    assert "only the running agent" in reasons["b"]
    assert "only the running agent" in reasons["c"]


def test_what_a_hook_says_is_what_conditions_know() -> None:
    """Canonical keys become the names the own watchers have; raw and source become evidence."""
    printer = outcome_of(
        said(
            state={"paper_out": False, "paper_low": True, "cutter_fault": None},
            raw=-3,
            source="x",
            facts={"mode": "usb"},
            about={"model": "X1"},
        )
    )
    assert printer == Reading(
        {"paper_out": False, "paper_low": True, "model": "X1", "paper": "low"},
        {"source": "x", "raw": "-3", "confidence": "documented", "mode": "usb"},
    )
    keypad = outcome_of(
        said("keypad", state={"connected": True, "stuck_keys": 0, "chatter_keys": 1})
    )
    assert isinstance(keypad, Reading)
    assert keypad.values["present"] is True
    assert keypad.values["stuck"] == "no"
    assert keypad.values["bounces_last_minute"] == 3
    gone = outcome_of(said("scanner", state={"connected": False}))
    assert isinstance(gone, Unknown)
    assert gone.code == "scanner.disconnected"
    assert outcome_of(said(outcome="not_fitted")) == NotFitted()
    assert outcome_of(said(outcome="not_observable", reason="no API")) == NotObservable("no API")
    unknown = outcome_of(
        said(outcome="unknown", reason="code 7", raw=7, code="printer.not_answering")
    )
    assert unknown == Unknown("code 7", "printer.not_answering", {"raw": "7"})


def test_what_cannot_be_told_of_the_paper_is_not_said() -> None:
    """Neither paper_out nor paper_low told: no word about paper at all."""
    for state, paper in (
        ({}, None),
        ({"paper_low": False}, None),
        ({"paper_out": True}, "out"),
        ({"paper_out": False}, "ok"),
        ({"paper_out": None, "paper_low": True}, "low"),
    ):
        outcome = outcome_of(said(state=state))
        assert isinstance(outcome, Reading)
        assert outcome.values.get("paper") == paper


class Own:
    """A watcher of the agent's own."""

    period_s = 5.0
    deadline_s = 1.0

    def __init__(self, component: str, outcome: Outcome) -> None:
        self.component = component
        self.outcome = outcome
        self.closed = False
        self.announce: Callable[[], None] | None = None

    async def read(self) -> Outcome:
        return self.outcome

    async def close(self) -> None:
        self.closed = True

    def heed(self, announce: Callable[[], None]) -> None:
        self.announce = announce


class Fed(Own):
    """One that takes in what others report."""

    fed: Outcome | None = None

    def feed(self, outcome: Outcome) -> None:
        self.fed = outcome


class OneDoor:
    def __init__(self, reading: AnyReading | None) -> None:
        self.reading = reading

    def door(self, component: str) -> OneDoor:
        del component
        return self

    async def ask(self) -> AnyReading:
        if self.reading is None:
            raise HookError(Finding("no_output", {"hook": "x"}))
        return self.reading


def read(own: Own, door: OneDoor, **more: Any) -> tuple[Outcome, Any]:
    config = HookComponent(component=own.component, **more)
    (watcher,) = plugged([own], [config], door, 1.0)
    assert watcher.component == own.component
    return asyncio.run(_read(watcher)), watcher


async def _read(watcher: Any) -> Outcome:
    outcome: Outcome = await watcher.read()
    return outcome


def test_a_hook_replaces_feeds_or_adds() -> None:
    """Which of the three follows from the configuration and from what the own watcher can."""
    hook = OneDoor(said("system", state={"battery_percent": 7, "free_mb": 1}))
    own = Own("system", Reading({"free_mb": 99, "battery_percent": None}))

    replaced, _ = read(own, hook)
    assert isinstance(replaced, Reading)
    assert replaced.values["free_mb"] == 1

    added, watcher = read(own, hook, owns=False)
    assert isinstance(added, Reading)
    assert dict(added.values) == {"free_mb": 99, "battery_percent": 7}
    watcher.heed(lambda: None)
    asyncio.run(watcher.close())
    assert own.closed
    assert own.announce is not None

    broken, _ = read(own, OneDoor(None), owns=False)
    assert isinstance(broken, Reading)
    assert broken.values == own.outcome.values  # type: ignore[union-attr]
    assert "without printing" in broken.evidence["hook_unknown"]

    silent = Own("system", Unknown("no /proc"))
    assert read(silent, hook, owns=False)[0] == Unknown("no /proc")

    fed = Fed("scanner", Reading({"present": True}))
    told = OneDoor(said("scanner", state={"battery_low": True}))
    assert read(fed, told)[0] == Reading({"present": True})
    assert isinstance(fed.fed, Reading)
    absent = Fed("scanner", NotFitted())
    assert isinstance(read(absent, told)[0], Reading)

    (new,) = plugged([], [HookComponent(component="drawer")], OneDoor(said("drawer", state={})), 1)
    assert new.component == "drawer"
    assert merged(Reading({}), NotFitted()) == Reading({})


def test_the_breaker_rests_longer_each_time() -> None:
    """Two failures are nothing; from the third on it rests, doubling up to the limit."""
    breaker = Breaker(10.0, 60.0)
    rests = [breaker.failed(0, f"why {n}") for n in range(7)]
    assert rests == [0, 0, 10, 20, 40, 60, 60]
    assert breaker.last == "why 6"
    assert breaker.left_s(30_000) == 30
    assert breaker.left_s(60_000) == 0
    assert breaker.worked() == 7
    assert breaker.left_s(0) == 0


def test_every_finding_has_its_words() -> None:
    """Both languages name the same things."""
    for word, (what, step) in TEXTS.items():
        for english, chinese in (what, step):
            assert english != chinese
            names = [sorted(_names(text)) for text in (english, chinese)]
            assert names[0] == names[1], word


def _names(text: str) -> set[str]:
    import string

    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
