"""The simulated printer on its pseudo terminal, and the socket that switches it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import fields
from pathlib import Path

import pytest

from agent.sim.orders import give as control
from agent.sim.printers.conditions import Conditions
from agent.sim.printers.orders import SWITCHES, obey, serve
from agent.sim.printers.printer import GARBAGE, SimulatedPrinter

ASK = b"\x10\x04\x01"


class Terminal:
    """Whoever has the port open: a raw descriptor, read through the loop."""

    def __init__(self, path: Path) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)

    def send(self, sent: bytes) -> None:
        os.write(self.fd, sent)

    async def receive(self, count: int) -> bytes:
        """Exactly `count` bytes, then nothing more that is there already."""
        received = b""
        loop = asyncio.get_running_loop()
        while len(received) < count:
            ready = asyncio.Event()
            loop.add_reader(self.fd, ready.set)
            await ready.wait()
            loop.remove_reader(self.fd)
            received += os.read(self.fd, 4096)
        return received

    def close(self) -> None:
        os.close(self.fd)


Scenario = Callable[[SimulatedPrinter, Terminal], Awaitable[None]]


def with_printer(tmp_path: Path, scenario: Scenario) -> None:
    async def run() -> None:
        async with SimulatedPrinter(tmp_path / "printer", tmp_path / "receipt.txt") as printer:
            terminal = Terminal(printer.path)
            try:
                await scenario(printer, terminal)
            finally:
                terminal.close()
        assert not printer.path.is_symlink()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_it_answers_on_a_real_terminal_and_follows_switches(tmp_path: Path) -> None:
    """Conditions switched while it runs show in the very next answer."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        terminal.send(ASK)
        assert await terminal.receive(1) == b"\x12"
        printer.switch(paper="out")
        terminal.send(ASK)
        assert await terminal.receive(1) == b"\x1a"
        printer.reset()
        terminal.send(ASK)
        assert await terminal.receive(1) == b"\x12"
        assert printer.received == ASK * 3

    with_printer(tmp_path, scenario)


def test_receipts_are_kept_in_memory_and_in_the_file(tmp_path: Path) -> None:
    """What is printed can be read from both; held text appears when the paper is back."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        printer.switch(paper="out")
        terminal.send("合计 12.50\n".encode("gb18030") + ASK)
        await terminal.receive(1)
        assert printer.printed == ""
        printer.switch(paper="ok")
        assert printer.printed == "合计 12.50\n"

    with_printer(tmp_path, scenario)
    assert (tmp_path / "receipt.txt").read_text("utf-8") == "合计 12.50\n"


def test_armed_automatic_status_comes_by_itself(tmp_path: Path) -> None:
    """With GS a armed a switched condition is sent without a question."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        terminal.send(b"\x1d\x61\x4f")
        assert await terminal.receive(4) == b"\x10\0\0\0"
        printer.switch(cover_open=True)
        assert await terminal.receive(4) == b"\x38\0\x0f\0"

    with_printer(tmp_path, scenario)


def test_answers_can_be_spoilt(tmp_path: Path) -> None:
    """Garbage, an old byte beside the answer, one left before it, and answers one query late."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        printer.switch(garbage=True)
        terminal.send(ASK)
        assert await terminal.receive(3) == GARBAGE
        printer.switch(garbage=False, stale="next")
        terminal.send(ASK)
        assert await terminal.receive(2) == b"\x1a\x12"
        terminal.send(ASK)
        assert await terminal.receive(1) == b"\x12"
        printer.leave_stale_byte()
        assert await terminal.receive(1) == b"\x1a"
        printer.switch(stale="lag", paper="low")
        terminal.send(b"\x10\x04\x04")
        assert await terminal.receive(1) == b"\x1a"
        terminal.send(ASK)
        assert await terminal.receive(1) == b"\x1e"

    with_printer(tmp_path, scenario)


def test_silent_takes_bytes_and_gives_none(tmp_path: Path) -> None:
    """Powered off it answers nothing and prints nothing; later answers are to later questions."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        printer.switch(silent=True, paper="out")
        terminal.send(ASK + b"lost")
        while len(printer.received) < 7:
            await asyncio.sleep(0)
        printer.switch(silent=False, paper="low")
        terminal.send(b"\x10\x04\x04")
        assert await terminal.receive(1) == b"\x1e"
        assert printer.printed == ""

    with_printer(tmp_path, scenario)


def test_slow_answers_come_in_order(tmp_path: Path) -> None:
    """Delayed answers arrive, in the order of the questions, and die with the cable."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        printer.switch(slow_s=0.01, paper="low")
        terminal.send(ASK + b"\x10\x04\x04")
        assert await terminal.receive(2) == b"\x12\x1e"
        printer.switch(slow_s=3_600.0)
        terminal.send(ASK)
        while len(printer.received) < 9:
            await asyncio.sleep(0)
        assert len(printer._late) == 1

    with_printer(tmp_path, scenario)


def test_the_link_outlives_a_pulled_cable(tmp_path: Path) -> None:
    """Unplugged, the open port hangs up and the path is gone; plugged in, the same path answers."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        printer.unplug()
        printer.unplug()
        assert not printer.plugged
        assert not printer.path.is_symlink()
        with pytest.raises(OSError, match="Input/output"):
            terminal.send(ASK)
        printer.plug()
        printer.plug()
        again = Terminal(printer.path)
        again.send(ASK)
        assert await again.receive(1) == b"\x12"
        again.close()

    with_printer(tmp_path, scenario)


