"""The conditions of the scanner, as data. See `standard` for how the delays were chosen.

That it is gone is no reading but a silence with a code of its own: nobody is there to say so. No
codes for a while is neither a fault nor a condition, for customers do not come by the clock.
"""

from __future__ import annotations

from agent.core.health.conditions import Condition, Severity, Sign, Values, falls_to, flag

_GONE = "scanner.disconnected"
_SILENT = "scanner.not_answering"


def _battery_low(values: Values) -> bool | None:
    # On the charger a low battery needs nobody.
    if flag(values, "battery_charging") is True:
        return False
    told = flag(values, "battery_low")
    measured = falls_to("battery_percent", "battery_limit_percent")(values)
    return told if measured is None else measured or told is True


def _misses(values: Values) -> bool | None:
    """Its own test failed, or it misses too many codes; either alone can tell."""
    told = [flag(values, name) for name in ("sensor_fault", "misses_codes")]
    if True in told:
        return True
    return False if False in told else None


SCANNER = (
    Condition(
        code=_GONE,
        severity=Severity.MAJOR,
        visible_after_s=10,  # a cable put straight, a cordless one put into its cradle
        clear_after_s=5,
    ),
    Condition(
        code=_SILENT,
        severity=Severity.MAJOR,
        silence_of="scanner",
        depends_on=(_GONE,),
        visible_after_s=60,  # a battery scanner sleeps, a busy one answers the next time
        clear_after_s=5,
    ),
    Condition(
        code="scanner.battery_low",
        severity=Severity.WARNING,
        signs=(Sign(component="scanner", judge=_battery_low, args=("percent", "model")),),
        depends_on=(_GONE, _SILENT),
        visible_after_s=60,
        clear_after_s=120,
    ),
    Condition(
        code="scanner.sensor_fault",
        severity=Severity.MINOR,
        signs=(Sign(component="scanner", judge=_misses, args=("rate", "error", "model")),),
        depends_on=(_GONE, _SILENT),
        visible_after_s=30,
        clear_after_s=60,
    ),
)
