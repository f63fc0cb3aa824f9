"""The scanner watcher, loaded only where a scanner is configured.

Nothing here, and nothing it loads, ever stores, logs or compares the content of a code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.clock import Clock
from agent.config.devices import Scanner
from agent.core.health.reading import NotFitted, Outcome

if TYPE_CHECKING:
    from agent.blocking import Blocking

component = "scanner"


class ScannerWatch(Protocol):
    """What `build` returns: a watcher that others may tell things to as well."""

    component: str
    period_s: float
    deadline_s: float

    async def read(self) -> Outcome: ...

    async def close(self) -> None: ...

    def feed(self, outcome: Outcome) -> None:
        """What a hook, vendor firmware or the payment app says of the scanner. Never a code."""
        ...


class Absent:
    """No scanner is configured; one that a hook speaks of all the same is taken for built in."""

    def __init__(self, config: Scanner, blocking: Blocking, clock: Clock) -> None:
        self.component = component
        self.period_s = config.period_s
        self.deadline_s = 5.0
        self._parts = config, blocking, clock
        self._built_in: ScannerWatch | None = None

    async def read(self) -> Outcome:
        return NotFitted() if self._built_in is None else await self._built_in.read()

    async def close(self) -> None:
        """Nothing is open."""

    def feed(self, outcome: Outcome) -> None:
        """Somebody speaks of a scanner."""
        if self._built_in is None:
            config, blocking, clock = self._parts
            self._built_in = build(config.built_in(), blocking, clock)
        self._built_in.feed(outcome)


def build(config: Scanner, blocking: Blocking, clock: Clock) -> ScannerWatch:
    """The watcher of the scanner `config` names; without a device it reads NotFitted."""
    if not config.device and config.dialect != "hook":
        return Absent(config, blocking, clock)
    from agent.watch.scanner.watcher import ScannerWatcher

    return ScannerWatcher(config, blocking, clock)
