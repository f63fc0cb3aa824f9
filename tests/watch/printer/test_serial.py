"""The printer watcher against a simulated printer on a real pseudo terminal."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import termios
import threading
from pathlib import Path

import pytest
import serial

from agent.config.devices import Printer
from agent.core.health.reading import NotFitted, Reading
from agent.sim.printer import SimulatedPrinter
from agent.watch import printer as watch
from agent.watch.printer import serial_link
from agent.watch.printer.ports import Port
from agent.watch.printer.watcher import SILENT_READS_BEFORE_REOPEN, PrinterWatcher
from tests.watch.printer.bench import (
    FINE,
    Threads,
    against_printer,
    grow_patient,
    off,
    unknown,
    values,
    watcher_of,
)


@pytest.mark.parametrize(
    ("conditions", "expected", "raw"),
    [
        ({}, FINE, "12 12 12 12"),
        ({"drawer_pin_high": True}, FINE, "16 12 12 12"),
        ({"paper": "low"}, FINE | {"paper": "low"}, "12 12 12 1e"),
        ({"paper": "low", "one_bit_sensors": True}, FINE | {"paper": "low"}, "12 12 12 16"),
        ({"paper": "out"}, off("paper", paper="out"), "1a 32 12 7e"),
        (
            {"paper": "out", "near_end_sensor": False},
            off("paper", paper="out"),
            "1a 32 12 72",
        ),
        (
            {"paper": "out", "one_bit_sensors": True},
            off("paper", paper="out"),
            "1a 32 12 36",
        ),
        ({"cover_open": True}, off("cover", cover_open=True, paper=None), "1a 16 12 7e"),
        (
            {"cover_open": True, "paper": "out"},
            off("cover", cover_open=True, paper="out"),
            "1a 36 12 7e",
        ),
        ({"cutter_fault": True}, off("error", cutter_fault=True), "1a 52 1a 12"),
        ({"overheated": True}, off("error", overheated=True), "1a 52 52 12"),
        (
            {"unrecoverable": True},
            off("error", hardware_fault=True, fault_kind="unrecoverable"),
            "1a 52 32 12",
        ),
        (
            {"mechanical_fault": True},
            off("error", hardware_fault=True, fault_kind="mechanical_or_black_mark"),
            "1a 52 16 12",
        ),
        ({"feed_button": True}, off("feed", feed_button=True), "1a 1a 12 12"),
        ({"waiting_recovery": True}, off("feed", waiting_recovery=True), "3a 12 12 12"),
        ({"switched_off_line": True}, off("switch"), "1a 12 12 12"),
    ],
)
def test_every_condition_is_read_with_its_bytes(
    tmp_path: Path, conditions: dict[str, object], expected: dict[str, object], raw: str
) -> None:
    """Each printer condition becomes its values, and the raw bytes are the evidence."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(**conditions)
        outcome = await watcher.read()
        assert values(outcome) == expected
        assert isinstance(outcome, Reading)
        assert " ".join(outcome.evidence[f"n{n}"] for n in (1, 2, 3, 4)) == raw
        named = f"0x{raw.split()[2]}" if expected["hardware_fault"] else None
        assert outcome.evidence.get("error") == named

    against_printer(tmp_path, scenario)


def test_only_real_time_status_is_ever_sent(tmp_path: Path) -> None:
    """In good and bad condition nothing but DLE EOT 1 to 4 leaves, at most six in a row."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        assert printer.received.hex() == "100401100402100403100404" + "100401"
        printer.received.clear()
        printer.switch(paper="out", cutter_fault=True)
        await watcher.read()
        assert printer.received.hex() == "100401100402100403100404" + "100401" * 2
        assert printer.printed == ""

    against_printer(tmp_path, scenario)


def test_the_port_stays_open_between_reads(tmp_path: Path) -> None:
    """Conditions are followed over one open port: reading costs no thread."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        for paper in ("ok", "out", "low", "ok"):
            printer.switch(paper=paper)
            assert values(await watcher.read())["paper"] == paper
        assert watcher._blocking.names == ["printer.open"]

    against_printer(tmp_path, scenario)


