"""A host's JSON: an answer of the contract, or a sentence that quotes nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money.delivery import Answer
from agent.core.money.journal import State
from agent.http.outcome import Answered
from agent.uplink.https import HttpsUplink
from agent.wire.host import HostAnswer, host_answer
from tests.core.money.payments import record
from tests.fuzz.effort import CARD, SECRET, effort, mutated, silent

GOOD: dict[str, Any] = {
    "key": "k", "terminal_id": "T0000001", "status": "posted", "amount_minor": 1250,
    "currency": "CNY", "reference": "R-1", "response_code": "00", "rrn": "123456789012",
    "posted_at": "2026-12-01T06:05:09Z", "posted_amount_minor": 1250, "text": SECRET,
    "duplicate": False,
}  # fmt: skip
VALUES: list[Any] = [
    None, True, 0, -1, 1e300, 2**63, 2**200, "", "k", "K", "posted", "declined", "not_found",
    "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+23:59", "2026-12-01", SECRET, CARD, [], {},
    [[[]]], {"key": "k"}, "\ud800", "\x00", "é",
]  # fmt: skip
TELLING = [
    b'"key":"k",', b'"status":"declined",', b"{", b"}", b",", b'"', b"\\", b"\xff", b"NaN",
    b"1e999", b"\xef\xbb\xbf", b"null", b"\x00", SECRET.encode(),
]  # fmt: skip
STATUSES = [
    200,
    201,
    202,
    204,
    206,
    299,
    300,
    302,
    400,
    401,
    402,
    403,
    404,
    408,
    409,
    422,
    429,
    500,
]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """A good answer with some members changed or gone."""
    body = dict(GOOD)
    for name in draw(st.lists(st.sampled_from([*GOOD, "more"]), max_size=3)):
        if draw(st.booleans()):
            body[name] = draw(st.sampled_from(VALUES))
        else:
            body.pop(name, None)
    return json.dumps(body).encode("utf-8", "surrogatepass")


@effort(400)
@given(mutated(bodies(), TELLING))
def test_an_answer_or_a_sentence(body: bytes) -> None:
    """Nothing else comes out of any bytes, and the sentence says nothing of them."""
    found = host_answer(body)
    if isinstance(found, str):
        silent(found)
    else:
        assert isinstance(found, HostAnswer)


class _Client:
    """Answers one request with what it was given."""

    def __init__(self, answered: Answered) -> None:
        self._answered = answered

    async def request(self, *_: object, **__: object) -> Answered:
        return self._answered

    async def close(self) -> None:
        return None


@effort(300)
@given(
    mutated(bodies(), TELLING), st.sampled_from(STATUSES), st.booleans(), st.sampled_from(VALUES)
)
def test_no_answer_proves_money_it_does_not_name(
    body: bytes, status: int, asked: bool, retry_after: object
) -> None:
    """Posted or declined is only read where key, terminal, amount and currency are ours."""
    headers = {"content-type": "application/json", "retry-after": str(retry_after)}
    client = _Client(Answered(status=status, headers=headers, body=body))
    uplink = HttpsUplink("http://127.0.0.1/pay", client, answer_timeout_s=1.0)  # type: ignore[arg-type]
    payment = record("k", state=State.SENDING)
    asking = uplink.query(payment)
    if not asked:
        asking.close()
        payload: Any = type("P", (), {"content_type": "a/b", "body": b""})()
        asking = uplink.post(payment, payload, 1, None)  # type: ignore[arg-type]
    try:
        asking.send(None)
    except StopIteration as end:
        reply = end.value
    silent(reply.note)
    assert reply.retry_after_s is None or reply.retry_after_s >= 0
    if reply.answer in (Answer.POSTED, Answer.DUPLICATE, Answer.DECLINED):
        # The strict reading of the same bytes by another parser.
        said = json.loads(body)
        t = payment.transaction
        assert (said["key"], said["terminal_id"]) == (t.key, t.terminal_id)
        if reply.answer is not Answer.DECLINED or "amount_minor" in said:
            assert (said["amount_minor"], said["currency"]) == (t.amount_minor, t.currency)


def test_what_is_not_utf_8_in_a_field_nobody_keeps_is_no_json_either() -> None:
    """A proof is read strictly, to its last byte."""
    broken = json.dumps(GOOD).encode().replace(b'"text"', b'"\x80text"')
    assert host_answer(broken) == "not JSON, or cut off"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 1_000_000,
        b'{"a":' * 200_000,
        b'{"key":"' + b"x" * 1_000_000,
        b"9" * 1_000_000,
        b'{"text":"' + rb"\u4e2d" * 170_000 + b'"}',
        b"{" + b'"a":1,' * 150_000 + b"}",
    ],
    ids=lambda body: body[:10].decode(),
)
def test_the_largest_answers_end_in_a_moment(body: bytes) -> None:
    """A megabyte of the worst is a sentence."""
    assert isinstance(host_answer(body), str)
