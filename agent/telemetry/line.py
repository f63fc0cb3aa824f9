"""How to reach the fleet, as configured and plugged in, and what became of it for `view`."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import field
from pathlib import Path

from agent.config.telemetry import Telemetry
from agent.core.fleet.dialect import Dialect
from agent.core.fleet.keepalive import Keepalive, Network
from agent.core.fleet.messages import StateMessage
from agent.core.fleet.session import Policy
from agent.link.contact import Told
from agent.link.dial import Reach
from agent.link.meter import Meter
from agent.record import dataclass
from agent.telemetry.adapters import Scheme
from agent.telemetry.attempt import Attempt, BrokerTime, Endpoint, Trust, Will
from agent.telemetry.credentials import Credentials, one_of
from agent.telemetry.ports import Inbox, Notes

log = logging.getLogger(__name__)

#: Reconnect caps below this are for tests and demos, and cap the spread too.
SMALL_CAP_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """How to reach the fleet."""

    settings: Telemetry
    tenant: str
    device_id: str
    tls: Callable[[], ssl.SSLContext]
    scheme: Scheme
    inbox: Inbox | None = None
    credentials: Credentials | None = None  #: a certificate that may be renewed
    reach: Reach | None = None  #: over the channel in use; None: as the system chooses
    told: Told | None = None
    time: BrokerTime | None = None  #: where the broker tells it
    network: Callable[[], Network] = Network  #: what carries connections now
    notes: Notes | None = None  #: what outlives the process
    meter: Meter = field(default_factory=Meter)  #: what all connections cost

    @property
    def endpoints(self) -> tuple[str, ...]:
        """As configured."""
        return self.settings.endpoints

    def policy(self) -> Policy:
        """The session's numbers."""
        settings = self.settings
        cap_s = settings.reconnect_cap_s
        return Policy(
            endpoints=len(self.endpoints),
            dialect=None if settings.protocol == "auto" else Dialect(settings.protocol),
            window=settings.window,
            boot_delay_s=settings.boot_delay_s,
            base_s=settings.reconnect_base_s,
            cap_s=cap_s,
            puback_timeout_s=settings.puback_timeout_s,
            spread_s=spread_s(settings),
            busy_s=min(300.0, cap_s),
        )

    @property
    def keepalive_s(self) -> int:
        """As configured; 0: to be learnt."""
        configured = self.settings.keepalive_s
        return 0 if configured == "auto" else configured

    def attempt(
        self,
        endpoint: Endpoint,
        dialect: Dialect,
        connects: int,
        keepalive: Keepalive,
        trust: Trust | None,
    ) -> Attempt:
        """The next connection; it is the `connects`-th."""
        settings = self.settings
        lost = self.scheme.will(StateMessage(state="lost", connects=connects))
        will = None
        if lost is not None:
            will = Will(
                topic=lost.topic,
                payload=lost.payload,
                delay_s=settings.will_delay_s,
                retained=lost.retained,
            )
        return Attempt(
            endpoint=endpoint,
            dialect=dialect,
            client_id=self.device_id,
            keepalive_s=keepalive.promise_s,
            ping_s=keepalive.interval_s,
            will=will,
            username=settings.username,
            user=self.user if settings.username_file else None,
            password=self.password if settings.password_file else None,
            trust=trust,
            reach=self.reach,
            told=self.told,
            time=self.time,
            meter=self.meter,
        )

    def user(self) -> str:
        """A name that is a secret."""
        return Path(self.settings.username_file).read_text("utf-8").strip()

    def password(self) -> str:
        """Read when needed: it may be rotated."""
        return Path(self.settings.password_file).read_text("utf-8").strip()


def spread_s(settings: Telemetry) -> float:
    """Over how long a fleet comes back, or a group starts anew."""
    cap_s = settings.reconnect_cap_s
    return min(settings.spread_s, cap_s) if cap_s < SMALL_CAP_S else settings.spread_s


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
    keepalive_s: int = 0  #: the silence after which the broker is asked; 0: not connected
    subscribed: bool | None = None  #: None: not answered
    credentials: Credentials | None = field(default=None, repr=False)
    changed: Callable[[], object] = field(default=lambda: None, repr=False)

    def pairs(self, line: Line) -> Credentials:
        """The certificates, with the TLS sessions to resume."""
        if self.credentials is None:
            self.credentials = line.credentials or one_of(line.tls)
        return self.credentials

    def stood(self, failures: int) -> None:
        """Connected, after so many failures."""
        self.last_error = self.last_reason = ""
        log.info(
            "event=telemetry_connected endpoint=%s protocol=%s connects=%d failures=%d",
            self.endpoint,
            self.dialect,
            self.connects,
            failures,
        )
        self.changed()

    def ended(self, word: str, reason: str, code: int, *, again: bool) -> None:
        """An attempt failed or a connection ended; `again`: as the one before it."""
        self.last_error, self.last_reason = word, reason
        log.log(
            logging.DEBUG if again else logging.WARNING,
            "event=telemetry_disconnected endpoint=%s error=%s code=0x%02x reason=%r",
            self.endpoint,
            word,
            code,
            reason,
        )
        self.changed()
