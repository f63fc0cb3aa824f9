"""The conditions of the ways out of this terminal, as data. Values are those of `channels`.

Both speak of a terminal with [[channel]] in its configuration; without, nobody tells either. See
`standard` for how the delays were chosen.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, holds

CHANNELS = (
    Condition(
        code="network.backup_in_use",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="channels",
                judge=holds("backup_in_use"),
                args=("channel", "error", "since"),
            ),
        ),
        clear_after_s=5,
    ),
    Condition(
        code="network.backup_unavailable",
        severity=Severity.WARNING,
        signs=(
            # Absent while the main is in trouble too: what fails everywhere is no channel's fault.
            Sign(
                component="channels",
                judge=holds("backup_usable", False),
                args=("channel", "error", "since"),
            ),
        ),
        depends_on=("network.backup_in_use",),
        visible_after_s=120,  # a modem registers, a DHCP server thinks
        clear_after_s=30,
    ),
)
