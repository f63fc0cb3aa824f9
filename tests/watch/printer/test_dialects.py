"""The watcher against printers of every dialect, told which it is or left to find out."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from agent.core.health.reading import Reading, Unknown
from agent.sim.printer import SimulatedPrinter
from agent.watch.printer import exchange
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import (
    FINE,
    against_printer,
    evidence,
    grow_patient,
    off,
    unknown,
    values,
)

STAR_FINE = FINE | {"paper_jam": False}
CUSTOM_FINE = {
    "paper": "ok",
    "cover_open": False,
    "overheated": False,
    "low_voltage": False,
    "hardware_fault": False,
    "fault_kind": "",
    "feed_button": False,
}


@pytest.mark.parametrize("told", ["star", "auto"])
@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, STAR_FINE),
        ({"paper": "low"}, STAR_FINE | {"paper": "low"}),
        ({"paper": "out"}, off("paper", paper="out", paper_jam=False)),
        ({"cover_open": True}, off("cover", cover_open=True, paper=None, paper_jam=False)),
        ({"cutter_fault": True}, off("error", cutter_fault=True, paper_jam=False)),
        ({"overheated": True}, off("error", overheated=True, paper_jam=False)),
        ({"switched_off_line": True}, off("switch", paper_jam=False)),
        (
            {"unrecoverable": True},
            off("error", hardware_fault=True, fault_kind="unrecoverable", paper_jam=False),
        ),
        ({"jam": True}, off("error", paper_jam=True)),
    ],
)
def test_a_star_printer_is_read(
    tmp_path: Path,
    told: str,
    conditions: dict[str, object],
    expected: dict[str, object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Told or found out, a Star printer's conditions become the same words; nothing is printed.

    Its answer to EOT looks like an ESC/POS printer that is well, which must never be believed.
    """
    monkeypatch.setattr(exchange, "STAR_SILENCES_S", (0.02, 0.03, 0.04))

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(**conditions)
        for _ in range(2):
            outcome = await watcher.read()
            assert values(outcome) == expected
        assert evidence(outcome)["language"] == "Star line mode"
        assert printer.received.endswith(b"\x1b\x06\x01" * 2 if told == "star" else b"\x1b\x06\x01")
        assert (printer.printed, printer.paper.cuts) == ("", 0)

    against_printer(tmp_path, scenario, dialect="star", configured=told)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, CUSTOM_FINE),
        ({"paper": "low"}, CUSTOM_FINE | {"paper": "low"}),
        ({"paper": "out"}, CUSTOM_FINE | {"paper": "out"}),
        ({"cover_open": True}, CUSTOM_FINE | {"paper": None, "cover_open": True}),
        ({"overheated": True}, CUSTOM_FINE | {"overheated": True}),
        ({"low_voltage": True}, CUSTOM_FINE | {"low_voltage": True}),
        (
            {"cutter_fault": True},
            CUSTOM_FINE | {"hardware_fault": True, "fault_kind": "unrecoverable"},
        ),
        ({"feed_button": True}, CUSTOM_FINE | {"feed_button": True}),
    ],
)
def test_a_custom_printer_is_read(
    tmp_path: Path, conditions: dict[str, object], expected: dict[str, object]
) -> None:
    """The FULL status, asked with DLE EOT 20 and nothing else."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(**conditions)
        assert values(await watcher.read()) == expected
        assert printer.received == b"\x10\x04\x14"
        assert printer.receipt == b""

    against_printer(tmp_path, scenario, dialect="custom", configured="custom")


def test_a_dialect_that_is_found_stays_found(tmp_path: Path) -> None:
    """The question in two halves is asked once a connection; then the printer is known."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        printer.received.clear()
        await watcher.read()
        assert printer.received == b"\x1b\x06\x01"

    against_printer(tmp_path, scenario, dialect="star")


@pytest.mark.parametrize("dialect", ["star", "custom"])
@pytest.mark.parametrize("trouble", ["silent", "garbage"])
def test_other_dialects_are_unknown_in_their_way(
    tmp_path: Path, dialect: str, trouble: str
) -> None:
    """Silence and garbage are unknown, never a fault, in every dialect."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(**{trouble: True})
        nothing = unknown(await watcher.read())
        assert nothing.evidence["finding"] == trouble
        printer.switch(**{trouble: False})
        assert values(await watcher.read())["paper"] == "ok"

    against_printer(tmp_path, scenario, answer_timeout_s=0.2, dialect=dialect, configured=dialect)


def test_the_wrong_dialect_is_no_reading(tmp_path: Path) -> None:
    """A printer asked in a language it does not speak is unknown, not well and not broken."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(paper="out")
        assert unknown(await watcher.read()).evidence["finding"] == "silent"

    against_printer(tmp_path, scenario, answer_timeout_s=0.2, configured="custom")
    against_printer(tmp_path, scenario, answer_timeout_s=0.2, configured="star")


