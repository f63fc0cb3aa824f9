"""Telemetry over channels: opened where money is, moved with it, silent where bytes are dear."""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import replace

from agent.link.contact import Contact
from agent.link.dial import DialError
from tests.fakes import FakeClock
from tests.telemetry.rig import Rig, quick, rigged, running
from tests.telemetry.strict_broker import StrictBroker


class Reaching:
    """Opens connections as the channel in use would."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.fault: DialError | None = None
        self.opened = 0

    async def __call__(
        self, host: str, port: int, timeout_s: float
    ) -> tuple[socket.socket, str, str]:
        assert (host, port) == ("broker.test", 1883)
        if self.fault is not None:
            raise self.fault
        sock = socket.socket()
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        self.opened += 1
        return sock, "spare", "wwan0"


def test_the_broker_is_reached_over_the_channel_and_again_over_the_next() -> None:
    """The connection is opened by who knows the channel; a switch drops it and opens another."""
    heard: list[Contact] = []

    async def story() -> None:
        broker = StrictBroker()
        await broker.start()
        try:
            rig = rigged(quick(["mqtt://broker.test:1883"]))
            reach = Reaching(broker.port)
            reach.fault = DialError("dns", "nobody knows it", "network.dns_failed")
            rig.part._line = replace(rig.part._line, reach=reach, told=heard.append)
            rig.events(2)
            async with running(rig):
                await rig.until(lambda: rig.part.view().last_error == "broker.dns")
                reach.fault = DialError("tcp", "no answer")
                await rig.until(lambda: rig.part.view().last_error == "broker.unreachable")
                reach.fault = None
                await rig.until(lambda: rig.outbox.drained)
                first = reach.opened
                rig.part.moved()
                await rig.until(lambda: reach.opened > first and rig.part.view().connected)
                rig.events(1)
                await rig.until(lambda: rig.outbox.drained)
        finally:
            await broker.stop()

    asyncio.run(story())
    held = [one for one in heard if one.held]
    assert len(held) >= 2
    assert {(one.purpose, one.channel, one.interface) for one in held} == {
        ("mqtt", "spare", "wwan0")
    }
    assert len(held) == len(heard), "what fails is told by who dials"


def test_what_becomes_of_attempts_is_told_where_the_system_chooses() -> None:
    """Without channels too: a refused connection and one that holds."""
    heard: list[Contact] = []

    async def story() -> None:
        broker = StrictBroker()
        await broker.start()
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            closed = f"mqtt://127.0.0.1:{nobody.getsockname()[1]}"
            try:
                rig = rigged(quick([closed, f"mqtt://127.0.0.1:{broker.port}"]))
                rig.part._line = replace(rig.part._line, told=heard.append)
                async with running(rig):
                    await rig.until(lambda: len(heard) > 1)
            finally:
                await broker.stop()

    asyncio.run(story())
    assert [one.layer for one in heard[:2]] == ["tcp", ""]
    assert heard[0].reason


def kinds(rig: Rig) -> list[str]:
    found = rig.db.connection.execute("SELECT kind, body FROM outbox ORDER BY seq")
    return [kind for kind, body in found if json.loads(body)]


def test_readings_wait_on_a_metered_backup_and_alarms_do_not() -> None:
    """Nothing periodic is recorded there; alarms are; what waited follows on the main."""

    async def story() -> None:
        clock, dear = FakeClock(), [True]
        rig = rigged(quick(), clock=clock, thrifty=lambda: dear[0])
        rig.health.says("printer", paper="ok")
        await rig.timers.fire()
        before = kinds(rig)
        for _ in range(5):
            clock.advance(120)
            await rig.timers.fire()
        assert kinds(rig) == before
        rig.health.change(clock, "printer.paper_out")
        await rig.timers.fire()
        assert kinds(rig) == [*before, "event"]
        dear[0] = False
        rig.part.moved()
        await rig.timers.fire()
        assert kinds(rig) == [*before, "event", "health"]
        rig.db.close()

    asyncio.run(story())
