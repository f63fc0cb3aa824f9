"""The watcher `devices`: what is attached to this terminal, and whether anybody serves it.

Decides nothing about a device itself: that is its own watcher's business. It reads the kernel's
description (never a device), counts, and names the first that no driver serves, which is what
`device.not_recognised` is judged by. The runner calls it once an hour, and `hotplug` at once when
something came or went.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from agent.blocking import Blocking
from agent.config import Config
from agent.config.devices import Discovery
from agent.core.health.reading import NotObservable, Outcome, Reading, Value
from agent.watch.discovery import sysfs
from agent.watch.discovery.hotplug import Interest
from agent.watch.discovery.sysfs import Attached

component = "devices"
#: The tables of the configuration that name a device; others join by having the same key.
FITTED = ("printer", "scanner", "keypad")
SCAN_DEADLINE_S = 10.0
#: Findings shown as evidence; a reading is no inventory.
SHOWN = 8


def configured(config: Config) -> dict[str, str]:
    """Component -> its device as configured, for those that have one.

    A path, or whatever else names a device: `tcp://…`, `usb:VVVV:PPPP`, part of a name.
    """
    told: dict[str, str] = {}
    for one in FITTED:
        section = getattr(config, one, None)
        told[one] = getattr(section, "device", "") or getattr(section, "name", "")
    return {one: device for one, device in told.items() if device}


def interests(config: Config) -> list[Interest]:
    """Whom a device's coming or going concerns; `devices` looks at all of them."""
    named = [
        Interest(component=one, device=told)
        for one, told in configured(config).items()
        if not told.startswith("tcp://")
    ]
    if config.cellular.device:
        named.append(Interest(component="signal", device=config.cellular.device))
    return [*named, Interest(component=component)]


def resolved(devices: Mapping[str, str]) -> dict[str, str]:
    """Links like /dev/serial/by-id/... as the nodes behind them. Reads the file system."""
    return {
        one: str(Path(path).resolve()) if path.startswith("/") else path
        for one, path in devices.items()
    }


def absent(devices: Mapping[str, str]) -> dict[str, str]:
    """Those at whose path there is nothing. Reads the file system."""
    return {one: path for one, path in devices.items() if path.startswith("/") and _is_absent(path)}


def _is_absent(path: str) -> bool:
    try:
        return not Path(path).exists()
    except OSError:  # a folder nobody may look into: it is not known to be absent
        return False


class DevicesWatcher:
    """Reads what is attached."""

    def __init__(
        self,
        settings: Discovery,
        devices: Mapping[str, str],
        blocking: Blocking,
        how: Callable[[], str] = lambda: "",
    ) -> None:
        """`devices`: component -> configured device; `how` tells how changes are
        noticed, where a daemon runs."""
        self.component = component
        self.period_s = settings.period_s
        self.deadline_s = SCAN_DEADLINE_S + 1.0
        #: What the last read found, for the inventory.
        self.attached: Attached | None = None
        self.how = how
        self._settings = settings
        self._devices = devices
        self._blocking = blocking

    async def read(self) -> Outcome:
        """What is attached now."""
        found, missing = await self._blocking.call(
            "devices.scan", partial(_scan, self._settings.sysfs, self._devices), SCAN_DEADLINE_S
        )
        self.attached = found
        if not found.readable:
            return NotObservable(f"the kernel's description is not at {self._settings.sysfs}")
        from agent.watch.discovery.survey import survey  # the tables, only while they are used

        told = survey(found, missing=missing, ignored=self._settings.ignore)
        left = told.not_recognised
        values: dict[str, Value] = {
            "usb": len(found.usb),
            "serial_ports": len(found.serial),
            "inputs": len(found.inputs),
            "unserved": len(told.unserved),
            "not_recognised": len(left),
        }
        if how := self.how():
            values["hotplug"] = how
        evidence = {"kernel": found.kernel}
        if left:
            evidence |= {"usb_id": left[0].usb_id, "device": left[0].name}
            evidence["driver"] = f"{left[0].needs} missing" if left[0].needs else "none"
        for one in told.unserved[:SHOWN]:
            evidence[f"usb-{one.port}"] = f"{one.usb_id} {one.name}"
        return Reading(values, evidence)


def _scan(root: str, devices: Mapping[str, str]) -> tuple[Attached, dict[str, str]]:
    return sysfs.attached(root), absent(devices)
