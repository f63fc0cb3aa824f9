"""Everything the explain engine is told: one payment or the whole terminal, at one moment.

Plain records, filled by whoever asks (the local API in the daemon, the command line from the
store). What could not be read is None or listed as unknown, never left out: a missing fact must
not look like a healthy one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime

from agent.core.health.reading import NotObservable, Unknown, Value
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.moment import Moment
from agent.core.money.batches import Batch
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Backlog, Record, Step
from agent.core.money.stages import Kept
from agent.core.why.causes import Owner
from agent.core.why.text import Args, Line
from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """Proof that a payment is settled: the acquirer's or the bank's own list has it."""

    number: int  #: of the list, as it was read here
    name: str
    on: str  #: the day, YYYY-MM-DD; "" where the list does not say
    read_at: datetime | None
    sure: bool = True  #: False: only amount and time say that it is this payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The payment asked about. `record` is None when the journal has no such key."""

    key: str
    record: Record | None
    steps: tuple[Step, ...] = ()  #: oldest first
    reports: tuple[Kept, ...] = ()  #: of the payment app, in its own order
    batch: Batch | None = None  #: the batch that holds it, as far as it was reported
    settled: Settled | None = None  #: None: no list that was read here says so
    compared: Line | None = None  #: what a list says of it where that is no proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition that held at the moment in question."""

    code: str
    since_at: datetime | None = None
    args: Mapping[str, Value] = field(default_factory=dict)
    suppressed_by: str = ""  #: code of the root it follows from
    component: str = ""
    known: bool = True  #: False: its component fell silent, neither confirmed nor over


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownComponent:
    """A component nothing is known about, and why."""

    component: str
    reason: str
    permanent: bool = False  #: not observable by design: nothing to repair


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelView:
    """The way to one host as its uploader sees it."""

    name: str
    state: ChannelState
    cause: str = ""
    since_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    evidence: tuple[str, ...] = ()  #: sentences without payload, newest first


@dataclass(frozen=True, slots=True, kw_only=True)
class PutAside:
    """A damaged journal that was put aside untouched."""

    path: str
    records: int | None = None
    amounts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalView:
    """What the journal says about itself."""

    born_at: datetime | None
    quarantined: tuple[PutAside, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionChange:
    """A change of software or parameters on this terminal."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A cause somebody else found (reconciliation, a check, a slip that could not be made)."""

    code: str  #: of the catalogue
    since_at: datetime | None = None
    args: Args = field(default_factory=dict)
    evidence: tuple[Line, ...] = ()
    owner: Owner | None = None  #: None: the catalogue's


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A time during which a condition held. None: before what is kept, or beyond it."""

    code: str
    from_at: datetime | None
    until_at: datetime | None
    args: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """All of it. Defaults say "nothing known", not "all is well"."""

    now: Moment
    daemon_alive: bool
    payment: Payment | None = None  #: None: the whole terminal
    conditions: tuple[Condition, ...] = ()
    unknown: tuple[UnknownComponent, ...] = ()
    backlog: Backlog | None = None  #: None: could not be read
    channels: tuple[ChannelView, ...] | None = None  #: None: not known; (): none configured
    journal: JournalView | None = None  #: None: could not be opened
    changes: tuple[VersionChange, ...] = ()
    said: tuple[Said, ...] = ()
    unheard: tuple[str, ...] = ()  #: who could not be asked what he knows
    #: Health before now, for one payment; None: its history could not be read.
    past: tuple[Stretch, ...] | None = ()
    known: Args = field(default_factory=dict)  #: what texts may name besides: serial, TID …


def conditions_of(alarms: Iterable[Alarm]) -> tuple[Condition, ...]:
    """The tracker's alarms in the words of a case."""
    return tuple(
        Condition(
            code=alarm.code,
            since_at=alarm.since_at,
            args=alarm.args,
            suppressed_by=alarm.suppressed_by,
            component=alarm.component,
            known=alarm.known,
        )
        for alarm in alarms
    )


def unknown_of(components: Iterable[ComponentState]) -> tuple[UnknownComponent, ...]:
    """The components that said nothing usable, by name."""
    found: list[UnknownComponent] = []
    for one in sorted(components, key=lambda one: one.component):
        match one.outcome:
            case Unknown(reason=reason):
                found.append(UnknownComponent(component=one.component, reason=reason))
            case NotObservable(why=why):
                found.append(UnknownComponent(component=one.component, reason=why, permanent=True))
            case _:
                pass
    return tuple(found)
