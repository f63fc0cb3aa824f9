"""[telemetry]: the way to the fleet's broker, and what may be spent on it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section


class Telemetry(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[telemetry]: the fleet's MQTT broker. No endpoint: recorded locally and said so."""

    endpoints: tuple[Annotated[str, Meta(pattern=r"^mqtts?://[^/]+$")], ...] = ()
    """Tried in order: `mqtts://host:8883`; `mqtt://` only to loopback."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    username: str = ""
    password_file: str = ""
    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    keepalive_s: Annotated[int, Meta(ge=15, le=1_200)] = 120
    boot_delay_s: Annotated[float, Meta(ge=0, le=600)] = 30.0
    reconnect_base_s: Seconds = 2.0
    reconnect_cap_s: Seconds = 300.0
    puback_timeout_s: Seconds = 60.0
    will_delay_s: Annotated[int, Meta(ge=0, le=3_600)] = 120
    """How long the broker waits before it says that we are lost; MQTT 5 only."""
    window: Annotated[int, Meta(ge=1, le=64)] = 8
    health_period_s: Seconds = 900.0
    full_period_s: Seconds = 14_400.0
    backlog_period_s: Seconds = 900.0
    outbox_max_rows: Annotated[int, Meta(ge=100, le=1_000_000)] = 20_000
    outbox_max_bytes: Annotated[int, Meta(ge=65_536, le=1_073_741_824)] = 8_388_608
