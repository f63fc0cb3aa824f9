"""A printer on the network: one exchange a connection, refusals, queues, names."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from agent.config.devices import Printer as Config
from agent.core.health.reading import NotObservable
from agent.sim.printers.lines import TcpLine
from agent.sim.printers.printer import Printer
from agent.watch.printer.tcp_link import place_of
from agent.watch.printer.watcher import PrinterWatcher
from tests.watch.printer.bench import FINE, unknown, until, values, watcher_of

Scenario = Callable[[Printer, PrinterWatcher], Awaitable[None]]


def against_network(scenario: Scenario, dialect: str = "escpos", **settings: object) -> None:
    async def run() -> None:
        line = TcpLine()
        async with Printer(line, dialect=dialect) as printer:  # type: ignore[arg-type]
            given = {"device": f"tcp://127.0.0.1:{line.port}", "answer_timeout_s": 2.0} | settings
            watcher = watcher_of(Config(**given))  # type: ignore[arg-type]
            await scenario(printer, watcher)

    asyncio.run(asyncio.wait_for(run(), 30))


def line_of(printer: Printer) -> TcpLine:
    assert isinstance(printer.line, TcpLine)
    return printer.line


def test_a_network_printer_is_read_and_let_go() -> None:
    """Connect, ask, close: afterwards the printer is free for the payment app."""

    async def scenario(printer: Printer, watcher: PrinterWatcher) -> None:
        for paper in ("ok", "out", "low"):
            printer.switch(paper=paper)
            assert values(await watcher.read())["paper"] == paper
            await until(lambda: not line_of(printer).busy)
        assert line_of(printer).clients == 3
        assert printer.receipt == b""

    against_network(scenario)


def test_a_printer_that_serves_the_app_is_unknown_and_the_app_is_not_disturbed() -> None:
    """While the app prints we wait in the queue, give up, and leave nothing in the receipt."""

    async def scenario(printer: Printer, watcher: PrinterWatcher) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", line_of(printer).port)
        writer.write(b"sold\n")
        await until(lambda: line_of(printer).busy)
        nothing = unknown(await watcher.read())
        assert nothing.evidence["finding"] == "silent"
        assert "payment app" in nothing.reason
        writer.write(b"paid\n")
        await until(lambda: printer.printed == "sold\npaid\n")
        writer.close()
        await writer.wait_closed()
        assert printer.receipt == b"sold\npaid\n"

    against_network(scenario, answer_timeout_s=0.2)


def test_a_star_printer_on_the_network_is_found_out() -> None:
    """Detected on the first connection, remembered on the next."""

    async def scenario(printer: Printer, watcher: PrinterWatcher) -> None:
        printer.switch(paper="out")
        assert values(await watcher.read())["paper"] == "out"
        printer.received.clear()
        assert values(await watcher.read())["paper"] == "out"
        assert printer.received == b"\x1b\x06\x01"

    against_network(scenario, dialect="star")


def test_a_refusal_is_in_use_or_off_not_a_fault() -> None:
    """Nobody listens: unknown with its own word, and read again when it listens."""

    async def scenario(printer: Printer, watcher: PrinterWatcher) -> None:
        printer.unplug()
        nothing = unknown(await watcher.read())
        assert (nothing.evidence["finding"], nothing.code) == ("refused", "printer.not_answering")
        printer.plug()
        assert values(await watcher.read()) == FINE

    against_network(scenario)


def test_a_connection_that_breaks_is_unplugged() -> None:
    """The printer hangs up in the middle of an exchange: unknown, at once."""

    async def scenario(printer: Printer, watcher: PrinterWatcher) -> None:
        printer._write = lambda reply: line_of(printer)._hang_up(None)  # type: ignore[method-assign]
        assert unknown(await watcher.read()).evidence["finding"] == "unplugged"

    against_network(scenario)


def test_a_name_nobody_knows_is_said_to_be() -> None:
    """A printer's name that does not resolve is a sentence about the name."""
    watcher = watcher_of(Config(device="tcp://printer.invalid:9100"))

    class Nowhere:
        async def call(self, name: str, function: Callable[[], object], deadline_s: float) -> None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    watcher._link._blocking = Nowhere()  # type: ignore[attr-defined]
    nothing = unknown(asyncio.run(watcher.read()))
    assert nothing.evidence["finding"] == "unresolved"
    assert "printer.invalid" in nothing.reason


@pytest.mark.parametrize(
    ("device", "place"),
    [
        ("tcp://192.168.1.50", ("192.168.1.50", 9100)),
        ("tcp://printer:515", ("printer", 515)),
        ("tcp://[fd00::7]:9100/", ("fd00::7", 9100)),
    ],
)
def test_a_place_is_host_and_port(device: str, place: tuple[str, int]) -> None:
    """Port 9100 unless another is given."""
    assert place_of(device) == place


@pytest.mark.parametrize("device", ["tcp://", "tcp://h:0", "tcp://u@h", "tcp://h/x", "http://h"])
def test_a_place_that_is_none_is_refused(device: str) -> None:
    """What is not tcp://host:port is not guessed at."""
    with pytest.raises(ValueError, match="tcp://host:port"):
        place_of(device)


def test_a_network_printer_that_is_not_asked_is_not_observable() -> None:
    """Nothing is known of it without connecting, and nothing is made up."""
    watcher = watcher_of(Config(device="tcp://192.0.2.1:9100", share="off"))
    assert isinstance(asyncio.run(watcher.read()), NotObservable)
