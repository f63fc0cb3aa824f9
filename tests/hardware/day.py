"""Days of simulated time: random faults on simulated printers against the real watcher.

    python -m tests.hardware.day [--hours 24] [--period 10] [--seed 1] [--report FILE]

Real are the watcher with its links and decoders, the runner, the tracker, the catalogue with its
delays, the pseudo terminals and TCP connections; simulated are time and the printers. Every change
that is shown or cleared is held against what was wrong at that moment. Ends with 1 if an alarm was
false, missed or late, or a descriptor leaked.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from agent.config.devices import Printer as Config
from agent.core.health.reading import Outcome
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Change, ComponentState, HistoryLine, OpenAlarm, What
from agent.core.moment import Moment
from agent.sim.printers.lines import Line, PtyLine, TcpLine
from agent.sim.printers.printer import Dialect, Printer
from agent.watch.printer import build
from agent.watch.runner import Watch
from tests.hardware.faults import Kind, episodes, kinds
from tests.hardware.pair import PairLine
from tests.hardware.simulated_time import GRID_S, Inline, LoopClock, LoopTimers, SimulatedLoop

#: What a read, two retries and a jump to the grid may add to a delay.
SLACK_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """One printer and how it is watched."""

    dialect: Dialect
    connection: str
    sensors: str = "two"
    push: bool = False
    told: bool = True  #: the dialect is configured; otherwise the watcher finds out

    def __str__(self) -> str:
        push = ", push" if self.push else ""
        told = "" if self.told else ", dialect not told"
        return f"{self.dialect} on {self.connection}, {self.sensors} paper sensor bits{push}{told}"


TERMINALS: tuple[Terminal, ...] = (
    Terminal(dialect="escpos", connection="serial line"),
    Terminal(dialect="escpos", connection="serial line", sensors="one", push=True),
    Terminal(dialect="escpos", connection="tcp", told=False),
    Terminal(dialect="star", connection="serial line"),
    Terminal(dialect="star", connection="tcp"),
    Terminal(dialect="custom", connection="serial line", sensors="one"),
    Terminal(dialect="custom", connection="tcp"),
)
#: Its port is opened and set for real; the kernel needs real time for it.
ON_A_PTY = Terminal(dialect="escpos", connection="pty", push=True)


@dataclass(slots=True)
class Truth:
    """Something was wrong from `began_s` to `ended_s`, and one of `kind.codes` tells it."""

    kind: Kind
    began_s: float
    ended_s: float = float("inf")
    shown: str = ""  #: by which code it was told
    shown_after_s: float = 0.0


@dataclass(slots=True)
class Tally:
    """What came of one terminal's day."""

    terminal: Terminal
    hours: float = 0.0
    reads: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    right: Counter[str] = field(default_factory=Counter)  #: by name of what happened
    brief: Counter[str] = field(default_factory=Counter)  #: over before it had to be shown
    quiet: Counter[str] = field(default_factory=Counter)  #: nothing to show, nothing shown
    waits_s: list[float] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)  #: shown, and not cleared in time

    @property
    def bad(self) -> list[str]:
        return [*self.missed, *self.false, *self.stuck]


class Memory:
    """Where health would be kept."""

    async def load(self) -> list[OpenAlarm]:
        return []

    async def save(
        self,
        changes: Sequence[Change],
        alarms: Sequence[OpenAlarm],
        components: Sequence[ComponentState],
    ) -> None:
        return None

    async def history(self, since: datetime, until: datetime) -> list[HistoryLine]:
        return []

    async def prune(self, now: Moment) -> int:
        return 0


#: Makes something else of what the watcher says: how it is shown that the judge would notice.
Twist = Callable[[Outcome], Outcome]


class Asked:
    """The real watcher, with the loop told when it talks to the printer."""

    def __init__(
        self, config: Config, line: Line, loop: SimulatedLoop, tally: Tally, twist: Twist
    ) -> None:
        opened = line.open_port if isinstance(line, PairLine) else None
        self.watcher = build(config, Inline(), opened, loop.time)
        self._twist = twist
        self.component = self.watcher.component
        self.period_s = self.watcher.period_s
        self._loop = loop
        self._tally = tally

    @property
    def deadline_s(self) -> float:
        return self.watcher.deadline_s

    async def read(self) -> Outcome:
        outcome = self._twist(await self._loop.tensely(self.watcher.read()))
        self._tally.reads += 1
        self._tally.outcomes[type(outcome).__name__] += 1
        return outcome


