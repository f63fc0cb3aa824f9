"""The unsent money, told when it is news: within a second of what makes it so.

Looks when the store tells of a change and when the oldest payment becomes old enough to count as
stuck – one wake-up, set for that moment –, and at the recorder's glance as a net below both. Each
look reads sums the journal keeps. What an edge is decides `core.fleet.deltas`.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import Lock
from collections.abc import Callable

from agent.core.fleet import messages
from agent.core.fleet.deltas import BacklogEdges
from agent.core.fleet.messages import Priority
from agent.core.moment import Moment
from agent.errors import StoreError
from agent.telemetry.keeping import Keeping
from agent.telemetry.sources import Sources

log = logging.getLogger(__name__)

#: Changes are looked at together: a payment makes five of them within a second.
TOGETHER_S = 0.5


class Money:
    """`wake` leads to `look` being called soon."""

    def __init__(
        self,
        sources: Sources,
        keeping: Keeping,
        stuck_after_s: float,
        repeat_s: Callable[[], float | None],
    ) -> None:
        """`repeat_s`: how often to say again that money is unsent; None: not now."""
        self._sources = sources
        self._keeping = keeping
        self._edges = BacklogEdges(stuck_after_s)
        self._repeat_s = repeat_s
        self._repeat_ms = 0
        self._soon: asyncio.TimerHandle | None = None
        self._crossing: asyncio.TimerHandle | None = None
        self.due = False
        self._looking = Lock()
        self._anew = False

    def anew(self) -> None:
        """Tell it at the next look, news or not: the broker may have forgotten what it kept."""
        self._anew = True

    def changed(self) -> None:
        """A payment moved on, or what stops payments did."""
        if self._edges.known and self._soon is None and not self.due:
            self._soon = asyncio.get_running_loop().call_later(TOGETHER_S, self._look_now)

    async def look(self, at: Moment) -> None:
        """Tell what is news. `due` stays true while the store refuses."""
        # The timer and the connection both come here: the later look has to have the newer facts.
        async with self._looking:
            self.due = False
            if not await self._told(at):
                self.due = True

    async def _told(self, at: Moment) -> bool:
        try:
            facts = await self._sources.backlog()
            facts = messages.blocked(facts, self._sources.blocking_cause())
        except StoreError as error:
            log.debug("event=backlog_unreadable code=%s", error.code)
            return False
        self._wait(self._edges.crosses_in_s(facts, at))
        edge = self._edges.edge(facts, at) or self._anew
        lasting = self._edges.lasting(facts, at)
        repeat_s = self._repeat_s()
        again = lasting and repeat_s is not None and at.boot_ms >= self._repeat_ms
        if not edge and not again:
            return True
        sources = self._sources
        message = messages.backlog(facts, at, sources.next_attempt_ms(), sources.channel())
        priority = Priority.NOW if edge else Priority.READING
        if not await self._keeping.put(message, priority=priority):
            return False
        self._edges.told(facts, at)
        self._anew = False
        self._repeat_ms = at.boot_ms + round((repeat_s or 0) * 1000)
        return True

    def stop(self) -> None:
        """Nothing wakes anybody any more."""
        self._wait(None)
        if self._soon is not None:
            self._soon.cancel()
            self._soon = None

    def _wait(self, seconds: float | None) -> None:
        """For the oldest payment to become old."""
        if self._crossing is not None:
            self._crossing.cancel()
            self._crossing = None
        if seconds is not None:
            loop = asyncio.get_running_loop()
            self._crossing = loop.call_later(seconds, self._look_now)

    def _look_now(self) -> None:
        self._soon = None
        self.due = True
        self._keeping.wake()
