"""A list as records: CSV with a heading somewhere near its top, a JSON array, JSON lines. Strict.

Whatever is wrong is refused with its line; nothing of the list is believed then. Called by the
program that reads lists, with the text as it was decoded.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Any

from agent.core.why.reconcile import values
from agent.core.why.reconcile.lines import (
    MAX_FIELD_CHARS,
    Columns,
    Line,
    columns_of,
    footed,
    heading_sought,
    lacking,
    summed,
)
from agent.core.why.reconcile.profile import ListError, Profile

DELIMITERS = (",", "\t", "|", ";", "，")
#: The text of one JSON object.
_OBJECT_CHARS = 65_536
_SPACE = " \t\r\n"
_NOT_SPACE = re.compile("[^\ufeff \t\r\n]")


def read(profile: Profile, lines: Iterable[str]) -> Iterator[Line]:
    """Every line of the list. Raises ListError."""
    source = iter(lines)
    begun: list[str] = []
    for line in source:
        begun.append(line)
        if line.strip("\ufeff" + _SPACE):
            break
    if not begun:
        raise ListError("empty")
    kind = profile.format if profile.format != "auto" else _kind(begun[-1])
    whole = chain(begun, source)
    found = _objects(profile, whole, kind) if kind != "csv" else _records(profile, whole)
    count = 0
    for one in found:
        count += 1
        if count > profile.max_lines:
            raise ListError("too_many", line=one.number, told=str(profile.max_lines))
        yield one
    if not count:
        raise ListError("no_lines")


def _kind(first: str) -> str:
    text = first.strip("\ufeff" + _SPACE)
    return "json" if text.startswith("[") else "jsonl" if text.startswith("{") else "csv"


# -- CSV -----------------------------------------------------------------------------------


def _records(profile: Profile, lines: Iterator[str]) -> Iterator[Line]:
    columns, delimiter, at = _heading(profile, lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    count, sums, ended = 0, 0, False
    while True:
        number = at + reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error:
            raise ListError("quotes", line=number) from None
        if fields is None:
            break
        if not fields or not any(one.strip(_SPACE) for one in fields):
            continue
        if profile.comment and fields[0].lstrip().startswith(profile.comment):
            continue
        if footed(profile, fields):
            _foot(profile, fields, number, count, sums)
            ended = True
            break
        if not profile.footer and summed(fields):
            _only_totals(columns, reader, at)
            break
        _width(columns, fields, number)
        line = columns.read(fields, number)
        count, sums = count + 1, sums + line.amount_minor
        yield line
    if profile.footer and not ended:
        raise ListError("footer_missing", line=at + reader.line_num, told=profile.footer)


def _only_totals(columns: Columns, reader: Iterator[list[str]], at: int) -> None:
    """Below the totals nothing may stand that could be a payment: none is left out unsaid."""
    try:
        for fields in reader:
            if not fields or summed(fields):
                continue
            number = at + reader.line_num  # type: ignore[attr-defined]
            try:
                _width(columns, fields, number)
                columns.read(fields, number)
            except ListError:
                continue
            raise ListError("after_totals", line=number)
    except csv.Error:
        raise ListError("quotes", line=at + reader.line_num) from None  # type: ignore[attr-defined]


def _width(columns: Columns, fields: list[str], number: int) -> None:
    # One separator too many at the end of each line is what some banks write.
    while len(fields) > columns.width and not fields[-1].strip():
        fields.pop()
    if len(fields) != columns.width:
        raise ListError("width", line=number, told=f"{len(fields)} / {columns.width}")
    if any(len(one) > MAX_FIELD_CHARS for one in fields):
        raise ListError("quotes", line=number)


def _heading(profile: Profile, lines: Iterator[str]) -> tuple[Columns, str, int]:
    """What the columns mean, what separates them, and how many lines it took."""
    number = 0
    best, why = (0, 1), ListError("heading", told=lacking(profile, ())[1].told)
    for line in lines:
        number += 1
        text = line.strip("\ufeff\r\n").lstrip("#")
        for delimiter in (profile.delimiter,) if profile.delimiter else DELIMITERS:
            if delimiter not in text:
                continue
            try:
                headings = next(csv.reader([text], delimiter=delimiter, strict=True))
            except csv.Error:
                continue
            while headings and not headings[-1].strip():
                headings.pop()
            columns = columns_of(profile, headings)
            if columns is not None:
                return columns, delimiter, number
            known, refusal = lacking(profile, headings)
            if (known, len(headings)) > best:
                best, why = (known, len(headings)), refusal
                why.line = number
        if not heading_sought(number):
            break
    raise why


def _foot(profile: Profile, fields: list[str], number: int, count: int, sums: int) -> None:
    def told(place: int) -> str:
        if place > len(fields):
            raise ListError("footer_short", line=number)
        return values.cleaned(fields[place - 1])

    if profile.footer_count:
        said = told(profile.footer_count)
        # Compared as text: Python reads no number of thousands of digits.
        if (said.lstrip("0") or said[:1]) != str(count):
            raise ListError("footer_count", line=number, told=str(count))
    if profile.footer_sum:
        try:
            said_sum = values.minor(told(profile.footer_sum), profile.amounts, profile.currency)
        except ListError as refusal:
            raise ListError(refusal.why, line=number) from None
        if said_sum != sums:
            raise ListError("footer_sum", line=number)


# -- JSON ----------------------------------------------------------------------------------


def _objects(profile: Profile, lines: Iterator[str], kind: str) -> Iterator[Line]:
    for number, found in _each(lines) if kind == "jsonl" else _array(lines):
        if not isinstance(found, _Pairs):
            raise ListError("not_object", line=number)
        headings = [name for name, _ in found.pairs]
        if len(set(headings)) != len(headings):
            raise ListError("doubled", line=number)
        try:
            columns = columns_of(profile, headings)
        except ListError as refusal:
            refusal.line = number
            raise
        if columns is None:
            lack = lacking(profile, headings)[1]
            lack.line = number
            raise lack
        fields = []
        for name, value in found.pairs:
            if not (value is None or isinstance(value, str)):
                column = values.harmless(name[:64])
                raise ListError("not_text", line=number, column=column)
            fields.append(value or "")
        if any(len(one) > MAX_FIELD_CHARS for one in fields):
            raise ListError("not_text", line=number)
        yield columns.read(fields, number)


class _Pairs:
    """An object with every field it was written with, also those written twice."""

    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _constant(name: str) -> Any:
    raise ValueError(name)


#: Numbers stay as they were written: 0.1 is ten fen and not a little more.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_Pairs, parse_float=str, parse_int=str, parse_constant=_constant
)


def _each(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        text = line.strip("\ufeff" + _SPACE)
        if not text:
            continue
        try:
            found, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            raise ListError("json", line=number) from None
        if text[end:].strip(_SPACE):
            raise ListError("json", line=number)
        yield number, found


def _array(lines: Iterator[str]) -> Iterator[tuple[int, Any]]:
    """The elements of one array, read piece by piece; each with the line it begins in."""
    text = _Text(lines)
    text.expect("[")
    if text.peek() == "]":
        text.expect("]")
    else:
        while True:
            text.peek()
            number = text.number
            yield number, text.value()
            if text.peek() == "]":
                text.expect("]")
                break
            text.expect(",")
    if text.peek():
        raise ListError("json", line=text.number)


class _Text:
    """A window of the text that moves on as it is read."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._text, self._at = "", 0
        self.number = 1

    def peek(self) -> str:
        """The next character that is not space; "" at the end."""
        while True:
            match = _NOT_SPACE.search(self._text, self._at)
            self._pass(match.start() if match else len(self._text))
            if match:
                return match[0]
            if not self._more():
                return ""

    def expect(self, mark: str) -> None:
        if self.peek() != mark:
            raise ListError("json", line=self.number)
        self._pass(self._at + 1)

    def value(self) -> Any:
        more = 1
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except (ValueError, RecursionError):
                # Not whole yet, perhaps: more lines may complete it, each time twice as many.
                if len(self._text) - self._at > _OBJECT_CHARS or not self._more(more):
                    raise ListError("json", line=self.number) from None
                more *= 2
                continue
            self._pass(end)
            return found

    def _more(self, count: int = 1) -> bool:
        told = "".join(islice(self._lines, count))
        self._text = self._text[self._at :] + told
        self._at = 0
        return bool(told)

    def _pass(self, end: int) -> None:
        self.number += self._text.count("\n", self._at, end)
        self._at = end
