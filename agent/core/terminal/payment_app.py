"""The payment app's last 24 hours: how often it ended, and whether it may be started again.

Decides when ends are a crash loop and since which version, and every reason there is for not
restarting: nobody wants it, a technician is at it, a payment is being taken, it was tried just now,
or often enough. It finds no process and starts none. Called by `agent.watch.payment_app`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from agent.record import dataclass

DAY_MS = 86_400_000
#: Marks kept; a terminal that crashes more often in a day is told as "at least so often".
MOST_MARKS = 500


class What(StrEnum):
    """What happened to it."""

    ENDED = "ended"  #: its process was there and is not
    ASKED = "asked"  #: stopped, and the agent asked for a restart
    KILLED = "killed"  #: it hung, and the agent asked for a restart


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing that happened. `version` is what ran then, "" where nobody told."""

    at_ms: int  #: wall clock
    what: What
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashes:
    """Its ends within 24 h."""

    count: int
    since_version: str  #: that of the first of them; "" unknown
    since_ms: int | None


class Seen(StrEnum):
    """How it is now."""

    RUNNING = "running"
    STOPPED = "stopped"
    HUNG = "hung"  #: its process is there; it has said nothing for too long
    UNKNOWN = "unknown"


class Held(StrEnum):
    """Why it is not restarted, or that it is."""

    RESTART = "restart"
    NOT_NEEDED = "not_needed"
    UNKNOWN = "unknown"  #: whether it runs cannot be told
    OFF = "off"  #: by configuration
    PAUSED = "paused"  #: a technician switched it off
    PAYMENT = "payment"  #: a payment is being taken
    WAITING = "waiting"  #: the next try is due later
    CAPPED = "capped"  #: tried often enough today


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the configuration allows."""

    when: frozenset[Seen]
    wait_ms: int
    wait_max_ms: int
    daily: int
    quiet_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Now:
    """How things stand."""

    seen: Seen
    since_ms: int  #: since when it is stopped or hung
    paused: bool
    #: A payment it takes is not finished, or it says itself that it is busy.
    payment: bool
    called_ms_ago: int | None  #: since its last call; None: it never called


def within_a_day(marks: Iterable[Mark], now_ms: int) -> list[Mark]:
    """The marks of the last 24 h. What a wrong clock dated in the future happened just now."""
    fresh = (replace(one, at_ms=min(one.at_ms, now_ms)) for one in marks)
    return [one for one in fresh if now_ms - one.at_ms < DAY_MS][-MOST_MARKS:]


def crashes(marks: Iterable[Mark], now_ms: int) -> Crashes:
    """How often it ended or hung. The end that a restart of a hung app brings is not another."""
    ends: list[Mark] = []
    before: What | None = None
    for one in within_a_day(marks, now_ms):
        if one.what is What.KILLED or (one.what is What.ENDED and before is not What.KILLED):
            ends.append(one)
        before = one.what
    if not ends:
        return Crashes(count=0, since_version="", since_ms=None)
    return Crashes(count=len(ends), since_version=ends[0].version, since_ms=ends[0].at_ms)


def may_restart(now: Now, plan: Plan, marks: Sequence[Mark], now_ms: int) -> Held:
    """Whether to ask for a restart now."""
    if now.seen is Seen.UNKNOWN:
        return Held.UNKNOWN
    if now.seen is Seen.RUNNING:
        return Held.NOT_NEEDED
    if now.seen not in plan.when:
        return Held.OFF
    if now.paused:
        return Held.PAUSED
    asked = [one.at_ms for one in within_a_day(marks, now_ms) if one.what is not What.ENDED]
    if len(asked) >= plan.daily:
        return Held.CAPPED
    if now.payment:
        return Held.PAYMENT
    if now.called_ms_ago is not None and now.called_ms_ago < plan.quiet_ms:
        return Held.PAYMENT
    if now_ms < next_try_ms(now.since_ms, plan, asked):
        return Held.WAITING
    return Held.RESTART


def next_try_ms(since_ms: int, plan: Plan, asked: Sequence[int]) -> int:
    """When the next restart is due; `asked` are those of the last 24 h."""
    wait_ms = min(plan.wait_max_ms, plan.wait_ms << min(len(asked), 20))
    return max([since_ms, *asked[-1:]]) + wait_ms
