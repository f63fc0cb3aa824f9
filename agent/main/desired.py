"""What the fleet wants, plugged together: whose word counts, what a setting means, who restarts.

Decides nothing. Loaded where the fleet has a key. Called by `agent.main.fleet`.
"""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent.core.fleet import DESIRED_FILE
from agent.core.fleet.desired import Me
from agent.core.health.conditions import Severity
from agent.core.health.reading import Value
from agent.main.floor import Floor
from agent.main.overlay import checker
from agent.main.watching import Watching
from agent.telemetry.desired.part import Desired, KeyRing, Ports, View
from agent.telemetry.line import spread_s

if TYPE_CHECKING:
    from agent import telemetry
    from agent.main.restart import Restart
    from agent.store.audit import Trail
    from agent.telemetry.orders.ports import Own
    from agent.watch.fleet import FleetWatcher


def desired_of(
    floor: Floor,
    publisher: telemetry.Publisher,
    rooms: Watching,
    ring: KeyRing,
    restart: Restart,
    *,
    trail: Trail,
    line: FleetWatcher | None = None,
) -> Desired:
    """The part that takes statements; `line` tells how this terminal stands to them."""
    identity = publisher.identity

    def alarms() -> frozenset[str]:
        shown = {one.code for one in rooms.watch.alarms() if one.severity is Severity.CRITICAL}
        return frozenset(shown | {f"{name} restarts" for name in floor.ending.restarts()})

    def told(view: View) -> None:
        known = publisher.identity
        number = view.in_force or None
        if known.desired_version != number:
            publisher.introduce(replace(known, desired_version=number))
        if line is not None:
            line.changed()

    async def offer(manifest: bytes, by: str) -> object:
        return await rooms.installing.versions.offer(manifest, by)

    part = Desired(
        Me(
            tenant=identity.tenant,
            group=floor.config.fleet.group,
            device_id=identity.device_id,
        ),
        Path(floor.config.agent.state_dir) / DESIRED_FILE,
        Ports(
            clock=floor.clock,
            blocking=floor.threads,
            ring=ring,
            check=checker(floor.config, floor.source),
            restart=restart.restart,
            offer=offer,
            connected=lambda: publisher.view().connected,
            alarms=alarms,
            told=told,
            spread_s=lambda: random.random() * spread_s(floor.config.telemetry),
            forged=_nobody if line is None else line.forged,
            note=trail.write,
        ),
    )
    if line is not None:
        line.add(lambda: values(part.view()))
    return part


def renewal_of(floor: Floor, publisher: telemetry.Publisher, line: FleetWatcher) -> dict[str, Own]:
    """The command `renew_certificate`, where this terminal shows its broker a certificate."""
    settings = floor.config.telemetry
    if not (settings.cert_file and settings.key_file):
        return {}
    from agent.telemetry.renewal import Files, Renewal

    identity = publisher.identity
    renewal = Renewal(
        Files(cert_file=settings.cert_file, key_file=settings.key_file, ca_file=settings.ca_file),
        tenant=identity.tenant,
        device_id=identity.device_id,
        clock=floor.clock,
        blocking=floor.threads,
        renewed=publisher.renewed,
    )
    line.add(renewal.values)
    return {"renew_certificate": renewal.carry_out}


def _nobody(word: str) -> None:
    del word


def values(view: View) -> dict[str, Value]:
    """As the component `fleet` tells it."""
    if not view.version and not view.refused:
        return {}
    told: dict[str, Value] = {
        "desired_rejected": view.rejected,
        "desired_version": view.version,
        "desired_state": str(view.state),
        "desired_in_force": view.in_force,
    }
    reason = ": ".join(one for one in (view.code, view.what) if one)
    if reason:
        told["desired_reason"] = reason
    if view.refused:
        told["desired_refused"] = view.refused
    return told
