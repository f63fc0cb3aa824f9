"""Turns facts into rows of the outbox: what is worth telling the fleet, and when.

Works the same with and without a broker; `telemetry.publisher` sends what this leaves behind. One
timer looks at the backlog and the readings; alarms come by themselves and go out at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from agent.clock import Clock
from agent.config.telemetry import Telemetry
from agent.core.fleet import messages
from agent.core.fleet.deltas import BacklogEdges, Readings
from agent.core.fleet.messages import (
    ChangeFacts,
    HealthMessage,
    Identity,
    Message,
    Priority,
)
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.core.money.journal import Backlog
from agent.errors import StoreError
from agent.record import dataclass
from agent.telemetry.ports import HealthView, Outbox
from agent.wire import mqtt

log = logging.getLogger(__name__)

#: How often the backlog is looked at (the counts are maintained, looking is free).
GLANCE_S = 60.0
#: Events kept in memory while the store refuses; each is a few hundred bytes.
MAX_PENDING = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What is handed to the outbox."""

    kind: str
    priority: int
    retained: bool
    at_ms: int
    body: bytes
    supersedes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where the facts come from."""

    clock: Clock
    health: HealthView
    backlog: Callable[[], Awaitable[Backlog]]
    next_attempt_ms: Callable[[], int | None]
    blocking_cause: Callable[[], str]  #: why the channels send nothing, or ""
    thrifty: Callable[[], bool] = lambda: False  #: only money and alarms should leave now


@dataclass(slots=True)
class _Due:
    """What is due: boot times of the periodic reports (0: at the next look), and what changed."""

    health_ms: int = 0
    backlog_ms: int = 0
    lost_told: int = 0
    introduced: Identity | None = None


class Recorder:
    """Records; calls `wake` whenever something new waits to be sent."""

    def __init__(
        self,
        settings: Telemetry,
        sources: Sources,
        outbox: Outbox,
        identity: Identity,
        wake: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._sources = sources
        self._outbox = outbox
        self._wake = wake
        self._identity: Identity = identity
        self._pending: deque[Message] = deque()
        self._flushing = asyncio.Lock()
        self._readings = Readings()
        self._edges = BacklogEdges(min(GLANCE_S, settings.backlog_period_s))
        self._due = _Due()

    @property
    def glance_s(self) -> float:
        """How often `report` wants to be called."""
        return min(GLANCE_S, self._settings.health_period_s, self._settings.backlog_period_s)

    def heed(self, changes: Sequence[ChangeFacts]) -> None:
        """Alarms changed. Called synchronously by the health tracker; must not fail."""
        events = [message for change in changes if (message := messages.event(change))]
        if not events:
            return
        self._pending.extend(events)
        while len(self._pending) > MAX_PENDING:
            self._pending.popleft()
            log.debug("event=event_dropped reason=store_refuses")
        self._wake()

    @property
    def identity(self) -> Identity:
        """Who we are, as far as is known."""
        return self._identity

    def introduce(self, identity: Identity | None = None) -> None:
        """Tell who we are at the next look: something changed, or the broker may not know."""
        self._identity = identity or self._identity
        self._due.introduced = None

    def moved(self) -> None:
        """Another channel carries: what it is, and what waited for it, is told at the next look."""
        self._due.health_ms = min(self._due.health_ms, self._sources.clock.now().boot_ms)

    async def flush(self) -> bool:
        """Put what `heed` collected on disk; False while the store refuses."""
        # The timer and the conversation both come here: without a lock an event is put twice.
        async with self._flushing:
            while self._pending:
                batch = [self._pending.popleft() for _ in range(min(100, len(self._pending)))]
                kept = False
                try:
                    kept = await self._put([self._item(message) for message in batch])
                finally:
                    if not kept:
                        self._pending.extendleft(reversed(batch))
                if not kept:
                    return False
        return True

    async def report(self) -> None:
        """One look at everything periodic."""
        await self.flush()
        at = self._sources.clock.now()
        if self._due.introduced != self._identity:
            identity = self._identity
            if await self._put([self._item(messages.info(identity, at))]):
                self._due.introduced = identity
        await self._report_backlog(at)
        await self._report_health(at)

    async def _report_backlog(self, at: Moment) -> None:
        try:
            facts = await self._sources.backlog()
            facts = messages.blocked(facts, self._sources.blocking_cause())
        except StoreError as error:
            log.debug("event=backlog_unreadable code=%s", error.code)
            return
        edge = self._edges.edge(facts, at)
        waiting = facts.total.count > 0 or facts.quarantined is None or facts.quarantined.count > 0
        due = waiting and at.boot_ms >= self._due.backlog_ms and not self._sources.thrifty()
        if not edge and not due:
            return
        message = messages.backlog(facts, at, self._sources.next_attempt_ms())
        priority = Priority.NOW if edge else Priority.READING
        if await self._put([self._item(message, priority)]):
            self._edges.told(facts, at)
            self._due.backlog_ms = at.boot_ms + round(self._settings.backlog_period_s * 1000)

    async def _report_health(self, at: Moment) -> None:
        due = self._due
        if not due.health_ms:
            # The watchers have just started as well: let them speak before the first full report.
            due.health_ms = at.boot_ms + round(self.glance_s * 1000)
            return
        if self._sources.thrifty():
            return  # every byte is paid for: they are told when the main channel is back
        now = messages.readings(self._sources.health.components())
        alarms = messages.root_alarms(self._sources.health.alarms())
        if at.boot_ms < due.health_ms or not (now or alarms):
            return
        # A thinned outbox has lost deltas: only a full report is true again.
        lost = self._outbox.stats.lost
        full = at.boot_ms >= self._readings.full_due_ms or lost != due.lost_told
        fields = now if full else self._readings.difference(now)
        news = alarms if full or alarms != self._readings.alarms else None
        if not full and not fields and news is None:
            due.health_ms = at.boot_ms + round(self._settings.health_period_s * 1000)
            return
        bodies = split(at, full=full, alarms=news, fields=fields)
        if not await self._put([self._item(each) for each in bodies]):
            return
        self._readings.told(fields, alarms, full=full)
        due.health_ms = at.boot_ms + round(self._settings.health_period_s * 1000)
        due.lost_told = lost
        if full:
            self._readings.full_due_ms = at.boot_ms + round(self._settings.full_period_s * 1000)

    def _item(self, message: Message, priority: Priority | None = None) -> Kept:
        kind = mqtt.kind_of(message)
        rule = messages.RULES[kind]
        return Kept(
            kind=kind,
            priority=rule.priority if priority is None else priority,
            retained=rule.retained,
            at_ms=message.ts or 0,
            body=mqtt.encode(message),
            supersedes=rule.supersedes,
        )

    async def _put(self, items: Sequence[Kept]) -> bool:
        try:
            await self._outbox.put(items)
        except StoreError as error:
            # The store says loudly that it is ill; here it only means "try again later".
            log.debug("event=outbox_refused code=%s kind=%s", error.code, items[0].kind)
            return False
        self._wake()
        return True


def split(
    at: Moment, *, full: bool, alarms: tuple[str, ...] | None, fields: dict[str, Value]
) -> list[HealthMessage]:
    """The readings as messages none of which is too large; only the first of a full is `full`."""
    whole = HealthMessage(
        ts=at.wall_ms,
        clock_suspect=None if at.trusted else True,
        full=full,
        alarms=alarms,
        fields=fields,
    )
    if len(mqtt.encode(whole)) <= mqtt.MAX_BYTES or len(fields) < 2:
        return [whole]
    names = sorted(fields)
    first, second = (
        {name: fields[name] for name in half}
        for half in (names[: len(names) // 2], names[len(names) // 2 :])
    )
    return [
        *split(at, full=full, alarms=alarms, fields=first),
        *split(at, full=False, alarms=None, fields=second),
    ]
