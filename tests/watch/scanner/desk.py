"""A simulated scanner and its watcher on one desk, with nothing left open behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from agent.config.devices import Scanner
from agent.core.health.reading import Outcome, Reading, Unknown
from agent.sim.scanners.scanner import SimulatedScanner
from agent.supervise import DaemonThreads
from agent.watch.scanner.presence import Presence, Usb
from agent.watch.scanner.watcher import ScannerWatcher, Surroundings
from tests.fakes import FakeClock

#: Ours alone, and we see everybody: the port may be opened.
FREE = {"sees_everybody": lambda: True}


@dataclass
class Desk:
    """What a scenario plays with."""

    sim: SimulatedScanner
    watcher: ScannerWatcher
    clock: FakeClock
    around: dict[str, Any] = field(default_factory=dict)

    async def read(self) -> Outcome:
        return await self.watcher.read()

    async def patient(self) -> Outcome:
        """As `read`, waiting long enough for an answer on however busy a test machine."""
        config = msgspec.structs.replace(self.watcher._config, answer_timeout_s=20.0)
        self.watcher._config = self.watcher._asker._config = config
        return await self.watcher.read()


def at_desk(
    tmp_path: Path,
    scenario: Callable[[Desk], Awaitable[None]],
    vendor: str = "honeywell",
    *,
    around: dict[str, Any] | None = None,
    **settings: Any,
) -> None:
    """Run `scenario` with a simulated scanner of `vendor` and a watcher set up for it."""

    async def run() -> None:
        path = tmp_path / "scanner"
        given = {"dialect": vendor, "answer_timeout_s": 5.0, **settings}
        config = Scanner(device=str(path), **given)
        clock = FakeClock(wall_ms=1_780_000_000_000)
        async with SimulatedScanner(path, vendor) as sim:
            watcher = ScannerWatcher(
                config, DaemonThreads(), clock, Surroundings(**{**FREE, **(around or {})})
            )
            try:
                await scenario(Desk(sim, watcher, clock))
            finally:
                await watcher.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def usb(**differs: Any) -> Callable[[str], Presence]:
    """A kernel that says: a USB scanner is there."""
    found = Usb(**{"vendor": "0c2e", "product": "0b61", "driver": "cdc_acm", **differs})
    return lambda _: Presence(connected=True, usb=found)


def reading(outcome: Outcome) -> Reading:
    assert isinstance(outcome, Reading), outcome
    return outcome


def unknown(outcome: Outcome, finding: str, code: str) -> Unknown:
    assert isinstance(outcome, Unknown), outcome
    assert (outcome.evidence["finding"], outcome.code) == (finding, code), outcome
    return outcome


async def until(condition: Callable[[], bool]) -> None:
    """Wait for the line to have done its part."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)  # a poll of a condition, not a pause for luck
