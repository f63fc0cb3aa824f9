"""ModemManager over a real bus: asked one thing a round, and nothing of what identifies anybody."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.watch.quality.facts import NotReadable, RadioFacts, Registration, SimState
from tests.fakes import FakeClock

pytest.importorskip("jeepney", reason="jeepney is not installed (the extra `modem`)")
if shutil.which("dbus-daemon") is None:
    pytest.skip("dbus-daemon is not installed (Debian: dbus)", allow_module_level=True)

from agent.watch.quality import bus
from agent.watch.quality.bus import BusSource
from tests.watch.quality.fake_modemmanager import (
    IMEI,
    IMSI,
    NUMBER,
    PATH,
    FakeModemManager,
    bus_at,
    modem,
)

T = TypeVar("T")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the path of a socket."""
    path = Path(tempfile.mkdtemp(prefix="pa-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


def on_a_bus(folder: Path, work: Callable[[BusSource, FakeModemManager, str], Awaitable[T]]) -> T:
    async def run() -> T:
        async with bus_at(folder) as address:
            source = BusSource(FakeClock(), address=address)
            try:
                return await work(source, FakeModemManager(), address)
            finally:
                await source.close()

    return asyncio.run(run())


def facts(told: object) -> RadioFacts:
    assert isinstance(told, list)
    found = [one for one in told if isinstance(one, RadioFacts)]
    assert len(found) == 1, told
    return found[0]


def test_a_modem_by_its_service(folder: Path) -> None:
    """The first round has it measure, the second has its figures; at the end it measures no more.

    Numbers of modem, SIM and line are in what the bus says and in nothing handed on.
    """

    async def work(source: BusSource, service: FakeModemManager, address: str) -> Any:
        async with service.at(address):
            first, second = await source.read(), await source.read()
            await source.close()
            return first, second, service.called

    first, second, called = on_a_bus(folder, work)
    assert (facts(first).quality_percent, facts(first).rsrp_dbm) == (71, None)
    told = facts(second)
    assert (told.rsrp_dbm, told.rsrq_db, told.sinr_db) == (-96, -11, 8.4)
    assert (told.sim_state, told.registration) == (SimState.READY, Registration.HOME)
    assert (told.operator, told.technology, told.interface) == ("46001", "lte", "wwan0")
    assert [one for one in called if one[0] == "Setup"] == [("Setup", (60,)), ("Setup", (0,))]
    for number in (IMEI, IMSI, NUMBER):
        assert number not in repr((first, second))


def test_what_modemmanager_may_not_be_asked(folder: Path) -> None:
    """Without the right to have it measure, its percent is left and the right is named, once."""

    async def work(source: BusSource, service: FakeModemManager, address: str) -> Any:
        service.refuse = {"Setup": "org.freedesktop.ModemManager1.Error.Core.Unauthorized"}
        async with service.at(address):
            return await source.read(), await source.read(), service.called

    first, second, called = on_a_bus(folder, work)
    assert facts(first).quality_percent == facts(second).quality_percent == 71
    (doubt,) = [one for one in second if isinstance(one, NotReadable)]
    assert "ModemManager1.Device.Control" in doubt.reason
    assert [name for name, _ in called].count("Setup") == 1


def test_no_service_is_no_modem(folder: Path) -> None:
    """ModemManager that does not run is not started, and is nobody's fault."""

    async def work(source: BusSource, _: FakeModemManager, __: str) -> Any:
        return await source.read()

    assert on_a_bus(folder, work) == []


def test_the_service_comes_and_goes(folder: Path) -> None:
    """A modem manager that is restarted is found again on the same connection."""

    async def work(source: BusSource, service: FakeModemManager, address: str) -> Any:
        async with service.at(address):
            before = await source.read()
        between = await source.read()
        service.objects = {PATH: modem(State=("i", -1), StateFailedReason=("u", 2))}
        async with service.at(address):
            return before, between, await source.read()

    before, between, after = on_a_bus(folder, work)
    assert facts(before).sim_state is SimState.READY
    assert between == []
    assert facts(after).sim_state is SimState.ABSENT


def test_a_service_that_hangs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer within the time is said, and the next round starts on a fresh connection."""
    monkeypatch.setattr(bus, "DEADLINE_S", 0.2)

    async def work(source: BusSource, service: FakeModemManager, address: str) -> Any:
        service.silent = True
        async with service.at(address):
            silent = await source.read()
            service.silent = False
            monkeypatch.setattr(bus, "DEADLINE_S", 30.0)
            return silent, await source.read()

    silent, again = on_a_bus(folder, work)
    assert [one.reason for one in silent] == ["ModemManager does not answer"]
    assert facts(again).sim_state is SimState.READY


def test_what_is_no_bus(folder: Path) -> None:
    """A missing socket, and one behind which something else speaks: said, never raised."""

    async def work() -> list[Any]:
        missing = BusSource(FakeClock(), address=f"unix:path={folder}/nothing")
        strange = BusSource(FakeClock(), address="tcp:host=localhost")

        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 mail.example ESMTP\r\n")
            writer.close()

        path = folder / "smtp"
        async with await asyncio.start_unix_server(babble, path):
            return [await one.read() for one in (
                missing, strange, BusSource(FakeClock(), address=f"unix:path={path}")
            )]  # fmt: skip

    for (one,) in asyncio.run(work()):
        assert isinstance(one, NotReadable)
        assert one.reason.startswith("D-Bus cannot be used: ")
