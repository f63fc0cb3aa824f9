"""What the questions about more than one payment need; a part of `agent.actions.ports`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.money.batches import Batch
from agent.core.money.journal import Record
from agent.core.money.transaction import Kind


class Kinds(Protocol):
    """Looks over the newest part of the journal. Every call raises StoreError."""

    async def of_kinds(
        self, kinds: Collection[Kind], since_at: datetime
    ) -> tuple[Sequence[Record], datetime | None]:
        """Those of these kinds, oldest first, and how far back was looked; None: to `since_at`."""
        ...

    async def batches(self) -> Sequence[Batch]:
        """The batches told of last, the newest first."""
        ...

    async def terminals(self) -> Sequence[tuple[str, str]]:
        """(TID, MID) of the newest payments."""
        ...
