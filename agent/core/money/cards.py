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
import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from heapq import merge
from itertools import chain

from agent.core.money import card_codes
from agent.core.money.card_scan import Prefixes, places
from agent.record import dataclass


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

_PREFIXES = Prefixes(ISSUERS)
SHORTEST, LONGEST = _PREFIXES.sizes[0], _PREFIXES.sizes[-1]

#: Groups as cards carry them; inside an identifier all others are chance.
PRINTED_GROUPS = frozenset({(4, 4, 4, 4), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 6, 4), (4, 6, 5)})

#: Digits of Chinese input methods (U+FF10 to U+FF19) count as digits; offsets stay the same.
_FULL_WIDTH = {chr(0xFF10 + digit): str(digit) for digit in range(10)} | {
    "\uff0d": "-",
    "\u3000": " ",
}
#: Digits and what may stand between them, and the parts of it without two of those in a row.
_RUN = re.compile(r"[0-9][0-9 -]{11,}[0-9]")
_PART = re.compile(r"[0-9]+(?:[ -][0-9]+)*")
#: Where one of an issuer's numbers may begin: with a group.
_BEGINNING = re.compile(
    "(?<![0-9])(?:"
    + "|".join(f"{pair[0]}[ -]?{pair[1]}" for pair in _PREFIXES.pairs)
    + f")(?:[ -]?[0-9]){{{SHORTEST - 2}}}"
)
#: So many runs of digits are looked at one by one before all are looked at together.
_FEW = 64
#: For the first look. Nothing but digits and spaces, without what may stand between two digits;
#: and runs of digits with all that may stand between them.
_FLAT = bytes(48 if 48 <= byte < 58 else 32 for byte in range(256))
_BETWEEN = b" -"
_RUNS = bytes(byte if 48 <= byte < 58 else 45 if byte in _BETWEEN else 32 for byte in range(256))
_MANY, _TRACK_DIGITS = b"0" * SHORTEST, b"0" * 12
_TRACK = re.compile(r";[0-9]{12,19}=[0-9]{4,44}\??|%[Bb][0-9]{12,19}\^[^?\r\n]{0,80}\??")
#: Test cards of UnionPay without a valid check digit (gateway test guide, section 3.2).
_ODD = re.compile(
    "(?:"
    + "|".join("[ -]?".join(number) for number in ("6221558812340000", "6222040000030012"))
    + ")(?![0-9])"
)

#: UUIDs, long hexadecimal and dumps of bytes: ciphertext of 1 kB in hex would look like a card
#: one time in a hundred.
_BLOB = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{32,}"
    r"|[0-9A-Fa-f]{2}(?:[ -][0-9A-Fa-f]{2}){15,})(?![0-9A-Za-z])"
)

_EXPIRY = re.compile(r"[Dd][0-9]{2}(?:0[1-9]|1[0-2])|[Ff]{1,16}(?![0-9A-Fa-f])")

Decode = Callable[[str], Iterable[str]]
#: Other readings of a text (percent, base64, hex, decoded once) that `contains` looks at as well.
DECODERS: tuple[Decode, ...] = (card_codes.percent, card_codes.hidden)

_VALUES = bytes.maketrans(b"0123456789", bytes(range(10)))
_DOUBLED = bytes.maketrans(bytes(range(10)), bytes((0, 2, 4, 6, 8, 1, 3, 5, 7, 9)))


def luhn(number: str) -> bool:
    """Whether the check digit fits (ISO/IEC 7812-1). `number` is ASCII digits."""
    values = number.encode().translate(_VALUES)
    return (sum(values[::-2]) + sum(values[-2::-2].translate(_DOUBLED))) % 10 == 0


def lengths(number: str) -> tuple[int, ...]:
    """How long numbers that begin like this one are, the longest first; () if no issuer's."""
    return _PREFIXES.lengths(number)


#: Every payment brings the same article numbers and times; four digits tell nothing of anybody.
_lengths_after = functools.lru_cache(maxsize=256)(lengths)


def find(text: str, *, identifier: bool = False) -> list[Hit]:
    """Clear card numbers in `text`, from left to right.

    `identifier`: the text is an order number or the like, so digits in groups only count where
    the groups are those printed on cards.
    """
    return list(_hits(_plain(text), identifier))


