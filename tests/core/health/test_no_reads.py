"""The no-read ratio: nothing from a handful, hysteresis, and old tries that fade."""

from __future__ import annotations

import pytest

from agent.core.health.no_reads import Limits, NoReads

LIMITS = Limits(limit_percent=40, clear_percent=20, least=10, window=100)


def test_a_handful_of_tries_tells_nothing() -> None:
    """Below the least number there is neither a ratio nor a trouble."""
    ratio = NoReads(LIMITS)
    ratio.count(0, 9)
    assert (ratio.percent, ratio.failing) == (None, None)
    ratio.count(0, 1)
    assert (ratio.percent, ratio.failing) == (100.0, True)


def test_it_begins_high_and_ends_low() -> None:
    """Between the two limits it stays what it was."""
    ratio = NoReads(LIMITS)
    ratio.count(7, 3)
    assert ratio.failing is False  # never was
    ratio.count(3, 4)  # 7 of 17
    assert ratio.failing is True
    ratio.count(8, 0)  # 7 of 25
    assert ratio.failing is True
    ratio.count(10, 0)  # 7 of 35
    assert ratio.failing is False
    ratio.count(0, 5)  # 12 of 40
    assert ratio.failing is False


def test_old_tries_fade() -> None:
    """A cleaned window is noticed, however long the bad days were."""
    ratio = NoReads(LIMITS)
    ratio.count(0, 100_000)
    assert ratio.failing is True
    for _ in range(200):
        ratio.count(1, 0)
    assert ratio.failing is False


@pytest.mark.parametrize("least", [0, 1])
def test_without_a_try_there_is_no_ratio(least: int) -> None:
    """Zero of zero is not zero."""
    limits = Limits(limit_percent=40, clear_percent=20, least=least, window=100)
    ratio = NoReads(limits)
    ratio.count(0, 0)
    assert (ratio.percent, ratio.failing) == (None, None)


def test_fading_never_takes_the_word_away() -> None:
    """A small window: what is known stays known while tries keep coming."""
    ratio = NoReads(Limits(limit_percent=40, clear_percent=20, least=20, window=20))
    for _ in range(100):
        ratio.count(0, 1)
    known = []
    for _ in range(30):
        ratio.count(0, 1)
        known.append(ratio.percent)
    assert None not in known
