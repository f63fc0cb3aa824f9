"""What a kept finding says in a verdict and on paper, and what a journal row is to a list."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.money.journal import HostResult, State
from agent.core.money.transaction import Card, Kind
from agent.core.slips.layout import lines as laid_out
from agent.core.slips.reconcile import MOST, slip
from agent.core.why.explain import explain
from agent.core.why.reconcile import kept
from agent.core.why.reconcile.classes import Class
from agent.core.why.reconcile.kept import KeptFinding, KeptList
from agent.core.why.reconcile.payments import payment_of
from tests.core.why.cases import case, record

LIST = KeptList(3, "bank", "nov.csv", "", "done", "cli", 0, 1_794_880_800_000, {})


def found(result: str, **changes: Any) -> KeptFinding:
    usual = KeptFinding(
        3, 0, result, 7, 5, "k-5", "rrn", 1250, 1247, 3, "CNY", 739_938, 739_938, 1, "123", "7",
        "17", "T1", "", 0,
    )  # fmt: skip
    return usual._replace(**changes)


def said(one: KeptFinding, of: KeptList | None = LIST) -> str:
    told = kept.said_of(one, of)
    assert told is not None
    return f"{told.code} " + " | ".join(line.text.render("en", line.args) for line in told.evidence)


def test_a_finding_is_told_with_the_lists_name_and_line() -> None:
    """Both amounts, the fee, the day it was due."""
    told = said(found("amount_differs"))
    assert "settlement.amount_differs list 3 (nov.csv)" in told
    assert "line 7" in told
    assert "12.50" in told
    assert "12.47" in told
    assert "due on 2026-11-18" in said(found("missing_there", line=0, listed_minor=None))
    assert "fee" not in said(found("amount_differs", fee_minor=None), None)
    assert "due" not in said(found("missing_there", due_day=0))
    late = kept.said_of(found("not_due"), LIST)
    assert late is not None
    assert late.args["expected_at"] == "2026-11-18"


def test_an_open_payment_that_is_settled_is_not_to_be_taken_again() -> None:
    """The advice stands in the evidence; the record is nobody's to change here."""
    assert "do not take it again" in said(found("open_here"))


def test_what_needs_nobody_says_nothing() -> None:
    """Matched, or a class of another version of this program."""
    assert kept.said_of(found("matched"), LIST) is None
    assert kept.said_of(found("of_tomorrow"), LIST) is None


def test_a_list_proves_that_a_payment_is_settled() -> None:
    """With its day; by amount and time alone it is not sure; an unfinished list has no date."""
    proof = kept.settled_of(found("late"), LIST)
    assert proof is not None
    assert (proof.number, proof.name, proof.on, proof.sure) == (3, "nov.csv", "2026-11-18", True)
    weak = kept.settled_of(found("matched", how="amount", settled_day=0), None)
    assert weak is not None
    assert (weak.on, weak.sure, weak.read_at) == ("", False, None)
    assert kept.settled_of(found("missing_there"), LIST) is None


def test_what_a_list_says_without_proving_anything() -> None:
    """Its number, name and class; nothing of a class of another version of this program."""
    told = kept.compared_of(found("ambiguous", line=0), LIST)
    assert told is not None
    text = told.text.render("en", told.args)
    assert "list 3 (nov.csv)" in text
    assert "ambiguous" in text
    assert kept.compared_of(found("of_tomorrow"), None) is None


def test_the_terminal_is_told_counts() -> None:
    """One is named, several are counted; what raises no alarm is left out."""
    told = kept.said_of_all(
        {"missing_there": 2, "duplicate": 1, "late": 5, "missing_here": 1},
        {"duplicate": found("duplicate")},
    )
    assert [(one.code, one.args.get("rrn")) for one in told] == [
        ("settlement.duplicate", "123"),
        ("settlement.not_in_file", None),
        ("settlement.unknown_to_terminal", None),
    ]


def test_moments_and_days_as_the_api_tells_them() -> None:
    """Empty where there is none."""
    assert kept.shown_at(0) == ""
    assert kept.shown_at(1_794_880_800_000).startswith("2026-11-17T02:00:00")
    assert kept.day_text(0) == ""


def test_a_journal_row_as_a_list_would_know_it() -> None:
    """The host's own RRN and amount count for more than the app's; refunds are negative."""
    plain = record()
    t = replace(plain.transaction, rrn="app", stan="000007", card=Card(masked="622588******1234"))
    seen = payment_of(replace(plain, transaction=t))
    assert (seen.rrn, seen.stan, seen.card) == ("app", "7", "1234")
    t = replace(t, posted_amount_minor=900, card=None)
    assert payment_of(replace(plain, transaction=t)).amount_minor == 900
    result = HostResult(rrn="host", posted_amount_minor=800)
    posted = replace(plain, transaction=t, state=State.POSTED, result=result)
    seen = payment_of(posted, (1, 2, "x"))
    assert (seen.rrn, seen.amount_minor, seen.earlier, seen.posted) == ("host", 800, 1, True)
    refund = replace(posted, transaction=replace(t, kind=Kind.REFUND), result=HostResult())
    assert payment_of(refund).amount_minor == -900


def test_the_slip_counts_and_lists_what_somebody_must_do() -> None:
    """In both languages, no line wider than the paper; more than fits is said to be elsewhere."""
    of = {
        "number": 3, "name": "nov.csv", "days": ["2026-11-18"], "lines": 9, "payments": 9,
        "counts": {"matched": 5, "missing_there": 1, "of_tomorrow": 1}, "state": "done",
    }  # fmt: skip
    one = {
        "result": Class.MISSING_THERE.value, "code": "settlement.not_in_file", "key": "k-5",
        "amount_minor": -1250, "currency": "CNY", "due_on": "2026-11-18", "rrn": "123",
    }  # fmt: skip
    other = {"result": "of_tomorrow", "code": "of.tomorrow", "amount_minor": 5, "currency": "JPY"}
    zh = laid_out(slip(of, [one, other, {"result": "late"}], "zh"), 32)
    assert any("本机已成功" in line for line in zh)
    assert any("CNY -12.50" in line for line in zh)
    assert any("JPY 5" in line for line in zh)
    en = "\n".join(laid_out(slip(of, [one] * (MOST + 1), "en"), 48))
    assert "the rest is in the file of findings" in en
    assert "no differences" in "\n".join(laid_out(slip(of, [], "en"), 32))


@pytest.mark.parametrize(("state", "said"), [("refused", "refused"), ("running", "not worked")])
def test_a_list_that_was_not_compared_shows_no_agreement(state: str, said: str) -> None:
    """A refused list has no differences, and must not look as if all were well."""
    of = {
        "number": 4, "name": "half.csv", "days": [], "lines": 0, "payments": 0, "counts": {},
        "state": state,
    }  # fmt: skip
    text = "\n".join(laid_out(slip(of, [], "en"), 32))
    assert said in text
    assert "no differences" not in text


def test_a_verdict_does_not_say_that_no_list_was_compared_where_one_was() -> None:
    """What the list says stands as a finding, or else among what is not known."""
    posted = record(State.POSTED)
    unclear = kept.compared_of(found("ambiguous"), LIST)
    lacking = kept.said_of(found("missing_there"), LIST)
    assert lacking is not None
    for said_of_it, shown in (((), True), ((lacking,), False)):
        asked = case(posted)
        assert asked.payment is not None
        asked = replace(asked, payment=replace(asked.payment, compared=unclear), said=said_of_it)
        told = [line.text.render("en", line.args) for line in explain(asked).unknowns]
        assert not any("was not compared" in one for one in told)
        assert any("ambiguous" in one for one in told) is shown
