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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.config.telemetry import Telemetry
from agent.core.fleet import messages
from agent.core.fleet.messages import (
    BacklogMessage,
    EventMessage,
    HealthMessage,
    Identity,
    Message,
    Priority,
)
from agent.core.money.journal import Amounts, Backlog
from agent.link.tls import client_context
from agent.sim.fleet_terminal import MemoryOutbox, Tally
from agent.store import Store
from agent.store.outbox import Outbox
from agent.store.part import StorePart
from agent.telemetry import build
from agent.wire import mqtt

BATCH = 20
KINDS = ("event", "backlog", "health")


@dataclass(frozen=True)
class Kept:
    """What the outbox is handed, as the recorder would."""

    kind: str
    priority: int
    retained: bool
    at_ms: int
    body: bytes
    supersedes: int | None


def message(kind: str, number: int, life: int, ts: int) -> Message:
    """A message by contract whose fields carry its number."""
    numbered = {"number": number, "life": life}
    if kind == "event":
        return EventMessage(
            ts=ts, clock_suspect=None, code="printer.paper_out", component="printer",
            severity="major", active=bool(number % 2), since_ts=ts, flaps=None, suppressed_by=None,
            fields={f"arg_{name}": value for name, value in numbered.items()},
        )  # fmt: skip
    if kind == "health":
        fields = {f"test_{name}": value for name, value in numbered.items()}
        return HealthMessage(ts=ts, clock_suspect=None, full=False, alarms=None, fields=fields)
    return BacklogMessage(
        ts=ts, clock_suspect=None, count=number, oldest_age_s=1, queued_count=life,
        sending_count=0, waiting_count=0, held_count=0, in_doubt_count=0, quarantined_count=0,
        cause=None, cause_count=None, next_attempt_ts=None,
    )  # fmt: skip


def number_of(kind: str, body: dict[str, Any]) -> tuple[int, int]:
    """(life, number) of a message as it arrived."""
    if kind == "event":
        return body["arg_life"], body["arg_number"]
    if kind == "health":
        return body["test_life"], body["test_number"]
    return body["queued_count"], body["count"]


def kept(kind: str, number: int, life: int) -> Kept:
    ts = time.time_ns() // 1_000_000
    made = message(kind, number, life, ts)
    rule = messages.RULES[mqtt.kind_of(made)]
    # An edge of the backlog: it goes first, and replaces only repeats.
    priority = Priority.NOW if kind == "backlog" else rule.priority
    return Kept(kind, priority, rule.retained, ts, mqtt.encode(made), rule.supersedes)


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
    outbox: Any = Outbox(store, max_rows=100_000, max_bytes=1 << 28)
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


async def produce(orders: dict[str, Any], outbox: Any, part: Any, stop: asyncio.Event) -> None:
    """Batches until the last number, then only how many wait."""
    number = orders["first"]
    while not stop.is_set():
        line: dict[str, Any] = {}
        if number <= orders["last"]:
            until = min(number + BATCH, orders["last"] + 1)
            numbers = range(number, until)
            await outbox.put([kept(KINDS[n % 3], n, orders["life"]) for n in numbers])
            line = {"from": number, "to": until - 1}
            number = until
            part._woken()
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
