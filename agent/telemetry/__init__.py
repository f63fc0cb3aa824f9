"""Telling the fleet, over MQTT. `build` makes the part; everything else is inside this room."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from agent import config
from agent.clock import Clock
from agent.core.fleet.messages import Identity
from agent.core.money.journal import Backlog
from agent.telemetry.conversation import Line
from agent.telemetry.ports import Counters, HealthView, Outbox, Timers
from agent.telemetry.publisher import Publisher, View
from agent.telemetry.recorder import Sources
from agent.telemetry.terminals import Terminals

__all__ = ["Identity", "Publisher", "Terminals", "View", "build"]


def build(
    settings: config.Telemetry,
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
) -> Publisher:
    """The part `telemetry`. `tls` is called in the connecting thread, it may read files."""
    return Publisher(
        Line(
            settings=settings,
            tenant=identity.tenant,
            device_id=identity.device_id,
            tls=tls,
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
        ),
        identity=identity,
    )
