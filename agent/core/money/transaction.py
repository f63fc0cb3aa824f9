"""What a payment app hands over: the whole record, its words and its fingerprint.

This file decides what a transaction *is*. It does not know how one is stored (store), sent
(uplink), checked at the border (wire) or what state it is in (journal). The field names are the
trade's: STAN is the terminal's system trace audit number, RRN the host's retrieval reference
number, an *advice* tells the host of a payment already completed, a *request* asks it to approve.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from agent.core.moment import to_ms
from agent.record import dataclass

#: Largest amount: 2^53, so that every JSON reader between here and the host keeps it exact.
MAX_AMOUNT_MINOR = 2**53
#: `key`, `refers_to`, `reversal_key`: what also fits an MQTT topic level and an HTTP header.
KEY_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"
#: One payload. An ISO 8583 message is below 2 KiB; the rest is room for receipts in JSON.
MAX_PAYLOAD_BYTES = 256 * 1024


#: Lengths as they stand before fields; almost all are short, and each is needed for each payment.
_SHORT_LENGTHS = tuple(size.to_bytes(4, "big") for size in range(256))


class Kind(StrEnum):
    """What the payment is."""

    SALE = "sale"
    REFUND = "refund"
    VOID = "void"
    PREAUTH = "preauth"
    PREAUTH_COMPLETION = "preauth_completion"
    PREAUTH_VOID = "preauth_void"
    PREAUTH_COMPLETION_VOID = "preauth_completion_void"
    ADJUSTMENT = "adjustment"
    REVERSAL = "reversal"
    BATCH_UPLOAD = "batch_upload"
    SETTLEMENT = "settlement"
    QR_SALE = "qr_sale"
    QR_CANCEL = "qr_cancel"
    QR_REFUND = "qr_refund"


#: The kinds that carry no amount of their own.
WITHOUT_AMOUNT = frozenset({Kind.BATCH_UPLOAD, Kind.SETTLEMENT})


class Posting(StrEnum):
    """Whether the host still has a say."""

    REQUEST = "request"  #: asks the host to approve; the customer is standing there
    ADVICE = "advice"  #: tells the host of a payment already completed


class Delivery(StrEnum):
    """Who talks to the host."""

    AGENT = "agent"  #: the agent sends it
    APP = "app"  #: the payment app does and reports stages; the agent only explains


class CustomerSaw(StrEnum):
    """What the slip or the screen told the customer."""

    APPROVED = "approved"
    DECLINED = "declined"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """All the agent may ever know of a card: the scheme and a number masked to 6 + 4."""

    scheme: str | None = None
    masked: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The payment app that handed the record over."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """Bytes for the host, sent exactly as they are, and the type they are sent under."""

    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One payment as handed over; never changed afterwards.

    `key` is minted by the payment app before its own first attempt and never by the agent.
    Amounts are integers in the currency's minor unit (fen, cent); currency is ISO 4217 alpha-3.
    """

    key: str
    terminal_id: str  #: TID, ISO 8583 field 41
    merchant_id: str  #: MID, ISO 8583 field 42
    kind: Kind
    posting: Posting
    occurred_at: datetime
    uplink: str  #: name of the uplink profile
    amount_minor: int | None = None
    currency: str | None = None
    posted_amount_minor: int | None = None  #: partial approval the app already knows of
    send_before: datetime | None = None  #: requests only; after it they lapse
    stan: str | None = None
    batch: str | None = None
    rrn: str | None = None
    refers_to: str | None = None  #: key of the payment this one voids, completes, reverses …
    covers: tuple[str, ...] = ()  #: keys a batch upload covers
    first_attempt_at: datetime | None = None
    attempts: int = 0  #: what the app itself already tried
    reversal_key: str | None = None
    customer_saw: CustomerSaw = CustomerSaw.UNKNOWN
    card: Card | None = None
    app: App | None = None
    delivery: Delivery = Delivery.AGENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A transaction with its bytes, as it goes into the journal in one commit."""

    transaction: Transaction
    payload: Payload
    query_payload: bytes | None = None
    reversal_payloads: Mapping[str, bytes] = field(default_factory=dict)  #: by reason code
    confirmed: frozenset[str] = frozenset()  #: findings of the check the cashier looked at
    entry_ms: int | None = None  #: how long the cashier took for the amount; not kept
    acknowledges: tuple[str, ...] = ()  #: keys of payments whose end the app has taken note of


def fingerprint(transaction: Transaction, secret: bytes) -> bytes:
    """Keyed 16-byte fingerprint of the business content, without the payload.

    Two submissions under one key are the same payment when this and the payload digest agree.
    Left out on purpose, because they may honestly differ when the app repeats itself after a
    crash or an update: `attempts`, `first_attempt_at`, `send_before`, `customer_saw`, `rrn`,
    `card`, `app`.
    """
    t = transaction
    fields: tuple[str, ...] = (
        t.key,
        t.terminal_id,
        t.merchant_id,
        t.kind,
        t.posting,
        str(to_ms(t.occurred_at)),
        t.uplink,
        "" if t.amount_minor is None else str(t.amount_minor),
        t.currency or "",
        "" if t.posted_amount_minor is None else str(t.posted_amount_minor),
        t.stan or "",
        t.batch or "",
        t.refers_to or "",
        *t.covers,
        t.reversal_key or "",
        t.delivery,
    )
    # Length-prefixed, so that no two different lists of fields run together into the same bytes.
    canonical = b"".join([_length(f) + f for f in [f.encode() for f in fields]])
    return hashlib.blake2b(canonical, digest_size=16, key=secret, person=b"pos/business").digest()


def _length(part: bytes) -> bytes:
    size = len(part)
    return _SHORT_LENGTHS[size] if size < 256 else size.to_bytes(4, "big")


def payload_digest(submission: Submission, secret: bytes) -> bytes:
    """Keyed 16-byte digest of every byte handed over for sending.

    Keyed, because an unkeyed hash of a payload that holds a card number can be searched for it
    (PCI DSS 4.0.1, 3.5.1.1).
    """
    digest = hashlib.blake2b(digest_size=16, key=secret, person=b"pos/payload")
    parts = [
        submission.payload.content_type.encode(),
        submission.payload.body,
        submission.query_payload or b"",
    ]
    for reason in sorted(submission.reversal_payloads):
        parts += [reason.encode(), submission.reversal_payloads[reason]]
    for part in parts:
        digest.update(_length(part) + part)
    return digest.digest()
