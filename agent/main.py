"""The wiring: about ten builds and an order. Nothing is decided here.

The store opens first, because money is taken over as soon as the local API listens; the API opens
last and closes first, so that nobody is answered by half a daemon.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import random
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import __version__, hooks, local, telemetry, uplink, watch
from agent.actions.ports import Identity as Who
from agent.actions.ports import Ports
from agent.actions.table import Desk
from agent.clock import BOOT_ID, SystemClock
from agent.config import Config
from agent.core.fleet.inventory import Item, fields
from agent.core.fleet.messages import Identity
from agent.core.money.lanes import Order
from agent.errors import AgentError, StoreError
from agent.identity import identity_of
from agent.link.contact import Contacts
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.link.tls import client_context
from agent.logs import configure
from agent.settings.checks import patience_of, rules_of, windows_of
from agent.store import Store
from agent.store.app_marks import AppMarkRows
from agent.store.backup import Backups
from agent.store.care import TICK_S, Care
from agent.store.checks import Checks
from agent.store.health import HealthRows
from agent.store.inspections import InspectionRows
from agent.store.inventory import InventoryRows
from agent.store.notes import Notes
from agent.store.outbox import Outbox
from agent.store.part import StorePart
from agent.store.prepared import Prepared
from agent.store.reports import Reports
from agent.store.sealing import Sealing
from agent.store.software import SoftwareRows
from agent.supervise import EXIT_STORE, DaemonThreads, Part, ServiceNotify, Supervisor, Timers
from agent.uplink.view import Channels
from agent.watch import software
from agent.watch.clock import Hearing
from agent.watch.connectivity import Around
from agent.watch.discovery.watcher import DevicesWatcher, configured
from agent.watch.inspection import LOOK_S, Inspections
from agent.watch.inventory import Inventory
from agent.watch.itself import AgentWatcher, Lapsed, QueueWatcher, UplinkWatcher
from agent.watch.payment_app import Activity, AppPorts
from agent.watch.runner import Watch

if TYPE_CHECKING:
    from agent.core.inspection.report import Trigger
    from agent.hooks.part import HooksPart
    from agent.link.channels import ChannelsPart
    from agent.watch.inspection.running import Examined
    from agent.watch.software import SoftwareWatcher
    from agent.watch.software.room import Room

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Ending:
    """Carries a failed store to the supervisor, whichever of the two comes first."""

    supervisor: Supervisor | None = None
    code: str = ""

    def told_to(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        if self.code:
            self.store_failed(self.code)

    def store_failed(self, code: str) -> None:
        self.code = code
        if self.supervisor is not None:
            self.supervisor.end(EXIT_STORE, f"the store failed: {code}")

    def restarts(self) -> dict[str, int]:
        return {} if self.supervisor is None else self.supervisor.restarts()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Floor:
    """What every room stands on."""

    config: Config
    clock: SystemClock
    threads: DaemonThreads
    timers: Timers
    store: Store
    keeper: StorePart
    checks: Checks
    prepared: Prepared
    reports: Reports
    care: Care
    ending: _Ending
    contacts: Contacts  #: what became of connections; whoever watches the network listens
    hearing: Hearing  #: what others say about the time
    ways: ChannelsPart | None  #: None: the system chooses which way connections leave


async def _daemon(config: Config) -> int:
    clock = SystemClock(boot_id_file=Path(config.system.root + str(BOOT_ID)))
    ending = _Ending()
    orders = {profile.name: Order(profile.order) for profile in config.uplink}
    store = Store(
        Path(config.agent.state_dir), clock, orders, ending.store_failed, rules_of(config),
        storage=config.store, sealing=_wrapped(config),
    )  # fmt: skip
    await store.start()
    try:
        threads = DaemonThreads()
        floor = _Floor(
            config=config,
            clock=clock,
            threads=threads,
            timers=Timers(clock),
            store=store,
            keeper=StorePart(store),
            checks=Checks(store, clock),
            prepared=Prepared(store, clock),
            reports=Reports(store, clock),
            care=Care(store, clock, threads, config.store.verify_period_s),
            ending=ending,
            contacts=(contacts := Contacts()),
            hearing=Hearing(config.clock, clock, clock, StorePart(store).clock_proved),
            ways=_ways(config, clock, threads, contacts),
        )
        return await _house(floor)
    finally:
        if not store.stop():
            log.error("event=store_hangs reason='a sync did not come back; the lock ends with us'")


def _wrapped(config: Config) -> Sealing | None:
    """The payload keys where the firmware keeps them; None: as [store] says."""
    unwrap = hooks.unwrapper(config, DaemonThreads())
    if unwrap is None:
        return None
    return Sealing(file=Path(config.hooks.wrapped_keys), on=config.store.seal, unwrap=unwrap)


async def _house(floor: _Floor) -> int:
    """Build the rooms, plug them together, run them."""
    config, clock, store = floor.config, floor.clock, floor.store
    identity = identity_of(config, floor.keeper)
    uploader = _uploader(floor)
    channels = Channels(uploader, clock)
    lapsed, activity = Lapsed(clock), Activity(clock)
    devices = watch.devices_watcher(config, floor.threads)
    firmware = hooks.build(config, clock=clock, blocking=floor.threads)
    inspections = _inspections(floor)
    versions = software.watcher_of(
        config, identity.device_id, blocking=floor.threads, clock=clock, rows=SoftwareRows(store)
    )
    watcher, health = watch.build(
        config,
        clock=clock,
        timers=floor.timers,
        blocking=floor.threads,
        records=HealthRows(store),
        extra=(
            QueueWatcher(store, lapsed.count, clock, floor.checks),
            UplinkWatcher(channels.channels, clock),
            AgentWatcher(clock, floor.ending.restarts),
            inspections,
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
    )
    publisher = _telemetry(floor, health, channels, identity)
    known = _inventory(floor, watcher, devices, publisher)
    _equip(inspections, floor, watcher, channels, publisher)
    installing = _installing(floor, versions, health)
    ports = _ports(floor, health, channels, identity, publisher)
    ports = replace(ports, software=installing, installer=installing)
    ports = replace(ports, inspections=inspections, inspector=inspections)
    desk = Desk(replace(ports, inventory=known, pushed=firmware, hearing=watcher, app=activity))
    checks = uplink.checks(config.uplink)
    api = local.build(
        config, journal=store, do=desk.do, health=health, checks=checks, devices=known,
        inspections=inspections, software=installing, called=activity.called,
    )  # fmt: skip
    terminals = telemetry.Terminals(publisher)
    terminals.add(await floor.keeper.terminals())
    for sink in (uploader.changed, lapsed.heed, terminals.heed, activity.heed):
        store.on_change(sink)
    parts: list[Part] = [floor.keeper, floor.timers, uploader, watcher]
    parts += [watch.hotplug(config, watcher, devices), publisher]
    parts += _moving(floor.ways, uploader, publisher)
    parts += [*_plugged(firmware, watcher), installing.part, api]
    supervisor = Supervisor(parts, clock, floor.timers, ServiceNotify())
    floor.ending.told_to(supervisor)
    return await supervisor.run(partial(_ready, floor, api.listening))


async def _ready(floor: _Floor, listening: asyncio.Event) -> None:
    """Payments are taken: what may begin after that begins."""
    await listening.wait()
    log.info("event=ready version=%s state_dir=%s", __version__, floor.store.directory)
    floor.timers.every(3600, "quarantine", partial(_count_quarantined, floor))
    floor.timers.every(TICK_S, "verify", floor.care.sweep)
    floor.timers.every(TICK_S, "keys", floor.care.turn)
    gc.freeze()


def _installing(floor: _Floor, versions: SoftwareWatcher, health: Watch) -> Room:
    """What installs updates; it waits for money that is unsent, so it hears of payments."""
    room = software.room_of(
        floor.config,
        versions,
        backlog=floor.store.backlog,
        health=health,
        clock=floor.clock,
        blocking=floor.threads,
    )
    floor.store.on_change(room.part.heed)
    return room


def _uploader(floor: _Floor) -> uplink.Uploader:
    return uplink.build(
        floor.config.uplink,
        uplink.Ports(
            journal=floor.store,
            clock=floor.clock,
            draw=random.Random().random,
            reverse=floor.prepared.reverse,
            doubted=None if floor.ways is None else floor.ways.doubt,
            doubt_after_s=floor.config.channels.doubt_after_s,
        ),
        dial=lambda _profile: Dialer(floor.threads, ways=floor.ways, told=floor.contacts.tell),
        cause_of=cause_of,
        prepared=floor.prepared,
        windows=windows_of(floor.config),
        times=floor.hearing,
        overdue=uplink.Overdue(floor.reports, floor.clock, patience_of(floor.config)),
    )


def _ways(
    config: Config, clock: SystemClock, threads: DaemonThreads, contacts: Contacts
) -> ChannelsPart | None:
    """The channels as a part, where there are any."""
    if not config.channel:
        return None
    from agent.hooks.actions import select_channel
    from agent.link.channel_build import build

    part = build(
        config, clock=clock, blocking=threads, draw=random.Random().random,
        select=select_channel, told=contacts.tell,
    )  # fmt: skip
    contacts.listen(part.heard)
    return part


def _moving(
    ways: ChannelsPart | None, uploader: uplink.Uploader, publisher: telemetry.Publisher
) -> list[Part]:
    """Who has to leave the old channel when another is taken: money first."""
    if ways is None:
        return []
    ways.subscribe(uploader.moved)
    ways.subscribe(publisher.moved)
    return [ways]


def _plugged(firmware: HooksPart | None, watcher: Watch) -> list[Part]:
    """The hooks as a part, where there are any: they hear of alarms and wake their components."""
    if firmware is None:
        return []
    firmware.poke_with(watcher.poke)
    watcher.subscribe(firmware.changed)
    return [firmware]


def _inspections(floor: _Floor) -> Inspections:
    return Inspections(
        floor.config.inspection,
        floor.clock,
        InspectionRows(floor.store),
        share=random.random(),
        born=floor.keeper.born_at,
    )


def _equip(
    inspections: Inspections,
    floor: _Floor,
    watcher: Watch,
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
            health=watcher,
            verify=floor.care.verify,
            facts=floor.store.facts,
            telemetry=publisher.view,
        )
        return examining.checks(world, trigger)

    async def busy() -> bool:
        return any(channel.in_flight for channel in channels.channels())

    inspections.equip(checks, busy)
    floor.store.on_change(inspections.moved)
    floor.timers.every(LOOK_S, "inspection", inspections.look)


def _telemetry(
    floor: _Floor, health: Watch, channels: Channels, identity: Identity
) -> telemetry.Publisher:
    settings, named = floor.config.telemetry, floor.config.clock.broker_property
    return telemetry.build(
        settings,
        clock=floor.clock,
        timers=floor.timers,
        outbox=Outbox(
            floor.store, max_rows=settings.outbox_max_rows, max_bytes=settings.outbox_max_bytes
        ),
        counters=floor.keeper,
        health=health,
        backlog=floor.store.backlog,
        identity=identity,
        tls=lambda: client_context(settings.ca_file, settings.cert_file, settings.key_file),
        next_attempt_ms=channels.next_attempt_ms,
        blocking_cause=channels.blocking_cause,
        told=floor.contacts.tell,
        time=telemetry.BrokerTime(named, floor.hearing.brokered) if named else None,
        **_channelled(floor),
    )


def _channelled(floor: _Floor) -> dict[str, Any]:
    """What telemetry has to heed where channels are configured."""
    ways = floor.ways
    if ways is None:
        return {}
    from agent.link.channel_build import reaching

    dialer = Dialer(floor.threads, told=floor.contacts.tell, purpose="mqtt")
    return {"reach": reaching(ways, dialer), "thrifty": lambda: ways.thrifty}


def _inventory(
    floor: _Floor,
    watcher: Watch,
    devices: DevicesWatcher,
    publisher: telemetry.Publisher,
) -> Inventory:
    """What hangs on this terminal; the fleet hears when that changes."""
    settings = floor.config.inventory

    def tell(items: Sequence[Item]) -> None:
        publisher.introduce(replace(publisher.identity, devices=tuple(fields(items).items())))

    known = Inventory(
        watcher,
        InventoryRows(floor.store),
        floor.clock,
        attached=lambda: devices.attached,
        devices=configured(floor.config),
        policy=settings.serials,
        told=tell,
    )
    floor.timers.every(settings.period_s, "inventory", known.look)
    return known


def _ports(
    floor: _Floor,
    health: Watch,
    channels: Channels,
    identity: Identity,
    publisher: telemetry.Publisher,
) -> Ports:
    return Ports(
        journal=floor.store,
        mover=floor.store,
        judged=floor.checks,
        prepared=floor.prepared,
        told=floor.reports,
        reports=floor.reports,
        care=floor.care,
        verifier=floor.care,
        checks=uplink.checks(floor.config.uplink),
        health=health,
        channels=channels,
        identity=Who(
            device_id=identity.device_id,
            tenant=identity.tenant,
            site=identity.site,
            version=__version__,
            started_at=floor.clock.now().at,
        ),
        clock=floor.clock,
        telemetry=publisher.view,
        backups=Backups(floor.store, floor.clock, identity.device_id),
    )


async def _count_quarantined(floor: _Floor) -> None:
    """What lies in journals put aside still counts as unsent; counting may take its time."""
    with suppress(StoreError, TimeoutError):
        await floor.keeper.count_quarantined(
            lambda work: floor.threads.call("count-quarantined", work, 300.0)
        )


def run(config: Config) -> int:
    """Run the daemon until it is told to stop. Returns the process's exit code."""
    configure(config.agent.log_level)
    try:
        return asyncio.run(_daemon(config))
    except AgentError as error:
        print(f"posagent: {error}", file=sys.stderr)
        return 2
