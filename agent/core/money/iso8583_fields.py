"""The fields of an ISO 8583 message as notation: `n6`, `n..19`, `ans...999`, `z..37`, `b64`.

The shipped table is that of UnionPay terminals (CUPS); a profile may replace any field. This file
knows what a notation means, not how a codec writes it down. `n` digits, `z` track data (digits and
separator), both two to a byte in a packed dialect; `an`, `ans`, `x` characters; `b` bits. Two or
three dots: a length of two or three digits goes before the value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent.record import dataclass

NOTATION = r"^(n|z|a|an|as|ns|ans|xn|b|B)(\.{0,3})([0-9]{1,4})$"
_PATTERN = re.compile(NOTATION)


@dataclass(frozen=True, slots=True)
class Form:
    """How one field looks."""

    digits: bool  #: `n` and `z`: packed two to a byte where the dialect packs
    binary: bool
    length_digits: int  #: 0: fixed
    longest: int  #: digits, characters, or (binary) bytes


def form_of(notation: str) -> Form:
    """The meaning of a notation. Raises ValueError."""
    found = _PATTERN.fullmatch(notation)
    if found is None:
        raise ValueError(f"{notation!r} is no field notation such as n6, n..19, ans...999 or b64")
    kind, dots, size = found.group(1), found.group(2), int(found.group(3))
    if size == 0 or len(dots) == 1 or (dots and size >= 10 ** len(dots)):
        raise ValueError(f"{notation!r} has an impossible length")
    if kind == "b" and not dots:
        if size % 8:
            raise ValueError(f"{notation!r}: bits come in eights")
        size //= 8
    return Form(kind in ("n", "z"), kind in ("b", "B"), len(dots), size)


#: UnionPay terminals. 62 and what a host may fill with anything are taken as bytes.
CUPS: Mapping[str, str] = {
    "2": "n..19",
    "3": "n6",
    "4": "n12",
    "5": "n12",
    "6": "n12",
    "7": "n10",
    "9": "n8",
    "10": "n8",
    "11": "n6",
    "12": "n6",
    "13": "n4",
    "14": "n4",
    "15": "n4",
    "16": "n4",
    "18": "n4",
    "22": "n3",
    "23": "n3",
    "25": "n2",
    "26": "n2",
    "28": "ans9",
    "32": "n..11",
    "33": "n..11",
    "35": "z..37",
    "36": "z...104",
    "37": "an12",
    "38": "an6",
    "39": "an2",
    "40": "B...999",
    "41": "ans8",
    "42": "ans15",
    "43": "ans40",
    "44": "ans..25",
    "45": "ans..76",
    "46": "B...999",
    "47": "B...999",
    "48": "n...322",
    "49": "an3",
    "50": "an3",
    "51": "an3",
    "52": "b64",
    "53": "n16",
    "54": "ans...040",
    "55": "B...999",
    "56": "B...999",
    "57": "B...999",
    "58": "B...999",
    "59": "B...999",
    "60": "n...017",
    "61": "n...029",
    "62": "B...999",
    "63": "ans...163",
    "64": "b64",
    "70": "n3",
    "90": "n42",
    "100": "n..11",
    "102": "ans..28",
    "103": "ans..28",
    "128": "b64",
}

#: Free-form fields in which a host's own dialect could carry a card number.
FREE_FORM = ("43", "44", "46", "47", "48", "54", "57", "58", "59", "62", "63", "102", "103")
