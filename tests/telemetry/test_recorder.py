"""What is recorded for the fleet, apart from how it travels."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

from agent.core.health.reading import Value
from agent.core.money.journal import Amounts, Backlog
from agent.errors import StoreError
from agent.telemetry.recorder import MAX_PENDING, split
from agent.wire import mqtt
from tests.fakes import FakeClock
from tests.telemetry.rig import Rig, quick, rigged


def bodies(rig: Rig) -> list[tuple[str, int, dict[str, Value]]]:
    found = rig.db.connection.execute("SELECT kind, priority, body FROM outbox ORDER BY seq")
    return [(kind, priority, json.loads(body)) for kind, priority, body in found]


def test_two_flushes_at_once_record_an_event_once() -> None:
    """The timer and the conversation may both be recording when an alarm comes."""

    async def story() -> None:
        rig = rigged(quick())
        rig.events(250)
        recorder = rig.part._recorder
        assert await asyncio.gather(recorder.flush(), recorder.flush()) == [True, True]
        assert rig.outbox.stats.rows == 250
        rig.db.close()

    asyncio.run(story())


def test_alarms_outlive_a_refusing_store_in_order_and_within_bounds() -> None:
    """Kept in memory up to a bound, the newest; put in order once the store takes them again."""

    async def story() -> None:
        rig = rigged(quick())
        recorder = rig.part._recorder
        rig.db.broken = StoreError("store.full", "disk full")
        rig.events(MAX_PENDING + 5)
        assert not await recorder.flush()
        rig.db.broken = None
        assert await recorder.flush()
        codes = [body["code"] for _, _, body in bodies(rig)]
        assert codes == [f"test.n{number}" for number in range(5, MAX_PENDING + 5)]
        rig.db.close()

    asyncio.run(story())


def test_a_report_the_store_refused_is_made_again() -> None:
    """The baseline moves only with what was recorded."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        rig.db.broken = StoreError("store.full", "disk full")
        clock.advance(60)
        await rig.timers.fire()
        rig.db.broken = None
        await rig.timers.fire()
        kinds = [kind for kind, _, _ in bodies(rig)]
        assert kinds == ["info", "backlog", "health"]
        rig.db.close()

    asyncio.run(story())


def test_an_unreadable_backlog_does_not_silence_the_rest() -> None:
    """A store that cannot count now costs the backlog message only."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)

        async def unreadable() -> Backlog:
            raise StoreError("store.unavailable", "not now")

        recorder = rig.part._recorder
        object.__setattr__(recorder._sources, "backlog", unreadable)
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        clock.advance(60)
        await rig.timers.fire()
        assert [kind for kind, _, _ in bodies(rig)] == ["info", "health"]
        rig.db.close()

    asyncio.run(story())


def test_an_edge_of_the_backlog_goes_first_and_replaces_the_repeats() -> None:
    """What is stuck now is more urgent than what was repeated during the outage."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(backlog_period_s=60), clock=clock)
        await rig.timers.fire()

        def stuck(count: int) -> Backlog:
            return Backlog(
                total=Amounts(count=count, by_currency={"CNY": count}),
                by_state={},
                in_doubt=Amounts(),
                held=Amounts(),
                quarantined=Amounts(),
                oldest_at=clock.now().at - timedelta(seconds=600),
                by_cause={},
            )

        for count in (4, 5, 6, 7, 20):
            rig.backlog = stuck(count)
            clock.advance(60)
            await rig.timers.fire()
        told = [(prio, body["count"]) for kind, prio, body in bodies(rig) if kind == "backlog"]
        assert told == [(0, 0), (0, 4), (0, 20)]
        rig.db.close()

    asyncio.run(story())


def test_after_a_loss_the_next_report_is_full() -> None:
    """Thinned deltas leave a reader with old values: a full report makes them true again."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        clock.advance(60)
        await rig.timers.fire()
        clock.advance(60)
        await rig.timers.fire()
        assert [kind for kind, _, _ in bodies(rig)].count("health") == 1
        await rig.outbox.refuse([3])
        clock.advance(60)
        await rig.timers.fire()
        *_, (kind, _, body) = bodies(rig)
        assert (kind, body["full"]) == ("health", True)
        rig.db.close()

    asyncio.run(story())


def test_an_alarm_list_that_changed_is_news_without_any_reading() -> None:
    """Deltas name the alarms only when the list is another one."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        clock.advance(60)
        await rig.timers.fire()
        rig.health.sinks.append(lambda changes: rig.health.open.append(changes[0].alarm))
        rig.health.change(clock, "printer.paper_out")
        clock.advance(60)
        await rig.timers.fire()
        *_, (kind, _, body) = bodies(rig)
        assert kind == "health"
        assert body == {"ts": clock.wall_ms, "full": False, "alarms": ["printer.paper_out"]}
        rig.db.close()

    asyncio.run(story())


def test_a_report_too_large_for_a_packet_is_split() -> None:
    """No message is larger than 16 KiB; together they say the same."""
    fields: dict[str, Value] = {f"software_package_{n}_version": "1.2.3-4" for n in range(1_500)}
    parts = split(FakeClock().now(), full=True, alarms=("a.b",), fields=fields)
    assert all(len(mqtt.encode(part)) <= mqtt.MAX_BYTES for part in parts)
    assert [part.full for part in parts] == [True] + [False] * (len(parts) - 1)
    together: dict[str, Value] = {}
    for part in parts:
        together |= part.fields
    assert together == fields
    assert parts[0].alarms == ("a.b",)


def test_that_somebody_took_note_of_an_alarm_is_told_and_never_who() -> None:
    """With the next report: the codes, when they change, and in a full one if there are any."""

    async def story() -> None:
        clock = FakeClock()
        rig = rigged(quick(), clock=clock)
        rig.health.sinks.append(lambda changes: rig.health.open.append(changes[0].alarm))
        rig.health.says("printer", paper="out")
        rig.health.change(clock, "printer.paper_out")
        for _ in range(2):
            await rig.timers.fire()
            clock.advance(60)
        rig.health.open[0] = replace(rig.health.open[0], acknowledged_by="uid:1000")
        await rig.timers.fire()
        clock.advance(60)
        await rig.timers.fire()
        rig.health.open.clear()
        clock.advance(60)
        await rig.timers.fire()
        told = [body for kind, _, body in bodies(rig) if kind == "health"]
        assert [body.get("acknowledged") for body in told] == [None, ["printer.paper_out"], []]
        assert [body.get("alarms") for body in told] == [["printer.paper_out"], None, []]
        assert "1000" not in json.dumps(told)
        rig.db.close()

    asyncio.run(story())
