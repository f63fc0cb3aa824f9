"""From what happened to a PUBLISH without a timer in between, and what waits for its turn."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from agent.core.fleet.messages import EventMessage, ResMessage
from agent.core.fleet.pace import Pace
from agent.core.money.journal import Amounts, Backlog
from agent.errors import StoreError
from agent.telemetry import money
from agent.telemetry.feeder import Allowed, Feeder
from tests.fakes import FakeClock
from tests.telemetry.rig import EMPTY, Rig, quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker


@asynccontextmanager
async def strict() -> AsyncIterator[StrictBroker]:
    broker = StrictBroker()
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


def url(broker: StrictBroker) -> str:
    return f"mqtt://127.0.0.1:{broker.port}"


def waiting(oldest_at: datetime, count: int = 1) -> Backlog:
    return Backlog(
        total=Amounts(count=count, by_currency={"CNY": 100 * count}),
        by_state={},
        in_doubt=Amounts(),
        held=Amounts(),
        quarantined=Amounts(),
        oldest_at=oldest_at,
        by_cause={},
    )


def counts(rig: Rig) -> list[int]:
    found = rig.db.connection.execute("SELECT body FROM outbox WHERE kind = 'backlog' ORDER BY seq")
    return [json.loads(body)["count"] for (body,) in found]


class Later:
    """Stands in for the loop's timers: fires when the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set: list[tuple[float, Callable[[], None]]] = []
        monkeypatch.setattr(money, "asyncio", SimpleNamespace(get_running_loop=lambda: self))

    def call_later(self, seconds: float, call: Callable[[], None]) -> Later:
        self.set.append((seconds, call))
        return self

    def cancel(self) -> None:
        """Only the newest counts in these tests."""


