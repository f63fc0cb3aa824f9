"""Answers no host should give: none may cost a payment its proof or the daemon its peace."""

from __future__ import annotations

import json

import pytest

from agent.core.money.delivery import Answer
from agent.core.money.journal import Record
from agent.http.client import Answered, Unanswered
from agent.store.rows import result_of, result_text
from tests.core.money.payments import record
from tests.uplink.test_answers import answered, body, post, query


def test_a_time_without_a_zone_does_not_cost_the_payment_its_proof() -> None:
    """Nobody can say when that was; the posting is as good as any other, and can be stored."""
    reply, _ = post(answered(201, body(posted_at="2026-11-22T10:00:00")))
    assert reply.answer is Answer.POSTED
    assert reply.result is not None
    assert reply.result.posted_at is None
    assert result_of(result_text(reply.result)) == reply.result


def test_every_result_a_host_can_give_can_be_stored() -> None:
    """Absurd years, absurd numbers, absurd lengths, control characters."""
    reply, _ = post(
        answered(
            201,
            body(
                posted_at="0001-01-01T00:00:00+14:00",
                posted_amount_minor=10**30,
                reference="R" * 5_000,
                text="line\r\nforged: event=posted\x1b[2J" + "x" * 500,
                rrn="1\x002",
            ),
        )
    )
    assert reply.answer is Answer.POSTED
    result = reply.result
    assert result is not None
    assert result_of(result_text(result)) is not None
    assert len(result.reference or "") == 64
    assert len(result.text or "") <= 120
    assert (result.text or "").isprintable()
    assert result.rrn == "1 2"


@pytest.mark.parametrize(
    "content",
    [
        b'{"key":"k1","status":"posted","x":' + b"[" * 100_000,
        b'{"key":"k1","status":"po\xe4"}',
        b'{"key":"k1","status":"posted","text":"\\ud800"}',
        b"null",
        b"[]",
    ],
    ids=["nested without end", "not UTF-8", "half a character", "null", "an array"],
)
def test_what_no_reader_can_read_is_an_answer_too(content: bytes) -> None:
    """It leaves the payment in doubt, and nothing is raised."""
    assert post(answered(200, content))[0].answer is Answer.UNREADABLE
    assert query(answered(200, content))[0].answer is Answer.UNREADABLE


def test_no_word_of_the_hosts_body_gets_into_a_note() -> None:
    """A host that quotes a card number back must not put it into history and log."""
    reply, _ = post(answered(200, body(status="4111111111111111")))
    assert reply.answer is Answer.UNREADABLE
    assert "4111" not in reply.note
    assert "$.status" in reply.note


def test_a_refusal_that_claims_to_have_posted_is_no_proof() -> None:
    """402 with `posted` in it contradicts itself."""
    assert post(answered(402, body()))[0].answer is Answer.UNREADABLE
    assert post(answered(460, body()), outcomes={"460": "declined"})[0].answer is Answer.UNREADABLE
    reply, _ = post(answered(460, body(status="declined")), record(), outcomes={"460": "declined"})
    assert reply.answer is Answer.DECLINED


@pytest.mark.parametrize("wrong", ["key", "terminal_id", "currency", "amount_minor"])
def test_u5_a_connection_that_answers_for_others_is_not_used_again(wrong: str) -> None:
    """What comes next on it would be another's answer as well."""
    content = body(**{wrong: 1 if wrong == "amount_minor" else "X"})
    for reply, wire in (post(answered(200, content)), query(answered(200, content))):
        assert (reply.answer, wire.closed) == (Answer.FOREIGN, True)
    assert not post(answered(200, body()))[1].closed


def test_u18_not_found_under_another_status_proves_nothing() -> None:
    """Only a 404 is the contract's word for it."""
    not_found = json.dumps({"key": "k1", "terminal_id": "T0000001", "status": "not_found"}).encode()
    assert query(answered(404, not_found))[0].answer is Answer.NOT_FOUND
    for status in (405, 501):
        assert query(answered(status, not_found))[0].answer is Answer.UNSUPPORTED
    assert query(answered(200, not_found))[0].answer is Answer.UNREADABLE


@pytest.mark.parametrize(
    ("after", "date"),
    [
        ("²", ""),
        ("-5", ""),
        ("Fri, 31 Dec 9999 23:59:59 -1200", "Sun, 22 Nov 2026 10:00:00 GMT"),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "Fri, 31 Dec 9999 23:59:59 -1200"),
        ("soon", "now"),
    ],
)
def test_a_retry_after_that_makes_no_sense_is_left_out(after: str, date: str) -> None:
    """The back-off is ours then; no form of it may raise."""
    outcome = Answered(status=503, headers={"retry-after": after, "date": date})
    reply, _ = post(outcome)
    assert (reply.answer, reply.retry_after_s) == (Answer.BUSY, None)


def test_the_cause_of_a_connection_that_broke_later_is_kept() -> None:
    """Under TLS 1.3 a refused client certificate shows only after the first bytes have left."""
    broken = Unanswered(reason="TLS broke off", sent_bytes=10, code="tls.client_rejected")
    reply, _ = post(broken)
    assert (reply.answer, reply.cause) == (Answer.NO_ANSWER, "tls.client_rejected")


def test_a_payment_without_amount_is_bound_without_one() -> None:
    """A settlement echoes null for both; an amount out of nowhere is another's."""
    from agent.core.money.transaction import Kind

    it: Record = record(of={"kind": Kind.SETTLEMENT, "amount_minor": None, "currency": None})
    reply, wire = post(answered(201, body(amount_minor=None, currency=None)), it)
    assert reply.answer is Answer.POSTED
    assert "Transaction-Amount" not in wire.headers
    assert post(answered(201, body()), it)[0].answer is Answer.FOREIGN
