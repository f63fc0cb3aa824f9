"""Text on a terminal: widths of Chinese characters, wrapping, tables, colour only where it shows.

Knows nothing of payments. Plain text when the output is not a terminal; tables use rich where the
output is a terminal and rich is installed (the `cli` extra), imported only then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from agent.core.columns import clean, cut, pad, width, wrap

MAX_WIDTH = 100
NARROWEST = 40
_STYLES: Mapping[str, str] = {"bad": "31;1", "warn": "33", "good": "32", "dim": "2", "bold": "1"}


def wrap_items(items: Sequence[str], columns: int, indent: str, first: str) -> list[str]:
    """Items with dots between them, broken between items wherever one fits a line."""
    lines: list[str] = []
    line, empty = first, True
    for item in items:
        joined = item if empty else f" · {item}"
        if not empty and width(line) + width(joined) > columns:
            lines.append(line)
            line, joined = indent, item
        line, empty = line + joined, False
    lines.append(line)
    return [part for line in lines for part in _fitted(line, columns, indent)]


def _fitted(line: str, columns: int, indent: str) -> list[str]:
    if width(line) <= columns:
        return [line]
    text = line.lstrip()
    return wrap(text, columns, f"{indent}  ", line[: len(line) - len(text)])


class Screen:
    """Where a command writes."""

    def __init__(self) -> None:
        self.tty = sys.stdout.isatty()
        self._colour = (
            self.tty and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        )
        self.columns = max(NARROWEST, min(_terminal_columns() if self.tty else 80, MAX_WIDTH))

    def line(self, text: str = "", style: str = "") -> None:
        """One line as it is."""
        print(self.styled(text, style))

    def text(self, text: str, indent: str = "", first: str | None = None, style: str = "") -> None:
        """A paragraph, wrapped."""
        for line in wrap(clean(text), self.columns, indent, first):
            self.line(line, style)

    def items(self, items: Sequence[str], indent: str, first: str, style: str = "") -> None:
        """Short things with dots between them."""
        tidy = [clean(item) for item in items]
        for line in wrap_items(tidy, self.columns, indent, first):
            self.line(line, style)

    def styled(self, text: str, style: str) -> str:
        """`text` in a colour, where colours show."""
        if not self._colour or not style or not text:
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def clear(self) -> None:
        """Start the next picture: over the last one on a terminal, below it otherwise."""
        if self.tty:
            sys.stdout.write("\x1b[H\x1b[2J")
        else:
            print()

    def table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Rows in columns; the last column takes what is left of the line."""
        tidy = [[clean(cell) for cell in row] for row in rows]
        if self.tty and self._rich_table(headers, tidy):
            return
        columns = [max(width(row[n]) for row in [headers, *tidy]) for n in range(len(headers) - 1)]
        for row in [list(headers), *tidy]:
            cells = [pad(cell, size) for cell, size in zip(row, columns, strict=False)]
            line = "  ".join([*cells, row[-1]])
            self.line(cut(line, self.columns) if self.tty else line.rstrip())

    def _rich_table(self, headers: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
        try:
            from rich import box
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text
        except ImportError:
            return False
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for header in headers:
            table.add_column(Text(header))
        for row in rows:
            table.add_row(*(Text(cell) for cell in row))
        Console(width=self.columns).print(table)
        return True


def local_time(at: datetime, now: datetime) -> str:
    """The time on this terminal's wall, with the date unless it is today."""
    there, here = at.astimezone(), now.astimezone()
    return f"{there:%H:%M:%S}" if there.date() == here.date() else f"{there:%Y-%m-%d %H:%M}"


def age(seconds: float, lang: str) -> str:
    """`3 h 12 min`, as precise as a person needs it."""
    whole = max(0, int(seconds))
    days, hours, minutes = whole // 86_400, whole // 3_600 % 24, whole // 60 % 60
    zh = lang == "zh"
    if days:
        return f"{days}天{hours}小时" if zh else f"{days} d {hours} h"
    if hours:
        return f"{hours}小时{minutes}分" if zh else f"{hours} h {minutes} min"
    if minutes:
        return f"{minutes}分{whole % 60}秒" if zh else f"{minutes} min {whole % 60} s"
    return f"{whole}秒" if zh else f"{whole} s"


def _terminal_columns() -> int:
    # The daemon makes a screen too, and has no use for the archive formats this brings along.
    import shutil

    return shutil.get_terminal_size((80, 24)).columns


__all__ = [
    "Screen", "age", "clean", "cut", "local_time", "pad", "width", "wrap", "wrap_items",
]  # fmt: skip
