"""Answers that come one query late: never taken for the state of another part of the printer."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from agent.core.health.reading import Reading
from agent.sim.printer import SimulatedPrinter
from agent.sim.printers.escpos import status
from agent.watch.drivers import escpos
from agent.watch.printer import exchange
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import against_printer, unknown, values

TROUBLES: tuple[dict[str, object], ...] = (
    {},
    {"cover_open": True},
    {"cutter_fault": True},
    {"overheated": True},
    {"unrecoverable": True},
    {"mechanical_fault": True},
    {"feed_button": True},
    {"switched_off_line": True},
    {"waiting_recovery": True},
)
FINE = {name: False for trouble in TROUBLES for name in trouble}


@pytest.mark.parametrize("one_bit", [True, False], ids=["one bit", "two bits"])
@pytest.mark.parametrize("drawer_high", [True, False], ids=["drawer high", "drawer low"])
def test_a_late_line_is_read_rightly_or_not_at_all(
    tmp_path: Path, one_bit: bool, drawer_high: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is wrong and whatever was before: the values are the printer's own, or unknown.

    A healthy printer whose drawer level is high once read as an open cover.
    """
    monkeypatch.setattr(exchange, "QUIET_S", 0.001)
    wrong: list[object] = []

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        watcher._link._find_owner = lambda path: None  # type: ignore[attr-defined]
        printer.switch(one_bit_sensors=one_bit)
        for paper, trouble in itertools.product(("ok", "low", "out"), TROUBLES):
            now = {**FINE, **trouble, "paper": paper, "drawer_pin_high": drawer_high}
            printer.switch(stale="off", **now)
            truth = values(await watcher.read())
            for before in ({}, {"drawer_pin_high": not drawer_high}, {"paper": "ok"}):
                printer.switch(stale="off", **{**now, **before})
                await watcher.read()
                printer.switch(stale="lag")
                printer._answer_before = last_answer(printer)
                printer.switch(**now)
                for _ in range(2):
                    told = await watcher.read()
                    if isinstance(told, Reading) and dict(told.values) != truth:
                        wrong.append((paper, trouble, before, told.evidence))

    against_printer(tmp_path, scenario, configured="escpos", paper_sensor="auto")
    assert wrong == []


def last_answer(printer: SimulatedPrinter) -> bytes:
    """What was answered to the last question."""
    return bytes((status(printer.conditions, printer.received[-1]),))


def test_paper_low_of_one_bit_is_no_drawer(tmp_path: Path) -> None:
    """`16` to n=4, handed over as the answer to n=1: asked once more, the line is found out."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(one_bit_sensors=True)
        assert values(await watcher.read())["paper"] == "ok"
        printer._answer_before = b"\x12"
        printer.switch(stale="lag", paper="low")
        assert unknown(await watcher.read()).evidence["finding"] == "out_of_step"

    against_printer(tmp_path, scenario, configured="escpos")


def test_a_drawer_that_moves_while_asked_is_no_trouble(tmp_path: Path) -> None:
    """Its level changes between two answers to n=1: a reading, in six questions."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        hear = printer._interpreter.feed

        def open_drawer(received: bytes) -> list[bytes]:
            if received == escpos.query(3):
                printer.switch(drawer_pin_high=True)
            return hear(received)

        printer._interpreter.feed = open_drawer  # type: ignore[method-assign]
        printer.received.clear()
        told = values(await watcher.read())
        assert (told["online"], told["paper"]) == (True, "ok")
        assert len(printer.received) == 6 * 3

    against_printer(tmp_path, scenario, configured="escpos")