def test_a_line_nobody_reads_loses_bytes_and_lives(tmp_path: Path) -> None:
    """Answers nobody fetches are lost once the line is full; the printer goes on."""

    async def scenario(printer: SimulatedPrinter, terminal: Terminal) -> None:
        for _ in range(100_000):
            printer.leave_stale_byte()
        assert printer.plugged

    with_printer(tmp_path, scenario)


def test_every_condition_has_a_word(tmp_path: Path) -> None:
    """The control language reaches every condition but the two that are numbers."""
    reached = {
        name for words in SWITCHES.values() for changes in words.values() for name in changes
    }
    assert reached | {"baud", "slow_s"} == {field.name for field in fields(Conditions)}
    printer = SimulatedPrinter(tmp_path / "printer")
    for subject, words in SWITCHES.items():
        for word, changes in words.items():
            assert obey(printer, f"{subject} {word}\n") == "ok"
            assert all(getattr(printer.conditions, key) == to for key, to in changes.items())


def test_an_unknown_condition_is_refused(tmp_path: Path) -> None:
    """A misspelt condition is an error in words, in both interfaces."""
    printer = SimulatedPrinter(tmp_path / "printer")
    with pytest.raises(ValueError, match="papr"):
        printer.switch(papr="out")
    for command in (
        "paper gone",
        "papr out",
        "",
        "slow",
        "slow -1",
        "slow nan",
        "cover",
        "status x",
        "baud fast",
        "baud 9",
    ):
        assert obey(printer, command).startswith("error: "), command
    assert "paper ok|low|out" in obey(printer, "help")


async def _listening(path: Path) -> None:
    async with asyncio.timeout(20):
        while not path.exists():
            await asyncio.sleep(0.001)


def test_another_process_can_switch_it(tmp_path: Path) -> None:
    """Commands over the control socket switch the running printer; status and receipt are JSON."""
    path, socket_path = tmp_path / "printer", tmp_path / "control"

    async def run() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(path, socket_path, stop, tmp_path / "receipt.txt"))
        await _listening(socket_path)
        terminal = Terminal(path)
        assert await control(socket_path, "paper  OUT") == "ok"
        terminal.send(b"hello\n" + ASK)
        assert await terminal.receive(1) == b"\x1a"
        status = json.loads(await control(socket_path, "status"))
        assert (status["paper"], status["plugged"], status["path"]) == ("out", True, str(path))
        assert await control(socket_path, "slow 1.5") == "ok"
        assert json.loads(await control(socket_path, "status"))["slow_s"] == 1.5
        assert await control(socket_path, "reset") == "ok"
        assert json.loads(await control(socket_path, "receipt"))["printed"] == "hello\n"
        assert (await control(socket_path, "paper eaten")).startswith("error: 'paper eaten'")
        assert await control(socket_path, "cable out") == "ok"
        assert not path.is_symlink()
        assert await control(socket_path, "cable in") == "ok"
        assert socket_path.stat().st_mode & 0o077 == 0
        idle = await asyncio.open_unix_connection(socket_path)
        stop.set()
        await serving
        assert await idle[0].read() == b""
        idle[1].close()
        await idle[1].wait_closed()
        terminal.close()

    asyncio.run(asyncio.wait_for(run(), 20))
    assert not socket_path.exists()
    assert not path.is_symlink()


def test_a_line_too_long_ends_the_connection(tmp_path: Path) -> None:
    """An endless command is cut off; the printer goes on serving others."""
    socket_path = tmp_path / "control"

    async def run() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(tmp_path / "printer", socket_path, stop))
        await _listening(socket_path)
        assert await control(socket_path, "x" * 5_000) == ""
        assert await control(socket_path, "paper low") == "ok"
        stop.set()
        await serving

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_living_simulator_is_not_displaced(tmp_path: Path) -> None:
    """A second simulator on the same socket is refused and leaves the first one's port alone."""
    path, socket_path = tmp_path / "printer", tmp_path / "control"

    async def run() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(path, socket_path, stop))
        await _listening(socket_path)
        port = path.readlink()
        with pytest.raises(OSError, match="already listens"):
            await serve(path, socket_path, stop)
        assert path.readlink() == port
        assert await control(socket_path, "paper low") == "ok"
        stop.set()
        await serving

    asyncio.run(asyncio.wait_for(run(), 20))


def test_the_socket_of_a_killed_simulator_is_taken_over(tmp_path: Path) -> None:
    """What a killed simulator left lying about does not stop the next one."""
    path, socket_path = tmp_path / "printer", tmp_path / "control"
    path.symlink_to("/dev/pts/99999")
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))

    async def run() -> None:
        stop = asyncio.Event()
        serving = asyncio.create_task(serve(path, socket_path, stop))
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await control(socket_path, "paper low") == "ok"
                    break
                except OSError:
                    await asyncio.sleep(0.001)
        stop.set()
        await serving

    asyncio.run(asyncio.wait_for(run(), 20))


def test_controlling_nobody_is_an_error(tmp_path: Path) -> None:
    """Without a simulator the caller gets an OSError, not a silent success."""
    with pytest.raises(FileNotFoundError):
        asyncio.run(control(tmp_path / "control", "paper out"))
