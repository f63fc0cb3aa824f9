"""The rooms built, plugged together and run: about ten builds and an order."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial

from agent import __version__, libc, local, telemetry, uplink
from agent.actions.denied import Denied
from agent.actions.ports import Identity as Who
from agent.actions.ports import Ports
from agent.actions.table import Desk
from agent.config import Config
from agent.core.fleet.messages import Identity
from agent.deadman import Deadman
from agent.errors import StoreError
from agent.identity import identity_of
from agent.main.arounds import drilling
from agent.main.exposed import PERIOD_S
from agent.main.fleet import fleet_parts, idle_of, inbox_of, trail_of
from agent.main.floor import Floor
from agent.main.forced import taken_in
from agent.main.outward import moving, publisher_of, uploader_of
from agent.main.page import Asking, page_of
from agent.main.printing import printing_ports
from agent.main.proof import proving
from agent.main.watching import Watching, equip, inventory_of, watching
from agent.store.arounds import AroundRows
from agent.store.backups import BackupsLater
from agent.store.care import TICK_S
from agent.supervise import Part, ServiceNotify, Supervisor
from agent.uplink.view import Channels

log = logging.getLogger(__name__)

#: Three beats on the scheduler's grid: less would end a daemon that only waits for its turn.
WATCHDOG_LEAST_S = 15
#: When every watcher has looked once, and how often holes in the heap are given back after that.
SETTLED_S, TRIM_S = 15, 600


async def house(floor: Floor) -> int:
    """Build the rooms, plug them together, run them. Returns the process's exit code."""
    config, store = floor.config, floor.store
    identity = identity_of(config, floor.keeper)
    uploader = uploader_of(floor)
    channels = Channels(uploader, floor.clock)
    rooms = watching(floor, identity, uploader, channels)
    inbox, trail = inbox_of(floor), trail_of(floor)
    publisher = publisher_of(floor, rooms.watch, channels, identity, inbox)
    rooms.fleet.speaks(publisher.standing)
    publisher.watch(rooms.fleet.changed)
    known = inventory_of(floor, rooms, publisher)
    equip(floor, rooms, channels, publisher)
    drilling(floor, rooms, idle_of(floor, rooms, channels))
    ports = _ports(floor, rooms, channels, identity, publisher)
    page = page_of(floor, trail)
    asking = Asking(floor, trail)
    ports = replace(ports, inventory=known, trail=trail, noting=rooms.watch, page=page)
    ports = replace(ports, asking=asking)
    ports = printing_ports(floor, rooms, channels, ports)
    desk = Desk(proving(floor, ports, rooms.watch.poke), trail)
    api = local.build(
        config,
        journal=store,
        do=desk.do,
        health=rooms.watch,
        checks=uplink.checks(config.uplink),
        devices=known,
        inspections=rooms.inspections,
        drills=rooms.drills,
        software=rooms.installing,
        called=rooms.activity.called,
        denied=Denied(trail, floor.clock).heed,
    )
    asking.equip(desk.do)
    rooms.asked(floor.config.page, asking)
    if page is not None:
        page.serves(api)
    terminals = telemetry.Terminals(publisher)
    terminals.add(await floor.keeper.terminals())
    for sink in (uploader.changed, terminals.heed, publisher.money):
        store.on_change(sink)
    parts: list[Part] = [floor.keeper, floor.timers, uploader, rooms.watch, publisher]
    parts += [*moving(floor, uploader, publisher), *rooms.parts(floor), api]
    parts += fleet_parts(floor, inbox, desk, publisher, rooms=rooms, channels=channels, trail=trail)
    parts += [rooms.drills, *([] if page is None else [page])]
    supervisor = Supervisor(parts, floor.clock, floor.timers, ServiceNotify(), _deadman(config))
    floor.ending.told_to(supervisor)
    return await supervisor.run(partial(_ready, floor, api.listening))


def _deadman(config: Config) -> Deadman | None:
    limit_s = config.agent.watchdog_s
    return Deadman(max(WATCHDOG_LEAST_S, limit_s)) if limit_s else None


async def _ready(floor: Floor, listening: asyncio.Event) -> None:
    """Payments are taken: what may begin after that begins."""
    await listening.wait()
    log.info("event=ready version=%s state_dir=%s", __version__, floor.store.directory)
    await taken_in(floor.store, floor.store.directory)
    if floor.machine is not None:
        await floor.machine.settle(floor.store)
    floor.timers.every(3600, "quarantine", partial(_count_quarantined, floor))
    floor.timers.every(TICK_S, "verify", floor.care.sweep)
    floor.timers.every(TICK_S, "keys", floor.care.turn)
    floor.timers.every(PERIOD_S, "exposure", partial(floor.exposure.look, floor))
    floor.timers.every(TRIM_S, "trim", _trim)
    asyncio.get_running_loop().call_later(SETTLED_S, libc.trim)
    gc.freeze()


async def _trim() -> None:
    """Whatever was large meanwhile has left holes in the heap."""
    libc.trim()


def _ports(
    floor: Floor,
    rooms: Watching,
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
        health=rooms.watch,
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
        software=rooms.installing,
        installer=rooms.installing,
        inspections=rooms.inspections,
        inspector=rooms.inspections,
        drills=rooms.drills,
        driller=rooms.drills,
        arounds=AroundRows(floor.store),
        late_after_s=floor.config.stats.late_after_s,
        pushed=rooms.firmware,
        hearing=rooms.watch,
        app=rooms.activity,
        backups=BackupsLater(floor.store, floor.clock, identity.device_id),
    )


async def _count_quarantined(floor: Floor) -> None:
    """What lies in journals put aside still counts as unsent; counting may take its time."""
    with suppress(StoreError, TimeoutError):
        await floor.keeper.count_quarantined(
            lambda work: floor.threads.call("count-quarantined", work, 300.0)
        )
