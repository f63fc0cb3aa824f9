"""Clear card data is refused wherever it is handed over, and never repeated in the answer."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.wire.card_check import check_metadata
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
        ('{"a": 4.111111111111111e15}', "application/json", "payload"),
        ('{"a": [true,4.222222222222E+12]}', "application/json", "payload"),
        ('{"p_a-n": "62220212"}', "application/json", "payload:p_a-n"),
        ('{"Card No": "62220212"}', "application/json", "payload:Card No"),
        ('{"卡号": "62220212"}', "application/json", "payload:卡号"),
        ('{"trac\u212a": "62220212"}', "application/json", "payload:trac\u212a"),
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
        ('{"entry": "track", "cvm": "pin", "rate": 1e-3}', "application/json"),
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


def test_a_payload_that_is_no_text_is_looked_at_like_any_field() -> None:
    """Where its bytes should stand is no place to hide an object."""
    assert refused(sale(payload={"text": {"a": PAN}})).field == "payload.text.a"
    assert refused(sale(payload={"content_type": PAN})).field == "payload.content_type"
    assert refused(sale(app={"x": {"cvv": 1}})).field == "app.x.cvv"


def test_a_number_nobody_can_write_out_is_no_card() -> None:
    """More digits than a JSON writer takes: refused for its shape."""
    with pytest.raises(RequestError) as caught:
        decode_submission(sale(attempts=10**30), ("main",))
    assert caught.value.code == "request.bad_field"


@pytest.mark.parametrize("deep", [100, 480, 900, 960, 980])
def test_however_deep_a_field_is_it_is_looked_at(deep: int) -> None:
    """The nesting is the caller's: a number at the bottom is found or the request is no JSON."""
    body = sale(covers=[]).replace(
        b'"covers": []', b'"covers": ' + b"[" * deep + b'"4111111111111111"' + b"]" * deep
    )
    with pytest.raises(RequestError) as caught:
        decode_submission(body, ("main",))
    assert caught.value.code in ("card.clear_data", "request.not_json")


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


FULL: dict[str, Any] = {
    **SALE,
    "uplink": "main",
    "stan": "000123",
    "batch": "7",
    "rrn": "123456789012",
    "refers_to": "sale-0",
    "covers": ["sale-2"],
    "reversal_key": "rev-1",
    "reversal_payloads": {"98": {"content_type": "application/json", "text": "{}"}},
    "query_payload": {"content_type": "application/json", "text": "{}"},
    "card": {"scheme": "unionpay", "masked": "622202******0123"},
    "app": {"name": "收银台", "version": "3.1"},
    "confirmed": ["duplicate.suspected"],
    "kind": "batch_upload",
    "amount_minor": None,
    "currency": None,
}


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where the texts of a record are."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from _places(inner, (*path, name))
        case list():
            for index, inner in enumerate(value):
                yield from _places(inner, (*path, index))
        case str():
            yield path


@pytest.mark.parametrize("place", list(_places(FULL)), ids=str)
def test_no_text_of_a_record_may_hold_a_number(place: tuple[str | int, ...]) -> None:
    """Whatever a field may contain by its pattern: none is taken with a number in it."""
    changed = json.loads(json.dumps(FULL))
    decode_submission(json.dumps(changed).encode(), ("main",))
    inner = changed
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = f"a.{PAN}" if place[0] == "confirmed" else PAN
    refused(json.dumps(changed).encode())


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (f'{{"品名":"绿茶","备注":"{PAN}"}}', "payload"),
        ('{"备注":"卡号６２２２０２１２３４５６７８９０１２８"}', "payload"),
        ('{"品名":"绿茶","卡号":"x1"}', "payload:卡号"),
        ('{"品名":"绿茶","卡·号":"x1"}', "payload:卡·号"),
        ('{"品名":"绿茶","卡　号":"x1"}', "payload:卡　号"),
        ('{"品名":"绿茶","P·A·N":"x1"}', "payload:P·A·N"),
        ('{"品名":"绿茶","TRAC\u212a2":"x1"}', "payload:TRAC\u212a2"),
        ('{"品名":"绿茶，500ml","cvv":"123"}', "payload:cvv"),
        (json.dumps({"备注": PAN, "品名": "绿茶"}), "payload"),
        ('{"金额":4.111111111111111e15}', "payload"),
    ],
)
def test_chinese_payloads_are_looked_at_as_closely(text: str, field: str) -> None:
    """Letters beyond ASCII, and signs of theirs inside a name, hide nothing."""
    assert refused(with_payload(text)).field == field


@pytest.mark.parametrize(
    "text",
    [
        '{"品名":"绿茶，500ml（冰）","条码":"6901234567892","备注":"少糖！"}',
        "\ufeff" + '{"品名":"绿茶"}',
        "备注：少糖。订单号：20261122-00000012",
        json.dumps({"signs": "".join(map(chr, range(0x3001, 0x3020))), "品名": "绿茶"}),
    ],
)
def test_chinese_payloads_pass(text: str) -> None:
    """Punctuation of all kinds, article numbers and a byte order mark are harmless."""
    got = decode_submission(with_payload(text), ("main",))
    assert got.payload.body == text.encode()


def test_a_card_number_torn_in_two_by_a_sign_is_not_repeated_as_a_field_name() -> None:
    """The refusal of a name nobody could mean does not say it."""
    name = "622202123456789{0128"
    for value in ("\x1f", {"\0": None}):
        with pytest.raises(RequestError) as caught:
            check_metadata({name: value}, frozenset())
        assert "123456789" not in caught.value.what + caught.value.field
