"""One terminal's conversation with the broker, as a machine: events in, actions out.

Decides when to connect, to which endpoint and in which protocol, how much may be unacknowledged,
when silence means the connection is dead, and how long to stay away after each kind of goodbye.
Refuses to know sockets, threads, rows and messages: `telemetry.conversation` performs the actions,
brings the time and draws the jitter (a float in [0, 1)).

Why the waits are random over their whole length (full jitter): a street whose power returns must
not come at once. After a server ended connections all its terminals wait, so that spread is a
number of its own, set by the fleet: the first retry is drawn from its whole length, each later one
waits that length at least, or the retries of all would add up to more than one per terminal and
spread. Why a CONNACK resets nothing: a broker that accepts and drops would be stormed for ever.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from agent.core.fleet.dialect import Dialect, Tongue
from agent.record import dataclass


class Phase(StrEnum):
    """Where the conversation stands."""

    IDLE = "idle"  #: not started
    WAITING = "waiting"  #: staying away until a moment
    CONNECTING = "connecting"  #: DNS, TCP, TLS, CONNECT sent, no CONNACK yet
    CONNECTED = "connected"  #: CONNACK received


class Origin(StrEnum):
    """Who ended it."""

    REFUSED = "refused"  #: a CONNACK said no
    SERVER = "server"  #: a DISCONNECT packet, or the far side closed
    NETWORK = "network"  #: never reached, timed out, or dropped by us
    SILENCE = "silence"  #: our CONNECT arrived and was not answered


BUSY = frozenset({0x88, 0x89, 0x8B, 0x97, 0x9C, 0x9D, 0x9F})
MOVED = frozenset({0x9C, 0x9D})
CREDENTIALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
OTHER_VERSION = frozenset({0x01, 0x84})
BROKEN_PROTOCOL = frozenset({0x81, 0x82})
TAKEN_OVER = 0x8E
#: How much later than the spread a further retry may be: keeps those drawn together apart.
LATER = 0.2
#: Refusals of one message that would be the same for ever: topic, format, size.
POISON = frozenset({0x90, 0x95, 0x99})

NOT_AUTHORISED = "broker.not_authorised"
DUPLICATE_ID = "broker.duplicate_id"
MOVED_WHY = "channel changed"
TWIN_WHY = "another client uses this id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """The numbers, as configured; why those are the defaults is docs/fleet/connection.md."""

    endpoints: int
    dialect: Dialect | None = None  #: None: 5 first, 3.1.1 where 5 is not understood
    window: int = 8
    boot_delay_s: float = 30.0
    base_s: float = 2.0
    cap_s: float = 300.0
    puback_timeout_s: float = 60.0
    connect_timeout_s: float = 60.0  #: DNS + TCP + TLS + CONNACK; weak links need 30 s for TLS
    connack_timeout_s: float = 20.0  #: where it is not known whether the broker understands us
    steady_s: float = 60.0
    spread_s: float = 600.0  #: over how long a fleet comes back after its server went away
    busy_s: float = 300.0
    long_s: float = 1_800.0  #: after wrong credentials or a twin: half to the whole of twice this


@dataclass(frozen=True, slots=True)
class Connect:
    """Start an attempt. The connect counter is persisted first."""

    endpoint: int
    dialect: Dialect


@dataclass(frozen=True, slots=True)
class Announce:
    """Publish `online`; without a session on the broker, also what it may have forgotten."""

    session_present: bool


@dataclass(frozen=True, slots=True)
class Drop:
    """Tear the socket down now, without a goodbye; nothing more is heard from it."""

    why: str


@dataclass(frozen=True, slots=True)
class Release:
    """What was sent and not acknowledged has to be sent again on the next connection."""


@dataclass(frozen=True, slots=True)
class Acked:
    """The broker has this row."""

    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The broker will never take this row."""

    seq: int
    code: int


@dataclass(frozen=True, slots=True)
class Raise:
    """An alarm a person has to act on."""

    code: str


