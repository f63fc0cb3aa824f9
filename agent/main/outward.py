"""The rooms that speak to hosts and to the fleet, and the channels both leave by."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

from agent import telemetry, uplink
from agent.core.fleet.messages import Identity
from agent.core.health.reading import Reading
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.link.tls import client_context
from agent.main.floor import Floor
from agent.settings.checks import patience_of, windows_of
from agent.store.notes import Notes
from agent.store.outbox import Outbox
from agent.supervise import Part
from agent.uplink.view import Channels
from agent.watch.runner import Watch
from agent.wire.past import Readings

#: The component that knows the operator.
RADIO = "signal"


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
    floor: Floor,
    health: Watch,
    channels: Channels,
    identity: Identity,
    inbox: telemetry.Inbox | None = None,
) -> telemetry.Publisher:
    settings, named = floor.config.telemetry, floor.config.clock.broker_property
    return telemetry.build(
        settings,
        clock=floor.clock,
        timers=floor.timers,
        outbox=Outbox(
            floor.store,
            max_rows=settings.outbox_max_rows,
            max_bytes=settings.outbox_max_bytes,
            past=Readings(),
        ),
        counters=floor.keeper,
        health=health,
        backlog=floor.store.backlog,
        identity=identity,
        tls=lambda: client_context(settings.ca_file, settings.cert_file, settings.key_file),
        next_attempt_ms=channels.next_attempt_ms,
        blocking_cause=channels.blocking_cause,
        inbox=inbox,
        told=floor.contacts.tell,
        time=telemetry.BrokerTime(named, floor.hearing.brokered) if named else None,
        scheme=_scheme(floor, listening=inbox is not None),
        **_channelled(floor, health),
    )


def _scheme(floor: Floor, *, listening: bool) -> telemetry.Scheme | None:
    """The topics and forms of the fleet's server; None: those of our own contract."""
    adapter = floor.config.telemetry.adapter
    if adapter == "native":
        return None
    from agent.telemetry.adapters.choosing import scheme_of

    return scheme_of(adapter, floor.config.adapter, listening=listening)


def _channelled(floor: Floor, health: Watch) -> dict[str, Any]:
    """The way connections to the fleet take, and what is known and kept about it."""
    ways, settings = floor.ways, floor.config.telemetry
    ports: dict[str, Any] = {
        "credentials": telemetry.Credentials(
            client_context, settings.ca_file, settings.cert_file, settings.key_file
        ),
        "network": partial(_network, floor, health),
        "notes": Notes(floor.store),
    }
    if ways is None and not settings.proxy:
        return ports
    from agent.link.channel_build import reaching

    dialer = Dialer(floor.threads, told=floor.contacts.tell, purpose="mqtt")
    if ways is not None:
        ports |= {"reach": reaching(ways, dialer), "thrifty": lambda: ways.thrifty}
        ports |= {"channel": lambda: ways.way().channel}
    if settings.proxy:
        from agent.link.proxy import Proxy, straight, through

        proxy = Proxy.parse(settings.proxy, settings.proxy_password_file)
        ports["reach"] = through(proxy, ports.get("reach") or straight(dialer))
    return ports


def _network(floor: Floor, health: Watch) -> telemetry.Network:
    """What carries connections now: a lesson about silence belongs to the operator."""
    from agent.link.carrier import is_cellular, main_interface

    root, ways = Path(floor.config.system.root), floor.ways
    if ways is None:
        name = interface = main_interface(root)
    else:
        way = ways.way()
        name, interface = way.channel, way.interface
    channel = next((each for each in floor.config.channel if each.name == name), None)
    metered = channel is not None and channel.metered
    modem = channel is not None and channel.kind == "cellular"
    if not modem and not is_cellular(interface, root):
        return telemetry.Network(name, metered=metered)
    told = (each.outcome for each in health.components() if each.component == RADIO)
    operators = (one.values.get("operator") for one in told if isinstance(one, Reading))
    operator = next(operators, None)
    return telemetry.Network(str(operator or name), cellular=True, metered=metered)


def moving(floor: Floor, uploader: uplink.Uploader, publisher: telemetry.Publisher) -> list[Part]:
    """Who has to leave the old channel when another is taken: money first."""
    ways = floor.ways
    if ways is None:
        return []
    ways.subscribe(uploader.moved)
    ways.subscribe(publisher.moved)
    return [ways]