@pytest.mark.parametrize(
    ("ink", "out", "low"),
    [
        ("ok", False, False),
        ("low", False, True),
        ("out", True, False),
        ("absent", True, False),
    ],
)
def test_ink_is_asked_where_the_printer_has_some(
    tmp_path: Path, ink: str, out: bool, low: bool
) -> None:
    """With also_ask = ["ink"] both cartridges are asked and ink_out is told."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(ink=ink)
        told = values(await watcher.read())
        assert (told["ink_out"], told["ink_low"]) == (out, low)
        assert printer.received.endswith(b"\x10\x04\x07\x01\x10\x04\x07\x02")
        assert printer.receipt == b""

    against_printer(tmp_path, scenario, also_ask=("ink",))


def test_a_slip_and_a_cheque_reader_are_told_in_words(tmp_path: Path) -> None:
    """What a station waits for is said, and raises nothing."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(slip="waiting", cheque_reader="waiting")
        told = values(await watcher.read())
        assert "waiting" in str(told["slip"])
        assert "waiting" in str(told["micr"])

    against_printer(tmp_path, scenario, also_ask=("slip", "micr"))


@pytest.mark.parametrize(
    ("configured", "one_bit", "paper"),
    [
        ("auto", True, "out"),
        ("auto", False, "out"),
        ("one_bit", True, "out"),
        ("two_bit", False, "out"),
    ],
)
def test_both_kinds_of_sensor_tell_an_empty_roll(
    tmp_path: Path, configured: str, one_bit: bool, paper: str
) -> None:
    """Whatever the wiring, paper out is told where the configuration fits or is auto."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(paper="out", one_bit_sensors=one_bit)
        assert values(await watcher.read())["paper"] == paper

    against_printer(tmp_path, scenario, paper_sensor=configured)


@pytest.mark.parametrize(("own", "set_to"), [(9600, 19200), (4800, 9600)])
def test_a_wrong_speed_is_named_where_the_printer_betrays_it(
    tmp_path: Path, own: int, set_to: int
) -> None:
    """Status sent at another speed is an interface mismatch with the likely setting."""
    from agent.watch.drivers.speed import as_received

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        answer = printer._write
        printer._write = lambda reply: answer(as_received(reply, own, set_to))  # type: ignore[method-assign]
        nothing = unknown(await watcher.read())
        assert nothing.code == "device.interface_mismatch"
        assert nothing.evidence["likely_baud"] == str(own)
        assert f"{own} baud" in nothing.reason

    against_printer(tmp_path, scenario, answer_timeout_s=0.3, baud=set_to)


@pytest.mark.parametrize("own", [9600, 38400, 115200])
def test_a_printer_at_another_speed_is_never_read_wrongly(tmp_path: Path, own: int) -> None:
    """Questions arrive mangled and so do answers: unknown, whatever the printer makes of it."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(baud=own, paper="out")
        unknown(await watcher.read())
        printer.switch(baud=19200)
        assert values(await watcher.read())["paper"] == "out"

    against_printer(tmp_path, scenario, answer_timeout_s=0.3)


@pytest.mark.parametrize("configured", ["auto", "escpos", "star", "custom"])
def test_whatever_arrives_nothing_breaks(tmp_path: Path, configured: str) -> None:
    """Random answers, whole and cut: an outcome every time, and a reading once it is well again."""
    chance = Random(7)
    spoken = "escpos" if configured == "auto" else configured

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        write = printer._write
        for _ in range(12):
            junk = chance.randbytes(chance.randint(1, 12))
            printer._write = lambda reply, junk=junk: write(junk)  # type: ignore[method-assign]
            outcome = await watcher.read()
            if isinstance(outcome, Unknown):
                assert outcome.evidence["finding"] in {"garbage", "out_of_step", "silent", "echo"}
            else:
                assert isinstance(outcome, Reading)
        printer._write = write  # type: ignore[method-assign]
        await watcher.close()
        grow_patient(watcher)
        assert values(await watcher.read())["paper"] == "ok"

    against_printer(
        tmp_path, scenario, answer_timeout_s=0.02, dialect=spoken, configured=configured
    )
