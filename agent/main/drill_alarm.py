"""Puts a drill's alarm on this terminal's own list, and sees it raised and cleared there.

It passes through the tracker, the list, the history and the fleet as every alarm does, under a code
of its own that says it is a drill. It hides and delays no other. Called by the course of a drill,
read by the watcher `drill`; whoever dies in the middle leaves nothing that stands: a new process
says that no sink is silent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

from agent.clock import Clock
from agent.core.health.reading import Value
from agent.core.health.standard_drill import DRILL_ALARM
from agent.core.health.tracker import Alarm

#: How long the list may take; right after a start nothing is shown for some seconds.
LISTED_S = 30.0
#: Long enough to be seen on a screen.
STANDS_S = 2.0
LOOK_S = 0.1
COMPONENT = "drill"


class Health(Protocol):
    """The terminal's alarms, and who has a component read at once."""

    def alarms(self) -> Sequence[Alarm]: ...
    def poke(self, component: str) -> None: ...


class DrillAlarm:
    """The alarm of the drill under way."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._health: Health | None = None
        self._about: dict[str, Value] = {}

    def equip(self, health: Health) -> None:
        """Where it is raised."""
        self._health = health

    def values(self) -> dict[str, Value]:
        """What the watcher of drills says of it."""
        return {"sink_silent": bool(self._about), **self._about}

    async def raised(self, number: int, records: int) -> dict[str, Value]:
        """Raise it; when it was listed, `good`: whether it was."""
        self._about = {"number": number, "records": records}
        told = await self._until(listed=True, word="raised_at")
        if told["good"]:
            await asyncio.sleep(STANDS_S)
        return told

    async def cleared(self) -> dict[str, Value]:
        """Let it end; when it was gone from the list."""
        self._about = {}
        return await self._until(listed=False, word="cleared_at")

    def over(self) -> None:
        """Nothing of it may stand any longer, whatever happened."""
        if self._about and self._health is not None:
            self._about = {}
            self._health.poke(COMPONENT)

    async def _until(self, *, listed: bool, word: str) -> dict[str, Value]:
        loop = asyncio.get_running_loop()
        began_s = asked_s = loop.time()
        if self._health is None:
            return {"good": False, "reason": "nobody keeps an alarm list"}
        self._health.poke(COMPONENT)
        while self._listed() is not listed:
            now_s = loop.time()
            if now_s - began_s > LISTED_S:
                reason = "not on the alarm list" if listed else "still on the alarm list"
                return {"good": False, "listed": DRILL_ALARM, "reason": reason}
            if now_s - asked_s > 1.0:
                self._health.poke(COMPONENT)
                asked_s = now_s
            await asyncio.sleep(LOOK_S)
        at = self._clock.now().at.astimezone().isoformat(timespec="seconds")
        return {"good": True, "listed": DRILL_ALARM, word: at}

    def _listed(self) -> bool:
        assert self._health is not None
        return any(one.code == DRILL_ALARM and one.shown_at for one in self._health.alarms())
