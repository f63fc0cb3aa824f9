"""What a certificate says of itself, read without trusting it.

For naming who stands in the way when a handshake failed, and how long our own certificates last:
the ssl module tells nothing about a certificate it refused. Reads the few fields a person is shown;
it verifies nothing, and nobody may decide on its word whom to trust. Never raises on garbage.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

from agent.record import dataclass

_SEQUENCE, _SET, _OID, _UTC_TIME, _TIME = 0x30, 0x31, 0x06, 0x17, 0x18
_VERSION = 0xA0
_COMMON_NAME, _ORGANISATION, _UNIT = b"\x55\x04\x03", b"\x55\x04\x0a", b"\x55\x04\x0b"
_BMP_STRING = 0x1E
#: What a person is shown of a name somebody else wrote.
SHOWN_CHARACTERS = 80
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The fields worth showing."""

    subject: str
    issuer: str
    begins_at: datetime
    expires_at: datetime
    self_signed: bool  #: it names itself as its issuer


def parse(der: bytes) -> Certificate | None:
    """A certificate in DER; None where it is none."""
    try:
        (kind, outer, _) = _element(der, 0)
        if kind != _SEQUENCE:
            return None
        kind, body, _ = _element(outer, 0)
        if kind != _SEQUENCE:
            return None
        at = 0
        kind, _, after = _element(body, at)
        at = after if kind == _VERSION else 0
        _, _, at = _element(body, at)  # serial number
        _, _, at = _element(body, at)  # signature algorithm
        _, issuer, at = _element(body, at)
        _, validity, at = _element(body, at)
        _, subject, at = _element(body, at)
        kind, begins, after = _element(validity, 0)
        begins_at = _time(kind, begins)
        kind, ends, _ = _element(validity, after)
        return Certificate(
            subject=_name(subject),
            issuer=_name(issuer),
            begins_at=begins_at,
            expires_at=_time(kind, ends),
            self_signed=issuer == subject,
        )
    except (ValueError, IndexError, OverflowError):
        return None


def in_pem(text: bytes) -> list[Certificate]:
    """The certificates of a PEM file, in order; what cannot be read is left out."""
    found: list[Certificate] = []
    for block in text.split(_BEGIN)[1:]:
        body, end, _ = block.partition(_END)
        if not end:
            continue
        try:
            der = base64.b64decode(b"".join(body.split()), validate=True)
        except (binascii.Error, ValueError):
            continue
        if (one := parse(der)) is not None:
            found.append(one)
    return found


def _element(raw: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, content and where the next one begins."""
    kind, length = raw[at], raw[at + 1]
    at += 2
    if length & 0x80:
        count = length & 0x7F
        if not 1 <= count <= 4 or at + count > len(raw):
            raise ValueError("length")
        length = int.from_bytes(raw[at : at + count], "big")
        at += count
    if at + length > len(raw):
        raise ValueError("torn")
    return kind, raw[at : at + length], at + length


def _name(raw: bytes) -> str:
    """The common name, else organisation and unit."""
    known: dict[bytes, str] = {}
    at = 0
    while at < len(raw):
        _, group, at = _element(raw, at)
        inner = 0
        while inner < len(group):
            _, pair, inner = _element(group, inner)
            kind, oid, after = _element(pair, 0)
            tag, value, _ = _element(pair, after)
            if kind == _OID:
                known.setdefault(oid, _text(tag, value))
    shown = known.get(_COMMON_NAME) or " ".join(
        known[oid] for oid in (_ORGANISATION, _UNIT) if oid in known
    )
    return shown[:SHOWN_CHARACTERS]


def _text(tag: int, raw: bytes) -> str:
    text = raw.decode("utf-16-be" if tag == _BMP_STRING else "utf-8", errors="replace")
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _time(kind: int, raw: bytes) -> datetime:
    text = raw.decode("ascii")
    if kind == _UTC_TIME:
        text = ("19" if text[:2] >= "50" else "20") + text
    elif kind != _TIME:
        raise ValueError("time")
    if len(text) != 15 or text[14] != "Z" or not text[:14].isdecimal():
        raise ValueError("time")
    # `strptime` would load calendars and locales for it (0.4 MB).
    month, day, hour, minute, second = (int(text[at : at + 2]) for at in range(4, 14, 2))
    return datetime(int(text[:4]), month, day, hour, minute, second, tzinfo=UTC)
