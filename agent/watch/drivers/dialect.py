"""Which language a printer speaks, from what it says of itself or from how it answers.

Decides only on evidence that fits one dialect: an IEEE-1284 id that names it, or an answer in its
form. "" means not known. A Star header and an ESC/POS GS r byte look alike, so nothing shorter than
a whole frame counts for Star. Pure; the printer watcher asks it while `[printer] dialect` is auto.
"""

from __future__ import annotations

from typing import Literal

from agent.watch.drivers import custom, escpos, star
from agent.watch.drivers.ieee1284 import DeviceId

Dialect = Literal["", "escpos", "star", "custom"]

_BY_COMMANDS: tuple[tuple[str, Dialect], ...] = (
    ("STAR", "star"),
    ("ESC/POS", "escpos"),
    ("ESCPOS", "escpos"),
    ("EPSON", "escpos"),
    ("ESC", "escpos"),
)


def from_device_id(told: DeviceId) -> Dialect:
    """By the languages it lists, else by a maker that has one of its own."""
    languages = [language.upper() for language in told.commands]
    for word, dialect in _BY_COMMANDS:
        if any(language.startswith(word) for language in languages):
            return dialect
    maker = told.maker.upper()
    if maker.startswith("STAR"):
        return "star"
    return "custom" if maker.startswith("CUSTOM") else ""


def from_answer(received: bytes) -> Dialect:
    """By the form of what came back; "" where it fits none, or more than one."""
    frame, stray = custom.frame_in(received)
    if frame is None and custom.LEAD in received:
        return ""  # half a FULL status, or a whole automatic one
    fits: list[Dialect] = []
    if frame is not None and not stray:
        fits.append("custom")
    frames, lost, rest = star.split(received)
    if frames and not lost and not rest:
        fits.append("star")
    pieces, unfinished = escpos.split(received)
    kinds = {piece.kind for piece in pieces} - {escpos.PieceKind.FLOW}
    if (
        not unfinished
        and kinds
        and kinds
        <= {
            escpos.PieceKind.STATUS,
            escpos.PieceKind.AUTO_STATUS,
            escpos.PieceKind.BLOCK,
        }
    ):
        fits.append("escpos")
    return fits[0] if len(fits) == 1 else ""


def is_stars_word(received: bytes) -> bool:
    """Whether this can be a Star printer's answer to EOT: one byte `xxx1xxx0`.

    Every ESC/POS status byte has that form too, so the bits prove nothing; when it came has to.
    """
    return len(received) == 1 and received[0] & 0x11 == 0x10


def may_be_star(received: bytes) -> bool:
    """Whether this looks like a Star printer's: a frame, or words for EOT no ESC/POS printer has.

    A hint for people. Noise looks like it, too, so nothing is sent for it.
    """
    if star.split(received)[0]:
        return True
    words = [byte for byte in received if byte & 0x11 == 0x10 and not escpos.is_status(byte)]
    return bool(received) and len(words) == len(received)
