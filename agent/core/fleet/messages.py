"""What a terminal tells its fleet: the messages, their topics and how each is delivered.

Pure: built from health facts, the backlog and the identity; `wire.mqtt` turns them into bytes,
`telemetry.recorder` decides when. Names are the contract of docs/contracts/mqtt.md: plain
snake_case with units, `ts` and every `…_ts` in UTC milliseconds. Nothing about a single payment
is ever in here: counts, sums, ages and cause codes only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol

from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.core.moment import Moment, to_ms
from agent.core.money.journal import Amounts, Backlog, State
from agent.record import dataclass

CONTRACT = 1


class Kind(StrEnum):
    """The last level of the topic."""

    STATE = "state"
    INFO = "info"
    HEALTH = "health"
    BACKLOG = "backlog"
    EVENT = "event"


class Priority(IntEnum):
    """Who is sent first, and who is thinned last, when not everything can be."""

    NOW = 0  #: what the terminal is and what money is stuck
    EVENT = 1  #: alarms, oldest first
    READING = 2  #: periodic readings; thinned when the outbox is full


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How a kind is delivered. `supersedes`: queued ones of this priority and lower are stale."""

    priority: Priority
    retained: bool = False
    qos: int = 1
    supersedes: Priority | None = None


RULES: Mapping[Kind, Rule] = {
    # Never queued: it is about the connection it travels on.
    Kind.STATE: Rule(priority=Priority.NOW, retained=True),
    Kind.INFO: Rule(priority=Priority.NOW, retained=True, supersedes=Priority.NOW),
    Kind.HEALTH: Rule(priority=Priority.READING),
    # An edge of the backlog goes first (Priority.NOW); the periodic repeat is a reading.
    Kind.BACKLOG: Rule(priority=Priority.READING, supersedes=Priority.READING),
    Kind.EVENT: Rule(priority=Priority.EVENT),
}


def topic(tenant: str, device_id: str, tail: str) -> str:
    """Where a message goes; `tail` is its kind, with what belongs behind it (`res/4711`).

    Both names match [A-Za-z0-9_-]{1,64} (configuration).
    """
    return f"pos/{CONTRACT}/{tenant}/{device_id}/{tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this terminal is. Site, terminals and merchants move; tenant and device id do not."""

    tenant: str
    device_id: str
    agent_version: str = ""
    site: str = ""
    os: str = ""
    model: str = ""
    firmware: str = ""
    terminal_ids: tuple[str, ...] = ()
    merchant_ids: tuple[str, ...] = ()
    uplinks: tuple[str, ...] = ()
    #: The watched devices as `printer_model` and the like (`core.fleet.inventory.fields`).
    devices: tuple[tuple[str, Value], ...] = ()


class AlarmFacts(Protocol):
    """What this file needs to know of an alarm (`core.health.tracker`)."""

    @property
    def code(self) -> str: ...
    @property
    def component(self) -> str: ...
    @property
    def severity(self) -> str: ...
    @property
    def since_at(self) -> datetime: ...
    @property
    def args(self) -> Mapping[str, Value]: ...
    @property
    def flaps(self) -> int: ...
    @property
    def suppressed_by(self) -> str: ...


