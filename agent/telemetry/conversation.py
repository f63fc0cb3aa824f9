"""Performs one run of the session machine: outbox -> connection, PUBACK -> row deleted.

Decides nothing: `core.fleet.session` does. Knows the outbox, the counters file and the transport,
and brings the time and the jitter. paho is imported here, at the first attempt, so that a terminal
without a broker never loads it.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.config.telemetry import Telemetry
from agent.core.fleet import messages
from agent.core.fleet.dialect import Dialect
from agent.core.fleet.messages import Kind, StateMessage
from agent.core.fleet.session import (
    MOVED_WHY,
    Acked,
    Action,
    Announce,
    Connect,
    Drop,
    Origin,
    Policy,
    Raise,
    Refused,
    Release,
    Session,
)
from agent.errors import AgentError, StoreError
from agent.link.contact import Told
from agent.record import dataclass
from agent.telemetry.attempt import (
    Attempt,
    BrokerTime,
    Closed,
    Endpoint,
    Greeted,
    Heard,
    Opened,
    Puback,
    Reach,
    Trust,
    Will,
)
from agent.telemetry.loading import transport_class
from agent.telemetry.ports import Counters, Outbox
from agent.wire import mqtt

if TYPE_CHECKING:
    from agent.telemetry.transport import Connection, Transport

log = logging.getLogger(__name__)

#: How long after a refusing store it is asked again.
STORE_RETRY_S = 5.0
GOODBYE_S = 0.6
CLOSE_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How to reach the fleet, as configured."""

    settings: Telemetry
    tenant: str
    device_id: str
    tls: Callable[[], ssl.SSLContext]
    reach: Reach | None = None  #: over the channel in use; None: as the system chooses
    told: Told | None = None
    time: BrokerTime | None = None  #: where the broker tells it

    def policy(self) -> Policy:
        """The session's numbers. A cap below a spread caps that too (tests, demos)."""
        settings = self.settings
        cap_s = settings.reconnect_cap_s
        return Policy(
            endpoints=len(settings.endpoints),
            dialect=None if settings.protocol == "auto" else Dialect(settings.protocol),
            window=settings.window,
            boot_delay_s=settings.boot_delay_s,
            base_s=settings.reconnect_base_s,
            cap_s=cap_s,
            puback_timeout_s=settings.puback_timeout_s,
            server_close_s=min(60.0, cap_s),
            busy_s=min(300.0, cap_s),
        )

    def topic(self, kind: str) -> str:
        """Where a message goes."""
        return messages.topic(self.tenant, self.device_id, kind)

    def password(self) -> str:
        """Read when needed: it may be rotated."""
        return Path(self.settings.password_file).read_text("utf-8").strip()


@dataclass(slots=True)
class Figures:
    """What `view` shows; survives a restart of the part."""

    endpoint: str = ""
    dialect: str = ""
    connects: int = 0
    last_error: str = ""
    last_reason: str = ""
    sent_messages: int = 0
    sent_bytes: int = 0  #: topics and payloads; headers, TLS and TCP come on top
    tls_resumed: bool = False
    trust: Trust | None = field(default=None, repr=False)


@dataclass(slots=True)
class _Wire:
    """What is there only during one run."""

    transport: Transport | None = None
    connection: Connection | None = None
    connects: int = 0
    failing: int = 0  #: attempts in a row that ended badly
    leaving: bool = False  #: the end that follows is ours
    moved: bool = False  #: onto another channel, and nothing done about it yet
    outbox_id: str = ""
    heard: deque[tuple[Connection, Heard]] = field(default_factory=deque)
    acked: list[int] = field(default_factory=list)


