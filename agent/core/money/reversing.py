"""Taking a payment back at the host: when the agent may by itself, for which reason, what freezes.

Money rule 5. Only the payment app can build a reversal, because of its MAC; it hands one over per
reason together with the payment. This file says which payments may be reversed without anybody
asking, which of the prepared messages fits, and what an answer to the original is worth once its
reversal exists: it is history. Called by `delivery` (plan), the store (freezing) and the API.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.core.money.journal import FINAL, Change, Event, Record
from agent.core.money.transaction import CustomerSaw, Delivery, Kind, Posting

#: Cause of an original whose reversal is under way.
PENDING = "reversal.pending"
#: Cause of an original its reversal took back.
COMPLETED = "reversal.completed"

#: ISO 8583 field 39 of a 0400 as UnionPay uses it: why the terminal takes a payment back.
NO_ANSWER = "98"  #: no answer came in time
FAULT = "96"  #: approved, but the terminal could not complete it
MAC_WRONG = "A0"  #: the approval's MAC is wrong; only the payment app can tell
OTHER = "06"
#: What a host answers to a reversal of what it never had.
ORIGINAL_UNKNOWN = "25"
REASONS = (NO_ANSWER, FAULT, MAC_WRONG, OTHER)

#: What the agent reverses by itself: the kinds UnionPay names (sale, pre-authorisation, its
#: completion, and the voids of the three). Refunds, adjustments and balances never.
REVERSIBLE = frozenset(
    {
        Kind.SALE,
        Kind.VOID,
        Kind.PREAUTH,
        Kind.PREAUTH_VOID,
        Kind.PREAUTH_COMPLETION,
        Kind.PREAUTH_COMPLETION_VOID,
    }
)


def may_reverse(record: Record) -> bool:
    """Whether the agent may take this payment back without being asked."""
    t = record.transaction
    return (
        record.in_doubt
        and t.posting is Posting.REQUEST
        and t.kind in REVERSIBLE
        and t.customer_saw is not CustomerSaw.APPROVED
        and t.delivery is Delivery.AGENT
        and t.reversal_key is not None
    )


def automatic_reason(record: Record) -> str:
    """The reason of a reversal nobody asked for."""
    # A code like 68 is an answer, so "no answer" would be untrue.
    answered = record.result is not None and record.result.response_code is not None
    return OTHER if answered else NO_ANSWER


def prepared(reason: str, offered: Iterable[str]) -> str | None:
    """The prepared message to use for a reason: its own, else one that claims less, else none.

    A wrong MAC or a terminal fault is never claimed without having been reported.
    """
    found = frozenset(offered)
    for candidate in (reason, OTHER, NO_ANSWER):
        if candidate in found:
            return candidate
    return None


def late(record: Record, change: Change, *, frozen: bool = False) -> Change:
    """U20, rule 5: what remains of an outcome that arrives when the record has moved on.

    `frozen`: a reversal of it exists, so nothing the host says of the original counts any more.
    """
    if record.state not in FINAL and not frozen:
        return change
    said = f"; {change.note}" if change.note else ""
    return replace(
        change,
        event=Event.LATE,
        cause=record.cause,
        note=f"late answer: {change.event}{said}",
        next_wall_ms=0,
        next_boot_ms=0,
        result=None if record.final else change.result,
    )
