"""Arguments about the messages beside a payment: a reversal's reason, a replaced payload."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.core.money.transaction import KEY_PATTERN, Payload, Submission, Transaction
from agent.wire.payload_in import PayloadIn, payload_of, payload_part
from agent.wire.submit import Reason

Key = Annotated[str, Meta(pattern=KEY_PATTERN)]


class ReverseArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Take a payment back with the reversal that was handed over with it."""

    key: Key
    reason: Literal["98", "96", "A0", "06"]
    """98: no answer came. 96: approved, but this terminal could not complete it. A0: the MAC of the
    approval is wrong. 06: anything else."""


class ReplaceArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New bytes for the same payment, after the host asked for a new sign-on (A0, 77, 99, 22)."""

    key: Key
    payload: PayloadIn
    query_payload: PayloadIn | None = None
    reversal_payloads: Annotated[dict[Reason, PayloadIn], Meta(max_length=16)] = {}


def replacement(args: ReplaceArgs, transaction: Transaction) -> Submission:
    """What would be handed over now for the same transaction. Raises RequestError."""
    payload: Payload = payload_of(args.payload)
    return Submission(
        transaction=transaction,
        payload=payload,
        query_payload=None
        if args.query_payload is None
        else payload_part(args.query_payload, payload, "query_payload"),
        reversal_payloads={
            reason: payload_part(part, payload, f"reversal_payloads.{reason}")
            for reason, part in args.reversal_payloads.items()
        },
    )
