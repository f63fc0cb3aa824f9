"""Sixty-four at once: appends in one process, and submitters over the API.

Both live on sharing a commit. In one process the comparison is a single writer that commits each
payment by itself; over the API it is what is scarcer, the server's turn (as many empty requests at
once) or the flash (every submitter waits for the commit under way and for its own). Rounds take
turns, and the median of their ratios is judged, so that a noisy moment hits both sides.

How much sharing is worth depends on what is shared: where a sync takes a quarter of a millisecond,
64 appends take longer than it does. So the appends are also measured with every sync slowed to
what flash takes; the target is about the first of the two all the same.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass

from tests.bench.accept import SYNC_DELAY_US
from tests.bench.rig import Child, Sims, Terminal
from tests.bench.table import Figure
from tests.process.shim import COMPILER, Shim

MANY = 64
SINGLE = 100
APPEND_TARGET = 8.0
SUBMIT_TARGET = 0.6
#: Rounds of the appends with slow syncs; each takes seconds.
SLOW_ROUNDS = 5
#: The size of both sides at which the logs have grown and the code is warm.
WARM_UP = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """Rates per second, and the median of a single commit in microseconds."""

    bare: float
    commit_us: float
    append: float
    empty: float
    submit: float

    @property
    def bound(self) -> float:
        """What submitters over the API cannot pass."""
        return min(self.empty, MANY / (2 * self.commit_us / 1e6))


def measure(sims: Sims, *, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    figures = _both(sims, rounds=rounds, count=count)
    if COMPILER is None:
        return figures, ["no C compiler: appends with slow fsync were not measured"]
    return figures + _slow(sims, count=count), []


def _both(sims: Sims, *, rounds: int, count: int) -> list[Figure]:
    with Terminal(sims) as terminal:
        for name in ("bare", "store"):
            (terminal.home / name).mkdir(mode=0o700)
        terminal.configure(url="https://localhost:1/pay", uplink="enabled = false")
        terminal.start()
        bare = Child("tests.bench.bare_commit", str(terminal.home / "bare"))
        writers = Child("tests.bench.writers", str(terminal.home / "store"), str(MANY))
        clients = Child("tests.bench.submitters", str(terminal.socket), str(MANY))
        try:
            _round(bare, writers, clients, WARM_UP)
            found = [_round(bare, writers, clients, count) for _ in range(rounds)]
        finally:
            for child in (clients, writers, bare):
                child.close()
            terminal.stop()
    return _figures(found)


def _round(bare: Child, writers: Child, clients: Child, count: int) -> Round:
    bare.tell("0")
    bare.hear()
    times_us = json.loads(_told(bare, str(SINGLE)))
    return Round(
        bare=len(times_us) * 1e6 / sum(times_us),
        commit_us=statistics.median(times_us),
        append=float(_told(writers, str(count))),
        empty=float(_told(clients, f"empty {count}")),
        submit=float(_told(clients, f"submit {count}")),
    )


def _slow(sims: Sims, *, count: int) -> list[Figure]:
    """The appends alone, every sync slowed."""
    with Terminal(sims) as terminal:
        for name in ("bare", "store"):
            (terminal.home / name).mkdir(mode=0o700)
        shim = Shim(terminal.home, terminal.home)
        bare = Child(
            "tests.bench.bare_commit", str(terminal.home / "bare"), environment=shim.environment
        )
        writers = Child(
            "tests.bench.writers", str(terminal.home / "store"), str(MANY),
            environment=shim.environment,
        )  # fmt: skip
        found: list[tuple[float, float]] = []
        try:
            _told(writers, str(WARM_UP))
            shim.set("sync_delay_us", SYNC_DELAY_US)
            for _ in range(SLOW_ROUNDS):
                bare.tell("0")
                bare.hear()
                times_us = json.loads(_told(bare, str(SINGLE)))
                rate = len(times_us) * 1e6 / sum(times_us)
                found.append((rate, float(_told(writers, str(count)))))
        finally:
            shim.set("sync_delay_us", 0)
            for child in (writers, bare):
                child.close()
            shim.close()
    ratio = statistics.median(append / bare_rate for bare_rate, append in found)
    return [
        Figure(
            group=f"{MANY} at once, every fsync +{SYNC_DELAY_US / 1000:g} ms",
            name=f"appends of {MANY} writers in one process",
            value=statistics.median(append for _, append in found),
            unit="/s",
            floor=statistics.median(bare_rate for bare_rate, _ in found),
            floor_name="/s bare commits, one by one",
            ratio=ratio,
            target=f"≥ {APPEND_TARGET:g}×",
            met=ratio >= APPEND_TARGET,
        )
    ]


def _told(child: Child, line: str) -> str:
    child.tell(line)
    return child.hear()


def _figures(found: list[Round]) -> list[Figure]:
    append = statistics.median(each.append / each.bare for each in found)
    submit = statistics.median(each.submit / each.bound for each in found)
    commit_us = statistics.median(each.commit_us for each in found)
    return [
        Figure(
            group=f"{MANY} at once",
            name=f"appends of {MANY} writers in one process",
            value=statistics.median(each.append for each in found),
            unit="/s",
            floor=statistics.median(each.bare for each in found),
            floor_name="/s bare commits, one by one",
            ratio=append,
            target=f"≥ {APPEND_TARGET:g}×",
            met=append >= APPEND_TARGET,
        ),
        Figure(
            group=f"{MANY} at once",
            name=f"payments of {MANY} submitters over the API",
            value=statistics.median(each.submit for each in found),
            unit="/s",
            floor=statistics.median(each.bound for each in found),
            floor_name=f"/s = min(empty requests, {MANY} ÷ 2 commits of {commit_us:.0f} µs)",
            ratio=submit,
            target=f"≥ {SUBMIT_TARGET:g}×",
            met=submit >= SUBMIT_TARGET,
            note=f"{statistics.median(each.empty for each in found):.0f}/s empty requests",
        ),
    ]
