"""Android as a component: which it is, the network it uses, its radios, battery and apps.

What it judges of itself is only this: a source that Android refuses is *not told*, with the right
that is needed (`needs`), and never a fault. Asks each source as rarely as [android] period_s says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.core.health.reading import NotObservable, Outcome, Reading, Value
from agent.watch.android import getprop
from agent.watch.android.asking import Told
from agent.watch.android.facts import Android

#: What was not told is said with this word, so that nobody takes its absence for "fine".
UNKNOWN = "unknown"

_Doubt = Callable[[str, Told], None]


class AndroidWatcher:
    """One reading of what Android says of this terminal."""

    component = "android"

    def __init__(self, android: Android) -> None:
        self._android = android
        settings = android.settings
        self.period_s = float(settings.period_s)
        # One after the other, each with its own deadline; a hanging service costs its own answer.
        self.deadline_s = 6 * (settings.deadline_s + 3) + 10 * len(settings.packages[:8])

    async def read(self) -> Outcome:
        """Everything, one source after the other: this is no hurry and a small machine."""
        values: dict[str, Value] = {}
        evidence: dict[str, str] = {}
        missing: dict[str, str] = {}

        def doubt(name: str, told: Told) -> None:
            evidence[name] = told.untold
            if told.needs:
                missing[name] = told.needs

        await self._identity(values, doubt)
        await self._network(values, doubt)
        await self._wifi(values, doubt)
        await self._cellular(values, doubt)
        await self._battery(values, doubt)
        for package in self._android.settings.packages:
            version = await self._android.version(package, fresh=True)
            values[f"version_{package.replace('.', '_')}"] = version or None
        known = {name: value for name, value in values.items() if value is not None}
        if missing:
            known["needs"] = ", ".join(sorted(set(missing.values())))
        if not any(value != UNKNOWN for name, value in known.items() if name != "needs"):
            return NotObservable("; ".join(dict.fromkeys(evidence.values())))
        return Reading(known, evidence)

    async def _identity(self, values: dict[str, Value], doubt: _Doubt) -> None:
        had, told = await self._android.properties(fresh=True)
        identity = getprop.identity(had)
        if not identity:
            doubt("getprop", told)
        values |= identity

    async def _network(self, values: dict[str, Value], doubt: _Doubt) -> None:
        found, told = await self._android.network(fresh=True)
        if found is None:
            doubt("connectivity", told)
            values["network"] = UNKNOWN
            return
        values |= {
            "network": (found.transport or "yes") if found.default else "none",
            "network_interface": found.interface or None,
            "validated": found.validated,
            "captive_portal": found.captive_portal,
            "metered": found.metered,
        }

    async def _wifi(self, values: dict[str, Value], doubt: _Doubt) -> None:
        found, told = await self._android.wifi(fresh=True)
        if found is None:
            if not told.absent:
                doubt("wifi", told)
                values["wifi"] = UNKNOWN
            return
        word = {True: "joined", False: "not_joined", None: UNKNOWN}[found.joined]
        values |= {
            "wifi": "off" if found.enabled is False else word,
            "wifi_dbm": found.rssi_dbm,
            "wifi_mhz": found.frequency_mhz,
        }

    async def _cellular(self, values: dict[str, Value], doubt: _Doubt) -> None:
        slots, told = await self._android.phones(fresh=True)
        if slots is None:
            if not told.absent:
                doubt("cellular", told)
                values["cellular"] = UNKNOWN
            return
        served = [one for one in slots if one.service]
        if not served:
            return
        phone = next((one for one in served if one.service == "in_service"), served[0])
        values |= {
            "cellular": phone.service,
            "cellular_technology": phone.technology or None,
            "cellular_rsrp_dbm": phone.rsrp_dbm,
            "cellular_roaming": phone.roaming,
        }

    async def _battery(self, values: dict[str, Value], doubt: _Doubt) -> None:
        found, told = await self._android.battery(fresh=True)
        if found is None:
            doubt("battery", told)
            values["battery"] = UNKNOWN
            return
        if found.made_up:
            values["battery"] = UNKNOWN
            doubt("battery", Told(untold="its values were made up by `dumpsys battery set`"))
            return
        values |= _battery_values(found.fitted, self._android.power(), found.temperature_c)


def _battery_values(
    fitted: bool, power: Mapping[str, Value], temperature_c: float | None
) -> dict[str, Value]:
    if not fitted:
        return {"battery": "not_fitted"}
    return {"battery": "told", **power, "battery_temperature_c": temperature_c}
