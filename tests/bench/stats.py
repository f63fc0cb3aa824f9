"""Statistics over a large journal: how long, how long the writer is held, what a hand-over notices.

    python -m tests.bench.stats [--payments 100000]

A store of its own with payments of four weeks, every fiftieth late; asked as the API asks, counted
in a process of its own. Prints JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from agent.actions import stats
from agent.actions.ports import Identity, Ports
from agent.clock import SystemClock
from agent.core.money.journal import Change, Event
from agent.core.money.transaction import App, Kind, Payload, Posting, Submission, Transaction
from agent.offload import ChildOffload
from agent.store import Store, opening
from agent.store.journal import Journal
from agent.store.timings import Timings
from agent.wire.stats import StatsArgs, StatsOut
from tests.actions.desk import Tracker
from tests.fakes import FakeClock

T = TypeVar("T")

BATCH = 2_000
DAYS = 28
LATE_EVERY = 50
ONCE = [Change(event=Event.ATTEMPT), Change(event=Event.POSTED)]
TROUBLED = [
    Change(event=Event.ATTEMPT), Change(event=Event.NO_ANSWER, cause="host.no_reply"),
    Change(event=Event.ATTEMPT), Change(event=Event.POSTED),
]  # fmt: skip


def given(number: int, at: datetime) -> Submission:
    return Submission(
        transaction=Transaction(
            key=f"stats-{number:08d}", terminal_id="T", merchant_id="M", kind=Kind.SALE,
            posting=Posting.ADVICE, occurred_at=at, uplink="host",
            amount_minor=100 + number % 90_000, currency="CNY",
            app=App(name="till", version=f"2.{number // 40_000}"),
        ),
        payload=Payload(content_type="application/json", body=b'{"amount":1}' * 12),
    )  # fmt: skip


def fill(directory: Path, count: int) -> None:
    """Payments of the last four weeks, confirmed after a second, every fiftieth after minutes."""
    now_ms = SystemClock().now().wall_ms
    clock = FakeClock(wall_ms=now_ms - DAYS * 86_400_000)
    step_ms = DAYS * 86_400_000 // count
    store = Store(directory, clock)
    asyncio.run(_made(store))
    db, journal, _facts = opening.open_journal(directory, clock.now(), {})
    for start in range(0, count, BATCH):
        db.execute("BEGIN IMMEDIATE")
        for number in range(start, min(start + BATCH, count)):
            late = number % LATE_EVERY == 0
            record = journal.append(given(number, clock.now().at), clock.now()).record
            took_ms, now = 300_000 if late else 900, clock.now()
            after = replace(now, wall_ms=now.wall_ms + took_ms, boot_ms=now.boot_ms + took_ms)
            for change in TROUBLED if late else ONCE:
                moved = journal.advance(record.seq, record.version, change, after)
                assert not isinstance(moved, Exception)
                record = moved
            clock.advance(step_ms / 1000)
        db.execute("COMMIT")
        journal.table.committed()
    opening.close_cleanly(db, journal, clock.now())
    db.close()


async def _made(store: Store) -> None:
    await store.start()
    store.stop(5.0)


class Timed(Store):
    """A store whose every read of the journal is timed on its thread."""

    def __init__(self, directory: Path, clock: SystemClock) -> None:
        super().__init__(directory, clock)
        self.held_ms: list[float] = []

    async def journal(
        self, work: Callable[[Journal], T], told: Callable[[T], None] | None = None
    ) -> T:
        def piece(journal: Journal) -> T:
            began = time.thread_time()
            try:
                return work(journal)
            finally:
                self.held_ms.append((time.thread_time() - began) * 1000)

        return await super().journal(piece, told)


async def asked(store: Timed, args: StatsArgs) -> tuple[StatsOut, dict[str, Any]]:
    """One answer, and what it cost; somebody hands over a payment every 50 ms meanwhile."""
    clock = SystemClock()
    ports = Ports(
        journal=store, mover=None, health=Tracker(), channels=None,
        identity=Identity(device_id="d", tenant="t", site="", version="1"), clock=clock,
        offload=ChildOffload(), timings=Timings(store), late_after_s=60.0,
    )  # fmt: skip
    taken_ms: list[float] = []
    paying = asyncio.create_task(_pays(store, taken_ms))
    store.held_ms.clear()
    began = time.monotonic()
    told = await stats.run(ports, args)
    took_s = time.monotonic() - began
    held = sorted(store.held_ms)
    paying.cancel()
    return told, {
        "took_s": round(took_s, 2), "payments": told.payments, "read": told.read,
        "late": told.late.count, "looked_at": told.late_looked_at, "reads": len(held),
        "writer_p99_ms": round(held[len(held) * 99 // 100], 2),
        "writer_most_ms": round(held[-1], 2),
        "hand_over_p50_ms": round(statistics.median(taken_ms), 2) if taken_ms else None,
    }  # fmt: skip


async def _pays(store: Store, taken_ms: list[float]) -> None:
    number = 10_000_000 + time.time_ns() // 1_000_000 % 10_000_000_000
    while True:
        began = time.monotonic()
        await store.append(given(number, SystemClock().now().at))
        taken_ms.append((time.monotonic() - began) * 1000)
        number += 1
        await asyncio.sleep(0.05)


async def run(directory: Path) -> dict[str, Any]:
    store = Timed(directory, SystemClock())
    await store.start()
    try:
        _, whole = await asked(store, StatsArgs())
        since = datetime.now(UTC) - timedelta(days=2)
        _, short = await asked(store, StatsArgs(since=since))
    finally:
        store.stop(30.0)
    return {"all": whole, "since two days": short}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.stats")
    parser.add_argument("--payments", type=int, default=100_000)
    count = parser.parse_args().payments
    with tempfile.TemporaryDirectory(prefix="posagent-bench-") as folder:
        began = time.monotonic()
        fill(Path(folder) / "state", count)
        filled_s = round(time.monotonic() - began, 1)
        print(
            json.dumps({"filled_s": filled_s, **asyncio.run(run(Path(folder) / "state"))}, indent=2)
        )


if __name__ == "__main__":
    main()
