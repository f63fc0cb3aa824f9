"""A real broker with somebody behind it who keeps a server's published rules.

The terminal's side is the daemon's own part `telemetry` with a real outbox; a stand-in for the
inbox remembers what it was given.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from agent.clock import SystemClock
from agent.config.telemetry import Telemetry
from agent.core.fleet.messages import Identity
from agent.sim.broker import Broker
from agent.store.outbox import Outbox
from agent.telemetry import Scheme, build
from agent.wire.past import Readings
from tests.telemetry.adapters.rows import Rules
from tests.telemetry.rig import Counters, Health, Rig, StateDb, Timers, no_tls, quick

PATIENCE_S = 15.0


@dataclass
class Inbox:
    """What arrived, in order."""

    commands: list[tuple[str, bytes, bool]] = field(default_factory=list)
    wishes: list[bytes] = field(default_factory=list)

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None:
        self.commands.append((cmd_id, payload, retained))

    async def desired(self, payload: bytes) -> None:
        self.wishes.append(payload)


class Server:
    """Listens to everything on the broker and puts it before the rules; may say something."""

    def __init__(
        self,
        port: int,
        rules: Rules,
        ours: Callable[[str], bool],
        *,
        topics: tuple[str, ...] = ("#",),
    ) -> None:
        """`ours`: topics the server itself writes on."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.rules = rules
        self.topics: list[str] = []
        self.subscribed = False
        self.on_taken: Callable[[str, bytes], None] = lambda topic, payload: None
        self._ours = ours
        self._port = port
        self._filters = topics
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._connected
        self._client.on_disconnect = lambda *_: self._call(self._gone)
        self._client.on_subscribe = lambda *_: self._call(self._there)
        self._client.on_message = lambda _c, _u, message: self._call(
            self._take, message.topic, bytes(message.payload), message.qos, bool(message.retain)
        )

    async def __aenter__(self) -> Self:
        self._client.connect_async("127.0.0.1", self._port)
        self._client.loop_start()
        await self.until(lambda: self.subscribed, "the server listens")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def say(self, topic: str, told: Any, *, retained: bool = False) -> None:
        """The server publishes."""
        payload = told if isinstance(told, bytes) else json.dumps(told).encode()
        self._client.publish(topic, payload, qos=1, retain=retained)

    async def until(self, reached: Callable[[], Any], what: str) -> None:
        """Wait for something the server saw."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not reached():
                    self._changed.clear()
                    with contextlib.suppress(TimeoutError):
                        # What the terminal does is not signalled here.
                        async with asyncio.timeout(0.05):
                            await self._changed.wait()
        except TimeoutError:
            raise AssertionError(f"not seen: {what}; topics: {self.topics[-20:]}") from None

    def _connected(self, client: Any, *_: object) -> None:
        from paho.mqtt.subscribeoptions import SubscribeOptions

        # As published: whether a message was retained is one of the rules.
        options = SubscribeOptions(qos=1, retainAsPublished=True, noLocal=True)
        client.subscribe([(each, options) for each in self._filters])

    def _call(self, function: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: the test is over
            self._loop.call_soon_threadsafe(function, *arguments)

    def _gone(self) -> None:
        self.subscribed = False
        self._changed.set()

    def _there(self) -> None:
        self.subscribed = True
        self._changed.set()

    def _take(self, topic: str, payload: bytes, qos: int, retained: bool) -> None:
        if not self._ours(topic):
            self.topics.append(topic)
            self.rules.take(topic, payload, qos=qos, retained=retained)
            self.on_taken(topic, payload)
        self._changed.set()


@dataclass
class Terminal:
    """The part, and what stands around it."""

    rig: Rig
    inbox: Inbox


def prompt(endpoints: Sequence[str], **changed: Any) -> Telemetry:
    """Settings that tell as often as the timer is fired."""
    return quick(endpoints, health_period_s=0.05, backlog_period_s=0.05, **changed)


def terminal(settings: Telemetry, scheme: Scheme, db: StateDb | None = None) -> Terminal:
    """The real part with the scheme plugged in as `main` does it; not yet running."""
    db, inbox = db or StateDb(), Inbox()
    outbox = Outbox(
        db,
        max_rows=settings.outbox_max_rows,
        max_bytes=settings.outbox_max_bytes,
        past=Readings(),
    )
    counters, timers, health, clock = Counters(), Timers(), Health(), SystemClock()
    rigs: list[Rig] = []

    async def backlog() -> Any:
        return rigs[0].backlog

    part = build(
        settings,
        clock=clock,
        timers=timers,
        outbox=outbox,
        counters=counters,
        health=health,
        backlog=backlog,
        identity=Identity(tenant="acme", device_id="T-1", agent_version="0.1.0", site="0042"),
        tls=no_tls,
        inbox=inbox,
        scheme=scheme,
    )
    rigs.append(Rig(part, outbox, db, counters, timers, health, clock))
    return Terminal(rigs[0], inbox)


@contextlib.asynccontextmanager
async def crashing(terminal: Terminal) -> AsyncIterator[asyncio.Task[None]]:
    """The part runs and is torn down without a goodbye; its database stays."""
    task = asyncio.create_task(terminal.rig.part.run(asyncio.Event()))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def reported(terminal: Terminal, told: Callable[[], Any]) -> None:
    """Fire the timer until a health report has been recorded."""
    async with asyncio.timeout(PATIENCE_S):
        while not told():
            await terminal.rig.timers.fire()
            await asyncio.sleep(0.02)


def _readings(rig: Rig) -> int:
    count: int = rig.db.connection.execute(
        "SELECT count(*) FROM outbox WHERE kind = 'health'"
    ).fetchone()[0]
    return count


async def lived_through(terminal: Terminal, reports: int) -> None:
    """So many readings are recorded while nobody takes them."""
    rig = terminal.rig
    for number in range(reports):
        rig.health.says("battery", percent=95 - 15 * number)
        before = _readings(rig)
        await reported(terminal, lambda before=before: _readings(rig) > before)


async def server_first(broker: Broker, server: Server, terminal: Terminal) -> None:
    """The broker starts again; the terminal finds the server there, which misses nothing."""
    counters: Any = terminal.rig.counters
    connect, listening = counters.next_connect, asyncio.Event()

    async def after_the_server() -> int:
        await listening.wait()
        number: int = await connect()
        return number

    counters.next_connect = after_the_server
    await broker.start()
    await server.until(lambda: server.subscribed, "the server again")
    listening.set()


__all__ = [
    "Broker",
    "Inbox",
    "Server",
    "Terminal",
    "crashing",
    "lived_through",
    "reported",
    "server_first",
    "terminal",
]
