"""The ports of the actions over a dead daemon's store: journal as it was, health as last heard.

Nothing can be changed through them, and channels are not known: they lived in the daemon.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent import __version__
from agent.actions.checked_evidence import CheckedEvidence
from agent.actions.listed import ListEvidence
from agent.actions.ports import Identity, Ports
from agent.actions.slip_evidence import SlipEvidence
from agent.clock import SystemClock
from agent.config import Config
from agent.core.drill.report import Drill
from agent.core.fleet.inventory import Item, ItemChange
from agent.core.health.tracker import Alarm, ComponentState, Tracker
from agent.core.inspection.report import Report
from agent.offload import HereOffload
from agent.offloaded import Answer
from agent.settings.checks import rules_of
from agent.store import health, inventory, software
from agent.store.arounds import AroundRows
from agent.store.audit import Trail
from agent.store.drills import DrillRows
from agent.store.health_past import HealthPast
from agent.store.inspections import InspectionRows
from agent.store.kinds import KindRows
from agent.store.notes import Notes
from agent.store.offline import OfflineStore
from agent.store.settled import SettledRows
from agent.store.timings import Timings
from agent.watch.software import ledger
from agent.watch.software.room import Left


class LastHealth:
    """What the tracker knew when the daemon last wrote it down."""

    def __init__(self, alarms: Sequence[Alarm], components: Sequence[ComponentState]) -> None:
        self._alarms = alarms
        self._components = components

    def alarms(self) -> Sequence[Alarm]:
        return self._alarms

    def components(self) -> Sequence[ComponentState]:
        return self._components


class LastInventory:
    """What was known to hang on this terminal when the daemon last wrote it down."""

    def __init__(self, known: Sequence[Item], changed: Sequence[ItemChange]) -> None:
        self._known = known
        self._changed = changed

    def items(self) -> Sequence[Item]:
        return self._known

    async def changes(self, limit: int) -> Sequence[ItemChange]:
        return self._changed[:limit]


class LastInspections:
    """The inspections that were kept."""

    def __init__(self, rows: InspectionRows) -> None:
        self._rows = rows

    async def report(
        self, number: int | None, after: int = 0, wait_s: float = 0.0
    ) -> Report | None:
        del after, wait_s
        if number is not None:
            return await self._rows.one(number)
        found = await self._rows.latest(1)
        return found[0] if found else None

    async def latest(self, limit: int) -> Sequence[Report]:
        return await self._rows.latest(limit)


def _program(name: str) -> Answer:
    from agent.offloaded import program  # only what is asked for is loaded

    return program(name)


class LastDrills:
    """The drills that were kept."""

    def __init__(self, rows: DrillRows) -> None:
        self._rows = rows

    async def drill(self, number: int | None, after: int = 0, wait_s: float = 0.0) -> Drill | None:
        del after, wait_s
        if number is not None:
            return await self._rows.one(number)
        found = await self._rows.latest(1)
        return found[0] if found else None

    async def latest(self, limit: int) -> Sequence[Drill]:
        return await self._rows.latest(limit)


async def ports(store: OfflineStore, config: Config) -> Ports:
    """Everything an action needs, for reading only."""
    from agent.core.health.standard import STANDARD

    clock = SystemClock()
    now = clock.now()
    components = await store.state(health.last_readings)
    tracker = Tracker(STANDARD, now)
    names = {sign.component for condition in STANDARD for sign in condition.signs}
    names |= {condition.silence_of for condition in STANDARD}
    tracker.restore(await store.state(health.open_alarms), names, now)
    found = Ports(
        journal=store,
        mover=None,
        health=LastHealth(tracker.alarms(), components),
        channels=None,
        identity=Identity(
            device_id=config.agent.device_id,
            tenant=config.agent.tenant,
            site=config.agent.site,
            version=__version__,
        ),
        clock=clock,
        told=store,
        verifier=store,
        software=Left(
            await store.state(software.known),
            await store.state(partial(software.changes, limit=software.KEEP_ROWS)),
            ledger.load(Path(config.agent.state_dir), look_only=True),
        ),
        inventory=LastInventory(
            await store.state(inventory.items),
            await store.state(partial(inventory.changes, limit=inventory.KEEP_ROWS)),
        ),
        inspections=LastInspections(InspectionRows(store)),
        drills=LastDrills(DrillRows(store)),
        arounds=AroundRows(store),
        timings=Timings(store),
        offload=HereOffload(_program),
        late_after_s=config.stats.late_after_s,
        trail=Trail(store, clock, config.fleet.audit_days),
        past=HealthPast(store),
        memory=Notes(store),
        kinds=KindRows(store, clock),
        lists=SettledRows(store),
        evidence=(ListEvidence(SettledRows(store)), SlipEvidence(Notes(store))),
        actor="cli",
    )
    checks = CheckedEvidence(found, rules_of(config))
    return replace(found, evidence=(*found.evidence, checks))
