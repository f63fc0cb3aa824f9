"""Chip data by its tags: found when the bytes are nothing else, never by chance."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money import emv
from tests.cards.numbers import CHIP_ONLY, chip

COMPANY = bytes.fromhex("9F3602001F9F2701809F2608") + bytes(range(8))


@pytest.mark.parametrize("number", ["6222021234567890128", "378282246310005", "4111111111111111"])
def test_tags_with_the_number(number: str) -> None:
    """Track 2 equivalent, account number and track 1, beside others, in a template, alone."""
    for name, raw in chip(number):
        assert emv.forbidden_tag(raw) == name[:2], name


@pytest.mark.parametrize("tag", CHIP_ONLY)
def test_tags_beside_the_number(tag: str) -> None:
    """Name, expiry, discretionary data and PIN data are no better; empty ones are harmless."""
    head = COMPANY + bytes.fromhex(tag)
    value = CHIP_ONLY[tag]
    assert emv.forbidden_tag(head + bytes([len(value)]) + value) == tag
    assert emv.forbidden_tag(head + b"\x00") == ""


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "5A0841",
        "57",
        "5A",
        "5F",
        "5F24",
        "5A8108",
        "5A8341111111",
        "5A81",
        "5A8008",
        "0008411111111111",
        "5A08AAAAAAAAAAAAAAAA",  # ciphertext of the same length
        "5A10" + "7B" * 16,
        "570841111111D2512FFF00",
        "5F2403259931",
        "99080412AC89ABCDEF67",  # alone: any eight bytes
        "5F2403251231",  # alone: too short to be sure
        "5F200141" + "9F36020001",
        "7008" + "5A084111111111",
        "9F9F8180015A",
        "9F3602001F",
        "9F36021F5A",
        "70" * 8 + "00",
        "9FFF",
    ],
)
def test_what_is_cut_encrypted_or_chance(raw: str) -> None:
    """Wrong lengths, wrong contents, lone short values and nothing of the kind."""
    assert emv.forbidden_tag(bytes.fromhex(raw)) == ""


def test_long_lengths_are_read() -> None:
    """One and two bytes of length, as BER allows."""
    value = bytes.fromhex("4111111111111111")
    assert emv.forbidden_tag(b"\x5a\x81\x08" + value) == "5A"
    filler = b"\xdf\x01\x82\x01\x00" + bytes(256)
    assert emv.forbidden_tag(filler + b"\x5a\x08" + value + COMPANY) == "5A"


def test_templates_within_templates_end_somewhere() -> None:
    """Seven deep is nobody's card."""
    raw = bytes.fromhex("5A084111111111111111")
    for depth in range(7):
        assert (emv.forbidden_tag(raw) == "5A") is (depth <= 6)
        raw = b"\x70" + bytes([len(raw)]) + raw
    assert emv.forbidden_tag(raw) == ""


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(raw: bytes) -> None:
    """Nothing a caller sends can make it fail."""
    assert isinstance(emv.forbidden_tag(raw), str)


def test_ciphertext_is_never_chip_data() -> None:
    """A hundred thousand random pieces of every length: none parses to card data."""
    draw = random.Random(1)
    pieces = (draw.randbytes(draw.choice((8, 16, 24, 32, 64))) for _ in range(100_000))
    assert emv.forbidden_tags(pieces) == ""
    assert emv.forbidden_tags([b"", bytes.fromhex("5A084111111111111111")]) == "5A"
