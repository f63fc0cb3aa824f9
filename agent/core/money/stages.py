"""What a payment app says of a payment it sends itself, and what each word of it is worth.

With `delivery: app` the agent never sends, resends or reverses; it is told stage by stage, late,
twice or in the wrong order, because apps crash too. This file decides which report moves the record
(through the journal's own table), which is kept as evidence only, and which contradicts what is
proven: then the record stays as it is and says so. It also says when silence becomes doubt, and
what a person may settle. It sends nothing and knows no rows. Called by the store and the uploader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from datetime import datetime
from enum import StrEnum

from agent.core.moment import Moment, at_least_ms
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.core.money.transaction import Delivery
from agent.record import dataclass

#: Flag of a record that was told two things that cannot both be true.
CONTRADICTED = "stage.contradiction"
#: … and that a person has looked at.
SETTLED = "stage.settled"
#: Reports of one payment; an app that sends more is counting something else.
MOST_REPORTS = 100


class Stage(StrEnum):
    """How far the app says it came. The order is that of a payment's day."""

    CAPTURED = "captured"  #: amount and card are in; nothing sent
    SENT = "sent"  #: the request has left the app; from now on the host may have it
    NOT_SENT = "not_sent"  #: the connection failed before a byte left
    ANSWERED = "answered"  #: the host's answer, with its outcome
    NO_ANSWER = "no_answer"  #: the app waited in vain
    CANCELLED = "cancelled"  #: given up before anything was sent
    REVERSED = "reversed"  #: the host accepted its reversal
    BATCH_CLOSED = "batch_closed"  #: the batch that holds it is closed at the host


class Said(StrEnum):
    """The host's outcome in an `answered` report."""

    APPROVED = "approved"
    DECLINED = "declined"


