"""What a message can hold, whatever a device says."""

from __future__ import annotations

import json
import math
from enum import IntEnum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.fleet import plain


class Word(StrEnum):
    OUT = "out"


class Number(IntEnum):
    TWO = 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (True, True),
        (None, None),
        (2**53, 2**53),
        (2**53 + 1, None),
        (-(2**200), None),
        (1.5, 1.5),
        (math.nan, None),
        (-math.inf, None),
        ("ok", "ok"),
        (Word.OUT, "out"),
        (Number.TWO, 2),
        ("a\x00\r\nb", "a b"),
        ("\ud800x", " x"),
        (b"bytes", None),
        ({"deep": 1}, None),
    ],
)
def test_a_value_is_told_or_null(said: object, told: object) -> None:
    """What JSON cannot hold without loss is not known, never wrong and never an error."""
    found = plain.value(said)
    assert (found, type(found)) == (told, type(told))


def test_a_text_has_an_end() -> None:
    """A megabyte from a device costs 200 characters."""
    assert plain.value("x" * 1_000_000) == "x" * 199 + "…"
    assert plain.text("x" * 200) == "x" * 200


def test_names_that_are_none_are_left_out_and_fields_have_an_end() -> None:
    """A component cannot grow a message: what does not fit is not told."""
    said: dict[str, Any] = {"ok": 1, "Not": 2, "no-name": 3, "": 4, "x" * 90: 5, 7: 6}
    assert plain.fields(said, "a_") == {"a_ok": 1, "a_": 4, "a_7": 6}
    many = {f"value{number}": "y" * 200 for number in range(1_000)}
    told = plain.fields(many, "a_")
    assert 0 < len(json.dumps(told)) < plain.MAX_COMPONENT_BYTES * 1.2
    assert list(told) == [f"a_value{number}" for number in range(len(told))]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(max_size=100), anything, max_size=20))
def test_whatever_is_said_the_message_is_valid_and_small(said: dict[str, Any]) -> None:
    """Any mapping becomes strict JSON in UTF-8 of bounded size."""
    told = plain.fields(said, "component_")
    written = json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    assert len(written) < plain.MAX_COMPONENT_BYTES * 2
    assert json.loads(written) == told
