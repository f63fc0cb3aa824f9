"""What the actions need of the rooms: the journal, health, the channels, who we are.

The daemon plugs in the live rooms, the command line its offline readers; an action cannot tell,
except that nothing can be changed without a daemon. Called by main and by the offline CLI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent.actions.inspecting import Inspecting, Inspections
from agent.actions.ports_software import Installing, Software
from agent.clock import Clock
from agent.core.fleet.inventory import Item, ItemChange
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.money.abandoning import Asking
from agent.core.money.batches import AppReport, Batch, SignOn
from agent.core.money.journal import Backlog, Change, Record, State, Step
from agent.core.money.limits import Finding
from agent.core.money.stages import Kept, Report, Settlement
from agent.core.money.transaction import Submission, Transaction
from agent.errors import OperatorError
from agent.wire.hooks import AnyReading
from agent.wire.problem import CODES


class Facts(Protocol):
    """What start-up found out about the journal."""

    @property
    def path(self) -> str: ...
    @property
    def schema(self) -> int: ...
    @property
    def born_at(self) -> datetime: ...
    @property
    def clean_start(self) -> bool: ...
    @property
    def damage(self) -> str: ...


class Aside(Protocol):
    """A damaged journal put aside."""

    @property
    def path(self) -> str: ...
    @property
    def records(self) -> int | None: ...
    @property
    def amounts(self) -> Mapping[str, int] | None: ...


class Journal(Protocol):
    """The reading half of the store; every call raises StoreError while it cannot be read."""

    async def record(self, key: str) -> Record | None: ...
    async def steps(self, seq: int, limit: int = 100) -> list[Step]: ...
    async def page(
        self, *, states: frozenset[State] | None = None, after_seq: int = 0, limit: int = 100
    ) -> list[Record]: ...
    async def backlog(self) -> Backlog: ...
    async def facts(self) -> Facts: ...
    async def quarantined(self) -> Sequence[Aside]: ...


class Mover(Protocol):
    """The one way to change a record; only a running daemon has it."""

    async def advance(self, seq: int, version: int, change: Change) -> Record: ...


class Judge(Protocol):
    """Holds a payment against the rules; only a running daemon has the figures."""

    async def examine(self, transaction: Transaction) -> tuple[Finding, ...]: ...


class Prepared(Protocol):
    """The messages handed over beside a payment; only a running daemon uses them."""

    async def reverse(self, key: str, reason: str, actor: str) -> Record: ...
    async def replace(self, record: Record, fresh: Submission, actor: str) -> Record: ...


class Told(Protocol):
    """What payment apps reported, for reading."""

    async def stages(self, seq: int) -> list[Kept]: ...
    async def batch(self, terminal_id: str, batch: str | None) -> Batch | None: ...


class Reports(Told, Protocol):
    """Takes reports of payment apps, and a person's word about what they did not report."""

    async def report(self, key: str, reports: Sequence[Report]) -> tuple[Record, list[Kept]]: ...
    async def settle(self, key: str, word: Settlement) -> Record: ...
    async def told(self, report: AppReport) -> tuple[Batch | None, SignOn | None]: ...


class Begun(Protocol):
    """A backup that has begun."""

    @property
    def backup_id(self) -> str: ...
    @property
    def head(self) -> bytes: ...


class Piece(Protocol):
    """Some bytes of it."""

    @property
    def data(self) -> bytes: ...
    @property
    def last(self) -> bool: ...
    @property
    def records(self) -> int: ...


class Backups(Protocol):
    """Makes sealed copies of the journal."""

    async def begin(self, recipient: str, *, hand_over: bool) -> Begun: ...
    async def piece(self, backup_id: str, number: int) -> Piece: ...


