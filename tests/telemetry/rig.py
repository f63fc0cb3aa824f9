"""A telemetry part with everything around it real but the rest of the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from agent.clock import Clock, SystemClock
from agent.config.telemetry import Telemetry
from agent.core.fleet.messages import Identity
from agent.core.health.reading import Reading
from agent.core.health.tracker import Alarm, Change, ComponentState, Severity, What
from agent.core.money.journal import Amounts, Backlog
from agent.store.outbox import Outbox
from agent.telemetry import Publisher, build
from agent.wire.past import Readings

T = TypeVar("T")
SCHEMA = Path(__file__).parents[2] / "agent" / "store" / "migrations" / "state_0001.sql"


class StateDb:
    """state.db without its thread: real SQLite, one transaction per call."""

    def __init__(self, path: Path | str = ":memory:") -> None:
        fresh = path == ":memory:" or not Path(path).exists()
        self.connection = sqlite3.connect(path, isolation_level=None)
        if fresh:
            self.connection.executescript(SCHEMA.read_text("utf-8"))
        self.broken: Exception | None = None

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await asyncio.sleep(0)
        if self.broken is not None:
            raise self.broken
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            result = work(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return result

    def close(self) -> None:
        self.connection.close()


class Counters:
    def __init__(self) -> None:
        self.connects = 0
        self.broken: Exception | None = None

    def outbox_id(self) -> str:
        return "c0ffee"

    async def next_connect(self) -> int:
        if self.broken is not None:
            raise self.broken
        self.connects += 1
        return self.connects


class Timers:
    """Fires when the test says so."""

    def __init__(self) -> None:
        self.calls: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {}

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        self.calls[name] = (period_s, call)

    async def fire(self) -> None:
        await self.calls["telemetry"][1]()


class Health:
    def __init__(self) -> None:
        self.open: list[Alarm] = []
        self.said: list[ComponentState] = []
        self.sinks: list[Callable[[Sequence[Change]], None]] = []

    def alarms(self) -> Sequence[Alarm]:
        return self.open

    def components(self) -> Sequence[ComponentState]:
        return self.said

    def subscribe(self, sink: Callable[[Sequence[Change]], None]) -> None:
        self.sinks.append(sink)

    def says(self, component: str, **values: Any) -> None:
        """A component answers."""
        state = ComponentState(
            component=component,
            outcome=Reading(values),
            at=datetime(2026, 11, 20, tzinfo=UTC),
            duration_ms=3,
            success=True,
        )
        self.said = [each for each in self.said if each.component != component] + [state]

    def change(self, clock: Clock, code: str, what: What = What.SHOWN) -> None:
        """An alarm is shown or cleared."""
        at = clock.now()
        alarm = Alarm(
            code=code,
            component=code.partition(".")[0],
            severity=Severity.MAJOR,
            since_at=at.at,
            shown_at=at.at,
            args={},
            flaps=0,
            suppressed_by="",
        )
        for sink in self.sinks:
            sink([Change(code=code, what=what, at=at, alarm=alarm)])


EMPTY = Backlog(
    total=Amounts(),
    by_state={},
    in_doubt=Amounts(),
    held=Amounts(),
    quarantined=Amounts(),
    oldest_at=None,
    by_cause={},
)


@dataclass
class Rig:
    part: Publisher
    outbox: Outbox
    db: StateDb
    counters: Counters
    timers: Timers
    health: Health
    clock: Clock
    backlog: Backlog = EMPTY

    def events(self, count: int, prefix: str = "test") -> None:
        """Raise some alarms."""
        for number in range(count):
            self.health.change(self.clock, f"{prefix}.n{number}")

    async def until(self, reached: Callable[[], bool], timeout_s: float = 10.0) -> None:
        """Wait for a condition nobody signals, by looking often."""
        async with asyncio.timeout(timeout_s):
            while not reached():
                await asyncio.sleep(0.005)


def quick(endpoints: Sequence[str] = (), **changed: Any) -> Telemetry:
    """Settings whose waits are short enough for a test."""
    settings: dict[str, Any] = {
        "boot_delay_s": 0,
        "reconnect_base_s": 0.05,
        "reconnect_cap_s": 0.1,
        "health_period_s": 1,
        "backlog_period_s": 1,
        "will_delay_s": 0,
    }
    return Telemetry(endpoints=tuple(endpoints), **(settings | changed))


def no_tls() -> ssl.SSLContext:
    raise AssertionError("nobody asked for TLS")


def rigged(
    settings: Telemetry,
    *,
    tls: Callable[[], ssl.SSLContext] = no_tls,
    db: StateDb | None = None,
    clock: Clock | None = None,
    device_id: str = "T-1",
    **ports: Any,
) -> Rig:
    """A part, not yet running. `ports` go to `build` as they are."""
    db = db or StateDb()
    outbox = Outbox(
        db,
        max_rows=settings.outbox_max_rows,
        max_bytes=settings.outbox_max_bytes,
        past=Readings(),
    )
    counters, timers, health, clock = Counters(), Timers(), Health(), clock or SystemClock()
    rigs: list[Rig] = []

    async def backlog() -> Backlog:
        return rigs[0].backlog

    part = build(
        settings,
        clock=clock,
        timers=timers,
        outbox=outbox,
        counters=counters,
        health=health,
        backlog=backlog,
        identity=Identity(tenant="acme", device_id=device_id, agent_version="0.1.0", site="S7"),
        tls=tls,
        **ports,
    )
    rigs.append(Rig(part, outbox, db, counters, timers, health, clock))
    return rigs[0]


@contextlib.asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[asyncio.Event]:
    """The part runs; leaving stops it and checks that this took under two seconds."""
    stop = asyncio.Event()
    task = asyncio.create_task(rig.part.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        try:
            await asyncio.wait_for(task, 2.0)
        finally:
            rig.db.close()
