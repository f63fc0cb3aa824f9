"""An operator's connection to a broker: subscribes, hears, publishes, comes back with jitter.

One thread around paho, and a fresh client per attempt as on terminals. What arrives waits in
`inbox` for whoever draws the screen; nothing is decided here. Called by the command line.
"""

from __future__ import annotations

import random
import secrets
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.core.fleet.session import CREDENTIALS, OTHER_VERSION
from agent.errors import OperatorError, RemoteError
from agent.link.tls import client_context
from agent.record import dataclass

PORTS = {"mqtts": 8883, "mqtt": 1883}
BASE_S, CAP_S = 1.0, 60.0
#: A connection that lasted so long ends a series of failures.
WELL_S = 30.0
KEEPALIVE_S = 60
CONNECT_S = 15.0
#: Unacknowledged at most: the smallest brokers take ten.
WINDOW = 8


class Heard(NamedTuple):
    """A message as it arrived."""

    topic: str
    payload: bytes
    retained: bool
    at_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where the broker is and who we are to it."""

    broker: str
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    client_id: str = ""

    def address(self) -> tuple[str, int, bool]:
        """Host, port, whether TLS. Raises OperatorError."""
        try:
            url = urlsplit(self.broker)
            host, port = url.hostname, url.port
        except ValueError:
            host, port = None, None
            url = urlsplit("")
        if url.scheme not in PORTS or not host or url.path.strip("/"):
            raise OperatorError(
                "fleet.broker", f"{self.broker!r} is no broker", "mqtts://host:8883"
            )
        tls = url.scheme == "mqtts"
        if not tls and host not in ("localhost", "127.0.0.1", "::1"):
            raise OperatorError(
                "fleet.plain", f"{self.broker}: mqtt:// only to this machine", "mqtts://host:8883"
            )
        return host, port or PORTS[url.scheme], tls


class _Secured(ssl.SSLSocket):
    """Closed when its handshake fails: paho forgets it then."""

    def do_handshake(self, block: bool = False) -> None:
        """As the library's."""
        try:
            super().do_handshake(block)
        except (OSError, ValueError):
            self.close()
            raise


class Sent:
    """A publish under way. `code` once it is acknowledged: 0x80 and more are refusals."""

    __slots__ = ("code",)

    def __init__(self) -> None:
        self.code: int | None = None


