"""The conditions of radios and of links that hold, as data.

Values are those of the watchers `signal` (Wi-Fi, modem, SIM) and `link` (drops, latency, loss),
which judge with hysteresis and windows; here only delays are added. `graded` gives conditions that
`standard_network` declares the signs `link` has of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from agent.core.health.conditions import Condition, Severity, Sign, holds

#: A link that holds, but drops or loses too much.
UNSTABLE = Sign(
    component="link",
    judge=holds("unstable"),
    args=("interface", "drops_last_hour", "loss_percent", "retransmitted_percent"),
)
#: The 95th percentile of what connections took; `connect_ms` is that figure.
SLOW = Sign(
    component="link",
    judge=holds("slow"),
    args=("interface", "connect_ms", "slow_ms"),
)

_GRADES = {"network.unstable": UNSTABLE, "network.slow": SLOW}


def graded(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The same, those that `link` can tell as well with its sign added."""
    return tuple(
        replace(one, signs=(*one.signs, _GRADES[one.code])) if one.code in _GRADES else one
        for one in conditions
    )


RADIO = (
    Condition(
        code="network.sim_problem",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="signal",
                judge=holds("sim_trouble"),
                args=("interface", "sim_state", "registration", "operator", "roaming"),
            ),
        ),
        visible_after_s=30,  # a modem that is reset says "no SIM" for some seconds
        clear_after_s=10,
    ),
    Condition(
        code="network.weak_signal",
        severity=Severity.MINOR,
        signs=(
            Sign(
                component="signal",
                judge=holds("weak"),
                args=("interface", "signal_dbm", "band", "technology"),
            ),
        ),
        # A SIM that is not let in hears whatever it hears.
        depends_on=("network.sim_problem",),
        visible_after_s=120,  # somebody carries the terminal past a wall
        clear_after_s=120,
    ),
)
