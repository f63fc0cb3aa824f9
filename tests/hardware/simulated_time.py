"""A day in seconds: an asyncio loop whose clock runs ahead whenever nothing is left to do.

Real descriptors, simulated time. The clock stands still while anything is readable and jumps to
the next timer when nothing is; while an exchange with a device is under way (`tense`) the kernel
first gets `patience_s` of real time to hand bytes over, so that a busy machine is not a silent
printer. Nothing in such a loop may wait for a thread.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from agent.core.moment import Moment

T = TypeVar("T")

GRID_S = 5.0
#: A little more than a timer asked for, so that rounding cannot leave it undue.
BEYOND_S = 1e-6
STUCK_S = 60.0


class _Selector(selectors.DefaultSelector):  # type: ignore[misc, valid-type]
    """Never sleeps for a timer: it takes the time as passed."""

    loop: SimulatedLoop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            return super().select(STUCK_S)
        if self.loop.tense:
            ready = super().select(self.loop.patience_s())
        if not ready:
            self.loop.now_s += timeout + BEYOND_S
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """Its time is `now_s` and nothing else."""

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.tense = 0  #: exchanges under way
        self.patience_s: Callable[[], float] = lambda: 0.25
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now_s

    async def tensely(self, work: Awaitable[T]) -> T:
        """Wait for `work`, which talks to a device."""
        self.tense += 1
        try:
            return await work
        finally:
            self.tense -= 1


class LoopClock:
    """The terminal's clocks, as told by the loop."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop

    def now(self) -> Moment:
        boot_ms = round(self._loop.now_s * 1000)
        wall_ms = 1_795_000_000_000 + boot_ms
        return Moment(wall_ms=wall_ms, boot_ms=boot_ms, boot_id="boot-1", trusted=True)


class LoopTimers:
    """The daemon's scheduler: on its grid, and never two runs of one at a time."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        self._tasks.append(self._loop.create_task(self._repeat(period_s, call), name=name))

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, period_s: float, call: Callable[[], Awaitable[None]]) -> None:
        due_s = self._loop.now_s
        while True:
            await call()
            now_s = self._loop.now_s
            due_s = max(due_s + period_s, now_s)
            due_s = -(-due_s // GRID_S) * GRID_S if period_s >= GRID_S else due_s
            await asyncio.sleep(due_s - now_s)


class Inline:
    """Blocking calls, done at once: in simulated time no thread may be waited for."""

    async def call(self, name: str, function: Callable[[], Any], deadline_s: float) -> Any:
        return function()
