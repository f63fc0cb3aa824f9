"""A dialect that is not told is found out without a byte an ESC/POS printer would print or obey."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest

from agent.sim.printer import SimulatedPrinter
from agent.sim.printers.star import automatic_status
from agent.watch.printer import exchange
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import against_printer, grow_patient, unknown, values

STAR_QUESTION = b"\x1b\x06\x01"
#: What a Star printer answers to EOT, and whole frames of its own.
STAR_WORDS = (b"\x12", b"\x10", b"\x16", b"\x1a", b"\x70")
#: Everything that may be in an ESC/POS printer's answers, and much that should not.
ODD = (*STAR_WORDS, b"\x10\0", b"\x12\x12", b"\x18\0\x0f\0", b"\x23\x06" + bytes(7), b"\xf8\x80")


@pytest.fixture
def in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses shortened, all in the same proportion."""
    monkeypatch.setattr(exchange, "HALF_PAUSE_S", exchange.HALF_PAUSE_S / 4)
    silences_s = tuple(one / 4 for one in exchange.STAR_SILENCES_S)
    monkeypatch.setattr(exchange, "STAR_SILENCES_S", silences_s)


def only_questions(received: bytes) -> bool:
    """DLE EOT 1 to 4 and nothing else."""
    asked = [received[at : at + 3] for at in range(0, len(received), 3)]
    return all(one[:2] == b"\x10\x04" and one[2] in {1, 2, 3, 4} for one in asked)


@pytest.mark.usefixtures("in_haste")
@pytest.mark.parametrize("odd", ODD, ids=[odd.hex() for odd in ODD])
def test_odd_answers_never_make_it_ask_stars_question(tmp_path: Path, odd: bytes) -> None:
    """Instead of each answer, before it, and just after the first half of a question."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        write, hear = printer._write, printer._on_bytes

        def after_half(received: bytes) -> None:
            hear(received)
            if received == b"\x10\x04":
                write(odd)

        for answers in (lambda reply: write(odd), lambda reply: write(odd + reply)):
            printer._write = answers  # type: ignore[method-assign,assignment]
            await watcher.read()
            await watcher.close()
        printer._write = write  # type: ignore[method-assign]
        printer.unplug()
        printer._on_bytes = after_half  # type: ignore[method-assign]
        printer.plug()
        for _ in range(2):
            await watcher.read()
            await watcher.close()
        assert only_questions(printer.received)
        assert (printer.receipt, printer.printed) == (b"", "")

    against_printer(tmp_path, scenario, answer_timeout_s=0.05)


@pytest.mark.usefixtures("in_haste")
@pytest.mark.parametrize("slow_s", [0.06, 0.1, 0.12, 0.17, 0.28])
def test_answers_too_late_are_not_taken_for_stars(tmp_path: Path, slow_s: float) -> None:
    """Each comes in the pause of a later question, where a Star printer would answer."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        printer.switch(slow_s=slow_s)
        for _ in range(6):
            unknown(await watcher.read())
        assert only_questions(printer.received)
        printer.switch(slow_s=0)
        await asyncio.sleep(slow_s)
        grow_patient(watcher)
        assert values(await watcher.read())["paper"] == "ok"
        assert only_questions(printer.received)

    against_printer(tmp_path, scenario, answer_timeout_s=0.02)


@pytest.mark.usefixtures("in_haste")
def test_noise_is_answered_with_questions_only(tmp_path: Path) -> None:
    """Random bytes at random moments, much of them as a Star printer would send."""
    chance = Random(3)

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        async def keep_talking() -> None:
            while True:
                await asyncio.sleep(chance.uniform(0.001, 0.1))
                printer._write(chance.choice((*ODD, chance.randbytes(3))))

        talking = asyncio.create_task(keep_talking())
        for _ in range(12):
            await watcher.read()
            await watcher.close()
        talking.cancel()
        assert only_questions(printer.received)

    against_printer(tmp_path, scenario, answer_timeout_s=0.05)


def test_a_frame_in_stars_form_is_a_hint_for_people(tmp_path: Path) -> None:
    """Not proof enough to ask: the reason says what to configure."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        write = printer._write
        frame = automatic_status(printer.conditions, 0)
        printer._write = lambda reply: write(frame)  # type: ignore[method-assign]
        nothing = unknown(await watcher.read())
        assert '[printer] dialect = "star"' in nothing.reason

    against_printer(tmp_path, scenario, answer_timeout_s=0.2)


def test_a_printer_ruled_out_once_is_looked_at_again(tmp_path: Path) -> None:
    """A Star printer disturbed while it was found out is found a while later."""
    now_s = [0.0]

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        watcher._now_s = lambda: now_s[0]
        write = printer._write
        printer._write = lambda reply: write(reply * 2)  # type: ignore[method-assign]
        unknown(await watcher.read())
        printer._write = write  # type: ignore[method-assign]
        unknown(await watcher.read())
        assert STAR_QUESTION not in printer.received
        now_s[0] = 61.0
        assert values(await watcher.read())["paper"] == "ok"

    against_printer(tmp_path, scenario, dialect="star", answer_timeout_s=0.2)


@pytest.mark.parametrize("configured", ["auto", "star"])
def test_a_star_printer_is_not_asked_who_it_is(tmp_path: Path, configured: str) -> None:
    """GS I is ESC/POS: a Star printer would print its letters."""

    async def scenario(printer: SimulatedPrinter, watcher: PrinterWatcher) -> None:
        assert values(await watcher.read())["online"] is True
        assert await watcher.identity() == {}
        assert b"\x1dI" not in printer.received
        assert (printer.printed, printer.paper.cuts) == ("", 0)

    against_printer(tmp_path, scenario, dialect="star", configured=configured)
