"""Turns facts into rows of the outbox: what is worth telling the fleet, and when.

Works the same with and without a broker; `telemetry.publisher` sends what this leaves behind. One
timer looks at the backlog and the readings; alarms come by themselves and go out at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

from agent.core.fleet import messages
from agent.core.fleet.budget import Step
from agent.core.fleet.deltas import Readings
from agent.core.fleet.messages import (
    ChangeFacts,
    EventMessage,
    HealthMessage,
    Identity,
    Message,
    Priority,
)
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.errors import StoreError
from agent.record import dataclass
from agent.telemetry.gate import Gate
from agent.telemetry.keeping import Keeping
from agent.telemetry.money import Money
from agent.telemetry.ports import Outbox
from agent.telemetry.presence import Presence
from agent.telemetry.sources import Sources
from agent.telemetry.spending import Spending
from agent.wire import mqtt

__all__ = ["GLANCE_S", "MAX_PENDING", "Recorder", "Sources", "split"]

log = logging.getLogger(__name__)

#: How often the backlog is looked at (the counts are maintained, looking is free).
GLANCE_S = 60.0
#: Events kept in memory while the store refuses; each is a few hundred bytes.
MAX_PENDING = 1_000
#: The reading that says what is still told.
STEP = "fleet_budget_step"


@dataclass(slots=True)
class _Due:
    """What is due: boot times of the periodic reports (0: at the next look), and what changed."""

    health_ms: int = 0
    lost_told: int = 0
    gathered: int = 0
    dropped: int = 0  #: events given up while the store refused; not counted by it yet


class Recorder:
    """Records; calls `wake` whenever something new waits to be sent."""

    def __init__(
        self,
        spending: Spending,
        sources: Sources,
        outbox: Outbox,
        identity: Identity,
        wake: Callable[[], None],
    ) -> None:
        self._spending = spending
        self._sources = sources
        self._keeping = Keeping(outbox, sources.clock, wake)
        self._presence = Presence(identity, self._keeping, sources, spending, self.glance_s)
        self._pending: deque[Message] = deque()
        self._flushing = asyncio.Lock()
        self._readings = Readings()
        stuck_after_s = min(GLANCE_S, spending.periods().backlog_s)
        self._money = Money(sources, self._keeping, stuck_after_s, self._repeat_s)
        self._due = _Due()
        self._tally = messages.Tally()

    @property
    def glance_s(self) -> float:
        """How often `report` wants to be called."""
        periods = self._spending.periods()
        return min(GLANCE_S, periods.health_s, periods.backlog_s)

    @property
    def gate(self) -> Gate:
        """Looks at everything that is kept for sending."""
        return self._keeping.gate

    def heed(self, changes: Sequence[ChangeFacts]) -> None:
        """Alarms changed. Called synchronously by the health tracker; must not fail."""
        told = (messages.event(change, self._tally.count(change)) for change in changes)
        events = [message for message in told if message]
        if not events:
            return
        self._pending.extend(events)
        while len(self._pending) > MAX_PENDING:
            self._pending.popleft()
            self._due.dropped += 1
            log.debug("event=event_dropped reason=store_refuses")
        self._money.changed()  # what an alarm is about may be what payments wait for
        self._keeping.wake()

    def money(self) -> None:
        """A payment moved on. Called synchronously by the store's feed."""
        self._money.changed()

    @property
    def identity(self) -> Identity:
        """Who we are, as far as is known."""
        return self._presence.identity

    def introduce(self, identity: Identity | None = None) -> None:
        """Tell who we are at the next look: something changed, or the broker may not know."""
        self._presence.anew(identity)
        if identity is None:
            self._money.anew()

    def moved(self) -> None:
        """Another channel carries: what it is, and what waited for it, is told at the next look."""
        self._due.health_ms = min(self._due.health_ms, self._sources.clock.now().boot_ms)

    def stop(self) -> None:
        """No more wake-ups."""
        self._money.stop()

    async def flush(self) -> bool:
        """Put what `heed` collected on disk; False while the store refuses."""
        # The timer and the conversation both come here: without a lock an event is put twice.
        async with self._flushing:
            while self._pending:
                batch = [self._pending.popleft() for _ in range(min(100, len(self._pending)))]
                kept = False
                try:
                    kept = await self._keeping.put(*batch)
                finally:
                    if not kept:
                        self._pending.extendleft(reversed(batch))
                if not kept:
                    return False
            if self._money.due:
                await self._money.look(self._sources.clock.now())
        return not self._money.due

    async def tell(self, message: Message) -> bool:
        """Any message, before all readings; True when it is kept, False while the store refuses.

        Events keep their place behind those that came before them.
        """
        if not isinstance(message, EventMessage):
            return await self._keeping.put(message, priority=Priority.NOW)
        await self.flush()
        return not self._pending and await self._keeping.put(message)

    async def report(self) -> None:
        """One look at everything periodic."""
        at = self._sources.clock.now()
        if (before := await self._spending.look(at)) is not None:
            await self._step_changed(before, at)
        await self.flush()
        await self._count_dropped()
        await self._presence.introduce(at)
        await self._money.look(at)
        await self._report_health(at)
        await self._presence.beat(at)

    async def _step_changed(self, before: Step, at: Moment) -> None:
        now = self._spending.step
        if now is Step.FULL or before is Step.ALARMS_AND_MONEY:
            self._catch_up(at)
        elif now is Step.ALARMS_AND_MONEY:
            # The alarm of the first step stands; of this one no later reading will tell.
            last: dict[str, Value] = {STEP: str(now)}
            if await self._presence.say(at, last):
                known = self._readings
                known.told(last, known.alarms, known.acknowledged, full=False)
        self._keeping.wake()  # what was held back may leave now

    async def _count_dropped(self) -> None:
        dropped = self._due.dropped
        if not dropped:
            return
        try:
            await self._keeping.outbox.lose(dropped)
        except StoreError as error:
            log.debug("event=outbox_refused code=%s kind=count", error.code)
            return
        self._due.dropped -= dropped

    def _repeat_s(self) -> float | None:
        return None if self._presence.silent else self._spending.periods().backlog_s

    def _catch_up(self, at: Moment) -> None:
        """Tell everything at this look: the fleet's picture is not of today."""
        self._due.health_ms = min(self._due.health_ms, at.boot_ms)
        self._readings.full_due_ms = 0

    async def _report_health(self, at: Moment) -> None:
        due, outbox = self._due, self._keeping.outbox
        if not due.health_ms:
            # The watchers have just started as well: let them speak before the first full report.
            due.health_ms = at.boot_ms + round(self.glance_s * 1000)
            return
        if self._presence.silent:
            return  # every byte is paid for: they are told when the main channel is back
        if outbox.gathered != due.gathered:
            due.gathered = outbox.gathered
            self._catch_up(at)  # readings went as history: what is true now is told at once
        now = messages.readings(self._sources.health.components())
        standing = self._sources.health.alarms()
        alarms, noted = messages.root_alarms(standing), messages.acknowledged(standing)
        if at.boot_ms < due.health_ms or not (now or alarms):
            return
        # A thinned outbox has lost deltas: only a full report is true again.
        lost = outbox.stats.lost
        full = at.boot_ms >= self._readings.full_due_ms or lost != due.lost_told
        fields = now if full else self._readings.difference(now)
        news = alarms if full or alarms != self._readings.alarms else None
        taken = (noted or None) if full else _news(noted, self._readings.acknowledged)
        periods = self._spending.periods()
        if not full and not fields and news is None and taken is None:
            due.health_ms = at.boot_ms + round(periods.health_s * 1000)
            return
        parts = split(
            at,
            full=full,
            alarms=news,
            fields=fields,
            acknowledged=taken,
            most_bytes=outbox.most_bytes or mqtt.MAX_BYTES,
        )
        if not await self._keeping.put(*parts):
            return
        self._readings.told(fields, alarms, noted, full=full)
        due.health_ms = at.boot_ms + round(periods.health_s * 1000)
        due.lost_told = lost
        if full:
            self._readings.full_due_ms = at.boot_ms + round(periods.full_s * 1000)


def _news(now: tuple[str, ...], told: tuple[str, ...]) -> tuple[str, ...] | None:
    return None if now == told else now


def split(
    at: Moment,
    *,
    full: bool,
    alarms: tuple[str, ...] | None,
    fields: dict[str, Value],
    acknowledged: tuple[str, ...] | None = None,
    most_bytes: int = mqtt.MAX_BYTES,
) -> list[HealthMessage]:
    """The readings as messages none of which is too large; only the first of a full is `full`."""
    whole = HealthMessage(
        ts=at.wall_ms,
        clock_suspect=None if at.trusted else True,
        full=full,
        alarms=alarms,
        acknowledged=acknowledged,
        fields=fields,
    )
    if len(mqtt.encode(whole)) <= min(most_bytes, mqtt.MAX_BYTES) or len(fields) < 2:
        return [whole]
    names = sorted(fields)
    first, second = (
        {name: fields[name] for name in half}
        for half in (names[: len(names) // 2], names[len(names) // 2 :])
    )
    return [
        *split(
            at,
            full=full,
            alarms=alarms,
            fields=first,
            acknowledged=acknowledged,
            most_bytes=most_bytes,
        ),
        *split(at, full=False, alarms=None, fields=second, most_bytes=most_bytes),
    ]
