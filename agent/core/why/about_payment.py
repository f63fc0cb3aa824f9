"""What one record says about itself: how far it came, what it is called, may it be repeated.

Called by `explain`. It knows the journal's states and the host's answer, nothing about health.
"""

from __future__ import annotations

from datetime import datetime

from agent.core.moment import at_ms
from agent.core.money.abandoning import given_up
from agent.core.money.journal import Event, HostResult, Record, State, Step
from agent.core.money.stages import Stage as Told
from agent.core.money.transaction import (
    WITHOUT_AMOUNT,
    CustomerSaw,
    Delivery,
    Kind,
    Posting,
)
from agent.core.why import phrases
from agent.core.why.case import Payment
from agent.core.why.response_codes import RESPONSE_CODES, Meaning
from agent.core.why.text import Arg, Args, Line, Money
from agent.core.why.verdict import Advice, Retry, Stage, Stages

_PROVES_SENT = frozenset({Event.NO_ANSWER, Event.REFUSED})
_ANSWERED = frozenset({State.POSTED, State.DECLINED, State.REVERSED})
_TROUBLES = frozenset(phrases.STEPS)
_TWIN, _REVERSING = "duplicate.suspected", "reversal.pending"
#: Newest lines of a record's history worth showing.
_SHOWN_STEPS = 3
_SHOWN_REPORTS = 6


def doubtful(record: Record) -> bool:
    """Whether the host may have it without our knowing."""
    return record.in_doubt or record.state is State.SENDING


def by_app(record: Record) -> bool:
    """Whether the payment app talks to the host itself and has not told the outcome."""
    return record.transaction.delivery is Delivery.APP and not record.final


def stages(payment: Payment, record: Record) -> Stages:
    """The last stage proven and the first one missing. A byte that may have left proves nothing."""
    if record.state is State.POSTED:
        if payment.settled is not None:
            return Stages(Stage.SETTLED, None)
        if record.transaction.kind is Kind.SETTLEMENT or batch_closed(payment):
            return Stages(Stage.BATCH_CLOSED, Stage.SETTLED)
        return Stages(Stage.HOST_ANSWERED, Stage.BATCH_CLOSED)
    if record.state in _ANSWERED:
        return Stages(Stage.HOST_ANSWERED, None)
    # The app knows what it sent: its word is the proof where it sends by itself.
    sent = any(kept.report.stage in (Told.SENT, Told.NO_ANSWER) for kept in payment.reports)
    for step in payment.steps:
        if step.event in _PROVES_SENT:
            sent = True
        elif step.event == Event.NOT_FOUND:
            sent = False
    if record.state is State.WAITING and not record.in_doubt and payment.reports:
        sent = False  # the last word was that nothing left
    return Stages(Stage.SENT, Stage.HOST_ANSWERED) if sent else Stages(Stage.STORED, Stage.SENT)


def batch_closed(payment: Payment) -> bool:
    """Whether the batch that holds it is reported closed, by itself or with this payment."""
    if payment.batch is not None and payment.batch.closed_at is not None:
        return payment.batch.agreed is not False
    return any(kept.report.stage is Told.BATCH_CLOSED for kept in payment.reports)


def headline(record: Record) -> Line:
    """The record's state in one sentence."""
    args: Args = {"amount": amount_of(record)}
    if by_app(record):
        return Line(phrases.BY_APP_IN_DOUBT if record.in_doubt else phrases.BY_APP, args)
    if given_up(record):
        return Line(phrases.GIVEN_UP, args)
    if record.in_doubt and record.state is not State.HELD:
        return Line(phrases.IN_DOUBT, args)
    return Line(phrases.HEADLINES[record.state], args)


def references(record: Record) -> dict[str, Arg]:
    """What the acquirer, the bank or the vendor will ask for."""
    t = record.transaction
    result = record.result or HostResult()
    return {
        "key": t.key,
        "terminal_id": t.terminal_id,
        "merchant_id": t.merchant_id,
        "stan": t.stan,
        "batch": t.batch,
        "rrn": result.rrn or t.rrn,
        "amount": amount_of(record),
        "occurred_at": t.occurred_at,
        "send_before": t.send_before,
        "app_version": t.app.version if t.app else None,
        "response_code": result.response_code,
    }


def facts(record: Record, at: datetime) -> list[Line]:
    """References, what was tried, what the host said, as of `at`."""
    t = record.transaction
    lines = [
        Line(phrases.REFERENCES, references(record)),
        Line(phrases.STORED, {"stored_at": record.stored_at}),
    ]
    if t.attempts:
        args: Args = {"attempts": t.attempts, "first_attempt_at": t.first_attempt_at}
        lines.append(Line(phrases.APP_TRIED, args))
    if t.delivery is Delivery.AGENT:
        tried: Args = {"tried": record.tried, "sent": record.sent}
        lines.append(Line(phrases.TRIED, tried) if record.tried else Line(phrases.NEVER_TRIED))
    if record.result is not None and record.state is not State.DECLINED:
        lines.append(host_said(record.result))
        lines += _partial(record, record.result)
    if t.customer_saw is CustomerSaw.APPROVED and record.state in (
        State.DECLINED,
        State.REVERSED,
        State.LAPSED,
    ):
        lines.append(Line(phrases.SLIP_DIFFERS))
    # Behind a channel that pauses, the record's own time passes and says nothing.
    if record.next_wall_ms and not record.final and (due := at_ms(record.next_wall_ms)) > at:
        lines.append(Line(phrases.NEXT_TRY, {"next_at": due}))
    return lines