def test_a_payment_that_becomes_stuck_is_told_at_that_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The change wakes, one wake-up is set for when it will be old, and no glance is waited for."""
    later = Later(monkeypatch)

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(backlog_period_s=900), clock=clock)
        await rig.timers.fire()
        assert counts(rig) == [0]
        rig.backlog = waiting(clock.now().at)
        rig.part.money()
        rig.part.money()
        ((together_s, look),) = later.set
        assert together_s == money.TOGETHER_S
        clock.advance(together_s)
        look()
        await rig.part._recorder.flush()
        assert counts(rig) == [0]  # on its way is no news
        (crossing_s, look) = later.set[-1]
        assert 59 <= crossing_s + together_s <= 61
        clock.advance(crossing_s)
        look()
        await rig.part._recorder.flush()
        assert counts(rig) == [0, 1]
        # And gone again: told with the change that ended it.
        rig.backlog = EMPTY
        rig.part.money()
        later.set[-1][1]()
        await rig.part._recorder.flush()
        assert counts(rig) == [0, 1, 0]
        rig.part._recorder.stop()
        rig.db.close()

    asyncio.run(story())


def test_an_edge_and_an_alarm_reach_the_broker_without_any_timer_firing() -> None:
    """The periodic job never runs here after its first time."""

    async def story() -> None:
        async with strict() as broker:
            rig = rigged(quick([url(broker)]))

            def kinds() -> list[str]:
                return [str(topic).rpartition("/")[2] for topic, _ in broker.received]

            await rig.timers.fire()
            async with running(rig):
                await rig.until(lambda: "backlog" in kinds())
                rig.health.change(rig.clock, "printer.paper_out")
                await rig.until(lambda: "event" in kinds())
                rig.backlog = waiting(rig.clock.now().at - timedelta(hours=1), 7)
                rig.part.money()
                await rig.until(lambda: kinds().count("backlog") == 2)
                told = [body for topic, body in broker.received if topic.endswith("backlog")]
                assert told[-1]["count"] == 7

    asyncio.run(story())


def test_what_waited_out_an_outage_arrives_as_history_over_a_real_connection() -> None:
    """After the alarms, with a number of its own; the meter saw every byte of it."""

    async def story() -> None:
        clock = FakeClock()
        async with strict() as broker:
            rig = rigged(quick([url(broker)], health_period_s=60), clock=clock)
            for minute in range(12):
                rig.health.says("printer", head_c=20 + 10 * minute)
                await rig.timers.fire()
                clock.advance(60)
            rig.events(3)

            def drained() -> bool:
                clock.advance(0.05)  # else nothing would ever be its turn
                return rig.outbox.drained

            async with running(rig):
                await rig.until(drained)
                hist = [body for topic, body in broker.received if topic.endswith("/hist")]
                assert [len(body["entries"]) for body in hist] == [11]
                order = [str(topic).rpartition("/")[2] for topic, _ in broker.received]
                assert order[-1] == "hist"
                payload = sum(len(json.dumps(body)) for _, body in broker.received)
                spent = rig.part._line.meter.total_bytes()
                assert payload < spent < 20 * payload
                # What is true now is told at the next look, in full.
                clock.advance(1)
                await rig.timers.fire()
                await rig.until(drained)
                last = broker.received[-1][1]
                assert (last["full"], last["printer_head_c"]) == (True, 130)
            standing = rig.part.standing()
            assert standing is not None
            assert standing["budget_step"] == "full"

    asyncio.run(story())


def test_any_message_can_be_told_and_events_keep_their_order() -> None:
    """Answers go before readings; an event never overtakes one that came before it."""

    async def story() -> None:
        rig = rigged(quick())
        res = ResMessage(ts=1, clock_suspect=None, cmd_id="4711", op="report", status="ok")
        assert await rig.part.tell(res)
        event = EventMessage(
            ts=1,
            clock_suspect=None,
            code="a.b",
            component="a",
            severity="minor",
            active=True,
            since_ts=1,
            flaps=None,
            suppressed_by=None,
        )
        assert await rig.part.tell(event)
        rows = await rig.outbox.take(8)
        assert [(row.kind, row.priority) for row in rows] == [("res/4711", 0), ("event", 1)]
        rig.db.broken = StoreError("store.full", "disk full")
        assert not await rig.part.tell(res)
        rig.db.close()

    asyncio.run(story())


def test_events_dropped_while_the_store_refuses_are_counted() -> None:
    """Lost is lost, and said: a full report follows."""

    async def story() -> None:
        from agent.telemetry.recorder import MAX_PENDING

        rig = rigged(quick())
        rig.db.broken = StoreError("store.full", "disk full")
        rig.events(MAX_PENDING + 7)
        await rig.timers.fire()
        rig.db.broken = None
        await rig.timers.fire()
        assert rig.outbox.stats.lost == 7
        await rig.timers.fire()
        assert rig.outbox.stats.lost == 7
        rig.db.close()

    asyncio.run(story())


def test_readings_wait_for_their_turn_and_alarms_do_not() -> None:
    """One wake-up when the turn comes; none while readings may not leave at all."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(health_period_s=60), clock=clock)
        woken, allowed = asyncio.Event(), [True]
        feeder = Feeder(
            rig.outbox,
            clock,
            Pace(50.0, 1_000_000),
            Allowed(readings=lambda: allowed[0], history=lambda: allowed[0]),
            woken.set,
        )
        feeder.connected()  # what comes now is no history
        for minute in range(4):
            rig.health.says("printer", head_c=20 + 10 * minute)
            await rig.timers.fire()
            clock.advance(60)
        assert [row.kind for row in await feeder.take(8)] == ["info", "backlog", "health"]
        assert await feeder.take(8) == []
        rig.events(5)
        await rig.part._recorder.flush()
        assert [row.kind for row in await feeder.take(8)] == ["event"] * 5
        await asyncio.wait_for(woken.wait(), 5)
        allowed[0] = False
        woken.clear()
        clock.advance(60)
        assert await feeder.take(8) == []
        assert feeder.unsent == 2
        await asyncio.sleep(0.05)
        assert not woken.is_set()
        allowed[0] = True
        assert [row.kind for row in await feeder.take(8)] == ["health"]
        feeder.release()
        rig.db.close()

    asyncio.run(story())
