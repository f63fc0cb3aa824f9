"""An MQTT broker on loopback for tests and demos, and somebody who listens to it.

The real mosquitto where it is installed (MQTT 5, TLS), else amqtt inside this process (3.1.1, no
TLS; from the `demo` extra). Public and documented like every simulator; never loaded by the
daemon.
"""

from __future__ import annotations

import asyncio
import getpass
import json
import logging
import shutil
import socket
import ssl
import tempfile
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from agent.errors import OperatorError, RemoteError
from agent.sim.leash import leash

log = logging.getLogger(__name__)

START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 5.0
SIGNAL_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls:
    """Files for a TLS listener. With `client_ca_file`, clients must show a certificate of it."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""


def mosquitto() -> str | None:
    """Where the real broker is; Debian hides it in /usr/sbin."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """A port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Broker:
    """`async with Broker() as broker: … broker.port`. Restarts on the same port."""

    def __init__(
        self,
        *,
        tls: ServerTls | None = None,
        kind: Literal["auto", "mosquitto", "amqtt"] = "auto",
        extra: tuple[str, ...] = (),
    ) -> None:
        self.port = 0
        self.lines: deque[str] = deque(maxlen=200)
        self._tls = tls
        self._extra = extra
        self._program = mosquitto() if kind != "amqtt" else None
        if kind == "mosquitto" and self._program is None:
            raise OperatorError("sim.no_mosquitto", "mosquitto is not installed", "install it")
        self._directory: tempfile.TemporaryDirectory[str] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._amqtt: Any = None

    @property
    def url(self) -> str:
        """For `[telemetry] endpoints`. `localhost`, because certificates carry a name."""
        return f"mqtts://localhost:{self.port}" if self._tls else f"mqtt://127.0.0.1:{self.port}"

    @property
    def v5(self) -> bool:
        """Whether it speaks MQTT 5."""
        return self._program is not None

    async def start(self) -> int:
        """Listen; returns the port. After a stop, the same one again."""
        started = False
        try:
            for _ in range(5):
                port = self.port or free_port()
                begin = self._start_mosquitto if self._program else self._start_amqtt
                started = await begin(port)
                if started:
                    self.port = port
                    return port
                # Somebody took the port between looking and listening: a first start may move.
        finally:
            if not started:
                await self.stop()
        raise RemoteError("sim.broker", f"the broker did not start: {list(self.lines)[-8:]}")

    async def stop(self) -> None:
        """End it in good order: clients are told, sessions and retained messages are gone."""
        await self._end(kill=False)
        if self._directory is not None:
            self._directory.cleanup()
            self._directory = None

    async def kill(self) -> None:
        """End it as a power cut would."""
        await self._end(kill=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _start_mosquitto(self, port: int) -> bool:
        assert self._program is not None
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory(prefix="posagent-broker-")
        path = Path(self._directory.name) / "mosquitto.conf"
        path.write_text(self._configuration(port), "utf-8")
        self._process = await asyncio.create_subprocess_exec(
            *leash(),
            self._program,
            "-c",
            str(path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        running = asyncio.Event()
        self._reader = asyncio.create_task(self._read(self._process, running))
        listening = asyncio.create_task(running.wait())
        try:
            await asyncio.wait(
                {listening, self._reader},
                timeout=START_TIMEOUT_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            listening.cancel()
        if running.is_set():
            return True
        await self._end(kill=True)
        return False

    def _configuration(self, port: int) -> str:
        lines = [
            f"user {getpass.getuser()}",
            "per_listener_settings false",
            "allow_anonymous true",
            "persistence false",
            # The default of 1000 silently drops QoS 1 messages for a slow subscriber.
            "max_queued_messages 0",
            "set_tcp_nodelay true",
            "sys_interval 0",
            "log_dest stderr",
            "log_type error",
            "log_type warning",
            "log_type notice",
            "log_type information",
            f"listener {port} 127.0.0.1",
        ]
        if self._tls is not None:
            lines += [f"certfile {self._tls.cert_file}", f"keyfile {self._tls.key_file}"]
            if self._tls.client_ca_file:
                lines += [f"cafile {self._tls.client_ca_file}", "require_certificate true"]
        return "\n".join([*lines, *self._extra]) + "\n"

    async def _read(self, process: asyncio.subprocess.Process, running: asyncio.Event) -> None:
        """Keep the pipe empty and the last lines, for whoever asks why."""
        assert process.stderr is not None
        async for raw in process.stderr:
            line = raw.decode("utf-8", "replace").rstrip()
            self.lines.append(line)
            if line.endswith(" running"):
                running.set()

    async def _end(self, *, kill: bool) -> None:
        process, self._process = self._process, None
        if process is not None:
            await _ended(process, kill=kill)
        if self._reader is not None:
            await self._reader
            self._reader = None
        if self._amqtt is not None:
            broker, self._amqtt = self._amqtt, None
            await broker.shutdown()

    async def _start_amqtt(self, port: int) -> bool:
        try:
            from amqtt.broker import Broker as Amqtt
            from amqtt.errors import BrokerError
        except ImportError as error:
            raise OperatorError(
                "sim.no_broker",
                "there is neither mosquitto nor amqtt here",
                "install mosquitto, or the `demo` extra",
            ) from error
        if self._tls is not None:
            raise OperatorError("sim.no_mosquitto", "TLS needs mosquitto", "install it")
        logging.getLogger("amqtt").setLevel(logging.ERROR)
        logging.getLogger("transitions").setLevel(logging.ERROR)
        broker = Amqtt(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
                "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {}},
            }
        )
        try:
            await broker.start()
        except BrokerError as error:
            self.lines.append(str(error))
            return False
        self._amqtt = broker
        return True


async def _ended(process: asyncio.subprocess.Process, *, kill: bool) -> None:
    """Signal until it is gone: mosquitto forgets a SIGTERM that comes right after its start."""
    for _ in range(0 if kill else round(STOP_TIMEOUT_S / SIGNAL_AGAIN_S)):
        if process.returncode is None:
            process.terminate()
        try:
            async with asyncio.timeout(SIGNAL_AGAIN_S):
                await process.wait()
        except TimeoutError:
            continue
        return
    if process.returncode is None:
        process.kill()
    await process.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A message as a subscriber got it."""

    topic: str
    payload: bytes
    retained: bool

    @property
    def kind(self) -> str:
        """The last level of the topic."""
        return self.topic.rpartition("/")[2]

    @property
    def fields(self) -> dict[str, Any]:
        """The payload, read."""
        fields: dict[str, Any] = json.loads(self.payload)
        return fields


class Watcher:
    """Subscribes and remembers. `wait` for threads and commands, `expect` inside a loop."""

    def __init__(
        self,
        port: int,
        *,
        host: str = "127.0.0.1",
        topic: str = "pos/1/#",
        tls: ssl.SSLContext | None = None,
        v5: bool = True,
        on_message: Callable[[Heard], None] | None = None,
    ) -> None:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        self.messages: list[Heard] = []
        self._address = (host, port)
        self._topic = topic
        self._on_message = on_message
        self._changed = threading.Condition()
        self._subscribed = False
        self._alarm: Callable[[], object] | None = None
        version = MQTTProtocolVersion.MQTTv5 if v5 else MQTTProtocolVersion.MQTTv311
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=version)
        self._client.reconnect_delay_set(1, 1)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._connected
        self._client.on_disconnect = self._disconnected
        self._client.on_subscribe = self._subscription
        self._client.on_message = self._message

    @property
    def subscribed(self) -> bool:
        """Whether it listens right now."""
        return self._subscribed

    def start(self) -> None:
        """Connect in the background, and again after every loss."""
        self._client.connect_async(*self._address)
        self._client.loop_start()

    def close(self) -> None:
        """End."""
        self._client.disconnect()
        self._client.loop_stop()

    def of(self, kind: str) -> list[Heard]:
        """The messages of one kind so far."""
        return [each for each in list(self.messages) if each.kind == kind]

    def wait(self, reached: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        """Block until something is true; False when the time is up. Never call it in a loop."""
        with self._changed:
            return self._changed.wait_for(reached, timeout_s)

    async def expect(self, reached: Callable[[], bool], timeout_s: float = 10.0) -> bool:
        """The same, for coroutines."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()
        self._alarm = lambda: loop.call_soon_threadsafe(changed.set)
        try:
            async with asyncio.timeout(timeout_s):
                while not reached():
                    await changed.wait()
                    changed.clear()
        except TimeoutError:
            return reached()
        finally:
            self._alarm = None
        return True

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()
        alarm = self._alarm
        if alarm is not None:
            alarm()

    def _connected(self, client: Any, *_rest: object) -> None:
        client.subscribe(self._topic, qos=1)

    def _disconnected(self, *_rest: object) -> None:
        self._subscribed = False
        self._notify()

    def _subscription(self, *_rest: object) -> None:
        self._subscribed = True
        self._notify()

    def _message(self, _client: Any, _userdata: object, message: Any) -> None:
        heard = Heard(
            topic=message.topic, payload=bytes(message.payload), retained=bool(message.retain)
        )
        self.messages.append(heard)
        if self._on_message is not None:
            self._on_message(heard)
        self._notify()
