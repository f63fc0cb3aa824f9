"""The questions about more than one payment: which ones, in which order, what is unknown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from agent.core.money.batches import Batch
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts, Record, State
from agent.core.money.transaction import Kind
from agent.core.why.case import Said
from agent.core.why.explain import Retry, UnknownComponent, Verdict, explain
from agent.core.why.preauths import open_preauths, said_of
from agent.core.why.questions import Asked, Question, answer
from agent.core.why.render import render
from agent.core.why.verdict import MAX_PAYMENTS
from tests.core.why.cases import (
    AT,
    EARLIER,
    NOW,
    backlog,
    case,
    channel,
    codes,
    condition,
    record,
    transaction,
)


def asked(question: Question, *records: Record, known: Any = None, **changes: Any) -> Verdict:
    return answer(case(**(known or {})), Asked(question=question, records=records, **changes))


def one(seq: int, state: State = State.WAITING, **changes: Any) -> Record:
    of = {
        name: changes.pop(name)
        for name in ("kind", "refers_to", "amount_minor", "currency", "occurred_at", "batch")
        if name in changes
    }
    return record(state, t=transaction(key=f"p-{seq}", **of), seq=seq, **changes)


def keys(verdict: Verdict) -> list[str]:
    return [payment.key for payment in verdict.payments]


def unknown(verdict: Verdict) -> str:
    return "\n".join(line.render("en") for line in verdict.unknowns)


def test_late_by_cause_and_worst_first() -> None:
    """What is in doubt first, then in the order of the causes, the oldest first; one advice."""
    doubt = one(4, in_doubt=True, sent=1)
    old = one(1, cause="network.host_unreachable", occurred_at=AT - timedelta(days=2))
    new = one(2, cause="network.no_link")
    held = one(3, State.HELD)
    fresh = one(5, stored_at=AT)
    known = {
        "conditions": (condition("network.no_link"),),
        "channels": (channel(ChannelState.BACKING_OFF, "network.host_unreachable"),),
        "backlog": backlog(
            total=Amounts(count=5),
            held=Amounts(count=1),
            in_doubt=Amounts(count=1),
            by_cause={"network.host_unreachable": 1, "network.no_link": 1},
        ),
    }
    late = asked(Question.LATE, new, old, held, doubt, fresh, one(6, State.POSTED), known=known)
    assert keys(late) == ["p-4", "p-1", "p-2", "p-3"]
    assert [payment.code for payment in late.payments][:1] == ["host.no_reply"]
    assert late.payments_total == 4
    assert late.advice.retry is Retry.DO_NOT_RETRY
    assert codes(late)[0] == "network.no_link"
    text = "\n".join(render(late, "en"))
    assert "Do not take this payment again" in text
    assert "p-3" in text
    assert "4" in late.headline.render("zh")


def test_late_is_bounded_and_says_how_many_more() -> None:
    """Twenty are listed, the rest is a number; sums of what was not looked at are not invented."""
    many = [one(seq) for seq in range(1, 31)]
    late = asked(Question.LATE, *many, more=1000)
    assert len(late.payments) == MAX_PAYMENTS
    assert late.payments_total == 1030
    assert "CNY" not in late.headline.render("en")
    assert "1010 more" in "\n".join(render(late, "en"))


def test_nothing_late_and_unreadable_are_not_the_same() -> None:
    """No payment late is said; a journal nobody can read is an unknown."""
    nothing = asked(Question.LATE)
    assert nothing.headline.render("en") == "No payment is late"
    assert nothing.advice.retry is Retry.NOT_APPLICABLE
    unread = answer(case(backlog=None), Asked(question=Question.LATE, records=None))
    assert "could not be read" in unread.headline.render("en")
    assert "journal could not be read" in unknown(unread)


def test_without_a_believed_clock_all_that_is_unsent_is_late() -> None:
    """No age can be told then, and nothing is hidden for it."""
    from dataclasses import replace

    late = asked(Question.LATE, one(1, stored_at=AT), known={"now": replace(NOW, trusted=False)})
    assert keys(late) == ["p-1"]
    assert late.advice.retry is Retry.WILL_BE_SENT


def test_amounts_are_summed_by_currency() -> None:
    """Payments without an amount count and add nothing."""
    bare = one(3, kind=Kind.SETTLEMENT, amount_minor=None, currency=None)
    late = asked(Question.LATE, one(1), one(2, amount_minor=500, currency="JPY"), bare)
    text = late.headline.render("en")
    assert "CNY 12.50, JPY 500" in text
    assert ": 3," in text


def batch(number: str, **changes: Any) -> Batch:
    return Batch(terminal_id="T0000001", batch=number, **changes)


def test_settlement_says_which_batch_and_what_nobody_knows() -> None:
    """A forgotten batch and one that does not agree are causes; the others are facts."""
    old = AT - timedelta(hours=30)
    verdict = asked(
        Question.SETTLEMENT,
        batches=(
            batch("000004", opened_at=EARLIER),
            batch("000003", opened_at=old),
            batch("000002", opened_at=old, closed_at=old, agreed=False, count=7),
            batch("000001", opened_at=old, closed_at=old, agreed=True),
            batch("000000", opened_at=old, closed_at=old),
        ),
        listed=True,
    )
    assert codes(verdict) == ["settlement.batch_not_closed"]
    evidence = "\n".join(line.render("en") for line in verdict.findings[0].evidence)
    assert "000003" in evidence
    assert "000002" in evidence
    facts = "\n".join(line.render("en") for line in verdict.facts)
    assert all(number in facts for number in ("000004", "000001", "000000"))
    assert "no list" not in unknown(verdict)


def test_settlement_without_reports_or_lists() -> None:
    """Batches nobody reported and lists nobody imported are unknown, not well."""
    verdict = asked(Question.SETTLEMENT)
    assert "Batches: " in unknown(verdict)
    assert "no list" in unknown(verdict)
    assert verdict.findings == ()
    assert "nothing to act on" in verdict.headline.render("en")


def test_settlement_with_unsent_messages_and_what_the_list_says() -> None:
    """Settlement messages not yet at the host and the list's findings are both causes."""
    closing = one(1, kind=Kind.SETTLEMENT, amount_minor=None, currency=None, batch="000009")
    said = (Said(code="settlement.not_in_file"), Said(code="printer.paper_out"))
    verdict = asked(Question.SETTLEMENT, closing, one(2), listed=True, known={"said": said})
    assert codes(verdict) == ["settlement.batch_not_closed", "settlement.not_in_file"]
    assert keys(verdict) == ["p-1", "p-2"]
    assert "2" in verdict.headline.render("en")


