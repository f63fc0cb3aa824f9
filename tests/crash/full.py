"""Rig 2b: a storage that is full, and a host that posts all the same.

The daemon works on a small file system of its own. While the host is away payments are taken over,
then the storage is filled to the last block; then the host comes back and posts. What it posted
must be written down although there is no room: from the reserve. A new payment is refused by name,
and after a kill and a start with room again nothing is missing and nothing goes out a second time.
The control is the same after somebody deleted the reserve.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.sim.host import HostOptions, HostThread
from agent.sim.host_faults import Fault
from tests.crash.agents import Agent
from tests.crash.kills import payment

DISK_MB = 24
RESERVE_KB = 1_024
PAYMENTS = 80
#: Hand-overs until one is refused, at most.
MOST = 4_000
PATIENCE_S = 30.0
RECORDED = (200, 201)


@dataclass(slots=True)
class Result:
    """What the rounds showed."""

    rounds: int = 0
    acknowledged: int = 0
    confirmed: int = 0  #: posted, and written down while there was no room
    refused: Counter[str] = field(default_factory=Counter)
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def wrong(self, text: str) -> None:
        self.bad[text.partition(":")[0]] += 1
        self.examples.append(text)


def unusable() -> str:
    """Why no small file system can be mounted here, or ""."""
    if os.geteuid() != 0:
        return "not root"
    return "" if shutil.which("mount") else "no mount"


@contextmanager
def _small(place: Path) -> Iterator[None]:
    place.mkdir(mode=0o700)
    options = f"size={DISK_MB}m,mode=0700"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "crash", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def run(rounds: int, *, reserve: bool = True) -> Result:
    """Each round a daemon, a host and a disk of their own."""
    result = Result()
    for _ in range(rounds):
        settings = f"[store]\nreserve_kb = {RESERVE_KB}\n"
        with (
            HostThread(HostOptions(sync=False, ignore_keys=True)) as host,
            Agent(host.host.url, settings) as agent,
            _small(agent.state),
        ):
            try:
                _round(agent, host, result, reserve=reserve)
            finally:
                agent.kill()
        result.rounds += 1
    return result


def _round(agent: Agent, host: HostThread, result: Result, *, reserve: bool) -> None:
    host.apply(Fault.named("refuse"))
    agent.start()
    assert agent.listening()
    acknowledged = {
        key
        for n in range(PAYMENTS)
        if _submitted(agent, key := f"f-{n}", approved=True) in RECORDED
    }
    _until(lambda: _size(agent.state / "reserve") == RESERVE_KB << 10, "no reserve was made")
    if not reserve:
        (agent.state / "reserve").unlink()
    acknowledged |= _filled(agent, result)
    host.apply(Fault())
    try:
        agent.drained(PATIENCE_S if reserve else PATIENCE_S / 4)
    except AssertionError as error:
        result.wrong(f"not confirmed: {error}")
    result.confirmed += sum(_state(agent, key) == "posted" for key in acknowledged)
    if _submitted(agent, "one-more") in RECORDED:
        acknowledged.add("one-more")  # a small one fits where a large one did not
    agent.kill()
    (agent.state / "junk").unlink()
    agent.start()
    assert agent.listening()
    if _submitted(agent, "afterwards") not in RECORDED:
        result.wrong("not recorded: a payment after there was room again")
    agent.drained()
    result.acknowledged += len(acknowledged)
    times = Counter(p.key for p in host.host.ledger.postings() if p.status == "posted")
    for key in acknowledged - times.keys():
        result.wrong(f"lost: {key}")
    for key, count in times.items():
        if count > 1:
            result.wrong(f"posted twice: {key}")
        if key not in acknowledged | {"afterwards"}:
            result.wrong(f"posted though refused: {key}")


def _filled(agent: Agent, result: Result) -> set[str]:
    """Until a payment finds no room; those that were still taken."""
    taken: set[str] = set()
    with (agent.state / "junk").open("wb", buffering=0) as junk:
        for size in (65_536, 4_096):
            try:
                while True:
                    junk.write(b"x" * size)
            except OSError:
                continue
    for n in range(MOST):
        status = _submitted(agent, key := f"fill-{n}", "x" * 3_000)
        if status not in RECORDED:
            result.refused[str(status)] += 1
            return taken
        taken.add(key)
    raise AssertionError("the storage never ran full")


def _submitted(agent: Agent, key: str, text: str = "{}", *, approved: bool = False) -> int:
    """A request the customer waits for, or a payment already approved, which is always taken."""
    body = payment(key)
    body["posting"] = "advice" if approved else "request"
    body["customer_saw"] = "approved" if approved else "unknown"
    body["payload"] = {"content_type": "text/plain", "text": text}
    return agent.call("POST", "/v1/transactions", body)[0]


def _state(agent: Agent, key: str) -> Any:
    return agent.call("GET", f"/v1/transactions/{key}")[1].get("state")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _until(holds: Any, otherwise: str) -> None:
    ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < ends, otherwise
        time.sleep(0.05)  # a poll of a condition
