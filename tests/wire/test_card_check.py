"""Clear card data is refused wherever it is handed over, and never repeated in the answer."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from agent.wire.problem import RequestError, encode, problem
from agent.wire.submit import decode_submission

PAN = "6222021234567890128"
assert len(PAN) == 19
SALE: dict[str, Any] = {
    "key": "sale-1",
    "terminal_id": "T0000001",
    "merchant_id": "M1",
    "kind": "sale",
    "posting": "advice",
    "occurred_at": "2026-11-02T14:05:09+08:00",
    "amount_minor": 1250,
    "currency": "CNY",
    "payload": {"content_type": "application/json", "text": "{}"},
}


def sale(**changes: Any) -> bytes:
    return json.dumps({**SALE, **changes}).encode()


def with_payload(text: str, content_type: str = "application/json") -> bytes:
    return sale(payload={"content_type": content_type, "text": text})


def refused(raw: bytes) -> RequestError:
    with pytest.raises(RequestError) as caught:
        decode_submission(raw, ("main",))
    assert caught.value.code == "card.clear_data"
    assert PAN.encode() not in encode(problem(caught.value, submitting=True))
    return caught.value


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key": PAN}, "key"),
        ({"key": "4111-1111-1111-1111"}, "key"),
        ({"merchant_id": PAN}, "merchant_id"),
        ({"refers_to": PAN}, "refers_to"),
        ({"covers": [PAN], "kind": "batch_upload"}, "covers"),
        ({"app": {"name": f"till {PAN}"}}, "app.name"),
        ({"card": {"masked": "4111 1111 1111 1111"}}, "card.masked"),
        ({"rrn": int(PAN)}, "rrn"),
        ({"note": {"deep": [{"er": PAN}]}}, "note.deep.er"),
        ({"pan": None}, "pan"),
        ({"app": {"name": "till", "Card-Number": "x"}}, "app.Card-Number"),
        ({"card": {"expiry": "2512"}}, "card.expiry"),
        ({"cvv2": "123"}, "cvv2"),
        ({"pin_block": "A1B2C3D4"}, "pin_block"),
        ({"track2": "x"}, "track2"),
        ({"app": {PAN: 1}}, "app"),
        ({PAN: 1}, ""),
    ],
)
def test_metadata_is_refused_by_value_and_by_name(changes: dict[str, Any], field: str) -> None:
    """A number in any field, or a field that would hold card data, names only the field."""
    assert refused(sale(**changes)).field == field


@pytest.mark.parametrize(
    ("text", "content_type", "field"),
    [
        (json.dumps({"a": [PAN]}), "application/json", "payload"),
        (json.dumps({"a": int(PAN)}), "application/json", "payload"),
        (json.dumps({"a": {PAN: 1}}), "application/json", "payload"),
        ('{"a": "\\u0034111111111111111"}', "application/json", "payload"),
        ('{"p\\u0061n": "62220212"}', "application/json", "payload:pan"),
        ('{"cardNumber": 62220212}', "application/json", "payload:cardNumber"),
        ('{"card": {"cvv": "123"}}', "application/json", "payload:cvv"),
        ('[{"expiry": {"month": 12}}]', "application/json", "payload:expiry"),
        (f'{{"broken": {PAN}', "application/json", "payload"),
        (f"to;{PAN}=2512101", "text/plain", "payload"),
        (f"<sale><pan>{PAN}</pan></sale>", "application/xml", "payload"),
        ("<sale><cvv>123</cvv></sale>", "application/xml", "payload:cvv"),
        ("amount=1250&expiry=2512", "application/x-www-form-urlencoded", "payload:expiry"),
        (f"anything {PAN}", "application/vnd.acquirer", "payload"),
    ],
)
def test_textual_payloads_are_refused(text: str, content_type: str, field: str) -> None:
    """What can be read as text is read, whatever it is called."""
    assert refused(with_payload(text, content_type)).field == field


@pytest.mark.parametrize(
    ("text", "content_type"),
    [
        ('{"cardNumber": "622202******0123"}', "application/json"),
        ('{"pan": null, "cvv": "", "pin": false}', "application/json"),
        ('{"pan": {"token": "tok_1", "ksn": "FFFF9876543210E00001"}}', "application/json"),
        ('{"at": 20261102140509, "id": "f47ac10b-58cc-4372-a567-0e02b2c3d479"}', "text/json"),
        ("卡号: 622202******0123\nPIN: entered", "text/plain"),
        ("expiry", "text/plain"),
        ("{not json", "text/plain"),
        ('{"big": ' + "4" * 5000 + "}", "application/json"),
    ],
)
def test_masked_and_tokenised_payloads_pass(text: str, content_type: str) -> None:
    """Hosts dictate field names: a masked, empty or tokenised value under them is harmless."""
    assert decode_submission(with_payload(text, content_type), ("main",)).payload.body


def test_opaque_bytes_are_left_alone() -> None:
    """Ciphertext is not text, and nobody looks for numbers in it."""
    opaque = b"\x00\xff" + PAN.encode()
    raw = sale(
        payload={
            "content_type": "application/octet-stream",
            "base64": base64.b64encode(opaque).decode(),
        }
    )
    assert decode_submission(raw, ("main",)).payload.body == opaque


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (f"pay {PAN}".encode(), "application/octet-stream"),
        ("\ufeff" + json.dumps({"a": PAN}), "application/json"),
        (f"卡 {PAN}".encode("gb18030"), "text/plain; charset=gb18030"),
        (b"\x02" + f"{PAN}".encode() + b"\x03", "text/plain"),
    ],
)
def test_base64_does_not_hide_text(body: bytes | str, content_type: str) -> None:
    """Text handed over as base64 is looked at like text, in any charset that keeps ASCII."""
    raw = body.encode() if isinstance(body, str) else body
    sent = {"content_type": content_type, "base64": base64.b64encode(raw).decode()}
    assert refused(sale(payload=sent)).field == "payload"


def test_query_and_reversal_payloads_are_looked_at_too() -> None:
    """All bytes that will be stored are checked."""
    assert refused(sale(query_payload={"text": PAN})).field == "query_payload"
    reversal = {"reversal_key": "r-1", "reversal_payloads": {"timeout": {"text": PAN}}}
    assert refused(sale(**reversal)).field == "reversal_payloads.timeout"


def test_known_numbers_are_not_mistaken() -> None:
    """A 15-digit merchant number and a huge amount may look like cards; their fields say more."""
    got = decode_submission(
        sale(merchant_id="378282246310005", amount_minor=4111111111111111), ("main",)
    )
    assert got.transaction.merchant_id == "378282246310005"


def test_reasons_of_reversals_are_the_callers_words() -> None:
    """A reversal may be for the reason `pin`: that is no field of ours."""
    reversal = {"reversal_key": "r-1", "reversal_payloads": {"pin": {"text": "a"}}}
    assert decode_submission(sale(**reversal), ("main",)).reversal_payloads == {"pin": b"a"}


def test_an_impossible_field_name_is_not_repeated() -> None:
    """A field name with control characters or without end is refused without showing it."""
    for name in ("a\x1b[2J", "n" * 65):
        with pytest.raises(RequestError) as caught:
            decode_submission(sale(**{name: 1}), ("main",))
        assert caught.value.code == "request.unknown_field"
        assert name not in str(caught.value)
