"""The tables about how good the way out is: what links lose, and what radios hear."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from agent.config.section import Seconds, Section


class Signal(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[signal]: drops, latency and loss of the links, and Wi-Fi's signal."""

    period_s: Seconds = 60.0
    window_s: Annotated[int, Meta(ge=60, le=86_400)] = 900
    """How far back latency and loss look."""
    drops_per_hour: Annotated[int, Meta(ge=1, le=1_000)] = 4
    """From here on a link is unstable."""
    loss_percent: Annotated[int, Meta(ge=1, le=100)] = 10
    """Connections lost between others, or segments sent twice, from which a link is unstable."""
    wifi: Literal["auto", "off"] = "auto"
    wifi_weak_dbm: Annotated[int, Meta(ge=-100, le=-40)] = -75
    names: bool = False
    """Whether the names of Wi-Fi networks (SSID, BSSID) are kept and told."""


class Cellular(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[cellular]: a modem, by ModemManager or on an AT port that nobody else has."""

    source: Literal["auto", "modemmanager", "at", "off"] = "auto"
    """auto: the AT port where `device` names one, else ModemManager where there is a modem."""
    device: Annotated[str, Meta(max_length=200)] = ""
    """The modem's AT port."""
    baud: Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600] = 115200
    open: Literal["when_free", "always"] = "when_free"
    """always: also where it cannot be seen whether another user's program holds the port."""
    answer_timeout_s: Annotated[float, Meta(ge=0.05, le=30)] = 2.0
    bus: Annotated[str, Meta(max_length=200)] = ""
    """D-Bus address of ModemManager; empty: the system bus."""
    interface: Annotated[str, Meta(max_length=15)] = ""
    """The modem's network interface, where it cannot be found out."""
    expected: Literal["auto", "yes", "no"] = "auto"
    """Whether SIM trouble is an alarm; auto: with `device` set, or once it was registered."""
    search_s: Annotated[int, Meta(ge=0, le=3_600)] = 120
    """How long a modem may look for its network before that is trouble."""
    weak_rsrp_dbm: Annotated[int, Meta(ge=-140, le=-60)] = -100
    weak_rssi_dbm: Annotated[int, Meta(ge=-113, le=-51)] = -93
