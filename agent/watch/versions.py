"""Comparing version numbers the way Debian does, which fits almost every other scheme too.

Digits compare as numbers, letters sort before other signs, `~` before everything, an epoch
(`1:2.0`) outweighs the rest. Pure.
"""

from __future__ import annotations

import re

_PARTS = re.compile(r"(\D*)(\d*)")
_PRE_RELEASE = re.compile(r"(?<=\d)[.-]?(a|alpha|b|beta|rc|dev)(?=\.?\d)")


def compare(left: str, right: str) -> int:
    """-1, 0 or 1 as `left` is older than, the same as, or newer than `right`."""
    return _sign(_split(left), _split(right))


def python_version(version: str) -> str:
    """`1.0rc1` as `1.0~rc1`, so that a pre-release sorts before its release."""
    return _PRE_RELEASE.sub(r"~\1", version.strip())


def _sign(left: tuple[int, str, str], right: tuple[int, str, str]) -> int:
    if left[0] != right[0]:
        return 1 if left[0] > right[0] else -1
    return _order(left[1], right[1]) or _order(left[2], right[2])


def _split(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.strip().partition(":")
    if not colon or not epoch.isdecimal():
        epoch, rest = "0", version.strip()
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
    return ord(character) if character.isalpha() else ord(character) + 256