def preauth(seq: int, **changes: Any) -> Record:
    return one(seq, changes.pop("state", State.POSTED), kind=Kind.PREAUTH, **changes)


def test_one_preauth_says_the_same_as_the_question() -> None:
    """A posted one without a completion waits for it; another one's completion is not its own."""
    waiting = preauth(1)
    (told,) = said_of(waiting, [waiting], NOW)
    assert told.code == "preauth.not_completed"
    assert explain(case(waiting, said=(told,))).findings[0].code == "preauth.not_completed"
    mine = one(2, kind=Kind.PREAUTH_COMPLETION, refers_to=waiting.key)
    others = one(3, kind=Kind.PREAUTH_COMPLETION, refers_to="somebody's")
    assert said_of(waiting, [mine, others], NOW) == []
    assert said_of(waiting, [others], NOW) == [told]
    assert said_of(preauth(1, state=State.DECLINED), [], NOW) == []


def test_preauths_that_are_still_open() -> None:
    """Completed and voided ones are over, until what ended them is itself undone or failed."""
    family = [
        preauth(1),
        preauth(2),
        preauth(3),
        preauth(4),
        preauth(5, state=State.DECLINED),
        preauth(6, amount_minor=0),
        preauth(7, refers_to="another"),
        one(11, State.POSTED, kind=Kind.PREAUTH_COMPLETION, refers_to="p-1"),
        one(12, State.DECLINED, kind=Kind.PREAUTH_COMPLETION, refers_to="p-2"),
        one(13, State.QUEUED, kind=Kind.PREAUTH_VOID, refers_to="p-3"),
        one(14, State.POSTED, kind=Kind.PREAUTH_COMPLETION, refers_to="p-4"),
        one(15, State.POSTED, kind=Kind.PREAUTH_COMPLETION_VOID, refers_to="p-14"),
        one(16, State.POSTED, kind=Kind.REVERSAL, refers_to="p-1"),
        one(17, State.POSTED, kind=Kind.PREAUTH_COMPLETION, refers_to=None),
    ]
    assert [open_.key for open_ in open_preauths(family)] == ["p-2", "p-4", "p-7"]


