"""`POST /v1/check`: may this payment be taken now? What goes in, what comes out.

The fields are those of a hand-over without its bytes, under the same names and bounds, so that an
app asks with what it is about to submit. Findings look the same here and in the refusal of a
submission. Judging is `core.money.limits`; the sentences are `core.why.checked`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.core.money.limits import Answer
from agent.core.money.transaction import Card, CustomerSaw, Kind, Posting, Transaction
from agent.wire.findings import CheckFinding
from agent.wire.submit import Amount, CardIn, Confirmed, Key, Time
from agent.wire.views import Both


class CheckArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payment as far as it is known before the customer pays."""

    terminal_id: Annotated[str, Meta(pattern=r"^[!-~]{1,16}$")]
    merchant_id: Annotated[str, Meta(pattern=r"^[!-~]{1,32}$")]
    kind: Kind
    posting: Posting
    """`request`: the host will be asked. `advice`: the terminal would approve it itself."""
    amount_minor: Amount | None = None
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    occurred_at: Time | None = None
    """Left out: now."""
    key: Key | None = None
    """Left out where it is not minted yet; a payment is never its own twin."""
    stan: Annotated[str, Meta(pattern=r"^[0-9]{1,12}$")] | None = None
    batch: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,12}$")] | None = None
    card: CardIn | None = None
    entry_ms: Annotated[int, Meta(ge=0, le=3_600_000)] | None = None
    """From the first key of the amount to its confirmation, where the app measures it."""
    again_of: Key | None = None
    """The payment this one would replace: may it be taken again?"""
    confirmed: Confirmed = ()
    """Codes of findings the cashier has looked at and confirmed."""


class AgainOut(Struct, frozen=True, kw_only=True):
    """An earlier payment this one may be again, and whether that may be."""

    key: str
    retry: str
    """`do_not_retry`: it may still go through, or has. `safe_to_retry`: it never will."""
    state: str
    in_doubt: bool
    occurred_at: datetime
    amount_minor: int | None
    currency: str | None
    stan: str | None
    advice: Both
    """What to tell the cashier."""


class CheckOut(Struct, frozen=True, kw_only=True):
    """May it be taken now?"""

    at: datetime
    answer: Answer
    """`take`, `confirm` (show the findings, ask again with `confirmed`) or `refuse`."""
    findings: list[CheckFinding]
    """The gravest first."""
    again: AgainOut | None = None
    """The payment of `again_of`, or one like this that is still open; null: there is none."""


def candidate(args: CheckArgs, now: datetime) -> Transaction:
    """The payment to judge."""
    return Transaction(
        key=args.key or "",
        terminal_id=args.terminal_id,
        merchant_id=args.merchant_id,
        kind=args.kind,
        posting=args.posting,
        occurred_at=args.occurred_at or now,
        uplink="",
        amount_minor=args.amount_minor,
        currency=args.currency,
        stan=args.stan,
        batch=args.batch,
        customer_saw=CustomerSaw.UNKNOWN,
        card=Card(scheme=args.card.scheme, masked=args.card.masked) if args.card else None,
    )
