"""Frames on the wire: length, TPDU, header, message. Bytes in, frames out; no sockets.

The TPDU addresses the acquirer's concentrator: one id byte, then destination and source, two bytes
each. An answer comes back with the two swapped; one that does not was meant for somebody else. The
header (UnionPay: six bytes; others: two or none) is sent as configured and only counted on the way
back, because hosts use it to tell the terminal things of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from agent.record import dataclass

#: An ISO 8583 message is below 2 KiB; a length beyond this is a host out of step.
MAX_FRAME_BYTES = 8_192
TPDU_BYTES = 5


class Length(StrEnum):
    """How the length in front is written; it never counts itself."""

    BINARY = "binary"  #: two bytes, big-endian
    BCD = "bcd"  #: four digits packed into two bytes
    ASCII = "ascii"  #: four digits


class TpduCheck(StrEnum):
    """What the TPDU of an answer must be."""

    SWAPPED = "swapped"
    SAME = "same"
    ANY = "any"


class Begins(StrEnum):
    """Where the bytes the payment app hands over begin; what comes before is the profile's."""

    TPDU = "tpdu"
    HEADER = "header"
    MTI = "mti"


class FrameError(Exception):
    """What came is no frame. The text never quotes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How this host's frames are built."""

    length: Length = Length.BINARY
    tpdu: bytes = b""
    tpdu_check: TpduCheck = TpduCheck.SWAPPED
    header: bytes = b""
    begins: Begins = Begins.MTI

    def wrap(self, payload: bytes) -> bytes:
        """The frame that carries a payload; the payload's own bytes are not touched."""
        before = b""
        if self.begins is not Begins.TPDU:
            before = self.tpdu
        if self.begins is Begins.MTI:
            before += self.header
        return self.framed(before + payload)

    def framed(self, body: bytes) -> bytes:
        """`body` with its length in front."""
        size = len(body)
        if size > MAX_FRAME_BYTES:
            raise FrameError(f"{size} bytes do not fit into one frame")
        match self.length:
            case Length.BINARY:
                return size.to_bytes(2, "big") + body
            case Length.BCD:
                return bytes.fromhex(f"{size:04d}") + body
            case _:
                return f"{size:04d}".encode() + body

    def message(self, payload: bytes) -> bytes:
        """The part of a payload from the message type on."""
        skip = 0
        if self.begins is Begins.TPDU:
            skip = len(self.tpdu)
        if self.begins is not Begins.MTI:
            skip += len(self.header)
        return payload[skip:]

    def opened(self, body: bytes) -> tuple[bytes, bool]:
        """The message in a received frame, and whether its TPDU is the one of an answer to us."""
        start = len(self.tpdu) + len(self.header)
        if len(body) <= start:
            raise FrameError(f"a frame of {len(body)} bytes has no message in it")
        return body[start:], self._addressed(body[: len(self.tpdu)])

    def _addressed(self, tpdu: bytes) -> bool:
        ours = self.tpdu
        match self.tpdu_check:
            case TpduCheck.SWAPPED:
                return tpdu == ours[:1] + ours[3:5] + ours[1:3]
            case TpduCheck.SAME:
                return tpdu == ours
            case _:
                return True


class Deframer:
    """Cuts a stream into frames, however it was split or joined on the way."""

    def __init__(self, length: Length) -> None:
        self._length = length
        self._held = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Whole frames, without their length. Raises FrameError when the stream is out of step."""
        self._held += chunk
        while (size := self._size()) is not None:
            prefix = 4 if self._length is Length.ASCII else 2
            if len(self._held) < prefix + size:
                return
            body = bytes(self._held[prefix : prefix + size])
            del self._held[: prefix + size]
            if body:  # a length of 0 is how some concentrators say "still there"
                yield body

    @property
    def partial(self) -> bool:
        """Whether a frame has begun and not ended."""
        return bool(self._held)

    def _size(self) -> int | None:
        prefix = 4 if self._length is Length.ASCII else 2
        if len(self._held) < prefix:
            return None
        raw = bytes(self._held[:prefix])
        if self._length is Length.BINARY:
            size = int.from_bytes(raw, "big")
        else:
            digits = raw.hex() if self._length is Length.BCD else raw.decode("latin-1")
            if not (digits.isascii() and digits.isdecimal()):
                raise FrameError("the length of a frame is not a number")
            size = int(digits)
        if size > MAX_FRAME_BYTES:
            raise FrameError(f"a frame announces {size} bytes")
        return size
