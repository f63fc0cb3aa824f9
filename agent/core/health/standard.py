"""The conditions this product watches for, as data.

One entry per cause code that something on the terminal can observe. Delays follow one rule: long
enough that doing it properly (changing a roll, a router's restart, one lost packet) is never
shown, short enough that a cashier learns of it before the next customer. Values and their names
are those of the watchers; `uplink`, `queue`, `fleet` and `agent` tell of the agent itself.
"""

from __future__ import annotations

from agent.core.health.conditions import (
    Catalogue,
    Condition,
    Judge,
    Severity,
    Sign,
    at_least,
    holds,
)
from agent.core.health.standard_channels import CHANNELS
from agent.core.health.standard_configuration import CONFIGURATION, PAYMENT_APP, joined
from agent.core.health.standard_drill import DRILL
from agent.core.health.standard_fleet import FLEET
from agent.core.health.standard_inspection import INSPECTION
from agent.core.health.standard_keypad import KEYPAD
from agent.core.health.standard_network import NETWORK, TLS, UPLINK
from agent.core.health.standard_printer import PRINTER
from agent.core.health.standard_radio import RADIO, graded
from agent.core.health.standard_scanner import SCANNER
from agent.core.health.standard_settlement import SETTLEMENT
from agent.core.health.standard_software import SOFTWARE
from agent.core.health.standard_system import CLOCK, SYSTEM

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


#: Of whatever is attached.
DEVICE = (
    Condition(
        code="device.interface_mismatch",
        severity=Severity.MAJOR,
        visible_after_s=30,
        clear_after_s=10,
    ),
    Condition(
        code="device.partner_interface",
        severity=Severity.MAJOR,
        # The cash register's connector or the payment app says so, by the push door.
        signs=(
            Sign(
                component="partner",
                judge=holds("refused"),
                args=("system", "message", "error", "version"),
            ),
        ),
        clear_after_s=5,
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

AGENT = (
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
    Condition(
        code="config.identity_copied",
        severity=Severity.CRITICAL,  # money waits for a decision
        signs=(
            Sign(
                component="agent",
                judge=holds("inherited"),
                args=("inherited_since", "hardware", "hardware_other"),
            ),
        ),
    ),
    Condition(
        code="security.exposed_files",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="agent",
                judge=at_least("exposed", 1),
                args=("exposed", "exposed_path", "exposed_reason", "exposed_command"),
            ),
        ),
    ),
)

STANDARD = Catalogue(
    (
        *PRINTER,
        *DEVICE,
        *SCANNER,
        *KEYPAD,
        *graded(NETWORK),
        *RADIO,
        *CHANNELS,
        *TLS,
        *joined(UPLINK),
        *QUEUE,
        *joined(PAYMENT_APP),
        *CONFIGURATION,
        *SYSTEM,
        *SOFTWARE,
        *CLOCK,
        *SETTLEMENT,
        *AGENT,
        *INSPECTION,
        *DRILL,
        *FLEET,
    ),
    silent=DEGRADED,
)
