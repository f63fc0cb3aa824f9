"""Draws a slip as an image, as thermal paper would show it, and QR codes as dots.

In: one JSON object: `form` (`png` or `matrix`), `columns` and `rows` (`["line", text, strong]`,
`["code", data]`), laid out already, so that it breaks its lines where text and printer do. Out: one
line: base64 of the PNG, or JSON with a matrix for each code; or `{"missing": NAME}` where the
`slips` extra is not installed. Glyphs are GNU Unifont's (glyphs.LICENSE), 12 by 24 dots as on a
printer; a character without a glyph is an empty box. It reads one file, its own `glyphs.bin`.
"""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources
from typing import Any

from agent.core.columns import columns_of
from agent.core.slips.escpos import DOTS

#: A printer's font A: 12 dots a column, 24 high, and some air between lines.
COLUMN, HEIGHT, PITCH = 12, 24, 30
MARGIN = 16
#: What a code may take of the paper's width, and how much white is around it.
QUIET, CODE_SHARE = 4, 0.72
GLYPH = 16


def answer(lines: Iterable[bytes]) -> Iterator[bytes]:
    """One answer a request."""
    for line in lines:
        told = json.loads(line)
        try:
            if told["form"] == "png":
                yield base64.b64encode(png(told["rows"], told["columns"]))
            else:
                yield json.dumps([matrix(data.encode()) for kind, data, *_ in told["rows"]
                                  if kind == "code"]).encode()  # fmt: skip
        except ModuleNotFoundError as error:
            yield json.dumps({"missing": error.name}).encode()


def matrix(data: bytes) -> list[list[bool]]:
    """The modules of a code, without its quiet zone."""
    import segno

    # The same level as the printer's own, so both can be read through the same scratches.
    code = segno.make(data.decode("utf-8", "replace"), error="m", micro=False, boost_error=False)
    return [[bool(module) for module in row] for row in code.matrix]


def png(rows: list[list[Any]], columns: int) -> bytes:
    """The whole slip in black and white."""
    from PIL import Image

    dots = DOTS[columns]
    canvas = Canvas(dots)
    for kind, told, *strong in rows:
        if kind == "code":
            canvas.code(matrix(told.encode()))
        else:
            canvas.line(told, bool(strong and strong[0]))
    image = Image.frombytes("1", (canvas.wide, canvas.high), canvas.packed())
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


class Canvas:
    """Dots, row by row; a row is one integer, its most significant bit left, 1 is black."""

    def __init__(self, dots: int) -> None:
        self.wide = dots + 2 * MARGIN
        self._rows: list[int] = [0] * MARGIN

    @property
    def high(self) -> int:
        return len(self._rows) + MARGIN

    def line(self, text: str, strong: bool) -> None:
        """A line of text; strong is struck twice, a dot apart, as printers do."""
        band = [0] * PITCH
        top, column = (PITCH - HEIGHT) // 2, 0
        for char in text:
            columns = columns_of(char)
            for place, bits in enumerate(_scaled(char, columns)):
                shift = self.wide - MARGIN - (column + columns) * COLUMN
                if shift >= 0:
                    band[top + place] |= (bits | bits >> 1 if strong else bits) << shift
            column += columns
        self._rows += band

    def code(self, modules: list[list[bool]]) -> None:
        """A QR code, centred."""
        count = len(modules) + 2 * QUIET
        inner = self.wide - 2 * MARGIN
        scale = max(2, int(inner * CODE_SHARE) // count)
        left = (self.wide - count * scale) // 2
        self._rows += [0] * (QUIET * scale)
        for modules_row in modules:
            bits = 0
            for place, dark in enumerate(modules_row):
                if dark:
                    at = left + (place + QUIET) * scale
                    bits |= ((1 << scale) - 1) << (self.wide - at - scale)
            self._rows += [bits] * scale
        self._rows += [0] * (QUIET * scale)

    def packed(self) -> bytes:
        """As the image wants it: 1 is white, each row padded to whole bytes."""
        padding = -self.wide % 8
        white = (1 << self.wide) - 1
        rows = [*self._rows, *[0] * MARGIN]
        return b"".join(
            ((row ^ white) << padding).to_bytes((self.wide + padding) // 8, "big") for row in rows
        )


@cache
def _glyphs() -> dict[str, tuple[int, ...]]:
    """Sixteen rows of every glyph there is."""
    body = zlib.decompress(resources.files("agent.offloaded").joinpath("glyphs.bin").read_bytes())
    found: dict[str, tuple[int, ...]] = {}
    at = 2
    for code in range(32, 127):
        found[chr(code)] = tuple(body[at : at + GLYPH])
        at += GLYPH
    for _ in range(int.from_bytes(body[:2], "big")):
        char = chr(int.from_bytes(body[at : at + 2], "big"))
        rows = body[at + 2 : at + 2 + 2 * GLYPH]
        found[char] = tuple(
            int.from_bytes(rows[place : place + 2], "big") for place in range(0, 2 * GLYPH, 2)
        )
        at += 2 + 2 * GLYPH
    return found


@cache
def _scaled(char: str, columns: int) -> tuple[int, ...]:
    """A glyph on the printer's grid: every two dots become three."""
    if columns == 0:
        return ()
    wide = 8 * columns
    rows = _glyphs().get(char) or _box(wide)
    bits = [[row >> (wide - 1 - place) & 1 for place in range(wide)] for row in rows]
    tall = [bits[place * GLYPH // HEIGHT] for place in range(HEIGHT)]
    scaled = []
    for row in tall:
        value = 0
        for place in range(columns * COLUMN):
            value = value << 1 | row[place * wide // (columns * COLUMN)]
        scaled.append(value)
    return tuple(scaled)


def _box(wide: int) -> tuple[int, ...]:
    edge = (1 << wide - 2) - 1 << 1
    side = 1 << wide - 2 | 2
    return (0, edge, *[side] * (GLYPH - 4), edge, 0)
