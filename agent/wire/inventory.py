"""What hangs on this terminal, as the local API tells it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from agent.core.fleet.inventory import FACTS, LOOSE, Item, ItemChange
from agent.core.moment import at_ms
from agent.wire.arguments import Nothing
from agent.wire.operation import Operation, Role


class DeviceOut(Struct, frozen=True, kw_only=True):
    """One device; a fact that is not known is empty."""

    component: str
    """printer, scanner, keypad, a component of a hook; or usb:PORT, which nobody watches."""
    watched: bool
    make: str
    model: str
    firmware: str
    serial: str
    """As `[inventory] serials` allows it."""
    interface: str
    driver: str
    usb_id: str
    since_at: datetime
    """Since when it is there as it is."""


class DeviceChangeOut(Struct, frozen=True, kw_only=True):
    """A device came, went, or is another than before."""

    component: str
    what: str
    """added, removed or changed."""
    at: datetime
    before: dict[str, str]
    after: dict[str, str]


class InventoryOut(Struct, frozen=True, kw_only=True):
    """The devices of this terminal, and the last changes, the newest first."""

    at: datetime
    devices: list[DeviceOut]
    changes: list[DeviceChangeOut]


INVENTORY: tuple[Operation, ...] = (
    Operation(
        name="inventory",
        method="GET",
        path="/v1/inventory",
        roles=(Role.READ, Role.REPORT, Role.TECHNICIAN),
        summary="What hangs on this terminal: make, model, firmware, serial number as far as "
        "policy allows, interface, driver, since when; and what changed.",
        arguments=Nothing,
        result=InventoryOut,
        problems=("store.unavailable",),
    ),
)


def device_out(one: Item) -> DeviceOut:
    """A device as it is shown."""
    facts = one.facts()
    return DeviceOut(
        component=one.component,
        watched=not one.component.startswith(LOOSE),
        since_at=at_ms(one.since_ms),
        **{name: facts.get(name, "") for name in FACTS},
    )


def change_out(one: ItemChange) -> DeviceChangeOut:
    """A change as it is shown."""
    return DeviceChangeOut(
        component=one.component,
        what=one.what,
        at=at_ms(one.at_ms),
        before={} if one.before is None else one.before.facts(),
        after={} if one.after is None else one.after.facts(),
    )
