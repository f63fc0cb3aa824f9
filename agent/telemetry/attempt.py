"""What one connection to the broker needs to know, and what it has to say.

Plain records, so that the machinery around them does not load paho. `transport` fills and reads
them, `conversation` the other way round.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import field
from typing import Any
from urllib.parse import urlsplit

from agent.core.fleet.dialect import Dialect
from agent.core.fleet.session import Connected, Origin
from agent.link.contact import Told
from agent.link.dial import Reach
from agent.link.meter import Meter
from agent.record import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a broker listens."""

    host: str
    port: int
    tls: bool

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Of `mqtts://host:port` or `mqtt://host:port`."""
        parts = urlsplit(url)
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname or "", parts.port or (8883 if tls else 1883), tls)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the broker says for us when we vanish."""

    topic: str
    payload: bytes
    delay_s: int
    retained: bool = True


@dataclass(frozen=True, slots=True)
class BrokerTime:
    """A broker that tells UTC when it greets; CONNACK itself has no time."""

    property: str  #: name of the user property (MQTT 5)
    #: Hears on the event loop: broker, what the property says, seconds since we began to connect.
    told: Callable[[str, str, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Everything one connection needs to know."""

    endpoint: Endpoint
    dialect: Dialect
    client_id: str
    keepalive_s: int  #: promised in CONNECT
    will: Will | None
    ping_s: int = 0  #: ask after so much silence, if sooner; 0: as promised
    username: str = ""
    user: Callable[[], str] | None = None  #: the same where it is a secret; called in the thread
    password: Callable[[], str] | None = None  #: called in the thread: it may read a file
    trust: Trust | None = None  #: present for TLS endpoints
    #: Opens the TCP connection instead of paho: over the channel in use. On the event loop.
    reach: Reach | None = None
    told: Told | None = None  #: hears on the event loop what became of the attempt
    time: BrokerTime | None = None
    meter: Meter = field(default_factory=Meter)  #: counts what the connection costs

    def login(self) -> tuple[str, str | None]:
        """User and password. Called in the thread."""
        user = self.user() if self.user is not None else self.username
        return user, self.password() if self.password is not None else None


@dataclass(frozen=True, slots=True)
class Greeted:
    """TCP and TLS are up, the CONNECT goes out now."""


@dataclass(frozen=True, slots=True)
class Opened:
    """CONNACK said yes."""

    granted: Connected


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker acknowledged packet `mid`."""

    mid: int
    code: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The attempt failed or the connection ended; the last thing a connection says."""

    code: int  #: MQTT 5 reason code, 0 if there was none
    origin: Origin
    word: str  #: `broker.dns`, `broker.certificate`, …
    reason: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """The broker sends something down; it waits for our word that it was taken."""

    mid: int
    qos: int
    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The broker answered our SUBSCRIBE; 0x80 and above: refused."""

    codes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Pinged:
    """It was silent for so long that we ask."""


@dataclass(frozen=True, slots=True)
class Ponged:
    """And it was answered."""


Heard = Greeted | Opened | Puback | Delivered | Subscribed | Pinged | Ponged | Closed


class Trust:
    """The TLS context, made when first needed, and the session to resume (2.6 kB a reconnect)."""

    def __init__(self, make: Callable[[], ssl.SSLContext]) -> None:
        self._make = make
        self._context: ssl.SSLContext | None = None
        self._session: ssl.SSLSession | None = None
        self._lock = threading.Lock()
        self.reused = False

    @property
    def check_hostname(self) -> bool:
        """Whether the context checks the name in the certificate; makes the context."""
        return self._ready().check_hostname

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:
        """TLS over a connected socket, resuming the last session if there is one."""
        with self._lock:
            session = self._session
        return self._ready().wrap_socket(sock, session=session, **options)

    def remember(self, sock: ssl.SSLSocket) -> None:
        """Keep the newest ticket of a connection that is about to close."""
        self.reused = bool(sock.session_reused)
        with self._lock:
            self._session = sock.session or self._session

    def forget(self) -> None:
        """Read the certificates again: the files may have been put right."""
        with self._lock:
            self._context = self._session = None

    def _ready(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._make()
            return self._context
