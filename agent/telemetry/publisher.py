"""The part `telemetry`: records what the fleet should know and, given a broker, tells it.

Not fatal: if it crashes it is restarted alone, with nothing lost but what was not yet recorded.
Without an endpoint everything is recorded and bounded all the same, for the day there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from agent.clock import Clock
from agent.core.fleet.messages import Identity
from agent.record import dataclass
from agent.telemetry.conversation import Conversation, Figures, Line
from agent.telemetry.ports import Counters, HealthView, Outbox, Timers
from agent.telemetry.recorder import Recorder, Sources

log = logging.getLogger(__name__)

#: One step is a few transactions; beyond this the store or we hang.
STUCK_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Telemetry as `status` shows it."""

    configured: bool
    connected: bool
    endpoint: str
    protocol: str
    queued: int
    queued_bytes: int
    lost: int  #: rows given up because the outbox was full or the broker refuses them
    alarm: str  #: `broker.not_authorised`, `broker.duplicate_id` or ""
    last_error: str  #: code of the last failure while not connected, else ""
    last_reason: str
    connects: int
    sent_messages: int
    sent_bytes: int
    tls_resumed: bool


class Publisher:
    """Ties recorder and conversation to the daemon."""

    name = "telemetry"
    fatal = False

    def __init__(
        self,
        line: Line,
        *,
        outbox: Outbox,
        counters: Counters,
        timers: Timers,
        sources: Sources,
        identity: Identity,
    ) -> None:
        self._line = line
        self._outbox = outbox
        self._counters = counters
        self._clock: Clock = sources.clock
        self._figures = Figures()
        self._conversation: Conversation | None = None
        self._news = asyncio.Event()
        self._recorder = Recorder(line.settings, sources, outbox, identity, self._woken)
        health: HealthView = sources.health
        health.subscribe(self._recorder.heed)
        timers.every(self._recorder.glance_s, "telemetry", self._recorder.report)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then says goodbye to the broker within two seconds."""
        waker = asyncio.create_task(self._wake_on(stop))
        try:
            if self._line.settings.endpoints:
                await self._talk(stop)
            else:
                log.info("event=telemetry_local reason=no_endpoint_configured")
                await self._record_only(stop)
            await self._recorder.flush()
        finally:
            waker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waker

    def beat(self, now_ms: int) -> str:
        """Whether the last step ended in time."""
        since_ms = self._conversation.busy_since_ms if self._conversation else None
        if since_ms is None or now_ms - since_ms < STUCK_MS:
            return ""
        return f"telemetry: one step has taken {(now_ms - since_ms) // 1000} s"

    def view(self) -> View:
        """For `status`."""
        figures, stats = self._figures, self._outbox.stats
        session = self._conversation.session if self._conversation else None
        return View(
            configured=bool(self._line.settings.endpoints),
            connected=session is not None and session.granted is not None,
            endpoint=figures.endpoint,
            protocol=figures.dialect,
            queued=stats.rows,
            queued_bytes=stats.body_bytes,
            lost=stats.lost,
            alarm=session.alarm if session else "",
            last_error=figures.last_error,
            last_reason=figures.last_reason,
            connects=figures.connects,
            sent_messages=figures.sent_messages,
            sent_bytes=figures.sent_bytes,
            tls_resumed=figures.trust is not None and figures.trust.reused,
        )

    @property
    def identity(self) -> Identity:
        """Who we are, as the fleet is told."""
        return self._recorder.identity

    def introduce(self, identity: Identity) -> None:
        """Terminals, merchants, devices, versions or the site changed: tell the fleet."""
        self._recorder.introduce(identity)

    def moved(self, switch: object = None) -> None:
        """Everything leaves by another channel from now on."""
        del switch
        if self._conversation is not None:
            self._conversation.moved()
        self._recorder.moved()

    async def _talk(self, stop: asyncio.Event) -> None:
        conversation = Conversation(
            self._line, self._outbox, self._counters, self._clock, self._figures
        )
        self._conversation = conversation
        try:
            await conversation.run(stop, self._recorder.flush, self._recorder.introduce)
        finally:
            self._conversation = None

    async def _record_only(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._news.clear()
            await self._recorder.flush()
            await self._news.wait()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._woken()

    def _woken(self) -> None:
        self._news.set()
        if self._conversation is not None:
            self._conversation.wake()
