"""What the bytes of an ESC/POS printer mean.

Decides which faults a status byte names, what the printer's state is when all faults are taken
together, and which of the bytes on a line are status at all. Pure: it knows bytes, not ports or
time, and refuses to turn a byte it does not recognise into a fault. The printer watcher asks it
after every exchange; whoever passes on automatic status (ASB) frames asks it too. The other
dialects (`star`) name the same faults, so that one state is made of them here.

Sources: Epson TM-T88III, TM-L60II, TM-U220 and Citizen CT-S310 status tables; the differences
between makers are noted beside the bits they concern.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from agent.record import dataclass

#: The four real-time status queries every Epson-style printer answers, in the order asked.
QUERIES = (1, 2, 3, 4)
#: Level of the cash-drawer connector, in n=1 and in the first ASB byte: no fault either way.
DRAWER_BIT = 0x04
#: The reply to any of the queries where nothing is wrong and the drawer's level is low.
ALL_WELL = 0x12
#: The longest GS I text block: longer than any maker's name, short enough to give up early.
BLOCK_MAX_BYTES = 80
#: Half an automatic frame, its beginning lost to a drain, leaves up to three plain bytes.
PLAIN_BYTES_TOLERATED = 3

_DLE, _XON, _XOFF, _BLOCK_START, _BLOCK_END = 0x10, 0x11, 0x13, 0x5F, 0x00


def query(n: int) -> bytes:
    """DLE EOT n. Anything but 1-4 is refused: the rest changes receipts or differs by maker."""
    if n not in QUERIES:
        raise ValueError(f"DLE EOT {n} is not one of the queries that disturb nothing")
    return bytes((_DLE, 0x04, n))


def telling(answers: Mapping[int, int]) -> int:
    """The n whose answer, asked right after n=1, differs from what a late line would hand back.

    On a line one query late the answer to n=2 was the printer's to n=1, and that is what comes back
    again after n=1, whatever is asked. So a question that was answered otherwise tells the two
    apart. 1 where there is none: then, late or not, n=2 to n=4 mean the same, and only the
    drawer's level is in doubt.
    """
    late = answers[2]
    if (answers[1] ^ late) & ~DRAWER_BIT:
        return 1
    return next((n for n in (3, 4) if answers[n] != late), 1)


class Fault(StrEnum):
    """What one status bit says is not normal."""

    OFFLINE = "offline"
    WAITING_RECOVERY = "waiting_recovery"
    FEED_BUTTON = "feed_button"
    COVER_OPEN = "cover_open"
    FEEDING = "feeding"
    PAPER_STOP = "paper_stop"  #: printing stopped by paper end
    ERROR = "error"  #: some error occurred; n=3 names it
    MECHANICAL_OR_BLACK_MARK = "mechanical_or_black_mark"
    CUTTER = "cutter"
    UNRECOVERABLE = "unrecoverable"
    RECOVERABLE = "recoverable"  #: recovers by itself: head temperature
    PAPER_LOW = "paper_low"
    PAPER_OUT = "paper_out"
    PAPER_UNSURE = "paper_unsure"  #: one bit of a sensor that always sets both
    MECHANICAL = "mechanical"  #: Star: mechanical error, nothing else
    BLACK_MARK = "black_mark"
    HEAD_UP = "head_up"
    PAPER_JAM = "paper_jam"
    COMMAND_ERROR = "command_error"
    OVERFLOW = "overflow"  #: more was sent than the printer could take
    SWITCHED_OFF_LINE = "switched_off_line"


class Sensor(StrEnum):
    """How the paper sensors are wired, which decides what one bit of a pair means."""

    AUTO = "auto"  #: any bit of a pair counts
    ONE_BIT = "one_bit"  #: the first bit of the end pair is the end; the second is something else
    TWO_BIT = "two_bit"  #: both or none: one bit alone makes no sense


#: n -> (mask, fault): ANY bit of the mask. Two-bit sensors set both, one-bit sensors either.
#: n=3 bit 2 is a mechanical error at Epson, a black-mark error at Citizen, undefined at some.
#: n=1 bits 5 and 6 are undefined on the oldest models.
STATUS_BITS: Mapping[int, tuple[tuple[int, Fault], ...]] = MappingProxyType(
    {
        1: ((0x08, Fault.OFFLINE), (0x20, Fault.WAITING_RECOVERY), (0x40, Fault.FEED_BUTTON)),
        2: (
            (0x04, Fault.COVER_OPEN),
            (0x08, Fault.FEEDING),
            (0x20, Fault.PAPER_STOP),
            (0x40, Fault.ERROR),
        ),
        3: (
            (0x04, Fault.MECHANICAL_OR_BLACK_MARK),
            (0x08, Fault.CUTTER),
            (0x20, Fault.UNRECOVERABLE),
            (0x40, Fault.RECOVERABLE),
        ),
        4: ((0x0C, Fault.PAPER_LOW), (0x60, Fault.PAPER_OUT)),
    }
)

#: The first bit of each pair of paper bits: the end of the roll where a sensor has one bit only
#: (PPU-231II uses the second for its presenter).
_FIRST_BIT: Mapping[int, int] = MappingProxyType({0x60: 0x20, 0x0C: 0x04})

#: ASB: byte index -> (mask, fault). The paper bits sit elsewhere than in n=4.
ASB_BITS: Mapping[int, tuple[tuple[int, Fault], ...]] = MappingProxyType(
    {
        0: ((0x08, Fault.OFFLINE), (0x20, Fault.COVER_OPEN), (0x40, Fault.FEEDING)),
        1: STATUS_BITS[3],
        2: ((0x03, Fault.PAPER_LOW), (0x0C, Fault.PAPER_OUT)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One status byte or frame: fine, or these faults, or not understood (`unknown` says why)."""

    ok: bool
    faults: frozenset[Fault] = frozenset()
    unknown: str = ""
    drawer_pin_high: bool | None = None  #: None where the byte does not tell


