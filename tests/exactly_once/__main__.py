"""`make exactly-once` and `make exactly-once-long`: payments over lines that misbehave.

First the controls, which must show the failure; then each way (both uplinks, in clear and over TLS)
gets its share of the posts, in runs with a store and a host of their own. Ends with 1 when
a payment was posted twice or not at all, or when a control found nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.exactly_once.rig import (
    FAULTS_SHARE,
    SPEED,
    Outcome,
    Way,
    run_careless,
    run_delivery,
)

SHARES = {Way.HTTP: 0.4, Way.HTTPS: 0.15, Way.ISO: 0.3, Way.ISO_TLS: 0.15}
#: One store and one host carry so many; more only fills memory.
RUN = 10_000
#: Where time is short: about ten seconds each.
SMALL_RUN = 2_000
CONTROL = 1_000
SHORT, LONG = 100_000, 1_000_000
WORKERS = 2


@dataclass(slots=True)
class Row:
    """One way or control, its runs put together."""

    name: str
    well: bool | None = True
    posts: int = 0
    effects: int = 0
    duplicates: int = 0
    lost: int = 0
    other: int = 0
    hurt: int = 0
    sent: int = 0
    in_doubt: int = 0
    released: int = 0
    taken_back: int = 0
    seconds: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        found = outcome.found
        self.posts += found.acknowledged
        self.effects += found.effects
        self.duplicates += len(found.duplicates)
        self.lost += len(found.lost)
        self.other += sum(
            len(keys)
            for keys in (
                found.strangers, found.amounts, found.believed, found.denied, found.unfinished,
                found.references,
            )
        )  # fmt: skip
        self.hurt += outcome.hurt
        self.sent += outcome.sent
        self.in_doubt += outcome.in_doubt
        self.released += outcome.released
        self.taken_back += found.taken_back
        self.seconds += outcome.seconds
        self.met += outcome.faults
        self.well = bool(self.well) and found.well
        self.examples += found.examples()

    def cells(self) -> list[str]:
        rate = f"{self.posts / self.seconds:.0f}/s" if self.seconds else ""
        return [
            self.name, f"{self.posts:,}", f"{self.duplicates:,}", f"{self.lost:,}",
            f"{self.other:,}", f"{self.hurt:,}", f"{self.sent:,}", f"{self.in_doubt:,}",
            f"{self.taken_back:,}", f"{self.released:,}", rate,
        ]  # fmt: skip


HEAD = (
    "", "payments", "posted twice", "lost", "otherwise wrong", "faults met", "posts sent",
    "ever in doubt", "taken back", "held, let go", "rate",
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.exactly_once", description=__doc__)
    parser.add_argument("--posts", type=int, default=SHORT)
    parser.add_argument("--long", action="store_const", const=LONG, dest="posts")
    parser.add_argument("--within", type=float, default=0.0, metavar="S", help="begin no run later")
    parser.add_argument("--control", type=int, default=CONTROL, help="posts of each control")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--report", type=Path, help="write the figures there")
    given = parser.parse_args()
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(WORKERS, mp_context=context, max_tasks_per_child=4) as pool:
        controls = _controls(pool, given.control, given.seed)
        rows = [*_ways(pool, given, began), *controls]
    seconds = time.monotonic() - began
    bad = [row.name for row in rows if not row.well]
    for row in rows:
        for example in row.examples if not row.well else ():
            print(f"  {row.name}: {example}")
    posts = sum(row.posts for row in rows if not row.name.startswith("control"))
    kinds = len({name for row in rows for name in row.met})
    print(f"{posts:,} payments, {kinds} kinds of faults, {seconds:.0f} s; bad: {bad or 'none'}")
    if given.report:
        given.report.parent.mkdir(parents=True, exist_ok=True)
        given.report.write_text(_written(rows, given.seed, seconds), encoding="utf-8")
    return 1 if bad else 0


def _ways(pool: ProcessPoolExecutor, given: argparse.Namespace, began: float) -> list[Row]:
    """All runs, or as many of them as fit into the time given."""
    rows = {way: Row(way.value) for way in Way}
    ends = began + given.within if given.within else float("inf")
    waiting = _runs(given.posts, SMALL_RUN if given.within else RUN)
    running: dict[Future[Outcome], Way] = {}
    seed = given.seed
    while waiting or running:
        while waiting and len(running) < WORKERS and time.monotonic() < ends:
            way, posts = waiting.popleft()
            running[pool.submit(run_delivery, way, posts, seed, ignores=False)] = way
            seed += 1
        if not running:
            break
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            way, outcome = running.pop(future), future.result()
            rows[way].add(outcome)
            _say("ok " if outcome.found.well else "BAD", way.value, outcome)
    if waiting:
        print(f"time is up: {sum(posts for _, posts in waiting):,} of {given.posts:,} left out")
    return list(rows.values())


def _runs(posts: int, most: int) -> deque[tuple[Way, int]]:
    """The runs in turns, so that every way has had some wherever time ends."""
    left = {way: round(posts * share) for way, share in SHARES.items()}
    runs: deque[tuple[Way, int]] = deque()
    while any(left.values()):
        # The one that is furthest behind its share goes next.
        way = max(left, key=lambda each: left[each] / SHARES[each])
        runs.append((way, min(most, left[way])))
        left[way] -= runs[-1][1]
    return runs


def _controls(pool: ProcessPoolExecutor, posts: int, seed: int) -> list[Row]:
    """The same rig, with one half of the promise taken away: it must notice."""
    futures = []
    for way in (Way.HTTP, Way.ISO):
        ignoring = pool.submit(run_delivery, way, posts, seed, ignores=True)
        futures.append((f"control: the host ignores repeats, {way.value}", True, ignoring))
        forgetting = pool.submit(run_careless, way, posts, seed)
        futures.append((f"control: the client forgets what failed, {way.value}", False, forgetting))
    rows = []
    for name, doubles, future in futures:
        outcome = future.result()
        row = Row(name)
        row.add(outcome)
        row.well = bool(row.duplicates if doubles else row.lost)
        _say("ok " if row.well else "BAD", name, outcome)
        rows.append(row)
    return rows


def _say(verdict: str, name: str, outcome: Outcome) -> None:
    found = outcome.found
    rate = found.acknowledged / outcome.seconds
    print(
        f"{verdict} {name}: {found.line()}; {outcome.hurt:,} faults, {outcome.sent:,} sent, "
        f"{outcome.in_doubt:,} in doubt, {outcome.seconds:.0f} s ({rate:.0f}/s)",
        flush=True,
    )


def _written(rows: Sequence[Row], seed: int, seconds: float) -> str:
    met: Counter[str] = Counter()
    for row in rows:
        if not row.name.startswith("control"):
            met += row.met
    made = (
        f"Generated by `python -m tests.exactly_once` on {datetime.now(UTC):%Y-%m-%d}, seed "
        f"{seed}, {seconds / 60:.0f} minutes, Python {platform.python_version()}."
    )
    table = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    table += ["| " + " | ".join(row.cells()) + " |" for row in rows]
    faults = [f"| {name} | {count:,} |" for name, count in sorted(met.items())]
    head = _HEAD.format(made=made, share=f"{FAULTS_SHARE:.0%}", speed=SPEED)
    return "\n".join([head, *table, _WORDS, *faults, _LIMITS])


_HEAD = """\
# Exactly once

