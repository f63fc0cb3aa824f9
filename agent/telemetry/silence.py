"""What is learnt about silence, applied to connections and kept in the store.

The machine is `core.fleet.keepalive`; this one tells the connection how often to ask and brings the
lessons over a restart. Called by `conversation`.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from agent.core.fleet.keepalive import Keepalive
from agent.errors import StoreError
from agent.telemetry.line import Line

if TYPE_CHECKING:
    from agent.telemetry.transport import Connection

#: Where lessons are kept.
LESSONS = "keepalive"


class Silence:
    """Of one run of the part."""

    def __init__(self, line: Line) -> None:
        self.machine = Keepalive(line.keepalive_s)
        self._line = line
        self._news = False

    def answered(self, connection: Connection, now_ms: int) -> None:
        """The broker answered something."""
        if self.machine.answered(now_ms):
            self._news = True
            connection.keep_alive(self.machine.interval_s)

    def lost(self) -> None:
        """The connection ended, and not because we left it."""
        self._news = self.machine.lost() or self._news

    async def recall(self) -> None:
        """What was learnt before this start; without it the first step is the first again."""
        if self._line.notes is not None:
            with suppress(StoreError):
                self.machine.recall(await self._line.notes.load(LESSONS))

    async def remember(self) -> None:
        """Put it on disk, if there is anything new."""
        if self._news and self._line.notes is not None:
            await self._line.notes.save(LESSONS, self.machine.lessons())
        self._news = False
