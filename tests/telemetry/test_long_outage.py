"""Three days without a network: what is kept, what is thinned, and how it leaves afterwards.

The real recorder over a real state.db; the clock is the test's. Cut and restarted while it drains.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.config.telemetry import Telemetry
from agent.core.fleet.pace import Pace
from agent.core.money.journal import Amounts, Backlog
from agent.store.outbox import Row
from agent.telemetry.feeder import PACKET_BYTES, Allowed, Feeder
from agent.wire import mqtt
from tests.fakes import FakeClock
from tests.telemetry.rig import Rig, StateDb, quick, rigged

HOUR_MS = 3_600_000
OUTAGE_H = 72
RATE, BYTES_RATE = 4.0, 8_192


@dataclass
class Arrived:
    """What a reader got, repeats dropped by their number."""

    by_seq: dict[int, Row] = field(default_factory=dict)
    sent: list[tuple[int, Row]] = field(default_factory=list)  #: everything, with the time
    repeats: int = 0

    def take(self, at_ms: int, rows: Iterable[Row]) -> None:
        for row in rows:
            self.sent.append((at_ms, row))
            known = self.by_seq.setdefault(row.seq, row)
            assert known == row, "one number, two messages"
            self.repeats += known is not row

    def of(self, kind: str) -> list[dict[str, Any]]:
        rows = sorted(self.by_seq.items())
        return [json.loads(row.body) for _, row in rows if row.kind == kind]

    def readings(self) -> list[tuple[int, dict[str, Any]]]:
        """Every reading with its time, from history and as it came."""
        told = [
            (entry["ts"], entry["values"]) for body in self.of("hist") for entry in body["entries"]
        ]
        fixed = ("ts", "full", "alarms")
        told += [
            (body["ts"], {k: v for k, v in body.items() if k not in fixed})
            for body in self.of("health")
        ]
        return sorted(told, key=lambda one: one[0])

    def picture(self) -> dict[str, Any]:
        """What the reader believes now."""
        known: dict[str, Any] = {}
        for body in self.of("health"):
            known = (known if not body["full"] else {}) | body
        return {k: v for k, v in known.items() if k not in ("ts", "full", "alarms")}


def settings_of(**changed: Any) -> Telemetry:
    return quick(health_period_s=900, backlog_period_s=900, full_period_s=14_400, **changed)


def stuck(rig: Rig, clock: FakeClock, count: int) -> None:
    rig.backlog = Backlog(
        total=Amounts(count=count, by_currency={"CNY": 100 * count}),
        by_state={},
        in_doubt=Amounts(),
        held=Amounts(),
        quarantined=Amounts(),
        oldest_at=clock.now().at - timedelta(hours=1),
        by_cause={"network.down": count},
    )


async def outage(rig: Rig, clock: FakeClock, hours: int) -> tuple[list[str], int, int]:
    """Life goes on and nobody hears: alarm codes raised, the fullest the outbox was."""
    told: list[str] = []
    most_rows = most_bytes = 0
    for minute in range(0, hours * 60, 5):
        rig.health.says("printer", paper="ok" if minute % 95 else "low", head_c=20 + minute % 50)
        rig.health.says(
            "system", **{f"disk_{each}_c": 30 + minute % (45 + each) for each in range(20)}
        )
        rig.health.says("connectivity", signal_dbm=-60 - minute % 40, carrier=minute % 120 < 90)
        if minute % 20 == 5:
            told.append(f"test.n{minute}")
            rig.health.change(clock, told[-1])
        if minute % 400 == 0:
            stuck(rig, clock, 1 + minute)
        await rig.timers.fire()
        most_rows = max(most_rows, rig.outbox.stats.rows)
        most_bytes = max(most_bytes, rig.outbox.stats.body_bytes)
        clock.advance(300)
    return told, most_rows, most_bytes


def state_db(path: Path) -> StateDb:
    """As the daemon opens it."""
    db = StateDb(path / "state.db")
    db.connection.execute("PRAGMA journal_mode = WAL")
    db.connection.execute("PRAGMA synchronous = NORMAL")
    return db


def restarted(rig: Rig, clock: FakeClock) -> Rig:
    """Another process over the same state.db."""
    again = rigged(settings_of(), db=rig.db, clock=clock)
    again.health.said, again.backlog = rig.health.said, rig.backlog
    return again


async def drain(
    rig: Rig, clock: FakeClock, arrived: Arrived, *, cuts: int = 0, rate: float = RATE
) -> Rig:
    """A connection that is cut now and then; each third cut takes the process along."""
    draw = random.Random(6)
    pace = Pace(rate, BYTES_RATE * rate / RATE)
    feeder = Feeder(rig.outbox, clock, pace, Allowed(), lambda: None)
    await feeder.identity("c")
    feeder.connected()
    idle = 0
    for step in range(20_000):
        rows = await feeder.take(8)
        idle = 0 if rows else idle + 1
        arrived.take(clock.boot_ms, rows)
        acked = [row.seq for row in rows]
        cut = cuts > 0 and draw.random() < 0.05
        await feeder.done(acked[: len(acked) // 2] if cut else acked)
        if cut:
            cuts -= 1
            feeder.release()
            if cuts % 3:
                feeder.connected()
            else:
                rig = restarted(rig, clock)
                feeder = Feeder(rig.outbox, clock, pace, Allowed(), lambda: None)
                await feeder.identity("c")
                feeder.connected()
        if (rig.outbox.drained and not cuts) or idle > 1_500:
            break
        clock.advance(0.05)
        if step % 40 == 39:
            rig.health.says("system", free_mb=step)  # life goes on: readings of today
            await rig.timers.fire()
    feeder.release()
    return rig


def missing(told: list[str], arrived: Arrived) -> set[str]:
    """Alarms that were raised and never arrived."""
    return set(told) - {body["code"] for body in arrived.of("event")}


def bursts(arrived: Arrived) -> list[tuple[int, int]]:
    """Stretches of readings and history faster than the rate, whatever their length."""
    paced = [(at, len(row.body) + PACKET_BYTES) for at, row in arrived.sent if row.priority >= 2]
    found = []
    for first in range(len(paced)):
        size = 0
        for last in range(first + 1, len(paced)):
            size += paced[last - 1][1]
            passed_s = (paced[last][0] - paced[first][0]) / 1000
            if last - first > passed_s * RATE + 1e-6 or size > passed_s * BYTES_RATE + 1e-6:
                found.append((first, last))
    return found


def test_three_days_without_a_network(tmp_path: Path) -> None:
    """Within its cap, every alarm kept, readings thinned to the hour, drained without a burst."""

    async def story() -> None:
        clock = FakeClock(wall_ms=1_795_000_000_000 // HOUR_MS * HOUR_MS)
        db = state_db(tmp_path)
        rig = rigged(settings_of(), db=db, clock=clock)
        told, most_rows, most_bytes = await outage(rig, clock, OUTAGE_H)
        assert most_rows <= 20_000
        assert most_bytes <= 8_388_608
        stats, back_ms = rig.outbox.stats, clock.wall_ms
        assert stats.lost == 0
        arrived = Arrived()
        rig = await drain(rig, clock, arrived, cuts=12)
        for _ in range(2):  # whoever has just started listens a minute before it tells everything
            await rig.timers.fire()
            clock.advance(60)
        arrived.take(clock.boot_ms, await rig.outbox.take(1000))
        # Alarms: all of them, in order. Edges of the backlog too.
        assert missing(told, arrived) == set()
        assert [body["code"] for body in arrived.of("event")] == told
        counts = [body["count"] for body in arrived.of("backlog")]
        assert counts == sorted(counts)
        assert counts[-1] == rig.backlog.total.count
        # Readings: each once; hourly where they waited a day, as they were after that.
        assert arrived.repeats > 0
        times = [at for at, _ in arrived.readings()]
        assert len(times) == len(set(times))
        old = [at // HOUR_MS for at in times if at < back_ms - 25 * HOUR_MS]
        assert len(old) == len(set(old)) == OUTAGE_H - 25
        young = [at for at in times if back_ms - 24 * HOUR_MS <= at < back_ms]
        assert len(young) == 24 * 4
        assert stats.thinned == 3 * len(old)
        # Order and pace.
        for kind in ("event", "hist", "health"):
            seqs = [row.seq for _, row in arrived.sent if row.kind == kind]
            first = list(dict.fromkeys(seqs))
            assert first == sorted(first)
        assert bursts(arrived) == []
        # What is left of the readings ends where the terminal is.
        last: dict[str, Any] = {}
        for _, values in arrived.readings():
            last |= values
        truth = rig.part._recorder._readings.fields
        assert {name: last[name] for name in truth} == truth
        assert arrived.picture() == truth
        for body in arrived.of("hist"):
            stamped = mqtt.stamp(json.dumps(body).encode(), 1, "0123456789ab")
            assert mqtt.problems(mqtt.Kind.HIST, stamped) == []
        largest = max(len(row.body) for _, row in arrived.sent if row.kind == "hist")
        assert largest <= mqtt.MAX_HIST_BYTES
        db.close()

    asyncio.run(story())


def test_the_proof_would_see_what_it_proves_against(tmp_path: Path) -> None:
    """One alarm taken out of the table, and a drain without a rate: both are found."""

    async def story() -> None:
        clock = FakeClock()
        db = state_db(tmp_path)
        rig = rigged(settings_of(), db=db, clock=clock)
        told, _, _ = await outage(rig, clock, 24)
        db.connection.execute(
            "DELETE FROM outbox WHERE seq = (SELECT seq FROM outbox WHERE kind = 'event' LIMIT 1)"
        )
        arrived = Arrived()
        await drain(rig, clock, arrived, rate=1_000 * RATE)
        assert missing(told, arrived) == {told[0]}
        assert bursts(arrived)
        db.close()

    asyncio.run(story())


def test_a_small_outbox_gives_up_readings_and_keeps_every_alarm(tmp_path: Path) -> None:
    """Beyond its cap the oldest readings go, counted and told; then everything is told anew."""

    async def story() -> None:
        clock = FakeClock()
        db = state_db(tmp_path)
        rig = rigged(settings_of(outbox_max_rows=250), db=db, clock=clock)
        told, most_rows, _ = await outage(rig, clock, OUTAGE_H)
        assert most_rows == 250
        stats = rig.outbox.stats
        assert stats.lost > 0
        arrived = Arrived()
        await drain(rig, clock, arrived)
        assert missing(told, arrived) == set()
        times = [at for at, _ in arrived.readings()]
        # 288 readings were recorded at least, and a few while it drained.
        assert 288 <= len(times) + stats.lost + stats.thinned <= 288 + 24
        db.close()

    asyncio.run(story())
