"""Says in verdicts what the last pre-settlement slip came to; nothing is loaded until asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.actions.ports.slips import Memory
    from agent.core.money.journal import Record
    from agent.core.why.case import Said


class SlipEvidence:
    """Plugged into `Ports.evidence`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def about(self, record: Record | None) -> Sequence[Said]:
        """Only of the terminal; a payment is on the slip or is not for reasons of its own."""
        if record is not None:
            return ()
        from agent.actions.slip_presettlement import last_time
        from agent.core.slips.presettlement import said

        return said(await last_time(self._memory))
