"""The agent of the kill proof: the real Publisher over a real state.db, in a process of its own.

Makes numbered messages of every kind at a steady pace, says which ones the outbox has taken (one
line of JSON per batch, after the put returned) and how many wait; ends, like the real one, when
asked in good order, and is otherwise killed. With `memory` the outbox forgets everything with the
process: the control.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config.telemetry import Telemetry
from agent.core.fleet.messages import BacklogMessage, HealthMessage, Identity
from agent.core.health.tracker import Alarm, Change, Severity, What
from agent.core.money.journal import Amounts, Backlog
from agent.link.tls import client_context
from agent.sim.fleet_terminal import MemoryOutbox, Tally
from agent.store import Store
from agent.store.outbox import Outbox
from agent.store.part import StorePart
from agent.telemetry import build
from agent.wire.past import Readings

BATCH = 20
KINDS = ("event", "backlog", "health", "hist")


def event(number: int, life: int, clock: SystemClock) -> Change:
    """An alarm as the health tracker tells of it."""
    at = clock.now()
    alarm = Alarm(
        code="printer.paper_out", component="printer", severity=Severity.MAJOR, since_at=at.at,
        shown_at=at.at, args={"number": number, "life": life}, flaps=0, suppressed_by="",
    )  # fmt: skip
    what = What.SHOWN if number % 2 else What.CLEARED
    return Change(code=alarm.code, what=what, at=at, alarm=alarm)


def health(number: int, life: int) -> HealthMessage:
    """A reading. Those that wait for a connection become history."""
    fields = {"test_number": number, "test_life": life}
    return HealthMessage(ts=now_ms(), clock_suspect=None, full=False, alarms=None, fields=fields)


def backlog(number: int, life: int) -> BacklogMessage:
    """An edge: it goes first, and replaces only repeats."""
    return BacklogMessage(
        ts=now_ms(), clock_suspect=None, count=number, oldest_age_s=1, queued_count=life,
        sending_count=0, waiting_count=0, held_count=0, in_doubt_count=0, quarantined_count=0,
        cause=None, cause_count=None, next_attempt_ts=None,
    )  # fmt: skip


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def numbers_of(kind: str, body: dict[str, Any]) -> list[tuple[str, int, int]]:
    """(kind, life, number) of everything a message says, as it arrived."""
    match kind:
        case "event":
            return [(kind, body["arg_life"], body["arg_number"])]
        case "health":
            return [(kind, body["test_life"], body["test_number"])]
        case "hist":
            told = [entry["values"] for entry in body["entries"]]
            return [("health", each["test_life"], each["test_number"]) for each in told]
        case _:
            return [(kind, body["queued_count"], body["count"])]


class Quiet:
    """No readings and no alarms of its own."""

    def alarms(self) -> list[Any]:
        return []

    def components(self) -> list[Any]:
        return []

    def subscribe(self, _sink: Callable[..., None]) -> None:
        return

    def every(self, _period_s: float, _name: str, _call: Callable[[], Awaitable[None]]) -> None:
        return


async def work(orders: dict[str, Any]) -> None:
    clock, quiet = SystemClock(), Quiet()
    store = Store(Path(orders["directory"]), clock)
    await store.start()
    outbox: Any = Outbox(store, max_rows=100_000, max_bytes=1 << 28, past=Readings())
    if orders["memory"]:
        outbox = MemoryOutbox(f"memory{orders['life']}", Tally())
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    threading.Thread(
        target=lambda: (os.read(0, 1), loop.call_soon_threadsafe(stop.set)), daemon=True
    ).start()

    async def backlog() -> Backlog:
        nothing = Amounts()
        return Backlog(
            total=nothing, by_state={}, in_doubt=nothing, held=nothing, quarantined=nothing,
            oldest_at=None, by_cause={},
        )  # fmt: skip

    part = build(
        Telemetry(**orders["settings"]),
        clock=clock,
        timers=quiet,
        outbox=outbox,
        counters=StorePart(store),
        health=quiet,
        backlog=backlog,
        identity=Identity(tenant="acme", device_id=orders["device"]),
        tls=lambda: client_context(*orders["tls"]),
    )
    running = asyncio.create_task(part.run(stop))
    await produce(orders, outbox, part, stop)
    await running
    store.stop()


async def record(numbers: range, life: int, part: Any) -> None:
    """Through the recorder, each kind by its own door; returns when all are in the outbox."""
    clock, recorder = SystemClock(), part._recorder
    recorder.heed([event(n, life, clock) for n in numbers if n % 3 == 0])
    kept = await recorder.flush()
    for n in numbers:
        if n % 3 == 1:
            kept &= await part.tell(backlog(n, life))
    kept &= await recorder._keeping.put(*(health(n, life) for n in numbers if n % 3 == 2))
    if not kept:
        raise RuntimeError("the store refused, and nobody fills the disk here")


async def produce(orders: dict[str, Any], outbox: Any, part: Any, stop: asyncio.Event) -> None:
    """Batches until the last number, then only how many wait."""
    number = orders["first"]
    while not stop.is_set():
        line: dict[str, Any] = {}
        if number <= orders["last"]:
            until = min(number + BATCH, orders["last"] + 1)
            await record(range(number, until), orders["life"], part)
            line = {"from": number, "to": until - 1}
            number = until
        stats, view = outbox.stats, part.view()
        line |= {"waiting": stats.rows, "lost": stats.lost, "connected": view.connected}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        pause_s = orders["pause_s"] if number <= orders["last"] else 0.1
        try:
            async with asyncio.timeout(pause_s):
                await stop.wait()
        except TimeoutError:
            continue


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # a line that is cut all the time is what this is about
    asyncio.run(work(json.loads(sys.argv[1])))
