"""A receipt is the same byte for byte, whether the agent watches the printer or not.

A real python-escpos client in a process of its own prints five receipts on a simulated printer,
alone and then beside the real watcher, in every way the two may share a printer. The controls show
that the comparison would notice: a watcher that sends ESC @, or asks at the wrong place, fails it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any

import pytest

from agent.config.devices import Printer as Config
from agent.core.health.reading import Outcome, Reading, Unknown
from agent.sim.printers.conditions import Conditions
from agent.sim.printers.lines import PtyLine, TcpLine
from agent.sim.printers.printer import Printer, SimulatedPrinter
from agent.sim.printers.star import automatic_status
from agent.supervise import DaemonThreads
from agent.watch.drivers import escpos
from agent.watch.printer import build
from agent.watch.printer.watcher import PrinterWatcher
from tests.hardware.till import RECEIPTS

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 60.0
RESET = b"\x1b@"


@dataclass
class Till:
    """What the application heard from the printer."""

    heard: list[tuple[int, bytes]] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None

    def go_on(self) -> None:
        """One that has its port to itself waits for this before the first receipt."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")

    async def print_all(
        self,
        printer: Printer,
        told: Callable[[int, bytes], None] = lambda n, byte: None,
        kind: str = "",
        wait: Callable[[], Awaitable[None]] | None = None,
    ) -> bytes:
        """Print everything; the bytes that came out of the printer.

        With `wait` the application is paced by it: see `tests.hardware.till`.
        """
        line = printer.line
        kind = kind or ("tcp" if isinstance(line, TcpLine) else "serial")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.hardware.till", kind, line.name, *["paced"] * bool(wait),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self.process = process
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            while line_of_output := await process.stdout.readline():
                word, *said = line_of_output.decode().split()
                if word == "waiting" and wait is not None:
                    await wait()
                    self.go_on()
                if word != "heard":
                    continue  # the library talks, too
                answer = (int(said[0]), bytes.fromhex(said[1]))
                self.heard.append(answer)
                told(*answer)
            errors = (await process.stderr.read()).decode()
            assert await process.wait() == 0, errors
            while printer.paper.cuts < len(RECEIPTS) or (isinstance(line, TcpLine) and line.busy):
                await asyncio.sleep(0.005)
        finally:
            if process.returncode is None:
                process.kill()
            assert process.stdin is not None
            process.stdin.close()  # communicate() leaves it to the garbage collector
            await process.communicate()
        return printer.receipt


def watcher_of(config: Config) -> PrinterWatcher:
    watcher = build(config, DaemonThreads())
    assert isinstance(watcher, PrinterWatcher)
    return watcher


@contextlib.asynccontextmanager
async def watched(
    config: Config, every_s: float = 0.005, watcher: PrinterWatcher | None = None
) -> AsyncIterator[list[Outcome]]:
    """The real watcher, asking a thousand times as often as it would."""
    watcher = watcher or watcher_of(config)
    watcher.heed(lambda: None)
    said: list[Outcome] = []

    async def keep_asking() -> None:
        while True:
            said.append(await watcher.read())
            await asyncio.sleep(every_s)

    asking = asyncio.create_task(keep_asking())
    try:
        yield said
    finally:
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        await watcher.close()


