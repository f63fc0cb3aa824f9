"""Clear card data: how to find it in text, which field names announce it, how to mask it.

A second net, not the policy: every schema that leaves the terminal is an allow-list, and the
payment app is told to hand over ciphertext, tokens and masked numbers only. What this file finds
is refused at the border (wire) or masked on its way into a log.

A hit needs an issuer's prefix with a length that issuer uses, and the Luhn check digit. Without
the prefix table one timestamp in ten would look like a card (200,000 of them tried); with it
none of 200,000 did. It does not know where a text came from.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Form(StrEnum):
    """How the number stood in the text."""

    NUMBER = "number"  #: prefix, length and check digit fit
    TRACK = "track"  #: magnetic stripe, `;PAN=YYMM` or `%BPAN^`: no check digit needed


@dataclass(frozen=True, slots=True)
class Hit:
    """Where a card number stands. The number itself is left in the text."""

    start: int
    end: int
    form: Form


#: First digits (inclusive range) -> lengths in use.
ISSUERS: tuple[tuple[str, str, tuple[int, ...]], ...] = (
    ("4", "4", (19, 16, 13)),  # Visa
    ("62", "62", (19, 18, 17, 16)),  # UnionPay
    ("51", "55", (16,)),  # Mastercard
    ("2221", "2720", (16,)),  # Mastercard
    ("34", "34", (15,)),  # American Express
    ("37", "37", (15,)),  # American Express
    ("30", "30", (19, 18, 17, 16, 15, 14)),  # Diners Club
    ("36", "36", (19, 18, 17, 16, 15, 14)),  # Diners Club
    ("38", "38", (19, 18, 17, 16, 15, 14)),  # Diners Club
    ("6011", "6011", (19, 18, 17, 16)),  # Discover
    ("644", "649", (19, 18, 17, 16)),  # Discover
    ("65", "65", (19, 18, 17, 16)),  # Discover
    ("3528", "3589", (19, 18, 17, 16)),  # JCB
    ("81", "81", (19, 18, 17, 16)),  # UnionPay
)

SHORTEST = min(length for _, _, lengths in ISSUERS for length in lengths)

#: Groups as cards carry them. Inside an identifier other groupings are chance: `TID-DATE` of a
#: terminal whose number begins with 62 would pass the check digit one time in ten.
PRINTED_GROUPS = frozenset({(4, 4, 4, 4), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 6, 4), (4, 6, 5)})

#: Digits of Chinese input methods (U+FF10 to U+FF19) count as digits; offsets stay the same.
_FULL_WIDTH = {0xFF10 + digit: str(digit) for digit in range(10)} | {0xFF0D: "-", 0x3000: " "}
#: At least 13 digits, one space or hyphen between any two. Not behind a digit, and not behind
#: `digit.`: that is the fraction of a number, and repr(float) makes 16-digit fractions.
#: The looks behind come after the first digit: a pattern that begins with one is thrice as slow.
_RUN = re.compile(r"[0-9](?<![0-9][0-9])(?<![0-9]\.[0-9])(?:[ -]?[0-9]){12,}")
_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))
_DIGITS = re.compile(r"[0-9]+")
_TRACK = re.compile(r";[0-9]{12,19}=[0-9]{4,44}\??|%[Bb][0-9]{12,19}\^[^?\r\n]{0,80}\??")

#: UUIDs and long hexadecimal: ciphertext of 1 kB in hex would look like a card one time in a
#: hundred. A number at the very start of one still counts: track 2 in hex is `PAN D YYMM …`.
_BLOB = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,})"
    r"(?![0-9A-Za-z])"
)

Decode = Callable[[str], Iterable[str]]
#: Other readings of a text (percent, base64, hex, decoded once) that `contains` looks at as well.
DECODERS: tuple[Decode, ...] = ()


def luhn(number: str) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1). `number` is ASCII digits."""
    values = number.encode().translate(_VALUES)
    return (sum(values[::-2]) + sum(values[-2::-2].translate(_DOUBLED))) % 10 == 0


def lengths(number: str) -> tuple[int, ...]:
    """How long numbers that begin like this one are, the longest first; () if no issuer's."""
    for low, high, found in ISSUERS:
        if low <= number[: len(low)] <= high:
            return found
    return ()


#: Every payment brings the same article numbers and times; four digits tell nothing of anybody.
_lengths_after = functools.lru_cache(maxsize=256)(lengths)


def find(text: str, *, identifier: bool = False) -> list[Hit]:
    """Clear card numbers in `text`, from left to right.

    `identifier`: the text is an order number or the like, so digits in groups only count where
    the groups are those printed on cards.
    """
    if len(text) < SHORTEST:
        return []
    plain = text if text.isascii() else text.translate(_FULL_WIDTH)
    tracks = [Hit(m.start(), m.end(), Form.TRACK) for m in _TRACK.finditer(plain)]
    numbers = [hit for run in _RUN.finditer(plain) for hit in _in_run(run, identifier)]
    if not numbers:
        return tracks
    chance = [m.span() for m in _BLOB.finditer(plain)]
    apart = [
        hit
        for hit in numbers
        if not any(t.start < hit.end and hit.start < t.end for t in tracks)
        and not any(start < hit.start and hit.end <= end for start, end in chance)
    ]
    return sorted(tracks + apart, key=lambda hit: hit.start)