def test_without_a_device_there_is_no_printer() -> None:
    """No device configured means not fitted: nothing is opened, nothing alarms."""
    assert asyncio.run(watch.build(Printer(), Threads()).read()) == NotFitted()


def test_a_silent_printer_is_unknown_not_faulty(tmp_path: Path) -> None:
    """No answer is unknown with the path and what to check, and the next answer is a reading."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(silent=True)
        nothing = unknown(await watcher.read())
        assert nothing.code == "printer.not_answering"
        assert nothing.evidence["finding"] == "silent"
        assert str(printer.path) in nothing.reason
        assert "19200 baud" in nothing.reason
        printer.switch(silent=False)
        grow_patient(watcher)
        assert values(await watcher.read()) == FINE
        assert watcher._blocking.names == ["printer.open"]

    against_printer(tmp_path, scenario, answer_timeout_s=0.1)


def test_a_port_silent_for_long_is_opened_afresh(tmp_path: Path) -> None:
    """After several silent reads the port is set up again, in case somebody changed its speed."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(silent=True)
        for _ in range(SILENT_READS_BEFORE_REOPEN):
            unknown(await watcher.read())
        printer.switch(silent=False)
        grow_patient(watcher)
        assert values(await watcher.read()) == FINE
        assert watcher._blocking.names == ["printer.open", "printer.close", "printer.open"]

    against_printer(tmp_path, scenario, answer_timeout_s=0.05)


def test_an_answer_that_stops_half_way_is_unknown(tmp_path: Path) -> None:
    """A printer that dies between two queries is unknown, and the reason says how far it got."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        answer = printer._answer

        def answer_and_die(reply: bytes) -> None:
            answer(reply)
            printer.switch(silent=True)

        printer._answer = answer_and_die  # type: ignore[method-assign]
        nothing = unknown(await watcher.read())
        assert "answered query 1 but not query 2" in nothing.reason

    against_printer(tmp_path, scenario, answer_timeout_s=0.5)


def test_garbage_names_the_speed(tmp_path: Path) -> None:
    """Bytes that make no sense are an interface mismatch, shown as hex, with the likely setting."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(garbage=True)
        nothing = unknown(await watcher.read())
        assert nothing.code == "device.interface_mismatch"
        assert nothing.evidence["finding"] == "garbage"
        assert nothing.evidence["received"].startswith("f8")
        assert "19200 baud" in nothing.reason
        printer.switch(garbage=False)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_one_burst_of_noise_is_asked_over(tmp_path: Path) -> None:
    """A single spoilt answer costs one more sequence, not the reading."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        answer = printer._answer

        def spoil_once(reply: bytes) -> None:
            printer._answer = answer  # type: ignore[method-assign]
            answer(b"\xff" + reply)

        printer._answer = spoil_once  # type: ignore[method-assign]
        assert values(await watcher.read()) == FINE
        assert printer.received.count(b"\x10\x04\x01") == 3

    against_printer(tmp_path, scenario)


def test_a_line_that_echoes_is_no_printer(tmp_path: Path) -> None:
    """Our own question coming back is told as such, not as a printer's answer."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer._interpreter.feed = lambda received: [bytes(received)]  # type: ignore[method-assign]
        nothing = unknown(await watcher.read())
        assert (nothing.evidence["finding"], nothing.code) == ("echo", "device.interface_mismatch")

    against_printer(tmp_path, scenario, answer_timeout_s=0.5)


def test_a_byte_left_on_the_line_is_thrown_away(tmp_path: Path) -> None:
    """An old status byte waiting before the question is not taken for the answer."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        assert values(await watcher.read()) == FINE
        printer.leave_stale_byte()
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_an_old_byte_beside_the_answer_is_asked_over(tmp_path: Path) -> None:
    """Two status bytes for one question: neither is believed, the sequence is repeated."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(stale="next")
        assert values(await watcher.read()) == FINE
        assert printer.received.count(b"\x10\x04\x01") == 3

    against_printer(tmp_path, scenario)