def run(scenario: Awaitable[None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(PATIENCE_S):
            await scenario

    asyncio.run(limited())


async def alone_on_pty(tmp_path: Path) -> tuple[bytes, bytes, Till]:
    """Receipt, every byte sent and what was heard, without the agent."""
    till = Till()
    async with SimulatedPrinter(tmp_path / "alone") as printer:
        receipt = await till.print_all(printer)
        return receipt, bytes(printer.received), till


async def alone_on_tcp() -> tuple[bytes, Till]:
    till = Till()
    async with Printer(TcpLine()) as printer:
        return await till.print_all(printer), till


def readings(said: list[Outcome]) -> list[Reading]:
    return [outcome for outcome in said if isinstance(outcome, Reading)]


def another(said: list[Outcome], kind: type | UnionType = Outcome) -> Callable[[], Awaitable[None]]:
    """Waits for an outcome that was begun from then on, so that a fast application is no matter."""

    def count() -> int:
        return sum(isinstance(outcome, kind) for outcome in said)

    async def wait() -> None:
        enough = count() + 2
        while count() < enough:
            await asyncio.sleep(0.005)

    return wait


def test_receipts_are_what_the_application_sent(tmp_path: Path) -> None:
    """Alone, over either connection: everything but the questions, and all of it substantial."""

    async def scenario() -> None:
        on_pty, sent, till = await alone_on_pty(tmp_path)
        on_tcp, _ = await alone_on_tcp()
        # One connection for each receipt makes the library select its code page anew.
        assert on_pty.count(b"\x1dV") == on_tcp.count(b"\x1dV") == len(RECEIPTS)
        assert till.heard == [(1, b"\x12"), (4, b"\x12")] * len(RECEIPTS)
        assert len(on_pty) > 30_000
        questions = b"\x10\x04\x01\x10\x04\x04"
        assert len(sent) == len(on_pty) + len(RECEIPTS) * len(questions)
        assert "商户名称：北京小店".encode("gb18030") in on_pty

    run(scenario())


def test_polling_and_streaming_on_a_port_of_its_own(tmp_path: Path) -> None:
    """A printer with two interfaces: the agent polls and is pushed to on one, both are served."""

    async def scenario() -> None:
        expected, sent, alone = await alone_on_pty(tmp_path)
        till = Till()
        async with SimulatedPrinter(tmp_path / "till") as printer:
            own = Printer(PtyLine(tmp_path / "agent"), paper=printer.paper)
            async with own, watched(Config(device=own.line.name, push=True)) as said:
                assert await till.print_all(printer, wait=another(said)) == expected
                own.switch(paper="low")
                while readings(said)[-1].values["paper"] != "low":
                    await asyncio.sleep(0.005)
                assert b"\x1da" in own.received  # it did arm automatic status
        assert printer.received == sent
        assert till.heard == alone.heard
        assert len(readings(said)) == len(said)

    run(scenario())


@pytest.mark.parametrize(
    "odd",
    [
        {"stale": "lag"},
        {"stale": "lag", "drawer_pin_high": True},
        {"garbage": True},
        {"slow_s": 0.15},
        {"says": b"\x10"},
        {"says": b"\x12"},
        {"says": automatic_status(Conditions(), 0)},
    ],
    ids=["late", "late, drawer", "garbage", "slow", "star's word", "as escpos", "star's frame"],
)
def test_an_untold_dialect_with_odd_answers(tmp_path: Path, odd: dict[str, Any]) -> None:
    """Whatever comes back while the dialect is found out, no byte of it gets on the receipt."""

    async def scenario() -> None:
        expected, _, _ = await alone_on_pty(tmp_path)
        says = odd.get("says")
        async with SimulatedPrinter(tmp_path / "till") as printer:
            own = Printer(PtyLine(tmp_path / "agent"), paper=printer.paper)
            hear = own._on_bytes

            def talk_early(received: bytes) -> None:
                hear(received)
                if received == b"\x10\x04":  # where a Star printer would answer
                    own._write(says)

            if says is None:
                own.switch(**odd)
            else:
                own._on_bytes = talk_early  # type: ignore[method-assign]

            async def found_out() -> None:
                while len(said) < 4:
                    await asyncio.sleep(0.005)

            config = Config(device=own.line.name, answer_timeout_s=0.1)
            async with own, watched(config) as said:
                assert await Till().print_all(printer, wait=found_out) == expected
            asked = bytes(own.received)
        assert printer.receipt == expected
        assert {asked[at : at + 2] for at in range(0, len(asked), 3)} == {b"\x10\x04"}
        assert set(asked[2::3]) <= {1, 2, 3, 4}

    run(scenario())


def test_short_connections_between_those_of_the_application() -> None:
    """A network printer serves one at a time: the agent comes in between, and never in the way."""

    async def scenario() -> None:
        expected, alone = await alone_on_tcp()
        till = Till()
        line = TcpLine()
        async with Printer(line) as printer:
            config = Config(device=f"tcp://{line.name}", answer_timeout_s=0.05)
            async with watched(config) as said:
                assert await till.print_all(printer, wait=another(said, Reading)) == expected
                while not isinstance(said[-1], Reading):
                    await asyncio.sleep(0.005)
        assert till.heard == alone.heard
        assert line.clients > len(RECEIPTS) + 5
        assert all(
            outcome.code == "printer.not_answering"
            for outcome in said
            if isinstance(outcome, Unknown)
        )

    run(scenario())


def test_pass_through_puts_no_byte_on_the_line(tmp_path: Path) -> None:
    """The application passes its answers on; the printer is sent what it was sent without us."""

    async def scenario() -> None:
        expected, sent, alone = await alone_on_pty(tmp_path)
        till = Till()
        async with SimulatedPrinter(tmp_path / "till") as printer:
            config = Config(device=str(printer.path), share="pass_through")
            watcher = watcher_of(config)
            understood = 0

            def pass_on(n: int, byte: bytes) -> None:
                nonlocal understood
                understood += watcher.hear(byte, n)

            async with watched(config, watcher=watcher) as said:
                assert await till.print_all(printer, pass_on, wait=another(said)) == expected
            assert not any(isinstance(outcome, Unknown) for outcome in said)
            told = readings(said)[-1].values
            assert (told["online"], told["paper"]) == (True, "ok")
            assert printer.received == sent
            assert understood == len(till.heard)
        assert till.heard == alone.heard

    run(scenario())


@pytest.mark.parametrize("held", ["locked", "open"])
def test_a_port_the_application_holds_is_left_alone(tmp_path: Path, held: str) -> None:
    """Asked to watch a serial port that is the application's, the agent sees it and stays out.

    Whether it locks the port, as pyserial does on demand, or merely has it open.
    """

    async def scenario() -> None:
        expected, sent, alone = await alone_on_pty(tmp_path)
        till = Till()
        async with SimulatedPrinter(tmp_path / "till") as printer:
            started = asyncio.Event()
            printing = asyncio.create_task(
                till.print_all(printer, lambda n, byte: started.set(), kind=held)
            )
            await started.wait()  # it has the port open
            async with watched(Config(device=str(printer.path)), every_s=0.001) as said:
                while not said:
                    await asyncio.sleep(0.001)
                till.go_on()
                while len(printer.received) < len(sent):
                    await asyncio.sleep(0.001)
                # What follows is the watcher's: the application has gone by then.
                assert printer.received[: len(sent)] == sent
                assert await printing == expected
                while not readings(said):  # the application has gone, so the port is free
                    await asyncio.sleep(0.005)
            kept_out = [outcome for outcome in said if isinstance(outcome, Unknown)]
            assert kept_out
            assert {outcome.evidence["finding"] for outcome in kept_out} == {"busy"}
            assert printer.receipt == expected
        assert till.heard == alone.heard

    run(scenario())


def test_the_comparison_notices_the_watcher_itself_become_rude(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: the same watcher in the same place, made to send ESC @ before every question."""
    polite = escpos.query
    monkeypatch.setattr(escpos, "query", lambda n: RESET + polite(n))

    async def scenario() -> None:
        expected, _, _ = await alone_on_pty(tmp_path)
        async with SimulatedPrinter(tmp_path / "till") as printer:
            own = Printer(PtyLine(tmp_path / "agent"), paper=printer.paper)
            async with own, watched(Config(device=own.line.name)) as said:
                receipt = await Till().print_all(printer, wait=another(said))
        assert readings(said)
        assert receipt != expected
        assert receipt.count(RESET) > expected.count(RESET)

    run(scenario())


async def interrupted(printer: Printer, sent: bytes, heard_by: Printer | None = None) -> bytes:
    """Print everything; `sent` arrives from a second writer in the middle of a large image."""
    hear = printer._on_bytes
    done = False

    def overhear(received: bytes) -> None:
        nonlocal done
        hear(received)
        if not done and len(printer._interpreter._raw) > 1_000:
            done = True
            (hear if heard_by is None else heard_by._on_bytes)(sent)

    printer._on_bytes = overhear  # type: ignore[method-assign]
    printer.unplug()
    printer.plug()
    receipt = await Till().print_all(printer)
    assert done
    return receipt


def test_the_comparison_notices_a_rude_watcher_on_the_same_line(tmp_path: Path) -> None:
    """Control: ESC @ on the application's line in the middle of a receipt shows."""

    async def scenario() -> None:
        expected, _, _ = await alone_on_pty(tmp_path)
        async with SimulatedPrinter(tmp_path / "till") as printer:
            assert await interrupted(printer, RESET) != expected

    run(scenario())


def test_the_comparison_notices_a_rude_watcher_on_a_port_of_its_own(tmp_path: Path) -> None:
    """Control: ESC @ through the second interface resets what the first is printing with."""

    async def scenario() -> None:
        expected, _, _ = await alone_on_pty(tmp_path)
        async with SimulatedPrinter(tmp_path / "till") as printer:
            own = Printer(PtyLine(tmp_path / "agent"), paper=printer.paper)
            async with own:
                receipt = await interrupted(printer, RESET, heard_by=own)
            assert receipt != expected
            assert len(receipt) == len(expected) + len(RESET)

    run(scenario())


def test_the_comparison_notices_a_question_at_the_wrong_place(tmp_path: Path) -> None:
    """Control: DLE EOT from a second writer inside an image becomes part of the image."""

    async def scenario() -> None:
        expected, _, _ = await alone_on_pty(tmp_path)
        async with SimulatedPrinter(tmp_path / "till") as printer:
            assert await interrupted(printer, b"\x10\x04\x01") != expected

    run(scenario())


def test_the_comparison_notices_a_rude_watcher_between_connections() -> None:
    """Control: ESC @ in a short connection between two receipts shows as well."""

    async def scenario() -> None:
        expected, _ = await alone_on_tcp()
        line = TcpLine()
        async with Printer(line) as printer:
            _, writer = await asyncio.open_connection(line.host, line.port)
            writer.write(RESET)
            writer.close()
            receipt = await Till().print_all(printer)
            assert receipt == RESET + expected

    run(scenario())
