"""Printers of other kinds, through the real daemon: one that rings, one on the network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from agent.sim.printers.lines import TcpLine
from agent.sim.printers.printer import Printer as Simulated
from tests.process.daemon import Daemon, wait_until
from tests.process.fleet import LoopThread, Printer, at_once, said_by

pytestmark = pytest.mark.process

CODES = ("printer.paper_out", "printer.paper_jam", "printer.offline", "printer.hardware_fault")
HOUR_S = 3600.0


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with Daemon() as daemon:
        yield daemon


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    with LoopThread() as loop:
        yield loop


def reading(daemon: Daemon) -> dict[str, object]:
    found: dict[str, object] = daemon.components().get("printer", {}).get("values", {})
    return found


def test_a_printer_that_rings_is_heard_between_readings(daemon: Daemon, loop: LoopThread) -> None:
    """Asked once an hour, yet an empty roll is an alarm at once, and so is the new one."""
    with Printer(loop, daemon) as printer:
        daemon.configure(
            f'[printer]\ndevice = "{printer.device}"\npush = true\nperiod_s = {HOUR_S}\n'
            + at_once(*CODES)
        )
        daemon.start()
        wait_until(lambda: reading(daemon).get("paper") == "ok", "the first reading")
        wait_until(lambda: b"\x1d\x61\x4e" in printer._printer.received, "it was told to ring")
        printer.switch(paper="out")
        wait_until(lambda: "printer.paper_out" in daemon.alarms(), "an alarm")
        printer.switch(paper="ok")
        wait_until(lambda: not daemon.alarms(), "no alarm")
        daemon.stop()
        wait_until(lambda: printer._printer.received.endswith(b"\x1d\x61\x00"), "left as it was")


def test_a_star_printer_on_the_network_is_found_out(daemon: Daemon, loop: LoopThread) -> None:
    """Nothing is configured but its address; a jam is named, and probe says the same."""
    line = TcpLine()
    printer = Simulated(line, dialect="star")
    loop.do(printer.plug)
    try:
        daemon.configure(
            f'[printer]\ndevice = "tcp://127.0.0.1:{line.port}"\nperiod_s = 1.0\n' + at_once(*CODES)
        )
        daemon.start()
        wait_until(lambda: reading(daemon).get("paper_jam") is False, "the first reading")
        loop.do(lambda: printer.switch(jam=True))
        wait_until(lambda: "printer.paper_jam" in daemon.alarms(), "an alarm")
        assert "paper jam" in said_by(daemon, "probe", "printer").lower()
        loop.do(lambda: printer.switch(jam=False))
        wait_until(lambda: not daemon.alarms(), "no alarm")
        daemon.stop()
    finally:
        loop.do(printer.unplug)
    assert printer.printed == ""


def test_bytes_the_app_passes_on_are_alarms_at_once(daemon: Daemon, loop: LoopThread) -> None:
    """The port is the app's: the agent sends nothing, and says what the app's bytes say."""
    with Printer(loop, daemon) as printer:
        daemon.configure(
            f'[printer]\ndevice = "{printer.device}"\nshare = "pass_through"\nperiod_s = {HOUR_S}\n'
            + at_once(*CODES)
        )
        daemon.start()
        for frame, understood in (([0x18, 0, 0x0F, 0], 1), ([0xF8, 0x80], 0)):
            answer = daemon.post("/v1/devices/printer/bytes", {"bytes": frame})
            assert answer.json.get("understood") == understood, answer.json
        wait_until(lambda: "printer.paper_out" in daemon.alarms(), "an alarm")
        daemon.post("/v1/devices/printer/bytes", {"bytes": [0x10, 0, 0, 0]})
        wait_until(lambda: not daemon.alarms(), "no alarm")
        daemon.stop()
        assert printer._printer.received == b""
