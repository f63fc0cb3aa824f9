"""What the checks know that a verdict should say: twins, patterns, who has an alarm in hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.actions.ports import Ports

if TYPE_CHECKING:
    from agent.core.money.journal import Record
    from agent.core.money.limits import Rules
    from agent.core.why.case import Said

#: A twin was handed over shortly before; so many rows are read at most.
BEFORE, AFTER = 400, 100
#: A payment captured and left alone for so long was not finished.
LEFT_ALONE_S = 900.0


class CheckedEvidence:
    """Over the same ports as the verdict itself."""

    def __init__(self, ports: Ports, rules: Rules) -> None:
        self._ports = ports
        self._rules = rules

    async def about(self, record: Record | None) -> Sequence[Said]:
        """About one payment, or about the whole terminal."""
        # Loaded when somebody asks why.
        from agent.core.why import flagged

        ports = self._ports
        if record is None:
            return flagged.in_hand(ports.health.alarms())
        said: list[Said] = []
        if record.flags:
            around = await ports.journal.page(
                after_seq=max(0, record.seq - BEFORE), limit=BEFORE + AFTER
            )
            said += flagged.about(record, around, self._rules)
        if ports.told is not None:
            reports = await ports.told.stages(record.seq)
            now = ports.clock.now().at
            said += flagged.not_completed(record, reports, now, LEFT_ALONE_S)
        return said