class Effect(StrEnum):
    """What a report did."""

    MOVED = "moved"  #: the record stands elsewhere now
    NOTED = "noted"  #: kept; it says nothing the record did not know
    LATE = "late"  #: kept; a later report had said more
    CONTRADICTS = "contradicts"  #: kept; it cannot be true together with what is proven


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report. `n` is the app's own running number within the payment, from 1."""

    n: int
    stage: Stage
    at: datetime  #: on the app's clock
    outcome: Said | None = None  #: with `answered`
    result: HostResult | None = None
    batch: str | None = None  #: with `batch_closed`


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A report as it was stored."""

    report: Report
    effect: Effect
    stored_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """What a report is worth: the changes to commit with it, in order."""

    effect: Effect
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """When silence becomes doubt."""

    answer_timeout_s: int = 120  #: after `sent`
    silence_s: int = 900  #: after the hand-over, without any report


_OUTCOME = frozenset({Stage.ANSWERED, Stage.REVERSED})


def weigh(record: Record, report: Report, known: Sequence[Kept]) -> Worth:
    """What a new report is worth. `known` are those stored before."""
    late = any(kept.report.n > report.n for kept in known)
    if late and report.stage not in _OUTCOME:
        return Worth(effect=Effect.LATE)
    match report.stage:
        case Stage.CAPTURED | Stage.BATCH_CLOSED:
            return Worth(effect=Effect.NOTED)
        case Stage.SENT:
            return _sent(record, report)
        case Stage.NOT_SENT:
            return _not_sent(record, report)
        case Stage.NO_ANSWER:
            return _no_answer(record, report)
        case Stage.CANCELLED:
            return _cancelled(record, report)
        case Stage.REVERSED:
            return _reversed(record, report)
        case _:  # ANSWERED
            return _answered(record, report)


def _told(report: Report, event: Event, cause: str = "", said: str = "") -> Change:
    words = said or f"the payment app reported: {report.stage}"
    return Change(event=event, cause=cause, note=words, result=report.result, actor="app")


def _attempt() -> Change:
    return Change(event=Event.ATTEMPT, actor="app")


def _moved(*changes: Change) -> Worth:
    return Worth(effect=Effect.MOVED, changes=changes)


def _contradicts(record: Record, report: Report) -> Worth:
    what = report.outcome or report.stage
    note = f"the payment app reported {what}, but the payment is {record.state}"
    late = Change(
        event=Event.LATE, cause=record.cause, note=note, flags=(CONTRADICTED,), actor="app"
    )
    return Worth(effect=Effect.CONTRADICTS, changes=(late,))


def _sent(record: Record, report: Report) -> Worth:
    match record.state:
        case State.QUEUED | State.WAITING:
            return _moved(_attempt())
        case State.HELD:
            return _moved(_told(report, Event.RELEASE, record.cause), _attempt())
        case State.SENDING:
            # Sent again without an answer to the first: the host may have it twice.
            return _moved(_told(report, Event.NO_ANSWER, "host.no_reply"), _attempt())
        case State.POSTED | State.REVERSED:
            return Worth(effect=Effect.LATE)
        case _:
            return _contradicts(record, report)


def _not_sent(record: Record, report: Report) -> Worth:
    if record.state is State.SENDING and not record.in_doubt:
        return _moved(_told(report, Event.NOT_SENT, "network.host_unreachable"))
    return Worth(effect=Effect.NOTED)


def _no_answer(record: Record, report: Report) -> Worth:
    silent = _told(report, Event.NO_ANSWER, "host.no_reply")
    match record.state:
        case State.SENDING:
            return _moved(silent)
        case State.QUEUED | State.WAITING if not record.in_doubt:
            return _moved(_attempt(), silent)
        case _:
            return Worth(effect=Effect.NOTED)


def _cancelled(record: Record, report: Report) -> Worth:
    if record.state is State.SENDING or record.in_doubt:
        return _contradicts(record, report)
    void = _told(report, Event.VOID, said="given up by the payment app before it was sent")
    match record.state:
        case State.QUEUED | State.WAITING:
            return _moved(void)
        case State.HELD:
            return _moved(_told(report, Event.RELEASE, record.cause), void)
        case State.POSTED:
            return _contradicts(record, report)
        case _:
            return Worth(effect=Effect.NOTED)


def _reversed(record: Record, report: Report) -> Worth:
    back = _told(report, Event.REVERSE, "reversal.completed")
    match record.state:
        case State.QUEUED:
            return _moved(_attempt(), _told(report, Event.NO_ANSWER, "host.no_reply"), back)
        case State.SENDING:
            return _moved(_told(report, Event.NO_ANSWER, "host.no_reply"), back)
        case State.WAITING | State.HELD | State.POSTED:
            return _moved(back)
        case _:
            return Worth(effect=Effect.NOTED)


def _answered(record: Record, report: Report) -> Worth:
    approved = report.outcome is Said.APPROVED
    event = Event.POSTED if approved else Event.DECLINED
    outcome = _told(report, event, "" if approved else "host.rejected")
    match record.state:
        case State.QUEUED:
            return _moved(_attempt(), outcome)
        case State.WAITING if not record.in_doubt:
            return _moved(_attempt(), outcome)
        case State.SENDING | State.WAITING | State.HELD:
            return _moved(outcome)
        case State.REVERSED:
            # Rule 5: what the host says of a payment that was taken back is history.
            return Worth(effect=Effect.LATE)
        case State.POSTED if approved and _same(record.result, report.result):
            return Worth(effect=Effect.NOTED)
        case State.DECLINED | State.VOIDED if not approved:
            return Worth(effect=Effect.NOTED)
        case _:
            return _contradicts(record, report)


def _same(known: HostResult | None, told: HostResult | None) -> bool:
    """Whether two answers can be the same one: nothing both give differs."""
    if known is None or told is None:
        return True
    pairs = (
        (known.reference, told.reference),
        (known.rrn, told.rrn),
        (known.posted_amount_minor, told.posted_amount_minor),
    )
    return all(None in pair or pair[0] == pair[1] for pair in pairs)


# -- silence -------------------------------------------------------------------------------------


def overdue_in_ms(record: Record, patience: Patience, now: Moment, boot_no: int) -> int | None:
    """How long until the app's silence becomes doubt; 0 = now, None = it does not."""
    if record.transaction.delivery is not Delivery.APP or record.in_doubt:
        return None
    match record.state:
        case State.SENDING:
            since, wait_s = record.last_sent or record.stored, patience.answer_timeout_s
        case State.QUEUED:
            since, wait_s = record.stored, patience.silence_s
        case _:
            return None
    if not wait_s:
        return None
    return max(0, wait_s * 1000 - at_least_ms(since, now, boot_no))


