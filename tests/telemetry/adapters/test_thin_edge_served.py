"""thin-edge.io's adapter through the daemon's part `telemetry`, a real broker, and its rules."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.money.journal import Amounts
from agent.telemetry.adapters.thin_edge import ThinEdge
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
from tests.telemetry.adapters.thin_edge_rules import ThinEdgeRules
from tests.telemetry.rig import EMPTY, StateDb, running

pytestmark = pytest.mark.broker

SERVICE = "te/device/main/service/posagent"
COMMAND = f"{SERVICE}/cmd/pos_command/"


class Mapper:
    """What a mapper publishes, so that it is not taken for the service's."""

    def __init__(self) -> None:
        self.said: set[tuple[str, bytes]] = set()

    def begin(self, server: Server, rules: ThinEdgeRules, name: str, **fields: object) -> None:
        rules.begun(name, dict(fields))
        server.say(COMMAND + name, dict(fields), retained=True)


@contextlib.asynccontextmanager
async def served(broker: Broker) -> AsyncIterator[tuple[Server, ThinEdgeRules]]:
    rules = ThinEdgeRules()
    async with Server(broker.port, rules, lambda topic: topic.endswith("/check")) as server:
        yield server, rules


def readings(rules: ThinEdgeRules) -> dict[str | None, int]:
    """The battery by the time it was read."""
    told = [each for each in rules.measurements if "health" in each[2]]
    return {at: values["health"]["battery_percent"] for _, at, values in told}


def scheme() -> ThinEdge:
    return ThinEdge(listening=True)


def test_the_service_its_readings_alarms_and_money() -> None:
    """Registered first, up, measured, alarmed, cleared, down; no rule is broken."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            rig = made.rig
            async with running(rig):
                await server.until(lambda: rules.health == ["up"], "up")
                rig.health.says("printer", paper="ok", retries=3)
                await reported(made, lambda: rules.twin.get("pos_readings"))
                assert rules.twin["pos_readings"]["printer_paper"] == "ok"
                assert rules.twin["pos_terminal"]["site"] == "0042"
                await server.until(lambda: rules.measurements, "a measurement")
                rig.health.change(rig.clock, "printer.paper_out")
                await server.until(lambda: "printer.paper_out" in rules.alarms, "an alarm")
                rig.health.change(rig.clock, "printer.paper_out", rows.CLEARED)
                await server.until(lambda: not rules.alarms, "its end")
                held = Amounts(count=2, by_currency={"CNY": 5_000})
                rig.backlog = replace(EMPTY, total=held, held=held)
                await reported(made, lambda: rules.twin.get("pos_backlog", {}).get("count") == 2)
                assert rules.twin["pos_backlog"]["held_amount_minor_cny"] == 5_000
                await rig.until(lambda: rig.outbox.drained)
            await server.until(lambda: rules.health[-1] == "down", "down")
            assert rules.complaints == []

    asyncio.run(story())


def test_the_broker_says_down_for_a_killed_agent() -> None:
    """The Will; and what was retained is there for a mapper that comes later."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            async with crashing(made):
                await server.until(lambda: rules.health == ["up"], "up")
                made.rig.health.change(made.rig.clock, "printer.paper_out")
                await server.until(lambda: rules.alarms, "an alarm")
            await server.until(lambda: rules.health == ["up", "down"], "the Will")
            made.rig.db.close()
            late = ThinEdgeRules()
            async with Server(broker.port, late, lambda _: False):
                await server.until(lambda: late.alarms and late.health == ["down"], "retained")
                await server.until(lambda: late.registered, "retained registration")
            assert rules.complaints == []

    asyncio.run(story())


def test_a_command_runs_through_its_states() -> None:
    """Retained init -> executing -> successful, and the mapper's own fields stay."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            rig, inbox = made.rig, made.inbox
            async with running(rig):
                await server.until(lambda: rules.health == ["up"], "up")
                Mapper().begin(
                    server, rules, "c8y-1", status="init", envelope=signed("c-1"), origin="c8y"
                )
                await server.until(lambda: inbox.commands, "the command")
                ((cmd_id, payload, retained),) = inbox.commands
                assert (cmd_id, json.loads(payload), retained) == ("c-1", signed("c-1"), False)
                assert await rig.part.tell(rows.res("c-1", "accepted"))
                assert await rig.part.tell(rows.res("c-1", "ok", result=b'{"printer":"ok"}'))
                await server.until(
                    lambda: rules.commands["c8y-1"].get("status") == "successful", "the end"
                )
                assert rules.commands["c8y-1"]["origin"] == "c8y"
                await rig.until(lambda: rig.outbox.drained)
                assert len(inbox.commands) == 1, "our own states are no commands"
            assert rules.complaints == []

    asyncio.run(story())


def test_a_command_waits_retained_and_outlives_the_process(tmp_path: Path) -> None:
    """Left in `executing` by a killed agent, handed on again by the next, and ended."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            Mapper().begin(server, rules, "c8y-1", status="init", envelope=signed("c-1"))
            first = terminal(prompt([broker.url]), scheme(), StateDb(tmp_path / "state.db"))
            async with crashing(first):
                await server.until(lambda: first.inbox.commands, "the waiting command")
                assert first.inbox.commands[0][2] is False, "retained is the protocol's own way"
                assert await first.rig.part.tell(rows.res("c-1", "running"))
                await server.until(
                    lambda: rules.commands["c8y-1"].get("status") == "executing", "executing"
                )
            first.rig.db.close()
            second = terminal(prompt([broker.url]), scheme(), StateDb(tmp_path / "state.db"))
            async with running(second.rig):
                await server.until(lambda: second.inbox.commands, "the command again")
                assert second.inbox.commands[0][0] == "c-1"
                assert await second.rig.part.tell(rows.res("c-1", "ok"))
                await server.until(
                    lambda: rules.commands["c8y-1"].get("status") == "successful", "the end"
                )
            assert rules.complaints == []

    asyncio.run(story())


def test_health_is_told_again_when_somebody_asks() -> None:
    """`cmd/health/check`, of the service and of the whole device."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            async with running(made.rig):
                await server.until(lambda: rules.health == ["up"], "up")
                server.say(f"{SERVICE}/cmd/health/check", b"")
                await server.until(lambda: rules.health == ["up", "up"], "asked once")
                server.say("te/device/main///cmd/health/check", {})
                await server.until(lambda: rules.health == ["up"] * 3, "asked twice")
            assert rules.complaints == []

    asyncio.run(story())


def test_an_outage_keeps_readings_and_alarms() -> None:
    """Measurements with their own times; the last state of every alarm."""

    async def story() -> None:
        async with Broker() as broker, served(broker) as (server, rules):
            made = terminal(prompt([broker.url]), scheme())
            rig = made.rig
            async with running(rig):
                await server.until(lambda: rules.health == ["up"], "up")
                await broker.kill()
                await rig.until(lambda: not rig.part.view().connected)
                rig.health.change(rig.clock, "printer.paper_out")
                rig.health.change(rig.clock, "printer.paper_out", rows.CLEARED)
                rig.health.change(rig.clock, "link.down")
                await lived_through(made, 3)
                await server.until(lambda: not server.subscribed, "the server's own loss")
                await server_first(broker, server, made)
                await server.until(lambda: len(rules.alarm_history) == 3, "all alarms")
                assert set(rules.alarms) == {"link.down"}
                await rig.until(lambda: rig.outbox.drained)
                await server.until(lambda: len(readings(rules)) == 3, "all readings")
                assert list(readings(rules).values()) == [95, 80, 65], "at its own time"
            assert rules.complaints == []

    asyncio.run(story())
