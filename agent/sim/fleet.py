"""A fleet of simulated terminals against one broker: for loads, outages and reconnect storms.

Decides how many processes there are and watches them; a terminal is `fleet_terminal`, its life
`fleet_story`. Public and documented (docs/fleet/simulator.md); never loaded by the daemon.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from agent.errors import OperatorError, RemoteError
from agent.sim.fleet_story import Troubles
from agent.sim.fleet_worker import MOST

#: Descriptors of a process with 300 terminals, and some.
DESCRIPTORS = 1_100
#: New connections a second while the fleet starts, unless told otherwise.
STARTS_PER_S = 50
END_TIMEOUT_S = 15.0
LONGEST_RAMP_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """What to simulate. `settings`: keys of [telemetry] to change, as in the agent's own file."""

    count: int
    broker: str
    tenant: str = "sim"
    prefix: str = "S-"
    seed: int = 1
    certs: Path | None = None
    ramp_s: float = 0.0
    report: Path | None = None
    per_process: int = MOST
    troubles: Troubles = field(default_factory=Troubles)
    settings: Mapping[str, Any] = field(default_factory=dict)
    #: The module that is run; a rig's control runs another one.
    worker: str = "agent.sim.fleet_worker"

    def names(self) -> list[str]:
        """The device ids."""
        return [f"{self.prefix}{number:06d}" for number in range(1, self.count + 1)]


@dataclass(slots=True)
class Figures:
    """What the whole fleet is and did, summed over its processes."""

    terminals: int = 0
    connected: int = 0
    offline: int = 0
    tries: int = 0
    reached: int = 0
    made: int = 0
    acked: int = 0
    queued: int = 0
    payments: int = 0
    waiting: int = 0

    @classmethod
    def of(cls, parts: Sequence[Mapping[str, int]]) -> Figures:
        """The sum."""
        names = [each.name for each in fields(cls)]
        return cls(**{name: sum(part.get(name, 0) for part in parts) for name in names})


class Fleet:
    """`async with Fleet(options) as fleet: … fleet.figures`; leaving ends every process."""

    def __init__(self, options: FleetOptions) -> None:
        self._options = options
        self._host, self._port = _address(options)
        self._processes: list[asyncio.subprocess.Process] = []
        self._said: list[dict[str, int]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._scratch: tempfile.TemporaryDirectory[str] | None = None
        self._began_s = 0.0
        self.died = asyncio.Event()  #: a process ended by itself

    @property
    def figures(self) -> Figures:
        """What is true now."""
        return Figures.of(self._said)

    @property
    def pids(self) -> list[int]:
        """The processes."""
        return [each.pid for each in self._processes]

    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began_s

    async def __aenter__(self) -> Self:
        _descriptors()
        self._began_s = time.monotonic()
        if self._options.report is not None:
            self._scratch = tempfile.TemporaryDirectory(prefix="posagent-fleet-")
        names, size = self._options.names(), self._options.per_process
        run = secrets.token_hex(3)
        try:
            for number, first in enumerate(range(0, len(names), size)):
                await self._spawn(number, names[first : first + size], run)
        except BaseException:
            await self.end()
            raise
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.end()

    async def end(self) -> None:
        """Every terminal says goodbye, every process is waited for."""
        for each in self._processes:
            if each.stdin is not None:
                each.stdin.close()
        waits = [asyncio.create_task(each.wait()) for each in self._processes]
        if waits:
            _, late = await asyncio.wait(waits, timeout=END_TIMEOUT_S)
            for process in self._processes:
                if process.returncode is None:
                    with contextlib.suppress(ProcessLookupError):
                        process.kill()
            if late:
                await asyncio.wait(late)
        await asyncio.gather(*self._readers)
        self._processes, self._readers = [], []
        if self._scratch is not None and self._options.report is not None:
            _join(self._options.report, Path(self._scratch.name))
            self._scratch.cleanup()
            self._scratch = None

    async def _spawn(self, number: int, names: list[str], run: str) -> None:
        report = "" if self._scratch is None else f"{self._scratch.name}/{number:04d}.jsonl"
        options = self._options
        orders = {
            "names": names,
            "host": self._host,
            "port": self._port,
            "tenant": options.tenant,
            "seed": options.seed,
            "certs": str(options.certs or ""),
            "run": run,
            "age_s": self.age_s(),
            "report": report,
            "troubles": asdict(options.troubles),
            "settings": _settings(options),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            options.worker,
            json.dumps(orders),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._processes.append(process)
        self._said.append({})
        self._readers.append(asyncio.create_task(self._listen(number, process)))

    async def _listen(self, number: int, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        ended = False
        async for line in process.stdout:
            said = json.loads(line)
            ended = said.pop("ended", False)
            self._said[number] = said
        if not ended:
            self.died.set()


async def serve(
    options: FleetOptions,
    stop: asyncio.Event,
    tell: Callable[[Figures, Figures, float], None],
    every_s: float = 1.0,
) -> None:
    """Run until `stop`. `tell` hears figures now, those before, and the seconds between."""
    async with Fleet(options) as fleet:
        before, before_s = fleet.figures, time.monotonic()
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every_s):
                    await _first(stop, fleet.died)
            if fleet.died.is_set():
                raise RemoteError("sim.fleet", "a process of the fleet ended by itself")
            now, now_s = fleet.figures, time.monotonic()
            tell(now, before, max(0.001, now_s - before_s))
            before, before_s = now, now_s


async def _first(*events: asyncio.Event) -> None:
    tasks = [asyncio.create_task(each.wait()) for each in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


def _join(report: Path, parts: Path) -> None:
    with report.open("w", encoding="utf-8") as out:
        out.writelines(part.read_text("utf-8") for part in sorted(parts.glob("*.jsonl")))


def _settings(options: FleetOptions) -> dict[str, Any]:
    ramp_s = options.ramp_s or min(LONGEST_RAMP_S, options.count / STARTS_PER_S)
    return {
        "endpoints": [options.broker],
        "boot_delay_s": ramp_s,
        "health_period_s": 60.0,
        "full_period_s": 3_600.0,
        "backlog_period_s": 60.0,
        **options.settings,
    }


def _address(options: FleetOptions) -> tuple[str, int]:
    from agent.settings.rules import loopback
    from agent.telemetry.attempt import Endpoint

    endpoint = Endpoint.parse(options.broker)
    if not options.broker.startswith(("mqtt://", "mqtts://")) or not endpoint.host:
        raise OperatorError("sim.fleet", f"{options.broker}: mqtts://host:port")
    if not 1 <= options.per_process <= MOST:
        raise OperatorError("sim.fleet", f"at most {MOST} terminals in one process")
    if endpoint.tls and options.certs is None:
        raise OperatorError("sim.fleet", "mqtts:// needs --certs")
    if not endpoint.tls and not loopback(endpoint.host):
        raise OperatorError("sim.fleet", "without TLS only to loopback")
    return endpoint.host, endpoint.port


def _descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
