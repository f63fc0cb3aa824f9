"""What counts as a clear card number, what does not, and how one is masked."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import cards
from agent.core.money.cards import Form

#: One test number per issuer, as published by the schemes for testing.
NUMBERS = [
    "4222222222222",
    "4111111111111111",
    "5555555555554444",
    "2223003122003222",
    "2720990000000007",
    "378282246310005",
    "341111111111111",
    "36227206271667",
    "38520000023237",
    "30569309025904",
    "6011111111111117",
    "6445644564456445",
    "6500000000000002",
    "3530111333300000",
    "6200000000000005",
    "6222021234567890128",
    "8171999927660000",
]


def with_check_digit(start: str) -> str:
    return next(start + digit for digit in "0123456789" if cards.luhn(start + digit))


@pytest.mark.parametrize("number", NUMBERS)
def test_every_issuer_is_found(number: str) -> None:
    """A valid number of each issuer is found wherever it stands in a text."""
    number = with_check_digit(number[:-1])
    assert [(h.start, h.end) for h in cards.find(f"to {number}.")] == [(3, 3 + len(number))]


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "2026-11-02 4111-1111-1111-1111 20261102",
        "100 4111 1111 1111 1111",
        "４１１１　１１１１　１１１１　１１１１",
        "卡４１１１１１１１１１１１１１１１号",
        "A4111111111111111B",
    ],
)
def test_separators_neighbours_and_full_width_digits_do_not_hide_a_number(text: str) -> None:
    """Grouped, embedded or typed with a Chinese input method, a number is found."""
    assert cards.contains(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "411111111111",
        "4111111111111112",
        "411111******1111",
        "94111111111111111",
        "41111111111111119",
        "4111  1111  1111  1111",
        "0.4111111111111111",
        "20261102123456",
        "1795000000000123",
        "5999999999999999",
        "f47ac10b-4111-1111-1111-111111111111",
        "ab4111111111111111cdef0123456789abcdef0123",
    ],
)
def test_what_only_looks_like_a_number_is_left_alone(text: str) -> None:
    """Wrong check digit, masked, longer numbers, fractions, times, UUIDs and ciphertext pass."""
    assert not cards.contains(text)


def test_times_are_never_taken_for_cards() -> None:
    """No epoch and no timestamp of ten years looks like a card."""
    draw = random.Random(1)
    for _ in range(20_000):
        seconds = draw.randrange(1_700_000_000, 2_050_000_000)
        assert not cards.contains(f"{seconds}{draw.randrange(1000):03}")
        assert not cards.contains(f"{seconds}{draw.randrange(10**6):06}")
        assert not cards.contains(f"20{draw.randrange(22, 40)}1102{draw.randrange(10**8):08}"[:16])


def test_track_needs_no_check_digit() -> None:
    """Both tracks of the stripe are found by their form alone and masked with all they carry."""
    text = "a;6222021234567890123=25121010000012345?b%B4111111111111112^WANG/WEI^2512101?c"
    assert [hit.form for hit in cards.find(text)] == [Form.TRACK, Form.TRACK]
    assert cards.masked(text) == "a622202*********0123b411111******1112c"


def test_a_valid_number_inside_a_track_is_one_hit() -> None:
    """A track whose number also passes the check digit is reported once."""
    assert [hit.form for hit in cards.find(";4111111111111111=2512")] == [Form.TRACK]


def test_track_2_in_hexadecimal_is_found_at_the_start_of_a_blob() -> None:
    """`PAN D YYMM` of a chip card in hex counts although it is long hexadecimal."""
    assert cards.contains("4111111111111111D25121010000012345678F")


@pytest.mark.parametrize(
    ("widths", "written", "printed"),
    [
        ((16,), True, True),
        ((4, 4, 4, 4), True, True),
        ((4, 4, 4, 4, 3), True, True),
        ((4, 4, 4, 4, 2), True, True),
        ((4, 6, 5), True, True),
        ((4, 6, 4), True, True),
        ((6, 13), True, False),
        ((6, 9), True, False),
        ((1,) * 16, True, False),
        ((2,) * 8, True, False),
        ((5, 5, 5, 1), True, False),
        ((8, 8), False, False),
        ((7, 8), False, False),
        ((8, 6), False, False),
        ((4, 4, 8), False, False),
        ((4, 3, 4, 5), False, False),
    ],
)
def test_which_groups_make_a_number(widths: tuple[int, ...], written: bool, printed: bool) -> None:
    """An order number of terminal and date is no card; one typed as cards are printed is."""
    number = with_check_digit("4" * (sum(widths) - 1) if sum(widths) in (13, 16, 19) else "")
    starts = {14: "36", 15: "37", 18: "62"}
    if not number.startswith("44"):
        start = starts[sum(widths)]
        number = with_check_digit(start.ljust(sum(widths) - 1, "1"))
    groups, at = [], 0
    for width in widths:
        groups.append(number[at : at + width])
        at += width
    assert cards.contains("-".join(groups)) is written
    assert cards.contains(" ".join(groups), identifier=True) is printed
    assert cards.contains(f"order{number}", identifier=True)


def test_the_longest_number_at_a_place_counts() -> None:
    """Nineteen digits are masked as nineteen, though thirteen of them would be a card too."""
    number = with_check_digit("411111111111111111")
    assert cards.masked(f"{number}") == "411111" + "*" * 9 + number[-4:]


def test_two_numbers_side_by_side_are_two_hits() -> None:
    """The search goes on right behind a number."""
    assert len(cards.find("4111 1111 1111 1111 5555 5555 5555 4444")) == 2


def test_other_readings_of_a_text_are_looked_at() -> None:
    """A decoder given to `contains` shows it what the text says once decoded."""
    assert not cards.contains("%34%31", decoders=(lambda _: ["nothing"],))
    assert cards.contains("%34%31", decoders=(lambda _: ["4111111111111111"],))


def test_masking_keeps_six_and_four_and_the_separators() -> None:
    """One way of masking: first six, last four, everything else as it was."""
    assert cards.mask("4111 1111 1111 1111") == "4111 11** **** 1111"
    assert cards.masked("pay 4111-1111-1111-1111, thanks") == "pay 4111-11**-****-1111, thanks"
    assert cards.masked("nothing here") == "nothing here"


@given(st.text(alphabet="0123456789 -;=4", max_size=60))
def test_masked_text_holds_no_number_any_more(text: str) -> None:
    """Whatever is masked once needs no second pass, and hits never overlap."""
    hits = cards.find(text)
    assert all(one.end <= two.start for one, two in pairwise(hits))
    assert len(cards.masked(text)) <= len(text)
    if not any(hit.form is Form.TRACK for hit in hits):
        assert not cards.contains(cards.masked(text))


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("pan", "pan"),
        ("Card_Number", "pan"),
        ("cardNo", "pan"),
        ("TRACK-2", "track"),
        ("track2Data", "track"),
        ("CVV2", "verification"),
        ("pin_block", "pin"),
        ("expiry", "expiry"),
        ("exp date", "expiry"),
        ("卡号", "pan"),
        ("有效期", "expiry"),
        ("masked_pan", ""),
        ("card", ""),
        ("pinpad", ""),
        ("", ""),
    ],
)
def test_field_names_that_announce_card_data(name: str, group: str) -> None:
    """Names are compared without case and punctuation, and only as a whole."""
    assert cards.forbidden(name) == group


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("a=1&pan=62220212&b=2", "pan"),
        ("<ns:pan>62220212</ns:pan>", "pan"),
        ('"cvv" : "123"', "cvv"),
        ("emv.track2=622202D2512", "track2"),
        ("卡号：62220212", "卡号"),
        ("expiry: 12/27", "expiry"),
        ("卡号: 622202******1234", ""),
        ("PIN: entered", ""),
        ("pan=", ""),
        ("span=12", ""),
        ("no labels at all", ""),
    ],
)
def test_labels_in_loose_text(text: str, label: str) -> None:
    """A label counts with a clear value behind it; masked, empty and wordy values do not."""
    assert cards.forbidden_label(text) == label


def test_a_value_in_clear_is_neither_empty_nor_masked() -> None:
    """Stars make a value harmless, and so does having none."""
    assert cards.in_clear("123")
    assert not cards.in_clear("")
    assert not cards.in_clear(" - ")
    assert not cards.in_clear("4111******1111")


def test_lengths_follow_the_prefix() -> None:
    """A prefix no issuer uses has no lengths."""
    assert cards.lengths("4000") == (19, 16, 13)
    assert cards.lengths("1234") == ()


def test_test_cards_without_a_check_digit_are_known_by_heart() -> None:
    """Two of UnionPay's own; inside a longer number they mean nothing, in a track they are one."""
    assert cards.contains("6221 5588 1234 0000")
    assert not cards.contains("96221558812340000")
    assert not cards.contains("62215588123400001")
    text = ";4111111111111111=2512 6221558812340000 ;4111111111111111=2512"
    assert [hit.form for hit in cards.find(text)] == [Form.TRACK, Form.NUMBER, Form.TRACK]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("4111111111111111D2512" + "0" * 20, True),
        ("4111111111111111D2513" + "0" * 20, False),
        ("4111111111111111ab" + "0" * 20, False),
        ("4111111111111111" + "F" * 16, True),
        ("4111111111111111" + "F" * 17, False),
        ("41 11 11 11 11 11 11 11 " + "ab " * 12 + "ab", False),
        ("4111111111111111 " + "ab" * 20, True),
    ],
)
def test_a_number_begins_a_blob_only_as_track_2_does(text: str, found: bool) -> None:
    """Followed by the expiry or by padding; anything else is a UUID or a dump."""
    assert cards.contains(text, decoders=()) is found


