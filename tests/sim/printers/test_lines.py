"""How bytes get to a simulated printer: TCP one client at a time, wrong speeds, USB's traces."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import termios
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import serial

from agent.sim.printers.lines import TcpLine, mangled
from agent.sim.printers.printer import Printer, SimulatedPrinter
from agent.sim.printers.usblp import DEVICE_ID, LPGETSTATUS, UsbPrinter

ASK = b"\x10\x04\x01"


def on_tcp(scenario: Callable[[Printer, TcpLine], Awaitable[None]]) -> None:
    async def run() -> None:
        line = TcpLine()
        async with Printer(line) as printer:
            await scenario(printer, line)
        assert not line.busy

    asyncio.run(asyncio.wait_for(run(), 20))


def test_a_network_printer_serves_one_client_at_a_time() -> None:
    """The second client is let in by the kernel and answered only when the first has gone."""

    async def scenario(printer: Printer, line: TcpLine) -> None:
        first, to_first = await asyncio.open_connection(line.host, line.port)
        to_first.write(ASK)
        assert await first.readexactly(1) == b"\x12"
        second, to_second = await asyncio.open_connection(line.host, line.port)
        to_second.write(ASK)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(second.readexactly(1), 0.05)
        to_first.close()
        assert await second.readexactly(1) == b"\x12"
        assert line.clients == 2
        to_second.close()

    on_tcp(scenario)


def test_a_network_printer_unplugged_refuses_and_comes_back_on_its_port() -> None:
    """Without its cable nobody listens; with it the same port answers again."""

    async def scenario(printer: Printer, line: TcpLine) -> None:
        reader, writer = await asyncio.open_connection(line.host, line.port)
        writer.write(ASK)
        await reader.readexactly(1)
        port = line.port
        printer.unplug()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(line.host, port)
        printer.plug()
        assert line.port == port
        reader, writer = await asyncio.open_connection(line.host, port)
        writer.write(ASK)
        assert await reader.readexactly(1) == b"\x12"
        writer.transport.abort()
        reader, writer = await asyncio.open_connection(line.host, port)
        writer.write(ASK)
        assert await reader.readexactly(1) == b"\x12"
        writer.close()

    on_tcp(scenario)


@pytest.mark.parametrize("receiver", [1200, 9600, 38400, 115200])
def test_a_wrong_speed_makes_other_bytes(receiver: int) -> None:
    """At the right speed bytes arrive as sent, at a wrong one as something else."""
    sent = bytes(range(256))
    assert mangled(sent, receiver, receiver) == sent
    assert mangled(sent, 19200, receiver) not in (sent, b"")
    assert mangled(b"", 19200, receiver) == b""


def test_a_printer_at_another_speed_is_not_understood_until_the_port_is_set(tmp_path: Path) -> None:
    """The pseudo terminal keeps the speed it was set to: only the printer's own makes sense."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        async with SimulatedPrinter(tmp_path / "printer") as printer:
            printer.switch(baud=9600)
            for baud, expected in ((19200, False), (9600, True)):
                with serial.Serial(str(printer.path), baud, timeout=0) as port:
                    port.write(ASK * 4)
                    ready = asyncio.Event()
                    loop.add_reader(port.fileno(), ready.set)
                    try:
                        async with asyncio.timeout(0.5 if not expected else 10):
                            await ready.wait()
                            answer = port.read(64)
                    except TimeoutError:
                        answer = b""  # mangled beyond being a question at all
                    finally:
                        loop.remove_reader(port.fileno())
                    assert (set(answer) == {0x12}) is expected

    asyncio.run(asyncio.wait_for(run(), 20))


def test_usb_leaves_the_traces_of_a_printer(tmp_path: Path) -> None:
    """The class entry leads to the interface with the device id, the device above it has ids."""

    async def run() -> None:
        async with UsbPrinter(tmp_path) as printer:
            entry = tmp_path / "sys/class/usbmisc/lp0"
            interface = (entry / "device").resolve()
            assert (interface / "ieee1284_id").read_text() == DEVICE_ID + "\n"
            assert (interface / "bInterfaceClass").read_text() == "07\n"
            assert (interface / "driver").resolve().name == "usblp"
            assert (interface.parent / "idVendor").read_text() == "0525\n"
            fd = printer.usb.open(printer.usb.node, os.O_RDWR | os.O_NONBLOCK)
            os.write(fd, ASK)
            ready = asyncio.Event()
            asyncio.get_running_loop().add_reader(fd, ready.set)
            await ready.wait()
            asyncio.get_running_loop().remove_reader(fd)
            assert os.read(fd, 8) == b"\x12"
            os.close(fd)
            printer.unplug()
            assert not entry.is_symlink()
            assert not interface.exists()
            assert not printer.usb.node.is_symlink()
            printer.plug()
            assert (entry / "device").resolve() == interface

    asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 0x18),
        ({"paper": "low"}, 0x18),
        ({"paper": "out"}, 0x28),
        ({"switched_off_line": True}, 0x08),
        ({"cutter_fault": True}, 0x00),
    ],
)
def test_usb_port_status_follows_the_printer(
    tmp_path: Path, changes: dict[str, object], status: int
) -> None:
    """LPGETSTATUS says no-error, selected and paper out, as the printer's port lines would."""

    async def run() -> None:
        async with UsbPrinter(tmp_path) as printer:
            printer.switch(**changes)
            told = printer.usb.ioctl(-1, LPGETSTATUS)
            assert (len(told), told[0]) == (4, status)

    asyncio.run(run())


def test_usb_device_id_busy_and_gone(tmp_path: Path) -> None:
    """The id comes with its length in front; another's open is EBUSY; unplugged is ENODEV."""

    async def run() -> None:
        async with UsbPrinter(tmp_path) as printer:
            usb = printer.usb
            request = 0x8000_5001 | 1024 << 16
            told = usb.ioctl(-1, request, bytes(1024))
            length = int.from_bytes(told[:2], "big")
            assert told[2:length].decode() == DEVICE_ID
            with pytest.raises(OSError, match="ioctl") as unknown:
                usb.ioctl(-1, termios.TIOCGWINSZ)
            assert unknown.value.errno == errno.ENOTTY
            usb.in_use = True
            with pytest.raises(OSError, match="busy") as busy:
                usb.open(usb.node, os.O_RDWR)
            assert busy.value.errno == errno.EBUSY
            usb.in_use = False
            os.close(usb.open(usb.node, os.O_RDWR))
            assert usb.opened == 1
            printer.unplug()
            with pytest.raises(OSError, match="device") as gone:
                usb.ioctl(-1, LPGETSTATUS)
            assert gone.value.errno == errno.ENODEV

    asyncio.run(run())


def test_the_double_has_the_shape_of_the_call() -> None:
    """The real call takes the same arguments and gives bytes for bytes."""
    reader, writer = os.pipe()
    os.write(writer, b"abc")
    waiting = fcntl.ioctl(reader, termios.FIONREAD, bytes(4))
    assert (len(waiting), waiting[0]) == (4, 3)
    os.close(reader)
    os.close(writer)
