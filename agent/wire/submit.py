"""The border check of `POST /v1/transactions`: bytes in, a Submission or one problem out.

It decides what a payment app may hand over. Order: JSON, card data, shape, meaning, payloads; the
first thing wrong is reported and nothing else happens. It does not know what is in the journal
(same key again) nor who is asking. Called by the local API; the types below are also the source
of the request's schema in the contracts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, NoReturn, TypeVar

import msgspec
from msgspec import Meta, Struct

from agent.core.money.currencies import EXPONENT
from agent.core.money.transaction import (
    KEY_PATTERN,
    MAX_AMOUNT_MINOR,
    WITHOUT_AMOUNT,
    App,
    Card,
    CustomerSaw,
    Delivery,
    Kind,
    Payload,
    Posting,
    Submission,
    Transaction,
)
from agent.wire.card_check import MID_LENGTH, check_metadata, clean
from agent.wire.payload_in import PayloadIn, payload_of, payload_part
from agent.wire.problem import RequestError

T = TypeVar("T", bound=Struct)

#: Three payloads in base64 and the metadata; what a server need not read further than.
MAX_BODY_BYTES = 1024 * 1024

#: Kinds that mean nothing without the payment they are about.
ABOUT_ANOTHER = frozenset(
    {
        Kind.VOID,
        Kind.PREAUTH_COMPLETION,
        Kind.PREAUTH_VOID,
        Kind.PREAUTH_COMPLETION_VOID,
        Kind.ADJUSTMENT,
        Kind.REVERSAL,
        Kind.QR_CANCEL,
    }
)
#: Kinds whose amount may be 0: a card check is a preauth of 0, a tip can be adjusted away, and
#: what takes a payment back may leave its amount to the host.
ZERO_ALLOWED = frozenset(
    {
        Kind.PREAUTH,
        Kind.ADJUSTMENT,
        Kind.VOID,
        Kind.PREAUTH_VOID,
        Kind.PREAUTH_COMPLETION_VOID,
        Kind.REVERSAL,
        Kind.QR_CANCEL,
    }
)

Key = Annotated[str, Meta(pattern=KEY_PATTERN, description="1 to 64 of A-Z a-z 0-9 _ -")]
Amount = Annotated[int, Meta(ge=0, le=MAX_AMOUNT_MINOR)]
Time = Annotated[datetime, Meta(tz=True)]
Reason = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_]{1,32}$")]


Confirmed = Annotated[
    tuple[Annotated[str, Meta(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)+$", max_length=64)], ...],
    Meta(max_length=16),
]


class CardIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All the agent may know of a card."""

    scheme: Annotated[str, Meta(max_length=32)] | None = None
    masked: Annotated[str, Meta(max_length=23)] | None = None
    """First six and last four digits at most, stars between."""


class AppIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payment app that hands the record over."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    version: Annotated[str, Meta(max_length=64)] = ""


class TransactionIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One payment as handed over."""

    key: Key
    """Minted by the payment app before its own first attempt; repeated with every repeat."""
    terminal_id: Annotated[str, Meta(pattern=r"^[!-~]{1,16}$")]
    merchant_id: Annotated[str, Meta(pattern=r"^[!-~]{1,32}$")]
    kind: Kind
    posting: Posting
    """`request`: asks the host to approve. `advice`: tells it of a payment already completed."""
    occurred_at: Time
    payload: PayloadIn | None = None
    """Required unless `delivery` is `app`."""
    uplink: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Name of the uplink profile; may be left out where only one is configured."""
    amount_minor: Amount | None = None
    """In the currency's minor unit (fen, cent). Not for batch_upload and settlement."""
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$")] | None = None
    posted_amount_minor: Amount | None = None
    """Partial approval the app already knows of."""
    send_before: Time | None = None
    """Requests only: unsent at this time they lapse and are never sent."""
    stan: Annotated[str, Meta(pattern=r"^[0-9]{1,12}$")] | None = None
    batch: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,12}$")] | None = None
    rrn: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,32}$")] | None = None
    refers_to: Key | None = None
    covers: Annotated[tuple[Key, ...], Meta(max_length=2000)] = ()
    first_attempt_at: Time | None = None
    attempts: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """What the app itself already tried; from 1 on the payment starts in doubt."""
    query_payload: PayloadIn | None = None
    reversal_key: Key | None = None
    reversal_payloads: Annotated[dict[Reason, PayloadIn], Meta(max_length=16)] = {}
    """By reason; ISO 8583: `98`, `96`, `A0`, `06`."""
    customer_saw: CustomerSaw = CustomerSaw.UNKNOWN
    card: CardIn | None = None
    app: AppIn | None = None
    delivery: Delivery = Delivery.AGENT
    entry_ms: Annotated[int, Meta(ge=0, le=3_600_000)] | None = None
    """From the first key of the amount to its confirmation, where the app measures it."""
    confirmed: Confirmed = ()
    """Findings of `POST /v1/check` the cashier has looked at, such as `duplicate.suspected`."""
    acknowledges: Annotated[tuple[Key, ...], Meta(max_length=16)] = ()
    """Earlier payments whose end the app has taken note of: what was handed over with those that
    are final is destroyed in the same write, which spares the flash one of its own. Others in this
    list are left as they are."""


