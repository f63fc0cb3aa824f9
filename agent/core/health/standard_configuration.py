"""The conditions of the payment app as a program and of the settings against the issued profile.

Values are those of the watchers `payment_app` and `configuration`. The latter tells several
conditions by the same words (expected, found), each under a prefix of its own. Some codes are the
host's to raise as well; `joined` puts both under one condition.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from agent.core.configuration.causes import GROUPS
from agent.core.health.conditions import (
    Condition,
    Severity,
    Sign,
    at_least,
    either,
    holds,
    reaches,
)

PAYMENT_APP = (
    Condition(
        code="software.app_crashing",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="payment_app",
                judge=reaches("crash_count", "crash_limit"),
                args=("count", "version", "terminal_id"),
                prefix="crash_",
            ),
        ),
    ),
    Condition(
        code="software.app_stopped",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="payment_app",
                judge=either(holds("running", False), holds("hung")),
                args=("app", "pid", "silent_s"),
            ),
        ),
        visible_after_s=20,  # one that is started again at once needs nobody
        clear_after_s=5,
    ),
    Condition(
        code="config.not_signed_on",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="payment_app",
                judge=holds("signed_on", False),
                args=("terminal_id", "batch"),
            ),
            # The host refused payments for it (A0, 77, 99, 22).
            Sign(
                component="queue",
                judge=at_least("not_signed_on", 1),
                args=("not_signed_on",),
            ),
        ),
        visible_after_s=120,  # signing on takes a minute of its own every morning
    ),
    Condition(
        code="settlement.batch_not_closed",
        severity=Severity.MINOR,
        signs=(
            Sign(component="payment_app", judge=holds("batch_overdue"), args=("batch", "count")),
            # A batch upload whose payments were not all sent by the cut-off (money rule 6).
            Sign(
                component="queue",
                judge=at_least("batch_incomplete", 1),
                args=("batch_incomplete",),
            ),
        ),
    ),
)

#: What `configuration` tells of each code.
SIGNS: Mapping[str, Sign] = {
    group.code: Sign(
        component="configuration",
        judge=at_least(f"{group.prefix}count", 1),
        args=group.args,
        prefix=group.prefix,
    )
    for group in GROUPS
}

#: The codes nobody but `configuration` tells.
CONFIGURATION = (
    Condition(
        code="config.wrong_mode",
        severity=Severity.CRITICAL,
        signs=(SIGNS["config.wrong_mode"],),
        clear_after_s=5,
    ),
    Condition(
        code="config.limit_wrong",
        severity=Severity.MAJOR,
        signs=(SIGNS["config.limit_wrong"],),
        clear_after_s=5,
    ),
    Condition(
        code="network.config_invalid",
        severity=Severity.MAJOR,
        signs=(SIGNS["network.config_invalid"],),
        clear_after_s=5,
    ),
    # Money comes, only later or not all of it: the shop should know before it asks.
    *(
        Condition(code=code, severity=Severity.WARNING, signs=(SIGNS[code],), clear_after_s=5)
        for code in ("settlement.not_realtime_mode", "settlement.account_limit")
    ),
)


def _kept(one: Condition) -> tuple[str, ...]:
    """What it follows from whatever the network does."""
    return tuple(code for code in one.depends_on if code.startswith("tls."))


def joined(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """`conditions`, those that `configuration` can tell too with its sign.

    They follow from no other then: what stands in a file is wrong with the network down as well.
    """
    own = {one.code for one in CONFIGURATION}
    return tuple(
        replace(one, signs=(*one.signs, SIGNS[one.code]), depends_on=_kept(one))
        if one.code in SIGNS and one.code not in own
        else one
        for one in conditions
    )
