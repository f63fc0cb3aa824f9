"""What the automatic status of a Star printer means.

Decides where a frame begins and ends among other bytes, and which faults it names, in the words of
`escpos` so that one state is made of either; refuses a frame whose header and length disagree.
Star printers know no DLE EOT: they are asked with ESC ACK SOH, which like it is answered at once.
Pure.

Sources: Star TSP600 and line-mode manuals, SRP-275 in Star mode. Header byte 1 holds the frame's
length, header byte 2 the status version, both packed into bits 5, 3, 2 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from agent.record import dataclass
from agent.watch.drivers.escpos import Fault, Verdict

#: ESC ACK SOH: send the status now.
QUERY = b"\x1b\x06\x01"
#: Header, version and the four bytes whose bits are known.
SHORTEST = 6
#: The first version that is StarPRNT rather than line mode.
STARPRNT_FROM = 4

#: Place in the frame (from 0) -> (mask, fault). Byte 6 (presenter position) and those after the
#: job counter are not decoded: their tables differ by model.
BITS: Mapping[int, tuple[tuple[int, Fault], ...]] = MappingProxyType(
    {
        2: (
            (0x08, Fault.OFFLINE),
            (0x20, Fault.COVER_OPEN),
            (0x40, Fault.SWITCHED_OFF_LINE),
        ),
        3: (
            (0x04, Fault.MECHANICAL),
            (0x08, Fault.CUTTER),
            (0x20, Fault.UNRECOVERABLE),
            (0x40, Fault.RECOVERABLE),
        ),
        4: (
            (0x02, Fault.HEAD_UP),
            (0x04, Fault.PAPER_JAM),
            (0x08, Fault.BLACK_MARK),
            (0x20, Fault.COMMAND_ERROR),
            (0x40, Fault.OVERFLOW),
        ),
        5: ((0x04, Fault.PAPER_LOW), (0x08, Fault.PAPER_OUT)),
    }
)
#: Said about what was sent, not about the printer's health.
_ABOUT_DATA = frozenset({Fault.COMMAND_ERROR, Fault.OVERFLOW})


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One frame: fine, or these faults, or not understood (`unknown` says why)."""

    ok: bool
    faults: frozenset[Fault] = frozenset()
    unknown: str = ""
    version: int = 0
    jobs: int | None = None  #: counts ETB, 0 to 31: proof that a job was printed
    drawer_switch: bool | None = None


def decode(frame: bytes) -> Decoded:
    """What one whole frame says."""
    if not _is_frame(frame):
        return Decoded(ok=False, unknown=f"{frame[:16].hex(' ')} is not a Star status frame")
    faults = frozenset(
        fault for at, bits in BITS.items() for mask, fault in bits if frame[at] & mask
    )
    return Decoded(
        ok=not faults - _ABOUT_DATA,
        faults=faults,
        version=_packed(frame[1]),
        jobs=_jobs(frame[7]) if len(frame) > 7 else None,
        drawer_switch=bool(frame[2] & 0x04),
    )


def split(received: bytes) -> tuple[list[bytes], bytes, bytes]:
    """(whole frames, bytes that belong to none, an unfinished frame at the end)."""
    frames: list[bytes] = []
    stray = bytearray()
    at = 0
    while at < len(received):
        length = _packed(received[at]) if _is_header(received[at]) else 0
        if length < SHORTEST:
            stray.append(received[at])
            at += 1
            continue
        frame = received[at : at + length]
        if not all(map(_is_follower, frame[1:])):
            stray.append(received[at])
            at += 1
        elif len(frame) < length:
            return frames, bytes(stray), frame
        else:
            frames.append(frame)
            at += length
    return frames, bytes(stray), b""


def judge(received: bytes) -> tuple[Verdict, bytes]:
    """Whether `received`, everything since one query, answers it; the frame if so.

    Several frames: automatic status crossed the answer, and the last one is the newest.
    """
    frames, stray, rest = split(received)
    if stray:
        # Our own question may be on its way back: that has a name of its own.
        return (Verdict.WAITING if received in QUERY else Verdict.NONSENSE), b""
    return (Verdict.ANSWERED, frames[-1]) if frames and not rest else (Verdict.WAITING, b"")


def _is_frame(frame: bytes) -> bool:
    return (
        len(frame) >= SHORTEST
        and _is_header(frame[0])
        and _packed(frame[0]) == len(frame)
        and all(map(_is_follower, frame[1:]))
    )


def _is_header(byte: int) -> bool:
    return byte & 0x91 == 0x01


def _is_follower(byte: int) -> bool:
    return byte & 0x91 == 0x00


def _packed(byte: int) -> int:
    """Bits 5, 3, 2, 1 as one number."""
    return byte >> 2 & 0x08 | byte >> 1 & 0x07


def _jobs(byte: int) -> int:
    """Bits 6, 5, 3, 2, 1 as one number."""
    return byte >> 2 & 0x18 | byte >> 1 & 0x07