_DECODER = msgspec.json.Decoder(TransactionIn)
_FIELDS = frozenset(
    name for shape in (TransactionIn, PayloadIn, CardIn, AppIn) for name in shape.__struct_fields__
)
#: First part of the path -> code of anything wrong with it, and what is right.
_SHAPES: dict[str, tuple[str, str]] = {
    "key": ("key.bad", "key must be 1 to 64 characters of A-Z a-z 0-9 _ -"),
    "amount_minor": (
        "amount.bad",
        f"amount_minor must be a whole number from 0 to {MAX_AMOUNT_MINOR}",
    ),
    "posted_amount_minor": (
        "amount.bad",
        f"posted_amount_minor must be a whole number from 0 to {MAX_AMOUNT_MINOR}",
    ),
    "currency": ("currency.bad", "currency must be three capital letters"),
    "occurred_at": ("time.bad", "occurred_at must be an RFC 3339 time with an offset"),
    "send_before": ("time.bad", "send_before must be an RFC 3339 time with an offset"),
    "first_attempt_at": ("time.bad", "first_attempt_at must be an RFC 3339 time with an offset"),
}
_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_NAMED = re.compile(r"^Object (missing required|contains unknown) field `([^`]*)`")
_MASK = re.compile(r"[0-9]{0,6}[* -]*\*[* -]*[0-9 ]{0,4}")


def decode_submission(body: bytes, uplinks: tuple[str, ...]) -> Submission:
    """The submission in a request body. Raises RequestError for everything wrong with it.

    `uplinks` are the configured ones; with none, any name is taken and the payment is kept.
    """
    given = _at_once(body) or _step_by_step(body)
    _check_amounts(given)
    _check_meaning(given)
    _check_mask(given)
    uplink = _uplink(given.uplink, uplinks)
    return _submission(given, uplink)


def _at_once(body: bytes) -> TransactionIn | None:
    """What has the right shape and nothing in it that could be card data: most payments.

    None says nothing but that a closer look is needed, which finds the first thing wrong.
    """
    try:
        given = _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return given if clean(_texts(given)) else None


def _texts(given: TransactionIn) -> list[str]:
    """Every text that has room for a card number, but for the bytes that go to the host."""
    texts = [
        given.key,
        given.terminal_id,
        given.merchant_id if len(given.merchant_id) > MID_LENGTH else "",
        given.uplink or "",
        given.rrn or "",
        given.refers_to or "",
        given.reversal_key or "",
        *given.covers,
        *given.reversal_payloads,
        *given.confirmed,
        *given.acknowledges,
    ]
    for part in (given.payload, given.query_payload, *given.reversal_payloads.values()):
        texts += (part.content_type or "",) if part else ()
    if given.card is not None:
        texts += (given.card.scheme or "", given.card.masked or "")
    if given.app is not None:
        texts += (given.app.name, given.app.version)
    return texts


def _step_by_step(body: bytes) -> TransactionIn:
    raw = decode_object(body)
    check_metadata(raw, _FIELDS)
    if "key" not in raw:
        raise RequestError("key.missing", "the transaction has no key", field="key")
    return convert(raw, TransactionIn)


def decode_object(body: bytes) -> dict[str, object]:
    """The JSON object in a request body."""
    try:
        raw = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RequestError("request.not_json", "the request body is not JSON in UTF-8") from None
    if not isinstance(raw, dict):
        raise RequestError("request.not_object", "the request body is not a JSON object")
    return raw


def convert(raw: Mapping[str, object], shape: type[T], *, strict: bool = True) -> T:
    """`raw` as `shape`, or the problem that names the field."""
    try:
        return msgspec.convert(raw, shape, strict=strict)
    except msgspec.ValidationError as error:
        _refuse(str(error))


def _refuse(message: str) -> NoReturn:
    """Turns a validation message into a problem that says nothing of the value."""
    at = _AT.search(message)
    path = at.group(1) if at else ""
    if named := _NAMED.match(message):
        field = f"{path}.{named.group(2)}" if path else named.group(2)
        if named.group(1) == "missing required":
            raise RequestError("request.missing_field", f"{field} is missing", field=field)
        raise RequestError(
            "request.unknown_field", f"{field} is not a field of the contract", field=field
        )
    code, detail = _SHAPES.get(path, ("request.bad_field", ""))
    # The library's own words name the expected type, range or pattern, never the value, except
    # for enumerations.
    said = _AT.sub("", message)
    if said.startswith("Invalid enum value"):
        said = "not one of the values of the contract"
    raise RequestError(code, detail or f"{path}: {said}", field=path)


