"""What the actions need of the terminal's inspections; a part of `agent.actions.ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.core.inspection.report import Report


class Inspections(Protocol):
    """Self-inspections of this terminal."""

    async def report(
        self, number: int | None, after: int = 0, wait_s: float = 0.0
    ) -> Report | None: ...
    async def latest(self, limit: int) -> Sequence[Report]: ...


class Inspecting(Inspections, Protocol):
    """Makes them; only a running daemon does."""

    async def begin(self, actor: str) -> Report: ...
