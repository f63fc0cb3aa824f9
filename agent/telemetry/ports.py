"""What the telemetry room needs of the others; `main` plugs it in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from agent.core.fleet.messages import AlarmFacts, ChangeFacts, ComponentFacts


class Item(Protocol):
    """A message to keep. `supersedes`: stale are queued ones of its kind from this one down."""

    @property
    def kind(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def retained(self) -> bool: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def body(self) -> bytes: ...
    @property
    def supersedes(self) -> int | None: ...


class Row(Protocol):
    """A message to send."""

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def retained(self) -> bool: ...
    @property
    def body(self) -> bytes: ...


class Stats(Protocol):
    """How full the outbox is."""

    @property
    def rows(self) -> int: ...
    @property
    def body_bytes(self) -> int: ...
    @property
    def lost(self) -> int: ...


class Outbox(Protocol):
    """Rows that survive a restart until the broker has them (`store.outbox`)."""

    @property
    def stats(self) -> Stats: ...
    @property
    def unsent(self) -> int: ...
    async def identity(self, counters_id: str) -> str: ...
    async def put(self, items: Sequence[Item]) -> object: ...
    async def take(self, limit: int) -> Sequence[Row]: ...
    async def done(self, seqs: Sequence[int]) -> None: ...
    async def refuse(self, seqs: Sequence[int]) -> None: ...
    def release(self) -> None: ...


class Counters(Protocol):
    """Numbers that outlive state.db."""

    def outbox_id(self) -> str: ...
    async def next_connect(self) -> int:
        """The next number of a CONNECT, on disk before this returns."""
        ...


class Timers(Protocol):
    """The one scheduler."""

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None: ...


class HealthView(Protocol):
    """What the health tracker shows."""

    def alarms(self) -> Sequence[AlarmFacts]: ...
    def components(self) -> Sequence[ComponentFacts]: ...
    def subscribe(self, sink: Callable[[Sequence[ChangeFacts]], None]) -> None: ...


class Inbox(Protocol):
    """Takes what the fleet sends down.

    Each returns when what was sent is durably taken or refused; only then the broker is told. After
    a StoreError it is not, and sends it again on the next connection.
    """

    async def command(self, cmd_id: str, payload: bytes, *, retained: bool) -> None: ...
    async def desired(self, payload: bytes) -> None: ...
