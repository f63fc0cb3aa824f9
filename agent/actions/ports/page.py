"""What the actions need of the page's listeners and of health's past; a part of `ports`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agent.core.health.tracker import HistoryLine
    from agent.wire.session import DiagnoseOut, PageCodeOut, PageOut


class Page(Protocol):
    """Where the page is served. Raises RequestError."""

    def shown(self) -> PageOut: ...
    def code(self, by: str) -> PageCodeOut: ...
    async def open(self, minutes: int, by: str) -> PageCodeOut: ...
    async def close(self, by: str) -> None: ...


class Asking(Protocol):
    """Takes requests made at the terminal."""

    def hook(self, actor: str) -> DiagnoseOut: ...


class Past(Protocol):
    """The history of health. Raises StoreError."""

    async def page(
        self, since_ms: int, until_ms: int, before: int, limit: int, code: str = ""
    ) -> Sequence[tuple[int, HistoryLine]]: ...
