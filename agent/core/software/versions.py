"""Which of two versions is the newer one, by the scheme their maker counts in.

Debian's order (digits compare as numbers, letters sort before other signs, `~` before everything,
an epoch outweighs the rest) fits almost everything and is the default. The others are for makers
it does not fit; a text that is not of its scheme compares with nothing, which is *unknown* and
never behind. Called by `agent.core.software.standing`.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Any

#: Longer is no version; it also bounds what comparing can cost.
MAX_CHARS = 120

_PARTS = re.compile(r"([^0-9]*)([0-9]*)")
_PRE_RELEASE = re.compile(r"(?<=[0-9])[.-]?(a|alpha|b|beta|rc|dev)(?=\.?[0-9])")
_SEMVER = re.compile(
    r"[vV]?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]*)?"
)
_DOTTED = re.compile(r"[vV]?([0-9]+(?:\.[0-9]+)*)(.*)", re.DOTALL)
_DATE = re.compile(
    r"[^0-9]*((?:19|20)[0-9]{2})[-./_]?(0[1-9]|1[0-2])[-./_]?(0[1-9]|[12][0-9]|3[01])(?![0-9]{3})(.*)",
    re.DOTALL,
)


class Scheme(StrEnum):
    """How versions of a component are counted."""

    DPKG = "dpkg"
    PYTHON = "python"  #: as dpkg, with `1.0rc1` before `1.0`
    SEMVER = "semver"
    DOTTED = "dotted"  #: 1.2.10, and 1.2 is 1.2.0; what follows the numbers decides last
    DATE = "date"  #: 20260131, 2026-01-31.2
    OPAQUE = "opaque"  #: a hash, a name: the same or not


def compare(scheme: Scheme, left: str, right: str) -> int | None:
    """-1, 0 or 1 as `left` is older than, the same as, or newer than `right`; None: neither can be
    told."""
    left, right = left.strip(), right.strip()
    if not left or not right or max(len(left), len(right)) > MAX_CHARS:
        return None
    match scheme:
        case Scheme.OPAQUE:
            return 0 if left == right else None
        case Scheme.DPKG:
            return _debian(left, right)
        case Scheme.PYTHON:
            return _debian(_PRE_RELEASE.sub(r"~\1", left), _PRE_RELEASE.sub(r"~\1", right))
        case Scheme.SEMVER:
            return _ordered(_semver(left), _semver(right))
        case Scheme.DOTTED:
            return _dotted(left, right)
        case _:
            return _dated(left, right)


def _ordered(one: Any, other: Any) -> int | None:
    if one is None or other is None:
        return None
    return int(one > other) - int(one < other)


def _semver(text: str) -> tuple[Any, ...] | None:
    found = _SEMVER.fullmatch(text)
    if found is None:
        return None
    numbers = tuple(int(found[place]) for place in (1, 2, 3))
    if found[4] is None:
        return (*numbers, 1, ())
    # Numbers sort before words, a shorter list before a longer one (semver.org, 11.4).
    marks = tuple(
        (0, int(word), "") if word.isdecimal() else (1, 0, word) for word in found[4].split(".")
    )
    return (*numbers, 0, marks)


def _dotted(left: str, right: str) -> int | None:
    one, other = _DOTTED.fullmatch(left), _DOTTED.fullmatch(right)
    if one is None or other is None:
        return None
    return _ordered(_numbers(one[1]), _numbers(other[1])) or _order(one[2], other[2])


def _numbers(text: str) -> list[int]:
    numbers = [int(number) for number in text.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return numbers


def _dated(left: str, right: str) -> int | None:
    one, other = _DATE.fullmatch(left), _DATE.fullmatch(right)
    if one is None or other is None:
        return None
    days = [tuple(int(found[place]) for place in (1, 2, 3)) for found in (one, other)]
    return _ordered(days[0], days[1]) or _order(one[4], other[4])


def _debian(left: str, right: str) -> int:
    one, other = _split(left), _split(right)
    if one[0] != other[0]:
        return 1 if one[0] > other[0] else -1
    return _order(one[1], other[1]) or _order(one[2], other[2])


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon or not epoch.isascii() or not epoch.isdecimal():
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-")
    return int(epoch), upstream or revision, revision if upstream else ""


def _order(left: str, right: str) -> int:
    one, other = _PARTS.findall(left), _PARTS.findall(right)
    for index in range(max(len(one), len(other))):
        letters, digits = one[index] if index < len(one) else ("", "")
        letters2, digits2 = other[index] if index < len(other) else ("", "")
        # The end of a text sorts after `~` and before everything else.
        weights, weights2 = [*map(_weight, letters), 0], [*map(_weight, letters2), 0]
        if weights != weights2:
            return 1 if weights > weights2 else -1
        number, number2 = int(digits or 0), int(digits2 or 0)
        if number != number2:
            return 1 if number > number2 else -1
    return 0


def _weight(character: str) -> int:
    if character == "~":
        return -1
    return ord(character) if character.isalpha() else ord(character) + 0x200000
