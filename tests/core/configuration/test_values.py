"""One value written in two ways is one value; what cannot be read is nobody's fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.configuration.causes import Kind
from agent.core.configuration.values import Raw, Unit, canonical, same, shown, text_of

RAW = st.one_of(
    st.text(max_size=40), st.integers(), st.floats(), st.booleans(),
    st.lists(st.text(max_size=8), max_size=4).map(tuple),
)  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "unit", "minor"),
    [
        (50_000, "minor", 50_000),
        ("50000", "minor", 50_000),
        ("500", "major", 50_000),
        (500, "major", 50_000),
        ("500.00", "minor", 50_000),
        (500.5, "minor", 50_050),
        ("¥1,000.00", "minor", 100_000),
        ("1,000 元", "major", 100_000),
        ("CNY 12.3", "minor", 1_230),
        ("５００.００", "minor", 50_000),
        ("-0.01", "minor", -1),
        ("12.345", "minor", None),
        ("12.3400", "minor", 1_234),
        ("unlimited", "minor", None),
        ("", "minor", None),
        (True, "minor", None),
        ("1,00", "minor", None),
    ],
)
def test_amounts(raw: Raw, unit: Unit, minor: int | None) -> None:
    """Fen or yuan, with or without signs and groups, in full-width digits too."""
    assert canonical(raw, Kind.AMOUNT, currency="CNY", unit=unit) == minor


def test_amounts_have_the_places_of_their_currency() -> None:
    """A yen has none, a dinar three; without a currency nothing is an amount."""
    assert canonical("1250", Kind.AMOUNT, currency="JPY", unit="major") == 1250
    assert canonical("1.25", Kind.AMOUNT, currency="KWD") == 1250
    assert canonical("1250", Kind.AMOUNT) is None
    assert shown(1250, Kind.AMOUNT, "JPY") == "1250 JPY"
    assert shown(-5, Kind.AMOUNT, "KWD") == "-0.005 KWD"


@pytest.mark.parametrize(
    ("kind", "one", "other"),
    [
        (Kind.NUMBER, "007.50", 7.5),
        (Kind.NUMBER, "1,000", 1000),
        (Kind.NUMBER, "-0", 0),
        (Kind.NUMBER, "-3", -3),
        (Kind.BOOLEAN, "启用", True),
        (Kind.BOOLEAN, "OFF", False),
        (Kind.BOOLEAN, 1, "yes"),
        (Kind.SET, "b, a;c", ("c", "a", "b", "")),
        (Kind.MODE, "生产", "LIVE"),
        (Kind.MODE, "uat", "测试"),
        (Kind.MODE, "Demo", "training"),
        (Kind.HOST, "Host.Example.", "host.example"),
        (Kind.HOST, "none", ""),
        (Kind.TEXT, " a  b\n", "a b"),
        (Kind.TEXT, True, "true"),
        (Kind.TEXT, 1.5, "1.5"),
        (Kind.TEXT, ("a", "b"), "a, b"),
    ],
)
def test_two_ways_of_writing_one_value(kind: Kind, one: Raw, other: Raw) -> None:
    """Equal by their kind."""
    assert canonical(one, kind) == canonical(other, kind) is not None


@pytest.mark.parametrize(
    ("kind", "raw"),
    [(Kind.NUMBER, "x"), (Kind.NUMBER, True), (Kind.BOOLEAN, "perhaps"), (Kind.MODE, "")],
)
def test_what_cannot_be_read_is_nothing(kind: Kind, raw: Raw) -> None:
    """None: nobody knows."""
    assert canonical(raw, kind) is None


def test_a_number_has_lost_its_leading_zeros() -> None:
    """An export that writes an id as a number means the same terminal; text must be exact."""
    assert same("00012345", 12345, Kind.TEXT, "00012345", "12345")
    assert not same("00012345", "12345", Kind.TEXT, "00012345", "12345")
    assert not same("A12345", 12345, Kind.TEXT, "A12345", "12345")


def test_values_are_shown_as_people_write_them() -> None:
    """Sets in order, yes and no, nothing as a dash."""
    assert shown(frozenset({"b", "a"}), Kind.SET, "") == "a, b"
    assert shown(frozenset(), Kind.SET, "") == "-"
    assert shown(True, Kind.BOOLEAN, "") == "true"
    assert shown(False, Kind.BOOLEAN, "") == "false"
    assert shown("", Kind.TEXT, "") == "-"


@given(RAW, st.sampled_from(Kind), st.sampled_from(["", "CNY", "JPY", "???"]))
def test_nothing_raises(raw: Raw, kind: Kind, currency: str) -> None:
    """Whatever a file holds is a value or none, and can be shown."""
    value = canonical(raw, kind, currency=currency)
    if value is not None:
        assert isinstance(shown(value, kind, currency), str)
    assert "\n" not in text_of(raw)