Action = Connect | Announce | Drop | Release | Acked | Refused | Raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What a CONNACK granted. Zero: not said."""

    receive_maximum: int = 0
    server_keepalive_s: int = 0
    max_packet_bytes: int = 0
    session_present: bool = False


@dataclass(frozen=True, slots=True)
class _Flight:
    seq: int
    sent_ms: int


@dataclass(slots=True)
class _Live:
    """What is true only while connected."""

    since_ms: int
    window: int
    granted: Connected
    acks: int = 0
    asked_ms: int | None = None  #: when a PINGREQ left that is not answered yet
    flying: dict[int, _Flight] = field(default_factory=dict)


class Session:
    """The machine. Not thread-safe: one owner, one loop."""

    def __init__(self, policy: Policy) -> None:
        self.phase = Phase.IDLE
        self.alarm = ""
        self._policy = policy
        self._endpoint = 0
        self._tongues = [Tongue(policy.dialect) for _ in range(policy.endpoints)]
        self._greeted = False  # CONNECTING, and the CONNECT is on its way
        self._failures = 0
        self._spreading = False  # the server ended a connection, and none was steady since
        self._due_ms = 0
        self._live: _Live | None = None

    # What is true now

    @property
    def endpoint(self) -> int:
        """Index of the endpoint in use or next to be tried."""
        return self._endpoint

    @property
    def dialect(self) -> Dialect:
        """The protocol in use or next to be tried."""
        return self._tongues[self._endpoint].dialect

    @property
    def failures(self) -> int:
        """Connections in a row that were not steady."""
        return self._failures

    @property
    def room(self) -> int:
        """How many messages may be published now."""
        return self._live.window - len(self._live.flying) if self._live else 0

    @property
    def granted(self) -> Connected | None:
        """The broker's CONNACK while connected."""
        return self._live.granted if self._live else None

    def unacknowledged(self, mid: int) -> bool:
        """Whether this message is still waiting for its PUBACK."""
        return self._live is not None and mid in self._live.flying

    def wake_at_ms(self) -> int | None:
        """When `tick` will next have something to do by itself; None: not before an event."""
        if self.phase in (Phase.WAITING, Phase.CONNECTING):
            return self._due_ms
        if self._live is None:
            return None
        oldest = next(iter(self._live.flying.values()), None)
        asked = [] if self._live.asked_ms is None else [self._live.asked_ms]
        asked += [] if oldest is None else [oldest.sent_ms]
        return min(asked) + _ms(self._policy.puback_timeout_s) if asked else None

    # Events

    def start(self, now_ms: int, jitter: float) -> None:
        """The agent has booted: a power cut of a whole street must not become a storm."""
        self.phase = Phase.WAITING
        self._due_ms = now_ms + _ms(self._policy.boot_delay_s * jitter)

    def tick(self, now_ms: int, jitter: float) -> tuple[Action, ...]:
        """Time has passed."""
        wake_at_ms = self.wake_at_ms()
        if wake_at_ms is None or now_ms < wake_at_ms:
            return ()
        if self.phase is Phase.WAITING:
            self.phase = Phase.CONNECTING
            self._greeted = False
            self._due_ms = now_ms + _ms(self._policy.connect_timeout_s)
            return (Connect(self._endpoint, self._tongues[self._endpoint].choose(now_ms)),)
        why, origin = "puback timeout", Origin.NETWORK
        if self._live is not None and not self._live.flying:
            why = "ping timeout"
        if self.phase is Phase.CONNECTING and self._greeted:
            why, origin = "connack timeout", Origin.SILENCE
        elif self.phase is Phase.CONNECTING:
            why = "connect timeout"
        return (Drop(why), *self.closed(now_ms, 0, origin, jitter))

    def greeted(self, now_ms: int) -> None:
        """DNS, TCP and TLS are done and the CONNECT is on its way."""
        if self.phase is not Phase.CONNECTING:
            return
        self._greeted = True
        if self._tongues[self._endpoint].doubtful:
            soon_ms = now_ms + _ms(self._policy.connack_timeout_s)
            self._due_ms = min(self._due_ms, soon_ms)

    def connected(self, now_ms: int, granted: Connected) -> tuple[Action, ...]:
        """A CONNACK said yes."""
        if self.phase is not Phase.CONNECTING:
            return ()
        self.phase = Phase.CONNECTED
        self._tongues[self._endpoint].understood()
        window = min(self._policy.window, granted.receive_maximum or 65_535)
        self._live = _Live(since_ms=now_ms, window=window, granted=granted)
        if self.alarm == NOT_AUTHORISED:
            self.alarm = ""
        return (Announce(granted.session_present),)

    def sent(self, mid: int, seq: int, now_ms: int) -> None:
        """A message went out as packet `mid`; `seq` is its outbox row, 0 for none."""
        if self._live is not None:
            self._live.flying[mid] = _Flight(seq, now_ms)

    def pinged(self, now_ms: int) -> None:
        """The broker was asked whether it is there."""
        if self._live is not None and self._live.asked_ms is None:
            self._live.asked_ms = now_ms

    def ponged(self) -> None:
        """It is."""
        if self._live is not None:
            self._live.asked_ms = None

    def puback(self, mid: int, code: int, now_ms: int, jitter: float) -> tuple[Action, ...]:
        """The broker acknowledged a packet, or (v5, code >= 0x80) refused it."""
        flight = self._live.flying.pop(mid, None) if self._live else None
        if flight is None or self._live is None:
            return ()
        if code >= 0x80 and code not in POISON:
            # Not this message but we are unwelcome (rights, quota): keep the row, come back later.
            return (
                Drop(f"puback refused 0x{code:02x}"),
                *self.closed(now_ms, code, Origin.SERVER, jitter),
            )
        self._live.acks += 1
        self._settle(now_ms)
        if not flight.seq:
            return ()
        return (Refused(flight.seq, code),) if code in POISON else (Acked(flight.seq),)

    def closed(self, now_ms: int, code: int, origin: Origin, jitter: float) -> tuple[Action, ...]:
        """The attempt failed or the connection ended. `code` is an MQTT 5 reason code or 0."""
        if self.phase not in (Phase.CONNECTING, Phase.CONNECTED):
            return ()
        self._settle(now_ms)
        live, self._live = self._live, None
        actions: list[Action] = [Release()]
        if code in CREDENTIALS:
            actions += self._raise(NOT_AUTHORISED)
        elif code == TAKEN_OVER:
            actions += self._raise(DUPLICATE_ID)
        self._failures += 1
        self.phase = Phase.WAITING
        self._due_ms = now_ms + _ms(self._stay_away_s(code, origin, live is not None, jitter))
        tongue = self._tongues[self._endpoint]
        if self._misunderstood(code, origin, live, tongue):
            if tongue.refused(now_ms):
                self._endpoint = (self._endpoint + 1) % self._policy.endpoints
            return tuple(actions)
        if live is not None and live.acks and origin is Origin.SERVER:
            tongue.ended(now_ms)
        if live is None or self._failures > 1 or code in MOVED:
            self._endpoint = (self._endpoint + 1) % self._policy.endpoints
        else:
            # A steady connection ended. Fail back: the first endpoint is the preferred one.
            self._endpoint = 0
        return tuple(actions)

    def moved(self, now_ms: int, jitter: float) -> tuple[Action, ...]:
        """Another channel carries: what stands on the old one is dropped, what waits waits less.

        Still drawn from a whole second or two: a street whose line is cut moves all at once.
        """
        actions: tuple[Action, ...] = ()
        if self.phase in (Phase.CONNECTING, Phase.CONNECTED):
            actions = (Drop(MOVED_WHY), *self.closed(now_ms, 0, Origin.NETWORK, jitter))
        if self.phase is Phase.WAITING and not self.alarm and not self._spreading:
            self._due_ms = min(self._due_ms, now_ms + _ms(self._policy.base_s * jitter))
        return actions

    def twin(self, now_ms: int, jitter: float) -> tuple[Action, ...]:
        """Somebody else has spoken with our id: as a takeover that the broker did not name."""
        if self.phase is not Phase.CONNECTED:
            return ()
        return (Drop(TWIN_WHY), *self.closed(now_ms, TAKEN_OVER, Origin.SERVER, jitter))

    # How

    def _settle(self, now_ms: int) -> None:
        """Forget past failures once a connection has proven itself."""
        live = self._live
        if live and live.acks and now_ms - live.since_ms >= _ms(self._policy.steady_s):
            self._failures = 0
            self._spreading = False
            self.alarm = ""

    def _raise(self, alarm: str) -> list[Action]:
        if self.alarm == alarm:
            return []
        self.alarm = alarm
        return [Raise(alarm)]

    def _stay_away_s(self, code: int, origin: Origin, established: bool, jitter: float) -> float:
        policy = self._policy
        if code in CREDENTIALS or code == TAKEN_OVER:
            return policy.long_s * (1 + jitter)
        # 2**30 seconds is beyond every cap; unbounded exponents overflow a float after weeks.
        ceiling_s = min(policy.cap_s, policy.base_s * 2.0 ** min(self._failures - 1, 30))
        if code in BUSY:
            ceiling_s = max(ceiling_s, policy.busy_s)
        if self._spreading:
            return max(ceiling_s, policy.spread_s) * (1 + LATER * jitter)
        if established and origin is Origin.SERVER:
            self._spreading = policy.spread_s > 0
            ceiling_s = max(ceiling_s, policy.spread_s)
        return ceiling_s * jitter

    @staticmethod
    def _misunderstood(code: int, origin: Origin, live: _Live | None, tongue: Tongue) -> bool:
        """Whether the broker seems not to speak our dialect."""
        if tongue.fixed:
            return False
        if code in OTHER_VERSION:
            return True
        if live is not None:
            return code in BROKEN_PROTOCOL and not live.acks
        unanswered = origin in (Origin.SERVER, Origin.SILENCE) or code in BROKEN_PROTOCOL
        return unanswered and tongue.unanswered()


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
