"""The end of the watch: whoever has a port open lets go of it, and nobody holds up the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agent.core.health.reading import NotFitted, Outcome
from agent.core.health.standard import STANDARD
from agent.watch import runner
from agent.watch.runner import Watch
from tests.fakes import FakeClock


class Timers:
    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """Nothing is ever due."""


class NoRecords:
    async def load(self) -> list[object]:
        return []

    async def save(self, *_: object) -> None:
        return

    async def prune(self, now: object) -> int:
        return 0


class Holding:
    """A watcher with a port, and its own way of closing it."""

    period_s = deadline_s = 1.0

    def __init__(self, component: str, close: Callable[[], Awaitable[None]]) -> None:
        self.component = component
        self.close = close

    async def read(self) -> Outcome:
        return NotFitted()


def test_every_port_is_closed_at_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """One closes, one fails, one hangs: all were asked, and the end comes all the same."""
    monkeypatch.setattr(runner, "CLOSE_S", 0.1)
    closed: list[str] = []

    async def well() -> None:
        closed.append("well")

    async def badly() -> None:
        closed.append("badly")
        raise OSError("gone")

    async def never() -> None:
        closed.append("never")
        await asyncio.Event().wait()

    async def run() -> None:
        watch = Watch(
            STANDARD,
            [Holding("printer", well), Holding("scanner", badly), Holding("keypad", never)],
            clock=FakeClock(wall_ms=1_000),
            timers=Timers(),
            records=NoRecords(),  # type: ignore[arg-type]
        )
        stop = asyncio.Event()
        stop.set()
        await asyncio.wait_for(watch.run(stop), 10)

    asyncio.run(run())
    assert sorted(closed) == ["badly", "never", "well"]
    assert "event=watcher_close_failed" in caplog.text
