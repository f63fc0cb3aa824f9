"""Rig 2: the flash refuses one operation, or everything from one operation on.

For each kind of operation, each n, each error, once and for ever: a short workload runs on the disk
that fails at the n-th operation; the process ends as the daemon does (the store says so, or the
work is done); it is started again with the fault still there; then the flash is well again, a
third start must record within 5 seconds, and every payment the app has no answer for is repeated
under its key. Then the power is cut: what a failed sync left unwritten is gone. At the end nothing
that was acknowledged, at whatever point, may be missing.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import pickle
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from agent.clock import SystemClock
from agent.core.money.journal import Change, Event
from agent.errors import AgentError, StoreError
from agent.store import Store, opening
from tests.crash.disk import KINDS, Fault, Mounted, note
from tests.crash.history import History, submission_of
from tests.crash.model import Flash, nothing
from tests.crash.recovered import problems
from tests.crash.replay import lay_out
from tests.crash.workload import often

ERRORS = (errno.EIO, errno.ENOSPC, errno.EROFS)
PAYMENTS = 6
RESTART_S = 5.0


@dataclass(slots=True)
class Result:
    """What the cases showed."""

    possible: int = 0  #: cases there are
    cases: int = 0
    refused: Counter[str] = field(default_factory=Counter)  #: calls refused, by code
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    slowest_restart_s: float = 0.0
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        self.possible = max(self.possible, other.possible)
        self.cases += other.cases
        self.refused += other.refused
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.slowest_restart_s = max(self.slowest_restart_s, other.slowest_restart_s)
        self.seconds = max(self.seconds, other.seconds)


async def _life(directory: Path, tell: Any, repeat: tuple[str, ...], *, close: bool) -> None:
    """One life of the process; a refusal ends a payment, a failed store ends the life."""
    died = asyncio.Event()
    store = Store(directory, SystemClock(), on_fatal=lambda _code: died.set())
    began = time.monotonic()
    try:
        await store.start()
    except AgentError as error:
        tell(f"refused {error.code}")
        return
    # The process id makes new payments of each life; `repeat` are those without an answer.
    for key in (*repeat, *(f"p{os.getpid()}-{n}" for n in range(PAYMENTS))):
        if died.is_set():
            return
        try:
            await _payment(store, key, tell)
        except StoreError as error:
            tell(f"refused {error.code}")
            if not store.refusal:
                continue
            return
        tell(f"took {time.monotonic() - began:.3f}")
    if close:
        store.stop(10.0)


async def _payment(store: Store, key: str, tell: Any) -> None:
    tell(f"try {key} queued 0")
    record = (await store.append(submission_of(key))).record
    tell(f"ack {key}")
    if record.state != "queued":
        return
    for event, standing in ((Event.ATTEMPT, "sending 0"), (Event.POSTED, "posted 0")):
        tell(f"try {key} {standing}")
        record = await store.advance(record.seq, record.version, Change(event=event))
        tell(f"ack {key}")


def _lived(directory: Path, tell: Any, repeat: tuple[str, ...] = (), *, close: bool = False) -> int:
    """A life in a child process: it ends without closing anything, as a process does."""
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        tell("ended")
        return code
    try:
        if close:
            often()  # the later lives keep everything in the log: a hole in it must show
        asyncio.run(_life(directory, tell, repeat, close=close))
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the child must never return into the rig
        tell(f"crashed {type(error).__name__}: {error}")
        os._exit(1)


class _Log:
    """What the disk wrote down since the last look."""

    def __init__(self, disk: Mounted) -> None:
        self._file = disk.log.open("rb")

    def new(self) -> Iterator[tuple[Any, ...]]:
        while True:
            at = self._file.tell()
            try:
                yield pickle.load(self._file)
            except (EOFError, pickle.UnpicklingError):
                self._file.seek(at)
                return

    def close(self) -> None:
        self._file.close()


def _case(disk: Mounted, log: _Log, number: int, fault: Fault, scratch: Path) -> _Seen:
    directory = disk.path / f"c{number}"
    disk.backing.joinpath(directory.name).mkdir(mode=0o700)
    tell = partial(note, disk.path)
    disk.fail(fault)
    _lived(directory / "state", tell, close=True)
    _lived(directory / "state", tell)
    disk.fail(Fault())
    seen = _Seen()
    seen.read(log, directory.name)
    restarted = len(seen.took)
    _lived(directory / "state", tell, tuple(seen.unanswered()))
    seen.read(log, directory.name)
    seen.restart_s = seen.took[restarted] if len(seen.took) > restarted else float("inf")
    shutil.rmtree(disk.backing / directory.name)
    image = seen.flash.after_crash(nothing, 0)
    case = f"/{directory.name}"
    lay_out({p.removeprefix(case): c for p, c in image.items() if p != case}, scratch)
    seen.wrong += problems(scratch, seen.history)
    seen.wrong += [f"never recorded: {key}" for key in seen.unanswered()]
    if seen.restart_s > RESTART_S:
        seen.wrong.append(f"restart took {seen.restart_s} s")
    return seen


class _Seen:
    """One case as it was written down."""

    def __init__(self) -> None:
        self.flash, self.history = Flash(), History()
        self.refused: Counter[str] = Counter()
        self.took: list[float] = []
        self.wrong: list[str] = []
        self.restart_s = 0.0

    def read(self, log: _Log, case: str) -> None:
        """The case's own directory is given: it was there before the first operation."""
        if not self.flash.pending_names:
            self.flash.do(("mkdir", f"/{case}"))
            self.flash.do(("syncdir", "/"))
        for operation in log.new():
            if operation[0] != "note":
                self.flash.do(operation)
                continue
            word, _, rest = operation[1].partition(" ")
            match word:
                case "refused":
                    self.refused[rest] += 1
                case "took":
                    self.took.append(float(rest))
                case "ended":
                    pass
                case "crashed":
                    self.wrong.append(f"crashed: {rest}")
                case _:
                    self.history.heed(operation[1])

    def unanswered(self) -> list[str]:
        acknowledged = set(self.history.acknowledged())
        return [key for key in self.history.lives if key not in acknowledged]


