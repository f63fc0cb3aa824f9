"""`make storm`: a fleet on one mosquitto, the broker killed, and how the fleet comes back.

Connects are counted in the broker's own log. The peak is measured over buckets wide enough that
chance alone stays inside the bound: connects that are spread evenly still fall as raindrops do, and
in a bucket of k expected ones the fullest of twenty is about k + 2·sqrt(k). With k >= 200 that is
14 %, well inside the 30 % allowed; over one second (k = 8) it would be 90 %, and say nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import platform
import re
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from agent.config.telemetry import Telemetry
from agent.sim.broker import Broker
from agent.sim.fleet import Figures, Fleet, FleetOptions
from agent.sim.fleet_story import Troubles
from tests.fleet_rig.reader import Reader

BOUND = 1.3
EXPECTED_IN_A_BUCKET = 200
BUCKETS = 20
NEW_CLIENT = re.compile(r"^(\d+): New client connected from \S+ as (S-\d+) ")


@dataclass
class Run:
    """What one run measured."""

    name: str
    count: int
    spread_s: float
    down_s: float
    connected_before: int = 0
    connected_after: int = 0
    messages_per_s: float = 0.0
    connects_by_second: Counter[int] = field(default_factory=Counter)
    returned: int = 0
    all_back_s: float = 0.0
    acked: int = 0
    missing: int = 0
    repeats: int = 0
    fleet_pss_kb: int = 0
    base_pss_kb: int = 0
    broker_rss_kb: int = 0
    broker_rss_empty_kb: int = 0
    cpu_s: float = 0.0
    cpu_over_s: float = 0.0

    @property
    def bucket_s(self) -> int:
        """Wide enough that chance does not decide."""
        by_chance = EXPECTED_IN_A_BUCKET * self.spread_s / self.count
        return max(1, math.ceil(max(self.spread_s / BUCKETS, by_chance)))

    def peak_per_s(self, width_s: int) -> float:
        """The fullest window of that width, wherever it begins."""
        if not self.connects_by_second:
            return 0.0
        last = max(self.connects_by_second)
        return (
            max(
                sum(self.connects_by_second[second] for second in range(first, first + width_s))
                for first in range(last + 1)
            )
            / width_s
        )

    @property
    def bound_per_s(self) -> float:
        return BOUND * self.count / self.spread_s

    @property
    def held(self) -> bool:
        return self.peak_per_s(self.bucket_s) <= self.bound_per_s

    def histogram(self) -> list[str]:
        """Connects per bucket since the broker came back."""
        width = self.bucket_s
        buckets: Counter[int] = Counter()
        for second, number in self.connects_by_second.items():
            buckets[second // width] += number
        if not buckets:
            return ["no connects"]
        bound = self.bound_per_s * width
        scale = 50 / max(bound, *buckets.values())
        lines = []
        for bucket in range(max(buckets) + 1):
            number = buckets[bucket]
            bar = "#" * round(number * scale)
            mark = " <-- above the bound" if number > bound else ""
            lines.append(f"{bucket * width:5d} s {number:6d} {bar}{mark}")
        return [*lines, f"  bound {bound:6.0f} {' ' * round(bound * scale)}|"]


def smaps_kb(pid: int, name: str = "Pss") -> int:
    text = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii")
    return int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / 100


def settings(spread_s: float) -> dict[str, Any]:
    known = Telemetry.__struct_fields__
    return {"spread_s": spread_s} if "spread_s" in known else {"reconnect_cap_s": spread_s}


class Storm:
    """One run: up, steady, killed, restarted, back."""

    def __init__(self, run: Run, options: FleetOptions, scratch: Path, steady_s: float) -> None:
        self.run = run
        self._log = scratch / "mosquitto.log"
        self._options = options
        self._steady_s = steady_s
        self._broker = Broker(
            kind="mosquitto",
            extra=(
                f"log_dest file {self._log}",
                "queue_qos0_messages true",
                "persistence true",
                f"persistence_location {scratch}/",
                "autosave_interval 2",
            ),
        )
        self._reader = Reader(0, qos=0, keep_bodies=False)

    async def play(self) -> None:
        async with self._broker:
            self._reader.port = self._broker.port
            self._reader.start()
            try:
                await self._observed()
            finally:
                self._reader.close()
        self._count()

    async def _observed(self) -> None:
        run = self.run
        await until(self._reader.ready.is_set, 20, "the reader to subscribe")
        run.broker_rss_empty_kb = smaps_kb(self._pid(), "Rss")
        options = replace(self._options, broker=self._broker.url)
        async with Fleet(replace(options, count=1, prefix="B-", report=None)) as one:
            await until(lambda: one.figures.connected == 1, 60, "one terminal")
            run.base_pss_kb = smaps_kb(one.pids[0])
        async with Fleet(options) as fleet:
            await self._storm(fleet)

    def _pid(self) -> int:
        process = self._broker._process
        assert process is not None
        return process.pid

    async def _storm(self, fleet: Fleet) -> None:
        run, count = self.run, self.run.count
        patience_s = 60 + 3 * max(self._options.ramp_s, count / 50)
        await until(lambda: fleet.figures.connected >= count, patience_s, "all to connect",
                    lambda: say(fleet.figures))  # fmt: skip
        say(fleet.figures, "all connected")
        # Until the broker has written the reader's session down, and long enough to be steady.
        before, cpu, start_s = fleet.figures, self._cpu(fleet), time.monotonic()
        await asyncio.sleep(self._steady_s)
        run.cpu_over_s = time.monotonic() - start_s
        run.cpu_s = self._cpu(fleet) - cpu
        run.messages_per_s = (fleet.figures.acked - before.acked) / run.cpu_over_s
        run.connected_before = fleet.figures.connected
        run.fleet_pss_kb = sum(smaps_kb(pid) for pid in fleet.pids)
        run.broker_rss_kb = smaps_kb(self._pid(), "Rss")
        say(fleet.figures, f"steady: {run.messages_per_s:.0f} messages/s; killing the broker")
        await self._broker.kill()
        await asyncio.sleep(run.down_s)
        await self._broker.start()
        up_wall_s = time.time()
        up_s = time.monotonic()
        say(fleet.figures, f"the broker is back after {run.down_s:.0f} s")
        limit_s = run.spread_s * 2 + 300
        await until(lambda: fleet.figures.connected >= count, limit_s, "all to come back",
                    lambda: say(fleet.figures))  # fmt: skip
        run.all_back_s = time.monotonic() - up_s
        run.connected_after = fleet.figures.connected
        say(fleet.figures, "all are back")
        await until(lambda: fleet.figures.queued < count / 100, 60, "the queues to empty")
        self._read_log(int(up_wall_s))

    def _cpu(self, fleet: Fleet) -> float:
        return sum(cpu_s(pid) for pid in fleet.pids)

    def _read_log(self, up_wall_s: int) -> None:
        run = self.run
        for line in self._log.read_text("utf-8", "replace").splitlines():
            found = NEW_CLIENT.match(line)
            if found and int(found[1]) >= up_wall_s - 1:
                run.connects_by_second[max(0, int(found[1]) - up_wall_s)] += 1
        run.returned = run.connects_by_second.total()

    def _count(self) -> None:
        run, seen = self.run, self._reader.counts
        assert self._options.report is not None
        for line in self._options.report.read_text("utf-8").splitlines():
            said = json.loads(line)
            for seq in said["acked"]:
                run.acked += 1
                run.missing += (said["device_id"], said["outbox_id"], seq) not in seen
        run.repeats = self._reader.repeats


async def until(
    reached: Callable[[], bool], at_most_s: float, what: str, tick: Callable[[], None] | None = None
) -> None:
    end_s, told_s = time.monotonic() + at_most_s, time.monotonic()
    while not reached():
        if time.monotonic() > end_s:
            raise TimeoutError(f"waited {at_most_s:.0f} s for {what}")
        if tick is not None and time.monotonic() - told_s > 20:
            told_s = time.monotonic()
            tick()
        await asyncio.sleep(0.2)


def say(figures: Figures, what: str = "") -> None:
    print(
        f"  {time.strftime('%H:%M:%S')} connected {figures.connected} of {figures.terminals},"
        f" acknowledged {figures.acked}, queued {figures.queued} {what}",
        flush=True,
    )


def told(run: Run) -> list[str]:
    """One run, for the report."""
    mine = run.count
    width = run.bucket_s
    each_kb = (run.fleet_pss_kb - run.base_pss_kb * math.ceil(mine / 300)) / mine
    steady = f"{run.connected_before} connected, {run.messages_per_s:.0f} messages/s"
    cpu = f"all simulators together {100 * run.cpu_s / run.cpu_over_s:.0f} % of a core"
    base_mb, all_mb = run.base_pss_kb / 1024, run.fleet_pss_kb / 1024
    beyond = f"{each_kb:.0f} kB a terminal beyond an idle process of {base_mb:.0f} MB"
    broker_mb, empty_mb = run.broker_rss_kb / 1024, run.broker_rss_empty_kb / 1024
    broker_each = f"{1024 * (broker_mb - empty_mb) / mine:.1f} kB a connection"
    verdict = "held" if run.held else "BROKEN"
    rows = [
        ("terminals, spread", f"{run.count}, {run.spread_s:.0f} s"),
        ("steady state", f"{steady}; {cpu}"),
        ("memory of the simulators", f"{all_mb:.0f} MB in all (PSS), {beyond}"),
        ("memory of the broker", f"{broker_mb:.1f} MB, empty {empty_mb:.1f} MB: {broker_each}"),
        ("broker killed (-9), gone for", f"{run.down_s:.0f} s"),
        ("connects the broker logged", f"{run.returned}"),
        ("all connected again after", f"{run.all_back_s:.0f} s"),
        ("bound 1.3 × N / spread", f"{run.bound_per_s:.2f} connects/s"),
        (
            f"**peak over any {width} s**",
            f"**{run.peak_per_s(width):.2f} connects/s: {verdict}**",
        ),
        ("peak over any 10 s, 1 s", f"{run.peak_per_s(10):.1f}, {run.peak_per_s(1):.0f}"),
        ("messages acknowledged", f"{run.acked}"),
        ("of these not seen by the subscriber", f"{run.missing}"),
        ("repeats (same outbox_id and seq)", f"{run.repeats}"),
    ]
    table = [f"| {name} | {value} |" for name, value in rows]
    histogram = ["```", *run.histogram(), "```", ""]
    return [f"## {run.name}", "", "| | |", "|---|---|", *table, "", *histogram]


HEAD = """# Reconnect storm

