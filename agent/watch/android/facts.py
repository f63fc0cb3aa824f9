"""What Android told, in the shapes the watchers take; and why something was not told.

Translates and never judges: bands, alarms and comparisons are the watchers' own. Whatever Android
refuses stays *not told*, with the right that is needed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.android import Android as Settings
from agent.core.health.reading import Value
from agent.watch.android import (
    activity,
    battery,
    connectivity,
    getprop,
    packages,
    telephony,
    wifi,
)
from agent.watch.android.asking import Asking, Question, Told
from agent.watch.android.battery import Battery
from agent.watch.android.connectivity import Network
from agent.watch.android.telephony import Phone
from agent.watch.android.wifi import Wifi
from agent.watch.quality.facts import Kind, NotReadable, RadioFacts, Registration, SimState

_REGISTRATION = {
    "in_service": Registration.HOME,
    "out_of_service": Registration.SEARCHING,
    "emergency_only": Registration.EMERGENCY,
    "off": Registration.OFF,
}
_SIM = {
    "READY": SimState.READY,
    "LOADED": SimState.READY,
    "ABSENT": SimState.ABSENT,
    "PIN_REQUIRED": SimState.PIN_REQUIRED,
    "PUK_REQUIRED": SimState.PUK_REQUIRED,
    "NETWORK_LOCKED": SimState.LOCKED,
    "PERM_DISABLED": SimState.FAILED,
    "CARD_IO_ERROR": SimState.FAILED,
    "NOT_READY": SimState.NOT_READY,
}
SOURCE = "dumpsys"
T = TypeVar("T")


class Android:
    """Everything this Android tells."""

    def __init__(self, settings: Settings, clock: Clock, blocking: Blocking) -> None:
        self.settings = settings
        self.asking = Asking(
            Path(settings.bin),
            clock,
            blocking,
            period_s=settings.period_s,
            deadline_s=settings.deadline_s,
        )
        #: The battery as it was last read; whoever reads files must not wait for a program.
        self.last_battery: Battery | None = None
        self._properties: dict[str, str] = {}

    # -- by source, from the loop ----------------------------------------------------------

    async def properties(self, *, fresh: bool = False) -> tuple[Mapping[str, str], Told]:
        """All properties that are used."""
        told = await self.asking.told(getprop.QUESTION, fresh=fresh)
        self._properties = getprop.properties(told.text)
        return self._properties, told

    async def network(self, *, fresh: bool = False) -> tuple[Network | None, Told]:
        """The network Android sends by."""
        told = await self.asking.told(connectivity.QUESTION, fresh=fresh)
        return _read(connectivity.QUESTION, told, connectivity.network(told.text))

    async def wifi(self, *, fresh: bool = False) -> tuple[Wifi | None, Told]:
        """Wi-Fi, by `cmd` where `dumpsys` is refused: it needs no permission to dump."""
        told = await self.asking.told(wifi.DUMP, fresh=fresh)
        found = wifi.wifi(told.text)
        if found is None:
            other = await self.asking.told(wifi.STATUS, fresh=fresh)
            found = wifi.wifi(other.text)
            told = other if found is not None else told
        return _read(wifi.DUMP, told, found)

    async def phones(self, *, fresh: bool = False) -> tuple[list[Phone] | None, Told]:
        """The SIM slots."""
        told = await self.asking.told(telephony.QUESTION, fresh=fresh)
        return _read(telephony.QUESTION, told, telephony.phones(told.text))

    async def battery(self, *, fresh: bool = False) -> tuple[Battery | None, Told]:
        """The battery."""
        told = await self.asking.told(battery.QUESTION, fresh=fresh)
        self.last_battery = found = battery.battery(told.text)
        return _read(battery.QUESTION, told, found)

    # -- the payment app (agent.watch.payment_app.watcher.Packages) ------------------------

    async def running(self, package: str) -> bool | None:
        """Whether the app has a process; None: not told."""
        told = await self.asking.told(activity.QUESTION)
        return None if told.untold else activity.running(told.text, package)

    async def version(self, package: str, *, fresh: bool = False) -> str:
        """Its installed version; "" where it is not told."""
        question = packages.asked_for(package)
        if question is None:
            return ""
        return packages.version((await self.asking.told(question, fresh=fresh)).text, package)

    # -- versions, blocking (agent.watch.software.sources.Android) -------------------------

    def package_version(self, package: str) -> str | None:
        """versionName; "": not installed; None: cannot be told."""
        question = packages.asked_for(package)
        if question is None:
            return None
        told = self.asking.now(question)
        return None if told.untold else packages.version(told.text, package)

    def property(self, name: str) -> str | None:
        """A system property; "": not set; None: cannot be told."""
        told = self.asking.now(getprop.QUESTION)
        if told.untold:
            return None
        found = getprop.properties(told.text).get(name)
        if found is not None:
            return found
        # Not among those that are kept: asked for by itself.
        question = getprop.asked_for(name)
        if question is None:
            return None
        alone = self.asking.now(question)
        if alone.untold:
            return "" if alone.untold.endswith("answered nothing") else None
        return getprop.one_property(alone.text)

    # -- battery and last start, for the system watcher ------------------------------------

    def power(self) -> Mapping[str, Value]:
        """What was last read of the battery, as the system watcher calls it."""
        found = self.last_battery
        if found is None or not found.fitted or found.made_up or found.percent is None:
            return {}
        return {
            "battery_percent": found.percent,
            "battery_charging": found.charging,
            "battery_status": found.status or None,
            "battery_health": found.health or None,
            "external_power": found.powered,
        }

    def boot_reason(self) -> str:
        """Why it was last started, as far as it was read."""
        had = self._properties
        return had.get("ro.boot.bootreason") or had.get("sys.boot.reason", "")


class AndroidRadios:
    """Wi-Fi and SIM slots as a source of radios (agent.watch.quality.facts.RadioSource)."""

    name = SOURCE

    def __init__(self, android: Android) -> None:
        self._android = android

    async def read(self) -> Sequence[RadioFacts | NotReadable]:
        """What Android says of its radios."""
        return [*await self._wifi(), *await self._cellular()]

    async def close(self) -> None:
        """Nothing is held."""

    async def _wifi(self) -> list[RadioFacts | NotReadable]:
        found, told = await self._android.wifi()
        if found is None:
            return [] if told.absent else [NotReadable(source="wifi", reason=told.untold)]
        if found.enabled is False:
            return []
        network, _ = await self._android.network()
        by_wifi = network is not None and network.transport.startswith("wifi")
        return [
            RadioFacts(
                kind=Kind.WIFI,
                source=SOURCE,
                interface=network.interface if network is not None and by_wifi else "wlan0",
                updated_ms=told.at_ms,
                associated=found.joined,
                rssi_dbm=found.rssi_dbm,
                technology="wifi",
                frequency_mhz=found.frequency_mhz,
                bitrate_kbps=_kbps(found.link_speed_mbps),
            )
        ]

    async def _cellular(self) -> list[RadioFacts | NotReadable]:
        slots, told = await self._android.phones()
        if slots is None:
            return [] if told.absent else [NotReadable(source="cellular", reason=told.untold)]
        had, _ = await self._android.properties()
        sims = getprop.by_slot(had, "gsm.sim.state")
        kinds = getprop.by_slot(had, "gsm.network.type")
        operators = getprop.by_slot(had, "gsm.operator.numeric")
        network, _ = await self._android.network()
        interface = ""
        if network is not None and network.transport.startswith("cellular"):
            interface = network.interface
        radios: list[RadioFacts | NotReadable] = []
        for number, phone in enumerate(slots):
            sim = _SIM.get(_at(sims, number).upper(), SimState.UNKNOWN)
            if not phone.service and sim in (SimState.UNKNOWN, SimState.ABSENT):
                continue  # no modem behind this slot
            if sim is SimState.ABSENT and number > 0:
                continue  # the second slot of a terminal with one SIM is nobody's trouble
            radios.append(
                RadioFacts(
                    kind=Kind.CELLULAR,
                    source=SOURCE,
                    interface=interface if phone.service == "in_service" else "",
                    updated_ms=told.at_ms,
                    rssi_dbm=phone.rssi_dbm if phone.rsrp_dbm is None else None,
                    rsrp_dbm=phone.rsrp_dbm,
                    rsrq_db=phone.rsrq_db,
                    sinr_db=phone.sinr_db,
                    level=phone.level,
                    technology=phone.technology or _at(kinds, number).lower(),
                    registration=_registration(phone),
                    sim_state=sim,
                    operator=_at(operators, number),
                )
            )
        return radios


def _read(question: Question, told: Told, found: T | None) -> tuple[T | None, Told]:
    """A dump that says nothing in a form we know is untold, too."""
    if found is None and not told.untold:
        why = f"{question.name} answered in a form that is not known here"
        told = Told(untold=why, at_ms=told.at_ms)
    return found, told


def _registration(phone: Phone) -> Registration:
    found = _REGISTRATION.get(phone.service, Registration.UNKNOWN)
    return Registration.ROAMING if found is Registration.HOME and phone.roaming else found


def _kbps(mbps: int | None) -> int | None:
    return None if mbps is None else mbps * 1000


def _at(values: Sequence[str], number: int) -> str:
    found = values[number] if number < len(values) else ""
    return "" if found.lower() == "unknown" else found
