"""The envelope around what the fleet signs: the manifest of required software, the issued profile.

Signed are the exact bytes of the payload behind a line that says what they are, so that nothing
else signed with the same key passes for it. The envelope carries those bytes in base64: nobody has
to print JSON in one particular way. Decides form only and checks no signature. Called by
`agent.wire.manifest`, `agent.wire.profile` and by whoever has the keys.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.record import dataclass

S = TypeVar("S", bound=Struct)

FORMAT = 1


class Document(StrEnum):
    """What is signed. The word stands in the signed line and names the envelope's format."""

    MANIFEST = "manifest"
    PROFILE = "profile"
    DESIRED = "desired"
    COMMAND = "command"


class DocumentError(ValueError):
    """These bytes are not of the form; the text says where. Never quotes more than a name."""


class _EnvelopeIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    key_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
    signature: Annotated[str, Meta(max_length=100)]
    """Ed25519, in base64."""
    payload: str
    """The signed bytes, in base64."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """An envelope, opened and not yet believed."""

    key_id: str
    signature: bytes
    payload: bytes


def signed_bytes(kind: Document, payload: bytes) -> bytes:
    """What is signed for this payload."""
    return f"posagent {kind} {FORMAT}\n".encode() + payload


def envelope(kind: Document, key_id: str, signature: bytes, payload: bytes) -> bytes:
    """The bytes of a signed document."""
    return msgspec.json.encode(
        {
            kind: FORMAT,
            "key_id": key_id,
            "signature": base64.b64encode(signature).decode("ascii"),
            "payload": base64.b64encode(payload).decode("ascii"),
        }
    )


def is_envelope(whole: object) -> bool:
    """Whether a JSON document means to be a signed one."""
    return isinstance(whole, dict) and "payload" in whole


def envelope_in(kind: Document, whole: object) -> Envelope:
    """The parts of an envelope. Raises DocumentError."""
    if not isinstance(whole, dict) or type(whole.get(kind)) is not int or whole[kind] != FORMAT:
        raise DocumentError(f"not a signed {kind} of format {FORMAT}")
    one = converted({name: told for name, told in whole.items() if name != kind}, _EnvelopeIn)
    try:
        return Envelope(
            key_id=one.key_id,
            signature=base64.b64decode(one.signature, validate=True),
            payload=base64.b64decode(one.payload, validate=True),
        )
    except (binascii.Error, ValueError):
        raise DocumentError("signature or payload is not base64") from None


def parsed(given: bytes) -> object:
    """Any JSON. Raises DocumentError."""
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise DocumentError(str(error)) from None


def converted(whole: object, shape: type[S]) -> S:
    """A document as `shape`. Raises DocumentError."""
    try:
        return msgspec.convert(whole, shape)
    except (msgspec.ValidationError, ValueError, OverflowError, RecursionError) as error:
        raise DocumentError(str(error)[:200]) from None
