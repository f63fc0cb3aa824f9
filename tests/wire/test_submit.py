"""The border check of a hand-over: what is taken, and the problem for everything that is not."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.core.money.transaction import MAX_PAYLOAD_BYTES, CustomerSaw, Delivery, Kind, Posting
from agent.wire.problem import CODES, RequestError
from agent.wire.submit import ABOUT_ANOTHER, ZERO_ALLOWED, decode_submission

SALE: dict[str, Any] = {
    "key": "sale-1",
    "terminal_id": "T0000001",
    "merchant_id": "305510059120001",
    "kind": "sale",
    "posting": "advice",
    "occurred_at": "2026-11-02T14:05:09+08:00",
    "uplink": "main",
    "amount_minor": 1250,
    "currency": "CNY",
    "payload": {"content_type": "application/json", "text": '{"amount":1250}'},
}
GONE = object()


def body(**changes: Any) -> bytes:
    merged = {k: v for k, v in {**SALE, **changes}.items() if v is not GONE}
    return json.dumps(merged).encode()


def refused(raw: bytes, uplinks: tuple[str, ...] = ("main",)) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_submission(raw, uplinks)
    assert caught.value.code in CODES
    return caught.value


def payload(**fields: Any) -> dict[str, Any]:
    return {"content_type": "application/json", **fields}


def test_the_least_a_payment_app_must_say() -> None:
    """Eight fields and a payload make a submission; the rest has defaults."""
    got = decode_submission(body(), ("main",))
    t = got.transaction
    assert (t.key, t.kind, t.posting, t.uplink) == ("sale-1", Kind.SALE, Posting.ADVICE, "main")
    assert t.occurred_at == datetime(2026, 11, 2, 6, 5, 9, tzinfo=UTC)
    assert (t.attempts, t.delivery, t.customer_saw) == (0, Delivery.AGENT, CustomerSaw.UNKNOWN)
    assert got.payload.body == b'{"amount":1250}'
    assert got.query_payload is None
    assert got.reversal_payloads == {}


def test_earlier_payments_are_acknowledged_by_key() -> None:
    """At most sixteen, each a key of the contract and none a card number in disguise."""
    got = decode_submission(body(acknowledges=["sale-0", "sale-00"]), ("main",))
    assert got.acknowledges == ("sale-0", "sale-00")
    assert decode_submission(body(), ("main",)).acknowledges == ()
    for bad in (["a b"], [""], "sale-0", [f"k{n}" for n in range(17)]):
        assert refused(body(acknowledges=bad)).field.startswith("acknowledges")
    assert refused(body(acknowledges=["4111111111111111"])).code == "card.clear_data"


def test_the_whole_record_is_taken() -> None:
    """Every field of the record has its place, also those whose behaviour comes later."""
    got = decode_submission(
        body(
            kind="void",
            posting="request",
            posted_amount_minor=1000,
            send_before="2026-11-02T06:06:00Z",
            stan="000123",
            batch="7",
            rrn="123456789012",
            refers_to="sale-0",
            first_attempt_at="2026-11-02T14:05:10+08:00",
            attempts=2,
            query_payload={"text": "status?"},
            reversal_key="rev-1",
            reversal_payloads={"timeout": payload(base64=base64.b64encode(b"\x02\x00").decode())},
            customer_saw="declined",
            card={"scheme": "unionpay", "masked": "622202******0123"},
            app={"name": "till", "version": "3.1"},
            delivery="app",
        ),
        ("main", "spare"),
    )
    t = got.transaction
    assert (t.refers_to, t.reversal_key, t.attempts, t.stan) == ("sale-0", "rev-1", 2, "000123")
    assert t.card is not None
    assert t.card.masked == "622202******0123"
    assert t.app is not None
    assert t.app.version == "3.1"
    assert (t.delivery, t.customer_saw) == (Delivery.APP, CustomerSaw.DECLINED)
    assert got.query_payload == b"status?"
    assert got.reversal_payloads == {"timeout": b"\x02\x00"}


def test_a_batch_upload_covers_and_has_no_amount() -> None:
    """Batch and settlement carry no amount of their own."""
    got = decode_submission(
        body(kind="batch_upload", amount_minor=GONE, currency=GONE, covers=["a", "b"]), ("main",)
    )
    assert got.transaction.covers == ("a", "b")


def test_the_app_that_sends_itself_need_not_hand_over_bytes() -> None:
    """With `delivery: app` there is nothing for the agent to send."""
    got = decode_submission(body(delivery="app", payload=GONE), ("main",))
    assert got.payload.body == b""


def test_text_goes_out_as_utf8_and_base64_as_its_bytes() -> None:
    """What the payment app signed is what the host will see."""
    text = decode_submission(body(payload=payload(text="金额")), ("main",))
    raw = decode_submission(
        body(payload={"content_type": "application/octet-stream", "base64": "AP8Q"}), ("main",)
    )
    assert text.payload.body == "金额".encode()
    assert raw.payload.body == b"\x00\xff\x10"


def test_the_only_uplink_need_not_be_named() -> None:
    """With one uplink it is that one; with none every name is taken and the payment kept."""
    assert decode_submission(body(uplink=GONE), ("main",)).transaction.uplink == "main"
    assert decode_submission(body(uplink="any"), ()).transaction.uplink == "any"
    assert decode_submission(body(uplink=GONE), ()).transaction.uplink == "default"


@pytest.mark.parametrize("kind", sorted(ZERO_ALLOWED))
def test_amounts_of_zero_where_the_trade_has_them(kind: Kind) -> None:
    """A card check and what takes a payment back may have the amount 0."""
    refers_to = "other" if kind in ABOUT_ANOTHER else GONE
    got = decode_submission(body(kind=kind, amount_minor=0, refers_to=refers_to), ("main",))
    assert got.transaction.amount_minor == 0


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "request.not_json"),
        (b"{", "request.not_json"),
        (b'{"key": NaN}', "request.not_json"),
        (b'{"key": "\xff"}', "request.not_json"),
        (b'{"key": "\\ud800"}', "request.not_json"),
        (b"[" * 100_000, "request.not_json"),
        (b"{}x", "request.not_json"),
        (b"[]", "request.not_object"),
        (b'"text"', "request.not_object"),
        (b"null", "request.not_object"),
        (b"{}", "key.missing"),
    ],
)
def test_what_is_no_json_object(raw: bytes, code: str) -> None:
    """Anything but one JSON object is refused before it is looked at."""
    assert refused(raw).code == code


BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"foo": 1}, "request.unknown_field", "foo"),
    ({"app": {"name": "till", "vendor": "x"}}, "request.unknown_field", "app.vendor"),
    ({"terminal_id": GONE}, "request.missing_field", "terminal_id"),
    ({"kind": GONE}, "request.missing_field", "kind"),
    ({"occurred_at": GONE}, "request.missing_field", "occurred_at"),
    ({"app": {"version": "1"}}, "request.missing_field", "app.name"),
    ({"kind": "gift"}, "request.bad_field", "kind"),
    ({"posting": "maybe"}, "request.bad_field", "posting"),
    ({"terminal_id": "T" * 17}, "request.bad_field", "terminal_id"),
    ({"terminal_id": "T 1"}, "request.bad_field", "terminal_id"),
    ({"merchant_id": "商户"}, "request.bad_field", "merchant_id"),
    ({"app": {"name": "x" * 65}}, "request.bad_field", "app.name"),
    ({"attempts": -1}, "request.bad_field", "attempts"),
    ({"attempts": 10**30}, "request.bad_field", "attempts"),
    ({"stan": 123}, "request.bad_field", "stan"),
    ({"covers": ["a b"], "kind": "batch_upload"}, "request.bad_field", "covers[0]"),
    ({"app": {"name": "a\u202eb"}}, "request.control_character", "app.name"),
    ({"app": {"name": "a\nb"}}, "request.control_character", "app.name"),
    ({"key": GONE}, "key.missing", "key"),
    ({"key": None}, "key.bad", "key"),
    ({"key": ""}, "key.bad", "key"),
    ({"key": "a b"}, "key.bad", "key"),
    ({"key": "ключ"}, "key.bad", "key"),
    ({"key": "k" * 65}, "key.bad", "key"),
    ({"key": 7}, "key.bad", "key"),
    ({"key": "abc\n"}, "request.control_character", "key"),
    ({"amount_minor": -1}, "amount.bad", "amount_minor"),
    ({"amount_minor": 0}, "amount.bad", "amount_minor"),
    ({"amount_minor": 12.5}, "amount.bad", "amount_minor"),
    ({"amount_minor": 12.0}, "amount.bad", "amount_minor"),
    ({"amount_minor": "12"}, "amount.bad", "amount_minor"),
    ({"amount_minor": True}, "amount.bad", "amount_minor"),
    ({"amount_minor": 2**53 + 1}, "amount.bad", "amount_minor"),
    ({"amount_minor": 10**4000}, "amount.bad", "amount_minor"),
    ({"posted_amount_minor": 1251}, "amount.bad", "posted_amount_minor"),
    ({"amount_minor": GONE}, "amount.missing", "amount_minor"),
    ({"currency": GONE}, "amount.missing", "currency"),
    ({"kind": "settlement"}, "amount.forbidden", "amount_minor"),
    ({"kind": "settlement", "amount_minor": GONE}, "amount.forbidden", "amount_minor"),
    ({"currency": "cny"}, "currency.bad", "currency"),
    ({"currency": "XXX"}, "currency.bad", "currency"),
    ({"currency": "156"}, "currency.bad", "currency"),
    ({"occurred_at": "2026-11-02T14:05:09"}, "time.bad", "occurred_at"),
    ({"occurred_at": "2026-11-02"}, "time.bad", "occurred_at"),
    ({"occurred_at": 1795000000}, "time.bad", "occurred_at"),
    ({"send_before": "2026-11-02T06:06:00Z"}, "send_before.forbidden", "send_before"),
    (
        {"send_before": "2026-11-02T14:05:09+08:00", "posting": "request"},
        "send_before.bad",
        "send_before",
    ),
    ({"first_attempt_at": "2026-11-02T06:05:09Z"}, "attempts.contradiction", "attempts"),
    ({"kind": "void"}, "refers_to.missing", "refers_to"),
    ({"kind": "preauth_completion"}, "refers_to.missing", "refers_to"),
    ({"kind": "reversal"}, "refers_to.missing", "refers_to"),
    ({"refers_to": "sale-1"}, "refers_to.self", "refers_to"),
    ({"covers": ["a"]}, "covers.forbidden", "covers"),
    ({"uplink": "spare"}, "uplink.unknown", "uplink"),
    ({"payload": GONE}, "payload.missing", "payload"),
    ({"payload": payload()}, "payload.missing", "payload"),
    ({"payload": payload(text="")}, "payload.missing", "payload"),
    ({"payload": payload(text="a", base64="YQ==")}, "payload.ambiguous", "payload"),
    ({"payload": payload(base64="YQ")}, "payload.bad_base64", "payload.base64"),
    ({"payload": payload(base64="YQ==\nYQ==")}, "payload.bad_base64", "payload.base64"),
    ({"payload": payload(base64="ä===")}, "payload.bad_base64", "payload.base64"),
    ({"payload": {"text": "a"}}, "payload.bad_type", "payload.content_type"),
    ({"payload": payload(text="a", content_type="json")}, "payload.bad_type",
     "payload.content_type"),
    ({"payload": payload(text="a", content_type="a/b\r\nX: y")}, "request.control_character",
     "payload.content_type"),
    ({"payload": payload(text="a", content_type="text/plain; charset=gb18030")},
     "payload.charset", "payload"),
    ({"query_payload": {"text": "a", "content_type": "text/plain"}}, "payload.type_mismatch",
     "query_payload.content_type"),
    ({"payload": payload(text="x" * (MAX_PAYLOAD_BYTES + 1))}, "payload.too_large", "payload"),
    ({"payload": payload(text="金" * (MAX_PAYLOAD_BYTES // 2))}, "payload.too_large", "payload"),
    ({"reversal_key": "rev-1"}, "reversal.contradiction", "reversal_payloads"),
    ({"reversal_payloads": {"timeout": payload(text="a")}}, "reversal.contradiction",
     "reversal_key"),
    ({"reversal_key": "sale-1", "reversal_payloads": {"timeout": payload(text="a")}},
     "reversal.contradiction", "reversal_key"),
    ({"card": {"masked": "62220212****0123"}}, "card.bad_mask", "card.masked"),
    ({"card": {"masked": "622202"}}, "card.bad_mask", "card.masked"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "code", "field"), BAD)
def test_everything_wrong_has_its_own_problem(
    changes: dict[str, Any], code: str, field: str
) -> None:
    """Each mistake is answered with its stable code and the field that is to blame."""
    error = refused(body(**changes))
    assert (error.code, error.field) == (code, field)
    assert error.what


def test_an_unknown_uplink_names_the_configured_ones() -> None:
    """Whoever mistypes a name is shown what exists."""
    assert "main, spare" in refused(body(uplink="mian"), ("main", "spare")).hint
    missing = refused(body(uplink=GONE), ("main", "spare"))
    assert missing.code == "request.missing_field"
    assert "main, spare" in missing.hint


def test_the_largest_amount_is_taken() -> None:
    """2^53 is the last amount every JSON reader keeps exact."""
    got = decode_submission(body(amount_minor=2**53), ("main",))
    assert got.transaction.amount_minor == 2**53


def test_problems_never_repeat_what_was_sent() -> None:
    """Details and hints name fields and limits, not values."""
    for changes in ({"kind": "s3cret"}, {"currency": "s3cret"}, {"key": "s3cret value"}):
        error = refused(body(**changes))
        assert "s3cret" not in str(error)
