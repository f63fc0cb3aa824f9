"""Where the facts come from that the recorder turns into messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.clock import Clock
from agent.core.money.journal import Backlog
from agent.record import dataclass
from agent.telemetry.ports import HealthView


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Plugged in by `main`."""

    clock: Clock
    health: HealthView
    backlog: Callable[[], Awaitable[Backlog]]
    next_attempt_ms: Callable[[], int | None]
    blocking_cause: Callable[[], str]  #: why the channels send nothing, or ""
    thrifty: Callable[[], bool] = lambda: False  #: only money and alarms should leave now
    connected: Callable[[], bool] = lambda: False  #: whether the broker hears us now
    channel: Callable[[], str] = lambda: ""  #: by which way payments leave; "": not chosen here