def test_many_names_at_once() -> None:
    """The same names as one by one, also where a name has a line end of its own."""
    names = ["a", "PAN", "b_1", "card-Number", "", "cvv 2"]
    assert list(cards.forbidden_among(names)) == [1, 3, 5]
    assert list(cards.forbidden_among([*names, "p\nan"])) == [1, 3, 5, 6]
    assert list(cards.forbidden_among([])) == []


def test_many_runs_of_digits_are_looked_at_together() -> None:
    """The same answer however many of them there are, and whichever holds the number."""
    times = [f"at {20261102123456 + n}," for n in range(100)]
    assert not cards.contains("".join(times))
    assert cards.contains("".join([*times, NUMBERS[1]]))
    assert cards.contains("".join([*times[:9], NUMBERS[1]]))
    assert not cards.contains("".join([*times[:9], NUMBERS[1][:-1] + "2"]))


def test_a_track_of_twelve_digits_is_one() -> None:
    """Shorter than any number of today, but on a stripe."""
    assert cards.contains("a;411111111111=2512?")
    assert not cards.contains("a 411111111111 2512")
    assert not cards.contains("a;411111111111;2512")


def test_what_stands_beside_a_number_is_not_taken_with_it() -> None:
    """A test card inside longer digits, and a few digits two hyphens away."""
    text = "96221558812340000 or 4111111111111111"
    assert [hit.start for hit in cards.find(text)] == [21]
    assert [hit.start for hit in cards.find("1234--4111 1111 1111 1111")] == [6]
