"""Every response code on every side: what it does to money, and who must act."""

from __future__ import annotations

import pytest

from agent.core.money.delivery import ASKED, OUTCOMES, Answer, ChannelTurn
from agent.core.money.field39 import (
    UNIONPAY,
    UNLISTED,
    Action,
    Nature,
    Side,
    Table,
    may_replace,
)
from agent.core.money.journal import Event, HostResult
from agent.core.why.causes import CATALOGUE
from agent.core.why.response_codes import RESPONSE_CODES
from tests.core.money.payments import record

TABLE = Table()
POSTS = (Side.REQUEST, Side.ADVICE, Side.REVERSAL)

#: The annex of 银联终端规范, code by code: request, advice, reversal.
EXPECTED = {
    "00 10 11 A2 A4 A5 A6": ("posted", "posted", "posted"),
    "01 02 04 05 07 12 13 14 15 19 20 21 31 33 34 35 36 37 38 39 40 41 42 43 44 51 52 53 54 55 56 "
    "57 59 60 61 62 63 64 65 66 67 75 93 A1 A3 A7": ("declined", "declined", "blocked"),
    "25": ("declined", "declined", "posted"),
    "09": ("in_progress", "in_progress", "later"),
    "68 98": ("unsettled", "unsettled", "later"),
    "94": ("unsettled", "unsettled", "unsettled"),
    "06 91 92": ("declined", "later", "later"),
    "90 96": ("declined", "busy", "busy"),
    "22 77 99 A0 30 79 95": ("declined", "blocked", "blocked"),
    "03 58 97": ("declined", "unauthorised", "unauthorised"),
    "Z9": ("declined", "unsettled", "unsettled"),
}
ROWS = [(code, answers) for codes, answers in EXPECTED.items() for code in codes.split()]


@pytest.mark.parametrize(("code", "answers"), ROWS)
def test_code_by_posting(code: str, answers: tuple[str, str, str]) -> None:
    """The same code means different things to a request, an advice and a reversal."""
    assert tuple(TABLE.rule(code, side).answer for side in POSTS) == answers


def test_the_table_above_is_the_whole_shipped_table() -> None:
    """No code of the shipped table is untested."""
    assert {code for code, _ in ROWS} - {"Z9"} == set(UNIONPAY)


@pytest.mark.parametrize("code", sorted(UNIONPAY))
def test_causes_are_in_the_catalogue_and_agree_with_the_words(code: str) -> None:
    """Each code leads to a released cause, the one that is explained to people."""
    row = UNIONPAY[code]
    if row.nature in (Nature.APPROVED, Nature.PARTIAL, Nature.DEFECTIVE):
        assert row.cause == ""
        return
    assert row.cause in CATALOGUE
    assert RESPONSE_CODES[code].cause == row.cause
    assert row.action in Action


def test_nothing_open_is_ever_sent_again_blindly() -> None:
    """68, 94, 98 and codes nobody knows are not among those after which a resend is allowed."""
    resendable = TABLE.resendable()
    assert not resendable & {"68", "94", "98", "Z9", "00", "25", "51"}
    assert {"09", "91", "96", "A0"} <= resendable


def test_a_profile_replaces_rows() -> None:
    """A host that means something else by a code says so; the rest stays UnionPay's."""
    table = Table({"94": "approved", "Q1": "issuer", "91": "issuer", "05": "unknown"})
    assert table.rule("94", Side.ADVICE).answer is Answer.POSTED
    assert table.rule("Q1", Side.ADVICE).answer is Answer.LATER
    assert table.rule("91", Side.ADVICE).code is UNIONPAY["91"]
    assert table.rule("05", Side.ADVICE).code is UNLISTED
    assert table.rule("51", Side.REQUEST).answer is Answer.DECLINED
    assert "Q1" in table.resendable()
    with pytest.raises(ValueError, match="nonsense"):
        Table({"00": "nonsense"})


def test_every_nature_can_be_given_by_a_profile() -> None:
    """Each word of the configuration makes a row with a cause and an action."""
    for nature in Nature:
        row = Table({"ZZ": nature.value}).rule("ZZ", Side.REQUEST).code
        assert row.nature is nature


@pytest.mark.parametrize(
    ("code", "answer"),
    [("00", "posted"), ("25", "not_found"), ("09", "in_progress"), ("51", "unsettled")],
)
def test_answers_to_a_query(code: str, answer: str) -> None:
    """Only what cannot be a refusal of the question itself counts as an outcome."""
    assert TABLE.rule(code, Side.QUERY).answer == answer
    assert Table(queries={code: "declined"}).rule(code, Side.QUERY).answer is Answer.DECLINED


def test_only_decisions_about_the_payment_prove_anything() -> None:
    """A repeat that could not be read, checked or forwarded says nothing about its first copy."""
    assert TABLE.rule("51", Side.REQUEST).proves
    assert not TABLE.rule("30", Side.REQUEST).proves
    assert not TABLE.rule("96", Side.REQUEST).proves


def test_what_each_answer_does_to_record_and_channel() -> None:
    """Issuer down keeps the channel open, host down slows it, enrolment pauses it."""
    later, blocked, open_ = (OUTCOMES[a] for a in (Answer.LATER, Answer.BLOCKED, Answer.UNSETTLED))
    assert (later.event, later.channel) == (Event.REFUSED, ChannelTurn.REACHED)
    assert (blocked.event, blocked.channel) == (Event.HOLD, ChannelTurn.REACHED)
    assert (open_.event, open_.channel) == (Event.NO_ANSWER, ChannelTurn.REACHED)
    assert ASKED[Answer.UNSETTLED].event is Event.ASKED
    assert ASKED[Answer.BLOCKED].event is Event.ASKED


def test_payloads_may_be_replaced_only_after_key_loss() -> None:
    """Rule 9: A0, 77, 99, 22 by code or by cause, nothing else."""
    assert not may_replace(record())
    assert not may_replace(record(result=HostResult(response_code="91")))
    for code in ("A0", "77", "99", "22"):
        assert may_replace(record(result=HostResult(response_code=code)))
    assert may_replace(record(cause="config.not_signed_on"))
