"""What a host's HTTP answer is worth: bound to its payment, or no answer at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent.core.money.delivery import Answer, Reply
from agent.core.money.journal import Record
from agent.core.money.transaction import Payload
from agent.http.client import Answered, NotSent, Outcome, Unanswered
from agent.uplink.https import HttpsUplink
from tests.core.money.payments import record

PAYLOAD = Payload(content_type="application/octet-stream", body=b"\x00\xffbytes\r\n")


class Wire:
    """Stands for the HTTP client: remembers the request, gives the answer it was made with."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.method = self.target = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.closed = False

    async def request(
        self,
        method: str,
        target: str,
        headers: list[tuple[str, str]],
        body: bytes,
        *,
        before_first_byte: Callable[[], Awaitable[None]] | None = None,
        answer_timeout_s: float,
    ) -> Outcome:
        del answer_timeout_s
        self.method, self.target, self.headers, self.body = method, target, dict(headers), body
        if before_first_byte is not None:
            await before_first_byte()
        return self.outcome

    async def close(self) -> None:
        self.closed = True


def body(**changes: Any) -> bytes:
    answer = {
        "key": "k1",
        "terminal_id": "T0000001",
        "status": "posted",
        "amount_minor": 1250,
        "currency": "CNY",
        "reference": "R-9",
        "response_code": "00",
    }
    return json.dumps({**answer, **changes}).encode()


def answered(status: int, content: bytes = b"", **headers: str) -> Answered:
    return Answered(
        status=status,
        headers={name.replace("_", "-"): text for name, text in headers.items()},
        body=content,
    )


async def nothing() -> None:
    return None


def post(outcome: Outcome, it: Record | None = None, **options: Any) -> tuple[Reply, Wire]:
    wire = Wire(outcome)
    uplink = HttpsUplink("https://host.example/v1/tx", wire, answer_timeout_s=5, **options)
    return asyncio.run(uplink.post(it or record(), PAYLOAD, 1, nothing)), wire


def query(outcome: Outcome) -> tuple[Reply, Wire]:
    wire = Wire(outcome)
    uplink = HttpsUplink("https://host.example/v1/tx/", wire, answer_timeout_s=5)
    return asyncio.run(uplink.query(record())), wire


def test_the_payload_travels_byte_for_byte_under_its_key() -> None:
    """Key, terminal, amount and attempt are headers; the body is what the app handed over."""
    _, wire = post(answered(201, body()), record(of={"attempts": 2}))
    assert (wire.method, wire.target) == ("POST", "/v1/tx")
    assert wire.body == PAYLOAD.body
    assert wire.headers["Idempotency-Key"] == "k1"
    assert wire.headers["Content-Type"] == "application/octet-stream"
    assert wire.headers["Terminal-Id"] == "T0000001"
    assert wire.headers["Transaction-Amount"] == "1250 CNY"
    assert wire.headers["Attempt"] == "3", "the app's own attempts count: it may be a repeat"


def test_u3_u6_u11_a_bound_answer_is_proof() -> None:
    """Posted, had it already, declined: each with the host's own result."""
    reply, _ = post(answered(201, body()))
    assert reply.answer is Answer.POSTED
    assert reply.result is not None
    assert (reply.result.reference, reply.result.response_code) == ("R-9", "00")
    assert post(answered(200, body(duplicate=True)))[0].answer is Answer.DUPLICATE
    declined, _ = post(answered(402, body(status="declined", response_code="51")))
    assert declined.answer is Answer.DECLINED
    assert "51" in declined.note


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", Answer.UNREADABLE),
        (b"<html>", Answer.UNREADABLE),
        (body()[:-3], Answer.UNREADABLE),
        (b"[]", Answer.UNREADABLE),
        (body(status="maybe"), Answer.UNREADABLE),
        (body(amount_minor="1250"), Answer.UNREADABLE),
        (body(status="mismatch"), Answer.UNREADABLE),
        (body(status="not_found"), Answer.UNREADABLE),
        (body(key="k2"), Answer.FOREIGN),
        (body(terminal_id="T0000002"), Answer.FOREIGN),
        (body(amount_minor=1), Answer.FOREIGN),
        (body(currency="USD"), Answer.FOREIGN),
        (body(terminal_id=None), Answer.FOREIGN),
        (body(status="in_progress"), Answer.IN_PROGRESS),
    ],
)
def test_u4_u5_a_success_that_is_not_bound_proves_nothing(content: bytes, expected: Answer) -> None:
    """200 with the wrong, a foreign or no echo is never read as posted."""
    assert post(answered(200, content))[0].answer is expected


