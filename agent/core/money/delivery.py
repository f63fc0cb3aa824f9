"""One attempt at delivering one payment, as a machine: facts in, decisions out.

`plan` says what to do with a record now; `OUTCOMES` says what every answer means; `settle` turns
an answer into the change to commit. It does not know HTTP or ISO 8583 (the uplinks translate
their answers into `Reply`), nor rows, nor time of its own. Called by the uploader.

The edges U0-U26 are listed in docs/rules.md: a bound answer is the only thing that takes doubt
away, nothing is sent late for a customer who has gone, and no answer is ever read as a refusal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from agent.core.moment import Moment, certain_ms, to_ms
from agent.core.money import qr
from agent.core.money.deadlines import due_in_ms, expired, forgotten, lapse, lapses_in_ms
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.core.money.qr import Windows
from agent.core.money.reversing import automatic_reason, may_reverse
from agent.core.money.transaction import Delivery, Kind, Posting
from agent.record import dataclass, replace


class Answer(StrEnum):
    """Everything that can come back from an attempt, whatever the protocol."""

    NOT_SENT = "not_sent"  #: U1 no byte left
    NO_ANSWER = "no_answer"  #: U2 bytes left, then silence
    POSTED = "posted"  #: U3
    DUPLICATE = "duplicate"  #: U6 it had it already, here is the original result
    DECLINED = "declined"  #: U11
    UNREADABLE = "unreadable"  #: U4, U15
    FOREIGN = "foreign"  #: U5 an answer for another payment
    IN_PROGRESS = "in_progress"  #: U7
    MISMATCH = "mismatch"  #: U8 same key, other content
    REJECTED = "rejected"  #: U9 the host cannot take this message
    UNAUTHORISED = "unauthorised"  #: U10
    BUSY = "busy"  #: U12
    ERROR = "error"  #: U13
    REDIRECT = "redirect"  #: U14
    NOT_FOUND = "not_found"  #: U18, to a status query only
    UNSUPPORTED = "unsupported"  #: U19, the host answers no status queries
    LATER = "later"  #: refused without effect; the way and other payments are fine
    UNSETTLED = "unsettled"  #: the host's own word that the outcome is open: never resent blindly
    BLOCKED = "blocked"  #: not taken, and the same bytes will not be: somebody must act


class ChannelTurn(StrEnum):
    """What an answer says about the way to the host, apart from the record."""

    UP = "up"  #: the host works
    REACHED = "reached"  #: the host answers, though this record did not get through
    NEUTRAL = "neutral"  #: says nothing about the channel
    DOWN = "down"  #: back off, one record at a time until something works
    SLOW = "slow"  #: the host asks for time
    PAUSE = "pause"  #: nothing will work until somebody mends it


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An uplink's answer in the core's words. `note` never quotes the host's body."""

    answer: Answer
    cause: str = ""
    note: str = ""
    result: HostResult | None = None
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer means for the record and for the channel."""

    event: Event
    channel: ChannelTurn
    cause: str
    #: Hold after so many of these in a row, if others got through meanwhile; 0 = never.
    hold_after: int = 0
    #: … and not before the trouble has lasted this long.
    hold_after_s: int = 0


#: Answers to a post.
OUTCOMES: Mapping[Answer, Outcome] = {
    Answer.NOT_SENT: Outcome(Event.NOT_SENT, ChannelTurn.DOWN, "network.host_unreachable"),
    Answer.NO_ANSWER: Outcome(Event.NO_ANSWER, ChannelTurn.DOWN, "host.no_reply"),
    Answer.POSTED: Outcome(Event.POSTED, ChannelTurn.UP, ""),
    Answer.DUPLICATE: Outcome(Event.POSTED, ChannelTurn.UP, ""),
    Answer.DECLINED: Outcome(Event.DECLINED, ChannelTurn.UP, "host.rejected"),
    Answer.UNREADABLE: Outcome(Event.NO_ANSWER, ChannelTurn.DOWN, "host.down", hold_after=5),
    Answer.FOREIGN: Outcome(Event.NO_ANSWER, ChannelTurn.DOWN, "host.down", hold_after=5),
    Answer.IN_PROGRESS: Outcome(Event.NO_ANSWER, ChannelTurn.NEUTRAL, "host.no_reply"),
    Answer.MISMATCH: Outcome(Event.HOLD, ChannelTurn.UP, "queue.held"),
    Answer.REJECTED: Outcome(Event.REFUSED, ChannelTurn.DOWN, "host.format_error", hold_after=2),
    # A host may refuse one merchant's credential and not the next one's: money rule 7 decides.
    Answer.UNAUTHORISED: Outcome(
        Event.REFUSED, ChannelTurn.PAUSE, "config.credential_expired", hold_after=3
    ),
    Answer.BUSY: Outcome(
        Event.REFUSED, ChannelTurn.SLOW, "host.busy", hold_after=10, hold_after_s=3600
    ),
    # Stripe's first API replays a saved 500 for ever: hence a limit, but only after an hour.
    Answer.ERROR: Outcome(
        Event.NO_ANSWER, ChannelTurn.DOWN, "host.down", hold_after=10, hold_after_s=3600
    ),
    Answer.REDIRECT: Outcome(
        Event.REFUSED, ChannelTurn.PAUSE, "network.config_invalid", hold_after=3
    ),
    # A host that answers a post with these two does not keep the contract: read as gibberish.
    Answer.NOT_FOUND: Outcome(Event.NO_ANSWER, ChannelTurn.DOWN, "host.down", hold_after=5),
    Answer.UNSUPPORTED: Outcome(Event.NO_ANSWER, ChannelTurn.DOWN, "host.down", hold_after=5),
    Answer.LATER: Outcome(Event.REFUSED, ChannelTurn.REACHED, "issuer.unavailable"),
    Answer.UNSETTLED: Outcome(Event.NO_ANSWER, ChannelTurn.REACHED, "host.no_reply"),
    Answer.BLOCKED: Outcome(Event.HOLD, ChannelTurn.REACHED, "queue.held"),
}

#: Answers to a status query. Whatever is not final leaves the record as it was.
ASKED: Mapping[Answer, Outcome] = {
    **{answer: replace(outcome, event=Event.ASKED) for answer, outcome in OUTCOMES.items()},
    Answer.POSTED: OUTCOMES[Answer.POSTED],
    Answer.DUPLICATE: OUTCOMES[Answer.DUPLICATE],
    Answer.DECLINED: OUTCOMES[Answer.DECLINED],
    Answer.IN_PROGRESS: Outcome(Event.ASKED, ChannelTurn.UP, "host.no_reply"),
    Answer.NOT_FOUND: Outcome(Event.ASKED, ChannelTurn.UP, "host.no_reply"),
    Answer.UNSUPPORTED: Outcome(Event.ASKED, ChannelTurn.NEUTRAL, "host.no_reply"),
    Answer.UNSETTLED: Outcome(Event.ASKED, ChannelTurn.REACHED, "host.no_reply"),
}


class OnUnknown(StrEnum):
    """What a profile does about a payment whose outcome it does not know."""

    QUERY = "query"
    RESEND = "resend"
    HOLD = "hold"
    REVERSE = "reverse"  #: ask, and take a request back when the time is over (rule 5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The delivery rules of one uplink, as far as the machine needs them."""

    status_query: bool
    on_unknown: OnUnknown
    key_window_s: int
    host_in_flight_s: int
    backoff_base_s: float
    backoff_cap_s: float
    #: False: a request whose answer was lost is never sent again. An idempotency key makes that
    #: safe; a STAN does not.
    resend_requests: bool = True
    #: Host codes after which a payment in doubt may be sent again; any other code forbids it.
    resend_codes: frozenset[str] = frozenset()
    #: The times of the wallet's platform behind this host, for payments by code.
    qr: Windows | None = None


