"""What the FULL status of a Custom printer means: DLE EOT 20, six bytes `10 0F p u r e`.

Decides where the frame is among other bytes and what its bits say. The four status bytes may hold
any value, so a frame is known by its two leading bytes alone and is only looked for where it was
asked for. Which error a bit of the last byte names differs by model: any of them is one that does
not recover by itself, and the byte is kept for the vendor. Pure.

Sources: Custom TG02H, KPM150H, KPM210/216.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from agent.record import dataclass
from agent.watch.drivers.escpos import Verdict

QUERY = b"\x10\x04\x14"
LEAD = b"\x10\x0f"
FRAME_BYTES = 6
_FLOW = b"\x11\x13"


class Sign(StrEnum):
    """What one bit says. Spooling, the motor and the ticket in the mouth are everyday."""

    NO_PAPER = "no_paper"
    PAPER_LOW = "paper_low"
    TICKET_OUT = "ticket_out"
    VIRTUAL_END = "virtual_end"  #: the counted length is used up; a setting, not a sensor
    NOTCH = "notch"
    HEAD_UP = "head_up"
    COVER_OPEN = "cover_open"
    SPOOLING = "spooling"
    MOTOR_ON = "motor_on"
    LINE_FEED_KEY = "line_feed_key"
    FORM_FEED_KEY = "form_feed_key"
    HEAD_TEMPERATURE = "head_temperature"
    COMMUNICATION = "communication"
    POWER_SUPPLY = "power_supply"
    UNRECOVERABLE = "unrecoverable"


#: Place in the frame -> (mask, sign).
BITS: Mapping[int, tuple[tuple[int, Sign], ...]] = MappingProxyType(
    {
        2: (
            (0x01, Sign.NO_PAPER),
            (0x04, Sign.PAPER_LOW),
            (0x20, Sign.TICKET_OUT),
            (0x40, Sign.VIRTUAL_END),
            (0x80, Sign.NOTCH),
        ),
        3: (
            (0x01, Sign.HEAD_UP),
            (0x02, Sign.COVER_OPEN),
            (0x04, Sign.SPOOLING),
            (0x08, Sign.MOTOR_ON),
            (0x20, Sign.LINE_FEED_KEY),
            (0x40, Sign.FORM_FEED_KEY),
        ),
        4: (
            (0x01, Sign.HEAD_TEMPERATURE),
            (0x02, Sign.COMMUNICATION),
            (0x08, Sign.POWER_SUPPLY),
        ),
        5: ((0xFF, Sign.UNRECOVERABLE),),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FullStatus:
    """The frame's meaning in the printer watcher's words. None: cannot be told now."""

    paper: Literal["ok", "low", "out"] | None
    cover_open: bool
    overheated: bool
    low_voltage: bool
    hardware_fault: bool
    fault_kind: Literal["", "unrecoverable"]
    feed_button: bool


def signs(frame: bytes) -> frozenset[Sign] | None:
    """Every bit that is set, by name; None if this is no FULL status frame."""
    if len(frame) != FRAME_BYTES or not frame.startswith(LEAD):
        return None
    return frozenset(sign for at, bits in BITS.items() for mask, sign in bits if frame[at] & mask)


def state_of(found: frozenset[Sign]) -> FullStatus:
    """What the signs of one frame come to."""
    cover = bool(found & {Sign.COVER_OPEN, Sign.HEAD_UP})
    paper: Literal["ok", "low", "out"] | None = "ok"
    if cover:
        paper = None  # the sensor moves with the cover
    elif Sign.NO_PAPER in found:
        paper = "out"
    elif found & {Sign.PAPER_LOW, Sign.VIRTUAL_END}:
        paper = "low"
    broken = Sign.UNRECOVERABLE in found
    return FullStatus(
        paper=paper,
        cover_open=cover,
        overheated=Sign.HEAD_TEMPERATURE in found,
        low_voltage=Sign.POWER_SUPPLY in found,
        hardware_fault=broken,
        fault_kind="unrecoverable" if broken else "",
        feed_button=bool(found & {Sign.LINE_FEED_KEY, Sign.FORM_FEED_KEY}),
    )


def frame_in(received: bytes) -> tuple[bytes | None, bytes]:
    """(the one frame among the bytes, if it is whole; bytes that belong to no frame).

    Flow control before and after it is stepped over; inside, every byte is status.
    """
    at = received.find(LEAD)
    if at < 0:
        stray = received[:-1] if received.endswith(LEAD[:1]) else received
        return None, _without_flow(stray)
    stray = _without_flow(received[:at] + received[at + FRAME_BYTES :])
    frame = received[at : at + FRAME_BYTES]
    return (frame if len(frame) == FRAME_BYTES else None), stray


def judge(received: bytes) -> tuple[Verdict, bytes]:
    """Whether `received`, everything since one query, answers it; the frame if so."""
    frame, stray = frame_in(received)
    if stray:
        # Our own question may be on its way back: that has a name of its own.
        return (Verdict.WAITING if received in QUERY else Verdict.NONSENSE), b""
    return (Verdict.ANSWERED, frame) if frame is not None else (Verdict.WAITING, b"")


def _without_flow(received: bytes) -> bytes:
    return received.translate(None, _FLOW)
