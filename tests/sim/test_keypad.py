"""The simulated keypad: what a driver would see of each fault, and the orders it takes."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from pathlib import Path

import pytest

from agent.sim import orders, uinput
from agent.sim.keypad import KEYS, SimulatedKeypad, obey, serve

EVENTS = {24: struct.Struct("=QQHHi"), 16: struct.Struct("=LLHHi")}


class Host:
    """Somebody who has the device open."""

    def __init__(self, path: Path, size: int = 24) -> None:
        self._layout = EVENTS[size]
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._socket.setblocking(False)
        self._some = b""

    async def events(self, least: int) -> list[tuple[int, int, int]]:
        """Type, code and value of what arrives, at least so many."""
        size = self._layout.size
        async with asyncio.timeout(10):
            while len(self._some) < least * size:
                self._some += await asyncio.get_running_loop().sock_recv(self._socket, 4096)
        whole = len(self._some) - len(self._some) % size
        some, self._some = self._some[:whole], self._some[whole:]
        return [one[2:] for one in self._layout.iter_unpack(some)]

    async def ended(self) -> bool:
        async with asyncio.timeout(10):
            while await asyncio.get_running_loop().sock_recv(self._socket, 4096):
                pass
        return True

    def close(self) -> None:
        self._socket.close()


def keys_of(events: list[tuple[int, int, int]]) -> list[tuple[int, int]]:
    return [(code, value) for kind, code, value in events if kind == 1]


@pytest.mark.parametrize("size", [24, 16])
def test_a_press_is_what_a_usb_keyboard_sends(tmp_path: Path, size: int) -> None:
    """Scan code, key and report, twice; in either layout; to everybody who has it open."""

    async def run() -> None:
        async with SimulatedKeypad(tmp_path / "kp", event_bytes=size) as keypad:
            hosts = [Host(keypad.line.path, size) for _ in range(2)]  # type: ignore[union-attr]
            await asyncio.sleep(0.05)
            keypad.tap("5")
            for host in hosts:
                scan = 0x70000 + 6
                assert await host.events(6) == [
                    (4, 4, scan), (1, 6, 1), (0, 0, 0), (4, 4, scan), (1, 6, 0), (0, 0, 0),
                ]  # fmt: skip
                host.close()

    asyncio.run(run())


def test_faults(tmp_path: Path) -> None:
    """Stuck repeats and stays, chatter presses twice, a dead key sends nothing, a drop says so."""

    async def run() -> None:
        async with SimulatedKeypad(tmp_path / "kp") as keypad:
            host = Host(tmp_path / "kp")
            await asyncio.sleep(0.05)
            keypad.stick("7")
            keypad.release("7")
            assert keys_of(await host.events(3 + 4))[:3] == [(8, 1), (8, 2), (8, 2)]
            keypad.free()
            assert keys_of(await host.events(3))[-1] == (8, 0)
            keypad.chatter = True
            keypad.tap("1")
            assert keys_of(await host.events(12)) == [(2, 1), (2, 0), (2, 1), (2, 0)]
            keypad.chatter = False
            keypad.dead.add("2")
            keypad.tap("2", "3")
            assert keys_of(await host.events(6)) == [(4, 1), (4, 0)]
            keypad.drop()
            assert await host.events(3) == [(0, 3, 0), (1, 6, 0), (0, 0, 0)]
            keypad.unplug()
            assert await host.ended()
            assert not (tmp_path / "kp").exists()
            await keypad.reset()
            assert keypad.line.plugged
            host.close()

    asyncio.run(run())


def test_somebody_who_does_not_read_is_told_that_events_were_lost(tmp_path: Path) -> None:
    """As the kernel does: the rest is thrown away, and the next thing he reads says so."""

    async def run() -> None:
        async with SimulatedKeypad(tmp_path / "kp") as keypad:
            host = Host(tmp_path / "kp")
            await asyncio.sleep(0.05)
            for _ in range(6_000):
                keypad.tap("1")
            events = await host.events(300)
            async with asyncio.timeout(10):
                while (0, 3, 0) not in events:
                    keypad.tap("1")
                    await asyncio.sleep(0)
                    events = await host.events(1)
            host.close()

    asyncio.run(run())


def test_orders(tmp_path: Path) -> None:
    """Each word of the control language does what it says; anything else names them all."""

    async def run() -> None:
        keypad = SimulatedKeypad(tmp_path / "kp")
        stop = asyncio.Event()
        task = asyncio.create_task(serve(keypad, tmp_path / "ctl", stop))
        while not (tmp_path / "ctl").exists() or not keypad.line.plugged:
            await asyncio.sleep(0.01)

        async def told(order: str) -> str:
            return await orders.give(tmp_path / "ctl", order)

        for order in ("stick 7", "dead 4 5", "chatter on", "repeat off", "tap 1 2", "drop"):
            assert await told(order) == "ok"
        assert json.loads(await told("status")) == {
            "plugged": True, "chatter": True, "stuck": ["7"], "dead": ["4", "5"],
        }  # fmt: skip
        for order in ("alive 4", "press up", "release up", "free", "garbage", "cable out"):
            assert await told(order) == "ok"
        assert json.loads(await told("status"))["plugged"] is False
        assert await told("cable in") == "ok"
        assert await told("reset") == "ok"
        assert json.loads(await told("status")) == {
            "plugged": True, "chatter": False, "stuck": [], "dead": [],
        }  # fmt: skip
        for order in ("stick", "stick 77", "cable", "", "press 1 x"):
            said = await told(order)
            if order == "stick":  # no key named: nothing to do
                assert said == "ok"
            else:
                assert said.startswith("error"), order
                assert "cable in|out" in said
        assert (await told("help")).startswith("ok press|release")
        with pytest.raises(OSError, match="already listens"):
            await serve(SimulatedKeypad(tmp_path / "other"), tmp_path / "ctl", stop)
        stop.set()
        await task
        assert list(tmp_path.iterdir()) == []

    asyncio.run(run())


def test_uinput_speaks_to_the_kernel_in_its_sizes() -> None:
    """Request numbers and the set-up record as include/uapi/linux/uinput.h makes them."""
    assert uinput._SETUP.size == 92
    assert uinput._UI_DEV_SETUP == 0x405C5503
    assert uinput._UI_SET_KEYBIT == 0x40045565
    assert uinput._UI_GET_SYSNAME == 0x8040552C


@pytest.mark.skipif(not uinput.UINPUT.exists(), reason="no /dev/uinput: the kernel was not tried")
def test_uinput_makes_a_device(tmp_path: Path) -> None:
    """Where the kernel has it: a node appears behind the link and goes away with the plug."""

    async def run() -> None:
        line = uinput.UinputLine(tmp_path / "kp", list(KEYS.values()))
        async with SimulatedKeypad(line) as keypad:
            assert (tmp_path / "kp").resolve().name.startswith("event")
            keypad.tap("5")
        assert not (tmp_path / "kp").is_symlink()

    asyncio.run(run())


def test_without_uinput_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No such kernel driver: an OSError that names the file, and nothing left behind."""
    monkeypatch.setattr(uinput, "UINPUT", tmp_path / "uinput")

    async def run() -> None:
        line = uinput.UinputLine(tmp_path / "kp", [2])
        with pytest.raises(FileNotFoundError, match="uinput"):
            await line.plug()
        assert not line.plugged
        line.send(b"")
        line.unplug()

    asyncio.run(run())


def test_an_order_that_means_nothing_changes_nothing(tmp_path: Path) -> None:
    """Not even part of it is carried out."""

    async def run() -> None:
        async with SimulatedKeypad(tmp_path / "kp") as keypad:
            assert (await obey(keypad, "dead 4 nonsense")).startswith("error")
            assert keypad.dead == set()

    asyncio.run(run())
