"""The states a payment can be in and every way from one to another.

Two rules. All transitions live in `TRANSITIONS`, nothing else may move a record. And there are two
machines, not one: the state, and beside it the sticky flag *in doubt*, "the host may have this
payment already", which only a bound answer or an authoritative *not found* takes away.

This file does not know when to send or what an answer means (`delivery`), nor how a row is
written (store). The diagram in docs/states.md is generated from the table below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from agent.core.moment import Stamp
from agent.core.money.transaction import Transaction
from agent.record import dataclass

#: Cause of what waits for the terminal to sign on at its host again (money rule 9).
KEY_LOSS = "config.not_signed_on"


class State(StrEnum):
    """Where a payment stands. The comments say what is true there."""

    QUEUED = "queued"  #: on disk, never sent by the agent
    SENDING = "sending"  #: a byte may be leaving right now; counts as doubt
    WAITING = "waiting"  #: tried or taken over in doubt; will be tried or asked about again
    HELD = "held"  #: needs a person; nothing is sent by itself except status queries
    POSTED = "posted"  #: the host has it, with proof
    DECLINED = "declined"  #: the host refused it, with proof
    REVERSED = "reversed"  #: taken back at the host, or the host never knew it
    VOIDED = "voided"  #: withdrawn by the app before anything was sent, or given up by a person
    LAPSED = "lapsed"  #: a request nobody sent in time; kept, never sent


FINAL = frozenset({State.POSTED, State.DECLINED, State.REVERSED, State.VOIDED, State.LAPSED})
UNSENT = frozenset(State) - FINAL


class Event(StrEnum):
    """What can happen to a record. The edges (L…, U…) are listed in docs/rules.md."""

    ATTEMPT = "attempt"  #: U0 committed before the first byte leaves
    NOT_SENT = "not_sent"  #: U1 zero bytes left
    NO_ANSWER = "no_answer"  #: U2, U4, U5, U7, U13, U15 bytes left, nothing bound came back
    REFUSED = "refused"  #: U10, U12 the host said no without effect
    POSTED = "posted"  #: U3, U6, U17
    DECLINED = "declined"  #: U11, U17
    ASKED = "asked"  #: U19, U17 a status query told nothing final
    NOT_FOUND = "not_found"  #: U18 authoritative, twice: the doubt is gone
    HOLD = "hold"  #: U8, U9, U16, a person, or rule 7
    RELEASE = "release"  #: U23
    HURRY = "hurry"  #: U23 a person wants it tried now instead of when it is due
    VOID = "void"  #: L10
    ABANDON = "abandon"  #: U23 given up by a person, with the host's confirmation
    LAPSE = "lapse"  #: money rule 2
    REVERSE = "reverse"  #: the reversal of this payment was accepted
    FREEZE = "freeze"  #: a reversal of this payment was recorded (rule 5)
    REPLACED = "replaced"  #: the app replaced the payload after key loss (rule 9)
    LATE = "late"  #: U20 an answer to an old attempt; history only
    RESTART = "restart"  #: U22 the process died while sending
    DAMAGE = "damage"  #: money rule 8


class Doubt(StrEnum):
    """What an event does to the flag."""

    KEEP = "keep"
    SET = "set"
    CLEAR = "clear"
    REFUSE = "refuse"  #: the event is not allowed while in doubt


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table."""

    to: State
    doubt: Doubt


_LIVE = (State.QUEUED, State.WAITING)
_ASKABLE = (State.SENDING, State.WAITING, State.HELD)


