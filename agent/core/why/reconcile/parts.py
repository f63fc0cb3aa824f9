"""Payments a list settles as it should: many, all alike, and seldom asked for one by one.

They are kept some hundred in a part, column by column and compressed; what somebody must act on is
kept one by one. Called by the program that reads lists and by the store.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

#: Findings in one part: some 60 KB before it is compressed.
SIZE = 400
#: Where a finding (`judging.Finding`) has the payment's number.
SEQ = 2
_SPOILT = (ValueError, TypeError, zlib.error)

Row = tuple[Any, ...]


class Part(NamedTuple):
    """Some hundred of them, in the journal's order."""

    first_seq: int
    last_seq: int
    size: int
    body: bytes


def packed(found: Sequence[Sequence[Any]]) -> bytes:
    """Findings of payments that are matched, without the word that says so."""
    columns = list(zip(*(one[1:] for one in found), strict=True))
    text = json.dumps(columns, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), 1)


def unpacked(body: bytes) -> list[Row]:
    """Findings again; none where flash left something else: the list can be read again."""
    try:
        columns = json.loads(zlib.decompress(body))
        return [("matched", *row) for row in zip(*columns, strict=True)]
    except _SPOILT:
        return []
