"""ThingsBoard's adapter through the daemon's part `telemetry`, a real broker, and its rules."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.money.journal import Amounts
from agent.telemetry.adapters.thingsboard import ThingsBoard
from tests.telemetry.adapters import rows
from tests.telemetry.adapters.served import (
    Broker,
    Server,
    crashing,
    lived_through,
    prompt,
    reported,
    server_first,
    terminal,
)
from tests.telemetry.adapters.signing import signed
from tests.telemetry.adapters.thingsboard_rules import QUEUE, SPELLINGS, ThingsBoardRules
from tests.telemetry.rig import EMPTY, StateDb, quick, running
from tests.telemetry.strict_broker import StrictBroker

V2 = SPELLINGS["v2"]


def of_the_server(topic: str) -> bool:
    return topic.startswith((V2["call"], V2["told"]))


@contextlib.asynccontextmanager
async def served(broker: Broker) -> AsyncIterator[tuple[Server, ThingsBoardRules]]:
    rules = ThingsBoardRules()
    async with Server(broker.port, rules, of_the_server) as server:
        yield server, rules


def scheme() -> ThingsBoard:
    return ThingsBoard(listening=True)


@pytest.mark.broker
def test_health_alarm_and_backlog_reach_the_dashboard() -> None:
    """Attributes, readings, an alarm set and cleared, the money that waits; no rule is broken.

    In 3.1.1, as older servers speak it; the other tests speak 5.
    """

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url], protocol="3.1.1"), scheme())
            rig = made.rig
            async with running(rig):
                await server.until(lambda: rules.attributes.get("connects") == 1, "online")
                rig.health.says("printer", paper="ok", cover_open=False)
                await reported(made, lambda: rules.latest("printer_paper") == "ok")
                rig.health.change(rig.clock, "printer.paper_out")
                await server.until(lambda: rules.alarms, "an alarm")
                assert rules.alarms == {"printer.paper_out": "MAJOR"}
                rig.health.change(rig.clock, "printer.paper_out", rows.CLEARED)
                await server.until(lambda: not rules.alarms, "its end")
                held = Amounts(count=2, by_currency={"CNY": 5_000})
                rig.backlog = replace(EMPTY, total=held, held=held)
                await reported(made, lambda: rules.latest("backlog_held_amount_minor_cny"))
                rig.backlog = EMPTY
                await reported(made, lambda: rules.latest("backlog_amount_minor_cny") == 0)
                await rig.until(lambda: rig.outbox.drained)
                assert rules.attributes["site"] == ["0042"]
            await server.until(lambda: rules.attributes["ended_in_order"], "the goodbye")
            assert rules.complaints == []

    asyncio.run(story())


@pytest.mark.broker
def test_a_call_is_handed_on_and_answered_over_a_reconnect() -> None:
    """The answer finds its call although the connection broke in between."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            rig, inbox = made.rig, made.inbox
            async with running(rig):
                await server.until(lambda: rules.asked, "the question for the wish")
                rules.open_calls.add(12)
                call = {"method": "posagent", "params": signed("c-1")}
                server.say(V2["call"] + "12", call)
                await server.until(lambda: inbox.commands, "the command")
                ((cmd_id, payload, retained),) = inbox.commands
                assert (cmd_id, json.loads(payload), retained) == ("c-1", signed("c-1"), False)
                assert await rig.part.tell(rows.res("c-1", "accepted"))
                await server.until(lambda: rules.latest("cmd_status") == "accepted", "progress")
                conversation = rig.part._conversation
                assert conversation is not None
                connection = conversation._wire.connection
                assert connection is not None
                connection.disconnect()
                await rig.until(lambda: rig.counters.connects == 2)
                assert await rig.part.tell(rows.res("c-1", "ok", result=b'{"printer":"ok"}'))
                await server.until(lambda: rules.answers, "the answer")
                assert rules.answers[12][0]["result"] == {"printer": "ok"}
                await rig.until(lambda: rig.outbox.drained)
            assert rules.complaints == []

    asyncio.run(story())