def all_faults(counts: dict[str, int]) -> list[Fault]:
    """Every n of every kind with every error, once and for ever."""
    return [
        Fault(kind, at, code, forever)
        for kind in KINDS
        for at in range(1, counts.get(kind, 0) + 1)
        for code in ERRORS
        for forever in (False, True)
    ]


def run(
    home: Path, seed: int, *, part: tuple[int, int] = (0, 1), until_s: float = float("inf"),
    fold: bool = True,
) -> Result:  # fmt: skip
    """All cases in random order until monotonic `until_s`; `part` (which, of how many).

    Without `fold`, the positive control: a start does not write the log out, and syncs fail.
    """
    logging.disable(logging.CRITICAL)
    began, result = time.monotonic(), Result()
    if not fold:
        opening._fold = lambda _db: None  # this process is the control's own
    with Mounted(home / "disk") as disk:
        log = _Log(disk)
        disk.fail(Fault())
        disk.backing.joinpath("c0").mkdir(mode=0o700)
        whole = partial(note, disk.path)
        assert _lived(disk.path / "c0" / "state", whole, close=True) == 0
        faults = all_faults(disk.counts())
        result.possible = len(faults)
        if not fold:
            faults = [f for f in faults if f.kind == "sync" and not f.forever]
        random.Random(seed).shuffle(faults)
        faults = faults[part[0] :: part[1]]
        for _ in log.new():
            pass
        for number, fault in enumerate(faults, 1):
            if time.monotonic() > until_s:
                break
            seen = _case(disk, log, number, fault, home / "scratch")
            result.cases += 1
            result.refused += seen.refused
            result.slowest_restart_s = max(result.slowest_restart_s, seen.restart_s)
            for sort in {wrong.split(":")[0] for wrong in seen.wrong}:
                result.bad[sort] += 1
            if seen.wrong and len(result.examples) < 10:
                result.examples.append(f"{fault}: {seen.wrong[0]}")
        log.close()
    result.seconds = time.monotonic() - began
    return result
