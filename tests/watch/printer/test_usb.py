"""A printer behind usblp: sysfs without opening, a moment's open, EBUSY, port status."""

from __future__ import annotations

import asyncio
import errno
import os
import struct
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agent.config.devices import Printer
from agent.core.health.reading import NotObservable, Outcome, Reading
from agent.core.health.standard import STANDARD
from agent.link.owners import Owner
from agent.sim.printers.usblp import DEVICE_ID, LPGETSTATUS, UsbPrinter
from agent.watch.printer.usb_link import UsbLink, UsbPort, open_usb
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import FINE, Threads, evidence, unknown, values, watcher_of

Scenario = Callable[[UsbPrinter, PrinterWatcher], Awaitable[None]]


def opening(printer: UsbPrinter) -> Callable[[Printer], UsbPort]:
    """Open as the kernel's usblp would: EBUSY while in use, and with a port status."""

    def open_it(config: Printer) -> UsbPort:
        fd = printer.usb.open(config.device, os.O_RDWR | os.O_NONBLOCK)
        told = printer.usb.ioctl(fd, LPGETSTATUS)
        return UsbPort(fd, struct.unpack("i", told)[0])

    return open_it


def against_usb(
    tmp_path: Path,
    scenario: Scenario,
    *,
    device_id: str = DEVICE_ID,
    dialect: str = "escpos",
    **settings: object,
) -> None:
    async def run() -> None:
        printer = UsbPrinter(tmp_path, dialect=dialect)  # type: ignore[arg-type]
        printer.usb.device_id = device_id
        async with printer:
            given = {"device": str(printer.usb.node), "answer_timeout_s": 0.5} | settings
            config = Printer(**given)  # type: ignore[arg-type]
            threads = Threads()
            who = Owner(pid=812, command="payapp", uid=10057)
            link = UsbLink(
                config, threads, opening(printer), lambda path: who, tmp_path.resolve() / "sys"
            )
            watcher = PrinterWatcher(config, threads, link, time.monotonic)
            try:
                await scenario(printer, watcher)
            finally:
                await watcher.close()

    asyncio.run(asyncio.wait_for(run(), 30))


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def held(outcome: Outcome) -> list[str]:
    assert isinstance(outcome, Reading)
    judged = STANDARD.judged_by("printer")
    return [one.code for one, sign in judged if sign.judge(outcome.values)]


def test_a_usb_printer_is_read_and_let_go(tmp_path: Path) -> None:
    """Each reading opens, asks and closes: the payment app finds the port free."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        for paper in ("ok", "out", "ok"):
            printer.switch(paper=paper)
            before = open_files()
            outcome = await watcher.read()
            assert values(outcome)["paper"] == paper
            assert open_files() == before
        assert printer.usb.opened == 3
        assert evidence(outcome)["model"] == "SIM-80"
        assert evidence(outcome)["usb_id"] == "0525:a4a8"
        assert "serial" not in evidence(outcome)
        assert (await watcher.identity())["serial"] == "SIM0000001"
        assert printer.receipt == b""

    against_usb(tmp_path, scenario)


def test_in_use_is_not_a_fault(tmp_path: Path) -> None:
    """EBUSY: there, in use by the app, nothing alarms, and paper is neither well nor out."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(paper="out")
        printer.usb.in_use = True
        outcome = await watcher.read()
        assert values(outcome) == {"present": True, "in_use": True}
        assert held(outcome) == []
        assert "payapp (pid 812, uid 10057)" in evidence(outcome)["reason"]
        assert evidence(outcome)["model"] == "SIM-80"
        printer.usb.in_use = False
        assert values(await watcher.read())["paper"] == "out"

    against_usb(tmp_path, scenario)


@pytest.mark.parametrize("share", ["off", "pass_through"])
def test_a_printer_that_is_not_ours_is_never_opened(tmp_path: Path, share: str) -> None:
    """Presence and model come from sysfs alone; pulled out it is missing."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        outcome = await watcher.read()
        assert values(outcome) == {"present": True}
        assert evidence(outcome)["maker"] == "posagent"
        printer.unplug()
        gone = unknown(await watcher.read())
        assert (gone.evidence["finding"], gone.code) == ("missing", "printer.not_answering")
        assert printer.usb.opened == 0
        assert printer.received == b""

    against_usb(tmp_path, scenario, share=share)


def test_unplugged_and_back(tmp_path: Path) -> None:
    """A printer pulled out is missing by name, and read again once it is back."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        printer.unplug()
        assert str(printer.usb.node) in unknown(await watcher.read()).reason
        printer.plug()
        assert values(await watcher.read()) == FINE

    against_usb(tmp_path, scenario)