class Judge:
    """Holds what is shown against what was wrong."""

    def __init__(self, loop: SimulatedLoop, period_s: float, tally: Tally) -> None:
        self._loop = loop
        self._period_s = period_s
        self._tally = tally
        self._truths: list[Truth] = []
        self._shown: dict[str, float] = {}

    def begins(self, kind: Kind) -> Truth:
        truth = Truth(kind, self._loop.now_s)
        self._truths.append(truth)
        return truth

    def heed(self, changes: Iterable[Change]) -> None:
        now_s = self._loop.now_s
        for change in changes:
            if change.what is What.SHOWN:
                self._shown[change.code] = now_s
                self._hold_against(change.code, now_s)
            elif change.what is What.CLEARED:
                del self._shown[change.code]
                self._cleared(change.code, now_s)

    def end(self) -> None:
        """The day is over, and all has long been well: judge every episode."""
        self._tally.stuck += [f"{code} is still shown" for code in self._shown]
        for truth in self._truths:
            name, lasted_s = truth.kind.name, truth.ended_s - truth.began_s
            if not truth.kind.codes:
                self._tally.quiet[name] += 1
            elif truth.shown:
                self._tally.right[name] += 1
                self._tally.waits_s.append(truth.shown_after_s)
            elif lasted_s <= min(self._must_show_s(code) for code in truth.kind.codes):
                self._tally.brief[name] += 1
            else:
                self._tally.missed.append(f"{name} for {lasted_s:.0f} s at {truth.began_s:.0f} s")

    def _must_show_s(self, code: str) -> float:
        return STANDARD[code].visible_after_s + self._period_s + GRID_S + SLACK_S

    def _hold_against(self, code: str, now_s: float) -> None:
        for truth in self._truths:
            # It may be shown until the next reading has found it gone.
            if code in truth.kind.codes and now_s <= truth.ended_s + self._period_s + SLACK_S:
                late_s = now_s - truth.began_s - self._must_show_s(code)
                if not truth.shown and late_s > 0:
                    self._tally.missed.append(f"{truth.kind.name} {late_s:.0f} s too late")
                if not truth.shown:
                    truth.shown, truth.shown_after_s = code, now_s - truth.began_s
                return
        self._tally.false.append(f"{code} at {now_s:.0f} s")

    def _cleared(self, code: str, now_s: float) -> None:
        told = [truth for truth in self._truths if code in truth.kind.codes]
        clear_s = STANDARD[code].clear_after_s + self._period_s + GRID_S + SLACK_S
        if told and now_s > told[-1].ended_s + clear_s:
            self._tally.stuck.append(f"{code} cleared {now_s - told[-1].ended_s:.0f} s after")
        if told and now_s < told[-1].ended_s and not self._may_flap(told[-1]):
            self._tally.missed.append(f"{code} cleared while {told[-1].kind.name} lasted")

    def _may_flap(self, truth: Truth) -> bool:
        return len(truth.kind.codes) > 1  # two codes may take turns in telling it


async def live(
    terminal: Terminal, *, hours: float, period_s: float, seed: str, home: Path, twist: Twist
) -> Tally:
    """One terminal's day."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)
    tally = Tally(terminal)
    line = _line(terminal, home / "printer")
    printer = Printer(line, dialect=terminal.dialect)
    built = {"one_bit_sensors": terminal.sensors == "one"}
    printer.switch(**built)
    loop.patience_s = partial(_patience_s, printer, loop)
    clock, timers = LoopClock(loop), LoopTimers(loop)
    began_s = loop.now_s
    async with printer:
        asked = Asked(_config(terminal, line, period_s), line, loop, tally, twist)
        watch = Watch(STANDARD, [asked], clock=clock, timers=timers, records=Memory())
        asked.watcher.heed(partial(watch.poke, asked.component))
        judge = Judge(loop, period_s, tally)
        watch.subscribe(judge.heed)
        stop = asyncio.Event()
        running = asyncio.create_task(watch.run(stop))
        possible = kinds(terminal.dialect, terminal.connection)
        for before_s, kind, lasting_s in episodes(seed, possible, hours * 3600):
            await asyncio.sleep(before_s)
            truth = judge.begins(kind)
            _happen(printer, kind)
            await asyncio.sleep(lasting_s)
            truth.ended_s = loop.now_s
            printer.reset()
        await asyncio.sleep(600)
        judge.end()
        stop.set()
        await running
        await timers.end()
        await asked.watcher.close()
    tally.hours = (loop.now_s - began_s) / 3600
    return tally


def _line(terminal: Terminal, path: Path) -> Line:
    match terminal.connection:
        case "tcp":
            return TcpLine()
        case "pty":
            return PtyLine(path)
        case _:
            return PairLine(path)


def _config(terminal: Terminal, line: Line, period_s: float) -> Config:
    device = f"tcp://{line.name}" if isinstance(line, TcpLine) else line.name
    return Config(
        device=device,
        dialect=terminal.dialect if terminal.told else "auto",
        paper_sensor="one_bit" if terminal.sensors == "one" else "auto",
        push=terminal.push,
        period_s=period_s,
    )


def _happen(printer: Printer, kind: Kind) -> None:
    printer.switch(**kind.changes)
    if kind.cable_out:
        printer.unplug()
    if kind.stale_byte:
        printer.leave_stale_byte()


def _patience_s(printer: Printer, loop: SimulatedLoop) -> float:
    """How long the kernel may take to hand over what is sure to come."""
    c = printer.conditions
    if isinstance(printer.line, PairLine):
        return 0.0
    # Nothing comes, or it comes by a timer: time may go on.
    on_the_way = any(timer.when() > loop.now_s for timer in printer._late)
    if not printer.plugged or c.silent or c.slow_s > 1 or on_the_way:
        return 0.002
    # On loopback bytes are there with the call that sends them, or very soon after.
    return 1.0 if isinstance(printer.line, PtyLine) else 0.05


def spend(
    terminal: Terminal,
    hours: float,
    period_s: float,
    seed: str,
    twist: Twist = lambda outcome: outcome,
) -> Tally:
    """One terminal's day, in a loop of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="day-") as home,
        asyncio.Runner(loop_factory=SimulatedLoop) as runner,
    ):
        day = live(
            terminal, hours=hours, period_s=period_s, seed=seed, home=Path(home), twist=twist
        )
        return runner.run(day)


