"""Unsent before an update is unsent or settled after it, to the last payment and the last fen."""

from __future__ import annotations

import pytest

from agent.core.software.carried import (
    RANGES_MAX,
    Carried,
    Found,
    carried,
    forgettable,
    missing,
    told,
)


def test_numbers_become_ranges_and_come_back() -> None:
    """What is written down with the update says the same when it is read."""
    before = carried([7, 2, 1, 3, 9, 8], {"CNY": 1250, "": 0, "USD": -3})
    assert before is not None
    assert before.text() == "1-3,7-9|:0;CNY:1250;USD:-3"
    assert told(before.text()) == before
    assert before.count == 6
    nothing = carried([], {})
    assert nothing is not None
    assert told(nothing.text()) == nothing == Carried(amounts={})


@pytest.mark.parametrize("text", ["", "x", "1-2", "1-2|CNY", "1|CNY:3", "-|"])
def test_what_was_not_written_by_us_is_nothing(text: str) -> None:
    """No count is better than a wrong one."""
    assert told(text) is None


def test_what_is_scattered_too_much_is_not_written() -> None:
    """An update's file stays small."""
    assert carried(range(0, 2 * RANGES_MAX + 2, 2), {}) is None


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (Found(count=4, amounts={"CNY": 10, "USD": 5}), ""),
        (Found(count=3, amounts={"CNY": 10, "USD": 5}), "1 of 4 unsent payments are missing"),
        (Found(count=4, amounts={"CNY": 11, "EUR": 1}),
         "amounts of unsent payments have changed: CNY, EUR, USD"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(found: Found, says: str) -> None:
    """By count first, then by currency."""
    before = Carried(ranges=((1, 3), (9, 9)), amounts={"CNY": 10, "USD": 5})
    assert missing(before, found) == says


def test_what_may_have_been_forgotten_is_not_missing() -> None:
    """Final payments go after their time, and an update may wait longer than that."""
    day_ms = 86_400_000
    assert not forgettable(178 * day_ms, 180 * day_ms)
    assert forgettable(179 * day_ms + 1, 180 * day_ms)
    assert not forgettable(day_ms // 2, day_ms)
    assert forgettable(day_ms // 2 + 1, day_ms)