def told(payment: Payment) -> list[Line]:
    """What the payment app and the check said of it, the newest reports last."""
    lines = [
        Line(
            phrases.TOLD,
            {
                "what": phrases.REPORTS[kept.report.outcome or kept.report.stage],
                "at": kept.report.at,
                "effect": phrases.EFFECTS.get(kept.effect),
            },
        )
        for kept in payment.reports[-_SHOWN_REPORTS:]
    ]
    batch = payment.batch
    if batch is not None:
        args: Args = {
            "batch": batch.batch,
            "opened_at": batch.opened_at,
            "closed_at": batch.closed_at,
            "agreed": None if batch.agreed is None else phrases.AGREED[batch.agreed],
        }
        lines.append(Line(phrases.BATCH, args))
    proof = payment.settled
    if proof is not None:
        args = {"number": proof.number, "name": proof.name, "on": proof.on}
        lines.append(Line(phrases.SETTLED if proof.sure else phrases.SETTLED_LIKELY, args))
    if payment.record is not None and payment.record.flags:
        lines.append(Line(phrases.FLAGGED, {"flags": ", ".join(payment.record.flags)}))
    return lines


def troubles(payment: Payment) -> list[tuple[str, Line]]:
    """The newest troubles of its history as (cause code, evidence line), oldest first."""
    told = [step for step in payment.steps if step.event in _TROUBLES]
    return [(step.cause, _step_line(step)) for step in told[-_SHOWN_STEPS:]]


def first_failure(payment: Payment) -> Step | None:
    """The first step at which something went wrong."""
    return next((step for step in payment.steps if step.event in _TROUBLES), None)


def meaning(record: Record) -> Meaning | None:
    """What the host's response code says, if the table has it."""
    code = record.result.response_code if record.result else None
    return RESPONSE_CODES.get(code) if code else None


def host_said(result: HostResult) -> Line:
    """The host's answer in one sentence."""
    known = RESPONSE_CODES.get(result.response_code) if result.response_code else None
    args: dict[str, Arg] = {
        "response_code": result.response_code,
        "meaning": known.text if known else None,
        "text": result.text,
        "reference": result.reference,
        "rrn": result.rrn,
        "posted_at": result.posted_at,
    }
    if not any(args.values()):
        return Line(phrases.HOST_SAID_NOTHING_MORE)
    return Line(phrases.HOST_SAID, args)


def advice(record: Record, listed: bool = False) -> Advice:
    """May this payment be taken again? While in doubt never, nor while somebody's list (`listed`)
    or a payment much like it may have its money."""
    plain = _advice(record)
    if plain.retry not in (Retry.SAFE_TO_RETRY, Retry.WILL_BE_SENT):
        return plain
    if listed:
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_LISTED))
    if plain.retry is Retry.SAFE_TO_RETRY and _TWIN in record.flags:
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_TWIN))
    if plain.retry is Retry.WILL_BE_SENT and record.cause == _REVERSING:
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_REVERSING))
    return plain


def _advice(record: Record) -> Advice:
    t = record.transaction
    if by_app(record):
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_APP))
    if given_up(record):
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_GIVEN_UP))
    if doubtful(record):
        return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT))
    if record.final and t.kind in WITHOUT_AMOUNT:
        return Advice(Retry.NOT_APPLICABLE, Line(phrases.NOT_A_PAYMENT))
    match record.state:
        case State.HELD:
            return Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_HELD))
        case State.POSTED:
            return Advice(Retry.ALREADY_DONE, Line(phrases.DONE))
        case State.DECLINED:
            known = meaning(record)
            if known is not None and not known.charged_nothing:
                line = Line(phrases.DO_NOT_DECLINED, references(record))
                return Advice(Retry.DO_NOT_RETRY, line)
            return Advice(Retry.SAFE_TO_RETRY, Line(phrases.SAFE))
        case State.REVERSED:
            return Advice(Retry.SAFE_TO_RETRY, Line(phrases.SAFE_REVERSED))
        case State.VOIDED | State.LAPSED:
            return Advice(Retry.SAFE_TO_RETRY, Line(phrases.SAFE))
        case _:
            return Advice(Retry.WILL_BE_SENT, _will_be_sent(record))


def _will_be_sent(record: Record) -> Line:
    t = record.transaction
    if t.posting is Posting.ADVICE:
        return Line(phrases.WILL_ADVICE)
    if t.send_before is None:
        return Line(phrases.WILL_REQUEST_OPEN)
    return Line(phrases.WILL_REQUEST, {"send_before": t.send_before})


def amount_of(record: Record) -> Money | None:
    """Its amount; None for what has none."""
    t = record.transaction
    if t.amount_minor is None or t.currency is None:
        return None
    return Money(t.amount_minor, t.currency)


def _partial(record: Record, result: HostResult) -> list[Line]:
    amount, posted = amount_of(record), result.posted_amount_minor
    if amount is None or posted is None or posted == amount.amount_minor:
        return []
    return [Line(phrases.PARTIAL, {"posted": Money(posted, amount.currency), "amount": amount})]


def _step_line(step: Step) -> Line:
    return Line(
        phrases.STEP,
        {
            "what": phrases.STEPS[step.event],
            "count": step.count if step.count > 1 else None,
            "first_at": step.first_at,
            "last_at": step.last_at if step.last_at != step.first_at else None,
            "note": step.note,
        },
    )
