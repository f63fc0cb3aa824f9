"""A keypad on the desk for tests: a line into the real read loop, a driver's answers, slow time."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar

from agent.config.devices import Keypad
from agent.core.health.reading import Outcome, Reading, Value
from agent.sim.keypad import SimulatedKeypad
from agent.watch.drivers import evdev
from agent.watch.keypad.node import Node, NoKeypadError
from agent.watch.keypad.watcher import KeypadWatcher

T = TypeVar("T")

PATIENCE_S = 10.0


class Inline:
    """Blocking calls, made at once."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        assert deadline_s > 0
        self.calls.append(name)
        return function()


class Time:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s

    def pass_(self, seconds: float) -> None:
        self.now_s += seconds


class Driver:
    """The kernel's side of a device: a line for events, and which keys are down."""

    def __init__(self) -> None:
        self.down: frozenset[int] = frozenset()
        self.present = True
        self.refuses: NoKeypadError | None = None
        self.opened = 0
        self.fails_to_tell = False
        self._lines: list[socket.socket] = []

    def there(self) -> bool:
        return self.present

    def open(self) -> Node | None:
        if self.refuses is not None:
            raise self.refuses
        if not self.present:
            return None
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self._lines.append(ours)
        self.opened += 1
        return Node(theirs.detach(), True, self._ask)

    def send(self, some: bytes) -> None:
        self._lines[-1].sendall(some)

    def unplug(self) -> None:
        self.present = False
        self.close()

    def close(self) -> None:
        for line in self._lines:
            line.close()
        self._lines.clear()

    def _ask(self, _fd: int, request: int, answer: bytearray) -> int:
        if self.fails_to_tell:
            raise OSError(19, os.strerror(19))
        assert request == evdev.EVIOCGKEY
        answer[:] = evdev.bitmap_of(self.down)
        return 0

    # SimulatedKeypad writes down this line when given the driver as one.

    @property
    def plugged(self) -> bool:
        return self.present

    async def plug(self) -> None:
        self.present = True


class Desk:
    """One watcher, its driver and a keypad to press. Use inside a running loop."""

    def __init__(self, tmp_path: Path, config: Keypad | None = None, size: int = 24) -> None:
        self.driver = Driver()
        self.time = Time()
        self.blocking = Inline()
        self.keypad = SimulatedKeypad(
            self.driver, event_bytes=size, now_us=lambda: round(self.time() * 1e6)
        )
        self.watcher = KeypadWatcher(
            config or Keypad(device="/dev/input/event7"),
            tmp_path,
            self.blocking,
            source=self.driver,
            now_s=self.time,
            event_bytes=size,
        )
        self.changes = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.watcher.close()
        self.keypad.unplug()
        self.driver.close()

    def count_changes(self) -> None:
        def changed() -> None:
            self.changes += 1

        self.watcher.heed(changed)

    async def values(self) -> dict[str, Value]:
        outcome = await self.watcher.read()
        assert isinstance(outcome, Reading), outcome
        return dict(outcome.values)

    async def settled(self) -> None:
        """Until everything sent so far was read: a mark of our own has come through."""
        reader = self.watcher._reader
        assert reader is not None
        ends = time.monotonic() + PATIENCE_S
        while reader._open and _waiting(reader._node.fd):
            assert time.monotonic() < ends
            await asyncio.sleep(0)
        await asyncio.sleep(0)


def _waiting(fd: int) -> bool:
    import select

    return bool(select.select([fd], [], [], 0)[0])


async def until(condition: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < ends, "not within 10 s"
        await asyncio.sleep(0.005)


def reading(outcome: Outcome) -> Reading:
    assert isinstance(outcome, Reading), outcome
    return outcome
