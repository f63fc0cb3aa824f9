"""What the rest of the agent asks about software: what runs, what changed, what is being installed.

One object for the actions, live in the daemon (`Room`) or as it was written down last (`Left`).
Decides nothing. Called by `agent.actions.software` through its port.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.software.standing import Known, VersionChanged
    from agent.core.software.update import Update, Verb
    from agent.watch.software.history import Sink
    from agent.watch.software.installing import Installing
    from agent.watch.software.updates import Request
    from agent.watch.software.watcher import SoftwareWatcher, View


class Room:
    """The daemon's."""

    def __init__(self, versions: SoftwareWatcher, updates: Installing) -> None:
        self.versions = versions
        self.part = updates

    def view(self) -> View | None:
        """The last read."""
        return self.versions.view()

    def known(self) -> Mapping[str, Known]:
        """Since when each component is what it is."""
        return {} if self.versions.history is None else self.versions.history.since()

    async def changes(self, limit: int) -> Sequence[VersionChanged]:
        """The last changes, the newest first. Raises StoreError."""
        history = self.versions.history
        return [] if history is None else await history.changes(limit)

    def updates(self) -> Sequence[Update]:
        """The newest first."""
        return self.part.history()

    async def begin(self, request: Request, actor: str) -> Update:
        """Begin an update. Raises RequestError."""
        return await self.part.begin(request, actor)

    async def end(self, name: str, verb: Verb, actor: str) -> Update:
        """Keep or take back the update under way. Raises RequestError."""
        return await self.part.end(name, verb, actor)

    def subscribe(self, sink: Sink) -> None:
        """`sink` hears of every change of a version."""
        if self.versions.history is not None:
            self.versions.history.subscribe(sink)


class Left:
    """What a dead daemon left behind."""

    def __init__(
        self,
        known: Sequence[Known],
        changes: Sequence[VersionChanged],
        updates: Sequence[Update],
    ) -> None:
        self._known = {one.component: one for one in known}
        self._changes = changes
        self._updates = updates

    def view(self) -> View | None:
        return None

    def known(self) -> Mapping[str, Known]:
        return self._known

    async def changes(self, limit: int) -> Sequence[VersionChanged]:
        return self._changes[:limit]

    def updates(self) -> Sequence[Update]:
        return list(reversed(self._updates))
