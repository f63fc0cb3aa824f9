"""Every rig and its control on all processors, and what each has to show."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from tests.crash import clocks, faults, flips, full, kills, replay, sampled
from tests.crash.report import Row

WORKERS = max(2, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much of everything."""

    states: int
    replay_s: float
    sampled: int
    faults_s: float
    bits: int
    lives: int  #: of a hundred jumps each
    cycles: int
    kills_s: float


SHORT = Size(
    states=100_000, replay_s=90, sampled=10, faults_s=60, bits=1, lives=10, cycles=500, kills_s=300
)  # fmt: skip
#: Every figure that is asked of a release, in less than an hour of a quiet machine.
HOUR = Size(
    states=110_000, replay_s=3_600, sampled=300, faults_s=3_600, bits=1, lives=10, cycles=500,
    kills_s=1_800,
)  # fmt: skip
LONG = Size(
    states=120_000, replay_s=7_200, sampled=300, faults_s=7_200, bits=24, lives=100,
    cycles=10_000, kills_s=36_000,
)  # fmt: skip
#: A glance: does every rig still run and every control still bite?
GLANCE = Size(
    states=1_000, replay_s=8, sampled=1, faults_s=8, bits=1, lives=2, cycles=12, kills_s=60
)  # fmt: skip
JUMPS = 100  #: in one life
CONTROL_S = 90  #: at most; a control ends when it has shown enough