def _hits(plain: str, identifier: bool) -> Iterator[Hit]:
    """Of a text whose digits are all ASCII (`_plain`)."""
    if len(plain) < SHORTEST or not _may_hold(plain):
        return
    tracks = [Hit(m.start(), m.end(), Form.TRACK) for m in _TRACK.finditer(plain)]
    for odd in _ODD.finditer(plain):
        if not plain[max(0, odd.start() - 1) : odd.start()].isdigit():
            insort(tracks, Hit(odd.start(), odd.end(), Form.NUMBER), key=lambda hit: hit.start)
    numbers = _numbers(plain, identifier)
    first = next(numbers, None)
    if first is None:
        yield from tracks
        return
    blobs = [m.span() for m in _BLOB.finditer(plain)]
    apart = (
        hit
        for hit in chain((first,), numbers)
        if not _touches(tracks, hit) and not _inside(blobs, hit, plain)
    )
    yield from merge(tracks, apart, key=lambda hit: hit.start)


def _may_hold(plain: str) -> bool:
    """One cheap look that settles most texts: whether a number or a track can stand in it."""
    raw = plain.encode("utf-8", "replace")
    flat = raw.translate(_FLAT, _BETWEEN)
    if _TRACK_DIGITS not in flat:
        return False
    if (";" in plain or "%" in plain) and _TRACK.search(plain):
        return True
    if _MANY not in flat:
        return False
    pieces = [piece for piece in raw.translate(_RUNS).split() if len(piece) >= SHORTEST]
    return len(pieces) > _FEW or any(map(_possible, pieces))


def _possible(piece: bytes) -> bool:
    """Whether digits with separators can hold a number; one group is one or is none."""
    row = piece.decode().strip("-")
    if not row.isdigit():
        return _BEGINNING.search(row) is not None
    return len(row) in _lengths_after(row[:4]) and (luhn(row) or _ODD.match(row) is not None)


def _numbers(plain: str, identifier: bool) -> Iterator[Hit]:
    rows = list(_rows(plain))
    if not rows:
        return
    allowed = _as_printed if identifier else _as_written
    for place in places([row for _, row in rows], _PREFIXES, allowed):
        base = rows[place.row][0]
        yield Hit(base + place.start, base + place.end, Form.NUMBER)


def _rows(plain: str) -> Iterator[tuple[int, str]]:
    """(where, digits in groups) of everything that can hold a number."""
    for run in _RUN.finditer(plain):
        begin, row = run.start(), run.group()
        if begin > 1 and plain[begin - 1] == "." and plain[begin - 2] in "0123456789":
            # The fraction of a number: repr(float) makes some of 16 digits.
            rest = row.lstrip("0123456789")
            begin, row = begin + len(row) - len(rest), rest
        if row.isdigit():
            # One group of more digits than any card has cannot hold one.
            if SHORTEST <= len(row) <= LONGEST:
                yield begin, row
            continue
        for part in _PART.finditer(row):
            found = part.group()
            if len(found) - found.count(" ") - found.count("-") >= SHORTEST:
                yield begin + part.start(), found


def _as_printed(widths: tuple[int, ...]) -> bool:
    return len(widths) == 1 or widths in PRINTED_GROUPS


def _as_written(widths: tuple[int, ...]) -> bool:
    """Groups as people and programs make them: printed, all alike, or six in front of the rest.

    Others are chance: `TID-DATE` of a terminal whose number begins with 62 would pass the check
    digit one time in ten, and keys made so stand in every line of a log.
    """
    if _as_printed(widths):
        return True
    if len(widths) == 2:
        return widths[0] == 6
    *front, last = widths
    return front[0] <= 6 and len(set(front)) == 1 and last <= front[0]


def _touches(tracks: Sequence[Hit], hit: Hit) -> bool:
    """Whether a track has part of it; tracks stand from left to right and apart."""
    before = bisect_left(tracks, hit.end, key=lambda track: track.start)
    return before > 0 and tracks[before - 1].end > hit.start


def _inside(blobs: Sequence[tuple[int, int]], hit: Hit, plain: str) -> bool:
    """Whether it is chance in a blob: track 2 begins one with the number, `D` and the expiry."""
    before = bisect_left(blobs, hit.start + 1, key=lambda blob: blob[0])
    if not before or blobs[before - 1][1] < hit.end:
        return False
    begin, end = blobs[before - 1]
    return begin < hit.start or (hit.end < end and not _EXPIRY.match(plain, hit.end))


