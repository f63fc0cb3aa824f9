"""The storm in no time: the session machine alone, thousands of it, for outages of every length.

`make storm` shows it once with real connections; this shows that it does not hang on the eight
seconds the broker was away there.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from agent.core.fleet.session import Connect, Connected, Origin, Policy, Session
from tests.fleet_rig.plain_worker import stay_away_s
from tests.fleet_rig.storm import Run

TERMINALS = 2_000
SPREAD_S = 600.0


def returned(down_s: float, seed: int = 1) -> Run:
    """Connects per second after the broker came back; all were connected when it died."""
    rng = random.Random(seed)
    run = Run("virtual", TERMINALS, SPREAD_S, down_s)
    died_ms = 10_000_000
    back_ms = died_ms + round(down_s * 1000)
    sessions, due = [], []
    for number in range(TERMINALS):
        session = Session(Policy(endpoints=1, spread_s=SPREAD_S))
        session.start(0, 0.0)
        session.tick(0, 0.0)
        session.connected(0, Connected())
        session.sent(1, 1, 0)
        session.puback(1, 0, 100_000, 0.0)
        session.closed(died_ms, 0, Origin.SERVER, rng.random())
        sessions.append(session)
        heapq.heappush(due, (session.wake_at_ms() or 0, number))
    while due:
        now_ms, number = heapq.heappop(due)
        session = sessions[number]
        connect = [a for a in session.tick(now_ms, rng.random()) if isinstance(a, Connect)]
        if connect and now_ms >= back_ms:
            session.connected(now_ms, Connected())
            run.connects_by_second[(now_ms - back_ms) // 1000] += 1
            continue
        if connect:
            session.closed(now_ms, 0, Origin.NETWORK, rng.random())
        heapq.heappush(due, (session.wake_at_ms() or 0, number))
    return run


@pytest.mark.parametrize("down_s", [1, 8, 60, 300, 599, 1_800, 7_200])
def test_the_peak_holds_however_long_the_broker_was_away(down_s: float) -> None:
    """All come back, never more than 1.3 × N / spread a second over a bucket chance allows."""
    run = returned(down_s)
    assert run.connects_by_second.total() == TERMINALS
    assert run.held, (run.peak_per_s(run.bucket_s), run.bound_per_s)
    assert max(run.connects_by_second) <= 2.2 * SPREAD_S


def test_without_jitter_the_bound_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: doubling waits without jitter bring all back in the same second."""
    monkeypatch.setattr(Session, "_stay_away_s", stay_away_s)
    run = returned(8)
    assert run.connects_by_second.total() == TERMINALS
    assert not run.held


def test_the_peak_is_that_of_the_fullest_window() -> None:
    """Wherever the window begins; a bucket's edge hides nothing."""
    run = Run("made up", 1_000, 100.0, 0.0, connects_by_second=Counter({9: 30, 10: 30, 50: 40}))
    assert run.peak_per_s(2) == 30.0
    assert run.peak_per_s(1) == 40.0
    assert run.bucket_s == 20
