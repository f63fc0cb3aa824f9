"""The part `telemetry`: records what the fleet should know and, given a broker, tells it.

Not fatal: if it crashes it is restarted alone, with nothing lost but what was not yet recorded.
Without an endpoint everything is recorded and bounded all the same, for the day there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from agent.clock import Clock
from agent.core.fleet.budget import Step
from agent.core.fleet.messages import Identity, Message
from agent.core.fleet.pace import Pace
from agent.core.fleet.session import DUPLICATE_ID, NOT_AUTHORISED
from agent.core.health.reading import Value
from agent.record import dataclass
from agent.telemetry.conversation import Conversation, Figures, Line
from agent.telemetry.feeder import Allowed, Feeder
from agent.telemetry.ports import Counters, HealthView, Outbox, Timers
from agent.telemetry.recorder import Recorder
from agent.telemetry.sources import Sources
from agent.telemetry.spending import Spending, Standing

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
    keepalive_s: int = 0  #: silence after which the broker is asked; 0: not connected
    new_certificate: str = ""  #: `trial`, `refused` or ""
    spent_today_bytes: int = 0  #: on the wire, both directions
    spent_is_estimate: bool = False
    budget_kb: int = 0  #: what a day may cost here; 0: no limit
    budget_step: str = ""  #: what is still told
    thinned: int = 0  #: readings folded into later ones
    withheld: int = 0  #: fields and messages that may not leave, since the start


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
        self._turn = asyncio.Event()  # this run of the conversation is to end
        self._spending = Spending(
            line.settings,
            line.meter,
            self._figures,
            line.notes,
            Standing(keepalive_s=self._keepalive_s, paid=lambda: line.network().paid),
        )
        sources = replace(sources, connected=self._connected)
        self._recorder = Recorder(self._spending, sources, outbox, identity, self._woken)
        self._feeder = self._paced(sources)
        health: HealthView = sources.health
        health.subscribe(self._recorder.heed)
        timers.every(self._recorder.glance_s, "telemetry", self._recorder.report)

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; then says goodbye to the broker within two seconds."""
        waker = asyncio.create_task(self._wake_on(stop))
        booting = True
        try:
            while not stop.is_set():
                self._turn.clear()
                if self._line.endpoints:
                    await self._talk(self._turn, booting=booting)
                else:
                    log.info("event=telemetry_local reason=no_endpoint_configured")
                    await self._record_only(self._turn)
                booting = False
            await self._recorder.flush()
            await self._spending.look(self._clock.now())
            await self._spending.write()
        finally:
            self._recorder.stop()
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
        conversation, account = self._conversation, self._spending.account
        session = conversation.session if conversation else None
        return View(
            configured=bool(self._line.endpoints),
            connected=self._connected(),
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
            tls_resumed=figures.pairs(self._line).resumed,
            keepalive_s=self._keepalive_s(),
            new_certificate=figures.pairs(self._line).state,
            spent_today_bytes=account.spent_bytes,
            spent_is_estimate=account.estimated_bytes > 0,
            budget_kb=self._spending.budget_kb,
            budget_step=str(account.step),
            thinned=stats.thinned,
            withheld=self._recorder.gate.withheld,
        )

    def standing(self) -> Mapping[str, Value] | None:
        """The line as the component `fleet` reads it; None: there is no line."""
        if not self._line.endpoints:
            return None
        view, refused = self.view(), self._figures.subscribed is False
        reason = view.last_reason or ("the subscription was refused" if refused else "")
        return {
            "connected": view.connected,
            "endpoint": view.endpoint,
            "protocol": view.protocol,
            "duplicate_id": view.alarm == DUPLICATE_ID,
            "not_authorised": refused or view.alarm == NOT_AUTHORISED,
            "new_certificate": view.new_certificate or None,
            "error": view.last_error or None,
            "reason": reason or None,
            "outbox_lost": view.lost,
            "withheld": self._recorder.gate.withheld,
            **self._spending.values(),
        }

    def watch(self, changed: Callable[[], object]) -> None:
        """`changed` is called when `standing` has something new."""
        self._figures.changed = changed

    @property
    def identity(self) -> Identity:
        """Who we are, as the fleet is told."""
        return self._recorder.identity

    def introduce(self, identity: Identity) -> None:
        """Terminals, merchants, devices, versions or the site changed: tell the fleet."""
        self._recorder.introduce(identity)

    def money(self, record: object = None) -> None:
        """A payment moved on: whether that is news is looked at within a second."""
        del record
        self._recorder.money()

    async def tell(self, message: Message) -> bool:
        """Send any message, before all readings. True: it is kept until the broker has it."""
        return await self._recorder.tell(message)

    def moved(self, switch: object = None) -> None:
        """Everything leaves by another channel from now on."""
        del switch
        if self._conversation is not None:
            self._conversation.moved()
        self._recorder.moved()

    def renewed(self) -> None:
        """A new certificate lies beside the one in force: connect anew, with it."""
        self._turn_over()

    def _keepalive_s(self) -> int:
        """0: no connection stands."""
        return 0 if self._conversation is None else self._conversation.keepalive_s

    def _connected(self) -> bool:
        session = self._conversation.session if self._conversation else None
        return session is not None and session.granted is not None

    def _paced(self, sources: Sources) -> Feeder:
        settings, spending = self._line.settings, self._spending

        def readings() -> bool:
            return not sources.thrifty() and spending.step is not Step.ALARMS_AND_MONEY

        def history() -> bool:
            return spending.step is Step.FULL

        pace = Pace(settings.drain_messages_per_s, settings.drain_bytes_per_s)
        allowed = Allowed(readings=readings, history=history)
        return Feeder(self._outbox, self._clock, pace, allowed, self._woken)

    def _turn_over(self) -> None:
        self._turn.set()
        self._woken()

    async def _talk(self, stop: asyncio.Event, *, booting: bool) -> None:
        conversation = Conversation(
            self._line, self._feeder, self._counters, self._clock, self._figures
        )
        self._conversation = conversation
        try:
            await conversation.run(
                stop, self._recorder.flush, self._recorder.introduce, booting=booting
            )
        finally:
            self._conversation = None

    async def _record_only(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._news.clear()
            await self._recorder.flush()
            await self._news.wait()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._turn_over()

    def _woken(self) -> None:
        self._news.set()
        if self._conversation is not None:
            self._conversation.wake()
