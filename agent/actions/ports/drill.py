"""What drills and statistics need of the rooms; a part of `agent.actions.ports`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.core.drill.report import Drill
    from agent.core.why.around import Around
    from agent.core.why.stats import Timed


class Drills(Protocol):
    """Drills of this terminal."""

    async def drill(
        self, number: int | None, after: int = 0, wait_s: float = 0.0
    ) -> Drill | None: ...
    async def latest(self, limit: int) -> Sequence[Drill]: ...


class Drilling(Drills, Protocol):
    """Makes them; only a running daemon does."""

    async def begin(self, actor: str, records: int, restart: bool) -> Drill:
        """Raises CallerError `drill.in_doubt`."""
        ...


class Span(Protocol):
    """Circumstances, and the payments captured under them."""

    @property
    def first_seq(self) -> int: ...
    @property
    def last_seq(self) -> int: ...
    @property
    def around(self) -> Around: ...


class Arounds(Protocol):
    """Under which circumstances payments were captured."""

    async def page(self, born_at: datetime, after_seq: int) -> Sequence[Span]: ...


class Timings(Protocol):
    """The few columns of every payment that statistics are made of."""

    async def newest(self) -> int: ...
    async def page(self, after_seq: int, upto_seq: int) -> tuple[Sequence[Timed], int | None]: ...
    async def stored_since(self, at_ms: int, newest: int) -> int: ...
