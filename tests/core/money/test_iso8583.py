"""Binding and judging: whose answer it is, what it says, what may be handed over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.money.delivery import Answer, Reply
from agent.core.money.field39 import Side, Table
from agent.core.money.iso8583 import (
    Message,
    answer_mti,
    card_fields,
    complaint,
    differs,
    is_question,
    judge,
    same,
    side_of,
)
from agent.core.money.journal import State
from agent.core.money.transaction import Kind, Posting
from tests.core.money.payments import record, submission, transaction

SENT = Message(
    "0200",
    {"4": "000000001250", "11": "000123", "41": "T0000001", "42": "M00000000000001", "49": "156"},
)


def reply_to(sent: Message, code: str = "00", **changes: str) -> Message:
    fields = {
        **{k: v for k, v in sent.fields.items() if k in ("4", "11", "41", "42")},
        "37": "000000000042",
        "39": code,
        **{name.removeprefix("f"): value for name, value in changes.items()},
    }
    return Message(answer_mti(sent.mti), {k: v for k, v in fields.items() if v})


def judged(code: str, side: Side = Side.REQUEST, **changes: Any) -> Reply:
    got = reply_to(SENT, code, **{k: v for k, v in changes.items() if k.startswith("f")})
    of = {"posting": Posting.REQUEST}
    row = {k: v for k, v in changes.items() if not k.startswith("f")}
    return judge(record(of=of, **row), SENT, got, Table(), side)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("0100", "0110"), ("0200", "0210"), ("0220", "0230"), ("0221", "0230"), ("0320", "0330"),
     ("0400", "0410"), ("0401", "0410"), ("0500", "0510"), ("0800", "0810"), ("0820", "0830")],
)  # fmt: skip
def test_answer_types(asked: str, answered: str) -> None:
    """Requests and advices have their answers one up in the third digit, repeats the same."""
    assert answer_mti(asked) == answered
    assert is_question(asked)
    assert not is_question(answered)
    assert answer_mti(asked[:3] + "1") == answered


def test_what_is_no_message_type() -> None:
    """Letters and other lengths are not."""
    assert not is_question("02A0")
    assert not is_question("200")
    assert not is_question("0209")


@pytest.mark.parametrize(
    ("changes", "differing"),
    [
        ({}, ""),
        ({"f11": "000124"}, "field 11"),
        ({"f11": ""}, "field 11"),
        ({"f41": "T0000002"}, "field 41"),
        ({"f42": "M00000000000002"}, "field 42"),
        ({"f4": "000000001251"}, "field 4"),
        ({"f4": ""}, ""),
        ({"f49": "840"}, "field 49"),
        ({"f41": "T0000001 "}, ""),
    ],
)
def test_binding(changes: dict[str, str], differing: str) -> None:
    """What must be repeated must be, and money must agree wherever it is said."""
    assert differs(SENT, reply_to(SENT, **changes)) == differing


def test_another_message_type_is_no_answer() -> None:
    """A 0230 does not answer a 0200."""
    assert differs(SENT, replace(reply_to(SENT), mti="0230")) == "the message type"


def test_37_binds_only_where_the_profile_says_so_and_it_was_sent() -> None:
    """A void carries the original's RRN and gets its own back: binding by 37 is for the profile."""
    sent = Message("0220", {**SENT.fields, "37": "000000000041"})
    got = reply_to(sent)
    assert differs(sent, got) == ""
    assert differs(sent, got, ("11", "37", "41", "42")) == "field 37"
    assert differs(SENT, got, ("11", "37")) == "the message type"


def test_a_partial_approval_may_name_another_amount() -> None:
    """Code 10 answers with the amount approved in field 4."""
    assert differs(SENT, reply_to(SENT, "10", f4="000000000800")) == ""
    reply = judged("10", f4="000000000800")
    assert reply.answer is Answer.POSTED
    assert reply.result is not None
    assert reply.result.posted_amount_minor == 800


@pytest.mark.parametrize("amount", ["", "00000000080A", "000000009999"])
def test_an_impossible_part_is_no_answer(amount: str) -> None:
    """A part that is not said, not a number or more than asked for is not believed."""
    assert judged("10", f4=amount).answer is Answer.UNREADABLE


def test_a_part_of_an_unknown_amount() -> None:
    """Without an amount of its own nothing can be compared."""
    got = reply_to(SENT, "10", f4="000000000800")
    it = record(of={"amount_minor": None, "currency": None})
    assert judge(it, SENT, got, Table(), Side.ADVICE).answer is Answer.POSTED


def test_numbers_compare_as_numbers() -> None:
    """Leading zeros are the dialect's, not the amount's; other fields compare as text."""
    assert same("4", "1250", "000000001250")
    assert not same("41", "1", "01")
    assert not same("11", "1A", "01A")


