"""What a question about several payments is given, and how those payments are listed. Pure.

Shared by the answers in `questions` and `preauths`; it judges nothing but the order, worst first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from agent.core.money.batches import Batch
from agent.core.money.journal import Record, State
from agent.core.why import about_payment, phrases, sources
from agent.core.why.composing import title_of
from agent.core.why.text import Line, Money
from agent.core.why.verdict import Advice, Affected, Finding, Retry
from agent.record import dataclass


class Question(StrEnum):
    """What is asked about the terminal."""

    LATE = "late"  #: what should have arrived at once and has not
    SETTLEMENT = "settlement"  #: batches, and what the acquirer's list says
    PREAUTH = "preauth"  #: pre-authorisations nobody completed
    SLIP = "slip"  #: why the pre-settlement slip was not made


NO_ADVICE = Advice(Retry.NOT_APPLICABLE, Line(phrases.NOT_A_PAYMENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One question with what was read for it."""

    question: Question
    #: Unsent payments, oldest first; for `preauth` its whole family. None: could not be read.
    records: tuple[Record, ...] | None = ()
    more: int = 0  #: further records of that sort that were not looked at
    looked_back_to: datetime | None = None  #: None: to the beginning
    batches: tuple[Batch, ...] | None = ()  #: None: not kept here, or could not be read
    listed: bool | None = None  #: whether a list of the acquirer was ever imported; None: unknown
    late_after_s: float = 60.0


def ranked(records: Iterable[Record], findings: Sequence[Finding]) -> list[Affected]:
    """By cause, in the order of the findings; within one cause the oldest first."""
    place = {
        code: (number, finding.code)
        for number, finding in enumerate(findings)
        for code in (finding.code, *finding.consequences)
    }
    beyond = len(findings)

    def rank(record: Record) -> tuple[bool, int, datetime, int]:
        number, _ = place.get(cause_of(record), (beyond, ""))
        return (
            not about_payment.doubtful(record), number,
            record.transaction.occurred_at, record.seq,
        )  # fmt: skip

    shown = []
    for one in sorted(records, key=rank):
        code = cause_of(one)
        shown.append(affected(one, place.get(code, (0, code))[1]))
    return shown


def cause_of(record: Record) -> str:
    if about_payment.doubtful(record):
        return "host.no_reply"
    return "queue.held" if record.state is State.HELD else record.cause


def affected(record: Record, code: str) -> Affected:
    t = record.transaction
    amount = about_payment.amount_of(record)
    doubt = about_payment.doubtful(record)
    return Affected(
        key=t.key,
        state=record.state,
        in_doubt=doubt,
        code=code,
        amount=amount,
        occurred_at=t.occurred_at,
        line=Line(
            phrases.ONE_PAYMENT,
            {
                "amount": amount,
                "occurred_at": t.occurred_at,
                "state": phrases.STATES[record.state],
                "doubt": phrases.DOUBT if doubt and record.state is not State.SENDING else None,
                "title": title_of(code),
                "key": t.key,
            },
        ),
    )


def advice_of(records: Sequence[Record]) -> Advice:
    """The strictest advice of all of them: one that must not be repeated decides."""
    told = [about_payment.advice(one) for one in records]
    for retry in (Retry.DO_NOT_RETRY, Retry.WILL_BE_SENT):
        for one in told:
            if one.retry is retry:
                return one
    return NO_ADVICE


def unread(asked: Asked) -> list[Line]:
    return [Line(phrases.QUESTION_UNREAD)] if asked.records is None else []


def sums(records: Iterable[Record]) -> tuple[Money, ...]:
    sums: dict[str, int] = {}
    for one in records:
        amount = about_payment.amount_of(one)
        if amount is not None:
            sums[amount.currency] = sums.get(amount.currency, 0) + amount.amount_minor
    return sources.amounts_of(sums)
