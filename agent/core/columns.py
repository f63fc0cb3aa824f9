"""How wide text is, and how it is cut and broken to a number of columns.

For terminals and for receipt paper alike: Chinese characters take two columns, combining marks
none. Knows nothing of what is written. Called by `agent.cli.screen` and by the slips.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

#: No line may start with these, nor end with those of `_OPENING`.
_CLOSING = "\u3001\u3002\u300b\u3011\u201d\u2019\uff0c\uff1b\uff1a\uff01\uff1f\uff09,.;:!?)"
_OPENING = "\u300a\u3010\u201c\u2018\uff08("


def width(text: str) -> int:
    """Columns `text` takes: Chinese characters take two, combining marks none."""
    return sum(columns_of(char) for char in text)


def columns_of(char: str) -> int:
    """Columns of one character."""
    if unicodedata.combining(char) or unicodedata.category(char) in {"Cf", "Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def pad(text: str, columns: int) -> str:
    """`text` filled with spaces to `columns`."""
    return text + " " * max(0, columns - width(text))


def cut(text: str, columns: int) -> str:
    """`text` in at most `columns`, with an ellipsis where something is left out."""
    if width(text) <= columns:
        return text
    kept, used = text, width(text)
    while kept and used > columns - 1:
        used -= columns_of(kept[-1])
        kept = kept[:-1]
    return kept.rstrip() + "…"


def clean(text: str) -> str:
    """Without control characters: what hosts and devices say must not steer the terminal."""
    return "".join(char if char.isprintable() else " " for char in text)


def wrap(text: str, columns: int, indent: str = "", first: str | None = None) -> list[str]:
    """Lines of at most `columns`, broken at spaces and between Chinese characters."""
    lines: list[str] = []
    line = indent if first is None else first
    empty = True
    for piece in _pieces(text):
        if not empty and width(line) + width(piece.rstrip()) > columns:
            lines.append(line.rstrip())
            line, empty = indent, True
        line += piece.lstrip() if empty else piece
        empty = empty and not piece.strip()
    return [*lines, line.rstrip()]


def _pieces(text: str) -> Iterator[str]:
    """The parts of `text` that may not be broken, each with the spaces behind it."""
    piece = ""
    for char in text:
        before = piece[-1:] or " "
        wide = columns_of(char) == 2 or columns_of(before) == 2
        may_break = (wide or before == " ") and char != " "
        if piece and may_break and char not in _CLOSING and before not in _OPENING:
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece
