"""Telling the fleet, over MQTT. `build` makes the part; everything else is inside this room."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

from agent.clock import Clock
from agent.config.telemetry import Telemetry
from agent.core.fleet.keepalive import Network
from agent.core.fleet.messages import Identity
from agent.core.money.journal import Backlog
from agent.link.contact import Told
from agent.link.dial import Reach
from agent.telemetry.adapters import Scheme
from agent.telemetry.adapters.native import Native
from agent.telemetry.attempt import BrokerTime
from agent.telemetry.conversation import Line
from agent.telemetry.credentials import Credentials
from agent.telemetry.ports import Counters, HealthView, Inbox, Notes, Outbox, Timers
from agent.telemetry.publisher import Publisher, View
from agent.telemetry.sources import Sources
from agent.telemetry.terminals import Terminals

__all__ = [
    "BrokerTime",
    "Credentials",
    "Identity",
    "Inbox",
    "Network",
    "Notes",
    "Publisher",
    "Scheme",
    "Terminals",
    "View",
    "build",
]


def build(
    settings: Telemetry,
    *,
    clock: Clock,
    timers: Timers,
    outbox: Outbox,
    counters: Counters,
    health: HealthView,
    backlog: Callable[[], Awaitable[Backlog]],
    identity: Identity,
    tls: Callable[[], ssl.SSLContext],
    next_attempt_ms: Callable[[], int | None] = lambda: None,
    blocking_cause: Callable[[], str] = lambda: "",
    reach: Reach | None = None,
    told: Told | None = None,
    time: BrokerTime | None = None,
    thrifty: Callable[[], bool] = lambda: False,
    channel: Callable[[], str] = lambda: "",
    inbox: Inbox | None = None,
    scheme: Scheme | None = None,
    credentials: Credentials | None = None,
    network: Callable[[], Network] = Network,
    notes: Notes | None = None,
) -> Publisher:
    """The part `telemetry`. `tls` is called in the connecting thread, it may read files.

    `thrifty`: readings wait. `channel`: by which way payments leave. `inbox` takes what is sent
    down; `credentials`: a certificate that may be renewed; `notes` keeps what was learnt.
    """
    native = Native(identity.tenant, identity.device_id, listening=inbox is not None)
    return Publisher(
        Line(
            settings=settings,
            tenant=identity.tenant,
            device_id=identity.device_id,
            tls=tls,
            scheme=scheme or native,
            inbox=inbox,
            credentials=credentials,
            network=network,
            notes=notes,
            reach=reach,
            told=told,
            time=time,
        ),
        outbox=outbox,
        counters=counters,
        timers=timers,
        sources=Sources(
            clock=clock,
            health=health,
            backlog=backlog,
            next_attempt_ms=next_attempt_ms,
            blocking_cause=blocking_cause,
            thrifty=thrifty,
            channel=channel,
        ),
        identity=replace(identity, profile=identity.profile or settings.profile),
    )