class Todo(StrEnum):
    """What to do with a record."""

    NOTHING = "nothing"
    WAIT = "wait"
    SEND = "send"
    ASK = "ask"
    LAPSE = "lapse"
    HOLD = "hold"
    REVERSE = "reverse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A decision. `wait_ms` is how long until it is worth deciding again."""

    todo: Todo
    wait_ms: int = 0
    cause: str = ""
    note: str = ""
    reason: str = ""  #: of a reversal


#: The first question after a lost answer; the host may need a moment to finish.
FIRST_QUERY_S = 1.0
#: How often at most a host is asked about a key it may have forgotten.
FORGOTTEN_ASK_S = 3600.0


def plan(
    record: Record, profile: Profile, now: Moment, boot_no: int, *, can_ask: bool = True
) -> Plan:
    """What to do with a record at the head of its lane.

    `can_ask` is False once the host has shown that it answers no status queries.
    """
    if record.final or record.state is State.SENDING:
        return Plan(todo=Todo.NOTHING)
    if record.transaction.delivery is Delivery.APP:
        return Plan(todo=Todo.NOTHING)
    ask = profile.status_query and can_ask
    if record.state is State.HELD and not (record.in_doubt and ask):
        return Plan(todo=Todo.NOTHING)
    wait_ms = due_in_ms(record, now, boot_no)
    if wait_ms:
        return Plan(todo=Todo.WAIT, wait_ms=wait_ms)
    if record.in_doubt:
        return _plan_in_doubt(record, profile, now, boot_no, ask=ask)
    if profile.qr is not None:
        if qr.code_expired(record, profile.qr, now, boot_no):
            return Plan(todo=Todo.LAPSE)
        if note := qr.too_late(record.transaction, profile.qr, now):
            return _hold(note)
    late = expired(record, now, boot_no)
    if late is None:
        return Plan(
            todo=Todo.WAIT,
            # The hosts are being asked what time it is; a wrong clock waits for a person.
            wait_ms=60_000 if now.carried else 5_000,
            cause="clock.wrong",
            note="the clock cannot be trusted, so nobody can say whether this request is too late"
            if not now.trusted or now.carried
            else "the clock may have stood still while the power was off: until somebody says what "
            "time it is, nobody can say whether this request is too late",
        )
    if late:
        return Plan(todo=Todo.LAPSE)
    return Plan(todo=Todo.SEND)


