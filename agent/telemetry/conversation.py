"""Performs one run of the session machine: outbox -> connection, PUBACK -> row deleted.

Decides nothing: `core.fleet.session` does. Knows the outbox, the counters file and the transport,
and brings the time and the jitter. paho is loaded at the first attempt (`telemetry.loading`), so
that a terminal without a broker never has it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.core.fleet.messages import StateMessage
from agent.core.fleet.session import (
    CREDENTIALS,
    MOVED_WHY,
    Acked,
    Action,
    Announce,
    Connect,
    Drop,
    Origin,
    Raise,
    Refused,
    Release,
    Session,
)
from agent.errors import AgentError, StoreError
from agent.record import dataclass
from agent.telemetry.attempt import (
    Closed,
    Delivered,
    Endpoint,
    Greeted,
    Heard,
    Opened,
    Pinged,
    Ponged,
    Puback,
    Subscribed,
    Trust,
)
from agent.telemetry.incoming import Incoming
from agent.telemetry.line import Figures, Line
from agent.telemetry.loading import transport_class
from agent.telemetry.ports import Counters, Row, Waiting
from agent.telemetry.sending import Sending
from agent.telemetry.silence import Silence
from agent.telemetry.twin import Twin

if TYPE_CHECKING:
    from agent.telemetry.transport import Connection, Transport

__all__ = ["Conversation", "Figures", "Line"]

log = logging.getLogger(__name__)

#: How long after a refusing store it is asked again.
STORE_RETRY_S = 5.0
#: Ends of an attempt that mean: not with this certificate.
REFUSALS = ("broker.certificate", "broker.tls", "broker.configuration")
GOODBYE_S = 0.6
CLOSE_S = 0.3


@dataclass(slots=True)
class _Wire:
    """What is there only during one run."""

    sending: Sending
    silence: Silence
    twin: Twin
    transport: Transport | None = None
    connection: Connection | None = None
    trust: Trust | None = None  #: what the attempt shows; None without TLS
    connects: int = 0
    failing: int = 0  #: attempts in a row that ended badly
    leaving: bool = False  #: the end that follows is ours
    moved: bool = False  #: onto another channel, and nothing done about it yet
    outbox_id: str = ""
    forgotten: Callable[[], None] = lambda: None  #: introduce us again
    said: set[int] = field(default_factory=set)  #: packet ids of our own state
    heard: deque[tuple[Connection, Heard]] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, connection: Connection, heard: Heard) -> None:
        """A connection says something."""
        self.heard.append((connection, heard))
        self.news.set()

    def ended(self, figures: Figures, word: str, reason: str, code: int = 0) -> None:
        """An attempt or a connection ended; told, unless we left it."""
        if not self.leaving:
            figures.ended(word, reason, code, again=self.failing > 0)
            self.failing += 1

    def bidden(self, session: Session) -> bool:
        """Whether the broker has our last state."""
        waiting = any(session.unacknowledged(mid) for mid in self.said)
        return self.sending.empty and not waiting


class Conversation:
    """One run of the part. `wake` may be called at any time from the loop."""

    def __init__(
        self,
        line: Line,
        outbox: Waiting,
        counters: Counters,
        clock: Clock,
        figures: Figures,
    ) -> None:
        self.session = Session(line.policy())
        self.busy_since_ms: int | None = None
        self._line = line
        self._outbox = outbox
        self._counters = counters
        self._clock = clock
        self._figures = figures
        self._wire = _Wire(Sending(), Silence(line), Twin(line.scheme))
        self._incoming = Incoming(line.scheme, line.inbox, self._asked)

    @property
    def keepalive_s(self) -> int:
        """After how much silence the broker is asked now; 0: not connected."""
        return 0 if self.session.granted is None else self._wire.silence.machine.interval_s

    @property
    def _limit(self) -> int:
        granted = self.session.granted
        return 0 if granted is None else granted.max_packet_bytes

    def wake(self) -> None:
        """Something new: a row in the outbox, a sign from the broker, the end."""
        self._wire.news.set()

    def moved(self) -> None:
        """Another channel carries from now on: what stands on the old one is given up."""
        self._wire.moved = True
        self._wire.news.set()

    async def run(
        self,
        stop: asyncio.Event,
        flush: Callable[[], Awaitable[bool]],
        forgotten: Callable[[], None],
        *,
        booting: bool = True,
    ) -> None:
        """Talk until `stop`. `flush` records pending events; `forgotten`: introduce us again."""
        self._wire.outbox_id = await self._outbox.identity(self._counters.outbox_id())
        self._wire.forgotten = forgotten
        await self._wire.silence.recall()
        self.session.start(self._now(), random.random() if booting else 0.0)
        taking = asyncio.create_task(self._incoming.run())
        taking.add_done_callback(lambda _: self.wake())
        try:
            while not stop.is_set():
                self._wire.news.clear()
                if taking.done():
                    taking.result()  # raises: a fault in the inbox is not ours to hide
                self.busy_since_ms = self._now()
                well = await self._step(flush)
                self.busy_since_ms = None
                await self._sleep(None if well else STORE_RETRY_S)
            await self._goodbye()
        finally:
            self.busy_since_ms = None
            taking.cancel()
            with suppress(asyncio.CancelledError):
                await taking
            if self._wire.connection is not None:
                self._wire.connection.drop()
            self._outbox.release()

    def _now(self) -> int:
        return self._clock.now().boot_ms

    async def _sleep(self, at_most_s: float | None) -> None:
        wake_at_ms = self.session.wake_at_ms()
        if wake_at_ms is not None:
            due_s = max(0.0, (wake_at_ms - self._now()) / 1000)
            at_most_s = due_s if at_most_s is None else min(at_most_s, due_s)
        try:
            # Not wait_for: before Python 3.12 it swallows a cancellation that meets the wake-up.
            async with asyncio.timeout(at_most_s):
                await self._wire.news.wait()
        except TimeoutError:
            return

    async def _step(self, flush: Callable[[], Awaitable[bool]]) -> bool:
        """Everything that can be done now; False if the store refused."""
        try:
            kept = await flush()
            for action in self._listen():
                await self._perform(action)
            if self._wire.moved:
                self._wire.moved = False
                for action in self.session.moved(self._now(), random.random()):
                    await self._perform(action)
            for action in self.session.tick(self._now(), random.random()):
                await self._perform(action)
            self._pump()  # also while the store refuses: that we are there is no row
            await self._delete()
            await self._feed()
            await self._wire.silence.remember()
            self._figures.keepalive_s = self.keepalive_s
        except StoreError as error:
            # The rows stay; a repeat is recognised by its number. The store itself is loud.
            log.debug("event=telemetry_store_refused code=%s", error.code)
            return False
        return kept

    def _listen(self) -> list[Action]:
        """Feed the machine what the connection said."""
        wire, session = self._wire, self.session
        actions: list[Action] = []
        while wire.heard:
            connection, heard = wire.heard.popleft()
            if connection is not wire.connection:
                continue  # a dropped one that still had something to say
            match heard:
                case Greeted():
                    session.greeted(self._now())
                case Opened(granted=granted):
                    if wire.trust is not None:
                        self._figures.pairs(self._line).accepted(wire.trust)
                    self._figures.stood(wire.failing)
                    wire.failing = 0
                    wire.silence.machine.connected(self._now(), granted.server_keepalive_s)
                    actions += session.connected(self._now(), granted)
                case Puback(mid=mid, code=code):
                    wire.silence.answered(connection, self._now())
                    actions += session.puback(mid, code, self._now(), random.random())
                case Closed():
                    wire.connection = None
                    actions += self._closed(heard)
                case Delivered() if (twin := wire.twin.seen(heard)) is not None:
                    connection.unsubscribe(heard.topic)
                    self._incoming.put(connection, heard)
                    actions += session.twin(self._now(), random.random()) if twin else ()
                case _:
                    self._heed(connection, heard)
        return actions

    def _heed(self, connection: Connection, heard: Heard) -> None:
        """What the machine does not act on."""
        wire = self._wire
        match heard:
            case Delivered():
                self._incoming.put(connection, heard)
            case Subscribed(codes=codes):
                count = len(self._line.scheme.subscriptions)
                refused = [code for code in codes[:count] if code >= 0x80]
                if any(code >= 0x80 for code in codes[count:]):
                    wire.twin.refused()
                self._figures.subscribed = not refused
                if refused:
                    log.warning("event=subscription_refused codes=%s", refused)
                self._figures.changed()
            case Pinged():
                self.session.pinged(self._now())
                wire.silence.machine.sent(self._now())
            case Ponged():
                self.session.ponged()
                wire.silence.answered(connection, self._now())

    def _closed(self, heard: Closed) -> tuple[Action, ...]:
        """The end, as the machine should understand it."""
        wire, code, origin = self._wire, heard.code, heard.origin
        wire.silence.lost()
        wire.twin.ended(heard, established=self.session.granted is not None)
        self._wire.ended(self._figures, heard.word, heard.reason, code)
        if wire.trust is not None and self.session.granted is None:
            # What we could not verify of the broker says nothing about what we showed.
            ours = heard.word in REFUSALS and "VERIFY_FAILED" not in heard.reason
            refused = ours or code in CREDENTIALS
            pairs = self._figures.pairs(self._line)
            if pairs.ended(wire.trust, refused=refused, word=heard.word) and refused:
                code, origin = 0, Origin.NETWORK  # the old pair is still to be tried, and soon
        return self.session.closed(self._now(), code, origin, random.random())

    async def _perform(self, action: Action) -> None:
        wire = self._wire
        match action:
            case Connect():
                await self._connect(action)
            case Announce(session_present=present):
                self._outbox.connected(self._limit)
                if wire.connection is not None:
                    more = wire.twin.question()
                    again = wire.connects > 1 and not more
                    wire.connection.subscribe(
                        [*self._line.scheme.subscriptions, *more], again=again
                    )
                self._say("online")
                if not present and wire.connects > 1:
                    wire.forgotten()
            case Drop(why=why):
                word = "broker.no_answer" if "timeout" in why else "broker.refused"
                self._wire.ended(
                    self._figures, "broker.channel_changed" if why == MOVED_WHY else word, why
                )
                if why != MOVED_WHY:
                    wire.silence.lost()
                if wire.connection is not None:
                    wire.connection.drop()
                    wire.connection = None
            case Release():
                # Nothing is taken before what was acknowledged is deleted: now or, where the store
                # refuses, later. The end of the connection does not wait for that.
                with suppress(StoreError):
                    await self._delete()
                wire.sending.forget()
                self._incoming.forget()
                self._outbox.release()
            case Acked(seq=seq):
                wire.sending.acked(seq)
            case Refused(seq=seq, code=code):
                log.warning("event=message_refused seq=%d code=0x%02x", seq, code)
                wire.sending.refused(seq)
            case Raise(code=code):
                log.error("event=telemetry_alarm code=%s endpoint=%s", code, self._figures.endpoint)
                self._figures.changed()

    async def _connect(self, order: Connect) -> None:
        wire, figures = self._wire, self._figures
        endpoint = Endpoint.parse(self._line.endpoints[order.endpoint])
        figures.endpoint, figures.dialect = str(endpoint), str(order.dialect)
        wire.transport = wire.transport or transport_class()()
        wire.trust = figures.pairs(self._line).choose() if endpoint.tls else None
        wire.silence.machine.dialled(self._line.network())
        figures.subscribed = None
        try:
            figures.connects = await self._counters.next_connect()
            wire.connects += 1
            attempt = self._line.attempt(
                endpoint, order.dialect, figures.connects, wire.silence.machine, wire.trust
            )
            wire.connection = wire.transport.connect(attempt, wire.hear)
        except (AgentError, OSError) as error:
            code = error.code if isinstance(error, AgentError) else "broker.counters"
            self._wire.ended(self._figures, code, str(error))
            self.session.closed(self._now(), 0, Origin.NETWORK, random.random())

    def _asked(self) -> None:
        """Somebody wants to hear again how we are."""
        self._say("online")
        self._wire.forgotten()
        self.wake()

    def _say(self, state: str) -> None:
        """Our own state, before everything else."""
        now = self._clock.now()
        message = StateMessage(state=state, connects=self._figures.connects, ts=now.wall_ms)
        self._wire.twin.said(message.connects, now.wall_ms)
        self._wire.sending.urgent(self._line.scheme.state(message))

    def _pump(self) -> None:
        """Send what is waiting, as far as the window goes. paho would queue and burst more."""
        wire, session, figures = self._wire, self.session, self._figures
        while session.room > 0 and (waiting := wire.sending.next()) is not None:
            seq, packet = waiting
            connection = wire.connection
            mid = 0
            if connection is not None:
                mid = connection.publish(packet.topic, packet.payload, retained=packet.retained)
            if not mid:
                return  # the connection is ending; `Closed` releases the row
            wire.sending.sent()
            session.sent(mid, seq, self._now())
            wire.silence.machine.sent(self._now())
            if not seq:
                wire.said.add(mid)
            figures.sent_messages += 1
            figures.sent_bytes += len(packet.topic) + len(packet.payload)

    async def _delete(self) -> None:
        await self._wire.sending.settle(self._outbox)

    async def _feed(self) -> None:
        """Fill the window."""
        sending, session = self._wire.sending, self.session
        while sending.empty and session.room > 0 and self._outbox.unsent:
            rows = await self._outbox.take(session.room)
            if not rows:
                return
            for row in rows:
                self._enter(row)
            self._pump()
            await self._delete()

    def _enter(self, row: Row) -> None:
        """A row becomes packets."""
        packets = self._line.scheme.packets(
            row.kind, row.body, seq=row.seq, outbox_id=self._wire.outbox_id, retained=row.retained
        )
        # Fixed header 5, topic length 2, packet id 2, no properties 1.
        largest = max((len(one.payload) + len(one.topic) + 10 for one in packets), default=0)
        if 0 < self._limit < largest:
            log.warning("event=message_too_large seq=%d bytes=%d", row.seq, largest)
            self._wire.sending.spoilt.append(row.seq)
        else:
            self._wire.sending.row(row.seq, packets)

    async def _goodbye(self) -> None:
        """Offline, then a clean end, each with its deadline: stopping waits for no broker."""
        wire = self._wire
        if wire.connection is None or self.session.granted is None:
            return
        # The window holds for the goodbye too: a strict broker would answer it with the Will.
        await self._until(lambda: self.session.room > 0, GOODBYE_S)
        wire.sending.hold()
        wire.said.clear()
        self._say("offline")
        self._pump()
        await self._until(lambda: wire.bidden(self.session), GOODBYE_S)
        if wire.connection is not None:
            wire.leaving = True
            wire.connection.disconnect()
            await self._until(lambda: wire.connection is None, CLOSE_S)
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._delete()
        except (StoreError, TimeoutError) as error:
            log.debug("event=goodbye_unrecorded reason=%r", str(error))

    async def _until(self, reached: Callable[[], bool], within_s: float) -> None:
        """Listen until something is true or the time is up."""
        try:
            async with asyncio.timeout(within_s):
                while not reached():
                    await self._wire.news.wait()
                    self._wire.news.clear()
                    for action in self._listen():
                        if isinstance(action, Acked):
                            self._wire.sending.acked(action.seq)
                    self._pump()
        except TimeoutError:
            log.debug("event=goodbye_timeout")
