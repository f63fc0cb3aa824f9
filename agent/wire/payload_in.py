"""Bytes for the host as a payment app hands them over: read, bounded, looked through for card data.

They are sent exactly as they come, so nothing here changes one. Called by what reads hand-overs,
replacements and prepared reversals; the type is also the source of its schema in the contracts.
"""

from __future__ import annotations

import binascii
import re
from typing import Annotated

from msgspec import Meta, Struct

from agent.core.money.transaction import MAX_PAYLOAD_BYTES, Payload
from agent.wire.card_check import check_payload
from agent.wire.problem import RequestError

MediaType = Annotated[str, Meta(max_length=127)]
Base64 = Annotated[str, Meta(max_length=400_000)]
_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+"
    r"(?:; ?[A-Za-z0-9!#$&^_.+-]+=(?:[A-Za-z0-9!#$&^_.+-]+|\"[ !#-~]*\"))*"
)
_CHARSET = re.compile(r";\s*charset=\"?([^\s;\"]+)", re.IGNORECASE)


class PayloadIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bytes for the host, as `text` (sent as UTF-8) or as `base64`; sent exactly so."""

    content_type: MediaType | None = None
    """May be left out of query and reversal payloads: they go out under the payload's type."""
    text: str | None = None
    base64: Base64 | None = None


def payload_of(given: PayloadIn) -> Payload:
    """The bytes to send and their type. Raises RequestError."""
    media_type = given.content_type
    if media_type is None or not _MEDIA_TYPE.fullmatch(media_type):
        raise RequestError(
            "payload.bad_type",
            "payload.content_type is not a media type",
            field="payload.content_type",
        )
    return Payload(content_type=media_type, body=_body(given, media_type, "payload"))


def payload_part(part: PayloadIn, payload: Payload, path: str) -> bytes:
    """Query and reversal payloads: kept as bytes, sent under the payload's own type."""
    if part.content_type not in (None, payload.content_type):
        raise RequestError(
            "payload.type_mismatch",
            f"{path}.content_type differs from the payload's",
            field=f"{path}.content_type",
        )
    return _body(part, payload.content_type, path)


def _body(part: PayloadIn, media_type: str, path: str) -> bytes:
    if part.text is not None and part.base64 is not None:
        raise RequestError("payload.ambiguous", f"{path} has text and base64", field=path)
    if part.text is not None:
        charset = _CHARSET.search(media_type)
        if charset and charset.group(1).lower() not in ("utf-8", "utf8", "us-ascii"):
            raise RequestError(
                "payload.charset", f"{path}.text cannot be sent in that charset", field=path
            )
        body = part.text.encode()
    elif part.base64 is not None:
        try:
            body = binascii.a2b_base64(part.base64, strict_mode=True)
        except (binascii.Error, ValueError):
            raise RequestError(
                "payload.bad_base64", f"{path}.base64 is not base64", field=f"{path}.base64"
            ) from None
    else:
        raise RequestError("payload.missing", f"{path} has neither text nor base64", field=path)
    if not body:
        raise RequestError("payload.missing", f"{path} is empty", field=path)
    if len(body) > MAX_PAYLOAD_BYTES:
        raise RequestError(
            "payload.too_large",
            f"{path} has {len(body)} bytes, {MAX_PAYLOAD_BYTES} are allowed",
            field=path,
        )
    check_payload(body, media_type, path, part.text)
    return body
