"""The conditions this product watches for, as data.

One entry per cause code that something on the terminal can observe. Delays follow one rule: long
enough that doing it properly (changing a roll, a router's restart, one lost packet) is never
shown, short enough that a cashier learns of it before the next customer. Values and their names
are those of the watchers; `uplink`, `queue` and `agent` report what the agent knows of itself.
"""

from __future__ import annotations

from agent.core.health.conditions import (
    Catalogue,
    Condition,
    Judge,
    Severity,
    Sign,
    Values,
    at_least,
    falls_to,
    flag,
    holds,
    reaches,
)
from agent.core.health.standard_keypad import KEYPAD
from agent.core.health.standard_network import NETWORK, TLS, UPLINK
from agent.core.health.standard_printer import PRINTER
from agent.core.health.standard_scanner import SCANNER

#: Raised by any component that does not answer and has no condition for that.
DEGRADED = "software.agent_degraded"


def _queue(
    code: str, severity: Severity, judge: Judge, *args: str, clear_s: float = 0.0
) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(Sign(component="queue", judge=judge, args=args),),
        clear_after_s=clear_s,
    )


def _battery_low(values: Values) -> bool | None:
    # On the charger a low battery needs nobody.
    if flag(values, "battery_charging") is True:
        return False
    return falls_to("battery_percent", "battery_limit_percent")(values)


#: Of whatever is attached.
DEVICE = (
    Condition(
        code="device.interface_mismatch",
        severity=Severity.MAJOR,
        visible_after_s=30,
        clear_after_s=10,
    ),
    Condition(
        code="device.not_recognised",
        severity=Severity.MAJOR,
        # A printer, scanner, keypad or serial line on USB that no driver serves.
        signs=(
            Sign(
                component="devices",
                judge=at_least("not_recognised", 1),
                args=("usb_id", "driver", "kernel", "device"),
            ),
        ),
        visible_after_s=20,
        clear_after_s=5,
    ),
)

QUEUE = (
    _queue("queue.held", Severity.MAJOR, at_least("held", 1), "held", "held_reason", "key"),
    _queue(
        "queue.quarantined",
        Severity.CRITICAL,
        at_least("quarantined", 1),
        "quarantined",
        "amounts",
        "path",
    ),
    _queue(
        "queue.store_full", Severity.CRITICAL, holds("store_full"), "path", "largest", clear_s=10
    ),
    _queue(
        "software.data_error",
        Severity.CRITICAL,
        holds("data_error"),
        "store",
        "reason",
        "quarantined",
    ),
    _queue(
        "queue.limit_reached",
        Severity.MAJOR,
        holds("limit_reached"),
        "limit",
        "found",
        "limit_code",
        clear_s=60,
    ),
    _queue("request.lapsed", Severity.MINOR, at_least("lapsed_recent", 1), "lapsed_recent"),
)

PAYMENT_APP = (
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

SYSTEM = (
    Condition(
        code="system.storage_low",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="system",
                judge=falls_to("storage_free_mb", "storage_limit_mb"),
                args=("storage_path", "storage_free_mb", "storage_limit_mb"),
            ),
        ),
        clear_after_s=120,
    ),
    Condition(
        code="system.storage_worn",
        severity=Severity.CRITICAL,
        signs=(Sign(component="system", judge=holds("storage_read_only"), args=("storage_path",)),),
    ),
    Condition(
        code="system.memory_low",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="system",
                judge=falls_to("memory_available_mb", "memory_limit_mb"),
                args=("memory_available_mb", "memory_limit_mb"),
            ),
        ),
        visible_after_s=120,
        clear_after_s=120,
    ),
    Condition(
        code="system.overheated",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="system",
                judge=reaches("temperature_c", "temperature_limit_c"),
                args=("temperature_c", "temperature_limit_c"),
            ),
        ),
        visible_after_s=60,
        clear_after_s=120,
    ),
    Condition(
        code="power.battery_low",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="system",
                judge=_battery_low,
                args=("battery_percent", "battery_limit_percent"),
            ),
        ),
        visible_after_s=30,
        clear_after_s=60,
    ),
)

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
)

AGENT = (
    Condition(
        code="clock.wrong",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="agent",
                judge=holds("clock_trusted", False),
                args=("clock_stepped_s", "source"),
            ),
        ),
        visible_after_s=60,  # network time needs its minute after a cold start
        clear_after_s=5,
    ),
    Condition(
        code=DEGRADED,
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="agent",
                judge=at_least("part_restarts", 3),
                args=("part_restarts", "part"),
            ),
            Sign(component="queue", judge=holds("store_unavailable"), args=("reason",)),
        ),
        visible_after_s=10,
        clear_after_s=60,
    ),
    Condition(
        code="software.agent_frozen",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="agent",
                judge=at_least("frozen_s", 1),
                args=("frozen_s", "from_at", "to_at"),
            ),
        ),
        clear_after_s=60,
    ),
)

STANDARD = Catalogue(
    (
        *PRINTER,
        *DEVICE,
        *SCANNER,
        *KEYPAD,
        *NETWORK,
        *TLS,
        *UPLINK,
        *QUEUE,
        *PAYMENT_APP,
        *SYSTEM,
        *SOFTWARE,
        *AGENT,
    ),
    silent=DEGRADED,
)