def _in_run(run: re.Match[str], identifier: bool) -> Iterator[Hit]:
    """Card numbers made of whole neighbouring groups of digits, the longest at each place."""
    groups = [(m.start(), m.end()) for m in _DIGITS.finditer(run.group())]
    digits = "".join(run.group()[start:end] for start, end in groups)
    starts = [0, *itertools.accumulate(end - start for start, end in groups)]
    group_at = {place: index for index, place in enumerate(starts)}
    done = 0
    for first, (begin, _) in enumerate(groups):
        if first < done:
            continue
        at = starts[first]
        for length in _lengths_after(digits[at : at + 4]):
            beyond = group_at.get(at + length)
            if beyond is None or not luhn(digits[at : at + length]):
                continue
            widths = tuple(end - start for start, end in groups[first:beyond])
            if identifier and len(widths) > 1 and widths not in PRINTED_GROUPS:
                continue
            end = groups[beyond - 1][1]
            yield Hit(run.start() + begin, run.start() + end, Form.NUMBER)
            done = beyond
            break


def contains(
    text: str, *, identifier: bool = False, decoders: tuple[Decode, ...] = DECODERS
) -> bool:
    """Whether a clear card number stands in `text` or in one of its decoded readings."""
    if find(text, identifier=identifier):
        return True
    return bool(decoders) and any(find(reading) for decode in decoders for reading in decode(text))


def mask(number: str) -> str:
    """First six and last four digits, the rest as stars; separators stay where they are.

    One way everywhere: two different truncations of one number together give it away.
    """
    digits = sum(1 for c in number if c.isdecimal())
    seen = 0
    out: list[str] = []
    for c in number:
        if c.isdecimal():
            seen += 1
            out.append(c if seen <= 6 or seen > digits - 4 else "*")
        else:
            out.append(c)
    return "".join(out)


def masked(text: str) -> str:
    """`text` with every clear card number masked; of a track nothing but the number is left."""
    out: list[str] = []
    at = 0
    for hit in find(text):
        found = text[hit.start : hit.end]
        if hit.form is Form.TRACK:
            found = re.split(r"[=^]", found)[0].lstrip(";%Bb")
        out += [text[at : hit.start], mask(found)]
        at = hit.end
    return "".join([*out, text[at:]])


#: Names, compared without case and punctuation, that announce what may not be stored: account
#: number, track, verification value, PIN, expiry (PCI DSS 4.0.1 3.3 and 3.5; JR/T 0171 C3).
FORBIDDEN_NAMES: Mapping[str, str] = {
    name: group
    for group, names in {
        "pan": "pan cardnumber cardnum cardno cardpan fullpan clearpan primaryaccountnumber "
        "5a 卡号 银行卡号 主账号",
        "track": "track track1 track2 track3 trackdata track1data track2data track3data "
        "track2equivalent track2equivalentdata magstripe magneticstripe stripedata "
        "磁道 磁道信息 一磁道 二磁道 三磁道 磁道数据",
        "verification": "cvv cvv2 cvc cvc2 cvn cvn2 cav2 csc cardsecuritycode "
        "cardverificationvalue cardverificationcode securitycode 安全码 卡验证码",
        "pin": "pin pinblock pindata pinentry clearpin encryptedpin encryptedpinblock 密码 "
        "交易密码 个人密码",
        "expiry": "expiry expirydate expirationdate expiration expdate cardexpiry "
        "cardexpirydate expirymonth expiryyear expmonth expyear validthru validuntil 5f24 "
        "有效期 卡有效期",
    }.items()
    for name in names.split()
}

#: A label with its value in text that nobody parses: `pan=…`, `"pin": …`, `<cvv>…`.
_LABEL = re.compile(
    r"(?<![\w.-])(?:[\w-]{1,40}\.){0,4}([\w-]{1,40})"
    r"(?=[\"']?\s{0,3}[:=>：]\s{0,3}[\"']?([^\s\"'<>&;,]{1,64}))"
)


def forbidden(name: str) -> str:
    """What a field of this name would hold (`pan`, `track`, `pin` …), or "" if it may exist."""
    # The fields of one payment app are the same few names; longer ones might be numbers.
    return _short_forbidden(name) if len(name) < SHORTEST else _forbidden(name)


def _forbidden(name: str) -> str:
    return FORBIDDEN_NAMES.get("".join(c for c in name.lower() if c.isalnum()), "")


_short_forbidden = functools.lru_cache(maxsize=256)(_forbidden)


def in_clear(value: str) -> bool:
    """Whether the value of a forbidden field is the thing itself: not empty, not masked."""
    return any(c.isalnum() for c in value) and "*" not in value


def forbidden_label(text: str) -> str:
    """The first label in loose text that announces card data and has a clear value, or "".

    Only a value with a digit counts: a receipt may well say `PIN: entered`.
    """
    for label in _LABEL.finditer(text):
        name, value = label.group(1), label.group(2)
        if forbidden(name) and in_clear(value) and any(c.isdecimal() for c in value):
            return name
    return ""
