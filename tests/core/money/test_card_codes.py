"""A number that travels encoded is as clear as one that does not."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import card_codes, cards

PAN = "4111111111111111"
BOTH = (card_codes.percent, card_codes.joined)


def read(text: str) -> str:
    return "\n".join(reading for decode in BOTH for reading in decode(text))


@given(st.binary(min_size=9, max_size=80))
def test_what_was_encoded_is_read(raw: bytes) -> None:
    """Hexadecimal in three spellings, base64 in two, with padding and without."""
    said = raw.decode("latin-1")
    standard = base64.b64encode(raw).decode()
    for text in (raw.hex(), raw.hex().upper(), raw.hex(" "), raw.hex(":"), standard):
        assert said in read(f'"{text}"')
    assert said in read(base64.urlsafe_b64encode(raw).decode().rstrip("="))


@given(st.text(max_size=40))
def test_percent_is_read_as_a_form_is(text: str) -> None:
    """Whatever was quoted comes back; what is no code stays."""
    said = next(card_codes.percent(quote(text, safe="") + "%zz%"), "")
    assert said == text.encode().decode("latin-1") + "%zz%"


@pytest.mark.parametrize(
    "text", ["", "short", "ab" * 8, "abc" * 7 + "abcd!", "A" * 13, "not base64 at all, is it"]
)
def test_what_is_no_code_is_no_trouble(text: str) -> None:
    """Odd lengths, cut ends and ordinary words."""
    assert PAN not in read(text)


@given(
    st.integers(10**11, 10**18).map(str),
    st.sampled_from(["", " ", "-"]),
    st.binary(max_size=7),
    st.binary(max_size=7),
)
def test_what_holds_digits_is_always_read(
    number: str, mark: str, before: bytes, after: bytes
) -> None:
    """The first look lets no digits pass, wherever they begin in what was encoded."""
    said = mark.join(number)
    raw = before + said.encode() + after
    codes = [base64.b64encode(raw), base64.urlsafe_b64encode(raw).rstrip(b"=")]
    for text in (raw.hex(), raw.hex("-").upper(), raw.hex(" "), *(code.decode() for code in codes)):
        assert said in "".join(card_codes.hidden(text))


def test_where_no_digits_are_hidden_nothing_is_read() -> None:
    """Names, times and UUIDs of every payment."""
    text = "amount_minor 2026-11-20 16:30:05 f47ac10b-58cc-4372-a567-0e02b2c3d479 612345678901"
    assert not list(card_codes.hidden(text))
    assert list(card_codes.joined(text))


def test_pieces_do_not_run_together() -> None:
    """Two halves of a number in two pieces are no number."""
    halves = [base64.b64encode(half.encode() * 1).decode() for half in ("x" * 8 + PAN[:8],)]
    halves.append(base64.b64encode((PAN[8:] + "x" * 8).encode()).decode())
    assert not cards.contains(" ".join(halves))


def test_only_pieces_that_hold_a_number_are_replaced() -> None:
    """The rest of a line stays as it was."""
    coded = base64.b64encode(PAN.encode()).decode()
    plain = base64.b64encode(b"nothing in here").decode()
    percent = "".join(f"%{byte:02x}" for byte in PAN.encode())
    text = f"a={coded} b={plain} c={PAN.encode().hex()} d=50%25 e={percent}"
    assert cards.masked(text) == f"a=[card] b={plain} c=[card] d=50%25 e=[card]"
    assert cards.masked("100 % of it") == "100 % of it"
