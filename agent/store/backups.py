"""The backups of a running store, loaded with the first: `agent.store.backup` does all of it.

Called by the actions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.clock import Clock
    from agent.store.backup import Backups, Begun, Journals, Piece


class BackupsLater:
    """As `Backups`; most terminals never make one while they run."""

    def __init__(self, store: Journals, clock: Clock, device_id: str) -> None:
        self._store = store
        self._clock = clock
        self._device_id = device_id
        self._made: Backups | None = None

    def _backups(self) -> Backups:
        if self._made is None:
            from agent.store.backup import Backups

            self._made = Backups(self._store, self._clock, self._device_id)
        return self._made

    async def begin(self, recipient: str, *, hand_over: bool) -> Begun:
        """As `Backups.begin`."""
        return await self._backups().begin(recipient, hand_over=hand_over)

    async def piece(self, backup_id: str, number: int) -> Piece:
        """As `Backups.piece`."""
        return await self._backups().piece(backup_id, number)
