"""Who we are, and that we are there: `info`, and a sign of life where nothing else is told.

A terminal says in `info` how long it is silent at most while it is well (`heartbeat_s`), so that
whoever listens can tell a quiet terminal from one that is gone. Any message is a sign; only where
none was kept for that long an empty delta of `health` goes out, past everything that may be held
back. While bytes are short it comes more rarely, and `info` says so first. Without a connection
there is none: it would only be told when it is no longer true.
"""

from __future__ import annotations

import math
from dataclasses import replace

from agent.core.fleet import messages
from agent.core.fleet.budget import RARER, Step
from agent.core.fleet.messages import HealthMessage, Identity, Priority
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.telemetry.keeping import Keeping
from agent.telemetry.sources import Sources
from agent.telemetry.spending import Spending

#: Timers run on a grid of five seconds, and a message takes its time.
GRID_S, LEAST_S = 5.0, 10


class Presence:
    """Of one terminal. `glance_s`: how often it is looked at."""

    def __init__(
        self,
        identity: Identity,
        keeping: Keeping,
        sources: Sources,
        spending: Spending,
        glance_s: float,
    ) -> None:
        self.identity = identity
        self._keeping = keeping
        self._sources = sources
        self._spending = spending
        self._glance_s = glance_s
        self._introduced: Identity | None = None

    @property
    def silent(self) -> bool:
        """Whether every byte is needed for alarms and money."""
        return self._sources.thrifty() or self._spending.step is Step.ALARMS_AND_MONEY

    @property
    def heartbeat_s(self) -> int:
        """The longest silence: a sign of life is due at the first look after its period."""
        return max(LEAST_S, math.ceil(self._period_s + self._glance_s))

    @property
    def _period_s(self) -> float:
        saving = self.silent or self._spending.step is Step.FEWER_READINGS
        return max(GRID_S, self._spending.configured.health_s * (RARER if saving else 1))

    def anew(self, identity: Identity | None = None) -> None:
        """Introduce us at the next look: something changed, or the broker may not know."""
        self.identity = identity or self.identity
        self._introduced = None

    async def introduce(self, at: Moment) -> None:
        """Say who we are, where that is not known."""
        identity = replace(self.identity, heartbeat_s=self.heartbeat_s)
        if self._introduced != identity and await self._keeping.put(messages.info(identity, at)):
            self._introduced = identity

    async def beat(self, at: Moment) -> None:
        """A sign of life, where nothing was told for a period."""
        last_ms = self._keeping.put_ms
        due = last_ms is None or at.boot_ms - last_ms >= self._period_s * 1000
        if due and self._sources.connected():
            await self.say(at, {})

    async def say(self, at: Moment, fields: dict[str, Value]) -> bool:
        """A delta that is not held back."""
        message = HealthMessage(
            ts=at.wall_ms,
            clock_suspect=None if at.trusted else True,
            full=False,
            alarms=None,
            fields=fields,
        )
        return await self._keeping.put(message, priority=Priority.EVENT)
