"""The short form of `python -m tests.cards`, for every run of the tests."""

from __future__ import annotations

from tests.cards.rig import Tally, chance_numbers, published


def test_nothing_a_till_stores_all_day_is_taken_for_a_card() -> None:
    """45,000 STANs, RRNs, times, order numbers, keys and ciphertexts; the control flags some."""
    tally = Tally()
    assert sum(count for _, count, _ in chance_numbers(tally, 45_000, seed=7)) == 45_000
    assert tally.mistaken == []
    assert tally.by_check_digit > 300


def test_every_published_test_number_is_found_in_every_form() -> None:
    """At the function, when masking, and at the border."""
    tally = Tally()
    published(tally)
    assert tally.forms > 9_000
    assert tally.missed == []
