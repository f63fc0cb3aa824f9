"""Who we are, and that we are there."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

from agent.core.fleet.budget import Step
from agent.core.fleet.messages import Priority
from tests.fakes import FakeClock
from tests.telemetry.rig import Rig, quick, rigged


def bodies(rig: Rig, kind: str) -> list[dict[str, Any]]:
    found = rig.db.connection.execute(
        "SELECT body FROM outbox WHERE kind = ? ORDER BY seq", (kind,)
    )
    return [json.loads(body) for (body,) in found]


def settled(clock: FakeClock, *, thrifty: list[bool] | None = None) -> Rig:
    """A terminal that says it is connected; 15 minutes between reports."""
    ports = {} if thrifty is None else {"thrifty": lambda: thrifty[0]}
    rig = rigged(quick(health_period_s=900, backlog_period_s=900), clock=clock, **ports)
    connected(rig, True)
    return rig


def connected(rig: Rig, now: bool) -> None:
    object.__setattr__(rig.part._recorder._sources, "connected", lambda: now)


async def minutes(rig: Rig, clock: FakeClock, count: int) -> None:
    for _ in range(count):
        clock.advance(60)
        await rig.timers.fire()


def test_a_terminal_on_which_nothing_moves_is_never_silent_for_longer_than_it_says() -> None:
    """An empty delta a period after the last message of any kind, and no sooner."""

    async def story() -> None:
        clock = FakeClock()
        rig = settled(clock)
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        (info,) = bodies(rig, "info")
        assert info["heartbeat_s"] == 960
        await minutes(rig, clock, 1)
        assert [body["full"] for body in bodies(rig, "health")] == [True]
        told_ms = [clock.wall_ms]
        for _ in range(120):
            if len(told_ms) == 3:
                rig.health.change(clock, "printer.paper_out")  # any message is a sign
            before = rig.outbox.stats.rows
            await minutes(rig, clock, 1)
            if rig.outbox.stats.rows > before:
                told_ms.append(clock.wall_ms)
        gaps_s = [(b - a) / 1000 for a, b in pairwise(told_ms)]
        assert max(gaps_s) <= info["heartbeat_s"]
        assert gaps_s == [900, 900, 60, *[900] * 5]
        signs = bodies(rig, "health")[1:]
        assert {tuple(sign) for sign in signs} == {("ts", "full")}
        found = rig.db.connection.execute("SELECT priority FROM outbox WHERE kind = 'health'")
        assert [priority for (priority,) in found][1:] == [Priority.EVENT] * len(signs)
        rig.db.close()

    asyncio.run(story())


def test_where_something_moves_at_every_period_no_sign_is_added() -> None:
    """The day that costs most costs no more."""

    async def story() -> None:
        clock = FakeClock()
        rig = settled(clock)
        for quarter in range(8):
            rig.health.says("printer", head_c=20 + 9 * quarter)
            await minutes(rig, clock, 15)
        assert all("printer_head_c" in body for body in bodies(rig, "health"))
        rig.db.close()

    asyncio.run(story())


def test_without_a_connection_there_is_no_sign() -> None:
    """It would arrive when it is no longer true, and fill the outbox until then."""

    async def story() -> None:
        clock = FakeClock()
        rig = settled(clock)
        connected(rig, False)
        await minutes(rig, clock, 60)
        assert bodies(rig, "health") == []
        connected(rig, True)
        await minutes(rig, clock, 1)
        assert len(bodies(rig, "health")) == 1
        rig.db.close()

    asyncio.run(story())


def test_while_bytes_are_short_it_is_silent_for_longer_and_says_so_first() -> None:
    """A fourth of the signs, on a backup that is paid by volume and with a spent budget."""

    async def story() -> None:
        clock, thrifty = FakeClock(), [False]
        rig = settled(clock, thrifty=thrifty)
        await minutes(rig, clock, 1)
        thrifty[0] = True
        await minutes(rig, clock, 1)
        assert [body["heartbeat_s"] for body in bodies(rig, "info")] == [3_660]
        await minutes(rig, clock, 125)
        assert len(bodies(rig, "health")) == 2
        thrifty[0] = False
        for step in (Step.FEWER_READINGS, Step.ALARMS_AND_MONEY):
            account = rig.part._spending.account
            rig.part._spending._account = replace(account, step=step)
            assert rig.part._recorder._presence.heartbeat_s == 3_660
        rig.db.close()

    asyncio.run(story())


def test_a_broker_that_forgot_us_is_told_of_the_money_again() -> None:
    """What it kept is gone with the session: who we are, and what is unsent, though no news."""

    async def story() -> None:
        clock = FakeClock()
        rig = settled(clock)
        await minutes(rig, clock, 5)
        assert len(bodies(rig, "backlog")) == 1
        rig.part._recorder.introduce()
        await minutes(rig, clock, 5)
        assert [body["count"] for body in bodies(rig, "backlog")] == [0, 0]
        rig.part.introduce(rig.part.identity)  # our own news is no reason
        await minutes(rig, clock, 5)
        assert len(bodies(rig, "backlog")) == 2
        rig.db.close()

    asyncio.run(story())
