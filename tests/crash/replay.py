"""Rig 1: the store's file operations, recorded once, and every crash that could have cut them.

`record` runs the real store on the recording disk, several sessions long. `replay` goes through the
recording operation by operation; after each it builds the states a power cut could leave there and
gives each to the store's own recovery. Equal states under the same history count once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.crash.disk import ROOT, Mounted
from tests.crash.history import History
from tests.crash.model import (
    Choice,
    Flash,
    Image,
    any_part,
    everything,
    newest_first,
    nothing,
    torn_end,
)
from tests.crash.recovered import problems

#: Lives of the process in one recording: clean stops and deaths in the middle.
SESSIONS = ("kill", "close", "kill")
NOTHING = "nothing unsynced kept"
#: Random choices of what was pending, per operation.
PARTS = 3


@dataclass(slots=True)
class Result:
    """What a replay saw."""

    operations: int = 0
    states: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    doubted: Counter[str] = field(default_factory=Counter)  #: end of the log unreadable, by kind
    bad: Counter[str] = field(default_factory=Counter)  #: states by kind of problem
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        self.operations += other.operations
        self.states += other.states
        self.kinds += other.kinds
        self.doubted += other.doubted
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.seconds = max(self.seconds, other.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class CrashState:
    """One disk a power cut may leave, and what had been promised by then."""

    at: int  #: operations done
    kind: str
    image: Image


def record(home: Path, seed: int, mode: str = "full") -> list[tuple[Any, ...]]:
    """Run the store on a recording disk below `home`; the operations and notes, in order."""
    with Mounted(home) as disk:
        for number, end in enumerate(SESSIONS):
            session = str(seed * len(SESSIONS) + number)
            subprocess.run(
                [sys.executable, "-m", "tests.crash.workload", disk.path, session, end, mode],
                cwd=ROOT, check=True, timeout=120,
            )  # fmt: skip
    operations: list[tuple[Any, ...]] = []
    with disk.log.open("rb") as log:
        while True:
            try:
                operations.append(pickle.load(log))
            except EOFError:
                return operations


def crash_states(
    operations: list[tuple[Any, ...]], history: History, draw: random.Random
) -> Iterator[CrashState]:
    """Every state, each once; `history` is moved on beside it."""
    flash, seen = Flash(), set[bytes]()
    for at, operation in enumerate(operations, 1):
        if operation[0] == "note":
            history.heed(operation[1])
        else:
            flash.do(operation)
        for kind, choice, names in _cuts(flash, draw):
            image = flash.after_crash(choice, names)
            digest = _digest(image, history)
            if digest not in seen:
                seen.add(digest)
                yield CrashState(at=at, kind=kind, image=image)


def _cuts(flash: Flash, draw: random.Random) -> Iterator[tuple[str, Choice, int]]:
    names = flash.pending_names
    yield NOTHING, nothing, 0
    if not flash.pending and not names:
        return
    yield "everything kept", everything, names
    yield "torn at a sector", torn_end(draw), names
    yield "newer kept, older lost", newest_first(draw), draw.randint(0, names)
    for _ in range(PARTS):
        yield "any part kept", any_part(draw), draw.randint(0, names)


def _digest(image: Image, history: History) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for path, content in sorted(image.items()):
        digest.update(path.encode() + b"\0" + (content or b"") + b"\0")
    digest.update(history.notes.to_bytes(4, "big"))
    return digest.digest()


def lay_out(image: Image, directory: Path) -> None:
    """Write the files of `/state` into `directory`, which is emptied first."""
    shutil.rmtree(directory, ignore_errors=True)
    for path, content in image.items():
        target = f"{directory}{path.removeprefix('/state')}"
        if content is None:
            os.mkdir(target, 0o700)  # noqa: PTH102 - a hundred thousand times: strings are quicker
            continue
        fd = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(fd, content)
        os.close(fd)


def replay(
    operations: list[tuple[Any, ...]], seed: int, scratch: Path, *,
    until_s: float = float("inf"), enough_lost: float = float("inf"),
) -> Result:  # fmt: skip
    """Give every crash state to the store; stop early at monotonic `until_s`, or (a control) when
    enough states have lost something."""
    logging.disable(logging.CRITICAL)  # a replay logs the same start a hundred thousand times
    scratch.mkdir(parents=True, exist_ok=True)
    began, history, result = time.monotonic(), History(), Result(operations=len(operations))
    for state in crash_states(operations, history, random.Random(seed)):
        if time.monotonic() > until_s or result.bad["lost"] >= enough_lost:
            break
        lay_out(state.image, scratch / "state")
        doubted: list[str] = []
        wrong = problems(scratch / "state", history, doubted)
        if doubted and state.kind == NOTHING and not history.unreadable:
            wrong.append("needless doubt: only what was synced is there")
        result.states += 1
        result.kinds[state.kind] += 1
        result.doubted[state.kind] += bool(doubted)
        for sort in {problem.split(":")[0] for problem in wrong}:
            result.bad[sort] += 1
        if wrong and len(result.examples) < 10:
            result.examples.append(f"seed {seed}, operation {state.at}, {state.kind}: {wrong[0]}")
    result.seconds = time.monotonic() - began
    return result
