"""[telemetry]: the way to the fleet's broker, and what may be spent on it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section


class Telemetry(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[telemetry]: the fleet's MQTT broker. No endpoint: recorded locally and said so."""

    endpoints: tuple[Annotated[str, Meta(pattern=r"^mqtts?://[^/]+$")], ...] = ()
    """Tried in order: `mqtts://host:8883`; `mqtt://` only to loopback."""
    adapter: Literal["native", "thingsboard", "thin_edge"] = "native"
    """Whose topics and forms: those of docs/contracts/mqtt.md, or a server's own ([adapter])."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    username: str = ""
    username_file: str = ""
    """The same in a file, where it is a secret: ThingsBoard's access token."""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=15, le=1_200)] | Literal["auto"] = "auto"
    """`auto`: 120 s; on cellular from 300 s to 1200 s, as long as silence proves harmless."""
    boot_delay_s: Annotated[float, Meta(ge=0, le=600)] = 30.0
    reconnect_base_s: Seconds = 2.0
    reconnect_cap_s: Seconds = 300.0
    spread_s: Annotated[float, Meta(ge=0, le=86_400)] = 600.0
    """Over how long the fleet comes back after its server went away; 0: as after own troubles."""
    proxy: Annotated[str, Meta(pattern=r"^$|^(http|socks5)://[^/]+$", max_length=300)] = ""
    """`http://[user@]host:port` or `socks5://…`; not used for brokers on this terminal."""
    proxy_password_file: str = ""
    puback_timeout_s: Seconds = 60.0
    will_delay_s: Annotated[int, Meta(ge=0, le=3_600)] = 120
    """How long the broker waits before it says that we are lost; MQTT 5 only."""
    window: Annotated[int, Meta(ge=1, le=64)] = 8
    profile: Literal["default", "eco"] = "default"
    """How often what is not urgent is told; the periods below change single ones."""
    health_period_s: Seconds | None = None
    full_period_s: Seconds | None = None
    backlog_period_s: Seconds | None = None
    daily_budget_kb: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    """Bytes on the wire a day, in both directions; telling less begins at 60 percent. 0: none.

    Not set: 150, and only for bytes on cellular and metered channels. Set: on every network.
    """
    drain_messages_per_s: Annotated[float, Meta(ge=0.01, le=10_000)] = 4.0
    drain_bytes_per_s: Annotated[int, Meta(ge=64, le=100_000_000)] = 8_192
    outbox_max_rows: Annotated[int, Meta(ge=100, le=1_000_000)] = 20_000
    outbox_max_bytes: Annotated[int, Meta(ge=65_536, le=1_073_741_824)] = 8_388_608
