"""Whether the agent was let run, as its own component tells it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from agent.core.health.reading import Reading, Unknown, Value
from agent.core.moment import Moment
from agent.watch.itself import AgentWatcher
from tests.fakes import FakeClock


class Sleepy(FakeClock):
    """A machine that can be suspended."""

    suspended_ms = 0

    def now(self) -> Moment:
        return replace(super().now(), suspended_ms=self.suspended_ms)

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        self.suspended_ms += round(seconds * 1000)


def read(watcher: AgentWatcher) -> Mapping[str, Value]:
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading)
    return outcome.values


def test_a_night_asleep_is_no_freeze() -> None:
    """The kernel suspended the machine: told, and nobody's fault."""
    clock = Sleepy()
    watcher = AgentWatcher(clock, dict)
    clock.sleep(8 * 3_600)
    values = read(watcher)
    assert (values["slept_s"], values["frozen_s"]) == (8 * 3_600, 0)
    clock.advance(3_601)
    read(watcher)
    clock.advance(3_601)
    assert read(watcher)["slept_s"] == 0


def test_frozen_awake_is_told_from_when_to_when() -> None:
    """And remembered for an hour; what restarted is named."""
    clock = Sleepy()
    watcher = AgentWatcher(clock, lambda: {"telemetry": 2, "api": 1})
    clock.advance(600)
    values = read(watcher)
    assert values["frozen_s"] == 600
    assert values["from_at"] < values["to_at"]  # type: ignore[operator]
    assert (values["part"], values["part_restarts"]) == ("telemetry", 3)
    for _ in range(121):
        clock.advance(30)
        values = read(watcher)
    assert values["frozen_s"] == 0


def test_another_boot_under_us_is_unknown() -> None:
    """A restored image: nothing is measured across it."""
    clock = Sleepy()
    watcher = AgentWatcher(clock, dict)
    clock.reboot()
    assert isinstance(asyncio.run(watcher.read()), Unknown)
