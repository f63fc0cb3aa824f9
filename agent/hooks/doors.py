"""The doors a component's reading comes through, and what of it is believed.

Decides whether a reading is this component's, fresh enough, and from somebody who may say it; a
door that has none says why. What it means is the watcher's business.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from agent.clock import Clock
from agent.config.hooks import HookComponent
from agent.hooks.findings import Finding, HookError, trouble
from agent.hooks.pull import Puller
from agent.wire.hooks import AnyReading


class Door(Protocol):
    """Where a component's word is heard."""

    async def ask(self) -> AnyReading:
        """Its last word. Raises HookError saying why there is none."""
        ...


class PullDoor:
    """Runs `probe.<component>` every time."""

    def __init__(self, config: HookComponent, puller: Puller) -> None:
        self._config = config
        self._puller = puller

    async def ask(self) -> AnyReading:
        """Run it. Raises HookError."""
        own = self._config.component
        name = f"probe.{own}"
        answered = await self._puller.ask(name, component=own)
        reading: AnyReading = answered.answer
        if reading.component != own:
            raise trouble("component", hook=name, said=reading.component, own=own)
        _fresh(reading, name, reading.age_s, self._config.stale_s)
        return reading


class HeardDoor:
    """Keeps what a stream said or what was pushed, and since when."""

    def __init__(self, config: HookComponent, hook: str, clock: Clock) -> None:
        self.config = config
        self.hook = hook  #: as people know it: `stream.tickets`, `POST /v1/readings`
        self._clock = clock
        self._reading: AnyReading | None = None
        self._finding: Finding | None = None
        self._at_ms = 0

    def heard(self, reading: AnyReading) -> bool:
        """Take a reading of this component; whether it is news."""
        news = self._finding is not None or self._reading is None or reading != self._reading
        self._reading, self._finding = reading, None
        self._at_ms = self._clock.now().boot_ms
        return news

    def broke(self, finding: Finding) -> bool:
        """Nothing that was said counts any more; whether that is news."""
        news = self._finding is None or self._finding.word != finding.word
        self._finding = finding
        return news

    async def ask(self) -> AnyReading:
        """The last word, if it still counts. Raises HookError."""
        if self._finding is not None:
            raise HookError(self._finding)
        if self._reading is None:
            raise trouble("never", hook=self.hook)
        stale_s = self.config.stale_s
        silent_s = (self._clock.now().boot_ms - self._at_ms) / 1000
        if silent_s > stale_s:
            raise trouble("silent", hook=self.hook, silent_s=silent_s, stale_s=stale_s)
        _fresh(self._reading, self.hook, self._reading.age_s + silent_s, stale_s)
        return self._reading


class ShutDoor:
    """Streams and pushes, where no agent runs to hear them (`posagent probe`)."""

    def __init__(self, hook: str) -> None:
        self._hook = hook

    async def ask(self) -> AnyReading:
        """Always raises HookError."""
        raise trouble("not_here", hook=self._hook)


#: Told whenever a component has something new to say.
Poke = Callable[[str], None]


def _fresh(reading: AnyReading, hook: str, age_s: float, stale_s: float) -> None:
    if reading.age_s and age_s > stale_s:
        raise trouble("old", hook=hook, age_s=age_s, stale_s=stale_s)
