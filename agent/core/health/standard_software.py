"""The conditions of installed software, as data: behind, waiting for its update, failed at it.

Values are those of the watcher `software`. Trouble that began after a change is not a condition:
`agent.core.why.sources` finds it when somebody asks. See `standard` for the rest.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, at_least, says

SOFTWARE = (
    Condition(
        code="software.outdated",
        severity=Severity.WARNING,
        signs=(
            Sign(
                component="software",
                judge=at_least("behind", 1),
                args=("behind", "package", "installed", "required"),
            ),
        ),
    ),
    Condition(
        code="software.update_pending",
        severity=Severity.WARNING,
        signs=(
            Sign(
                component="software",
                # Held back by unsent money, the battery or the hour; or nobody began it.
                judge=says("update_waiting", "held", "offered"),
                args=("version", "count"),
            ),
        ),
        visible_after_s=60,
        clear_after_s=5,
    ),
    Condition(
        code="software.update_failed",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="software",
                judge=says("update_state", "failed", "rolling_back", "rolled_back"),
                args=("version", "failed_step", "rollback"),
            ),
        ),
    ),
)
