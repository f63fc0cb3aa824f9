"""Remembers which versions were installed, so that a change is known with its before and after.

What counts as a change is `agent.core.software.standing.changes`, where it is kept
`agent.store.software`. A store that is away delays it to the next read; nothing is lost, because
the versions from before are still what it remembers. Written only when something changed, and
once a day so that it is known how lately nothing had. Called by `agent.watch.software.watcher`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from agent.clock import Clock
from agent.core.software.standing import Installed, Known, VersionChanged, changes
from agent.errors import AgentError

log = logging.getLogger(__name__)

#: A row that says "still the same" costs flash; a day is near enough for what it is used for.
SEEN_EVERY_MS = 86_400_000

Sink = Callable[[Sequence[VersionChanged]], None]


class Rows(Protocol):
    """`agent.store.software.SoftwareRows`."""

    async def load(self) -> list[Known]: ...
    async def save(self, found: Iterable[Known], changed: Sequence[VersionChanged]) -> None: ...
    async def changes(self, limit: int) -> list[VersionChanged]: ...


class History:
    """What was installed, and what changed."""

    def __init__(self, rows: Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._known: dict[str, Known] | None = None
        self._saved_ms = 0
        self._sinks: list[Sink] = []

    def subscribe(self, sink: Sink) -> None:
        """`sink` hears of every change once it is kept; it must not block or raise."""
        self._sinks.append(sink)

    def since(self) -> Mapping[str, Known]:
        """Since when each component is what it is."""
        return self._known or {}

    async def changes(self, limit: int) -> list[VersionChanged]:
        """The last changes, the newest first. Raises StoreError."""
        return await self._rows.changes(limit)

    async def take(self, found: Mapping[str, Installed]) -> None:
        """What was read just now."""
        now_ms = self._clock.now().wall_ms
        try:
            if self._known is None:
                before = {one.component: one for one in await self._rows.load()}
                self._saved_ms = min((one.seen_ms for one in before.values()), default=0)
            else:
                before = self._known
            known, changed = changes(before, found, now_ms)
            stale = abs(now_ms - self._saved_ms) >= SEEN_EVERY_MS
            if changed or known.keys() != before.keys() or stale:
                await self._rows.save(known.values(), changed)
                self._saved_ms = now_ms
        except AgentError as error:
            log.debug("event=software_not_kept reason=%r", str(error))
            return
        self._known = known
        for one in changed:
            log.info(
                "event=software_changed component=%s before=%r after=%r",
                one.component, one.before, one.after,
            )  # fmt: skip
        for sink in self._sinks if changed else ():
            sink(changed)
