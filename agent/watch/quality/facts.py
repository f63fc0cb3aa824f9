"""What any source can tell about a radio, in one shape: the port between sources and judgement.

A source (nl80211, /proc/net/wireless, ModemManager, an AT port, Android's dumpsys) reads and
translates; it never judges. Bands, hysteresis and alarms are `bands` and the watcher, which never
ask where a figure came from. None means *not told*, never zero and never "bad". Nothing here
identifies a subscriber or a modem: IMEI, IMSI, ICCID and telephone numbers have no field, so that
no source can hand them on; neither SSID nor BSSID is kept unless the configuration asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from agent.record import dataclass


class Kind(StrEnum):
    """What sort of radio it is."""

    WIFI = "wifi"
    CELLULAR = "cellular"


class SimState(StrEnum):
    """What is known of the SIM card. Only READY can carry payments."""

    UNKNOWN = "unknown"  #: not told: never a fault
    READY = "ready"
    ABSENT = "absent"
    PIN_REQUIRED = "pin_required"
    PUK_REQUIRED = "puk_required"
    LOCKED = "locked"  #: locked to a network or a device
    FAILED = "failed"  #: there, and not answering or refused by the modem
    NOT_READY = "not_ready"  #: still starting, or busy


class Registration(StrEnum):
    """How the network answered this SIM (3GPP TS 27.007, +CREG)."""

    UNKNOWN = "unknown"  #: not told: never a fault
    HOME = "home"
    ROAMING = "roaming"
    SEARCHING = "searching"
    DENIED = "denied"
    IDLE = "idle"  #: not registered, and not searching
    EMERGENCY = "emergency_only"
    OFF = "off"  #: the radio is switched off


@dataclass(frozen=True, slots=True, kw_only=True)
class RadioFacts:
    """One radio as one source saw it at one moment."""

    kind: Kind
    source: str  #: nl80211, wireless, modemmanager, at, dumpsys …
    interface: str = ""  #: of the kernel (wlan0, wwan0); "" where the source does not know
    updated_ms: int = 0  #: boot time of the reading
    #: Wi-Fi: whether it is joined to an access point. Cellular: None, see `registration`.
    associated: bool | None = None
    rssi_dbm: float | None = None
    rsrp_dbm: float | None = None  #: LTE and NR only
    rsrq_db: float | None = None
    sinr_db: float | None = None
    #: The source's own scale, 0..100; ModemManager's SignalQuality, percent of old drivers.
    quality_percent: int | None = None
    level: int | None = None  #: Android's 0..4 bars
    technology: str = ""  #: gsm, umts, hspa, lte, nr, wifi …
    frequency_mhz: int | None = None
    registration: Registration = Registration.UNKNOWN
    sim_state: SimState = SimState.UNKNOWN
    operator: str = ""  #: MCC and MNC (46000), or the network's name
    #: The figure is what the modem makes of another one (CSQ on LTE): no two modems compare.
    mapped: bool = False
    #: Wi-Fi only, where the driver tells; all count since the association.
    bitrate_kbps: int | None = None
    tx_retries: int | None = None
    tx_failed: int | None = None
    tx_packets: int | None = None
    beacon_losses: int | None = None
    connected_s: int | None = None
    inactive_ms: int | None = None
    ssid: str = ""  #: only with [signal] names = true
    bssid: str = ""
    #: A sentence where something could not be read, with the right that is needed.
    doubt: str = ""

    @property
    def measured(self) -> bool:
        """Whether it says anything of its signal."""
        told = (self.rssi_dbm, self.rsrp_dbm, self.level, self.quality_percent)
        return any(one is not None for one in told)

    @property
    def registered(self) -> bool | None:
        """Whether the network carries this SIM; None where it is not known."""
        if self.registration == Registration.UNKNOWN:
            return None
        return self.registration in (Registration.HOME, Registration.ROAMING)

    @property
    def roaming(self) -> bool | None:
        """Whether it is a foreign network; None where it is not known."""
        return None if self.registered is None else self.registration == Registration.ROAMING


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReadable:
    """A source that should have told and could not; never a fault of the radio."""

    source: str
    reason: str  #: a sentence, with the right that is needed where one is missing
    interface: str = ""


class RadioSource(Protocol):
    """Somewhere radios can be read. Raises nothing for what the world may do to it."""

    name: str

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        """The radios it sees; empty where it has none. The watcher gives it twenty seconds."""
        ...

    async def close(self) -> None:
        """Give back sockets and ports."""
        ...
