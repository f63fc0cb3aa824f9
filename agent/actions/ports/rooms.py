"""What the actions ask of each room; for types only, so that a quiet daemon does not load it.

Plugged in by main and by the offline CLI; a part of `agent.actions.ports`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from agent.core.fleet.inventory import Item, ItemChange
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.money.abandoning import Asking
from agent.core.money.batches import AppReport, Batch, SignOn
from agent.core.money.journal import Backlog, Change, Record, State, Step
from agent.core.money.limits import Finding
from agent.core.money.stages import Kept, Report, Settlement
from agent.core.money.transaction import Submission, Transaction
from agent.core.why.case import Said
from agent.wire.hooks import AnyReading


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
    def entered(self, entry_ms: int) -> Sequence[Finding]: ...
    async def unfinished(self, transaction: Transaction) -> str | None: ...


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


class Evidence(Protocol):
    """Somebody who knows more about why money has not arrived than journal and health do."""

    async def about(self, record: Record | None) -> Sequence[Said]:
        """About one payment, or about the whole terminal (None). Raises StoreError."""
        ...


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
    @property
    def spent_today_bytes(self) -> int: ...
    @property
    def spent_is_estimate(self) -> bool: ...
    @property
    def budget_kb(self) -> int: ...
    @property
    def budget_step(self) -> str: ...
    @property
    def thinned(self) -> int: ...
    @property
    def withheld(self) -> int: ...