def is_status(byte: int) -> bool:
    """Whether this can be a DLE EOT reply: `0xx1xx10`."""
    return byte & 0x93 == 0x12


def decode(n: int, byte: int, sensor: Sensor = Sensor.AUTO) -> Decoded:
    """What the reply `byte` to DLE EOT `n` says."""
    if n not in STATUS_BITS:
        return Decoded(ok=False, unknown=f"no table for DLE EOT {n}")
    if not is_status(byte):
        return Decoded(ok=False, unknown=f"{byte:02x} is not a status byte (0xx1xx10)")
    faults = _named(byte, STATUS_BITS[n], sensor)
    drawer = bool(byte & DRAWER_BIT) if n == 1 else None
    return Decoded(ok=not faults, faults=faults, drawer_pin_high=drawer)


def decode_asb(frame: bytes, sensor: Sensor = Sensor.AUTO) -> Decoded:
    """What a four-byte automatic status frame says."""
    if len(frame) != 4 or not _starts_asb(frame[0]) or not all(map(_is_plain, frame[1:])):
        return Decoded(ok=False, unknown=f"{frame.hex(' ')} is not an automatic status frame")
    faults = frozenset().union(
        *(_named(frame[index], bits, sensor) for index, bits in ASB_BITS.items())
    )
    return Decoded(ok=not faults, faults=faults, drawer_pin_high=bool(frame[0] & DRAWER_BIT))


def _named(byte: int, bits: tuple[tuple[int, Fault], ...], sensor: Sensor) -> frozenset[Fault]:
    meant = (_meant(byte & mask, mask, fault, sensor) for mask, fault in bits)
    return frozenset(fault for fault in meant if fault is not None)


def _meant(found: int, mask: int, fault: Fault, sensor: Sensor) -> Fault | None:
    if not found:
        return None
    if fault is Fault.PAPER_OUT and sensor is Sensor.ONE_BIT:
        return fault if found & _FIRST_BIT[mask] else None
    if fault in {Fault.PAPER_LOW, Fault.PAPER_OUT} and sensor is Sensor.TWO_BIT and found != mask:
        return Fault.PAPER_UNSURE
    return fault


def plain_paper(byte: int, sensor: Sensor = Sensor.AUTO) -> Decoded:
    """The reply to GS r 1 or ESC v: the paper bits as in the third ASB byte.

    Both are queued like text, so a printer out of paper seldom gets as far as answering them.
    """
    if not _is_plain(byte):
        return Decoded(ok=False, unknown=f"{byte:02x} is not a plain status byte (0xx0xxxx)")
    faults = _named(byte, ASB_BITS[2], sensor)
    return Decoded(ok=not faults, faults=faults)