def descriptors() -> int:
    """Open descriptors of this process."""
    gc.collect()
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def as_text(tallies: Sequence[Tally], leaked: int) -> str:
    """The confusion summary."""
    counted = ("shown rightly", "brief", "rightly quiet", "missed", "false", "stuck")
    rows = [f"| Terminal | hours | reads | {' | '.join(counted)} |", "|---" * 9 + "|"]
    for one in tallies:
        counts = (one.right.total(), one.brief.total(), one.quiet.total())
        wrong = (len(one.missed), len(one.false), len(one.stuck))
        cells = (str(one.terminal), f"{one.hours:.1f}", one.reads, *counts, *wrong)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    waits_s = sorted(wait for one in tallies for wait in one.waits_s)
    if waits_s:
        middle, last = waits_s[len(waits_s) // 2], waits_s[-1]
        rows += ["", f"Shown after {middle:.0f} s (median), {last:.0f} s (longest)."]
    rows.append(f"Descriptors left open: {leaked}.")
    rows += [f"- {one.terminal}: {bad}" for one in tallies for bad in one.bad]
    return "\n".join(rows)


def by_kind(tallies: Sequence[Tally]) -> str:
    """What happened, and what came of it."""
    names = sorted(
        {name for one in tallies for c in (one.right, one.brief, one.quiet) for name in c}
    )
    rows = ["| What happened | shown rightly | brief | rightly quiet |", "|---|---|---|---|"]
    for name in names:
        cells = [sum(c[name] for c in each) for each in zip(
            *((one.right, one.brief, one.quiet) for one in tallies), strict=True
        )]  # fmt: skip
        rows.append(f"| {name} | {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hardware.day", description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of each terminal")
    parser.add_argument("--period", type=float, default=10.0, help="between two readings")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--report", type=Path)
    args = parser.parse_args()
    began, before = time.monotonic(), descriptors()
    tallies = []
    for terminal in (*TERMINALS, ON_A_PTY):
        hours = min(args.hours, 4.0) if terminal is ON_A_PTY else args.hours
        tallies.append(spend(terminal, hours, args.period, f"{args.seed} {terminal}"))
        print(f"{terminal}: {len(tallies[-1].bad)} wrong", file=sys.stderr, flush=True)
    leaked = descriptors() - before
    summary = as_text(tallies, leaked)
    print(summary)
    if args.report:
        took_s = time.monotonic() - began
        args.report.write_text(_report(args, tallies, summary, took_s), encoding="utf-8")
    return 1 if leaked or any(one.bad for one in tallies) else 0


def _report(args: argparse.Namespace, tallies: Sequence[Tally], summary: str, took_s: float) -> str:
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    command = f"python -m tests.hardware.day --hours {args.hours:g} --period {args.period:g}"
    return f"""# A day with faulty printers

`{command} --seed {args.seed}`, {when}, Python {platform.python_version()},
{took_s:.0f} s of real time. Written by the command; not edited.

The real watcher, runner, tracker and catalogue of conditions, in simulated time, against simulated
printers with random faults. *Shown rightly*: the code that belongs to what happened, in time.
*Brief*: over before it had to be shown. *Rightly quiet*: nothing was wrong with the printer (an old
byte, a slow answer, the drawer), nothing was shown. *Missed*: not shown, too late, or cleared too
early. *False*: shown without cause. *Stuck*: cleared too late or never.

{summary}

## By what happened

{by_kind(tallies)}

What this does not say: a real printer, a real cable and the kernel's drivers are not in it. The
*serial line* is a pair of sockets, because a pseudo terminal hands bytes over in real time; *pty*
is the real open on a pseudo terminal, for four hours at most.
"""


if __name__ == "__main__":
    sys.exit(main())