def _home() -> Path:
    """Memory, where there is some: a rig must not wait for this machine's own disk."""
    return Path(
        tempfile.mkdtemp(prefix="crash-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
    )


def in_scratch(work: Callable[[Path], Any]) -> Any:
    """`work` in a directory of its own, in a worker process."""
    logging.disable(logging.CRITICAL)
    home = _home()
    try:
        return work(home)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _replayed(seed: int, until_s: float, home: Path) -> replay.Result:
    operations = replay.record(home / "disk", seed)
    return replay.replay(operations, seed, home / "scratch", until_s=until_s)


def _lost(seed: int, home: Path) -> replay.Result:
    operations = replay.record(home / "disk", seed, "normal")
    ends = time.monotonic() + CONTROL_S
    return replay.replay(operations, seed, home / "scratch", until_s=ends, enough_lost=100)


def _sampled(seed: int, count: int, home: Path) -> sampled.Result:
    return sampled.run(replay.record(home / "disk", seed), seed, count)


def _faulted(seed: int, part: int, until_s: float, fold: bool, home: Path) -> faults.Result:
    return faults.run(home, seed, part=(part, WORKERS), until_s=until_s, fold=fold)


def _flipped(seed: int, part: int, bits: int, home: Path) -> flips.Result:
    return flips.run(home, seed, bits=bits, part=(part, WORKERS))


def _killed(seed: int, cycles: int, until_s: float, forget: bool, home: Path) -> kills.Result:
    return kills.run(home, seed, cycles, until_s=until_s, forget=forget)


def _filled(rounds: int, reserve: bool, _home: Path) -> full.Result:
    return full.run(rounds, reserve=reserve)


def _lived(seeds: range, wall_only: bool, home: Path) -> clocks.Result:
    total = clocks.Result()
    for seed in seeds:
        total.add(clocks.run(home / str(seed), seed, JUMPS, wall_only=wall_only))
    return total


class Rigs:
    """Runs them one after the other, each on all processors."""

    def __init__(self, size: Size, seed: int, pool: ProcessPoolExecutor) -> None:
        self._size = size
        self._seed = seed
        self._pool = pool
        self._began_s = time.monotonic()
        self.rows: list[Row] = []

    def _all(self, works: list[Callable[[Path], Any]]) -> Any:
        first, *others = list(self._pool.map(in_scratch, works))
        for other in others:
            first.add(other)
        return first

    def _done(self, row: Row) -> None:
        began_s, self._began_s = self._began_s, time.monotonic()
        row = replace(row, seconds=self._began_s - began_s)
        self.rows.append(row)
        told = f"{row.rig} ({row.seconds:.0f} s): {row.figures}"
        print(f"{'ok ' if row.well else 'BAD'} {told}", flush=True)
        for example in row.examples:
            print(f"      {example}", flush=True)

    def replay(self) -> None:
        total, seed, ends = replay.Result(), self._seed, time.monotonic() + self._size.replay_s
        began = time.monotonic()
        while total.states < self._size.states and time.monotonic() < ends:
            total.add(self._all([partial(_replayed, seed + n, ends) for n in range(WORKERS)]))
            seed += WORKERS
        rate = total.states / (time.monotonic() - began)
        # The synced alone is most often what an earlier operation left: such states count once.
        self._done(
            Row(
                rig="crash replay", well=not total.bad, examples=total.examples,
                figures=f"{total.states} crash states of {total.operations} recorded operations "
                f"({_told(total.kinds)}); {rate:.0f} states/s on {WORKERS} processes; the end of "
                f"the log unreadable and so in doubt in {total.doubted.total()} "
                f"({_told(+total.doubted)}); bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_lost, seed)])
        self._done(
            Row(
                rig="control: synchronous=NORMAL", well=bool(control.bad["lost"]),
                figures=f"{control.states} states; must lose, and does: {_told(control.bad)}",
            )
        )  # fmt: skip

    def sampled(self) -> None:
        recordings = max(WORKERS, self._size.sampled // 15)
        each = -(-self._size.sampled // recordings)
        works = [partial(_sampled, self._seed + 1000 + n, each) for n in range(recordings)]
        total = self._all(works)
        self._done(
            Row(
                rig="crash states through the daemon", well=not total.bad, examples=total.examples,
                figures=f"{total.states} states, {total.payments} acknowledged payments, slowest "
                f"start {total.slowest_start_s:.1f} s; bad: {_told(total.bad)}",
            )
        )  # fmt: skip

    def faults(self) -> None:
        ends = time.monotonic() + self._size.faults_s
        works = [partial(_faulted, self._seed, n, ends, True) for n in range(WORKERS)]
        total = self._all(works)
        self._done(
            Row(
                rig="failing flash", well=not total.bad, examples=total.examples,
                figures=f"{total.cases} of {total.possible} cases (n-th write, sync, truncate, "
                f"open x EIO, ENOSPC, EROFS x once, for ever), each ended by a power cut; refused "
                f"calls {_told(total.refused)}; slowest restart {total.slowest_restart_s:.2f} s; "
                f"bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        ends = time.monotonic() + 20
        control = self._all([partial(_faulted, self._seed, 0, ends, False)])
        self._done(
            Row(
                rig="control: the log is not written out at start", well=bool(control.bad["lost"]),
                figures=f"{control.cases} failing syncs; must lose, and does: {_told(control.bad)}",
            )
        )  # fmt: skip

    def full(self) -> None:
        total = self._all([partial(_filled, 1 if self._size.lives < 100 else 20, True)])
        self._done(
            Row(
                rig="full storage", well=not total.bad, examples=total.examples[:10],
                figures=f"{total.rounds} rounds: {total.acknowledged} payments acknowledged, "
                f"{total.confirmed} confirmed while there was no room, then killed; new ones "
                f"refused {_told(total.refused)}; bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_filled, 1, False)])
        self._done(
            Row(
                rig="control: no reserve", well=bool(control.bad["not confirmed"]),
                figures=f"{control.acknowledged} payments acknowledged, {control.confirmed} "
                f"confirmed; must not be, and are not: {_told(control.bad)}",
            )
        )  # fmt: skip

    def flips(self) -> None:
        works = [partial(_flipped, self._seed, n, self._size.bits) for n in range(WORKERS)]
        total = self._all(works)
        self._done(
            Row(
                rig="bit flips", well=not total.bad, examples=total.examples[:10],
                figures=f"{total.damages} damages in {total.sectors} sectors: "
                f"{_told(total.classes)}; slowest start {total.slowest_s:.2f} s; "
                f"bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([flips.control])
        self._done(
            Row(
                rig="control: row MAC not looked at", well=any("silent" in b for b in control.bad),
                figures=f"{control.damages} damages; must go unnoticed, and do: "
                f"{_told(control.bad)}",
            )
        )  # fmt: skip

    def clocks(self) -> None:
        lives = range(self._seed, self._seed + self._size.lives)
        works = [partial(_lived, lives[n::WORKERS], False) for n in range(WORKERS)]
        total = self._all(works)
        self._done(
            Row(
                rig="wall clock set at random", well=not total.bad, examples=total.examples,
                figures=f"{total.jumps} jumps and {total.boots} boots in {self._size.lives} lives; "
                f"{total.payments} payments: {total.posted} posted, {total.lapsed} requests ended "
                f"by their limit, left for a person: {_told(total.left)}; {total.unknowable} ended "
                f"or sent by a wrong clock that could be right; the host was reached for "
                f"{total.asked} times, {total.quiet} under a right clock; bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_lived, lives[:2], True)])
        self._done(
            Row(
                rig="control: only the wall clock", well=bool(control.bad["expired"]),
                figures=f"{control.jumps} jumps; must end requests too soon, and does: "
                f"{_told(control.bad)}",
            )
        )  # fmt: skip

    def kills(self) -> None:
        each = -(-self._size.cycles // WORKERS)
        ends = time.monotonic() + self._size.kills_s
        works = [partial(_killed, self._seed + n, each, ends, False) for n in range(WORKERS)]
        total = self._all(works)
        self._done(
            Row(
                rig="kill -9", well=not total.bad, examples=total.examples,
                figures=f"{total.cycles} of {self._size.cycles} cycles, the point reached in "
                f"{total.killed} ({_told(total.points)}); {total.acknowledged} acknowledged, "
                f"{total.posted} posted; bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_killed, self._seed, 8, ends + 60, True)])
        self._done(
            Row(
                rig="control: the journal is taken away", well=bool(control.bad["lost"]),
                figures=f"{control.cycles} cycles; must lose, and does: {_told(control.bad)}",
            )
        )  # fmt: skip


def _told(counts: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
