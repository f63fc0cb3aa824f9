"""Who asked for what no role of his allows: the first time a line in the trail, then one an hour.

A program on the terminal that tries doors would fill the trail in a day if each try were a line; so
the tries are counted, and the next line says how many there were. Called by the local API through
`main`; keeps nothing over a restart.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from agent.clock import Clock
from agent.core.audit import Deed
from agent.errors import StoreError
from agent.record import dataclass

if TYPE_CHECKING:
    from agent.actions.ports.audit import Trail

log = logging.getLogger(__name__)

EVERY_MS = 3_600_000
#: Actors and operations remembered; who comes after them is written down as everybody else.
MOST = 64
OTHERS = ("others", "any")
OUTCOME = "role.missing"


@dataclass(slots=True)
class _Tries:
    count: int = 0
    written_ms: int | None = None


class Denied:
    """Counts, and writes."""

    def __init__(self, trail: Trail, clock: Clock) -> None:
        self._trail = trail
        self._clock = clock
        self._tries: dict[tuple[str, str], _Tries] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def heed(self, operation: str, actor: str) -> None:
        """One more; returns at once, on the event loop."""
        who = (actor, operation)
        if who not in self._tries and len(self._tries) >= MOST:
            who = OTHERS
        tries = self._tries.setdefault(who, _Tries())
        tries.count += 1
        now_ms = self._clock.now().boot_ms
        if tries.written_ms is None or now_ms - tries.written_ms >= EVERY_MS:
            tries.written_ms = now_ms
            writing = asyncio.create_task(self._write(who, tries), name="audit-denied")
            self._writing.add(writing)
            writing.add_done_callback(self._writing.discard)

    async def _write(self, who: tuple[str, str], tries: _Tries) -> None:
        count, tries.count = tries.count, 0
        actor, operation = who
        try:
            await self._trail.write(Deed(actor=actor, op=operation, outcome=OUTCOME, count=count))
        except StoreError as error:
            tries.count += count
            tries.written_ms = None  # the next try is as good as the first
            log.debug("event=denied_not_written code=%s", error.code)