class ChangeFacts(Protocol):
    """One change of an alarm."""

    @property
    def code(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def at(self) -> Moment: ...
    @property
    def alarm(self) -> AlarmFacts: ...


class ComponentFacts(Protocol):
    """The last thing a component said."""

    @property
    def component(self) -> str: ...
    @property
    def outcome(self) -> Outcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StateMessage:
    """Retained. `connects` orders them: a late `lost` carries the number of an older connect."""

    state: str  #: online, offline, or lost (the Will)
    connects: int
    ts: int | None = None  #: absent in the Will: nobody knows when it is sent


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoMessage:
    """Retained: what changes rarely. `fields`: the watched devices, flat."""

    ts: int
    clock_suspect: bool | None
    contract: int
    agent_version: str
    site: str
    os: str
    model: str
    firmware: str
    terminal_ids: tuple[str, ...]
    merchant_ids: tuple[str, ...]
    uplinks: tuple[str, ...]
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMessage:
    """Readings: all of them (`full`) or those that moved. `fields` are flattened beside `ts`."""

    ts: int
    clock_suspect: bool | None
    full: bool
    alarms: tuple[str, ...] | None  #: open root alarms; absent in a delta if unchanged
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogMessage:
    """The unsent money. `fields` carries the sums, one per currency."""

    ts: int
    clock_suspect: bool | None
    count: int
    oldest_age_s: int | None
    queued_count: int
    sending_count: int
    waiting_count: int
    held_count: int
    in_doubt_count: int
    quarantined_count: int | None
    cause: str | None
    cause_count: int | None
    next_attempt_ts: int | None
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventMessage:
    """An alarm became visible (`active`) or went away. `fields`: its arguments as `arg_…`."""

    ts: int
    clock_suspect: bool | None
    code: str
    component: str
    severity: str
    active: bool
    since_ts: int
    flaps: int | None
    suppressed_by: str | None
    fields: Mapping[str, Value] = field(default_factory=dict)


Message = StateMessage | InfoMessage | HealthMessage | BacklogMessage | EventMessage


def info(identity: Identity, at: Moment) -> InfoMessage:
    """The terminal introduces itself."""
    return InfoMessage(
        ts=at.wall_ms,
        clock_suspect=_suspect(at),
        contract=CONTRACT,
        agent_version=identity.agent_version,
        site=identity.site,
        os=identity.os,
        model=identity.model,
        firmware=identity.firmware,
        terminal_ids=identity.terminal_ids,
        merchant_ids=identity.merchant_ids,
        uplinks=identity.uplinks,
        fields=dict(identity.devices),
    )


def event(change: ChangeFacts) -> EventMessage | None:
    """The fleet hears what a person at the terminal would see: shown and cleared, nothing else."""
    if change.what not in ("shown", "cleared"):
        return None
    alarm = change.alarm
    return EventMessage(
        ts=change.at.wall_ms,
        clock_suspect=_suspect(change.at),
        code=change.code,
        component=alarm.component,
        severity=alarm.severity,
        active=change.what == "shown",
        since_ts=to_ms(alarm.since_at),
        flaps=alarm.flaps or None,
        suppressed_by=alarm.suppressed_by or None,
        fields={f"arg_{name}": value for name, value in alarm.args.items()},
    )


def readings(components: Sequence[ComponentFacts]) -> dict[str, Value]:
    """Every component as one word plus its values as `component_value`, flat."""
    fields: dict[str, Value] = {}
    for each in components:
        match each.outcome:
            case Reading(values=values):
                fields[each.component] = "ok"
                fields |= {f"{each.component}_{name}": value for name, value in values.items()}
            case NotFitted():
                fields[each.component] = "not_fitted"
            case NotObservable():
                fields[each.component] = "not_observable"
            case Unknown():
                fields[each.component] = "unknown"
    return fields


def root_alarms(alarms: Sequence[AlarmFacts]) -> tuple[str, ...]:
    """Codes of the open alarms that are nobody's consequence."""
    return tuple(sorted(alarm.code for alarm in alarms if not alarm.suppressed_by))


def backlog(facts: Backlog, at: Moment, next_attempt_ms: int | None = None) -> BacklogMessage:
    """The unsent money in numbers."""

    def count(state: State) -> int:
        return facts.by_state.get(state, Amounts()).count

    cause, cause_count = main_cause(facts)
    return BacklogMessage(
        ts=at.wall_ms,
        clock_suspect=_suspect(at),
        count=facts.total.count,
        oldest_age_s=oldest_age_s(facts, at),
        queued_count=count(State.QUEUED),
        sending_count=count(State.SENDING),
        waiting_count=count(State.WAITING),
        held_count=facts.held.count,
        in_doubt_count=facts.in_doubt.count,
        quarantined_count=None if facts.quarantined is None else facts.quarantined.count,
        cause=cause or None,
        cause_count=cause_count or None,
        next_attempt_ts=next_attempt_ms if facts.total.count else None,
        fields=_sums("", facts.total)
        | _sums("held_", facts.held)
        | _sums("in_doubt_", facts.in_doubt),
    )


def blocked(facts: Backlog, cause: str) -> Backlog:
    """The facts with what a channel in trouble adds: all that may leave waits for `cause`.

    The payments themselves do not know it: nobody tries them one by one meanwhile.
    """
    free = facts.total.count - facts.held.count
    if not cause or free < facts.held.count:
        return facts
    return replace(facts, by_cause={cause: free})


def main_cause(facts: Backlog) -> tuple[str, int]:
    """The cause most of the backlog waits for; ("", 0) when none is known."""
    named = [(-number, code) for code, number in facts.by_cause.items() if code and number]
    if not named:
        return "", 0
    number, code = min(named)
    return code, -number


def oldest_age_s(facts: Backlog, at: Moment) -> int | None:
    """Age of the oldest unsent payment; None without one or while the clock cannot be right."""
    if facts.oldest_at is None or not at.trusted:
        return None
    return max(0, (at.wall_ms - to_ms(facts.oldest_at)) // 1000)


def _sums(prefix: str, amounts: Amounts) -> dict[str, Value]:
    return {
        f"{prefix}amount_minor_{currency.lower()}": total
        for currency, total in sorted(amounts.by_currency.items())
    }


def _suspect(at: Moment) -> bool | None:
    # Absent in the normal case: it would be the same 22 bytes in every message.
    return None if at.trusted else True
