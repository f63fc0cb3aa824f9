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
from typing import TYPE_CHECKING

from agent import __version__, hooks, local, telemetry, uplink, watch
from agent.actions.ports import Identity as Who
from agent.actions.ports import Ports
from agent.actions.table import Desk
from agent.clock import SystemClock
from agent.config import Config
from agent.core.fleet.inventory import Item, fields
from agent.core.fleet.messages import Identity
from agent.core.money.lanes import Order
from agent.errors import AgentError, StoreError
from agent.identity import identity_of
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.link.tls import client_context
from agent.logs import configure
from agent.settings.checks import patience_of, rules_of, windows_of
from agent.store import Store
from agent.store.backup import Backups
from agent.store.care import TICK_S, Care
from agent.store.checks import Checks
from agent.store.health import HealthRows
from agent.store.inventory import InventoryRows
from agent.store.outbox import Outbox
from agent.store.part import StorePart
from agent.store.prepared import Prepared
from agent.store.reports import Reports
from agent.store.sealing import Sealing
from agent.supervise import EXIT_STORE, DaemonThreads, Part, ServiceNotify, Supervisor, Timers
from agent.uplink.view import Channels
from agent.watch.discovery.watcher import DevicesWatcher, configured
from agent.watch.inventory import Inventory
from agent.watch.itself import AgentWatcher, Lapsed, QueueWatcher, UplinkWatcher
from agent.watch.payment_app import PaymentAppWatcher
from agent.watch.runner import Watch

if TYPE_CHECKING:
    from agent.hooks.part import HooksPart

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Ending:
    """Carries a failed store to the supervisor, whichever of the two comes first."""

    supervisor: Supervisor | None = None
    code: str = ""

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


async def _daemon(config: Config) -> int:
    clock = SystemClock()
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
    lapsed = Lapsed(clock)
    devices = watch.devices_watcher(config, floor.threads)
    firmware = hooks.build(config, clock=clock, blocking=floor.threads)
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
            PaymentAppWatcher(floor.reports, clock, config.app.batch_open_max_s),
        ),
        devices=devices,
        doors=firmware,
    )
    publisher = _telemetry(floor, health, channels, identity)
    known = _inventory(floor, watcher, devices, publisher)
    ports = _ports(floor, health, channels, identity, publisher)
    desk = Desk(replace(ports, inventory=known, pushed=firmware, hearing=watcher))
    checks = uplink.checks(config.uplink)
    api = local.build(
        config, journal=store, do=desk.do, health=health, checks=checks, devices=known
    )
    terminals = telemetry.Terminals(publisher)
    terminals.add(await floor.keeper.terminals())
    for sink in (uploader.changed, lapsed.heed, terminals.heed):
        store.on_change(sink)
    parts: list[Part] = [floor.keeper, floor.timers, uploader, watcher]
    parts += [watch.hotplug(config, watcher, devices), publisher]
    parts += [*_plugged(firmware, watcher), api]
    supervisor = Supervisor(parts, clock, floor.timers, ServiceNotify())
    floor.ending.supervisor = supervisor
    if floor.ending.code:
        floor.ending.store_failed(floor.ending.code)

    async def ready() -> None:
        await api.listening.wait()
        log.info("event=ready version=%s state_dir=%s", __version__, store.directory)
        floor.timers.every(3600, "quarantine", partial(_count_quarantined, floor))
        floor.timers.every(TICK_S, "verify", floor.care.sweep)
        floor.timers.every(TICK_S, "keys", floor.care.turn)
        gc.freeze()

    return await supervisor.run(ready)


def _uploader(floor: _Floor) -> uplink.Uploader:
    return uplink.build(
        floor.config.uplink,
        uplink.Ports(
            journal=floor.store,
            clock=floor.clock,
            draw=random.Random().random,
            reverse=floor.prepared.reverse,
        ),
        dial=lambda _profile: Dialer(floor.threads),
        cause_of=cause_of,
        prepared=floor.prepared,
        windows=windows_of(floor.config),
        overdue=uplink.Overdue(floor.reports, floor.clock, patience_of(floor.config)),
    )


def _plugged(firmware: HooksPart | None, watcher: Watch) -> list[Part]:
    """The hooks as a part, where there are any: they hear of alarms and wake their components."""
    if firmware is None:
        return []
    firmware.poke_with(watcher.poke)
    watcher.subscribe(firmware.changed)
    return [firmware]


def _telemetry(
    floor: _Floor, health: Watch, channels: Channels, identity: Identity
) -> telemetry.Publisher:
    settings = floor.config.telemetry
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
    )


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