@pytest.mark.parametrize(
    ("conditions", "codes"),
    [
        ({}, []),
        ({"paper": "out"}, ["printer.paper_out", "printer.offline"]),
        ({"switched_off_line": True}, ["printer.offline"]),
    ],
)
def test_a_printer_that_answers_nothing_still_has_its_port_status(
    tmp_path: Path, conditions: dict[str, object], codes: list[str]
) -> None:
    """Silent to DLE EOT, the three lines of its port are told, and only they."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(**conditions)
        printer._interpreter.feed = lambda received: []  # type: ignore[method-assign]
        outcome = await watcher.read()
        assert values(outcome).keys() == {
            "present",
            "in_use",
            "online",
            "offline",
            "paper_out",
            "hardware_fault",
        }
        assert held(outcome) == codes

    against_usb(tmp_path, scenario, answer_timeout_s=0.1)


def test_a_printer_of_another_language_is_not_spoken_to(tmp_path: Path) -> None:
    """A page printer is known by its id: not a byte goes to it, its port status is enough."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        outcome = await watcher.read()
        assert values(outcome)["paper_out"] is False
        assert evidence(outcome)["port_status"] == "0x18"
        assert printer.received == b""

    against_usb(tmp_path, scenario, device_id="MFG:HP;CMD:PCL,POSTSCRIPT;MDL:LJ;CLS:PRINTER;")


def test_its_id_names_the_language(tmp_path: Path) -> None:
    """A Star printer that says so is asked Star's question at once and no other."""

    async def scenario(printer: UsbPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(paper="low")
        assert values(await watcher.read())["paper"] == "low"
        assert printer.received == b"\x1b\x06\x01"

    star = "MFG:Star;CMD:STAR;MDL:TSP143;CLS:PRINTER;"
    against_usb(tmp_path, scenario, device_id=star, dialect="star")


@pytest.mark.parametrize(
    ("number", "finding"),
    [
        (errno.EACCES, "permission"),
        (errno.EPERM, "permission"),
        (errno.ENODEV, "missing"),
        (errno.ENXIO, "missing"),
        (errno.EIO, "no_hardware"),
        (errno.ENOMEM, "open_failed"),
    ],
)
def test_every_refused_open_has_its_own_reason(tmp_path: Path, number: int, finding: str) -> None:
    """Each way the driver can refuse gives a reason naming the path."""
    node = tmp_path / "usb" / "lp0"
    node.parent.mkdir()
    node.touch()

    def refuse(config: Printer) -> UsbPort:
        raise OSError(number, os.strerror(number))

    config = Printer(device=str(node))
    link = UsbLink(config, Threads(), refuse, lambda path: None, tmp_path)
    outcome = asyncio.run(PrinterWatcher(config, Threads(), link, time.monotonic).read())
    assert unknown(outcome).evidence["finding"] == finding
    assert str(node) in unknown(outcome).reason
    assert ("DeviceAllow=" in unknown(outcome).reason) == (number == errno.EPERM)
    assert ("group" in unknown(outcome).reason) == (number == errno.EACCES)


def test_the_form_of_the_device_picks_the_link(tmp_path: Path) -> None:
    """/dev/usb/lpN is a USB printer, and an open without LPGETSTATUS has no port status."""
    assert watcher_of(Printer(device="/dev/usb/lp3"))._link.where.kind == "usb"
    assert watcher_of(Printer(device="/dev/ttyUSB0"))._link.where.kind == "serial"
    plain = tmp_path / "lp0"
    plain.touch()
    port = open_usb(Printer(device=str(plain)))
    assert port.status is None
    port.close()
    port.close()


def test_nothing_known_is_not_observable(tmp_path: Path) -> None:
    """A serial port of the app's: that the node is there says nothing of the printer."""
    node = tmp_path / "ttyS9"
    node.touch()
    watcher = watcher_of(Printer(device=str(node), share="off"))
    assert isinstance(asyncio.run(watcher.read()), NotObservable)