Written by `make storm`. Simulated terminals (`posagent sim fleet`: the agent's own messages,
session and transport) on one mosquitto on this machine, plain MQTT 5 over loopback. The broker is
killed with `kill -9` in the steady state and started again. Connects are those the broker logged.

The peak is the fullest window, wherever it begins, of a width at which {expected} connects or more
are expected: evenly spread connects still fall as raindrops do, and over one second (8 expected)
the fullest of 600 windows holds twice the average by chance alone. The control differs in one
thing: its terminals come back as paho does by itself, after 1 s, 2 s, 4 s … 120 s without jitter.
It must break the bound.

Made on {machine}, Python {python}, {cores} cores, {when}.
"""


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=5_000)
    parser.add_argument("--spread", type=float, default=600.0)
    parser.add_argument("--down", type=float, default=8.0)
    parser.add_argument("--steady", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="1,000 terminals, spread 60 s")
    parser.add_argument("--no-control", action="store_true")
    parser.add_argument("--report", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if args.quick:
        args.n, args.spread, args.steady = 1_000, 60.0, 10.0
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65_536), hard))
    runs = [Run("The agent", args.n, args.spread, args.down)]
    if not args.no_control:
        runs.append(Run("The control: no jitter", args.n, args.spread, args.down))
    for run in runs:
        print(f"{run.name}: {run.count} terminals, spread {run.spread_s:.0f} s", flush=True)
        with tempfile.TemporaryDirectory(prefix="posagent-storm-") as scratch:
            control = run is not runs[0]
            options = FleetOptions(
                count=run.count,
                broker="mqtt://127.0.0.1:1",
                report=Path(scratch) / "report.jsonl",
                troubles=Troubles(offline=0.0),
                settings=settings(run.spread_s),
                **({"worker": "tests.fleet_rig.plain_worker"} if control else {}),
            )
            asyncio.run(Storm(run, options, Path(scratch), args.steady).play())
        print("\n".join(told(run)), flush=True)
    if args.report is not None:
        head = HEAD.format(
            expected=EXPECTED_IN_A_BUCKET,
            machine=platform.platform(terse=True),
            python=platform.python_version(),
            cores=len(os.sched_getaffinity(0)),
            when=time.strftime("%Y-%m-%d"),
        )
        text = "\n".join([head, *(line for run in runs for line in told(run))])
        args.report.write_text(text.rstrip() + "\n", "utf-8")
    good = runs[0].held and not any(run.missing for run in runs)
    return 0 if good and not any(run.held for run in runs[1:]) else 1


if __name__ == "__main__":
    sys.exit(main())