def _plan_in_doubt(
    record: Record, profile: Profile, now: Moment, boot_no: int, *, ask: bool
) -> Plan:
    """Ask if the host can be asked, resend only where that cannot post twice, else hold."""
    reverse = _reverses(record, profile)
    late_ms = _reversible_in_ms(record, profile, now, boot_no) if reverse else 0
    missing = reverse and record.not_found and not late_ms  # said once, and the time is over
    by_code = profile.qr is not None and record.transaction.kind is Kind.QR_SALE
    may_ask = by_code or record.state is State.HELD or profile.on_unknown is not OnUnknown.RESEND
    if ask and may_ask and not missing:
        return Plan(todo=Todo.ASK)
    if reverse:
        if late_ms:
            return Plan(todo=Todo.WAIT, wait_ms=late_ms)
        return Plan(todo=Todo.REVERSE, reason=automatic_reason(record))
    if profile.on_unknown is OnUnknown.HOLD or by_code:
        return _hold("the outcome is unknown and this host cannot be asked")
    if refusal := _resend_refused(record, profile, now, boot_no):
        return Plan(todo=Todo.ASK) if ask else _hold(refusal)
    return Plan(todo=Todo.SEND)


def _reverses(record: Record, profile: Profile) -> bool:
    wanted = profile.on_unknown is OnUnknown.REVERSE and record.state is not State.HELD
    return wanted and may_reverse(record)


def _reversible_in_ms(record: Record, profile: Profile, now: Moment, boot_no: int) -> int:
    """How long until the time limit of rule 5 has passed; 0 = it has."""
    if record.transaction.send_before is not None and not expired(record, now, boot_no):
        left_ms = to_ms(record.transaction.send_before) - record.stored.wall_ms
        gone_ms = now.boot_ms - record.stored.boot_ms
        # After a reboot under an untrusted clock nobody can tell: look again in a minute.
        return max(left_ms - gone_ms + 1, 50) if record.stored.boot_no == boot_no else 60_000
    quiet_ms = certain_ms(record.last_sent or record.stored, now, boot_no)
    return max(0, profile.host_in_flight_s * 1000 - quiet_ms)


