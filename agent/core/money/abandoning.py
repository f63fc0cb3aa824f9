"""Giving up a held payment on a person's word, with the host's confirmation behind it (U23).

The last way out of `held`, for a payment nobody will ever get an answer about. It decides what the
word must say and when the host has to be asked first; the row stays, final, with who said what. A
doubt that was there stays with it: a person's word is not the host's answer. Called by the action;
it does not know who may say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from agent.core.money.journal import Change, Event, Record, State, Step
from agent.record import dataclass

#: Stays visible at the payment; with it a voided payment was given up, not withdrawn.
CAUSE = "queue.held"


class Outcome(StrEnum):
    """What the host, or the list of what it posted, says about the payment."""

    NOT_AT_HOST = "not_at_host"  #: it does not have it
    SETTLED_ELSEWHERE = "settled_elsewhere"  #: by another terminal, another way, in cash
    POSTED_MANUALLY = "posted_manually"  #: the host's people entered it by hand


class Asking(StrEnum):
    """What a status query could still tell about one payment."""

    NO = "no"  #: nothing: this host cannot be asked
    YES = "yes"
    #: only "posted" would prove something: the host may have forgotten the key (U16)
    STALE = "stale"


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """A person's word, and where it comes from."""

    outcome: Outcome
    reference: str  #: the host's ticket, letter, list or person
    said_by: str  #: who confirmed it


def unasked(record: Record, steps: Sequence[Step], asking: Asking) -> bool:
    """Whether the host itself must be asked before a person's word is taken.

    Without doubt it was never sent, or the host's answer is there already.
    """
    if not record.in_doubt or asking is Asking.NO or record.not_found:
        return False
    if asking is Asking.YES:
        return True
    last = record.last_sent or record.stored
    return not any(
        step.event == Event.ASKED and step.last_at.timestamp() * 1000 >= last.wall_ms
        for step in steps
    )


def abandoned(record: Record, word: Confirmation, actor: str) -> Change:
    """The change that ends it."""
    return Change(
        event=Event.ABANDON,
        cause=CAUSE,
        note=f"given up: {word.outcome}; {word.reference}; confirmed by {word.said_by} ({actor})",
        not_found=record.not_found,
        actor=actor,
    )


def given_up(record: Record) -> bool:
    """Whether a person ended it, and not the payment app."""
    return record.state is State.VOIDED and record.cause == CAUSE