def _table() -> Mapping[tuple[State, Event], Move]:
    rows: dict[tuple[State, Event], Move] = {}

    def add(sources: tuple[State, ...], event: Event, to: State, doubt: Doubt) -> None:
        for source in sources:
            rows[source, event] = Move(to, doubt)

    add(_LIVE, Event.ATTEMPT, State.SENDING, Doubt.KEEP)
    add((State.SENDING,), Event.NOT_SENT, State.WAITING, Doubt.KEEP)
    add((State.SENDING,), Event.NO_ANSWER, State.WAITING, Doubt.SET)
    add((State.SENDING,), Event.REFUSED, State.WAITING, Doubt.KEEP)
    add(_ASKABLE, Event.POSTED, State.POSTED, Doubt.CLEAR)
    add(_ASKABLE, Event.DECLINED, State.DECLINED, Doubt.CLEAR)
    add((State.WAITING,), Event.ASKED, State.WAITING, Doubt.KEEP)
    add((State.HELD,), Event.ASKED, State.HELD, Doubt.KEEP)
    add((State.WAITING,), Event.NOT_FOUND, State.WAITING, Doubt.CLEAR)
    add((State.HELD,), Event.NOT_FOUND, State.HELD, Doubt.CLEAR)
    add((*_LIVE, State.SENDING), Event.HOLD, State.HELD, Doubt.KEEP)
    add((State.HELD,), Event.RELEASE, State.WAITING, Doubt.KEEP)
    add((State.QUEUED,), Event.HURRY, State.QUEUED, Doubt.KEEP)
    add((State.WAITING,), Event.HURRY, State.WAITING, Doubt.KEEP)
    add((State.HELD,), Event.HURRY, State.HELD, Doubt.KEEP)
    add(_LIVE, Event.VOID, State.VOIDED, Doubt.REFUSE)
    # A person's word is not the host's answer: the doubt stays beside the end.
    add((State.HELD,), Event.ABANDON, State.VOIDED, Doubt.KEEP)
    add(_LIVE, Event.LAPSE, State.LAPSED, Doubt.REFUSE)
    # An approval the terminal could not use (wrong MAC, fault) is taken back after the fact.
    add((State.WAITING, State.HELD, State.POSTED), Event.REVERSE, State.REVERSED, Doubt.CLEAR)
    add((State.QUEUED, State.WAITING, State.HELD), Event.FREEZE, State.WAITING, Doubt.KEEP)
    add((State.SENDING,), Event.FREEZE, State.WAITING, Doubt.SET)
    add((State.WAITING, State.HELD), Event.REPLACED, State.WAITING, Doubt.KEEP)
    for state in State:
        add((state,), Event.LATE, state, Doubt.KEEP)
    add((State.SENDING,), Event.RESTART, State.WAITING, Doubt.SET)
    add(
        (State.QUEUED, State.SENDING, State.WAITING, State.HELD),
        Event.DAMAGE,
        State.HELD,
        Doubt.SET,
    )
    return rows


TRANSITIONS: Mapping[tuple[State, Event], Move] = _table()


class IllegalMoveError(Exception):
    """The table has no such row, or the record is in doubt where it must not be."""


def move(state: State, in_doubt: bool, event: Event) -> tuple[State, bool]:
    """State and doubt after `event`. Raises IllegalMoveError where the table forbids it."""
    row = TRANSITIONS.get((state, event))
    if row is None:
        raise IllegalMoveError(f"no {event} from {state}")
    if row.doubt is Doubt.REFUSE and in_doubt:
        raise IllegalMoveError(f"no {event} while in doubt")
    if row.doubt is Doubt.KEEP:
        return row.to, in_doubt
    return row.to, row.doubt is Doubt.SET


@dataclass(frozen=True, slots=True, kw_only=True)
class HostResult:
    """What the host said about a payment, bound to it by its own echo."""

    reference: str | None = None  #: the host's own id of the posting
    response_code: str | None = None
    rrn: str | None = None
    posted_amount_minor: int | None = None
    posted_at: datetime | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A journal row as everybody but the store sees it. Payload bytes are fetched apart."""

    seq: int
    transaction: Transaction
    state: State
    in_doubt: bool
    version: int  #: +1 with every change; compare-and-set uses it
    sent: int  #: attempts by the agent in which a byte may have left
    tried: int  #: attempts by the agent, also those that never left
    cause: str  #: cause code of the last trouble, or ""
    note: str  #: one sentence about it, without any payload
    stored_at: datetime
    changed_at: datetime
    next_wall_ms: int  #: when the next try is due; 0 = now or never
    next_boot_ms: int  #: the same on CLOCK_BOOTTIME of boot `boot_no`
    boot_no: int
    lane: str | None
    stored: Stamp  #: when the journal took it over
    first_sent: Stamp | None = None  #: when the agent's first byte may have left
    last_sent: Stamp | None = None
    payload_version: int = 1
    not_found: int = 0  #: authoritative "not found" answers in a row
    result: HostResult | None = None
    flags: tuple[str, ...] = ()  #: what the check disliked when it was taken (`limits`)

    @property
    def key(self) -> str:
        return self.transaction.key

    @property
    def final(self) -> bool:
        return self.state in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a record's history. Repeats of one trouble are one row with a count."""

    event: str
    state: State
    in_doubt: bool
    cause: str
    note: str
    count: int
    first_at: datetime
    last_at: datetime
    actor: str = "agent"  #: or who did it, as the local API knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What an event brings with it; `Store.advance` commits it with its history row."""

    event: Event
    cause: str = ""
    note: str = ""
    next_wall_ms: int = 0
    next_boot_ms: int = 0
    not_found: int = 0
    result: HostResult | None = None
    payload_version: int | None = None  #: REPLACED only
    #: False where the event must not count as an attempt (U10: a credential problem).
    counts: bool = True
    actor: str = "agent"
    flags: tuple[str, ...] = ()  #: to be added to the record's (`stages.flags_after`)


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """A number of records and their sums by currency, in minor units."""

    count: int = 0
    by_currency: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """The unsent money of this terminal. Maintained with every commit, never scanned."""

    total: Amounts
    by_state: Mapping[State, Amounts]
    in_doubt: Amounts
    held: Amounts
    quarantined: Amounts | None  #: None: records put aside whose number is unknown
    oldest_at: datetime | None
    by_cause: Mapping[str, int]  #: unsent records by their last cause code
