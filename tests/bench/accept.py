"""Durable accept: one client over the unix socket, against a bare commit plus an empty request.

One commit, one empty request, one accept, and again: so a noisy moment hits all of them, and all
of them find the disk and the caches as cold as the others do (50 commits in a row cost two thirds
of 50 apart). The uplink is switched off meanwhile: what is measured is taking over, not taking over
while delivering. Both databases have been written long enough for their logs to be begun again
instead of growing, and both carry them over between turns of 50, unmeasured (the agent after 200
quiet milliseconds).

An accept is five hand-overs between threads and processes, its floor three: a machine that is busy
with other things makes each of them wait. So the target is judged in the quietest quarter of the
turns, chosen by their floors alone; the figures of all turns stand beside it.
"""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import dataclass

from tests.bench.payments import submission
from tests.bench.rig import Child, Sims, Terminal, UnixClient
from tests.bench.table import Figure
from tests.process.shim import COMPILER, Shim

TURN = 50
WARM_UP_TURNS = 6
QUIET_S = 0.35
TARGET_US = 250.0
SLOW_TARGET = 1.2
P99_TARGET = 4.0
SYNC_DELAY_US = 5_000
EMPTY = "/v1/nothing-here"


@dataclass(slots=True)
class Turn:
    """Microseconds of each kind, measured right after one another."""

    bare: list[float]
    empty: list[float]
    accept: list[float]

    @property
    def floor_us(self) -> float:
        return statistics.median(self.bare) + statistics.median(self.empty)


def together(turns: list[Turn]) -> Turn:
    """All turns as one."""
    return Turn(
        bare=[each for turn in turns for each in turn.bare],
        empty=[each for turn in turns for each in turn.empty],
        accept=[each for turn in turns for each in turn.accept],
    )


def quietest(turns: list[Turn]) -> list[Turn]:
    """The quarter of the turns with the lowest floors; what was accepted in them has no say."""
    return sorted(turns, key=lambda turn: turn.floor_us)[: max(1, len(turns) // 4)]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * len(ordered)))]


def measure(sims: Sims, *, turns: int, slow_turns: int) -> tuple[list[Figure], list[str]]:
    figures = _figures("accept", _times(sims, turns, None), slow=False)
    if COMPILER is None:
        return figures, ["no C compiler: accept with slow fsync was not measured"]
    slow = _times(sims, slow_turns, SYNC_DELAY_US)
    return figures + _figures("accept, every fsync +5 ms", slow, slow=True), []


def _figures(group: str, turns: list[Turn], *, slow: bool) -> list[Figure]:
    """p50 and p99 of all turns, and p50 of the quietest quarter, which the target is about."""
    figures = []
    for name, some, judged in (("", turns, False), (", quietest turns", quietest(turns), True)):
        turn = together(some)
        bare, empty = statistics.median(turn.bare), statistics.median(turn.empty)
        accept = statistics.median(turn.accept)
        above_us = accept - bare - empty
        met = accept <= SLOW_TARGET * (bare + empty) if slow else above_us <= TARGET_US
        target = f"≤ {SLOW_TARGET:g}×" if slow else f"≤ floor + {TARGET_US:g} µs"
        figures.append(
            Figure(
                group=group,
                name=f"accept p50{name}",
                value=accept,
                unit="µs",
                floor=bare + empty,
                floor_name=f"= {bare:.0f} commit + {empty:.0f} request",
                target=target if judged else "",
                met=met if judged else None,
                note=f"floor + {above_us:.0f} µs",
            )
        )
    turn = together(turns)
    p99, floor = percentile(turn.accept, 0.99), turn.floor_us
    floor_p99 = percentile(turn.bare, 0.99) + percentile(turn.empty, 0.99)
    figures.append(
        Figure(
            group=group,
            name="accept p99",
            value=p99,
            unit="µs",
            floor=floor,
            floor_name="p50 commit + p50 request",
            target=f"≤ {P99_TARGET:g}×",
            met=p99 <= P99_TARGET * floor,
            note=f"p99 of the two themselves: {floor_p99:.0f}",
        )
    )
    return figures


def _times(sims: Sims, turns: int, sync_delay_us: int | None) -> list[Turn]:
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
            for number in range(WARM_UP_TURNS):
                _turn(bare, client, number * TURN)
            if shim is not None and sync_delay_us is not None:
                shim.set("sync_delay_us", sync_delay_us)
            return [
                _turn(bare, client, number * TURN)
                for number in range(WARM_UP_TURNS, WARM_UP_TURNS + turns)
            ]
        finally:
            client.close()
            bare.close()
            terminal.stop()
            if shim is not None:
                shim.close()


def _turn(bare: Child, client: UnixClient, start: int) -> Turn:
    turn = Turn([], [], [])
    for number in range(start, start + TURN):
        bare.tell("1")
        turn.bare += json.loads(bare.hear())
        turn.empty.append(client.get(EMPTY)[1])
        status, took_us = client.submit(submission(f"bench-{number:010d}", number))
        if status != 201:
            raise RuntimeError(f"payment {number} was answered {status}")
        turn.accept.append(took_us)
    bare.tell("0")  # carry the log over
    bare.hear()
    time.sleep(QUIET_S)
    return turn
