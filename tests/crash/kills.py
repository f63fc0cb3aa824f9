"""Rig 4: kill -9 at named points: before and after the n-th call on a file of the store.

One daemon home lives through all cycles, so that each start recovers what the last death left. The
payment app repeats what was not acknowledged; the reference host posts every request it gets, also
repeats (`ignore_keys`), so that a second posting shows in its ledger instead of being swallowed.
A faulty host would hide whose fault a repeat is, so this one always answers.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.crash.agents import Agent

COMPILER = shutil.which("cc") or shutil.which("gcc")
PAYMENTS = 3  #: per cycle
CYCLE_S = 3.0
CHECK_EVERY = 50
#: Call, file, and how many of it a cycle makes at most.
POINTS = (
    ("write", "journal.db-wal", 120),
    ("sync", "journal.db-wal", 24),
    ("write", "journal.db", 20),
    ("sync", "journal.db", 4),
    ("truncate", "journal.db-wal", 2),
    ("write", "counters", 2),
    ("sync", "counters", 2),
    ("write", "state.db-wal", 20),
    ("any", "", 200),
)


@dataclass(slots=True)
class Result:
    """What the cycles showed."""

    cycles: int = 0
    killed: int = 0  #: cycles in which the point was reached
    points: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    posted: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        self.cycles += other.cycles
        self.killed += other.killed
        self.points += other.points
        self.acknowledged += other.acknowledged
        self.posted += other.posted
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.seconds = max(self.seconds, other.seconds)


def points(cycles: int, draw: random.Random) -> Iterator[dict[str, str]]:
    """Every named point once, before and after; then again at random."""
    every = [
        (call, file, at, after)
        for call, file, most in POINTS
        for at in range(1, most + 1)
        for after in (0, 1)
    ]
    draw.shuffle(every)
    for number in range(cycles):
        call, file, at, after = every[number % len(every)]
        yield {
            "KILL_CALL": call, "KILL_FILE": file, "KILL_AT": str(at), "KILL_AFTER": str(after),
        }  # fmt: skip


def payment(key: str) -> dict[str, Any]:
    return {
        "key": key, "terminal_id": "T0000001", "merchant_id": "M00000000000001", "kind": "sale",
        "posting": "advice", "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "amount_minor": 1250, "currency": "CNY",
        "payload": {"content_type": "application/json", "text": '{"order":"A-1"}'},
    }  # fmt: skip


class _App:
    """The payment app: asks until it is told that a payment is recorded."""

    def __init__(self) -> None:
        self.open: dict[str, dict[str, Any]] = {}
        self.acknowledged: set[str] = set()
        self.refused: list[str] = []

    def submit(self, agent: Agent) -> None:
        for key, body in list(self.open.items()):
            try:
                status, answer = agent.call("POST", "/v1/transactions", body)
            except (OSError, http.client.HTTPException, ValueError):
                return  # the daemon died under the request: its answer is unknown
            if status in (200, 201):
                self.acknowledged.add(key)
                del self.open[key]
            elif status not in (503, 507):
                self.refused.append(f"{status} {answer}")
                del self.open[key]


def _cycle(agent: Agent, app: _App, environment: dict[str, str]) -> bool:
    """True when the point was reached. A cycle that never gets there is killed when idle."""
    agent.start(environment)
    ends = time.monotonic() + CYCLE_S
    if agent.listening():
        app.submit(agent)
    while agent.running and time.monotonic() < ends:
        try:
            if not app.open and not agent.call("GET", "/v1/backlog")[1]["total"]["count"]:
                break
        except (OSError, http.client.HTTPException, ValueError):
            pass
        time.sleep(0.01)  # a poll: the daemon dies by itself at the point
    reached = not agent.running
    agent.kill()
    return reached


def _library(home: Path) -> Path:
    assert COMPILER is not None
    source, library = Path(__file__).with_name("kill_at.c"), home / "kill_at.so"
    subprocess.run([COMPILER, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library


def run(
    home: Path, seed: int, cycles: int, *, until_s: float = float("inf"), forget: bool = False
) -> Result:
    """Until monotonic `until_s`. `forget` is the positive control: the journal is taken away."""
    home.mkdir(parents=True, exist_ok=True)
    began, result, app = time.monotonic(), Result(), _App()
    draw, library = random.Random(seed), _library(home)
    options = HostOptions(sync=False, ignore_keys=True)
    with HostThread(options) as host, Agent(host.host.url) as agent:
        if forget:
            host.apply(Fault.named("refuse"))
        preload = {"LD_PRELOAD": str(library), "KILL_UNDER": str(agent.state)}
        for number, point in enumerate(points(cycles, draw), 1):
            for n in range(PAYMENTS):
                app.open[f"p{os.getpid()}-{number}-{n}"] = payment(f"p{os.getpid()}-{number}-{n}")
            if _cycle(agent, app, {**preload, **point}):
                result.killed += 1
                result.points[f"{point['KILL_CALL']} {point['KILL_FILE'] or 'any file'}"] += 1
            result.cycles += 1
            if forget and number == cycles // 2:
                shutil.rmtree(agent.state)
            late = time.monotonic() > until_s
            if number % CHECK_EVERY == 0 or number == cycles or late:
                _check(agent, app, host, result)
            if late:
                break
    result.seconds = time.monotonic() - began
    return result


def _check(agent: Agent, app: _App, host: HostThread, result: Result) -> None:
    """The daemon runs undisturbed until all is sent; then both books are compared."""
    host.apply(Fault())
    agent.start()
    assert agent.listening(), "the daemon does not start"
    app.submit(agent)
    agent.drained()
    damage = agent.call("GET", "/v1/status")[1]["store"]["damage"]
    agent.kill()
    times = Counter(p.key for p in host.host.ledger.postings() if p.status == "posted")
    result.acknowledged, result.posted = len(app.acknowledged), len(times)
    found = {
        "lost": app.acknowledged - times.keys(),
        "posted twice": {key for key, count in times.items() if count > 1},
        "refused": set(app.refused),
        "damage reported": {damage} if damage else set(),
    }
    for sort, keys in found.items():
        if keys:
            result.bad[sort] = len(keys)
            result.examples.append(f"{sort}: {sorted(keys)[:3]} at cycle {result.cycles}")
