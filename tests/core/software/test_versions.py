"""The order of version numbers, by scheme: tables made by hand, and that it is an order at all."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.software.versions import MAX_CHARS, Scheme, compare

#: Each from old to new.
ORDERED = [
    (Scheme.DPKG, ["1.0~~", "1.0~rc1", "1.0", "1.0a", "1.0+b", "1.0.1", "1.9.9", "1.10.0"]),
    (Scheme.DPKG, ["2.4.0-1", "2.4.1", "2.4.1-1", "2.4.1-2", "9.9", "1:0.1", "1:3.0.9"]),
    (Scheme.DPKG, ["1:3.0.9", "1:3.0.17"]),
    (Scheme.DPKG, ["V1.02", "V1.3"]),
    (Scheme.DPKG, ["x:1", "x:2"]),
    (Scheme.PYTHON, ["1.0a1", "1.0b2", "1.0rc1", "1.0", "1.0.1"]),
    (
        Scheme.SEMVER,
        ["1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
         "1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "v1.2.0", "1.10.0"],
    ),
    (Scheme.DOTTED, ["1.2", "1.2.0.1", "1.2.1", "v1.10", "5.10.110-a", "5.10.110-b", "6"]),
    (Scheme.DATE, ["2019.12.31", "20260131", "2026-01-31.2", "V2026_02_01", "20260201-rev3"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "versions"), ORDERED, ids=[f"{one[0]}-{n}" for n, one in enumerate(ORDERED)]
)
def test_older_comes_first(scheme: Scheme, versions: list[str]) -> None:
    """In both directions, and each against all others."""
    for old, new in permutations(range(len(versions)), 2):
        assert compare(scheme, versions[old], versions[new]) == (-1 if old < new else 1)


@pytest.mark.parametrize(
    ("scheme", "left", "right"),
    [
        (Scheme.DPKG, "1.0", "1.0"),
        (Scheme.DPKG, "01.2", "1.02"),
        (Scheme.DPKG, "0:1.0", "1.0"),
        (Scheme.DPKG, " 1.0\n", "1.0"),
        (Scheme.PYTHON, "1.0.rc1", "1.0rc1"),
        (Scheme.SEMVER, "1.0.0+build.7", "v1.0.0"),
        (Scheme.DOTTED, "1.2", "v1.2.0"),
        (Scheme.DATE, "2026-01-31", "20260131"),
        (Scheme.OPAQUE, "a1b2", "a1b2"),
    ],
)
def test_the_same_version_in_two_spellings(scheme: Scheme, left: str, right: str) -> None:
    """Leading zeros, a zero epoch, white space and build marks change nothing."""
    assert compare(scheme, left, right) == 0
    assert compare(scheme, right, left) == 0


@pytest.mark.parametrize(
    ("scheme", "left", "right"),
    [
        (Scheme.SEMVER, "1.0", "1.0.0"),
        (Scheme.SEMVER, "1.0.0", "01.0.0"),
        (Scheme.DOTTED, "rev7", "1.0"),
        (Scheme.DATE, "20261331", "20260131"),
        (Scheme.DATE, "20260131", "1.2.3"),
        (Scheme.OPAQUE, "a1b2", "a1b3"),
        (Scheme.DPKG, "", "1.0"),
        (Scheme.DPKG, "1" * (MAX_CHARS + 1), "1.0"),
    ],
)
def test_what_is_not_of_the_scheme_cannot_be_told(scheme: Scheme, left: str, right: str) -> None:
    """Neither older nor newer: nobody is sent for an update on a guess."""
    assert compare(scheme, left, right) is None
    assert compare(scheme, right, left) is None


VERSION = st.one_of(
    st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,2}){0,3}([-~+.](a|b|rc)?[0-9]?)?", fullmatch=True),
    st.from_regex(r"20[0-9]{2}-?(0[1-9]|1[0-2])-?[12][0-9](\.[0-9])?", fullmatch=True),
    st.text(max_size=12),
)


@pytest.mark.parametrize("scheme", sorted(Scheme))
@settings(max_examples=25, deadline=None)
@given(versions=st.tuples(VERSION, VERSION, VERSION))
def test_it_is_an_order(scheme: Scheme, versions: tuple[str, str, str]) -> None:
    """Whatever comes: reversed it says the opposite, and before is before what comes after."""
    for a, b in permutations(versions, 2):
        one, other = compare(scheme, a, b), compare(scheme, b, a)
        assert (one is None) == (other is None)
        assert one is None or other is None or one == -other
    for a, b, c in permutations(versions):
        if compare(scheme, a, b) in (0, -1) and compare(scheme, b, c) in (0, -1):
            assert compare(scheme, a, c) in (0, -1)
