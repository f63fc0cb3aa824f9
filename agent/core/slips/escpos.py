"""A slip as the bytes of an ESC/POS printer. Pure: opens nothing, sends nothing.

Decides which commands are ever used on somebody else's printer. Never ESC @ (it throws away what
the payment app has set), never ESC t 255 (it means four things on four printers), never anything
real-time. What is changed is put back: emphasis off, left aligned. Chinese is GB18030; FS & makes
sure that Chinese mode is on, and FS . is sent only to a printer that is configured to stay in
ASCII mode, because most Chinese ones are in Chinese mode from power-on and the next receipt counts
on it. A QR code is drawn by the printer, or sent as an image where it cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from agent.core.columns import clean
from agent.core.slips.layout import Code, Line, Row, spelt
from agent.record import dataclass

#: Dots across the paper.
DOTS = {32: 384, 48: 576}
CHINESE_ON, CHINESE_OFF = b"\x1c\x26", b"\x1c\x2e"
_STRONG_ON, _STRONG_OFF = b"\x1b\x45\x01", b"\x1b\x45\x00"
_LEFT, _CENTRE = b"\x1b\x61\x00", b"\x1b\x61\x01"
#: Feeds to the cutter first (GS V 66 0), so the last line is not cut through.
_CUT = b"\x1d\x56\x42\x00"
#: Lines fed where nothing is cut, so that the last one can be torn off.
_TEAR = b"\n\n\n"
#: Largest module of a QR code the printer draws, in dots.
MODULE = 6
#: Models of printers disagree above this; a verdict is far below.
QR_MAX_BYTES = 700

#: A QR code as rows of modules, without its quiet zone.
Matrix = Sequence[Sequence[bool]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What this printer is and wants."""

    columns: int = 32
    cut: bool = False
    reset: bool = False  #: ESC @ before: only where the vendor says that nobody minds
    ascii_mode: bool = False  #: it is in ASCII mode between receipts: put it back there


def encode(
    rows: Sequence[Row], profile: Profile, matrix_of: Callable[[bytes], Matrix | None] | None = None
) -> bytes:
    """All of it. `matrix_of`: QR codes as images; without: the printer draws them."""
    return b"".join(_parts(rows, profile, matrix_of))


def _parts(
    rows: Sequence[Row], profile: Profile, matrix_of: Callable[[bytes], Matrix | None] | None
) -> Iterator[bytes]:
    if profile.reset:
        yield b"\x1b\x40"
    yield CHINESE_ON + _LEFT + _STRONG_OFF
    for row in rows:
        if isinstance(row, Line):
            told = _text(row.text)
            yield _STRONG_ON + told + _STRONG_OFF + b"\n" if row.strong and told else told + b"\n"
        else:
            yield from _code(row.data, profile, matrix_of)
    yield _CUT if profile.cut else _TEAR
    if profile.ascii_mode:
        yield CHINESE_OFF


def _text(text: str) -> bytes:
    return clean(text).encode("gb18030", "replace")


def _code(
    data: bytes, profile: Profile, matrix_of: Callable[[bytes], Matrix | None] | None
) -> Iterator[bytes]:
    if matrix_of is None:
        # Control characters could be taken for commands by a printer that does not know GS ( k.
        if len(data) <= QR_MAX_BYTES and all(32 <= byte < 127 for byte in data):
            yield _CENTRE + _drawn(data) + _LEFT
            return
        matrix = None
    else:
        matrix = matrix_of(data)
    if matrix is None:
        for text in spelt(Code(data), profile.columns):
            yield _text(text) + b"\n"
        return
    yield _raster(matrix, DOTS.get(profile.columns, 384))


def _drawn(data: bytes) -> bytes:
    """GS ( k: model 2, size of a module, error correction M, store, print."""

    def function(number: int, *arguments: int) -> bytes:
        body = bytes((0x31, number, *arguments))
        return b"\x1d\x28\x6b" + len(body).to_bytes(2, "little") + body

    module = MODULE if len(data) <= 100 else MODULE - 2
    return b"".join(
        (
            function(0x41, 0x32, 0),
            function(0x43, module),
            function(0x45, 0x31),
            function(0x50, 0x30, *data),
            function(0x51, 0x30),
        )
    )


def _raster(matrix: Matrix, dots: int) -> bytes:
    """GS v 0, centred. A module is 4 or 8 dots wide and begins on such a border.

    So the image holds no bytes but 00, 0F, F0 and FF, and never those of a real-time command, which
    a printer obeys even inside an image.
    """
    modules = len(matrix)
    scale = 8 if (modules + 8) * 8 <= dots else 4
    left = max(0, (dots - modules * scale) // 2 // scale)
    wide = (left + modules) * scale
    wide_bytes = -(-wide // 8)
    image = bytearray()
    for row in matrix:
        bits = "".join(("1" if dark else "0") * scale for dark in row)
        bits = ("0" * left * scale + bits).ljust(wide_bytes * 8, "0")
        image += int(bits, 2).to_bytes(wide_bytes, "big") * scale
    head = b"\x1d\x76\x30\x00" + wide_bytes.to_bytes(2, "little")
    return head + (modules * scale).to_bytes(2, "little") + bytes(image) + b"\n"
