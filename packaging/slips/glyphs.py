"""Cuts the glyphs a slip needs out of GNU Unifont: `python packaging/slips/glyphs.py UNIFONT.otf`.

Writes agent/offloaded/glyphs.bin: zlib over the number of wide glyphs (u16, big-endian), ASCII from
space to tilde as 16 rows of one byte, then every wide glyph as its code point (u16) and 16 rows of
two bytes. Unifont draws on a grid of 16, so at that size nothing is smoothed or lost.
"""

from __future__ import annotations

import sys
import unicodedata
import zlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

SIZE = 16


def wide() -> list[str]:
    """GB2312 as far as it is wide everywhere, full-width forms, and what slips add."""
    found = {"〓", "￥"}
    for first in range(0xA1, 0xF8):
        for second in range(0xA1, 0xFF):
            try:
                char = bytes((first, second)).decode("gb2312")
            except UnicodeDecodeError:
                continue
            if unicodedata.east_asian_width(char) in "WF":
                found.add(char)
    return sorted(found)


def bitmap(font: ImageFont.FreeTypeFont, char: str, columns: int) -> bytes:
    """16 rows, most significant bit left."""
    image = Image.new("1", (8 * columns, SIZE))
    ImageDraw.Draw(image).text((0, 0), char, fill=1, font=font)
    return image.tobytes()


def main() -> None:
    font = ImageFont.truetype(sys.argv[1], SIZE)
    chars = wide()
    body = len(chars).to_bytes(2, "big")
    body += b"".join(bitmap(font, chr(code), 1) for code in range(32, 127))
    body += b"".join(ord(char).to_bytes(2, "big") + bitmap(font, char, 2) for char in chars)
    packed = zlib.compress(body, 9)
    Path("agent/offloaded/glyphs.bin").write_bytes(packed)
    print(f"{len(chars)} wide glyphs, {len(packed)} bytes")


if __name__ == "__main__":
    main()