def contains(
    text: str, *, identifier: bool = False, decoders: tuple[Decode, ...] = DECODERS
) -> bool:
    """Whether a clear card number stands in `text` or in one of its decoded readings."""
    plain = _plain(text)
    if any(_hits(plain, identifier)):
        return True
    return any(any(_hits(reading, False)) for decode in decoders for reading in decode(plain))


def _plain(text: str) -> str:
    if not text.isascii():
        for wide, narrow in _FULL_WIDTH.items():
            text = text.replace(wide, narrow)
    return text


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


#: What is left of an encoded piece that held a number.
MASKED = "[card]"


def masked(text: str) -> str:
    """`text` with every clear card number masked; of a track nothing but the number is left.

    A piece in percent, base64 or hexadecimal that holds one is taken out whole.
    """
    return _masked(card_codes.replaced(text, lambda reading: bool(find(reading)), MASKED))


def _masked(text: str) -> str:
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
        "track2equivalent track2equivalentdata 9f1f 9f20 magstripe magneticstripe stripedata "
        "磁道 磁道信息 一磁道 二磁道 三磁道 磁道数据",
        "verification": "cvv cvv2 cvc cvc2 cvn cvn2 cav2 csc cardsecuritycode "
        "cardverificationvalue cardverificationcode securitycode 安全码 卡验证码",
        "name": "5f20",
        "pin": "pin pinblock pindata pinentry clearpin encryptedpin encryptedpinblock 密码 "
        "交易密码 个人密码",
        "expiry": "expiry expirydate expirationdate expiration expdate cardexpiry "
        "cardexpirydate expirymonth expiryyear expmonth expyear validthru validuntil 5f24 "
        "有效期 卡有效期",
    }.items()
    for name in names.split()
}

#: A label with its value in text that nobody parses: `pan=…`, `"pin": …`, `<cvv>…`. Names are
#: written with underscores or hyphens anywhere, and may end a dotted path. It begins with a
#: letter and knows no case: so the engine skips what cannot begin a name.
_SEPARATOR = re.compile("[:=>：]")
_LABEL = re.compile(
    "("
    + "|".join(
        "[_-]{0,3}".join(map(re.escape, name))
        for name in sorted(FORBIDDEN_NAMES, key=len, reverse=True)
    )
    + r")[_-]{0,8}[\"']?\s{0,3}[:=>：]\s{0,3}[\"']?(?=[^\s\"'<>&;,]{0,63}\d)([^\s\"'<>&;,]{1,64})"
)


_PUNCTUATION = re.compile(r"[^\w\n]|_")


def forbidden(name: str) -> str:
    """What a field of this name would hold (`pan`, `track`, `pin` …), or "" if it may exist."""
    # The fields of one payment app are the same few names; longer ones might be numbers.
    return _short_forbidden(name) if len(name) < SHORTEST else _forbidden(name)


def _forbidden(name: str) -> str:
    return FORBIDDEN_NAMES.get("".join(c for c in name.lower() if c.isalnum()), "")


_short_forbidden = functools.lru_cache(maxsize=256)(_forbidden)


def forbidden_among(names: Sequence[str]) -> Iterator[int]:
    """Which of many names may not exist. Much quicker than asking for one after the other."""
    plain = _PUNCTUATION.sub("", "\n".join(names).lower()).split("\n")
    if len(plain) != len(names):  # some name has a line end of its own
        plain = ["".join(c for c in name.lower() if c.isalnum()) for name in names]
    return (at for at, name in enumerate(plain) if name in FORBIDDEN_NAMES)


def in_clear(value: str) -> bool:
    """Whether the value of a forbidden field is the thing itself: not empty, not masked."""
    return any(c.isalnum() for c in value) and "*" not in value


def forbidden_label(text: str) -> str:
    """The first label in loose text that announces card data and has a clear value, or "".

    Only a value with a digit counts: a receipt may well say `PIN: entered`.
    """
    if not _SEPARATOR.search(text):
        return ""
    lower = text.lower()
    at = 0
    while label := _LABEL.search(lower, at):
        at = label.end(1)
        if "*" not in label[2]:
            before = lower[max(0, label.start() - 9) : label.start()].rstrip("_-")
            if not before[-1:].isalnum():
                return label[1]
    return ""
