"""A bench for the printer watcher's tests: its threads, its expectations, one printer wired up."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from agent.config.devices import Printer
from agent.core.health.reading import Outcome, Reading, Unknown
from agent.sim.printer import SimulatedPrinter
from agent.watch import printer as watch
from agent.watch.printer.watcher import PrinterWatcher

T = TypeVar("T")


class Threads:
    """A stand-in for the daemon's blocking calls: one daemon thread a call."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        self.names.append(name)
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if done.cancelled():
                return
            if error is None:
                done.set_result(result)  # type: ignore[arg-type]
            else:
                done.set_exception(error)

        def run() -> None:
            result, failed = None, None
            try:
                result = function()
            except Exception as error:  # noqa: BLE001  # handed to the caller
                failed = error
            with contextlib.suppress(RuntimeError):  # nobody waits: the loop has closed
                loop.call_soon_threadsafe(settle, result, failed)

        threading.Thread(target=run, daemon=True).start()
        return await asyncio.wait_for(done, deadline_s)


Scenario = Callable[[SimulatedPrinter, PrinterWatcher], Awaitable[None]]


def watcher_of(config: Printer, threads: Threads | None = None, **given: object) -> PrinterWatcher:
    """The watcher of a printer there is."""
    built = watch.build(config, threads or Threads(), **given)  # type: ignore[arg-type]
    assert isinstance(built, PrinterWatcher)
    return built


def against_printer(
    tmp_path: Path,
    scenario: Scenario,
    answer_timeout_s: float = 2.0,
    dialect: str = "escpos",
    configured: str = "auto",
    **settings: object,
) -> None:
    """Run `scenario` with a simulated printer and its watcher, and leave nothing open.

    `dialect` is the printer's own language, `configured` what the watcher is told of it.
    """
    settings |= {"answer_timeout_s": answer_timeout_s, "dialect": configured}

    async def run() -> None:
        path = tmp_path / "printer"
        config = Printer(device=str(path), **settings)  # type: ignore[arg-type]
        async with SimulatedPrinter(path, dialect=dialect) as printer:  # type: ignore[arg-type]
            watcher = watcher_of(config)
            try:
                await scenario(printer, watcher)
            finally:
                await watcher.close()

    asyncio.run(asyncio.wait_for(run(), 30))


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until it holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


def answer_within(watcher: PrinterWatcher, seconds: float) -> None:
    """Change how long an answer may take."""
    watcher._config = msgspec.structs.replace(watcher._config, answer_timeout_s=seconds)


def grow_patient(watcher: PrinterWatcher) -> None:
    """From now on wait long enough for an answer on however busy a test machine."""
    answer_within(watcher, 20.0)


def values(outcome: Outcome) -> dict[str, object]:
    assert isinstance(outcome, Reading), outcome
    return dict(outcome.values)


def evidence(outcome: Outcome) -> dict[str, str]:
    assert isinstance(outcome, Reading), outcome
    return dict(outcome.evidence)


def unknown(outcome: Outcome) -> Unknown:
    assert isinstance(outcome, Unknown), outcome
    return outcome


FINE = {
    "online": True,
    "offline": False,
    "offline_reason": "",
    "paper": "ok",
    "cover_open": False,
    "cutter_fault": False,
    "overheated": False,
    "hardware_fault": False,
    "fault_kind": "",
    "feed_button": False,
    "waiting_recovery": False,
}


def off(reason: str, **differs: object) -> dict[str, object]:
    """FINE, but off-line."""
    return FINE | {"online": False, "offline": True, "offline_reason": reason} | differs