@pytest.mark.parametrize(
    ("status", "expected", "cause"),
    [
        (302, Answer.REDIRECT, ""),
        (400, Answer.REJECTED, ""),
        (401, Answer.UNAUTHORISED, "config.credential_expired"),
        (403, Answer.UNAUTHORISED, "config.permission_denied"),
        (404, Answer.REJECTED, ""),
        (408, Answer.BUSY, ""),
        (409, Answer.IN_PROGRESS, ""),
        (413, Answer.REJECTED, ""),
        (418, Answer.UNREADABLE, ""),
        (422, Answer.MISMATCH, ""),
        (429, Answer.BUSY, ""),
        (500, Answer.ERROR, ""),
        (502, Answer.ERROR, ""),
        (503, Answer.BUSY, "host.maintenance"),
        (599, Answer.ERROR, ""),
    ],
)
def test_every_other_status_has_one_meaning(status: int, expected: Answer, cause: str) -> None:
    """U7-U15; the note names the status and never quotes the host."""
    reply, _ = post(answered(status, b'{"error":"4111 1111 1111 1111"}'))
    assert (reply.answer, reply.cause) == (expected, cause)
    assert "4111" not in reply.note


def test_a_profile_may_read_a_status_its_own_way() -> None:
    """`outcomes` in the configuration, for hosts that differ from the contract."""
    reply, _ = post(answered(418), outcomes={"418": "busy"})
    assert reply.answer is Answer.BUSY
    reply, _ = post(answered(451, body(status="declined")), outcomes={"451": "declined"})
    assert reply.answer is Answer.DECLINED
    reply, _ = post(answered(451, b""), outcomes={"451": "declined"})
    assert reply.answer is Answer.UNREADABLE, "a decline needs its echo like everything final"


def test_silence_is_told_apart_by_whether_bytes_left() -> None:
    """U1 keeps its cause; U2 is doubt."""
    reply, _ = post(NotSent(layer="dns", reason="no such name", code="network.dns_failed"))
    assert (reply.answer, reply.cause) == (Answer.NOT_SENT, "network.dns_failed")
    reply, _ = post(Unanswered(reason="reset", sent_bytes=10))
    assert (reply.answer, reply.note) == (Answer.NO_ANSWER, "reset")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "120"}, 120.0),
        ({"retry_after": "-5"}, None),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "9" * 40}, 1_000_000.0),
        (
            {
                "retry_after": "Sat, 21 Nov 2026 10:05:00 GMT",
                "date": "Sat, 21 Nov 2026 10:00:00 GMT",
            },
            300.0,
        ),
        (
            {
                "retry_after": "Sat, 21 Nov 2026 09:00:00 GMT",
                "date": "Sat, 21 Nov 2026 10:00:00 GMT",
            },
            0.0,
        ),
        ({"retry_after": "Sat, 21 Nov 2026 10:05:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read_without_our_own_clock(
    headers: dict[str, str], seconds: float | None
) -> None:
    """A date counts from the host's own Date; without one it says nothing."""
    assert post(answered(503, **headers))[0].retry_after_s == seconds


def test_u17_a_status_answer_is_judged_like_a_post() -> None:
    """Posted and declined are final when bound, in progress waits."""
    reply, wire = query(answered(200, body()))
    assert (wire.method, wire.target) == ("GET", "/v1/tx/k1")
    assert wire.headers["Terminal-Id"] == "T0000001"
    assert reply.answer is Answer.POSTED
    assert query(answered(200, body(key="k2")))[0].answer is Answer.FOREIGN
    assert query(answered(200, body(status="in_progress")))[0].answer is Answer.IN_PROGRESS
    assert query(answered(500))[0].answer is Answer.ERROR
    assert query(NotSent(layer="tcp", reason="refused"))[0].answer is Answer.NOT_SENT


def test_u18_only_a_404_that_names_the_payment_is_an_authoritative_not_found() -> None:
    """A gateway's 404 says nothing about anybody's money."""
    named = json.dumps({"key": "k1", "terminal_id": "T0000001", "status": "not_found"}).encode()
    other = json.dumps({"key": "k2", "terminal_id": "T0000001", "status": "not_found"}).encode()
    assert query(answered(404, named))[0].answer is Answer.NOT_FOUND
    assert query(answered(404, other))[0].answer is Answer.FOREIGN
    for content in (b"", b"<html>Not Found</html>", body()):
        assert query(answered(404, content))[0].answer is Answer.UNSUPPORTED
    assert query(answered(405))[0].answer is Answer.UNSUPPORTED


def test_closing_closes_the_client() -> None:
    """Kept connections end with the uplink."""
    wire = Wire(answered(200))
    asyncio.run(HttpsUplink("https://h/", wire, answer_timeout_s=1).close())
    assert wire.closed