def test_preauth_answer() -> None:
    """Posted ones have a last day, doubtful ones an open outcome, unsent ones their own cause."""
    expired = preauth(1, occurred_at=AT - timedelta(days=40))
    fresh = preauth(2, occurred_at=AT - timedelta(days=3))
    doubt = preauth(3, state=State.WAITING, in_doubt=True)
    stuck = preauth(4, state=State.WAITING, cause="network.no_link")
    queued = preauth(5, state=State.QUEUED)
    verdict = asked(
        Question.PREAUTH, fresh, expired, doubt, stuck, queued, looked_back_to=EARLIER,
        known={"said": (Said(code="preauth.not_completed"),)},
    )  # fmt: skip
    assert keys(verdict) == ["p-3", "p-4", "p-5", "p-1", "p-2"]
    assert codes(verdict) == ["network.no_link", "host.no_reply", "preauth.not_completed"]
    lines = [payment.line.render("en") for payment in verdict.payments]
    assert "expired" in lines[3]
    assert "2026-12-18" in lines[4]
    assert "expired" not in lines[4]
    assert verdict.advice.retry is Retry.DO_NOT_RETRY
    assert "looked at" in unknown(verdict)
    assert "5" in verdict.headline.render("en")
    assert "p-5" in "\n".join(render(verdict, "zh"))
    none = asked(Question.PREAUTH)
    assert "No pre-authorisation" in none.headline.render("en")


def test_preauth_age_is_not_told_by_a_wrong_clock() -> None:
    """Without a believed clock no pre-authorisation is called expired."""
    from dataclasses import replace

    verdict = asked(
        Question.PREAUTH,
        preauth(1, occurred_at=AT - timedelta(days=400)),
        known={"now": replace(NOW, trusted=False)},
    )
    assert "expired" not in verdict.payments[0].line.render("en")


def test_the_slip_fails_at_the_first_part() -> None:
    """Printer before records before rights before software; the part's own cause is the root."""
    verdict = asked(
        Question.SLIP,
        known={
            "conditions": (
                condition("software.app_stopped", component="payment_app"),
                condition("printer.paper_out", component="printer"),
                condition("network.no_link"),
                condition("software.outdated", component="software"),
            )
        },
    )
    assert codes(verdict) == ["printer.paper_out", "software.app_stopped"]
    assert verdict.findings[0].consequences == ("presettlement.not_generated",)
    assert verdict.headline.render("en").endswith(": printer")


def test_the_slip_with_another_s_word() -> None:
    """What whoever makes slips says stands even where nothing here is broken."""
    said = (Said(code="presettlement.missing_records", args={"count": 2}),)
    verdict = asked(Question.SLIP, known={"said": said})
    assert codes(verdict) == ["presettlement.missing_records"]
    assert "cannot be made" in verdict.headline.render("en")


def test_the_slip_with_nothing_in_its_way() -> None:
    """Then that is said, with what is not known of the printer."""
    verdict = asked(
        Question.SLIP,
        known={"unknown": (UnknownComponent(component="printer", reason="asleep"),)},
    )
    assert verdict.findings == ()
    assert "Nothing seen from here" in verdict.headline.render("en")
    assert "asleep" in unknown(verdict)
