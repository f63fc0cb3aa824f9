"""The condition of a terminal on which nobody has exercised an outage for too long."""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, holds

DRILL = (
    Condition(
        code="drill.overdue",
        severity=Severity.WARNING,
        signs=(Sign(component="drill", judge=holds("overdue"), args=("last_at", "result")),),
    ),
)