def _resend_refused(record: Record, profile: Profile, now: Moment, boot_no: int) -> str:
    """Why a payment in doubt may not be sent again, or nothing."""
    t = record.transaction
    if not profile.resend_requests and t.posting is Posting.REQUEST and t.kind is not Kind.REVERSAL:
        return "the outcome of this request is unknown; sending it again could charge twice"
    code = record.result.response_code if record.result is not None else None
    if code is not None and code not in profile.resend_codes:
        return f"the host answered {code}: it may have it, and sending it again could post twice"
    if expired(record, now, boot_no) is not False:
        return "the outcome of this request is unknown and it is too late to send it again"
    return FORGOTTEN if forgotten(record, profile.key_window_s, now, boot_no) else ""


FORGOTTEN = "the host may have forgotten the key: sending again could post twice"


def _hold(note: str) -> Plan:
    return Plan(todo=Todo.HOLD, cause="queue.held", note=note)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What the uploader remembers of a record's present run of one answer."""

    answer: Answer
    count: int
    since_boot_ms: int
    #: How many other records had got through on this channel when the run began.
    others_then: int


def troubled(before: Trouble | None, answer: Answer, now: Moment, others: int) -> Trouble:
    """The run of equal answers after one more of them."""
    if before is None or before.answer is not answer:
        return Trouble(answer=answer, count=1, since_boot_ms=now.boot_ms, others_then=others)
    return Trouble(
        answer=answer,
        count=before.count + 1,
        since_boot_ms=before.since_boot_ms,
        others_then=before.others_then,
    )


def must_hold(outcome: Outcome, trouble: Trouble, now: Moment, others: int) -> bool:
    """Money rule 7: hold a record only if the same channel works for others meanwhile."""
    return (
        0 < outcome.hold_after <= trouble.count
        and others > trouble.others_then
        and now.boot_ms - trouble.since_boot_ms >= outcome.hold_after_s * 1000
    )


def full_jitter_ms(failures: int, base_s: float, cap_s: float, drawn: float) -> int:
    """AWS "full jitter": a uniform draw from 0 to min(cap, base x 2^(failures-1)).

    `drawn` is uniform in [0, 1). Never 0: a retry at once is what jitter is there to prevent.
    """
    ceiling_s = min(cap_s, base_s * 2.0 ** min(max(failures, 1) - 1, 40))
    return max(50, round(ceiling_s * drawn * 1000))


#: Retry-After is honoured between these bounds; a host that says "never" is not believed.
RETRY_AFTER_MIN_S = 1.0
RETRY_AFTER_MAX_S = 3600.0


def settle_post(
    record: Record, reply: Reply, profile: Profile, trouble: Trouble, *,
    hold: bool, now: Moment, boot_no: int, drawn: float,
) -> Change:  # fmt: skip
    """The change to commit after a post. `record` is the row as it was before the attempt."""
    outcome = OUTCOMES[reply.answer]
    cause = reply.cause or outcome.cause
    if hold and (record.in_doubt or outcome.event is Event.REFUSED):
        return _held(cause, reply, trouble)
    event = outcome.event
    if event is Event.REFUSED and reply.answer is Answer.REJECTED and record.in_doubt:
        event = Event.NO_ANSWER  # U9 with doubt: stay in doubt and ask
    next_ms = 0
    match event:
        case Event.NOT_SENT:
            pass  # U1: the channel backs off, not the record
        case Event.NO_ANSWER if reply.answer is not Answer.IN_PROGRESS and trouble.count == 1:
            next_ms = round(FIRST_QUERY_S * 1000)
        case Event.NO_ANSWER | Event.REFUSED:
            next_ms = _retry_ms(reply, trouble.count, profile, drawn)
        case _:
            pass
    change = Change(
        event=event,
        cause=cause,
        note=reply.note,
        result=reply.result,
        next_wall_ms=now.wall_ms + next_ms if next_ms else 0,
        next_boot_ms=now.boot_ms + next_ms if next_ms else 0,
        counts=reply.answer is not Answer.UNAUTHORISED,
    )
    return _paced(change, record, reply, profile, now=now, boot_no=boot_no)


