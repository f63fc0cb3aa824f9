"""A payment as reconciliation sees it: what a list may name it by, and whether money is expected.

Called by the actions, which make one of every journal row of the list's days, and by the program
that matches. A plain tuple on its way through pipes and files.
"""

from __future__ import annotations

from typing import NamedTuple

from agent.core.moment import to_ms
from agent.core.money.journal import FINAL, Record, State
from agent.core.money.transaction import Kind
from agent.core.why.reconcile.values import tail

_TO_MERCHANT = frozenset({Kind.SALE, Kind.QR_SALE, Kind.PREAUTH_COMPLETION, Kind.ADJUSTMENT})
#: What takes money from the merchant.
FROM_MERCHANT = frozenset(
    {Kind.REFUND, Kind.QR_REFUND, Kind.VOID, Kind.QR_CANCEL, Kind.PREAUTH_COMPLETION_VOID}
)


class Payment(NamedTuple):
    """One journal row. Amounts are towards the merchant."""

    seq: int
    key: str
    rrn: str
    stan: str
    batch: str
    terminal_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    kind: str
    occurred_ms: int
    card: str
    state: str
    in_doubt: bool
    refers_to: str
    earlier: int  #: number of the list that had it; 0: none
    earlier_day: int  #: the day that list settled it; 0: not told
    earlier_rrn: str
    due_day: int = 0  #: put in by whoever knows the calendar
    due_reason: str = ""
    posted_ms: int = 0  #: when the host had it, as far as this terminal knows; 0: not told

    @property
    def settles(self) -> bool:
        """Whether a list is expected to have it, once it is posted."""
        return self.kind in _TO_MERCHANT or self.kind in FROM_MERCHANT

    @property
    def posted(self) -> bool:
        return self.state == State.POSTED

    @property
    def final(self) -> bool:
        return self.state in _FINAL_WORDS


_FINAL_WORDS = frozenset(state.value for state in FINAL)


def payment_of(record: Record, earlier: tuple[int, int, str] = (0, 0, "")) -> Payment:
    """What reconciliation needs of a journal row."""
    t, result = record.transaction, record.result
    amount = t.amount_minor or 0
    if t.posted_amount_minor is not None:
        amount = t.posted_amount_minor
    if result is not None and result.posted_amount_minor is not None:
        amount = result.posted_amount_minor
    rrn = (result.rrn if result is not None else None) or t.rrn or ""
    card = "" if t.card is None or t.card.masked is None else tail(t.card.masked)
    stan = t.stan or ""
    return Payment(
        record.seq, t.key, rrn, stan.lstrip("0") or stan, (t.batch or "").lstrip("0"),
        t.terminal_id, t.merchant_id, -amount if t.kind in FROM_MERCHANT else amount,
        t.currency or "", t.kind.value, to_ms(t.occurred_at), card, record.state.value,
        record.in_doubt, t.refers_to or "", *earlier, posted_ms=to_ms(record.changed_at),
    )  # fmt: skip