def overdue(record: Record, patience: Patience) -> tuple[Change, ...]:
    """The changes that put a payment in doubt of which the app says nothing more."""
    if record.state is State.SENDING:
        note = f"the payment app reported no answer within {patience.answer_timeout_s} s"
        return (Change(event=Event.NO_ANSWER, cause="host.no_reply", note=note),)
    note = f"the payment app reported nothing within {patience.silence_s} s; it may have sent it"
    silent = Change(event=Event.NO_ANSWER, cause="operator.not_completed", note=note)
    return (Change(event=Event.ATTEMPT), silent)


# -- what a person settles -----------------------------------------------------------------------


class Resolution(StrEnum):
    """What somebody found out, at the host or in the app."""

    POSTED = "posted"
    DECLINED = "declined"
    REVERSED = "reversed"
    NEVER_SENT = "never_sent"


_ENDS = {
    Resolution.POSTED: (Event.POSTED, ""),
    Resolution.DECLINED: (Event.DECLINED, "host.rejected"),
    Resolution.REVERSED: (Event.REVERSE, "reversal.completed"),
    Resolution.NEVER_SENT: (Event.VOID, ""),
}
#: The state each of them ends in.
_STATES = {
    Resolution.POSTED: State.POSTED,
    Resolution.DECLINED: State.DECLINED,
    Resolution.REVERSED: State.REVERSED,
    Resolution.NEVER_SENT: State.VOIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """A person's word, with the evidence for it."""

    resolution: Resolution
    evidence: str
    actor: str
    result: HostResult | None = field(default=None)


def settle(record: Record, word: Settlement) -> tuple[Change, ...] | None:
    """The changes that make it so, or None where the record is proven to be something else.

    A final record moves no more: looking at its contradiction, and agreeing with what is proven,
    is all there is to do.
    """
    event, cause = _ENDS[word.resolution]
    note = f"settled as {word.resolution} by {word.actor}: {word.evidence}"
    change = Change(event=event, cause=cause, note=note, result=word.result, actor=word.actor)
    if record.final:
        if record.state is State.POSTED and word.resolution is Resolution.REVERSED:
            return (replace(change, flags=_looked_at(record)),)
        if record.state is not _STATES[word.resolution]:
            return None
        looked_at = _looked_at(record)
        return (replace(change, event=Event.LATE, result=None, flags=looked_at),)
    ends = replace(change, flags=_looked_at(record))
    sent = replace(change, event=Event.ATTEMPT)
    lost = replace(change, event=Event.NO_ANSWER, cause="host.no_reply", result=None)
    doubt_gone = replace(change, event=Event.NOT_FOUND, result=None)
    released = replace(change, event=Event.RELEASE, result=None)
    steps: list[Change] = []
    if word.resolution is Resolution.NEVER_SENT:
        steps += [lost] if record.state is State.SENDING else []
        if record.in_doubt or record.state is State.SENDING:
            steps.append(doubt_gone)
        steps += [released] if record.state is State.HELD else []
    elif record.state is State.QUEUED:
        steps.append(sent)
        steps += [lost] if word.resolution is Resolution.REVERSED else []
    elif record.state is State.SENDING and word.resolution is Resolution.REVERSED:
        steps.append(lost)
    return (*steps, ends)


def _looked_at(record: Record) -> tuple[str, ...]:
    return (SETTLED,) if CONTRADICTED in record.flags else ()


def flags_after(flags: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """The flags of a record with those of a change; a settled contradiction is none any more."""
    merged = dict.fromkeys((*flags, *more))
    if SETTLED in more:
        merged.pop(CONTRADICTED, None)
    elif CONTRADICTED in more:
        merged.pop(SETTLED, None)
    return tuple(merged)