@pytest.mark.parametrize(
    "conditions", [{"paper": "out"}, {"paper": "low"}, {"cover_open": True}, {"cutter_fault": True}]
)
def test_answers_one_query_late_never_become_faults(
    tmp_path: Path, conditions: dict[str, object]
) -> None:
    """A line that hands back the previous query's byte is unknown, not a broken printer."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(stale="lag", **conditions)
        for _ in range(3):
            nothing = unknown(await watcher.read())
            assert nothing.evidence["finding"] == "out_of_step"

    against_printer(tmp_path, scenario)


def test_a_slow_answer_is_waited_for(tmp_path: Path) -> None:
    """An answer that takes its time but comes within the timeout is a reading."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(slow_s=0.02, paper="low")
        assert values(await watcher.read())["paper"] == "low"

    against_printer(tmp_path, scenario, answer_timeout_s=20.0)


def test_an_answer_that_comes_too_late_does_no_harm(tmp_path: Path) -> None:
    """An answer after the timeout is unknown, and is not taken for an answer to the next read."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        written = asyncio.Event()
        write = printer._write

        def write_late(reply: bytes) -> None:
            write(reply)
            written.set()

        printer._write = write_late  # type: ignore[method-assign]
        printer.switch(slow_s=0.3, paper="out")
        assert unknown(await watcher.read()).evidence["finding"] == "silent"
        await written.wait()
        printer.switch(slow_s=0.0, paper="ok")
        grow_patient(watcher)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario, answer_timeout_s=0.05)


def test_automatic_status_between_the_answers_is_stepped_over(tmp_path: Path) -> None:
    """Frames another program armed do not spoil the exchange."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        answer = printer._answer
        frame = b"\x13\x10\x00\x03\x00\x11"

        def chatter(reply: bytes) -> None:
            answer(frame + reply)

        printer._answer = chatter  # type: ignore[method-assign]
        printer.switch(paper="low")
        assert values(await watcher.read())["paper"] == "low"

    against_printer(tmp_path, scenario)


def test_a_pulled_cable_is_unknown_and_heals(tmp_path: Path) -> None:
    """Unplugged between reads: unknown, then missing, and plugged in again it reads again."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        assert values(await watcher.read()) == FINE
        printer.unplug()
        gone = unknown(await watcher.read())
        assert gone.evidence["finding"] == "unplugged"
        missing = unknown(await watcher.read())
        assert (missing.evidence["finding"], missing.code) == ("missing", "printer.not_answering")
        assert str(printer.path) in missing.reason
        printer.plug()
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_a_cable_pulled_while_waiting_ends_the_wait(tmp_path: Path) -> None:
    """A hang-up while an answer is awaited is noticed at once, long before the timeout."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer._answer = lambda reply: printer.unplug()  # type: ignore[method-assign]
        async with asyncio.timeout(10):
            gone = unknown(await watcher.read())
        assert gone.evidence["finding"] == "unplugged"

    against_printer(tmp_path, scenario, answer_timeout_s=60.0)


