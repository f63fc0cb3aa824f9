"""Automatic status: the printer rings, and is read at once.

How long that takes on a clock is measured by the bench; here nothing but the frame may be waited
for, which is what keeps it below a second.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.sim.printer import SimulatedPrinter
from agent.watch.printer.push import ARM, DISARM
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import (
    FINE,
    against_printer,
    answer_within,
    grow_patient,
    unknown,
    until,
    values,
)


def heeded(watcher: PrinterWatcher) -> asyncio.Event:
    rung = asyncio.Event()
    watcher.heed(rung.set)
    return rung


async def ring_of(rung: asyncio.Event) -> None:
    """The ring, however busy the machine."""
    await asyncio.wait_for(rung.wait(), 20)
    rung.clear()


CHANGES = [
    {"paper": "out"},
    {"paper": "low"},
    {"cover_open": True},
    {"cutter_fault": True},
    {"overheated": True},
    {"unrecoverable": True},
    {"switched_off_line": True},
]


@pytest.mark.parametrize("conditions", CHANGES)
def test_a_change_rings_at_once(tmp_path: Path, conditions: dict[str, object]) -> None:
    """No reading is due, the printer changes: the bell rings and the reading shows it."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        rung = heeded(watcher)
        assert values(await watcher.read()) == FINE
        await until(lambda: printer.received.endswith(ARM))
        asked = bytes(printer.received)
        printer.switch(**conditions)
        await ring_of(rung)
        # Nobody asked anything and no clock ran out: only the frame the printer sent is awaited.
        assert printer.received == asked
        assert values(await watcher.read()) != FINE
        # Six questions at once, not a sequence of seconds: the change shows well within one.
        assert len(printer.received) - len(asked) <= 6 * 3
        printer.switch(
            **{name: type(value)() for name, value in conditions.items()} | {"paper": "ok"}
        )
        await ring_of(rung)
        assert values(await watcher.read()) == FINE

    against_printer(tmp_path, scenario, push=True)


def test_a_cable_pulled_rings_too(tmp_path: Path) -> None:
    """A hang-up is noticed between readings."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        rung = heeded(watcher)
        await watcher.read()
        printer.unplug()
        await ring_of(rung)
        unknown(await watcher.read())
        printer.plug()
        assert values(await watcher.read()) == FINE
        printer.switch(paper="low")  # before it has even heard that it is to ring
        await ring_of(rung)

    against_printer(tmp_path, scenario, push=True)


def test_without_push_nothing_is_armed(tmp_path: Path) -> None:
    """GS a is sent only where it is configured, and only when somebody listens."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        heeded(watcher)
        await watcher.read()
        assert b"\x1d" not in printer.received

    against_printer(tmp_path, scenario)

    async def deaf(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        await watcher.read()
        assert b"\x1d" not in printer.received

    against_printer(tmp_path, deaf, push=True)


def test_it_is_armed_once_and_only_on_line(tmp_path: Path) -> None:
    """An off-line printer would save the command up; an armed one needs no second."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        heeded(watcher)
        printer.switch(paper="out")
        await watcher.read()
        await watcher.read()
        assert ARM not in printer.received
        printer.switch(paper="ok")
        for _ in range(3):
            await watcher.read()
        assert printer.received.count(ARM) == 1
        printer.switch(silent=True)
        answer_within(watcher, 0.1)
        unknown(await watcher.read())
        grow_patient(watcher)
        printer.switch(silent=False)
        await watcher.read()
        await until(lambda: printer.received.count(ARM) == 2)

    against_printer(tmp_path, scenario, push=True)


def test_letting_go_disarms(tmp_path: Path) -> None:
    """Closed in good order, the printer is left as it was found."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        rung = heeded(watcher)
        await watcher.read()
        heard = asyncio.Event()
        feed = printer._interpreter.feed

        def noticed(received: bytes) -> list[bytes]:
            if DISARM in received:
                heard.set()
            return feed(received)

        printer._interpreter.feed = noticed  # type: ignore[method-assign]
        fd = watcher._session.port.fileno()  # type: ignore[union-attr]
        assert watcher._session.bell is not None
        watcher._session.bell.disarm(fd)
        await asyncio.wait_for(heard.wait(), 10)
        assert not rung.is_set()

    against_printer(tmp_path, scenario, push=True)


def test_a_change_during_the_reading_is_not_lost(tmp_path: Path) -> None:
    """A frame that crosses the answers, after the question it concerns, rings for another read."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        rung = heeded(watcher)
        await watcher.read()
        await watcher.read()
        answer = printer._answer
        asked = 0

        def open_cover_late(reply: bytes) -> None:
            nonlocal asked
            asked += 1
            answer(reply)
            if asked == 3:  # query 2, about the cover, was answered before
                printer._answer = answer  # type: ignore[method-assign]
                printer.switch(paper="low")

        printer._answer = open_cover_late  # type: ignore[method-assign]
        await watcher.read()
        await ring_of(rung)
        assert values(await watcher.read())["paper"] == "low"

    against_printer(tmp_path, scenario, push=True)


def test_noise_and_repeated_frames_do_not_ring(tmp_path: Path) -> None:
    """Only a frame that says something new is worth a question."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        rung = heeded(watcher)
        await watcher.read()
        assert watcher._session.bell is not None
        noticed = asyncio.Event()
        arrived = watcher._session.bell._arrived

        def count() -> None:
            arrived()
            noticed.set()

        fd = watcher._session.port.fileno()  # type: ignore[union-attr]
        asyncio.get_running_loop().add_reader(fd, count)
        for noise in (b"\x10\0\0\0", b"\xff\xfe", b"\x12", b"\x10\0"):
            noticed.clear()
            printer._write(noise)
            await asyncio.wait_for(noticed.wait(), 10)
        assert not rung.is_set()

    against_printer(tmp_path, scenario, push=True)
