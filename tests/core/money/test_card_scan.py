"""Looking at all places at once finds what looking at one after the other finds."""

from __future__ import annotations

import random
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import cards
from agent.core.money.card_scan import Place, Prefixes, places

PREFIXES = Prefixes(cards.ISSUERS)


def one_by_one(rows: list[str]) -> list[Place]:
    """The same in plain words: groups, prefixes and check digits of one row after the other."""
    found = []
    for number, row in enumerate(rows):
        groups = row.replace("-", " ").split(" ")
        digits = "".join(groups)
        starts = [0, *accumulate(map(len, groups))]
        begins = list(accumulate((len(group) + 1 for group in groups), initial=0))
        first = 0
        while first < len(groups):
            at = starts[first]
            for length in sorted(PREFIXES.lengths(digits[at : at + 4]), reverse=True):
                if at + length in starts and cards.luhn(digits[at : at + length]):
                    beyond = starts.index(at + length)
                    widths = tuple(map(len, groups[first:beyond]))
                    found.append(Place(number, begins[first], begins[beyond] - 1, widths))
                    first = beyond - 1
                    break
            first += 1
    return found


def anything(_widths: tuple[int, ...]) -> bool:
    return True


@given(st.lists(st.from_regex(r"\A[0-9]{1,5}(?:[ -][0-9]{1,5}){0,30}\Z"), min_size=1, max_size=5))
def test_rows_of_any_groups(rows: list[str]) -> None:
    """Short rows, several rows: no number reaches from one into the next."""
    assert list(places(rows, PREFIXES, anything)) == one_by_one(rows)


@pytest.mark.parametrize("seed", range(20))
def test_rows_made_of_cards(seed: int) -> None:
    """Many true numbers beside and inside each other, in groups of every width."""
    draw = random.Random(seed)
    rows = []
    for _ in range(30):
        digits = "".join(
            draw.choice(("4", "62", "5105105105105100", "6011", "37", "2720", "3589", "0", "9"))
            for _ in range(draw.randrange(2, 20))
        )
        row = digits[:1]
        for digit in digits[1:]:
            row += draw.choice(("", "", " ", "-")) + digit
        rows.append(row)
    found = list(places(rows, PREFIXES, anything))
    assert found == one_by_one(rows)
    assert found


def test_what_is_not_allowed_hides_nothing_behind_it() -> None:
    """Groups that make no card are passed over one place at a time."""
    row = "4-111111111111111 4111 1111 1111 1111"
    printed = [place.widths for place in places([row], PREFIXES, lambda w: w == (4, 4, 4, 4))]
    assert printed == [(4, 4, 4, 4)]


def test_prefixes_of_every_issuer_are_told_from_their_neighbours() -> None:
    """The tables of pairs say the same as the ranges, for every four digits and every length."""
    for length in PREFIXES.sizes:
        starts = [f"{n:04}" for n in range(10_000)]
        pairs = bytes(v for s in starts for v in (int(s[:2]), 0, int(s[2:]), 0))
        absent = PREFIXES.absent(pairs, length)
        assert [not absent[at] for at in range(0, len(absent), 4)] == [
            length in PREFIXES.lengths(start) for start in starts
        ]


def test_a_row_shorter_than_any_card() -> None:
    """Nothing can begin there."""
    assert list(places(["411111"], PREFIXES, anything)) == []
