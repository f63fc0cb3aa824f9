"""Card data of a chip card: BER-TLV as in EMV Book 3, found by tag in bytes that are nothing else.

Ciphertext and order numbers must not be taken for it by chance, so the whole of the bytes has to
parse, and the value behind a tag has to look like what the tag says. It decides what may not be
stored and knows nothing of texts or encodings (`cards`, wire).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

#: Deepest nesting of constructed tags: 70 in 77 in E1 and room to spare.
_DEEP = 6

_TRACK_2 = re.compile(rb"([0-9]{12,19})[Dd=][0-9]{4,}[Ff]?")
_NUMBER = re.compile(rb"[0-9]{12,19}[Ff]{0,7}")
_TRACK_1 = re.compile(rb"[Bb][0-9]{12,19}\^")
_DATE = re.compile(rb"[0-9]{2}(?:0[1-9]|1[0-2])(?:[0-2][0-9]|3[01])")


def _nibbles(value: bytes) -> bytes:
    return value.hex().encode()


def _is_text(value: bytes) -> bool:
    return len(value) > 1 and all(32 <= byte < 127 for byte in value)


#: Tag -> (what it holds, whether a value can be that).
TAGS: Mapping[bytes, tuple[str, Callable[[bytes], bool]]] = {
    b"\x57": ("track", lambda v: _TRACK_2.fullmatch(_nibbles(v)) is not None),
    b"\x5a": ("pan", lambda v: _NUMBER.fullmatch(_nibbles(v)) is not None),
    b"\x56": ("track", lambda v: _TRACK_1.match(v) is not None),
    b"\x5f\x20": ("name", _is_text),
    b"\x5f\x24": ("expiry", lambda v: _DATE.fullmatch(_nibbles(v)) is not None),
    b"\x9f\x1f": ("track", _is_text),
    b"\x9f\x20": ("track", lambda v: re.fullmatch(rb"[0-9]+f?", _nibbles(v)) is not None),
    b"\x99": ("pin", lambda v: 4 <= len(v) <= 16),
}
#: Others that make it plain that bytes are EMV data: amount, TVR, cryptogram, AIP, ATC, AID …
_OTHERS = """
4F 50 5F25 5F28 5F2A 5F2D 5F30 5F34 82 84 87 8A 8C 8D 8E 8F 90 91 92 93 94 95 97 98 9A 9B 9C 9D
9F01 9F02 9F03 9F06 9F07 9F08 9F09 9F0D 9F0E 9F0F 9F10 9F11 9F12 9F15 9F16 9F1A 9F1C 9F1E 9F21
9F26 9F27 9F33 9F34 9F35 9F36 9F37 9F38 9F39 9F40 9F41 9F42 9F4E 9F53 9F63 9F66 9F6E 9F7C
"""
_COMPANY = frozenset(TAGS) | frozenset(map(bytes.fromhex, _OTHERS.split()))
_ANY_TAG = re.compile(b"|".join(map(re.escape, TAGS)))
#: A tag that stands alone must have this many bytes: fewer come together by chance.
_ALONE = 7


def forbidden_tag(data: bytes) -> str:
    """The first tag, in hexadecimal, whose value may not be stored; "" if there is none."""
    if len(data) < 4 or not _ANY_TAG.search(data):
        return ""
    elements = _parse(data, _DEEP)
    if not elements:
        return ""
    held = [(tag, value) for tag, value in elements if tag in TAGS and TAGS[tag][1](value)]
    if not held:
        return ""
    known = sum(tag in _COMPANY for tag, _ in elements)
    for tag, value in held:
        # One tag that fills everything can be chance where its value is short or anything goes.
        if known > 1 or (len(value) >= _ALONE and tag != b"\x99"):
            return tag.hex().upper()
    return ""


def forbidden_tags(tokens: Iterable[bytes]) -> str:
    """The first of several pieces that has one."""
    return next((tag for data in tokens if (tag := forbidden_tag(data))), "")


def _parse(data: bytes, deep: int) -> list[tuple[bytes, bytes]] | None:
    """(tag, value) of all primitive elements, or None where the bytes are not TLV throughout."""
    found: list[tuple[bytes, bytes]] = []
    at, end = 0, len(data)
    while at < end:
        first, begin = data[at], at
        at += 1
        if first & 0x1F == 0x1F:
            while at < end and data[at] & 0x80:
                at += 1
            at += 1
        if at >= end or not first:
            return None
        tag, size = data[begin:at], data[at]
        at += 1
        if size > 0x7F:
            more = size & 0x7F
            if not 1 <= more <= 2 or at + more > end:
                return None
            size = int.from_bytes(data[at : at + more])
            at += more
        value = data[at : at + size]
        at += size
        if at > end:
            return None
        if first & 0x20:
            inner = _parse(value, deep - 1) if deep else None
            if inner is None:
                return None
            found += inner
        else:
            found.append((tag, value))
    return found
