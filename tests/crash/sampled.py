"""Rig 1, second half: crash states drawn at random, each finished by the real daemon.

The crashed directory is given to `python -m agent run` with a reference host that posts every
request, repeats too. What the host knew when the power went follows from the history: everything
answered, and of what was under way a part. After the daemon has drained, the host's ledger is
compared: every acknowledged payment once, nothing twice, nothing that was withdrawn.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from agent.core.money.journal import State
from agent.sim.host import HostOptions, HostThread
from agent.sim.ledger import Posting
from tests.crash.agents import Agent
from tests.crash.history import History, Life, submission_of
from tests.crash.replay import CrashState, crash_states, lay_out

#: Where a payment may stand and must still reach the host once.
OWED = frozenset({State.QUEUED, State.WAITING, State.POSTED})


@dataclass(slots=True)
class Result:
    """What the daemons did."""

    states: int = 0
    payments: int = 0  #: acknowledged, in all states
    bad: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    slowest_start_s: float = 0.0
    seconds: float = 0.0

    def add(self, other: Result) -> None:
        self.states += other.states
        self.payments += other.payments
        self.bad += other.bad
        self.examples = [*self.examples, *other.examples][:10]
        self.slowest_start_s = max(self.slowest_start_s, other.slowest_start_s)
        self.seconds = max(self.seconds, other.seconds)


def draw_states(
    operations: list[tuple[Any, ...]], seed: int, count: int
) -> list[tuple[CrashState, History]]:
    """`count` of all states, each equally likely, with what was promised by then."""
    draw, history = random.Random(seed), History()
    chosen: list[tuple[CrashState, History]] = []
    for number, state in enumerate(crash_states(operations, history, random.Random(seed))):
        if len(chosen) < count:
            chosen.append((state, deepcopy(history)))
        elif (place := draw.randint(0, number)) < count:
            chosen[place] = state, deepcopy(history)
    return chosen


def run(operations: list[tuple[Any, ...]], seed: int, count: int) -> Result:
    """Each drawn state through a daemon of its own."""
    began, result, draw = time.monotonic(), Result(), random.Random(seed)
    for state, history in draw_states(operations, seed, count):
        wrong = _finished(state, history, draw, result)
        result.states += 1
        for sort in {text.split(":")[0] for text in wrong}:
            result.bad[sort] += 1
        if wrong:
            result.examples.append(f"seed {seed}, operation {state.at}, {state.kind}: {wrong[0]}")
    result.seconds = time.monotonic() - began
    return result


def _finished(
    state: CrashState, history: History, draw: random.Random, result: Result
) -> list[str]:
    acknowledged = set(history.acknowledged())
    result.payments += len(acknowledged)
    options = HostOptions(sync=False, ignore_keys=True)
    with HostThread(options) as host, Agent(host.host.url) as agent:
        for posting in _known_to_host(history, draw):
            host.host.ledger.append(posting)
        lay_out(state.image, agent.state)
        began = time.monotonic()
        agent.start()
        if not agent.listening():
            return ["the daemon does not start"]
        result.slowest_start_s = max(result.slowest_start_s, time.monotonic() - began)
        agent.drained()
        damage = agent.call("GET", "/v1/status")[1]["store"]["damage"]
        agent.kill()
        ledger = host.host.ledger.postings()
    found = [f"damage reported: {damage}"] if damage else []
    return found + _compared(history, acknowledged, ledger)


def _known_to_host(history: History, draw: random.Random) -> Iterable[Posting]:
    """What was answered is known; what was under way reached the host or did not."""
    now = datetime.now(UTC)
    for key, life in history.lives.items():
        states = {standing[0] for standing in life.tried}
        if State.DECLINED in states:
            status = "declined"
        elif State.POSTED in states or (_may_have_left(life) and draw.random() < 0.5):
            status = "posted"
        else:
            continue
        t = submission_of(key).transaction
        yield Posting(
            seq=0, terminal_id=t.terminal_id, key=key, merchant_id=t.merchant_id, kind=t.kind,
            posting=t.posting, amount_minor=t.amount_minor, currency=t.currency, fingerprint="",
            status=status, reference=f"R-{key}", response_code="00" if status == "posted" else "51",
            rrn="000000000001", posted_at=now.isoformat(timespec="milliseconds"),
            posted_wall_ms=round(now.timestamp() * 1000), attempt=1,
        )  # fmt: skip


def _may_have_left(life: Life) -> bool:
    """A byte leaves only after *sending* is acknowledged; then doubt stays until an answer."""
    if life.tried[-1][0] is State.SENDING and life.acknowledged == len(life.tried):
        return True
    return any(in_doubt for _, in_doubt in life.tried)


def _compared(history: History, acknowledged: set[str], ledger: list[Posting]) -> list[str]:
    times = Counter(posting.key for posting in ledger if posting.status == "posted")
    found = [f"posted again: {key}" for key, count in times.items() if count > 1]
    for posting in ledger:
        if posting.key not in history.lives:
            found.append(f"invented: {posting.key}")
        elif posting.amount_minor != submission_of(posting.key).transaction.amount_minor:
            found.append(f"other amount: {posting.key}")
    for key in acknowledged:
        states = {state for state, _ in history.allowed(key)}
        if states <= OWED and not times[key] and not _declined(key, ledger):
            found.append(f"lost: {key}")
        if states == {State.VOIDED} and times[key]:
            found.append(f"posted though withdrawn: {key}")
    return found


def _declined(key: str, ledger: list[Posting]) -> bool:
    return any(posting.key == key and posting.status == "declined" for posting in ledger)
