"""The room that watches, with everything it is handed, and what looks through its eyes."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from typing import TYPE_CHECKING

from agent import hooks, telemetry, uplink, watch
from agent.config.page import Page
from agent.core.fleet.inventory import Item, fields
from agent.core.fleet.messages import Identity
from agent.core.health.reading import Value
from agent.link.dial import Dialer
from agent.link.tls import client_context
from agent.main.drill import Drills
from agent.main.floor import Floor
from agent.main.lists import overdue_of
from agent.record import dataclass
from agent.store.app_marks import AppMarkRows
from agent.store.health import HealthRows
from agent.store.inspections import InspectionRows
from agent.store.inventory import InventoryRows
from agent.store.notes import Notes
from agent.store.settled_counts import SettledCounts
from agent.store.software import SoftwareRows
from agent.supervise import Part
from agent.uplink.view import Channels
from agent.watch import software
from agent.watch.connectivity import Around
from agent.watch.discovery.watcher import DevicesWatcher, configured
from agent.watch.fleet import FleetWatcher
from agent.watch.inspection import LOOK_S, Inspections
from agent.watch.inventory import Inventory
from agent.watch.itself import AgentWatcher, Lapsed, QueueWatcher, UplinkWatcher
from agent.watch.payment_app import Activity, AppPorts
from agent.watch.runner import Watch
from agent.watch.settlement import SettlementWatcher

if TYPE_CHECKING:
    from agent.core.inspection.report import Trigger
    from agent.hooks.part import HooksPart
    from agent.main.page import Asking
    from agent.store import Store
    from agent.store.carried import CarriedMoney
    from agent.watch.inspection.running import Examined
    from agent.watch.printer import Prints
    from agent.watch.software.room import Room
    from agent.watch.software.watcher import SoftwareWatcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """The watchers, and those who work with them."""

    watch: Watch
    devices: DevicesWatcher
    fleet: FleetWatcher
    firmware: HooksPart | None  #: None: no hook is configured
    lapsed: Lapsed
    activity: Activity
    inspections: Inspections
    drills: Drills
    installing: Room
    pressed: list[Callable[[], None]]  #: told of keys held together
    plugged: list[Callable[[], None]] = field(default_factory=list)  #: told of sticks
    prints: list[Prints] = field(default_factory=list)  #: the printer, where slips can go

    def asked(self, config: Page, asking: Asking) -> None:
        """Keys held together ask, where the configuration names some."""
        self.pressed.append(asking.pressed)
        if config.stick != "off":
            self.plugged.append(asking.plugged)

    def parts(self, floor: Floor) -> list[Part]:
        """What runs beside the watchers; hooks hear of alarms and wake their components."""
        found: list[Part] = [
            watch.hotplug(floor.config, self.watch, self.devices, plugged=self.plugged)
        ]
        if self.firmware is not None:
            self.firmware.poke_with(self.watch.poke)
            self.watch.subscribe(self.firmware.changed)
            found.append(self.firmware)
        return [*found, self.installing.part]


def watching(
    floor: Floor, identity: Identity, uploader: uplink.Uploader, channels: Channels
) -> Watching:
    """Every watcher of this terminal, and those of the agent itself."""
    config, clock, store, threads = floor.config, floor.clock, floor.store, floor.threads
    lapsed, activity = Lapsed(clock), Activity(clock)
    pressed: list[Callable[[], None]] = []
    prints: list[Prints] = []
    devices = watch.devices_watcher(config, threads)
    fleet = FleetWatcher(clock)
    if floor.machine is not None:
        fleet.add(floor.machine.inherited)
    firmware = hooks.build(config, clock=clock, blocking=threads)
    inspections, drills = _inspections(floor), Drills(floor)
    versions = software.watcher_of(
        config, identity.device_id, blocking=threads, clock=clock, rows=SoftwareRows(store)
    )
    watcher, health = watch.build(
        config,
        clock=clock,
        timers=floor.timers,
        blocking=threads,
        records=HealthRows(store),
        extra=(
            QueueWatcher(store, lapsed.count, clock, floor.checks),
            UplinkWatcher(channels.channels, clock),
            AgentWatcher(clock, floor.ending.restarts, partial(_itself, floor)),
            SettlementWatcher(SettledCounts(store), overdue_of(floor)),
            fleet,
            inspections,
            drills,
            *watch.channels_watchers(floor.ways),
        ),
        devices=devices,
        doors=firmware,
        app=AppPorts(floor.reports, activity, AppMarkRows(store), identity.device_id),
        contacts=floor.contacts,
        hearing=floor.hearing,
        notes=Notes(store),
        around=Around(ways=floor.ways, answers=channels.channels, recovered=uploader.moved),
        software=versions,
        pressed=lambda: [told() for told in pressed],
        built=partial(_printing, prints),
    )
    installing = _installing(floor, versions, health)
    for sink in (installing.part.heed, lapsed.heed, activity.heed):  # updates wait for the unsent
        store.on_change(sink)
    return Watching(
        watch=watcher,
        devices=devices,
        fleet=fleet,
        firmware=firmware,
        lapsed=lapsed,
        activity=activity,
        inspections=inspections,
        drills=drills,
        installing=installing,
        pressed=pressed,
        prints=prints,
    )


def _installing(floor: Floor, versions: SoftwareWatcher, health: Watch) -> Room:
    return software.room_of(
        floor.config, versions, backlog=floor.store.backlog, money=partial(_money, floor.store),
        health=health, clock=floor.clock, blocking=floor.threads,
    )  # fmt: skip


def _money(store: Store) -> CarriedMoney:
    from agent.store.carried import CarriedMoney  # only where something is installed

    return CarriedMoney(store)


def _itself(floor: Floor) -> Mapping[str, Value]:
    """What start-up found out: files in wrong hands, a copied identity."""
    machine = {} if floor.machine is None else floor.machine.values()
    return {**floor.exposure.values(), **machine}


def _printing(found: list[Prints], one: object) -> None:
    """Keep the watcher that prints."""
    from agent.watch.printer import Prints

    if isinstance(one, Prints):
        found.append(one)


def _inspections(floor: Floor) -> Inspections:
    return Inspections(
        floor.config.inspection,
        floor.clock,
        InspectionRows(floor.store),
        share=random.random(),
        born=floor.keeper.born_at,
    )


def equip(
    floor: Floor,
    rooms: Watching,
    channels: Channels,
    publisher: telemetry.Publisher,
) -> None:
    """What a self-inspection looks at, and when it would disturb."""

    def checks(trigger: Trigger) -> Sequence[Examined]:
        from agent.watch.inspection import examining

        world = examining.World(
            config=floor.config,
            clock=floor.clock,
            blocking=floor.threads,
            dial=Dialer(floor.threads, ways=floor.ways, told=floor.contacts.tell),
            trust=client_context,
            health=rooms.watch,
            verify=floor.care.verify,
            facts=floor.store.facts,
            telemetry=publisher.view,
        )
        return examining.checks(world, trigger)

    async def busy() -> bool:
        return any(channel.in_flight for channel in channels.channels())

    rooms.inspections.equip(checks, busy)
    floor.store.on_change(rooms.inspections.moved)
    floor.timers.every(LOOK_S, "inspection", rooms.inspections.look)


def inventory_of(
    floor: Floor,
    rooms: Watching,
    publisher: telemetry.Publisher,
) -> Inventory:
    """What hangs on this terminal; the fleet hears when that changes."""
    settings = floor.config.inventory

    def tell(items: Sequence[Item]) -> None:
        publisher.introduce(replace(publisher.identity, devices=tuple(fields(items).items())))

    known = Inventory(
        rooms.watch,
        InventoryRows(floor.store),
        floor.clock,
        attached=lambda: rooms.devices.attached,
        devices=configured(floor.config),
        policy=settings.serials,
        told=tell,
    )
    floor.timers.every(settings.period_s, "inventory", known.look)
    return known
