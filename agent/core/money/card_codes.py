"""Other readings of a text: percent, base64 (both alphabets) and hexadecimal, decoded once.

A number that travels encoded is as clear as one that does not. Each reading puts the decoded pieces
on lines of their own, so that no number can arise where two pieces meet. Decoding a second time is
left out on purpose: what is wrapped twice is wrapped by a program, and fields are refused by name.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Iterator

#: The shortest chip data with a number, tag 5A alone, has nine bytes.
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[ :-]?){8,}[0-9A-Fa-f]{2}(?![0-9A-Fa-f])")
_HEX_MARKS = str.maketrans("", "", " :-")
_STANDARD = str.maketrans("-_", "+/")
_WORD = re.compile(r"[^\s\"'<>&=]+")
_DIGITS = "0123456789abcdefABCDEF"
_BYTE = {high + low: chr(int(high + low, 16)) for high in _DIGITS for low in _DIGITS}


def percent(text: str) -> Iterator[str]:
    """`%34%31…`, as in a form or an address; `+` is a space there."""
    if "%" in text:
        first, *pieces = text.replace("+", " ").split("%")
        yield first + "".join([_BYTE.get(p[:2], "%" + p[:2]) + p[2:] for p in pieces])


def tokens(text: str) -> Iterator[bytes]:
    """The bytes behind everything in a text long enough to be a number in hexadecimal or base64."""
    for token in _HEX.findall(text):
        yield _unhex(token)
    for token in _BASE64.findall(text):
        if not token.isdigit():  # digits are never base64 of digits
            yield _unbase64(token)


def joined(text: str) -> Iterator[str]:
    """All of these on lines of their own."""
    yield b"\n".join(tokens(text)).decode("latin-1")


def replaced(text: str, clear: Callable[[str], bool], by: str) -> str:
    """`text` with `by` for every encoded piece of it whose reading is `clear` card data."""

    def checked(decode: Callable[[str], str]) -> Callable[[re.Match[str]], str]:
        return lambda match: by if clear(decode(match.group())) else match.group()

    text = _HEX.sub(checked(lambda token: _unhex(token).decode("latin-1")), text)
    text = _BASE64.sub(checked(lambda token: _unbase64(token).decode("latin-1")), text)
    if "%" in text:
        text = _WORD.sub(checked(lambda word: next(percent(word), "")), text)
    return text


def _unhex(token: str) -> bytes:
    """The bytes of hexadecimal digits, with or without marks between; b"" for an odd number."""
    digits = token.translate(_HEX_MARKS)
    return bytes.fromhex(digits) if len(digits) % 2 == 0 else b""


def _unbase64(token: str) -> bytes:
    digits = token.rstrip("=").translate(_STANDARD)
    if len(digits) % 4 == 1:
        digits = digits[:-1]  # cut off, or not base64: what can be read is looked at
    return binascii.a2b_base64(digits + "=" * (-len(digits) % 4))
