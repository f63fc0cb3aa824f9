"""The part `updates` as long as there is none: installing is loaded when there is something to.

What was begun before is in a file of the state directory; without it, without a manifest in force
and without anybody's word there is nothing to decide. Everything else is `updates`. Called by
`agent.watch.software.room` and by the watcher.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from agent.watch.software.ledger_file import begun

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from agent.blocking import Blocking
    from agent.core.health.reading import Value
    from agent.core.money.journal import Record
    from agent.core.software.update import Update, Verb
    from agent.watch.software.updates import Request, Updates
    from agent.watch.software.watcher import View

LOOK_S = 30.0


class Installing:
    """The updates of this terminal, or nothing yet."""

    name = "updates"
    fatal = False

    def __init__(self, state_dir: Path, blocking: Blocking, build: Callable[[], Updates]) -> None:
        self._state_dir = state_dir
        self._blocking = blocking
        self._build = build
        self._none_begun = False  #: looked, and there is no file
        self._needed = asyncio.Event()
        self._updates: Updates | None = None

    def updates(self) -> Updates:
        """The real thing, from now on."""
        if self._updates is None:
            self._updates = self._build()
            if self._none_begun:
                self._updates.none_begun()
            self._needed.set()
        return self._updates

    # -- what others see ------------------------------------------------------------------------

    def history(self) -> list[Update]:
        """All that are remembered, the newest first."""
        return [] if self._updates is None else self._updates.history()

    def last(self, component: str) -> Update | None:
        """The last update of a component."""
        return None if self._updates is None else self._updates.last(component)

    def shown(self) -> Mapping[str, Value]:
        """What a reading says of the update under way, or of the last one."""
        if self._updates is None:
            return {"update_state": "none", "update_waiting": "no"}
        return self._updates.shown()

    def consider(self, view: View) -> None:
        """Something was read; perhaps there is an update to begin."""
        if self._updates is not None or view.verdict.in_force is not None:
            self.updates().consider(view)

    def heed(self, record: Record) -> None:
        """A payment is over: perhaps it was the one an update waited for."""
        if self._updates is not None:
            self._updates.heed(record)

    async def begin(self, request: Request, actor: str) -> Update:
        """Take a technician's word. Raises RequestError saying why not."""
        return await self.updates().begin(request, actor)

    async def end(self, name: str, verb: Verb, actor: str) -> Update:
        """A person's word on the one under way. Raises RequestError."""
        return await self.updates().end(name, verb, actor)

    # -- the part -------------------------------------------------------------------------------

    async def run(self, stop: asyncio.Event) -> None:
        """Wait until there is something to install, then as `Updates.run`."""
        if not self._needed.is_set():
            await self._look()
        stopped = asyncio.create_task(stop.wait(), name="updates.stop")
        needed = asyncio.create_task(self._needed.wait(), name="updates.needed")
        try:
            await asyncio.wait({stopped, needed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (stopped, needed):
                task.cancel()
            await asyncio.wait({stopped, needed})
        if self._updates is not None and not stop.is_set():
            await self._updates.run(stop)

    async def _look(self) -> None:
        there = await self._blocking.call("updates.look", lambda: begun(self._state_dir), LOOK_S)
        self._none_begun = not there
        if there:
            self.updates()
        elif self._updates is not None:  # made while the disk was looked at
            self._updates.none_begun()

    def beat(self, now_ms: int) -> str:
        """As `Updates.beat`."""
        return "" if self._updates is None else self._updates.beat(now_ms)
