"""The outbox as a connection sees it: alarms and money at once, the rest at its pace.

Knows the outbox, the pace, and whether readings may leave at all; refuses to know connections. The
conversation takes rows from here as if it were the outbox itself. What must wait for its turn is a
single wake-up, set when there is something to wait for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from agent.clock import Clock
from agent.core.fleet.messages import Priority
from agent.core.fleet.pace import Pace
from agent.record import dataclass
from agent.telemetry.ports import Outbox, Row

#: TLS, TCP and IP around one PUBLISH and its PUBACK, with a topic of 40 bytes; as measured.
PACKET_BYTES = 253
#: Around the recorded bytes in a PUBLISH: headers, the longest topic, number and outbox.
ENVELOPE_BYTES = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What may leave beside alarms, money and answers."""

    readings: Callable[[], bool] = lambda: True
    history: Callable[[], bool] = lambda: True


class Feeder:
    """Over one outbox. `wake`: something may be taken now."""

    def __init__(
        self, outbox: Outbox, clock: Clock, pace: Pace, allowed: Allowed, wake: Callable[[], None]
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._pace = pace
        self._allowed = allowed
        self._wake = wake
        self._turn: asyncio.TimerHandle | None = None

    @property
    def unsent(self) -> int:
        """Rows that are not in flight."""
        return self._outbox.unsent

    async def identity(self, counters_id: str) -> str:
        """Within which name `seq` never repeats."""
        return await self._outbox.identity(counters_id)

    def connected(self, packet_bytes: int = 0) -> None:
        """A connection stands: readings that waited for it are history.

        `packet_bytes`: the broker takes none larger; 0: it named no limit.
        """
        most_bytes = max(1, packet_bytes - ENVELOPE_BYTES) if packet_bytes else 0
        self._outbox.reconnected(most_bytes)

    async def take(self, limit: int) -> Sequence[Row]:
        """What may be sent now. They are in flight from now on."""
        now = self._clock.now()
        readings = self._allowed.readings()
        free = self._pace.free(now.boot_ms)
        rows = await self._outbox.take(
            limit,
            readings=int(free and readings),
            history=self._allowed.history(),
            now_ms=now.wall_ms,
        )
        paced = 0
        for row in rows:
            urgent = row.priority < Priority.READING
            paced += not urgent
            self._pace.spent(now.boot_ms, len(row.body) + PACKET_BYTES, urgent=urgent)
        # A pace that was free and found nothing: what is left may not leave now.
        if readings and self._outbox.unsent and (paced or not free):
            self._wait((self._pace.free_ms - now.boot_ms) / 1000)
        return rows

    async def done(self, seqs: Sequence[int]) -> None:
        """Acknowledged."""
        await self._outbox.done(seqs)

    async def refuse(self, seqs: Sequence[int]) -> None:
        """Nobody will ever take these."""
        await self._outbox.refuse(seqs)

    def release(self) -> None:
        """The connection is gone: everything in flight is to be sent again."""
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        self._outbox.release()

    def _wait(self, seconds: float) -> None:
        if self._turn is None:
            self._turn = asyncio.get_running_loop().call_later(max(0.001, seconds), self._now)

    def _now(self) -> None:
        self._turn = None
        self._wake()