def plain_drawer(byte: int) -> Decoded:
    """The reply to GS r 2 or ESC u: the level of the drawer connector."""
    if not _is_plain(byte):
        return Decoded(ok=False, unknown=f"{byte:02x} is not a plain status byte (0xx0xxxx)")
    return Decoded(ok=True, drawer_pin_high=bool(byte & 0x01))


Kind = Literal[
    "", "unrecoverable", "mechanical", "black_mark", "mechanical_or_black_mark", "unspecified"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterState:
    """All status bits taken together. None: cannot be told while the cover is open."""

    online: bool
    offline_reason: Literal["", "cover", "paper", "error", "feed", "switch"]
    paper: Literal["ok", "low", "out"] | None
    cover_open: bool
    cutter_fault: bool
    overheated: bool | None
    hardware_fault: bool
    fault_kind: Kind
    feed_button: bool
    waiting_recovery: bool


def state_of(faults: frozenset[Fault]) -> PrinterState:
    """The printer's state from every fault named: the union over n=1-4, or one ASB frame's."""
    offline = Fault.OFFLINE in faults
    cover = bool(faults & {Fault.COVER_OPEN, Fault.HEAD_UP})
    kind = _fault_kind(faults)
    paper = _paper(faults)
    feed = bool(faults & {Fault.FEED_BUTTON, Fault.FEEDING})
    waiting = Fault.WAITING_RECOVERY in faults
    reason: Literal["", "cover", "paper", "error", "feed", "switch"] = ""
    if offline:
        errors = {Fault.ERROR, Fault.CUTTER, Fault.RECOVERABLE, Fault.PAPER_JAM}
        if cover:
            reason = "cover"
        elif paper == "out":
            reason = "paper"
        elif kind or faults & errors:
            reason = "error"
        else:
            # Waiting for recovery ends with a press of FEED, so it is told as "feed".
            switched = Fault.SWITCHED_OFF_LINE in faults
            reason = "feed" if (feed or waiting) and not switched else "switch"
    recoverable = Fault.RECOVERABLE in faults
    return PrinterState(
        online=not offline,
        offline_reason=reason,
        paper=paper,
        cover_open=cover,
        cutter_fault=Fault.CUTTER in faults,
        # SRP-350 and SPRT set this bit for a cover opened while printing, too.
        overheated=None if recoverable and cover else recoverable,
        hardware_fault=bool(kind),
        fault_kind=kind,
        feed_button=feed,
        waiting_recovery=waiting,
    )


def _paper(faults: frozenset[Fault]) -> Literal["ok", "low", "out"] | None:
    if Fault.PAPER_STOP in faults:
        return "out"
    if faults & {Fault.COVER_OPEN, Fault.HEAD_UP}:
        return None  # the roll sensor moves with the cover: n=4 may say anything (TM-T88III)
    if Fault.PAPER_OUT in faults:
        return "out"
    if Fault.PAPER_UNSURE in faults:
        return None
    return "low" if Fault.PAPER_LOW in faults else "ok"


def _fault_kind(faults: frozenset[Fault]) -> Kind:
    if Fault.UNRECOVERABLE in faults:
        return "unrecoverable"
    if Fault.MECHANICAL in faults:
        return "mechanical"
    if Fault.BLACK_MARK in faults:
        return "black_mark"
    # A printer that works and reports no error has this bit undefined, not a fault.
    if Fault.MECHANICAL_OR_BLACK_MARK in faults and faults & {Fault.OFFLINE, Fault.ERROR}:
        return "mechanical_or_black_mark"
    named = {Fault.CUTTER, Fault.RECOVERABLE, Fault.COVER_OPEN}
    if Fault.ERROR in faults and not faults & named:
        return "unspecified"
    return ""


class PieceKind(StrEnum):
    """What a stretch of bytes from a printer is."""

    STATUS = "status"  #: one DLE EOT reply
    AUTO_STATUS = "auto_status"  #: a four-byte ASB frame
    FLOW = "flow"  #: XON or XOFF
    BLOCK = "block"  #: a GS I text: 5F ... 00
    PLAIN = "plain"  #: `0xx0xxxx`: GS r, GS I 1-3, ESC v, ESC u, or half an ASB frame
    STRAY = "stray"  #: nothing a printer sends


@dataclass(frozen=True, slots=True)
class Piece:
    """One reply, as cut out of the stream."""

    kind: PieceKind
    raw: bytes


def split(received: bytes) -> tuple[list[Piece], bytes]:
    """Cut a reply stream into pieces; the second value is an unfinished frame at its end.

    Framed blocks are cut first: letters inside them look like status bytes.
    """
    pieces: list[Piece] = []
    at = 0
    while at < len(received):
        piece, used = _next_piece(received, at)
        if piece is None:
            return pieces, received[at:]
        pieces.extend(piece)
        at += used
    return pieces, b""


def _next_piece(received: bytes, at: int) -> tuple[list[Piece] | None, int]:
    byte = received[at]
    one = received[at : at + 1]
    if byte == _BLOCK_START:
        return _block(received, at)
    if byte in {_XON, _XOFF}:
        return [Piece(PieceKind.FLOW, one)], 1
    if is_status(byte):
        return [Piece(PieceKind.STATUS, one)], 1
    if _starts_asb(byte):
        return _auto_status(received, at)
    return [Piece(PieceKind.PLAIN if _is_plain(byte) else PieceKind.STRAY, one)], 1


def _block(received: bytes, at: int) -> tuple[list[Piece] | None, int]:
    for end in range(at + 1, min(len(received), at + BLOCK_MAX_BYTES + 2)):
        if received[end] == _BLOCK_END:
            return [Piece(PieceKind.BLOCK, received[at : end + 1])], end + 1 - at
        if received[end] < 0x20:
            break  # no text goes on with a control byte
    else:
        if len(received) - at <= BLOCK_MAX_BYTES + 1:
            return None, 0
    return [Piece(PieceKind.STRAY, received[at : at + 1])], 1


def _auto_status(received: bytes, at: int) -> tuple[list[Piece] | None, int]:
    """Four bytes, where flow control may stand between them."""
    frame, flow = bytearray(received[at : at + 1]), []
    for index in range(at + 1, len(received)):
        byte = received[index]
        if byte in {_XON, _XOFF}:
            flow.append(Piece(PieceKind.FLOW, bytes((byte,))))
            continue
        if not _is_plain(byte):
            return [Piece(PieceKind.STRAY, received[at : at + 1])], 1
        frame.append(byte)
        if len(frame) == 4:
            return [Piece(PieceKind.AUTO_STATUS, bytes(frame)), *flow], index + 1 - at
    return None, 0


def automatic_frames(pieces: list[Piece]) -> list[bytes]:
    """The automatic status frames among the pieces, in the order they came."""
    return [piece.raw for piece in pieces if piece.kind is PieceKind.AUTO_STATUS]


def _starts_asb(byte: int) -> bool:
    return byte & 0x93 == 0x10


def _is_plain(byte: int) -> bool:
    return byte & 0x90 == 0x00


class Verdict(StrEnum):
    """What has come back since one query was sent."""

    WAITING = "waiting"  #: nothing that answers it yet
    ANSWERED = "answered"
    EXTRA = "extra"  #: more status bytes than questions: which is whose cannot be told
    NONSENSE = "nonsense"  #: bytes no printer sends


def judge(received: bytes) -> tuple[Verdict, int]:
    """Whether `received`, everything since one query, answers it; the status byte if so, else 0.

    Frames another command may have caused are stepped over; anything else spoils the exchange,
    because one byte in sixteen looks like status by chance.
    """
    pieces, _ = split(received)
    status = [piece.raw[0] for piece in pieces if piece.kind is PieceKind.STATUS]
    plain = sum(piece.kind is PieceKind.PLAIN for piece in pieces)
    if any(piece.kind is PieceKind.STRAY for piece in pieces) or plain > PLAIN_BYTES_TOLERATED:
        return Verdict.NONSENSE, 0
    if len(status) > 1:
        return Verdict.EXTRA, 0
    return (Verdict.ANSWERED, status[0]) if status else (Verdict.WAITING, 0)
