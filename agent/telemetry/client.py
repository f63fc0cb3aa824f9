"""paho's client, made safe against the broker: what it reads is bounded, what it hears is checked.

Knows the protocol as far as lies go: a packet larger than we said we take, a delivery nobody asked
for, an answer before the greeting, bytes that are no packet. Each ends the connection with a word
in `violation`, before the memory it asks for is spent. Called by `telemetry.transport`, in its
thread.
"""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any, cast

from paho.mqtt import MQTTException
from paho.mqtt.client import CONNACK, PUBACK, PUBLISH, SUBACK, Client
from paho.mqtt.enums import LogLevel, MQTTErrorCode

from agent.link.meter import Meter
from agent.telemetry.attempt import Trust

log = logging.getLogger(__name__)

#: Said in CONNECT (MQTT 5), enforced always. The largest thing sent down is a signed wish: 32 KiB,
#: 44 KiB in its envelope.
MAX_PACKET_BYTES = 49_152
#: MQTT 5: how many deliveries may wait for our PUBACK.
RECEIVE_MAXIMUM = 8
#: In 3.1.1 nothing can be said; brokers deliver 10 (HiveMQ, RabbitMQ), 20 (mosquitto), 32 (EMQX).
MAX_WAITING = 40
MAX_WAITING_BYTES = 262_144

#: Half-open links: without it an unacknowledged publish is noticed after two keepalives.
TCP_USER_TIMEOUT_MS = 60_000
#: How far an attempt came that ended so.
LAYERS = {
    "broker.dns": "dns",
    "broker.certificate": "tls",
    "broker.tls": "tls",
    "broker.timeout": "tcp",
    "broker.unreachable": "tcp",
}

OVERSIZE = "broker.oversize"
FLOOD = "broker.flood"
PROTOCOL = "broker.protocol"
#: What decoding garbage has been seen to raise in paho; `MQTTException` covers what it names.
GARBAGE = (
    *(MQTTException, struct.error, IndexError, KeyError, ValueError),
    *(TypeError, AttributeError, AssertionError),
)


class Room:
    """How much may wait to be taken: filled in the thread, emptied on the loop."""

    def __init__(self, messages: int = MAX_WAITING, size: int = MAX_WAITING_BYTES) -> None:
        self._free = messages
        self._free_bytes = size
        self._lock = threading.Lock()

    def fill(self, size: int) -> bool:
        """One more waits; False: there is no room for it."""
        with self._lock:
            if self._free < 1 or self._free_bytes < size:
                return False
            self._free -= 1
            self._free_bytes -= size
            return True

    def empty(self, size: int) -> None:
        """One was taken."""
        with self._lock:
            self._free += 1
            self._free_bytes += size


