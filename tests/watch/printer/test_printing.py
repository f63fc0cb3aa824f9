"""Slips through the watcher's own port: only onto a printer that is ready, and no claim beyond."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.config.devices import Printer as Config
from agent.core.health.reading import Reading
from agent.sim.printer import SimulatedPrinter
from agent.watch.printer import build
from agent.watch.printer.printing import PrintError, Put, trouble
from agent.watch.printer.watcher import PrinterWatcher

T = TypeVar("T")
TOLD = "打印机 ok\n".encode("gb18030") * 40


class Threads:
    """Blocking calls in threads."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        async with asyncio.timeout(deadline_s):
            return await asyncio.to_thread(function)


def with_printer(path: Path, work: Callable[[PrinterWatcher, SimulatedPrinter], Any]) -> None:
    """Run `work` with a watcher on a simulated printer."""

    async def run() -> None:
        async with SimulatedPrinter(path / "lp") as printer:
            watcher = build(Config(device=str(path / "lp"), dialect="escpos"), Threads())
            assert isinstance(watcher, PrinterWatcher)
            try:
                await work(watcher, printer)
            finally:
                await watcher.close()

    asyncio.run(run())


def test_all_of_it_is_printed_and_confirmed(tmp_path: Path) -> None:
    """The printer answers when it is through; the status is still read afterwards."""

    async def work(watcher: PrinterWatcher, printer: SimulatedPrinter) -> None:
        assert await watcher.put(TOLD) == Put(confirmed=True)
        assert printer.printed == "打印机 ok\n" * 40
        assert isinstance(await watcher.read(), Reading)

    with_printer(tmp_path, work)


@pytest.mark.parametrize(
    ("switched", "said"),
    [
        ({"paper": "out"}, "out of paper"),
        ({"cover_open": True}, "cover is open"),
        ({"silent": True}, "no answer"),
    ],
)
def test_nothing_is_sent_to_a_printer_that_is_not_ready(
    tmp_path: Path, switched: dict[str, Any], said: str
) -> None:
    """Out of paper, open or silent: the reason, and not a byte on paper."""

    async def work(watcher: PrinterWatcher, printer: SimulatedPrinter) -> None:
        printer.switch(**switched)
        with pytest.raises(PrintError, match=said) as caught:
            await watcher.put(TOLD)
        assert caught.value.code == "print.not_ready"
        assert printer.receipt == b""

    with_printer(tmp_path, work)


def test_paper_that_ends_in_the_middle_is_said(tmp_path: Path) -> None:
    """Half of it is on paper: that is not called printed."""

    async def work(watcher: PrinterWatcher, printer: SimulatedPrinter) -> None:
        write = printer.paper.write

        def until_it_ends(text: str) -> None:
            write(text)
            printer.paper.write = write  # type: ignore[method-assign]
            asyncio.get_running_loop().call_soon(lambda: printer.switch(paper="out"))

        # The roll ends with the first character; what was in one packet is still printed.
        printer.paper.write = until_it_ends  # type: ignore[method-assign]
        with pytest.raises(PrintError, match="out of paper") as caught:
            await watcher.put(TOLD * 40)
        assert caught.value.code == "print.stopped"
        assert len(printer.printed) < len("打印机 ok\n" * 1600)

    with_printer(tmp_path, work)


def test_a_port_of_the_payment_app_is_left_alone(tmp_path: Path) -> None:
    """Passed-through and off: nothing is opened."""

    async def run() -> None:
        for share in ("pass_through", "off"):
            watcher = build(Config(device=str(tmp_path / "lp"), share=share), Threads())
            assert isinstance(watcher, PrinterWatcher)
            with pytest.raises(PrintError, match="payment app") as caught:
                await watcher.put(TOLD)
            assert caught.value.code == "print.owned"

    asyncio.run(run())


def test_unknown_is_not_ready() -> None:
    """A printer that says nothing about itself is not printed on."""
    assert trouble({}) == "it does not say that it is ready"
    assert trouble({"online": True, "paper": "low"}) == ""
    assert trouble({"paper": "ok"}) == ""
