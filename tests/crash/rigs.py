"""Every rig and its control on all processors, and what each has to show."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.crash import faults, flips, kills, replay, sampled
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
    cycles: int


SHORT = Size(states=100_000, replay_s=120, sampled=10, faults_s=90, bits=2, cycles=500)
LONG = Size(
    states=120_000, replay_s=7_200, sampled=300, faults_s=7_200, bits=24, cycles=10_000
)  # fmt: skip
#: A glance: does every rig still run and every control still bite?
GLANCE = Size(states=1_000, replay_s=8, sampled=1, faults_s=8, bits=1, cycles=12)


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


def _replayed(seed: int, mode: str, until_s: float, home: Path) -> replay.Result:
    operations = replay.record(home / "disk", seed, mode)
    return replay.replay(operations, seed, home / "scratch", until_s=until_s)


def _sampled(seed: int, count: int, home: Path) -> sampled.Result:
    return sampled.run(replay.record(home / "disk", seed), seed, count)


def _faulted(seed: int, part: int, until_s: float, fold: bool, home: Path) -> faults.Result:
    return faults.run(home, seed, part=(part, WORKERS), until_s=until_s, fold=fold)


def _flipped(seed: int, part: int, bits: int, home: Path) -> flips.Result:
    return flips.run(home, seed, bits=bits, part=(part, WORKERS))


def _killed(seed: int, cycles: int, forget: bool, home: Path) -> kills.Result:
    return kills.run(home, seed, cycles, forget=forget)


class Rigs:
    """Runs them one after the other, each on all processors."""

    def __init__(self, size: Size, seed: int, pool: ProcessPoolExecutor) -> None:
        self._size = size
        self._seed = seed
        self._pool = pool
        self.rows: list[Row] = []

    def _all(self, works: list[Callable[[Path], Any]]) -> Any:
        first, *others = list(self._pool.map(in_scratch, works))
        for other in others:
            first.add(other)
        return first

    def _done(self, row: Row) -> None:
        self.rows.append(row)
        print(f"{'ok ' if row.well else 'BAD'} {row.rig}: {row.figures}", flush=True)
        for example in row.examples:
            print(f"      {example}", flush=True)

    def replay(self) -> None:
        total, seed, ends = replay.Result(), self._seed, time.monotonic() + self._size.replay_s
        began = time.monotonic()
        while total.states < self._size.states and time.monotonic() < ends:
            total.add(
                self._all([partial(_replayed, seed + n, "full", ends) for n in range(WORKERS)])
            )
            seed += WORKERS
        rate = total.states / (time.monotonic() - began)
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(total.kinds.items()))
        self._done(
            Row(
                rig="crash replay", well=not total.bad, examples=total.examples,
                figures=f"{total.states} crash states of {total.operations} recorded operations "
                f"({kinds}); {rate:.0f} states/s on {WORKERS} processes; bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_replayed, seed, "normal", time.monotonic() + 15)])
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

    def kills(self) -> None:
        each = -(-self._size.cycles // WORKERS)
        works = [partial(_killed, self._seed + n, each, False) for n in range(WORKERS)]
        total = self._all(works)
        self._done(
            Row(
                rig="kill -9", well=not total.bad, examples=total.examples,
                figures=f"{total.cycles} cycles, the point reached in {total.killed} "
                f"({_told(total.points)}); {total.acknowledged} acknowledged, {total.posted} "
                f"posted; bad: {_told(total.bad)}",
            )
        )  # fmt: skip
        control = self._all([partial(_killed, self._seed, 8, True)])
        self._done(
            Row(
                rig="control: the journal is taken away", well=bool(control.bad["lost"]),
                figures=f"{control.cycles} cycles; must lose, and does: {_told(control.bad)}",
            )
        )  # fmt: skip


def _told(counts: Any) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"
