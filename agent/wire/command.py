"""The wire form of a command: what an operator signs and a terminal opens.

One place for both sides: `agent.fleet` makes the bytes with it, `agent.telemetry.orders` reads
them. Decides form only, checks no signature and believes no number; whether a command is obeyed is
`agent.core.fleet.commands`. Never raises but DocumentError.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from agent.core.fleet.commands import MAX_BYTES, Command
from agent.wire.signed import (
    Document,
    DocumentError,
    Envelope,
    converted,
    envelope,
    envelope_in,
    parsed,
    signed_bytes,
)

Id = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Millis = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
Value = bool | Annotated[int, Meta(ge=-(2**53), le=2**53)] | Annotated[str, Meta(max_length=6_144)]


class CommandPayload(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is signed: one thing to be done by one terminal, once."""

    cmd_id: Id
    """Chosen by the sender; the last level of the topic."""
    tenant: Id
    device_id: Id
    """Of the one terminal that is meant: there is no wildcard."""
    op: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    args: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,31}$")], Value], Meta(max_length=16)
    ] = msgspec.field(default_factory=dict)
    issued_ts: Millis
    """Milliseconds since 1970."""
    expires_ts: Millis
    """Not obeyed after it."""
    seq: Annotated[int, Meta(ge=1, le=9_007_199_254_740_991)]
    """Higher than in every command signed with the same key for this terminal before."""


def command_bytes(command: Command) -> bytes:
    """The payload to sign."""
    return msgspec.json.encode(
        {
            "cmd_id": command.cmd_id,
            "tenant": command.tenant,
            "device_id": command.device_id,
            "op": command.op,
            "args": dict(command.args),
            "issued_ts": command.issued_ts,
            "expires_ts": command.expires_ts,
            "seq": command.seq,
        }
    )


def to_sign(payload: bytes) -> bytes:
    """The bytes that the Ed25519 key signs."""
    return signed_bytes(Document.COMMAND, payload)


def enveloped(key_id: str, signature: bytes, payload: bytes) -> bytes:
    """What is published on `cmd/{cmd_id}`."""
    return envelope(Document.COMMAND, key_id, signature, payload)


def opened(given: bytes) -> Envelope:
    """The parts of an arrived command, unbelieved. Raises DocumentError."""
    if len(given) > MAX_BYTES:
        raise DocumentError(f"larger than {MAX_BYTES} bytes")
    one = envelope_in(Document.COMMAND, parsed(given))
    if len(one.signature) != 64:
        raise DocumentError("a signature has 64 bytes")
    return one


def command_in(payload: bytes) -> Command:
    """The command that was signed. Raises DocumentError."""
    if len(payload) > MAX_BYTES:
        raise DocumentError(f"larger than {MAX_BYTES} bytes")
    told = converted(parsed(payload), CommandPayload)
    args: Mapping[str, bool | int | str] = told.args
    return Command(
        cmd_id=told.cmd_id,
        tenant=told.tenant,
        device_id=told.device_id,
        op=told.op,
        args=args,
        issued_ts=told.issued_ts,
        expires_ts=told.expires_ts,
        seq=told.seq,
    )