class Line:
    """`start`, look at `inbox` whenever `changed` says so, `close`."""

    def __init__(self, access: Access, filters: Sequence[str] = (), *, qos: int = 0) -> None:
        self.inbox: deque[Heard] = deque()
        self.changed = threading.Condition()
        self.status = "connecting"  #: connecting, online, or why not
        self.failures = 0
        self.final = ""  #: why it will never be: wrong credentials, unusable files
        self._access = access
        self._filters = list(filters)
        self._qos = qos
        self._v5 = True
        self._client: Client | None = None
        self._sent: dict[int, Sent] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fleet-line", daemon=True)
        self._host, self._port, self._tls = access.address()
        self._context: ssl.SSLContext | None = None
        if self._tls:
            self._context = client_context(access.ca_file, access.cert_file, access.key_file)
            self._context.sslsocket_class = _Secured

    @property
    def online(self) -> bool:
        """Whether the subscriptions stand."""
        return self.status == "online"

    def start(self) -> None:
        """Connect in the background, again after every loss."""
        self._thread.start()

    def close(self) -> None:
        """End; waits a moment for a clean goodbye."""
        self._stop.set()
        client = self._client
        if client is not None:
            with suppress(OSError):  # the thread may be closing it at this moment
                client.disconnect()
        self._thread.join(3.0)

    def wait(self, timeout_s: float) -> None:
        """Until something has arrived or changed, at most so long."""
        with self.changed:
            if not self.inbox:
                self.changed.wait(timeout_s)

    def until_online(self, timeout_s: float) -> None:
        """Block until it can be used. Raises RemoteError."""
        with self.changed:
            reached = self.changed.wait_for(lambda: self.online or bool(self.final), timeout_s)
        if self.final or not reached:
            why = self.final or self.status
            unknown = why.startswith("certificate not believed") and not self._access.ca_file
            hint = "--ca FILE with the authority of its certificate" if unknown else ""
            raise RemoteError("fleet.broker_down", f"{self._access.broker}: {why}", hint)

    def publish(
        self, topic: str, payload: bytes, *, retained: bool = False, expiry_s: int = 0
    ) -> Sent | None:
        """QoS 1; None while there is no connection or the window is full: ask again."""
        client = self._client
        for mid in [mid for mid, sent in list(self._sent.items()) if sent.code is not None]:
            self._sent.pop(mid, None)
        if client is None or not self.online or len(self._sent) >= WINDOW:
            return None
        properties: Any = None
        if self._v5 and expiry_s:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.MessageExpiryInterval = expiry_s
        # No lock of ours around this: paho holds its own when it calls back.
        try:
            told = client.publish(topic, payload, qos=1, retain=retained, properties=properties)
        except OSError:
            return None  # the thread is closing it at this moment
        if told.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            return None
        return self._sent.setdefault(told.mid, Sent())

    # In the thread

    def _run(self) -> None:
        while not self._stop.is_set():
            began_s = time.monotonic()
            why = self._attempt()
            with self.changed:
                self._client = None
                self._sent.clear()
                if self.online and time.monotonic() - began_s > WELL_S:
                    self.failures = 0
                self.failures += 1
                self.status = why
                self.changed.notify_all()
            if self.final:
                return
            most_s = min(CAP_S, BASE_S * 2.0 ** min(self.failures, 10))
            self._stop.wait(random.uniform(0, most_s))

    def _attempt(self) -> str:
        """One connection to its end; why it ended."""
        version = MQTTProtocolVersion.MQTTv5 if self._v5 else MQTTProtocolVersion.MQTTv311
        client_id = self._access.client_id or f"fleet-{secrets.token_hex(6)}"
        more: dict[str, Any] = {} if self._v5 else {"clean_session": True}
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=version,
            reconnect_on_failure=False,
            **more,
        )
        client.suppress_exceptions = True
        client.connect_timeout = CONNECT_S
        if self._context is not None:
            client.tls_set_context(self._context)
        if self._access.username:
            client.username_pw_set(self._access.username, self._access.password or None)
        ended = [""]
        client.on_connect = lambda c, _u, _f, code, _p: self._connected(c, code.value, ended)
        client.on_subscribe = lambda _c, _u, _m, codes, _p: self._subscribed(codes, ended)
        client.on_message = self._message
        client.on_publish = lambda _c, _u, mid, code, _p: self._acknowledged(mid, code.value)
        client.on_disconnect = lambda _c, _u, _f, code, _p: ended.__setitem__(
            0, ended[0] or str(code)
        )
        self._client = client
        try:
            client.connect(self._host, self._port, keepalive=KEEPALIVE_S)
            while not self._stop.is_set():
                if client.loop(timeout=1.0) or ended[0]:
                    break
        except (OSError, ValueError, ssl.SSLError) as error:
            return ended[0] or _said(error)
        finally:
            _closed(client)
        return ended[0] or "connection lost"

    def _connected(self, client: Client, code: int, ended: list[str]) -> None:
        if code in OTHER_VERSION and self._v5:
            self._v5 = False
            ended[0] = "speaks MQTT 3.1.1"
        elif code:
            ended[0] = f"refused with 0x{code:02x}"
            if code in CREDENTIALS:
                self.final = ended[0]
        elif self._filters:
            client.subscribe([(one, self._qos) for one in self._filters])
        else:
            self._stands()

    def _subscribed(self, codes: Sequence[Any], ended: list[str]) -> None:
        refused = [code.value for code in codes if code.value >= 0x80]
        if len(refused) == len(codes):
            ended[0] = self.final = f"subscription refused with 0x{refused[0]:02x}"
        else:
            self._stands()

    def _stands(self) -> None:
        with self.changed:
            self.status = "online"
            self.changed.notify_all()

    def _message(self, _client: Client, _userdata: object, message: Any) -> None:
        heard = Heard(
            message.topic, bytes(message.payload), bool(message.retain), time.time_ns() // 1_000_000
        )
        self.inbox.append(heard)
        if len(self.inbox) == 1:
            with self.changed:
                self.changed.notify_all()

    def _acknowledged(self, mid: int, code: int) -> None:
        # May come before publish() has returned: whoever is first makes the entry.
        self._sent.setdefault(mid, Sent()).code = code
        with self.changed:
            self.changed.notify_all()


def _closed(client: Client) -> None:
    """Without this the sockets live until the garbage collector comes by."""
    client.on_connect = client.on_message = client.on_disconnect = None
    client.on_publish = client.on_subscribe = None
    client.disconnect()
    sock = client.socket()
    if sock is not None:
        client.loop(timeout=0.05)
        sock.close()
    client._reset_sockets()  # noqa: SLF001 - paho has no public way


def _said(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not believed: {error.verify_message}"
    if isinstance(error, socket.gaierror):
        return "name not found"
    return str(getattr(error, "strerror", "") or error)
