"""The day's bytes: counted, kept, told, and what they silence."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from agent.core.fleet.budget import Step
from agent.core.fleet.keepalive import Network
from agent.core.money.journal import Amounts, Backlog
from agent.errors import StoreError
from agent.telemetry.spending import (
    CONNECT_BYTES,
    MESSAGE_BYTES,
    PING_BYTES,
    Fit,
    Spending,
    Standing,
)
from tests.fakes import FakeClock
from tests.telemetry.rig import Rig, quick, rigged


@dataclass
class Meter:
    counted: bool = True
    total: int = 0

    def total_bytes(self) -> int:
        return self.total


@dataclass
class Sent:
    connects: int = 0
    sent_messages: int = 0
    sent_bytes: int = 0
    told: int = 0

    def changed(self) -> None:
        self.told += 1


@dataclass
class Notes:
    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    writes: int = 0
    broken: bool = False

    async def load(self, name: str) -> Mapping[str, object]:
        if self.broken:
            raise StoreError("store.full", "not now")
        return self.kept.get(name, {})

    async def save(self, name: str, kept: Mapping[str, object]) -> None:
        if self.broken:
            raise StoreError("store.full", "not now")
        self.writes += 1
        self.kept[name] = json.loads(json.dumps(kept))


def test_bytes_are_kept_over_a_restart_with_few_writes() -> None:
    """A line of state.db for every four kilobytes, and nothing is counted twice."""

    async def story() -> None:
        clock, meter, notes = FakeClock(), Meter(), Notes()
        spending = Spending(quick(), meter, Sent(), notes)
        for _ in range(60):
            meter.total += 250
            await spending.look(clock.now())
            clock.advance(60)
        assert spending.account.spent_bytes == 15_000
        assert notes.writes == 3
        await spending.write()
        again = Spending(quick(), Meter(), Sent(), notes)
        await again.look(clock.now())
        assert again.account.spent_bytes == 15_000
        assert again.values()["spent_today_kb"] == 15
        assert notes.writes == 4

    asyncio.run(story())


def test_a_store_that_refuses_costs_only_the_memory() -> None:
    """Counting goes on; what was spent before a restart is not known."""

    async def story() -> None:
        notes, meter = Notes(broken=True), Meter()
        spending = Spending(quick(), meter, Sent(), notes)
        meter.total = 9_000
        await spending.look(FakeClock().now())
        assert spending.account.spent_bytes == 9_000

    asyncio.run(story())


def test_where_the_kernel_does_not_count_it_is_estimated_and_said() -> None:
    """By what was sent: messages, connections and pings, as they were measured."""
    fit, sent = Fit(), Sent(connects=17)
    assert fit.since(sent, 0, 1_000) == CONNECT_BYTES  # the counter is older than we are
    sent.sent_messages, sent.sent_bytes = 3, 600
    assert fit.since(sent, 60, 2_000) == 3 * MESSAGE_BYTES + 600
    assert fit.since(sent, 60, 122_500) == 2 * PING_BYTES
    sent.connects += 2
    assert fit.since(sent, 0, 500_000) == 2 * CONNECT_BYTES

    async def story() -> None:
        spending = Spending(quick(), Meter(counted=False), Sent(connects=1))
        await spending.look(FakeClock().now())
        assert spending.values()["spent_is_estimate"] is True
        assert spending.account.spent_bytes == CONNECT_BYTES

    asyncio.run(story())


def bodies(rig: Rig, kind: str) -> list[dict[str, Any]]:
    found = rig.db.connection.execute(
        "SELECT body FROM outbox WHERE kind = ? ORDER BY seq", (kind,)
    )
    return [json.loads(body) for (body,) in found]


def test_a_spent_budget_silences_readings_and_never_money_or_alarms() -> None:
    """Step by step as the bytes grow; the next day everything is told again."""

    async def story() -> None:
        clock, meter = FakeClock(), Meter()
        clock.wall_ms -= clock.wall_ms % 86_400_000
        periods = {"health_period_s": 60, "backlog_period_s": 60, "full_period_s": 600}
        rig = rigged(quick(daily_budget_kb=150, **periods), clock=clock)
        spending = rig.part._spending
        spending._meter = meter
        steps: list[Step] = []
        told: list[int] = []
        for minute in range(160):
            meter.total += 1_000
            rig.health.says("printer", head_c=20 + 5 * minute)
            before = len(bodies(rig, "health"))
            await rig.timers.fire()
            if len(bodies(rig, "health")) > before:
                told.append(minute)
            steps.append(spending.step)
            clock.advance(60)
        first = {step: steps.index(step) for step in Step}
        assert list(first.values()) == sorted(first.values())
        assert set(range(1, first[Step.FEWER_READINGS])) == set(told) & set(
            range(first[Step.FEWER_READINGS])
        )
        last = first[Step.ALARMS_AND_MONEY]
        fewer = [m for m in told if first[Step.FEWER_READINGS] <= m < last]
        assert len(fewer) in {5, 6}  # 23 minutes, one in four
        # The last report says that there will be none.
        assert max(told) == last
        assert bodies(rig, "health")[-1]["fleet_budget_step"] == "alarms_and_money"
        # A well terminal is silent for longer now, and said so before.
        assert [body["heartbeat_s"] for body in bodies(rig, "info")] == [300]
        # An alarm and an edge of the backlog, with nothing left to spend.
        rig.health.change(clock, "printer.paper_out")
        rig.backlog = Backlog(
            total=Amounts(count=3, by_currency={"CNY": 3}),
            by_state={},
            in_doubt=Amounts(),
            held=Amounts(),
            quarantined=Amounts(),
            oldest_at=clock.now().at - timedelta(hours=1),
            by_cause={},
        )
        await rig.timers.fire()
        codes = [body["code"] for body in bodies(rig, "event")]
        assert codes == ["printer.paper_out"]  # of the budget the alarm tells, once
        edges = bodies(rig, "backlog")
        assert edges[-1]["count"] == 3
        for _ in range(5):  # repeats are silenced
            clock.advance(60)
            await rig.timers.fire()
        assert bodies(rig, "backlog") == edges
        # The next day: a full report at the first look.
        clock.advance(86_400)
        await rig.timers.fire()
        assert spending.step is Step.FULL
        assert bodies(rig, "health")[-1]["full"] is True
        assert spending.values()["spent_yesterday_kb"] == 160
        rig.db.close()

    asyncio.run(story())


def test_profiles_are_named_periods_and_single_keys_win() -> None:
    """`eco` tells hourly and everything once a day."""

    async def story() -> None:
        from agent.config.telemetry import Telemetry

        eco = Spending(Telemetry(profile="eco"), Meter(), Sent()).periods()
        assert (eco.health_s, eco.full_s, eco.backlog_s) == (3_600, 86_400, 3_600)
        mixed = Spending(Telemetry(profile="eco", health_period_s=1_200), Meter(), Sent()).periods()
        assert (mixed.health_s, mixed.full_s) == (1_200, 86_400)
        default = Spending(Telemetry(), Meter(), Sent()).periods()
        assert (default.health_s, default.full_s, default.backlog_s) == (900, 86_400, 900)

    asyncio.run(story())


def test_unset_the_budget_holds_only_where_bytes_are_paid_for() -> None:
    """On land everything is counted and told; on the SIM card its own bytes count; set, all do."""

    async def story() -> None:
        clock, meter, network = FakeClock(), Meter(), [Network("lan")]
        spending = Spending(quick(), meter, Sent(), standing=Standing(paid=lambda: network[0].paid))
        meter.total = 147_000
        await spending.look(clock.now())
        assert (spending.step, spending.values()["budget_kb"]) == (Step.FULL, 0)
        assert spending.values()["spent_today_kb"] == 147
        network[0] = Network("46001", cellular=True)
        await spending.look(clock.now())
        assert (spending.step, spending.values()["budget_kb"]) == (Step.FULL, 150)
        meter.total += 140_000
        assert await spending.look(clock.now()) is Step.FULL
        assert spending.step is Step.ALARMS_AND_MONEY
        network[0] = Network("backup", metered=True)
        await spending.look(clock.now())
        assert spending.step is Step.ALARMS_AND_MONEY
        network[0] = Network("lan")
        assert await spending.look(clock.now()) is Step.ALARMS_AND_MONEY
        assert spending.step is Step.FULL
        explicit = Spending(quick(daily_budget_kb=150), meter, Sent())
        await explicit.look(clock.now())
        assert explicit.step is Step.ALARMS_AND_MONEY
        none = Spending(
            quick(daily_budget_kb=0), meter, Sent(), standing=Standing(paid=lambda: True)
        )
        await none.look(clock.now())
        assert (none.step, none.budget_kb) == (Step.FULL, 0)

    asyncio.run(story())


def test_a_minute_on_two_networks_counts_as_paid() -> None:
    """What the last minute cost is not known by network: the dearer one is believed."""

    async def story() -> None:
        clock, meter, paid = FakeClock(), Meter(), [True]
        spending = Spending(quick(), meter, Sent(), standing=Standing(paid=lambda: paid[0]))
        for now, total in ((True, 1_000), (False, 3_000), (False, 7_000), (True, 9_000)):
            paid[0], meter.total = now, total
            await spending.look(clock.now())
        assert (spending.account.spent_bytes, spending.account.paid_bytes) == (9_000, 5_000)

    asyncio.run(story())
