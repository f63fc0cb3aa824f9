"""A slip on paper of so many columns: lines and QR codes, in order. Pure.

Every renderer starts from the same rows, so text, image and printed paper break their lines in the
same places. No line is ever wider than the paper. Called by `escpos`, by the actions and by the
program that draws images.
"""

from __future__ import annotations

from collections.abc import Iterator

from agent.core.columns import columns_of, pad, width, wrap
from agent.core.slips.characters import on_paper
from agent.core.slips.paper import Block, Gap, Heading, Pair, Rule, Slip, Text
from agent.record import dataclass

#: Columns of paper 58 mm and 80 mm wide.
NARROW, WIDE = 32, 48


@dataclass(frozen=True, slots=True)
class Line:
    """One line, already padded."""

    text: str
    strong: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """A QR code, centred."""

    data: bytes


Row = Line | Code


def rows(slip: Slip, columns: int) -> tuple[Row, ...]:
    """The whole slip."""
    return tuple(row for block in slip.blocks for row in _rows(block, columns))


def lines(slip: Slip, columns: int) -> list[str]:
    """The slip as plain text; a QR code by what it says."""
    return [text for row in rows(slip, columns) for text in spelt(row, columns)]


def spelt(row: Row, columns: int) -> list[str]:
    """A row without graphics."""
    if isinstance(row, Line):
        return [row.text]
    return list(_fitted(on_paper(row.data.decode("utf-8", "replace")), columns))


def _rows(block: Block, columns: int) -> Iterator[Row]:
    match block:
        case Heading(text=text):
            for line in _wrapped(text, columns):
                yield Line(_centred(line.strip(), columns), strong=True)
        case Text(text=text, indent=indent, first=first, strong=strong):
            for line in _wrapped(text, columns, " " * indent, first or " " * indent):
                yield Line(line, strong)
        case Pair(left=left, right=right, strong=strong):
            for line in _edges(on_paper(left), on_paper(right), columns):
                yield Line(line, strong)
        case Rule():
            yield Line("-" * columns)
        case Gap():
            yield Line("")
        case _:
            yield Code(block.data)
            for line in _wrapped(block.caption, columns) if block.caption else ():
                yield Line(_centred(line.strip(), columns))


def _wrapped(text: str, columns: int, indent: str = "", first: str | None = None) -> Iterator[str]:
    start = None if first is None else on_paper(first)
    for line in wrap(on_paper(text), columns, indent, start):
        yield from _fitted(line, columns)


def _edges(left: str, right: str, columns: int) -> Iterator[str]:
    """One text at each edge; on lines of their own where they do not fit one."""
    room = columns - width(right) - (1 if left and right else 0)
    if width(left) <= room:
        yield pad(left, columns - width(right)) + right
        return
    for line in wrap(left, columns):
        yield from _fitted(line, columns)
    for line in _fitted(right, columns):
        yield " " * (columns - width(line)) + line


def _centred(text: str, columns: int) -> str:
    return " " * max(0, (columns - width(text)) // 2) + text


def _fitted(line: str, columns: int) -> Iterator[str]:
    """What cannot be broken nicely is broken anywhere: paper has an edge."""
    kept, used = "", 0
    for char in line:
        wide = columns_of(char)
        if used + wide > columns:
            yield kept
            kept, used = "", 0
        kept += char
        used += wide
    yield kept