def _held(cause: str, reply: Reply, trouble: Trouble) -> Change:
    note = f"{reply.note}; the same answer {trouble.count} times while other payments passed"
    return Change(event=Event.HOLD, cause=cause, note=note)


def settle_query(
    record: Record, reply: Reply, profile: Profile, trouble: Trouble, asked: int, *,
    hold: bool, now: Moment, boot_no: int, drawn: float,
) -> Change:  # fmt: skip
    """The change to commit after a status query. `asked` counts the queries of this run."""
    outcome = ASKED[reply.answer]
    if hold and record.state is not State.HELD:
        return _held(reply.cause or outcome.cause, reply, trouble)
    event, not_found = outcome.event, record.not_found
    next_ms = _retry_ms(reply, asked, profile, drawn)
    if reply.answer is Answer.NOT_FOUND:
        last = record.last_sent or record.stored
        quiet_ms = certain_ms(last, now, boot_no)
        in_flight_s = qr.in_flight_s(record, profile.qr) if profile.qr is not None else 0
        in_flight_ms = max(profile.host_in_flight_s, in_flight_s) * 1000
        if quiet_ms < in_flight_ms:
            # Too early to count: the host may still be working on the post.
            next_ms = max(in_flight_ms - quiet_ms, 50)
        elif forgotten(record, profile.key_window_s, now, boot_no):
            if _reverses(record, profile):
                not_found = 1  # taking it back needs no proof that it is not there
            else:
                # Only "posted" can still be news, and that is not urgent.
                not_found, next_ms = 0, round(FORGOTTEN_ASK_S * 1000 * (0.5 + drawn / 2))
                if record.state is not State.HELD:
                    event, reply = Event.HOLD, replace(reply, cause="queue.held", note=FORGOTTEN)
        elif not_found:
            event, not_found, next_ms = Event.NOT_FOUND, 0, 0  # U18: twice, and late enough
        else:
            not_found = 1
    elif reply.answer not in (Answer.NOT_SENT, Answer.NO_ANSWER):
        not_found = 0
    if reply.answer is Answer.UNSUPPORTED:
        next_ms = 0  # `plan` decides by the profile what to do without asking
    final = event in (Event.POSTED, Event.DECLINED)
    if final:
        not_found, next_ms = 0, 0
    change = Change(
        event=event,
        cause=reply.cause or outcome.cause,
        note=reply.note,
        result=reply.result,
        not_found=not_found,
        next_wall_ms=now.wall_ms + next_ms if next_ms else 0,
        next_boot_ms=now.boot_ms + next_ms if next_ms else 0,
    )
    return _paced(change, record, reply, profile, now=now, boot_no=boot_no)


def _paced(
    change: Change, record: Record, reply: Reply, profile: Profile, *, now: Moment, boot_no: int
) -> Change:
    """At a wallet's platform the customer sets the pace, not our back-off."""
    if profile.qr is None or reply.answer is Answer.UNSUPPORTED:
        return change
    waiting = reply.answer is Answer.IN_PROGRESS
    return qr.paced(change, record, profile.qr, now, boot_no, waiting=waiting)


def _retry_ms(reply: Reply, failures: int, profile: Profile, drawn: float) -> int:
    """Back-off of one record: full jitter, and never sooner than the host asked for."""
    jitter_ms = full_jitter_ms(failures, profile.backoff_base_s, profile.backoff_cap_s, drawn)
    if reply.retry_after_s is None:
        return jitter_ms
    asked_s = min(max(reply.retry_after_s, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S)
    return round(asked_s * 1000) + jitter_ms


__all__ = [
    "ASKED", "OUTCOMES", "Answer", "ChannelTurn", "OnUnknown", "Outcome", "Plan", "Profile",
    "Reply", "Todo", "Trouble", "due_in_ms", "expired", "forgotten", "full_jitter_ms",
    "lapse", "lapses_in_ms", "must_hold", "plan", "settle_post", "settle_query", "troubled",
]  # fmt: skip
