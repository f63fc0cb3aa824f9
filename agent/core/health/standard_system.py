"""The conditions of the machine itself and of its clock, as data.

Values are those of the watchers `system` and `clock`; `security` is what only a vendor's hook can
tell. See `standard` for the rest and for how the delays were chosen.
"""

from __future__ import annotations

from agent.core.health.conditions import (
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
    says,
    word,
)


def _system(
    code: str,
    severity: Severity,
    judge: Judge,
    *args: str,
    visible_s: float = 0.0,
    clear_s: float = 0.0,
) -> Condition:
    return Condition(
        code=code,
        severity=severity,
        signs=(Sign(component="system", judge=judge, args=args),),
        visible_after_s=visible_s,
        clear_after_s=clear_s,
    )


def _any_told(*judges: Judge) -> Judge:
    """True if any is true; what is not told does not count, and false is false of the rest."""

    def judge(values: Values) -> bool | None:
        told = [one for one in (each(values) for each in judges) if one is not None]
        return any(told) if told else None

    return judge


def _battery_low(values: Values) -> bool | None:
    # On a charger that charges, a low battery needs nobody; one that does not keep up does.
    losing = word(values, "battery_status") in ("discharging", "not_charging")
    if flag(values, "battery_charging") is True and not losing:
        return False
    return falls_to("battery_percent", "battery_limit_percent")(values)


SYSTEM = (
    _system(
        "system.storage_low",
        Severity.MAJOR,
        falls_to("storage_free_mb", "storage_limit_mb"),
        "storage_path",
        "storage_free_mb",
        "storage_limit_mb",
        clear_s=120,
    ),
    _system(
        "system.storage_worn",
        Severity.CRITICAL,
        _any_told(
            holds("storage_read_only"),
            reaches("wear_percent", "wear_limit_percent"),
            says("wear_reserve", "warning", "urgent"),
        ),
        "storage_path",
        "wear_percent",
        "wear_reserve",
        "flash",
    ),
    _system(
        "system.memory_low",
        Severity.MINOR,
        _any_told(
            falls_to("memory_available_mb", "memory_limit_mb"),
            reaches("memory_pressure_percent", "memory_pressure_limit"),
        ),
        "memory_available_mb",
        "memory_limit_mb",
        "memory_pressure_percent",
        visible_s=120,
        clear_s=120,
    ),
    _system(
        "system.overheated",
        Severity.MAJOR,
        reaches("temperature_c", "temperature_limit_c"),
        "temperature_c",
        "temperature_limit_c",
        "temperature_zone",
        visible_s=60,
        clear_s=120,
    ),
    _system(
        "system.aging",
        Severity.WARNING,
        at_least("aging_percent", 100),
        "measure",
        "value",
        "limit",
        "age",
    ),
    _system(
        "power.battery_low",
        Severity.MAJOR,
        _battery_low,
        "battery_percent",
        "battery_limit_percent",
        "battery_status",
        "battery_health",
        visible_s=30,
        clear_s=60,
    ),
    Condition(
        code="power.unstable",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="system",
                judge=reaches("restarts_24h", "restarts_limit"),
                args=("restarts_24h", "boot_reason"),
            ),
        ),
    ),
    _system(
        "software.system_crash",
        Severity.MAJOR,
        holds("system_crashed"),
        "boot_reason",
    ),
    Condition(
        code="security.tampered",
        severity=Severity.CRITICAL,
        # Nothing but the vendor's firmware knows: a hook for any of these says so.
        signs=tuple(
            Sign(component=one, judge=holds("tampered"), args=("tampered_at",))
            for one in ("system", "security", "keypad")
        ),
    ),
)

CLOCK = (
    Condition(
        code="clock.wrong",
        severity=Severity.MAJOR,
        signs=(
            Sign(
                component="clock",
                judge=holds("wrong"),
                args=("offset_s", "source"),
            ),
        ),
        # No delay: witnesses had to agree first, and what follows from a wrong clock (certificates)
        # must not be shown before it.
        clear_after_s=5,
    ),
)