class Found(Protocol):
    """Something that is not what was written."""

    @property
    def what(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def detail(self) -> str: ...


class Verified(Protocol):
    """A part of a verification."""

    @property
    def after(self) -> str | None: ...
    @property
    def permille(self) -> int: ...
    @property
    def checked(self) -> Mapping[str, int]: ...
    @property
    def found(self) -> Mapping[str, int]: ...
    @property
    def findings(self) -> Sequence[Found]: ...
    @property
    def structure(self) -> str: ...


class Verifier(Protocol):
    """Checks what is stored; in portions, or all at once on a dead daemon's store."""

    async def verify(self, after: str) -> Verified: ...


class Pushed(Protocol):
    """Takes readings of vendor firmware; only a running daemon with hooks has it."""

    def push(self, readings: Sequence[AnyReading], uid: int) -> list[str]: ...


class Hearing(Protocol):
    """Takes bytes a device sent to whoever owns its port; only a running daemon has it."""

    def hear(self, component: str, received: bytes, query: int = 0) -> int: ...


class AppSeen(Protocol):
    """Takes the payment app's word of itself; only a running daemon has it."""

    def alive(self, version: str, busy: bool) -> None: ...


class Haul(Protocol):
    """What was taken back of a journal put aside."""

    @property
    def after(self) -> int | None: ...
    @property
    def taken(self) -> int: ...
    @property
    def final(self) -> int: ...
    @property
    def known(self) -> int: ...
    @property
    def unproved(self) -> int: ...
    @property
    def amounts(self) -> Mapping[str, int]: ...


class Keys(Protocol):
    """The key ring by its numbers."""

    @property
    def sealing(self) -> bool: ...
    @property
    def file(self) -> Path: ...
    @property
    def newest(self) -> int | None: ...
    @property
    def held(self) -> Sequence[int]: ...
    @property
    def in_use(self) -> Sequence[int]: ...
    @property
    def missing(self) -> Sequence[int]: ...
    @property
    def turning(self) -> bool: ...


class Care(Protocol):
    """Looks after stored rows; only a running daemon may."""

    async def acknowledge(self, key: str) -> Record | None: ...
    async def keys(self) -> Keys: ...
    async def rotate(self) -> Keys: ...
    async def salvage(self, name: str, after: int, actor: str) -> Haul: ...


class Inventory(Protocol):
    """What hangs on this terminal."""

    def items(self) -> Sequence[Item]: ...
    async def changes(self, limit: int) -> Sequence[ItemChange]: ...


class Health(Protocol):
    """What the tracker knows now, or knew last."""

    def alarms(self) -> Sequence[Alarm]: ...
    def components(self) -> Sequence[ComponentState]: ...


class Channel(Protocol):
    """One uplink as its uploader sees it."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def cause(self) -> str: ...
    @property
    def since_at(self) -> datetime | None: ...
    @property
    def next_attempt_at(self) -> datetime | None: ...
    @property
    def last_success_at(self) -> datetime | None: ...
    @property
    def in_flight(self) -> int: ...


class Channels(Protocol):
    """The uplinks."""

    def channels(self) -> Sequence[Channel]: ...

    def asking(self, record: Record) -> Asking:
        """What its host could still tell about this payment."""
        ...

    async def kick(self, name: str | None) -> None:
        """Try again now: one uplink, or all of them."""
        ...


class Telemetry(Protocol):
    """The way to the fleet's broker."""

    @property
    def configured(self) -> bool: ...
    @property
    def connected(self) -> bool: ...
    @property
    def endpoint(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def queued(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def alarm(self) -> str: ...
    @property
    def last_error(self) -> str: ...
    @property
    def last_reason(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who this agent is."""

    device_id: str
    tenant: str
    site: str
    version: str
    started_at: datetime | None = None  #: None: no daemon


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything an action may use, and on whose behalf it runs."""

    journal: Journal
    mover: Mover | None  #: None: no daemon, nothing can be changed
    health: Health
    channels: Channels | None  #: None: not known without a daemon
    identity: Identity
    clock: Clock
    telemetry: Callable[[], Telemetry] | None = None  #: None: not known without a daemon
    judged: Judge | None = None  #: None: no daemon
    prepared: Prepared | None = None  #: None: no daemon
    told: Told | None = None  #: None: not kept here
    reports: Reports | None = None  #: None: no daemon
    backups: Backups | None = None  #: None: not made here
    care: Care | None = None  #: None: no daemon
    verifier: Verifier | None = None  #: None: not stored here
    pushed: Pushed | None = None  #: None: no daemon, or no hooks
    hearing: Hearing | None = None  #: None: no daemon
    inventory: Inventory | None = None  #: None: not kept here
    inspections: Inspections | None = None  #: None: not kept here
    inspector: Inspecting | None = None  #: None: no daemon
    app: AppSeen | None = None  #: None: no daemon
    software: Software | None = None  #: None: not kept here
    installer: Installing | None = None  #: None: no daemon
    #: By uplink, what holds a payment against it before it is recorded. Raises RequestError.
    checks: Mapping[str, Callable[[Submission], None]] = field(default_factory=dict)
    actor: str = "agent"  #: kept in the history of what is changed

    @property
    def daemon_alive(self) -> bool:
        return self.mover is not None

    def moving(self) -> Mover:
        """The way to change a record. Raises OperatorError without a daemon."""
        if self.mover is None:
            raise _down("nothing can be changed")
        return self.mover

    def judge(self) -> Judge:
        """Who holds payments against the rules. Raises OperatorError without a daemon."""
        if self.judged is None:
            raise _down("no payment can be checked")
        return self.judged

    def reporting(self) -> Reports:
        """Who takes reports. Raises OperatorError without a daemon."""
        if self.reports is None:
            raise _down("nothing can be reported")
        return self.reports

    def preparing(self) -> Prepared:
        """What uses prepared messages. Raises OperatorError without a daemon."""
        if self.prepared is None:
            raise _down("nothing can be changed")
        return self.prepared

    def keeping(self) -> Backups:
        """Who makes backups. Raises OperatorError where nobody does."""
        if self.backups is None:
            raise _down("no backup can be made")
        return self.backups

    def caring(self) -> Care:
        """Who looks after stored rows. Raises OperatorError without a daemon."""
        if self.care is None:
            raise _down("nothing can be changed")
        return self.care

    def verifying(self) -> Verifier:
        """Who checks what is stored. Raises OperatorError where nobody does."""
        if self.verifier is None:
            raise _down("nothing can be verified")
        return self.verifier

    def inspecting(self) -> Inspecting:
        """Who inspects. Raises OperatorError without a daemon."""
        if self.inspector is None:
            raise _down("nothing can be inspected")
        return self.inspector


def _down(what: str) -> OperatorError:
    return OperatorError(
        "daemon.down", f"{what} while the agent is not running", CODES["daemon.down"].hint
    )