def _check_amounts(given: TransactionIn) -> None:
    amounts = (given.amount_minor, given.posted_amount_minor, given.currency)
    if given.kind in WITHOUT_AMOUNT:
        if amounts != (None, None, None):
            raise RequestError(
                "amount.forbidden", f"a {given.kind} has no amount of its own", field="amount_minor"
            )
        return
    if given.amount_minor is None or given.currency is None:
        missing = "amount_minor" if given.amount_minor is None else "currency"
        raise RequestError("amount.missing", f"a {given.kind} needs {missing}", field=missing)
    if given.currency not in EXPONENT:
        raise RequestError(
            "currency.bad", "currency is not an ISO 4217 alphabetic code", field="currency"
        )
    if given.amount_minor == 0 and given.kind not in ZERO_ALLOWED:
        raise RequestError(
            "amount.bad", f"amount_minor of a {given.kind} cannot be 0", field="amount_minor"
        )
    if given.posted_amount_minor is not None and given.posted_amount_minor > given.amount_minor:
        raise RequestError(
            "amount.bad",
            "posted_amount_minor is more than amount_minor",
            field="posted_amount_minor",
        )


def _check_meaning(given: TransactionIn) -> None:
    """What the fields say together."""
    if given.send_before is not None:
        if given.posting is Posting.ADVICE:
            raise RequestError(
                "send_before.forbidden", "an advice has no send_before", field="send_before"
            )
        if given.send_before <= given.occurred_at:
            raise RequestError(
                "send_before.bad", "send_before is not after occurred_at", field="send_before"
            )
    if given.first_attempt_at is not None and given.attempts == 0:
        raise RequestError(
            "attempts.contradiction",
            "first_attempt_at is given but attempts is 0",
            field="attempts",
        )
    if given.kind in ABOUT_ANOTHER and given.refers_to is None:
        raise RequestError(
            "refers_to.missing", f"a {given.kind} needs refers_to", field="refers_to"
        )
    if given.refers_to == given.key:
        raise RequestError(
            "refers_to.self", "refers_to is the payment's own key", field="refers_to"
        )
    if given.covers and given.kind is not Kind.BATCH_UPLOAD:
        raise RequestError("covers.forbidden", f"a {given.kind} covers nothing", field="covers")
    if (given.reversal_key is None) != (not given.reversal_payloads):
        raise RequestError(
            "reversal.contradiction",
            "reversal_key and reversal_payloads belong together",
            field="reversal_key" if given.reversal_key is None else "reversal_payloads",
        )
    if given.reversal_key == given.key:
        raise RequestError(
            "reversal.contradiction", "reversal_key is the payment's own key", field="reversal_key"
        )


def _check_mask(given: TransactionIn) -> None:
    shown = given.card.masked if given.card else None
    if shown is not None and not _MASK.fullmatch(shown):
        raise RequestError(
            "card.bad_mask",
            "card.masked shows more than first six and last four",
            field="card.masked",
        )


def _uplink(given: str | None, configured: tuple[str, ...]) -> str:
    if not configured:
        return given or "default"
    names = ", ".join(configured)
    if given is None:
        if len(configured) == 1:
            return configured[0]
        raise RequestError(
            "request.missing_field",
            "uplink is missing and several are configured",
            field="uplink",
            hint=f"Configured are: {names}.",
        )
    if given not in configured:
        raise RequestError(
            "uplink.unknown",
            "uplink is not one of the configured",
            field="uplink",
            hint=f"Configured are: {names}.",
        )
    return given


def _submission(given: TransactionIn, uplink: str) -> Submission:
    payload = _payload(given)
    reversals = {
        reason: payload_part(part, payload, f"reversal_payloads.{reason}")
        for reason, part in given.reversal_payloads.items()
    }
    query = None
    if given.query_payload is not None:
        query = payload_part(given.query_payload, payload, "query_payload")
    card = Card(scheme=given.card.scheme, masked=given.card.masked) if given.card else None
    app = App(name=given.app.name, version=given.app.version) if given.app else None
    # By name: twenty times getattr() take as long as reading the JSON.
    transaction = Transaction(
        key=given.key, terminal_id=given.terminal_id, merchant_id=given.merchant_id,
        kind=given.kind, posting=given.posting, occurred_at=given.occurred_at, uplink=uplink,
        amount_minor=given.amount_minor, currency=given.currency,
        posted_amount_minor=given.posted_amount_minor, send_before=given.send_before,
        stan=given.stan, batch=given.batch, rrn=given.rrn, refers_to=given.refers_to,
        covers=given.covers, first_attempt_at=given.first_attempt_at, attempts=given.attempts,
        reversal_key=given.reversal_key, customer_saw=given.customer_saw, card=card, app=app,
        delivery=given.delivery,
    )  # fmt: skip
    return Submission(
        transaction=transaction,
        payload=payload,
        query_payload=query,
        reversal_payloads=reversals,
        confirmed=frozenset(given.confirmed),
        entry_ms=given.entry_ms,
        acknowledges=given.acknowledges,
    )


def _payload(given: TransactionIn) -> Payload:
    if given.payload is None:
        if given.delivery is Delivery.APP:
            # The agent never sends it, so there may be nothing to keep.
            return Payload(content_type="application/octet-stream", body=b"")
        raise RequestError("payload.missing", "the transaction has no payload", field="payload")
    return payload_of(given.payload)
