"""The condition of a terminal that nobody inspects, itself included."""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, holds

INSPECTION = (
    Condition(
        code="inspection.overdue",
        severity=Severity.WARNING,
        signs=(Sign(component="inspection", judge=holds("overdue"), args=("last_at",)),),
    ),
)
