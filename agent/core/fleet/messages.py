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

from agent.core.fleet import plain
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
#: Of a list of words, and of each of them.
MOST_WORDS, MOST_CHARS = 64, 64
#: Of what a command brings back; beyond it the result is left out and its size told instead.
MAX_RESULT_BYTES = 12_288
#: Everything that is told about the watched devices.
MAX_DEVICES_BYTES = 6_144


class Kind(StrEnum):
    """The last level of the topic."""

    STATE = "state"
    INFO = "info"
    HEALTH = "health"
    BACKLOG = "backlog"
    EVENT = "event"
    HIST = "hist"
    RES = "res"  #: with the command's id behind it: `res/4711`


class Priority(IntEnum):
    """Who is sent first, and who is thinned last, when not everything can be."""

    NOW = 0  #: what the terminal is and what money is stuck
    EVENT = 1  #: alarms, oldest first
    READING = 2  #: periodic readings; thinned when the outbox is full
    HISTORY = 3  #: readings that waited for a connection; nothing waits behind them


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
    # Retained: who begins to read sees at once where money is stuck.
    Kind.BACKLOG: Rule(priority=Priority.READING, retained=True, supersedes=Priority.READING),
    Kind.EVENT: Rule(priority=Priority.EVENT),
    Kind.HIST: Rule(priority=Priority.HISTORY),
    # Somebody waits for it, and every step of a command is news of its own.
    Kind.RES: Rule(priority=Priority.NOW),
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
    #: What a signed command may ask of it; none: it takes no commands.
    capabilities: tuple[str, ...] = ()
    #: Which configuration it runs (a fingerprint, "" = not told), and the version of the fleet's
    #: wish it follows (None: of none).
    config_version: str = ""
    desired_version: int | None = None
    #: What may be spent on telemetry, as configured.
    profile: str = ""
    #: The longest silence it keeps while it is well; None: it is not held to any.
    heartbeat_s: int | None = None
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
    @property
    def acknowledged_by(self) -> str: ...


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
    capabilities: tuple[str, ...] = ()
    config_version: str | None = None
    desired_version: int | None = None
    profile: str | None = None
    heartbeat_s: int | None = None
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMessage:
    """Readings: all of them (`full`) or those that moved. `fields` are flattened beside `ts`."""

    ts: int
    clock_suspect: bool | None
    full: bool
    alarms: tuple[str, ...] | None  #: open root alarms; absent in a delta if unchanged
    #: Those of them somebody took note of; who, stays on the terminal. Absent: as before, in a
    #: full report none.
    acknowledged: tuple[str, ...] | None = None
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
    channel: str | None = None  #: by which way to the network payments leave now
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
    count: int | None = None  #: how often it became visible since the agent started
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResMessage:
    """What became of a command: taken, under way, done, or why not."""

    ts: int
    clock_suspect: bool | None
    cmd_id: str
    op: str
    status: str  #: accepted, running, ok, failed, rejected or expired
    code: str | None = None  #: the reason as a stable word
    detail: str | None = None
    progress_percent: int | None = None
    result: bytes | None = None  #: JSON; the one thing in any message that is not flat


@dataclass(frozen=True, slots=True, kw_only=True)
class HistEntry:
    """What was read at one time in the past."""

    ts: int
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistMessage:
    """Readings of an outage, told afterwards, the oldest first."""

    ts: int  #: when they were put together
    entries: tuple[HistEntry, ...]
    clock_suspect: bool | None = None


Message = (
    StateMessage
    | InfoMessage
    | HealthMessage
    | BacklogMessage
    | EventMessage
    | ResMessage
    | HistMessage
)


def info(identity: Identity, at: Moment) -> InfoMessage:
    """The terminal introduces itself."""
    return InfoMessage(
        ts=at.wall_ms,
        clock_suspect=_suspect(at),
        contract=CONTRACT,
        agent_version=identity.agent_version,
        site=plain.text(identity.site),
        os=plain.text(identity.os),
        model=plain.text(identity.model),
        firmware=plain.text(identity.firmware),
        terminal_ids=_words(identity.terminal_ids),
        merchant_ids=_words(identity.merchant_ids),
        uplinks=_words(identity.uplinks),
        capabilities=_words(identity.capabilities),
        config_version=plain.text(identity.config_version, MOST_CHARS) or None,
        desired_version=identity.desired_version,
        profile=identity.profile or None,
        heartbeat_s=identity.heartbeat_s,
        fields=plain.fields(dict(identity.devices), most_bytes=MAX_DEVICES_BYTES),
    )


@dataclass(slots=True)
class Tally:
    """How often each alarm became visible since the agent started."""

    shown: dict[str, int] = field(default_factory=dict)

    def count(self, change: ChangeFacts) -> int | None:
        """With this change; None for an alarm that was visible before the start."""
        if change.what == "shown":
            self.shown[change.code] = self.shown.get(change.code, 0) + 1
        return self.shown.get(change.code)


def event(change: ChangeFacts, count: int | None = None) -> EventMessage | None:
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
        count=count,
        fields=plain.fields(alarm.args, "arg_"),
    )


def readings(components: Sequence[ComponentFacts]) -> dict[str, Value]:
    """Every component as one word plus its values as `component_value`, flat."""
    fields: dict[str, Value] = {}
    for each in components:
        if not plain.NAME.fullmatch(each.component):
            continue
        match each.outcome:
            case Reading(values=values):
                fields[each.component] = "ok"
                said = plain.fields(values, f"{each.component}_")
                fields |= {
                    name: one for name, one in said.items() if plain.worth_telling(name, one)
                }
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


def acknowledged(alarms: Sequence[AlarmFacts]) -> tuple[str, ...]:
    """Codes of those somebody took note of."""
    return root_alarms([alarm for alarm in alarms if alarm.acknowledged_by])


def backlog(
    facts: Backlog, at: Moment, next_attempt_ms: int | None = None, channel: str = ""
) -> BacklogMessage:
    """The unsent money in numbers. `channel`: by which way payments leave; "" = not chosen here."""

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
        channel=plain.text(channel, MOST_CHARS) or None,
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


def _words(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(plain.text(name, MOST_CHARS) for name in names[:MOST_WORDS])


def _suspect(at: Moment) -> bool | None:
    # Absent in the normal case: it would be the same 22 bytes in every message.
    return None if at.trusted else True
