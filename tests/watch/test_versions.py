"""The order of version numbers."""

from __future__ import annotations

import pytest

from agent.watch.versions import compare, python_version


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.9", "1.10.0"),
        ("1.0", "1.0.1"),
        ("1.0~rc1", "1.0"),
        ("1.0~~", "1.0~rc1"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+b"),
        ("2.4.0-1", "2.4.1"),
        ("2.4.1-1", "2.4.1-2"),
        ("2.4.1", "2.4.1-1"),
        ("9.9", "1:0.1"),
        ("1:3.0.9", "1:3.0.17"),
        ("x:1", "x:2"),
        ("V1.02", "V1.3"),
    ],
)
def test_older_comes_first(older: str, newer: str) -> None:
    """In both directions, as Debian orders them."""
    assert compare(older, newer) == -1
    assert compare(newer, older) == 1


@pytest.mark.parametrize(
    ("left", "right"), [("1.0", "1.0"), ("01.2", "1.02"), ("0:1.0", "1.0"), (" 1.0\n", "1.0")]
)
def test_the_same_version_in_two_spellings(left: str, right: str) -> None:
    """Leading zeros, a zero epoch and white space change nothing."""
    assert compare(left, right) == 0


@pytest.mark.parametrize(
    ("spelt", "sortable"),
    [("1.0rc1", "1.0~rc1"), ("1.0.dev3", "1.0~dev3"), ("2.1b2", "2.1~b2"), ("1.0", "1.0")],
)
def test_python_pre_releases_sort_before_their_release(spelt: str, sortable: str) -> None:
    """PEP 440 puts them before, plain letters would come after."""
    assert python_version(spelt) == sortable
