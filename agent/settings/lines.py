"""On which line of a TOML text a key stands, because tomllib does not tell.

This file decides nothing about what a key means: it reads headers, keys and the extent of values,
well enough to point a person at the right line of a text that tomllib already accepted. Called by
`agent.settings` when there is something to complain about or to attribute.

Paths are dotted, entries of an array of tables are counted from zero: `uplink.0.url`.
"""

from __future__ import annotations

import re

_KEY = r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)"""
_PATH = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_PATH})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"\s*({_PATH})\s*=")
_PART = re.compile(_KEY)
#: What can start or end something inside a value; the triple quotes come first on purpose.
_MARK = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#|[\[\]{}]')


class Lines:
    """The line numbers of one text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[str, int] = {}
        self._scan(text)

    def find(self, path: str) -> int:
        """Line of `path`, else of the nearest thing around it; 0 when nothing is known."""
        while path:
            line = self._lines.get(path)
            if line is not None:
                return line
            path = path.rpartition(".")[0]
        return 0

    def _scan(self, text: str) -> None:
        table = ""
        arrays: dict[str, int] = {}
        value = _Value()
        for number, line in enumerate(text.splitlines(), start=1):
            if value.open:
                value.feed(line)
                continue
            if header := _HEADER.match(line):
                table = _within_arrays(_dotted(header[2]), arrays, header[1] == "[[")
                self._lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                prefix = f"{table}." if table else ""
                self._lines.setdefault(prefix + _dotted(assignment[1]), number)
                value.feed(line[assignment.end() :])


class _Value:
    """How far a value reaches: over several lines inside brackets and triple quotes."""

    def __init__(self) -> None:
        self._depth = 0
        self._quote = ""

    @property
    def open(self) -> bool:
        return self._depth > 0 or bool(self._quote)

    def feed(self, text: str) -> None:
        at = 0
        while at < len(text):
            if self._quote:
                end = text.find(self._quote, at)
                if end < 0:
                    return
                at = end + len(self._quote)
                self._quote = ""
                continue
            mark = _MARK.search(text, at)
            if mark is None or mark[0] == "#":
                return
            at = mark.end()
            if mark[0] in {'"""', "'''"}:
                self._quote = mark[0]
            elif mark[0] in {"[", "{"}:
                self._depth += 1
            elif mark[0] in {"]", "}"}:
                self._depth = max(0, self._depth - 1)


def _dotted(path: str) -> str:
    return ".".join(part.strip("\"'") for part in _PART.findall(path))


def _within_arrays(path: str, arrays: dict[str, int], another: bool) -> str:
    """`path` with the number of the current entry behind every array of tables it runs through."""
    parts = path.split(".")
    resolved = ""
    for depth, part in enumerate(parts):
        resolved = f"{resolved}.{part}" if resolved else part
        if another and depth == len(parts) - 1:
            arrays[resolved] = arrays.get(resolved, -1) + 1
        if resolved in arrays:
            resolved = f"{resolved}.{arrays[resolved]}"
    return resolved
