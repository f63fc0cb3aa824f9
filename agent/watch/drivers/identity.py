"""Who an ESC/POS printer says it is: GS I, texts first, then single bytes.

Decides how the questions are spelt and what of an answer is a name; refuses to guess a model from
a number. GS I waits in the printer's buffer behind whatever is being printed, so it is asked once
a connection and only while the printer is on-line (`agent.watch.printer.identity`). Pure.

Sources: Epson TM-J2000 and Bixolon SRP-F312 (GS I 65 to 69: `5F text 00`; 1 to 3: one byte).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.watch.drivers.escpos import PieceKind, split

#: What is asked for in words, in the order asked.
TEXTS: Mapping[str, int] = MappingProxyType(
    {"firmware": 65, "maker": 66, "model": 67, "serial": 68, "font": 69}
)
#: What older printers answer instead, as one byte.
NUMBERS: Mapping[str, int] = MappingProxyType({"model_id": 1, "type_id": 2, "feature_id": 3})
TEXT_MAX = 64


def query(name: str) -> bytes:
    """GS I n for one of TEXTS or NUMBERS. Anything else is refused (KeyError)."""
    return bytes((0x1D, 0x49, {**TEXTS, **NUMBERS}[name]))


def text_in(received: bytes) -> str | None:
    """The first `5F text 00` among the bytes; None while there is none.

    The text as ASCII, with what no name holds taken out: it ends up on screens and in messages.
    """
    for piece in split(received)[0]:
        if piece.kind is PieceKind.BLOCK:
            return clean(piece.raw[1:-1])
    return None


def number_in(received: bytes) -> int | None:
    """The answer to one of NUMBERS: exactly one plain byte (`0xx0xxxx`), and no text begun."""
    pieces, rest = split(received)
    told = [piece for piece in pieces if piece.kind not in {PieceKind.FLOW, PieceKind.AUTO_STATUS}]
    if rest or len(told) != 1 or told[0].kind is not PieceKind.PLAIN:
        return None
    return told[0].raw[0]


def clean(raw: bytes) -> str:
    """Printable ASCII of what a device says of itself, without blanks around it, bounded."""
    return "".join(chr(byte) for byte in raw if 0x20 <= byte < 0x7F).strip()[:TEXT_MAX]
