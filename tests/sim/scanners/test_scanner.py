"""The simulated scanners: their replies as the manuals print them, and every switch."""

from __future__ import annotations

import asyncio
import json
import os
import termios
import tty
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.sim.language import serve
from agent.sim.orders import give
from agent.sim.scanners.brains import VENDORS
from agent.sim.scanners.language import obey
from agent.sim.scanners.scanner import GARBAGE, SimulatedScanner

QUESTIONS = {
    "honeywell": b"\x16M\rREVINF.",
    "newland_v1": b"$$$$#99900301;%%%%",
    "newland_v2": b"~\x010000@QRYSYS;\x03",
    "ssi": bytes.fromhex("04a30400ff55"),
    "datalogic": b"ih",
}
CODE = b"280000000000000000"
vendors = pytest.mark.parametrize("vendor", VENDORS)


class Reader:
    """Somebody who has the scanner's port open."""

    def __init__(self, path: Path, speed: int = termios.B9600) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self.fd)
        attributes = termios.tcgetattr(self.fd)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(self.fd, termios.TCSANOW, attributes)

    async def read(self, wanted: int) -> bytes:
        """`wanted` bytes at least."""
        received = b""
        async with asyncio.timeout(20):
            while len(received) < wanted:
                try:
                    received += os.read(self.fd, 4096)
                except BlockingIOError:
                    await asyncio.sleep(0.005)  # a poll of a condition, not a pause for luck
        return received

    async def ask(self, question: bytes, wanted: int = 1) -> bytes:
        os.write(self.fd, question)
        return await self.read(wanted)


def with_scanner(
    tmp_path: Path, vendor: str, scenario: Callable[[SimulatedScanner, Reader], Awaitable[None]]
) -> None:
    async def run() -> None:
        async with SimulatedScanner(tmp_path / "scanner", vendor) as sim:
            reader = Reader(sim.path)
            try:
                await scenario(sim, reader)
            finally:
                os.close(reader.fd)

    asyncio.run(asyncio.wait_for(run(), 40))


@vendors
def test_each_answers_its_own_question_and_no_other(vendor: str, tmp_path: Path) -> None:
    """Its maker's query gets its reply; the queries of the other makers get none."""

    async def scenario(sim: SimulatedScanner, reader: Reader) -> None:
        for other, question in QUESTIONS.items():
            brain = VENDORS[vendor]()
            replies = b"".join(brain.feed(question))
            brain.pause()
            assert (b"3.14" in replies) == (other == vendor)
        assert b"3.14" in await reader.ask(QUESTIONS[vendor], 30)
        assert sim.received == QUESTIONS[vendor]

    with_scanner(tmp_path, vendor, scenario)


def test_orders_are_noticed() -> None:
    """Whoever resets, triggers or configures a scanner is found out."""
    for vendor, order in (
        ("datalogic", b"R"),
        ("datalogic", b"D"),
        ("honeywell", b"\x16T\r"),
        ("newland_v1", b"$$$$#99900000;"),
        ("newland_v2", b"~\x010000#SCNTRG1;\x03"),
        ("ssi", bytes.fromhex("04e40400ff14")),
    ):
        brain = VENDORS[vendor]()
        brain.feed(order)
        assert len(brain.orders) == 1, (vendor, order)


def test_a_wrong_checksum_is_refused() -> None:
    """SSI: NAK with cause 1."""
    assert VENDORS["ssi"]().feed(bytes.fromhex("04a30400ff54"))[0][1:5] == b"\xd1\x00\x00\x01"


@vendors
def test_codes_and_tries_in_vain_are_sent(vendor: str, tmp_path: Path) -> None:
    """A code in its maker's frame; NR where nothing was read; nothing while nobody reads."""

    async def scenario(sim: SimulatedScanner, reader: Reader) -> None:
        sim.scan(CODE)
        assert CODE in await reader.read(len(CODE))
        sim.scan(None)
        assert b"NR" in await reader.read(3)

    with_scanner(tmp_path, vendor, scenario)


