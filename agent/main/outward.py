"""The rooms that speak to hosts and to the fleet, and the channels both leave by."""

from __future__ import annotations

import random
from typing import Any

from agent import telemetry, uplink
from agent.core.fleet.messages import Identity
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.link.tls import client_context
from agent.main.floor import Floor
from agent.settings.checks import patience_of, windows_of
from agent.store.outbox import Outbox
from agent.supervise import Part
from agent.uplink.view import Channels
from agent.watch.runner import Watch


def uploader_of(floor: Floor) -> uplink.Uploader:
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


def publisher_of(
    floor: Floor, health: Watch, channels: Channels, identity: Identity
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


def _channelled(floor: Floor) -> dict[str, Any]:
    """What telemetry has to heed where channels are configured."""
    ways = floor.ways
    if ways is None:
        return {}
    from agent.link.channel_build import reaching

    dialer = Dialer(floor.threads, told=floor.contacts.tell, purpose="mqtt")
    return {"reach": reaching(ways, dialer), "thrifty": lambda: ways.thrifty}


def moving(floor: Floor, uploader: uplink.Uploader, publisher: telemetry.Publisher) -> list[Part]:
    """Who has to leave the old channel when another is taken: money first."""
    ways = floor.ways
    if ways is None:
        return []
    ways.subscribe(uploader.moved)
    ways.subscribe(publisher.moved)
    return [ways]
