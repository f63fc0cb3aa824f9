"""The part `hooks`: keeps the streams running, takes what is pushed, tells hooks of conditions.

Plugged together by `agent.main`: watchers get their doors here, the local API hands over what was
pushed, the tracker's changes come in. A restart of this part starts its streams again and nothing
else. Without hooks in the configuration it does not exist.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pwd
from collections import deque
from collections.abc import Sequence

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.hooks import HookComponent, Hooks
from agent.core.health.tracker import Change, What
from agent.errors import OperatorError
from agent.hooks.doors import Door, HeardDoor, Poke, PullDoor
from agent.hooks.findings import Finding, HookError
from agent.hooks.pull import Puller
from agent.hooks.stream import Ears, Stream
from agent.wire.hook_table import ContractError, check_state
from agent.wire.hooks import AnyReading, HookReading
from agent.wire.problem import RequestError

log = logging.getLogger(__name__)

#: What an event hook is told; who took note of an alarm stays with us.
_EVENTS = frozenset({What.BEGAN, What.SHOWN, What.CLEARED, What.ENDED})

PUSHED = "POST /v1/readings"
#: Events waiting for a slow hook; the oldest are given up.
EVENTS_WAITING = 64


class HooksPart:
    """Everything about hooks that runs."""

    name = "hooks"
    fatal = False

    def __init__(
        self,
        config: Hooks,
        components: Sequence[HookComponent],
        *,
        clock: Clock,
        blocking: Blocking,
    ) -> None:
        """Raises OperatorError for a user this terminal does not know."""
        self.puller = Puller(config, clock, blocking)
        self._config = config
        self._clock = clock
        self._blocking = blocking
        self._doors: dict[str, Door] = {}
        self._streams: dict[str, list[HeardDoor]] = {}
        self._pushers: dict[str, frozenset[int]] = {}
        self._events: deque[Change] = deque(maxlen=EVENTS_WAITING)
        self._event = asyncio.Event()
        self._poke: Poke | None = None
        for one in components:
            self._open(one)

    def door(self, component: str) -> Door:
        """Where this component is heard."""
        return self._doors[component]

    def poke_with(self, poke: Poke) -> None:
        """Called with the component's name whenever it said something new."""
        self._poke = poke

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop."""
        streams = [
            Stream(name, self._config, self._clock, self._blocking, self._ears(name, doors))
            for name, doors in self._streams.items()
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one.run(), name=one.hook) for one in streams]
            tasks.append(group.create_task(self._tell_events(), name="hooks.events"))
            await stop.wait()
            for task in tasks:
                task.cancel()

    def beat(self, now_ms: int) -> str:
        """Not watched: nothing that matters to money happens here."""
        del now_ms
        return ""

    def push(self, readings: Sequence[AnyReading], uid: int) -> list[str]:
        """Take what was pushed, all or nothing; the components. Raises RequestError."""
        for at, reading in enumerate(readings):
            allowed = self._pushers.get(reading.component)
            if allowed is None or uid not in allowed:
                raise RequestError(
                    "reading.component",
                    f"uid {uid} may not speak for the component {reading.component}",
                    field=f"readings.{at}.component",
                )
            if isinstance(reading, HookReading):
                try:
                    check_state(reading)
                except ContractError as error:
                    raise RequestError(
                        "reading.bad", str(error), field=f"readings.{at}.state"
                    ) from None
        for reading in readings:
            self._hear(reading.component, reading)
        return [reading.component for reading in readings]

    def changed(self, changes: Sequence[Change]) -> None:
        """The tracker's word: keep what an event hook is configured for."""
        for change in changes:
            if change.code in self._config.events and change.what in _EVENTS:
                if len(self._events) == EVENTS_WAITING:
                    log.warning("event=event_hook_late lost=%s", self._events[0].code)
                self._events.append(change)
                self._event.set()

    def _open(self, one: HookComponent) -> None:
        match one.door:
            case "pull":
                self._doors[one.component] = PullDoor(one, self.puller)
            case "stream":
                name = one.stream or one.component
                heard = HeardDoor(one, f"stream.{name}", self._clock)
                self._doors[one.component] = heard
                self._streams.setdefault(name, []).append(heard)
            case "push":
                self._doors[one.component] = HeardDoor(one, PUSHED, self._clock)
                self._pushers[one.component] = frozenset(
                    {0, os.geteuid(), *(_uid(entry) for entry in one.push)}
                )

    def _ears(self, name: str, doors: Sequence[HeardDoor]) -> Ears:
        own = {door.config.component: door for door in doors}

        def said(reading: AnyReading) -> None:
            if reading.component in own:
                self._hear(reading.component, reading)
                return
            listed = ", ".join(own)
            finding = Finding(
                "component",
                {"hook": f"stream.{name}", "said": reading.component, "own": listed},
            )
            log.debug("event=line_refused reason=%r", finding.what())
            broke(finding)

        def broke(finding: Finding) -> None:
            for component, door in own.items():
                if door.broke(finding):
                    self._news(component)

        return Ears(said=said, broke=broke)

    def _hear(self, component: str, reading: AnyReading) -> None:
        door = self._doors[component]
        if isinstance(door, HeardDoor) and door.heard(reading):
            self._news(component)

    def _news(self, component: str) -> None:
        if self._poke is not None:
            self._poke(component)

    async def _tell_events(self) -> None:
        while True:
            await self._event.wait()
            self._event.clear()
            while self._events:
                await self._tell(self._events.popleft())

    async def _tell(self, change: Change) -> None:
        try:
            await self.puller.ask(
                f"event.{change.code}",
                code=change.code,
                what=str(change.what),
                component=change.alarm.component,
                severity=str(change.alarm.severity),
                at=change.at.at.isoformat(timespec="milliseconds"),
            )
        except HookError as error:
            log.debug("event=event_hook_failed code=%s finding=%s", change.code, error.finding.word)


def _uid(name: str) -> int:
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise OperatorError(
            "config.unknown_name",
            f"[[hook]] push names the user {name!r}, which this terminal does not have",
            "create it, correct it, or give its number",
        ) from None
