"""Keeps the list of what hangs on this terminal up to date, and tells when it changes.

Gathers what is known already: the kernel's description of what is attached, what the devices said
of themselves in their readings, and what a watcher knows of its device when asked. Sends nothing to
any device itself. What a change is decides `agent.core.fleet.inventory`. Looked at once a minute by
the timers.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from agent.clock import Clock
from agent.core.fleet.inventory import FACTS, LOOSE, Item, ItemChange, Policy, item, update
from agent.core.health.reading import Reading, Unknown
from agent.core.health.tracker import ComponentState
from agent.errors import AgentError
from agent.watch.discovery.sysfs import Attached, UsbDevice

log = logging.getLogger(__name__)

#: The component whose watcher asks the vendor's firmware what is built in.
FIRMWARE = "firmware"
#: Watchers say `maker` where the printer's own protocol does.
_NAMES = {"maker": "make"}


class Rows(Protocol):
    """Where it is kept: `agent.store.inventory.InventoryRows`."""

    async def cover(self, policy: Policy) -> None: ...
    async def load(self) -> list[Item]: ...
    async def save(self, known: Iterable[Item], changed: Sequence[ItemChange]) -> None: ...
    async def changes(self, limit: int) -> list[ItemChange]: ...


class Watched(Protocol):
    """The watchers: `agent.watch.runner.Watch`."""

    def components(self) -> list[ComponentState]: ...
    async def identity(self, component: str) -> Mapping[str, str]: ...


class Inventory:
    """What is known, and the view others have of it."""

    def __init__(
        self,
        watched: Watched,
        rows: Rows,
        clock: Clock,
        *,
        attached: Callable[[], Attached | None],
        devices: Mapping[str, str],
        policy: Policy,
        told: Callable[[Sequence[Item]], None],
    ) -> None:
        """`devices`: component -> configured device; `told` hears all items when one changed."""
        self._watched = watched
        self._rows = rows
        self._clock = clock
        self._attached = attached
        self._devices = devices
        self._policy: Policy = policy
        self._told = told
        self._known: dict[str, Item] | None = None
        self._sinks: list[Callable[[Sequence[ItemChange]], None]] = []

    def subscribe(self, sink: Callable[[Sequence[ItemChange]], None]) -> None:
        """`sink` hears of every change once it is kept."""
        self._sinks.append(sink)

    def items(self) -> list[Item]:
        """What is known, by component."""
        return sorted((self._known or {}).values(), key=lambda one: one.component)

    async def changes(self, limit: int) -> list[ItemChange]:
        """The last changes, the newest first."""
        return await self._rows.changes(limit)

    async def look(self) -> None:
        """Bring it up to date; the store being away delays it to the next look."""
        try:
            first = self._known is None
            if self._known is None:
                await self._rows.cover(self._policy)
                self._known = {one.component: one for one in await self._rows.load()}
            before = self._known
            seen, kernel = await self._seen()
            now, changes = update(
                before, seen, self._clock.now().wall_ms, self._gone(before), kernel
            )
            if now != before:
                await self._rows.save(now.values(), changes)
        except AgentError as error:
            log.debug("event=inventory_delayed reason=%r", str(error))
            return
        self._known = now
        for one in changes:
            log.info("event=inventory_%s component=%s", one.what, one.component)
        for sink in self._sinks if changes else ():
            sink(changes)
        if first or now != before:
            self._told(self.items())

    async def _seen(self) -> tuple[list[Item], dict[str, Item]]:
        """All that is told of each, and what the kernel alone tells of those on USB."""
        attached = self._attached()
        alone: dict[str, Item] = {}
        facts: dict[str, dict[str, str]] = {}
        for state in self._watched.components():
            if isinstance(state.outcome, Reading):
                told = _words({**state.outcome.evidence, **_texts(state.outcome)})
                if state.component in self._devices:
                    told |= _words(await self._watched.identity(state.component))
                if state.component in self._devices or {"make", "model", "serial"} & told.keys():
                    facts[state.component] = told
        served: set[str] = set()
        for component, device in self._devices.items():
            found = None if attached is None else _behind(attached, device)
            if found is not None:
                served.add(found.port)
                alone[component] = item(component, _of_usb(found), self._policy)
            kernel = _of_kernel(attached, device, found)
            if component in facts or found is not None:
                facts[component] = {**kernel, **facts.get(component, {})}
        if attached is not None:
            for one in attached.usb:
                if one.port not in served:
                    facts[f"{LOOSE}{one.port}"] = _of_usb(one)
        for component, told in (await self._built_in(attached)).items():
            facts.setdefault(component, told)
        return [item(component, told, self._policy) for component, told in facts.items()], alone

    async def _built_in(self, attached: Attached | None) -> dict[str, dict[str, str]]:
        """What the vendor's firmware names and nobody else could: not what has a watcher, which may
        only be silent now, and not what hangs on USB, where the kernel is asked."""
        told: dict[str, dict[str, str]] = {}
        for name, value in (await self._watched.identity(FIRMWARE)).items():
            component, _, fact = name.partition(".")
            told.setdefault(component, {})[fact] = value
        watched = {
            state.component
            for state in self._watched.components()
            if isinstance(state.outcome, Reading | Unknown)
        }
        kernel_tells = attached is not None and attached.readable
        return {
            component: facts
            for component, facts in told.items()
            if component not in watched | self._devices.keys()
            and not (kernel_tells and facts.get("interface") == "usb")
        }

    def _gone(self, known: Mapping[str, Item]) -> set[str]:
        """Of the devices nobody watches those that were pulled; a watched one may be switched off.

        What is not configured and not attached any more has no watcher to say so.
        """
        attached = self._attached()
        if attached is None or not attached.readable:
            return set()
        there = {f"{LOOSE}{one.port}" for one in attached.usb}
        watched = {
            found.port
            for device in self._devices.values()
            if (found := _behind(attached, device)) is not None
        }
        there -= {f"{LOOSE}{port}" for port in watched}
        return {one for one in known if one.startswith(LOOSE)} - there


def _words(told: Mapping[str, str]) -> dict[str, str]:
    named = {_NAMES.get(name, name): value for name, value in told.items()}
    return {name: value for name, value in named.items() if name in FACTS and value}


def _texts(reading: Reading) -> dict[str, str]:
    return {name: value for name, value in reading.values.items() if isinstance(value, str)}


def _behind(attached: Attached, device: str) -> UsbDevice | None:
    """The USB device a configured device is."""
    if device.startswith("usb:"):
        usb_id = device.removeprefix("usb:").lower()
        return next((one for one in attached.usb if one.usb_id == usb_id), None)
    if not device.startswith("/dev/"):
        return None
    return attached.usb_of(str(Path(device).resolve()).removeprefix("/dev/"))


def _of_kernel(attached: Attached | None, device: str, found: UsbDevice | None) -> dict[str, str]:
    if found is not None:
        return _of_usb(found)
    if device.startswith("tcp://"):
        return {"interface": "tcp"}
    node = str(Path(device).resolve()).removeprefix("/dev/")
    ports = attached.serial if attached is not None else ()
    driver = next((one.driver for one in ports if one.node == node), "")
    if driver:
        return {"interface": "serial", "driver": driver}
    return {"interface": "input"} if node.startswith("input/") else {}


def _of_usb(device: UsbDevice) -> dict[str, str]:
    told = {
        "make": device.make,
        "model": device.model,
        "firmware": device.release,
        "serial": device.serial,
        "interface": "usb",
        "driver": ", ".join(device.drivers),
        "usb_id": device.usb_id,
    }
    return {name: value for name, value in told.items() if value}
