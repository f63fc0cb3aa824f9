"""Payments by code: how long the customer may take, when to ask, when it can still be taken back.

A wallet's platform answers a scanned code with "the customer has to confirm", then knows more when
it is asked again; it closes by itself what nobody confirms, and takes a cancellation only between
an earliest and a last moment. The windows are data per platform, from its own documentation. This
file turns them into the pace of one record; asking and sending is the uploader's. Called by
`delivery` and by the store, when a cancellation is recorded.

Sources, read in 2026: WeChat Pay "Reasonable Query Mechanism" (pay.weixin.qq.com, doc/global/v2,
4013665306: query every 3-5 s, revoked 45 s after creation), "Revoke Order" (4013659173: at least
15 s after, within 7 days), refund FAQ (365 days). Alipay "Implementing APIs" (docs.antom.com,
ac/globalbarcode: polled every 3-5 s, 60 s at the till, closed after 3 minutes, cancelled on the
same day in GMT+8 with 15 minutes of grace). Refunds at Alipay: as the contract says.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from agent.core.moment import Moment, at_least_ms, certain_ms, to_ms
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Kind, Posting, Transaction
from agent.record import dataclass

AWAITING = "wallet.awaiting_customer"
EXPIRED = "wallet.code_expired"
KINDS = frozenset({Kind.QR_SALE, Kind.QR_CANCEL, Kind.QR_REFUND})
#: What platforms answer to a code that was shown too long ago.
EXPIRED_CODES = frozenset(
    {"AUTHCODEEXPIRE", "AUTH_CODE_EXPIRE", "AUTH_CODE_INVALID", "PAYMENT_AUTH_CODE_INVALID"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The times of one platform, in seconds. 0: no such limit."""

    query_s: float = 5.0  #: between two questions while the customer confirms
    confirm_s: int = 60  #: how long the till waits before it cancels
    closes_s: int = 180  #: after this the platform has closed what was not paid
    cancel_after_s: int = 0  #: no cancellation sooner than this after the payment
    cancel_within_s: int = 0  #: none later than this after the payment
    cancel_day_utc_s: int | None = None  #: only on the day of the payment, at this distance of UTC
    cancel_grace_s: int = 0  #: … and so long into the next
    refund_within_s: int = 0  #: no refund later than this after the payment


WECHAT = Windows(
    query_s=5.0, confirm_s=45, closes_s=45, cancel_after_s=15, cancel_within_s=7 * 86_400,
    refund_within_s=365 * 86_400,
)  # fmt: skip
ALIPAY = Windows(
    query_s=5.0, confirm_s=60, closes_s=180, cancel_day_utc_s=8 * 3_600, cancel_grace_s=900
)


def last_moment(paid_at: datetime, windows: Windows) -> datetime | None:
    """Until when a payment made then can be cancelled; None: without limit."""
    ends: list[datetime] = []
    if windows.cancel_within_s:
        ends.append(paid_at + timedelta(seconds=windows.cancel_within_s))
    if windows.cancel_day_utc_s is not None:
        there = timezone(timedelta(seconds=windows.cancel_day_utc_s))
        midnight = paid_at.astimezone(there).replace(hour=0, minute=0, second=0, microsecond=0)
        ends.append(midnight + timedelta(days=1, seconds=windows.cancel_grace_s))
    return min(ends, default=None)


def too_late(t: Transaction, windows: Windows, now: Moment, paid_at: datetime | None = None) -> str:
    """Why a cancellation or refund is not taken any more, or "". A clock in doubt says nothing.

    Without the time of the payment that of the cancellation stands for it: it was made then.
    """
    if not now.trusted:
        return ""
    since = paid_at or t.occurred_at
    if t.kind is Kind.QR_CANCEL:
        end = last_moment(since, windows)
        if end is not None and now.wall_ms > to_ms(end):
            return f"the platform took cancellations until {end:%Y-%m-%d %H:%M %z}: refund it"
    if t.kind is Kind.QR_REFUND and windows.refund_within_s:
        end = since + timedelta(seconds=windows.refund_within_s)
        if now.wall_ms > to_ms(end):
            return f"the platform took refunds until {end:%Y-%m-%d}: pay it back another way"
    return ""


def code_expired(record: Record, windows: Windows, now: Moment, boot_no: int) -> bool:
    """Whether an unsent payment by code is of no use any more: the code was shown too long ago."""
    t = record.transaction
    if t.kind is not Kind.QR_SALE or t.posting is not Posting.REQUEST or record.in_doubt:
        return False
    return at_least_ms(record.stored, now, boot_no) > windows.closes_s * 1000


def cancel_wait_ms(original: Record, windows: Windows, now: Moment, boot_no: int) -> int:
    """How long a cancellation has to wait for its earliest moment."""
    if original.final and original.state is not State.POSTED:
        return 0
    since = original.last_sent or original.stored
    return max(0, windows.cancel_after_s * 1000 - certain_ms(since, now, boot_no))


def in_flight_s(record: Record, windows: Windows) -> int:
    """How long "not found" proves nothing: the platform may still create or close it."""
    return windows.closes_s if record.transaction.kind is Kind.QR_SALE else 0


def paced(
    change: Change, record: Record, windows: Windows, now: Moment, boot_no: int, *, waiting: bool
) -> Change:
    """The change after an attempt or a question, at the platform's pace and in its words.

    `waiting`: the host said that the payment is under way, which at a wallet means the customer.
    """
    code = change.result.response_code if change.result is not None else None
    if change.event is Event.DECLINED and code in EXPIRED_CODES:
        return replace(change, cause=EXPIRED)
    if record.transaction.kind is not Kind.QR_SALE or change.event not in _OPEN:
        return change
    # In doubt though we never sent it: the payment app did, before it was handed over.
    since = record.first_sent or (record.stored if record.in_doubt else None)
    age_ms = 0 if since is None else at_least_ms(since, now, boot_no)
    query_ms = round(windows.query_s * 1000)
    if age_ms >= windows.closes_s * 1000:
        if not waiting:
            return change
        note = f"the platform closed it after {windows.closes_s} s unless it was paid"
        return replace(change, cause=EXPIRED, note=note)
    if not waiting:
        planned_ms = change.next_boot_ms - now.boot_ms
        return _at(change, now, min(planned_ms, query_ms) if change.next_boot_ms else query_ms)
    left_s = windows.confirm_s - age_ms // 1000
    note = f"the customer has {left_s} s left to confirm"
    if left_s <= 0:
        note = f"the customer did not confirm within {windows.confirm_s} s: cancel it"
    return _at(replace(change, cause=AWAITING, note=note), now, query_ms)


_OPEN = frozenset({Event.NO_ANSWER, Event.ASKED})


def _at(change: Change, now: Moment, wait_ms: int) -> Change:
    return replace(change, next_wall_ms=now.wall_ms + wait_ms, next_boot_ms=now.boot_ms + wait_ms)
