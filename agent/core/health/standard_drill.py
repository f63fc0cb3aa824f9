"""What an outage drill shows on the alarm list, and that nobody has made one for too long."""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, holds

#: Stands while a drill's sink is silent. It follows from nothing and nothing follows from it, so it
#: hides no real alarm; nothing is done about it.
DRILL_ALARM = "drill.alarm"

DRILL = (
    Condition(
        code=DRILL_ALARM,
        severity=Severity.WARNING,
        signs=(Sign(component="drill", judge=holds("sink_silent"), args=("number", "records")),),
    ),
    Condition(
        code="drill.overdue",
        severity=Severity.WARNING,
        signs=(Sign(component="drill", judge=holds("overdue"), args=("last_at", "result")),),
    ),
)
