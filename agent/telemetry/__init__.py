"""Telling the fleet, over MQTT. `build` makes the part; everything else is inside this room."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from agent.clock import Clock
from agent.config.telemetry import Telemetry
from agent.core.fleet.messages import Identity
from agent.core.money.journal import Backlog
from agent.link.contact import Told
from agent.telemetry.attempt import BrokerTime, Reach
from agent.telemetry.conversation import Line
from agent.telemetry.ports import Counters, HealthView, Outbox, Timers
from agent.telemetry.publisher import Publisher, View
from agent.telemetry.recorder import Sources
from agent.telemetry.terminals import Terminals

__all__ = ["BrokerTime", "Identity", "Publisher", "Terminals", "View", "build"]


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
) -> Publisher:
    """The part `telemetry`. `tls` is called in the connecting thread, it may read files.

    `thrifty`: only money and alarms should leave now, readings wait.
    """
    return Publisher(
        Line(
            settings=settings,
            tenant=identity.tenant,
            device_id=identity.device_id,
            tls=tls,
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
        ),
        identity=identity,
    )