@pytest.mark.broker
def test_the_wish_is_fetched_after_every_connack() -> None:
    """A terminal that was away when the attribute changed asks for it."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            wish = {"desired": 1, "payload": "e30="}

            def answered(topic: str, _payload: bytes) -> None:
                if topic.startswith(V2["ask"]):
                    server.say(V2["told"] + "1", {"shared": {"posagent_desired": wish}})

            server.on_taken = answered
            made = terminal(prompt([broker.url]), scheme())
            async with running(made.rig):
                await server.until(lambda: made.inbox.wishes, "the wish")
                assert json.loads(made.inbox.wishes[0]) == wish
                server.say(V2["attributes"], {"posagent_desired": json.dumps(wish)})
                await server.until(lambda: len(made.inbox.wishes) == 2, "the pushed wish")
            assert rules.complaints == []

    asyncio.run(story())


@pytest.mark.broker
def test_an_outage_leaves_an_array_and_loses_no_alarm() -> None:
    """Broker away: alarms in order, old readings as one array with their own times."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            rig = made.rig
            async with running(rig):
                await server.until(lambda: rules.attributes.get("connects") == 1, "online")
                await broker.kill()
                await rig.until(lambda: not rig.part.view().connected)
                for number in range(3):
                    rig.health.change(rig.clock, f"test.n{number}")
                await lived_through(made, 3)
                await server.until(lambda: not server.subscribed, "the server's own loss")
                await server_first(broker, server, made)
                await server.until(lambda: len(rules.alarm_history) == 3, "all alarms")
                assert rules.alarm_history == [(f"test.n{number}", True) for number in range(3)]
                await server.until(lambda: rules.arrays, "the array")
                told = rules.series["battery_percent"]
                assert [value for _, value in told] == [95, 80, 65]
                assert len({at for at, _ in told}) == 3, "each with its own time"
                await rig.until(lambda: rig.outbox.drained)
            assert rules.complaints == []

    asyncio.run(story())


@pytest.mark.broker
def test_a_new_process_tells_the_result_as_telemetry(tmp_path: Path) -> None:
    """The call's number died with the old one; the result is on disk and is told."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            first = terminal(prompt([broker.url]), scheme(), StateDb(tmp_path / "state.db"))
            async with crashing(first):
                await server.until(lambda: rules.asked, "online")
                rules.open_calls.add(12)
                server.say(V2["call"] + "12", {"method": "x", "params": signed("c-1")})
                await server.until(lambda: first.inbox.commands, "the command")
                await broker.kill()
                await first.rig.until(lambda: not first.rig.part.view().connected)
                assert await first.rig.part.tell(rows.res("c-1", "ok"))
            first.rig.db.close()
            await server.until(lambda: not server.subscribed, "the server's own loss")
            await broker.start()
            await server.until(lambda: server.subscribed, "the server again")
            second = terminal(prompt([broker.url]), scheme(), StateDb(tmp_path / "state.db"))
            async with running(second.rig):
                await server.until(lambda: rules.latest("cmd_status") == "ok", "the result")
                assert rules.answers == {}
            assert rules.complaints == []

    asyncio.run(story())


def test_the_servers_queue_is_never_filled() -> None:
    """However slowly it works, far fewer than a hundred messages wait there; none is lost."""

    async def story() -> None:
        server = StrictBroker(receive_maximum=QUEUE, hold_pubacks=True)
        await server.start()
        made = terminal(quick([f"mqtt://127.0.0.1:{server.port}"], window=20), ThingsBoard())
        rig = made.rig
        try:
            rig.events(300)
            async with running(rig):
                await server.until(lambda: len(server.received) >= 20)
                await server.until(lambda: server.most_unacknowledged == 20)
                assert server.violations == 0
                server.hang_up()
                server.hold_pubacks = False
                await rig.until(lambda: rig.outbox.drained)
            codes = {body["values"]["alarm_code"] for topic, body in server.received
                     if topic == V2["telemetry"]}  # fmt: skip
            assert len(codes) == 300
            assert server.most_unacknowledged <= 20
        finally:
            await server.stop()

    asyncio.run(story())