def test_a_port_another_program_holds_is_said_to_be(tmp_path: Path) -> None:
    """A port locked by another program is unknown 'in use', and read once it is free."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        holder = os.open(printer.path, os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(holder, fcntl.LOCK_EX)
        busy = unknown(await watcher.read())
        assert busy.evidence["finding"] == "busy"
        assert "in use by another program" in busy.reason
        os.close(holder)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario)


def test_a_file_that_is_no_serial_line_is_said_to_be(tmp_path: Path) -> None:
    """A configured path that is no port is an interface mismatch, not a crash."""
    path = tmp_path / "receipt.txt"
    path.write_text("")
    outcome = unknown(asyncio.run(watch.build(Printer(device=str(path)), Threads()).read()))
    assert (outcome.evidence["finding"], outcome.code) == (
        "not_serial",
        "device.interface_mismatch",
    )


@pytest.mark.parametrize(
    ("error", "finding"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "permission"),
        (serial.SerialException(errno.EACCES, "could not open port"), "permission"),
        (serial.SerialException(errno.EPERM, "could not open port"), "permission"),
        (OSError(errno.EBUSY, "Device or resource busy"), "busy"),
        (OSError(errno.ENODEV, "No such device"), "missing"),
        (OSError(errno.EIO, "Input/output error"), "no_hardware"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "open_failed"),
        (serial.SerialException("no number at all"), "open_failed"),
        (termios.error(errno.EIO, "Input/output error"), "no_hardware"),
    ],
)
def test_every_refused_open_has_its_own_reason(error: Exception, finding: str) -> None:
    """Each way the port can refuse gives a reason naming the path, and the watcher lives on."""

    def refuse(config: Printer) -> Port:
        raise error

    outcome = asyncio.run(watch.build(Printer(device="/dev/ttyX9"), Threads(), refuse).read())
    assert unknown(outcome).evidence["finding"] == finding
    assert "/dev/ttyX9" in unknown(outcome).reason


class HangingOpen:
    """An open that blocks in its driver until released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()
        self.closed = threading.Event()
        self.fd = -1

    def __call__(self, config: Printer) -> Port:
        self.entered.set()
        assert self.release.wait(20)
        self.fd = os.open(os.devnull, os.O_RDWR)
        return self

    def fileno(self) -> int:
        return self.fd

    def close(self) -> None:
        os.close(self.fd)
        self.closed.set()


def test_an_open_that_hangs_is_left_behind_and_closed_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hanging open is unknown at its deadline; the port it yields too late is closed again."""
    monkeypatch.setattr(serial_link, "OPEN_DEADLINE_S", 0.1)
    hanging = HangingOpen()
    watcher = watcher_of(Printer(device="/dev/ttyX9"), open_port=hanging)
    outcome = unknown(asyncio.run(watcher.read()))
    assert outcome.evidence["finding"] == "open_hangs"
    hanging.release.set()
    assert hanging.closed.wait(20)


def test_a_read_cancelled_while_opening_leaks_no_port() -> None:
    """Cancelled at the runner's deadline, an open still under way is closed when it comes back."""
    hanging = HangingOpen()
    watcher = watcher_of(Printer(device="/dev/ttyX9"), open_port=hanging)

    async def run() -> None:
        reading = asyncio.create_task(watcher.read())
        async with asyncio.timeout(20):
            while not hanging.entered.is_set():
                await asyncio.sleep(0.001)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(run())
    hanging.release.set()
    assert hanging.closed.wait(20)


def test_a_read_cancelled_while_waiting_leaves_the_port_usable(tmp_path: Path) -> None:
    """A read cut off in the middle of an exchange does not disturb the next one."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(silent=True)
        reading = asyncio.create_task(watcher.read())
        async with asyncio.timeout(10):
            while not printer.received:
                await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        printer.switch(silent=False)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario, answer_timeout_s=60.0)


def test_a_line_held_by_flow_control_saves_no_questions_up(tmp_path: Path) -> None:
    """When the line takes no more bytes that is unknown, and what it held is thrown away."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        assert values(await watcher.read()) == FINE
        asked = bytes(printer.received)
        assert watcher._session.port is not None
        termios.tcflow(watcher._session.port.fileno(), termios.TCOOFF)
        held = unknown(await watcher.read())
        assert held.evidence["finding"] == "silent"
        assert "flow control" in held.reason
        termios.tcflow(watcher._session.port.fileno(), termios.TCOON)
        assert values(await watcher.read()) == FINE
        assert printer.received == asked * 2

    against_printer(tmp_path, scenario)


def test_the_deadline_covers_the_slowest_good_read() -> None:
    """The runner's deadline is longer than opening plus two sequences answered just in time."""
    watcher = watcher_of(Printer(device="/dev/ttyX9", answer_timeout_s=1.0))
    assert watcher.deadline_s > serial_link.OPEN_DEADLINE_S + 12 * 1.0
    assert (watcher.component, watcher.period_s) == ("printer", 10.0)