def test_every_trouble_can_be_switched(tmp_path: Path) -> None:
    """Silent, slow, garbage, stale, another reply, refused, wrong speed, unplugged."""

    async def scenario(sim: SimulatedScanner, reader: Reader) -> None:
        question = QUESTIONS["honeywell"]
        good = await reader.ask(question, 100)
        sim.switch(slow_s=0.05)
        assert await reader.ask(question, 100) == good
        sim.switch(slow_s=0.0, stale="next")
        assert await reader.ask(question, 2 * len(good)) == good * 2
        sim.switch(answer="refused")
        assert await reader.ask(question) == b"REVINF\x05."
        sim.switch(stale="lag")
        assert await reader.ask(question) == b"REVINF\x05."
        sim.switch(stale="off", answer="other")
        assert await reader.ask(question) == b"CBRENA1\x06."
        sim.switch(answer="ok", garbage=True)
        assert await reader.ask(question) == GARBAGE
        sim.switch(garbage=False, baud=115_200)
        sim.scan(CODE)
        assert CODE not in await reader.read(1)
        sim.reset()
        sim.leave_stale_reply()
        assert await reader.read(100) == good  # answered, and drowned in the noise
        sim.unplug()
        assert not sim.path.is_symlink()
        assert os.read(reader.fd, 1) == b""

    with_scanner(tmp_path, "honeywell", scenario)


def test_the_setting_mode_ends_by_itself() -> None:
    """Newland's old language: `^^^^` unasked after five still seconds."""
    brain = VENDORS["newland_v1"]()
    assert brain.feed(b"$$$$") == [b"@@@@"]
    assert brain.later() == [b"^^^^"]
    assert brain.later() == []


def test_no_condition_is_misspelt(tmp_path: Path) -> None:
    """An unknown condition is refused by name."""
    with pytest.raises(ValueError, match="batery"):
        SimulatedScanner(tmp_path / "scanner").switch(batery=5)


@pytest.mark.parametrize(
    ("order", "condition", "value"),
    [
        ("power off", "silent", True),
        ("garbage on", "garbage", True),
        ("answer refused", "answer", "refused"),
        ("self-test fail", "self_test", "fail"),
        ("stale lag", "stale", "lag"),
        ("battery 7", "battery_percent", 7),
        ("slow 1.5", "slow_s", 1.5),
        ("baud 9600", "baud", 9600),
    ],
)
def test_words_switch_conditions(tmp_path: Path, order: str, condition: str, value: object) -> None:
    """Each word of the language does what it says."""
    sim = SimulatedScanner(tmp_path / "scanner")
    assert obey(sim, order) == "ok"
    assert getattr(sim.conditions, condition) == value


@pytest.mark.parametrize(
    "order", ["battery 101", "battery full", "slow -1", "baud 1e9", "paper out", "", "power"]
)
def test_nonsense_is_refused(tmp_path: Path, order: str) -> None:
    """A wrong word or number changes nothing and is answered with what would be right."""
    sim = SimulatedScanner(tmp_path / "scanner")
    before = sim.conditions
    assert obey(sim, order).startswith("error")
    assert sim.conditions == before


def test_another_process_gives_orders(tmp_path: Path) -> None:
    """Over its socket: the cable, the status, help; and both are gone at the end."""
    path, control = tmp_path / "scanner", tmp_path / "control"

    async def run() -> None:
        stop, ready = asyncio.Event(), asyncio.Event()
        sim = SimulatedScanner(path, "ssi")
        serving = asyncio.create_task(serve(sim, obey, control, stop, ready.set))
        await ready.wait()
        assert await give(control, "cable out") == "ok"
        assert json.loads(await give(control, "status"))["plugged"] is False
        assert await give(control, "cable in") == "ok"
        assert await give(control, "scan") == "ok"
        assert await give(control, "scan nothing") == "ok"
        assert "battery NUMBER" in await give(control, "help")
        stop.set()
        await serving

    asyncio.run(asyncio.wait_for(run(), 40))
    assert not path.is_symlink()
    assert not control.exists()
