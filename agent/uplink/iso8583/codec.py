"""Message bytes to fields and back: the one file that uses pyiso8583.

Its errors carry the whole message, card data included, and its pretty printer prints it; neither
may leave this file. What leaves is `BrokenMessageError` with a field number and a position.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import iso8583

from agent.core.money.iso8583 import Message
from agent.core.money.iso8583_fields import CUPS, form_of


class Dialect(StrEnum):
    """How numbers are written down."""

    BCD = "bcd"  #: two digits to a byte, binary bitmap: UnionPay terminals
    ASCII = "ascii"  #: digits as characters, binary bitmap
    HEX = "hex"  #: as ascii, the bitmap in hexadecimal characters too


class BrokenMessageError(Exception):
    """Bytes that are no message of this dialect, or fields that make none."""


class Codec:
    """One dialect with one table of fields."""

    def __init__(
        self, dialect: Dialect = Dialect.BCD, fields: Mapping[str, str] | None = None
    ) -> None:
        """`fields` replaces rows of the table of UnionPay. Raises ValueError for bad notation."""
        self.dialect = dialect
        self._spec = _spec(dialect, {**CUPS, **(fields or {})})

    def decode(self, message: bytes) -> Message:
        """The fields of a message. Raises BrokenMessageError."""
        found: Mapping[str, str] = {}
        broken = ""
        try:
            found, _ = iso8583.decode(message, spec=self._spec)
        except iso8583.DecodeError as error:
            broken = f"field {error.field} at byte {error.pos} cannot be read"
        except KeyError as error:
            broken = f"field {error.args[0]} is not in the table of this profile"
        if broken:
            # Raised outside the handler: the library's error holds the message and must not
            # travel along as the context of ours.
            raise BrokenMessageError(broken)
        fields = {name: value for name, value in found.items() if name.isdecimal() and name != "1"}
        return Message(found["t"], fields)

    def encode(self, message: Message) -> bytes:
        """The bytes of a message. Raises BrokenMessageError."""
        broken = ""
        raw: bytes | bytearray = b""
        try:
            raw, _ = iso8583.encode({"t": message.mti, **message.fields}, spec=self._spec)
        except iso8583.EncodeError as error:
            broken = f"field {error.field} cannot be written"
        except KeyError as error:
            broken = f"field {error.args[0]} is not in the table of this profile"
        if broken:
            raise BrokenMessageError(broken)
        return bytes(raw)

    def marked_as_repeat(self, message: bytes) -> bytes:
        """The same bytes with the last digit of the message type set to 1."""
        if self.dialect is Dialect.BCD:
            return message[:1] + bytes((message[1] & 0xF0 | 0x01,)) + message[2:]
        return message[:3] + b"1" + message[4:]


def _spec(dialect: Dialect, fields: Mapping[str, str]) -> Mapping[str, Mapping[str, Any]]:
    packed = dialect is Dialect.BCD
    bitmap = "ascii" if dialect is Dialect.HEX else "b"
    size = 16 if dialect is Dialect.HEX else 8
    spec: dict[str, Mapping[str, Any]] = {
        "h": _entry("b", "bcd", 0, 0),
        "t": _entry("b" if packed else "ascii", "ascii", 0, 2 if packed else 4),
        "p": _entry(bitmap, "ascii", 0, size),
        "1": _entry(bitmap, "ascii", 0, size),
    }
    for number, notation in fields.items():
        form = form_of(notation)
        length = "bcd" if packed else "ascii"
        width = form.length_digits
        if packed:
            width = (width + 1) // 2
        if form.digits and packed:
            spec[number] = {
                **_entry("b", length, width, form.longest),
                "len_count": "nibbles",
                "right_pad": "0",
            }
        elif form.binary:
            spec[number] = _entry("b", length, width, form.longest)
        else:
            # latin-1 takes every byte: hosts put GBK into their texts.
            spec[number] = _entry("latin-1", length, width, form.longest)
    return spec


def _entry(data: str, length: str, width: int, longest: int) -> dict[str, Any]:
    return {"data_enc": data, "len_enc": length, "len_type": width, "max_len": longest, "desc": ""}
