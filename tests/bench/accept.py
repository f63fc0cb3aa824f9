"""Durable accept: one client over the unix socket, against a bare commit plus an empty request.

The three are measured in turns of 50, so that a noisy moment hits all of them. The uplink is
switched off meanwhile: what is measured is taking over, not taking over while delivering.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass, field

from tests.bench.payments import submission
from tests.bench.rig import Child, Sims, Terminal, UnixClient
from tests.bench.table import Figure
from tests.process.shim import COMPILER, Shim

TURN = 50
FIRST_TARGET_US = 300.0
SLOW_TARGET = 1.3
SYNC_DELAY_US = 5_000
EMPTY = "/v1/nothing-here"


@dataclass(slots=True)
class Times:
    """Microseconds of each kind."""

    bare: list[float] = field(default_factory=list)
    empty: list[float] = field(default_factory=list)
    accept: list[float] = field(default_factory=list)

    def middle(self) -> tuple[float, float, float]:
        return tuple(statistics.median(each) for each in (self.bare, self.empty, self.accept))


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


def measure(sims: Sims, *, turns: int, slow_turns: int) -> tuple[list[Figure], list[str]]:
    quick = _times(sims, turns, None)
    figures = _figures("accept", quick)
    bare, empty, accept = quick.middle()
    figures.append(
        Figure(
            group="accept",
            name="accept p50 above its floor",
            value=accept - bare - empty,
            unit="µs",
            target=f"≤ {FIRST_TARGET_US:g} µs",
            met=accept - bare - empty <= FIRST_TARGET_US,
        )
    )
    if COMPILER is None:
        return figures, ["no C compiler: accept with slow fsync was not measured"]
    slow = _times(sims, slow_turns, SYNC_DELAY_US)
    bare, empty, accept = slow.middle()
    ratio = accept / (bare + empty)
    figures += _figures(
        "accept, every fsync +5 ms", slow, target=f"≤ {SLOW_TARGET:g}×", met=ratio <= SLOW_TARGET
    )
    return figures, []


def _figures(group: str, times: Times, target: str = "", met: bool | None = None) -> list[Figure]:
    bare, empty, accept = times.middle()
    floor, floor_name = bare + empty, f"= {bare:.0f} commit + {empty:.0f} request"
    return [
        Figure(
            group=group, name="accept p50", value=accept, unit="µs", floor=floor,
            floor_name=floor_name, target=target, met=met,
        ),
        Figure(
            group=group,
            name="accept p99",
            value=percentile(times.accept, 0.99),
            unit="µs",
            floor=percentile(times.bare, 0.99) + percentile(times.empty, 0.99),
            floor_name="p99 commit + p99 request",
        ),
    ]  # fmt: skip


def _times(sims: Sims, turns: int, sync_delay_us: int | None) -> Times:
    with Terminal(sims) as terminal:
        environment: dict[str, str] = {}
        shim = None
        if sync_delay_us is not None:
            shim = Shim(terminal.home, terminal.home)
            environment = shim.environment
        bare_home = terminal.home / "bare"
        bare_home.mkdir()
        terminal.configure(url="https://localhost:1/pay", uplink="enabled = false")
        terminal.start(environment=environment)
        bare = Child("tests.bench.bare_commit", str(bare_home), environment=environment)
        client = terminal.client()
        try:
            _turn(Times(), bare, client, 0)
            if shim is not None and sync_delay_us is not None:
                shim.set("sync_delay_us", sync_delay_us)
            times = Times()
            for number in range(1, turns + 1):
                _turn(times, bare, client, number * TURN)
        finally:
            client.close()
            bare.close()
            terminal.stop()
            if shim is not None:
                shim.close()
    return times


def _turn(times: Times, bare: Child, client: UnixClient, start: int) -> None:
    bare.tell(str(TURN))
    times.bare += json.loads(bare.hear())
    times.empty += [client.get(EMPTY)[1] for _ in range(TURN)]
    for number in range(start, start + TURN):
        body = submission(f"bench-{number:010d}", number)
        status, took_us = client.submit(body)
        if status != 201:
            raise RuntimeError(f"payment {number} was answered {status}")
        times.accept.append(took_us)
