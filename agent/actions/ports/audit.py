"""What the actions need of the trail and of alarms somebody takes note of; a part of `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.core.audit import Deed, Fault, Line
    from agent.core.health.noting import Wish
    from agent.core.health.tracker import Alarm


class Checked(Protocol):
    """What became of a look at the whole trail."""

    @property
    def lines(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def faults(self) -> Sequence[Fault]: ...


class Read(Protocol):
    """The trail, for reading. Raises StoreError."""

    async def page(self, since_ms: int, before: int, limit: int) -> Sequence[Line]: ...
    async def check(self) -> Checked: ...


class Trail(Read, Protocol):
    """The trail; only a running daemon writes."""

    async def write(self, deed: Deed) -> None: ...


class Noting(Protocol):
    """Takes note of alarms, or takes that back (`wish` is None); only a running daemon does.

    None: it is not open.
    """

    async def acknowledge(self, code: str, by: str, wish: Wish | None) -> Alarm | None: ...
