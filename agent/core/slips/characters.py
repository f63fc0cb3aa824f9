"""Which characters a receipt printer can be trusted with, and how wide each comes out.

A Chinese printer draws ASCII one column wide and everything else two; quotes, dashes and accented
letters are two columns there and one on a screen. So that a slip is aligned on paper, on a screen
and as an image alike, only characters whose width all three agree on are let through: ASCII, and
the wide characters of GBK. The rest becomes what looks like it, or a mark that shows that
something is missing. Knows no bytes of a printer. Called by the layout.
"""

from __future__ import annotations

import unicodedata

from agent.core.columns import clean, columns_of

#: Stands for a wide character no printer has (U+3013, which printers do have) …
MISSING_WIDE = "〓"
#: … and for a narrow one.
MISSING = "?"
_ALIKE = str.maketrans(
    {
        "…": "...",
        "–": "-",
        "—": "-",
        "‐": "-",
        "−": "-",
        "·": "-",
        "•": "-",
        "“": '"',
        "”": '"',
        "‘": "'",
        "’": "'",
        "→": "->",
        "≤": "<=",
        "≥": ">=",
        "×": "x",
        "°": "",
        "¥": "￥",
        "€": "EUR",
        "£": "GBP",
    }
)


def on_paper(text: str) -> str:
    """`text` in characters every receipt printer, screen and image draws equally wide."""
    if text.isascii():
        return clean(text)
    folded = unicodedata.normalize("NFC", text).translate(_ALIKE)
    return "".join(map(_one, clean(folded)))


def _one(char: str) -> str:
    if char.isascii():
        return char
    if columns_of(char) == 0:
        return ""
    if columns_of(char) == 2:
        return char if _in_gbk(char) else MISSING_WIDE
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    return clean(plain) or MISSING


def _in_gbk(char: str) -> bool:
    try:
        return len(char.encode("gbk")) == 2
    except UnicodeEncodeError:
        return False
