"""Bodies handed to the local API: a submission, or one sentence that quotes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money.transaction import Submission
from agent.wire import problem
from agent.wire.api import OPERATIONS, Operation, arguments_of
from agent.wire.problem import RequestError
from agent.wire.submit import decode_submission
from tests.fuzz.effort import CARD, SECRET, effort, mutated

SALE: dict[str, Any] = {
    "key": "sale-1", "terminal_id": "T0000001", "merchant_id": "M00000000000001", "kind": "sale",
    "posting": "advice", "occurred_at": "2026-12-01T14:05:09+08:00", "amount_minor": 1250,
    "currency": "CNY", "stan": "000001", "batch": "000001", "attempts": 1,
    "first_attempt_at": "2026-12-01T14:05:09+08:00", "app": {"name": "till", "version": "1"},
    "card": {"scheme": "UnionPay", "masked": "622202******0128"}, "customer_saw": "approved",
    "payload": {"content_type": "application/json", "text": "{}"},
    "reversal_key": "sale-1-r",
    "reversal_payloads": {"98": {"content_type": "application/json", "base64": "e30="}},
}  # fmt: skip
#: What else an API takes: every name of every contract, with values that fit somewhere.
VALUES: list[Any] = [
    None, True, 0, -1, 1250, 2**53 + 1, 2**70, 1e300, 0.5, "", "x", "sale-1", "CNY", "00", "posted",
    "2026-12-01T14:05:09+08:00", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59-23:59", "\x00",
    "\ud800", "é" * 70, CARD, f"card {CARD}", SECRET, [], {}, [[]], {"a": 1}, [SECRET],
    {"text": SECRET}, {"content_type": "text/plain", "base64": "=" * 9},
    {"content_type": "text/plain", "text": SECRET, "base64": ""}, {CARD: 1}, {SECRET: {}},
]  # fmt: skip
NAMES = sorted(
    {name for operation in OPERATIONS for name in operation.arguments.__struct_fields__}
    | {"text", "base64", "content_type", "pan", "track2", SECRET, CARD, "", "\x00", "a.b"}
)
TELLING = [
    b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\u0000", b"\\ud800", b"\\", b"\xff", b"1e9",
    b"1e999999", b"-0", b"null", b"\xef\xbb\xbf", b"NaN", CARD.encode(), SECRET.encode(),
]  # fmt: skip

values = st.recursive(
    st.sampled_from(VALUES) | st.text(max_size=8) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def documents(draw: st.DrawFn, base: dict[str, Any]) -> bytes:
    """A good document with some members changed, taken out or added."""
    document = dict(base)
    for name in draw(st.lists(st.sampled_from([*document, *NAMES]), max_size=4)):
        if draw(st.booleans()):
            document[name] = draw(values)
        else:
            document.pop(name, None)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def refused(error: RequestError) -> None:
    """It is a refusal of the contract, and says nothing it was given."""
    assert error.code in problem.CODES
    document = problem.problem(error, submitting=True)
    assert document.status in (400, 409, 413, 415, 422, 429)
    said = problem.encode(document).decode()
    for canary in (CARD, CARD[6:-4], SECRET):
        assert canary not in said or SECRET in error.field, said
    assert CARD not in error.field


@effort(500)
@given(mutated(documents(SALE), TELLING))
def test_a_submission_or_a_refusal(body: bytes) -> None:
    """Nothing else can come out of any bytes, and an accepted one keeps what it was given."""
    try:
        found = decode_submission(body, ("host",))
    except RequestError as error:
        refused(error)
        return
    assert isinstance(found, Submission)
    assert found.transaction.key in body.decode("utf-8", "replace") or b"\\u" in body


@effort(400)
@given(st.data(), st.sampled_from(OPERATIONS))
def test_the_arguments_of_every_operation_or_a_refusal(
    data: st.DataObject, operation: Operation
) -> None:
    """Path, query and body together: arguments of the contract, or a refusal."""
    names = [*operation.arguments.__struct_fields__, *NAMES]
    in_path = {"key": data.draw(st.sampled_from(["sale-1", "", "a b", "x" * 65, "\x00", CARD]))}
    if "{key}" not in operation.path:
        in_path = {}
    query = data.draw(
        st.dictionaries(
            st.sampled_from(names), st.text(max_size=5) | st.sampled_from(["1", "true"]), max_size=2
        )
    )
    body = b""
    if operation.method != "GET":
        filled = st.dictionaries(st.sampled_from(names), values, max_size=4)
        raw = data.draw(filled.map(lambda d: json.dumps(d).encode("utf-8", "surrogatepass")))
        body = data.draw(mutated(st.just(raw), TELLING))
    try:
        found = arguments_of(operation, in_path, query, body)
    except RequestError as error:
        refused(error)
    else:
        assert isinstance(found, operation.arguments)


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 900_000,
        b'{"a":' * 150_000,
        b'{"key":"' + b"\\" * 900_000,
        b'{"key":"' + b"1" * 900_000 + b'"}',
        b'{"amount_minor":' + b"9" * 900_000 + b"}",
        b'{"key":"k","memo":"' + b"4111 " * 200_000 + b'"}',
        b"{" + b",".join(b'"k%d":1' % n for n in range(80_000)) + b"}",
        b'{"payload":{"content_type":"text/plain","text":"' + b"6222 0" * 150_000 + b'"}}',
        b'{"payload":{"content_type":"application/json","base64":"' + b"QUFB" * 60_000 + b'"}}',
        b'{"payload":{"content_type":"text/plain","text":"' + b"%32" * 87_000 + b'"}}',
        b'{"payload":{"content_type":"text/plain","text":"' + b"6" * 262_000 + b'"}}',
    ],
    ids=lambda body: body[:12].decode(),
)  # fmt: skip
def test_the_largest_bodies_end_in_a_moment(body: bytes) -> None:
    """A megabyte of the worst: an answer long before the handler's deadline."""
    if body.startswith(b'{"payload"'):
        body = json.dumps(SALE | json.loads(body)).encode()
    try:
        decode_submission(body, ())
    except RequestError as error:
        refused(error)


@pytest.mark.parametrize(
    "body",
    [
        {CARD: {"\x01": 1}},
        {CARD: "\x1f"},
        {"memo": {CARD: {"a" * 70: 1}}},
        {CARD: {"pan": "x"}},
        {f"card {CARD}": ["\x00"]},
    ],
    ids=str,
)
def test_a_number_for_a_name_is_not_named_as_the_place_of_another_fault(
    body: dict[str, Any],
) -> None:
    """Every refusal names its place, to the caller and in the log; this one names none."""
    with pytest.raises(RequestError) as caught:
        decode_submission(json.dumps(SALE | body).encode(), ())
    refused(caught.value)
    assert caught.value.code == "card.clear_data"


def test_a_number_for_a_key_is_not_answered_back() -> None:
    """Looked up, it would stand in "no payment with key …"."""
    show = next(operation for operation in OPERATIONS if operation.name == "queue_show")
    with pytest.raises(RequestError) as caught:
        arguments_of(show, {"key": CARD}, {}, b"")
    refused(caught.value)
    assert caught.value.code == "card.clear_data"