def test_approval_carries_the_hosts_reference() -> None:
    """39 = 00: posted, with RRN and code."""
    reply = judged("00")
    assert (reply.answer, reply.cause, reply.note) == (Answer.POSTED, "", "")
    assert reply.result is not None
    assert (reply.result.rrn, reply.result.response_code) == ("000000000042", "00")
    assert "confirm with the issuer" in judged("A2").note
    assert judged("11").note == "field 39 = 11"
    assert judged("00", f37="").result is not None


@pytest.mark.parametrize("code", ["", "0", "000", "é0", "-1"])
def test_an_answer_without_a_code_is_none(code: str) -> None:
    """Two letters or digits, or nothing was said."""
    assert judged(code).answer is Answer.UNREADABLE


def test_a_repeat_that_was_not_processed_leaves_the_doubt() -> None:
    """30, 96, A0 to a repeat of a request: the first copy may still have been posted."""
    doubtful = {"state": State.WAITING, "in_doubt": True}
    assert judged("30").answer is Answer.DECLINED
    assert judged("30", **doubtful).answer is Answer.UNSETTLED
    assert judged("51", **doubtful).answer is Answer.DECLINED


def test_notes_name_the_code_and_the_step() -> None:
    """What is written down never quotes more than the code."""
    assert judged("91").note == "field 39 = 91: try again later"
    assert "not in the table" in judged("Z9").note
    assert "to the query" in judged("51", Side.QUERY).note
    assert "nothing to take back" in judged("25", Side.REVERSAL).note


def test_sides() -> None:
    """A reversal is a reversal whatever its posting."""
    assert side_of(transaction()) is Side.ADVICE
    assert side_of(transaction(posting=Posting.REQUEST)) is Side.REQUEST
    assert side_of(transaction(kind=Kind.REVERSAL)) is Side.REVERSAL


def test_card_fields_are_named_unless_declared_protected() -> None:
    """Rule 10: 2, 14, 35, 36, 45, 52, 55."""
    message = Message("0200", dict.fromkeys(("2", "14", "35", "36", "45", "52", "55", "11"), "1"))
    assert card_fields(message, ()) == ["2", "14", "35", "36", "45", "52", "55"]
    assert card_fields(message, ("52", "55")) == ["2", "14", "35", "36", "45"]


ADVICE = Message("0220", dict(SENT.fields))
REVERSAL = Message("0400", {**SENT.fields, "39": "98"})


def test_what_fits_may_be_handed_over() -> None:
    """A payload, its query and its reversals that say the same payment pass."""
    parts = {"payload": ADVICE, "query_payload": SENT, "reversal_payloads.98": REVERSAL}
    assert complaint(submission(), parts) is None
    assert complaint(submission(), {"reversal_payloads.98": REVERSAL}) is None
    assert complaint(submission(stan=None, amount_minor=None), {"payload": ADVICE}) is None
    upload = Message("0320", {"11": "1", "41": "T0000001", "42": "M00000000000001"})
    assert complaint(submission(kind=Kind.BATCH_UPLOAD, stan=None), {"payload": upload}) is None


def changed(message: Message, mti: str = "", **fields: str) -> Message:
    new = {**message.fields, **{k.removeprefix("f"): v for k, v in fields.items()}}
    return Message(mti or message.mti, {k: v for k, v in new.items() if v})


@pytest.mark.parametrize(
    ("part", "message", "code", "what"),
    [
        ("payload", changed(ADVICE, "0230"), "payload.bad_mti", "no request"),
        ("payload", changed(ADVICE, "0400"), "payload.bad_mti", "not that of a sale"),
        ("reversal_payloads.98", changed(ADVICE), "payload.bad_mti", "not that of"),
        ("payload", changed(ADVICE, f11=""), "payload.field_missing", "field 11"),
        ("payload", changed(ADVICE, f41="T9999999"), "payload.field_mismatch", "field 41"),
        ("payload", changed(ADVICE, f42="M9"), "payload.field_mismatch", "field 42"),
        ("payload", changed(ADVICE, f11="000999"), "payload.field_mismatch", "field 11"),
        ("payload", changed(ADVICE, f4="000000000001"), "payload.field_mismatch", "field 4"),
        ("query_payload", changed(SENT, f41="T9999999"), "payload.field_mismatch", "field 41"),
        ("reversal_payloads.98", changed(REVERSAL, f11="9"), "payload.field_mismatch", "reverses"),
        ("reversal_payloads.06", REVERSAL, "payload.field_mismatch", "reason 06"),
    ],
)
def test_what_does_not_fit_is_refused(part: str, message: Message, code: str, what: str) -> None:
    """A message that could not be bound later is refused now, naming the place, never a value."""
    parts = {"payload": ADVICE, part: message}
    found = complaint(submission(), parts)
    assert found is not None
    assert (found.code, found.part) == (code, part)
    assert what in found.what
