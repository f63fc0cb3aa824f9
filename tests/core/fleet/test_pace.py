"""How fast what has waited may leave."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet.pace import MOST_DEBT_MS, Pace


def test_after_any_wait_the_first_minute_looks_like_the_last() -> None:
    """Nothing is saved up for a burst while nothing could be sent."""
    pace = Pace(2.0, 1_000)
    at_ms, sent = 10**9, []
    while len(sent) < 20:
        if pace.free(at_ms):
            pace.spent(at_ms, 100)
            sent.append(at_ms)
        at_ms += 10
    assert {after - before for before, after in pairwise(sent)} == {500}


def test_a_large_message_costs_its_bytes() -> None:
    """Eight kilobytes at one a second are eight seconds of silence."""
    pace = Pace(100.0, 1_000)
    pace.spent(0, 8_000)
    assert not pace.free(7_999)
    assert pace.free(8_000)


def test_urgent_messages_are_paid_for_by_the_others_for_half_a_minute_at_most() -> None:
    """A storm of alarms slows the readings down and does not lock them out."""
    pace = Pace(1.0, 1_000)
    pace.spent(0, 100, urgent=True)
    assert not pace.free(999)
    assert pace.free(1_000)
    for _ in range(500):
        pace.spent(0, 100, urgent=True)
    assert pace.free(int(MOST_DEBT_MS))
    assert not pace.free(int(MOST_DEBT_MS) - 1)
    pace.spent(0, 100_000)
    before = pace.free_ms
    pace.spent(0, 100, urgent=True)
    assert pace.free_ms == before


@given(
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 9_000)), min_size=2, max_size=60),
    st.floats(0.1, 50),
    st.integers(64, 20_000),
)
def test_no_stretch_is_faster_than_the_rates(
    asked: list[tuple[int, int]], rate: float, bytes_rate: int
) -> None:
    """Whoever asks when it is free stays under both, however long it looks."""
    pace, at_ms = Pace(rate, bytes_rate), 0
    sent: list[tuple[int, int]] = []
    for wait_ms, size in asked:
        at_ms += wait_ms
        if pace.free(at_ms):
            pace.spent(at_ms, size)
            sent.append((at_ms, size))
    for first, (began_ms, _) in enumerate(sent):
        size = 0
        for last in range(first + 1, len(sent)):
            size += sent[last - 1][1]
            passed_s = (sent[last][0] - began_ms) / 1000
            assert last - first <= passed_s * rate + 0.01
            assert size <= passed_s * bytes_rate + 0.01 * bytes_rate
