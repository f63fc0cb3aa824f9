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
_SHORTEST = 12
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?<![0-9A-Fa-f])(?:[0-9A-Fa-f]{2}[ :-]?){8,}[0-9A-Fa-f]{2}(?![0-9A-Fa-f])")
_HEX_MARKS = str.maketrans("", "", " :-")
_STANDARD = str.maketrans("-_", "+/")
#: The same for bytes: words of base64 in its standard alphabet, and pieces of hexadecimal digits
#: with one kind of mark between.
_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_WORDS = bytes(byte if byte in _LETTERS else {45: 43, 95: 47}.get(byte, 32) for byte in range(256))
_PIECES = bytes(
    byte if byte in b"0123456789abcdefABCDEF" else 45 if byte in b" :-" else 32
    for byte in range(256)
)
_HEX_ONLY = bytes(104 if byte in b"0123456789abcdefABCDEF" else 32 for byte in range(256))
_MANY_HEX = b"h" * 18
#: Twelve digits, spaces or hyphens, fewer than any number has: how they look in hexadecimal, and
#: nine of them in base64, wherever the three bytes of four letters begin. Written out, and two
#: patterns: one with a group in front takes five times as long.
_DIGITS_IN_HEX = re.compile(r"[23][0-9Dd](?:[ :-]?[23][0-9Dd]){11}")
_THREE = "[ILMNO][CDSTijyz][AEIMQUYcgk0][gtw-z0-5]"
_DIGITS_IN_BASE64 = re.compile(f"{_THREE}{_THREE}{_THREE}")
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
    # The same as `_HEX` and `_BASE64` find, in a tenth of the time where there is nothing.
    raw = text.encode("utf-8", "replace")
    if _MANY_HEX in raw.translate(_HEX_ONLY, b" :-"):
        for piece in raw.translate(_PIECES).split():
            if len(piece) >= len(_MANY_HEX):
                for token in _HEX.findall(piece.decode()):
                    yield _unhex(token)
    words = [word for word in raw.translate(_WORDS).split() if len(word) >= _SHORTEST]
    if b"=" not in raw:
        words = [word for word in words if not word.isdigit()]  # never base64 of digits
    yield from map(_decoded, words)


def may_hide_digits(text: str) -> bool:
    """One look that settles most texts: whether a number can stand in one of these pieces."""
    return bool(_DIGITS_IN_BASE64.search(text) or _DIGITS_IN_HEX.search(text))


def joined(text: str) -> Iterator[str]:
    """All of these on lines of their own."""
    yield b"\n".join(tokens(text)).decode("latin-1")


def hidden(text: str) -> Iterator[str]:
    """The same, but nothing where no number can be among them."""
    if may_hide_digits(text):
        yield from joined(text)


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
    return _decoded(token.rstrip("=").translate(_STANDARD).encode())


def _decoded(word: bytes) -> bytes:
    if len(word) % 4 == 1:
        word = word[:-1]  # cut off, or not base64: what can be read is looked at
    return binascii.a2b_base64(word + b"==="[: -len(word) % 4])