{made}

Real store, real uploader, real uplinks; reference host and simulated acquirer; between them a line
that hurts {share} of the exchanges in clear and one record of every TLS connection. The terminal's
clock runs {speed} times as fast as real time; the deadlines of connections are real. A control is
the same rig with one half of the promise taken away: it must show the failure, else the rig proves
nothing.
"""
_WORDS = """
*Otherwise wrong*: posted with another amount, the journal's proof is not the host's, believed
posted without effect, ended otherwise although posted, not final at the end. *Taken back*: requests
whose outcome nobody knew, reversed (money rule 5); posted or not, no money is moved in the end.
*Held, let go*: by a person's `release`.

## Faults met

| fault | times |
|---|---|"""
_LIMITS = """
## What these figures do not prove

- **A host that does not keep the contract.** The first controls show what happens there; hold your
  host against `posagent conformance`.
- **Requests changed on a line in clear.** Nothing on the terminal can notice; beyond loopback the
  agent speaks TLS only, and over TLS requests are corrupted here too. In clear only answers are,
  and of ISO 8583 answers only the length header: their fields are protected by a MAC the agent
  cannot check, or by TLS.
- **Crashes of the terminal** in the middle of all this: `make crash`, `make kill`.
- **Query messages over ISO 8583**: a fifth of the payments there are requests; in doubt they are
  taken back and never sent again, the rest are advices and sent again. Asking instead is proved by
  `tests/uplink/iso8583/test_delivery.py`.

Run it again: `make exactly-once` or `make exactly-once-long`. A seed repeats the draws; which
exchange meets which fault differs a little from run to run.
"""


if __name__ == "__main__":
    sys.exit(main())