class Conversation:
    """One run of the part. `wake` may be called at any time from the loop."""

    def __init__(
        self,
        line: Line,
        outbox: Outbox,
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
        self._wake = asyncio.Event()
        self._wire = _Wire()

    def wake(self) -> None:
        """Something new: a row in the outbox, a sign from the broker, the end."""
        self._wake.set()

    def moved(self) -> None:
        """Another channel carries from now on: what stands on the old one is given up."""
        self._wire.moved = True
        self._wake.set()

    async def run(
        self,
        stop: asyncio.Event,
        flush: Callable[[], Awaitable[bool]],
        forgotten: Callable[[], None],
    ) -> None:
        """Talk until `stop`. `flush` records pending events; `forgotten`: introduce us again."""
        self._wire.outbox_id = await self._outbox.identity(self._counters.outbox_id())
        self.session.start(self._now(), random.random())
        try:
            while not stop.is_set():
                self._wake.clear()
                self.busy_since_ms = self._now()
                well = await self._step(flush, forgotten)
                self.busy_since_ms = None
                await self._sleep(None if well else STORE_RETRY_S)
            await self._goodbye()
        finally:
            self.busy_since_ms = None
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
                await self._wake.wait()
        except TimeoutError:
            return

    async def _step(
        self, flush: Callable[[], Awaitable[bool]], forgotten: Callable[[], None]
    ) -> bool:
        """Everything that can be done now; False if the store refused."""
        try:
            await flush()
            for action in self._listen():
                await self._perform(action, forgotten)
            if self._wire.moved:
                self._wire.moved = False
                for action in self.session.moved(self._now(), random.random()):
                    await self._perform(action, forgotten)
            for action in self.session.tick(self._now(), random.random()):
                await self._perform(action, forgotten)
            await self._delete()
            await self._feed()
        except StoreError as error:
            # The rows stay; a repeat is recognised by its number. The store itself is loud.
            log.debug("event=telemetry_store_refused code=%s", error.code)
            return False
        return True

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
                    self._log_opened()
                    actions += session.connected(self._now(), granted)
                case Puback(mid=mid, code=code):
                    actions += session.puback(mid, code, self._now(), random.random())
                case Closed():
                    wire.connection = None
                    self._log_closed(heard.word, heard.reason, heard.code)
                    actions += session.closed(
                        self._now(), heard.code, heard.origin, random.random()
                    )
        return actions

    async def _perform(self, action: Action, forgotten: Callable[[], None]) -> None:
        wire = self._wire
        match action:
            case Connect():
                await self._connect(action)
            case Announce(session_present=present):
                self._announce("online")
                if not present and wire.connects > 1:
                    forgotten()
            case Drop(why=why):
                word = "broker.no_answer" if "timeout" in why else "broker.refused"
                self._log_closed("broker.channel_changed" if why == MOVED_WHY else word, why)
                if wire.connection is not None:
                    wire.connection.drop()
                    wire.connection = None
            case Release():
                # Deleted first: what was acknowledged must not be taken again.
                await self._delete()
                self._outbox.release()
            case Acked(seq=seq):
                wire.acked.append(seq)
            case Refused(seq=seq, code=code):
                log.warning("event=message_refused seq=%d code=0x%02x", seq, code)
                await self._outbox.refuse([seq])
            case Raise(code=code):
                log.error("event=telemetry_alarm code=%s endpoint=%s", code, self._figures.endpoint)

    async def _connect(self, order: Connect) -> None:
        wire, figures = self._wire, self._figures
        endpoint = Endpoint.parse(self._line.settings.endpoints[order.endpoint])
        figures.endpoint, figures.dialect = str(endpoint), str(order.dialect)
        wire.transport = wire.transport or transport_class()()
        figures.trust = figures.trust or Trust(self._line.tls)
        try:
            figures.connects = await self._counters.next_connect()
            wire.connects += 1
            attempt = self._attempt(endpoint, order.dialect)
            wire.connection = wire.transport.connect(attempt, self._hear)
        except (AgentError, OSError) as error:
            code = error.code if isinstance(error, AgentError) else "broker.counters"
            self._log_closed(code, str(error))
            self.session.closed(self._now(), 0, Origin.NETWORK, random.random())

    def _attempt(self, endpoint: Endpoint, dialect: Dialect) -> Attempt:
        line = self._line
        lost = StateMessage(state="lost", connects=self._figures.connects)
        return Attempt(
            endpoint=endpoint,
            dialect=dialect,
            client_id=line.device_id,
            keepalive_s=line.settings.keepalive_s,
            will=Will(
                topic=line.topic(Kind.STATE),
                payload=mqtt.encode(lost),
                delay_s=line.settings.will_delay_s,
            ),
            username=line.settings.username,
            password=line.password if line.settings.password_file else None,
            trust=self._figures.trust if endpoint.tls else None,
            reach=line.reach,
            told=line.told,
            time=line.time,
        )

    def _hear(self, connection: Connection, heard: Heard) -> None:
        self._wire.heard.append((connection, heard))
        self._wake.set()

    def _announce(self, state: str) -> int:
        """Publish our own state; returns its packet id, 0 if it could not be sent."""
        now = self._clock.now()
        message = StateMessage(state=state, connects=self._figures.connects, ts=now.wall_ms)
        return self._publish(Kind.STATE, mqtt.encode(message), retained=True, seq=0)

    def _publish(self, kind: str, payload: bytes, *, retained: bool, seq: int) -> int:
        connection = self._wire.connection
        if connection is None:
            return 0
        topic = self._line.topic(kind)
        mid = connection.publish(topic, payload, retained=retained)
        if mid:
            self.session.sent(mid, seq, self._now())
            self._figures.sent_messages += 1
            self._figures.sent_bytes += len(topic) + len(payload)
        return mid

    async def _delete(self) -> None:
        acked = self._wire.acked
        if acked:
            await self._outbox.done(acked)
            acked.clear()

    async def _feed(self) -> None:
        """Fill the window. paho would queue and burst whatever is more."""
        room = self.session.room
        granted = self.session.granted
        if granted is None or room <= 0 or not self._outbox.unsent:
            return
        for row in await self._outbox.take(room):
            payload = mqtt.stamp(row.body, row.seq, self._wire.outbox_id)
            # Fixed header 5, topic length 2, packet id 2, no properties 1.
            packet_bytes = len(payload) + len(self._line.topic(row.kind)) + 10
            if granted.max_packet_bytes and packet_bytes > granted.max_packet_bytes:
                log.warning("event=message_too_large seq=%d bytes=%d", row.seq, len(payload))
                await self._outbox.refuse([row.seq])
                self.wake()
            elif not self._publish(row.kind, payload, retained=row.retained, seq=row.seq):
                return  # the connection is ending; `Closed` releases the row

    async def _goodbye(self) -> None:
        """Offline, then a clean end, each with its deadline: stopping waits for no broker."""
        wire = self._wire
        if wire.connection is None or self.session.granted is None:
            return
        # The window holds for the goodbye too: a strict broker would answer it with the Will.
        await self._until(lambda: self.session.room > 0, GOODBYE_S)
        mid = self._announce("offline")
        await self._until(lambda: not self.session.unacknowledged(mid), GOODBYE_S)
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
                    await self._wake.wait()
                    self._wake.clear()
                    for action in self._listen():
                        if isinstance(action, Acked):
                            self._wire.acked.append(action.seq)
        except TimeoutError:
            log.debug("event=goodbye_timeout")

    def _log_opened(self) -> None:
        wire, figures = self._wire, self._figures
        log.info(
            "event=telemetry_connected endpoint=%s protocol=%s connects=%d failures=%d",
            figures.endpoint,
            figures.dialect,
            figures.connects,
            wire.failing,
        )
        wire.failing = 0
        figures.last_error = figures.last_reason = ""

    def _log_closed(self, word: str, reason: str, code: int = 0) -> None:
        wire, figures = self._wire, self._figures
        if wire.leaving:
            return
        figures.last_error, figures.last_reason = word, reason
        level = logging.DEBUG if wire.failing else logging.WARNING
        wire.failing += 1
        log.log(
            level,
            "event=telemetry_disconnected endpoint=%s error=%s code=0x%02x reason=%r",
            figures.endpoint,
            word,
            code,
            reason,
        )