class CheckedClient(Client):
    """paho's client, over a connection that somebody else may have opened."""

    reached: Callable[[], socket.socket] | None = None
    pinged: Callable[[], None] | None = None  #: a PINGREQ goes out
    ponged: Callable[[], None] | None = None  #: and was answered
    violation: tuple[str, str] | None = None  #: word and reason: the connection must end
    trouble = ""  #: paho's last error text; the only place a TLS alert is named
    _greeted = False
    _asked = False  # a PINGREQ waits for its answer
    _stray = False  # a PUBACK for nothing was told

    def violate(self, word: str, reason: str) -> MQTTErrorCode:
        """The broker broke a rule; the first one counts."""
        self.violation = self.violation or (word, reason[:200])
        return MQTTErrorCode.MQTT_ERR_PROTOCOL

    def _create_socket_connection(self) -> socket.socket:
        if self.reached is not None:
            return self.reached()
        # Bytes, as in `agent.link.dial`: else Python loads its tables for international names.
        name = self._host.encode("ascii") if self._host.isascii() else self._host
        address = cast("tuple[str, int]", (name, self._port))
        return socket.create_connection(address, self._connect_timeout)

    def _sock_recv(self, bufsize: int) -> bytes:
        # paho asks for the whole rest of a packet as soon as it knows its length.
        if bufsize > MAX_PACKET_BYTES:
            self.violate(OVERSIZE, f"a packet of {bufsize} bytes was announced")
            raise ConnectionError("oversize")
        return super()._sock_recv(bufsize)

    def _packet_handle(self) -> MQTTErrorCode:
        first, kind = self._in_packet["command"], self._in_packet["command"] & 0xF0
        if self._greeted if kind == CONNACK else not self._greeted and kind != 0xE0:
            return self.violate(PROTOCOL, f"packet 0x{first:02x} out of turn")
        if kind == PUBLISH and first & 0x04:
            # Kept by paho until a second handshake that never comes; and nobody subscribed so.
            return self.violate(PROTOCOL, "a delivery with QoS 2 was never asked for")
        if kind in (PUBACK, SUBACK) and len(self._in_packet["packet"]) < 2:
            return self.violate(PROTOCOL, f"packet 0x{first:02x} without a number")
        if kind == PUBACK:
            self._look_at_puback()
        self._greeted = True
        try:
            done = super()._packet_handle()
        except GARBAGE as error:
            return self.violate(PROTOCOL, f"packet 0x{first:02x}: {type(error).__name__}")
        if done == MQTTErrorCode.MQTT_ERR_PROTOCOL and kind != CONNACK:
            self.violate(PROTOCOL, f"packet 0x{first:02x} is malformed")
        return done

    def _look_at_puback(self) -> None:
        """Of something never sent: harmless, and told once a connection."""
        mid = int.from_bytes(self._in_packet["packet"][:2], "big")
        if mid not in self._out_messages and not self._stray:
            self._stray = True
            log.warning("event=puback_for_nothing mid=%d", mid)

    def _send_pingreq(self) -> MQTTErrorCode:
        self._asked = True
        if self.pinged is not None:
            self.pinged()
        return super()._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        # Told only if asked for: a flood of answers must not become a queue on the loop.
        if self._asked and self.ponged is not None:
            self.ponged()
        self._asked = False
        return super()._handle_pingresp()


class TrustingContext:
    """What paho takes for its TLS context: ours, with a session to resume."""

    def __init__(self, trust: Trust, keep: Callable[[ssl.SSLSocket], None]) -> None:
        self._trust = trust
        self._keep = keep

    @property
    def check_hostname(self) -> bool:
        """paho asks, to know whether it has to check the name itself."""
        return self._trust.check_hostname

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        """The socket before its handshake; kept, so that a hanging one can be cut and closed."""
        wrapped = self._trust.wrap_socket(sock, **options)
        self._keep(wrapped)
        return wrapped


def note_trouble(client: Client, _userdata: object, level: int, text: str) -> None:
    """Keep what paho says went wrong."""
    if level == LogLevel.MQTT_LOG_ERR and isinstance(client, CheckedClient):
        client.trouble = text[:200]
        log.debug("event=paho_error text=%r", client.trouble)


def remember(trust: Trust | None, _client: Client, _userdata: object, sock: object) -> None:
    """Keep the TLS session of a connection that is about to close."""
    if isinstance(sock, ssl.SSLSocket) and trust is not None:
        trust.remember(sock)


def opened(meter: Meter, _client: Client, _userdata: object, sock: Any) -> None:
    """A connection stands: it is counted, and the kernel ends it if nobody acknowledges."""
    meter.watch(sock)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS)


def write_only_in_the_loop(_client: Client, _userdata: object, _sock: object) -> None:
    """With a callback here paho leaves the writing to loop(), which a socket pair wakes."""


def word_of(error: Exception) -> str:
    """What a connection that never stood failed of."""
    match error:
        case socket.gaierror():
            return "broker.dns"
        case ssl.SSLCertVerificationError():
            return "broker.certificate"
        case ssl.SSLError():
            return "broker.tls"
        case TimeoutError():
            return "broker.timeout"
        case FileNotFoundError() | PermissionError() | ValueError():
            return "broker.configuration"
        case _:
            return "broker.unreachable"
