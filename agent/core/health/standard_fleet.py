"""The conditions of the line to the fleet, as data.

Values are those of the component `fleet`. A broker that is away is no alarm here: the way to it is
watched by `connectivity`, and what should be told waits. Nor does any of this keep money from
moving.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Judge, Severity, Sign, at_least, holds, says


def _line(
    code: str, severity: Severity, judge: Judge, *args: str, clear_s: float = 0.0
) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(Sign(component="fleet", judge=judge, args=args),),
        clear_after_s=clear_s,
    )


FLEET = (
    # Each of the two comes back after half an hour and is well for a while.
    _line(
        "fleet.duplicate_id",
        Severity.MINOR,
        holds("duplicate_id"),
        *("endpoint", "inherited_since"),
        clear_s=7_200,
    ),
    _line("fleet.not_authorised", Severity.MINOR, holds("not_authorised"), "endpoint", "reason"),
    _line(
        "fleet.data_budget",
        Severity.WARNING,
        says("budget_step", "no_history", "fewer_readings", "alarms_and_money"),
        *("budget_step", "budget_kb", "spent_today_kb"),
        clear_s=60,
    ),
    _line(
        "fleet.desired_rejected",
        Severity.MINOR,
        holds("desired_rejected"),
        *("desired_version", "desired_reason"),
    ),
    _line(
        "fleet.forged_command",
        Severity.MAJOR,
        at_least("forged_recent", 1),
        *("forged_recent", "forged_word", "endpoint"),
    ),
)
