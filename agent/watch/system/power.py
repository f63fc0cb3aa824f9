"""Batteries and chargers as the kernel's power supply class shows them.

Several batteries are one store of energy, weighed by their size where they tell it. "Not charging"
with the charger in place is an answer of its own: too hot, too cold, full enough, or a supply too
weak. A battery of a scanner or a mouse (scope Device) is not this terminal's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from agent.record import dataclass
from agent.watch.kernel_files import inside, number, text

STATUS = {
    "charging": "charging",
    "discharging": "discharging",
    "not charging": "not_charging",
    "full": "full",
}
#: Anything else a driver says about health is kept as it is.
FINE = ("", "good", "unknown")
_FILES = (
    "type", "scope", "present", "capacity", "status", "health", "online", "cycle_count",
    "energy_full", "energy_full_design", "charge_full", "charge_full_design",
)  # fmt: skip
_BAD_FIRST = ("discharging", "not_charging", "charging", "full")


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """All batteries of this terminal together."""

    percent: int
    status: str  #: discharging, not_charging, charging, full, "" where none tells
    external: bool | None  #: whether a charger says that it is there
    health: str  #: the first that is not good, as the driver says it; "good", "" not told
    count: int
    cycles: int | None  #: of the most used one
    capacity_percent: int | None  #: of the design capacity, of the weakest

    @property
    def powered(self) -> bool:
        """Whether anybody says that power is supplied."""
        return self.external is True or self.status in ("charging", "full")


def battery(root: Path) -> Battery | None:
    """The batteries of this machine; None without one that tells its charge."""
    supplies = inside(root / "sys/class/power_supply")
    return combined({name: text(one / name, 256) for name in _FILES} for one in supplies)


def combined(supplies: Iterable[Mapping[str, str]]) -> Battery | None:
    """One battery out of all supplies' files."""
    external: bool | None = None
    own: list[Mapping[str, str]] = []
    for told in supplies:
        kind = told.get("type", "")
        if kind == "Battery":
            aside = told.get("scope") == "Device" or told.get("present") == "0"
            if not aside and _charge(told) is not None:
                own.append(told)
        elif kind and kind != "BMS" and told.get("online") in ("0", "1"):
            external = bool(external) or told["online"] == "1"
    if not own:
        return None
    words = [STATUS.get(told.get("status", "").lower(), "") for told in own]
    healths = [told.get("health", "").lower() for told in own]
    cycles = [value for told in own if (value := number(told.get("cycle_count", ""))) is not None]
    left = [share for told in own if (share := _capacity(told)) is not None]
    return Battery(
        percent=_percent(own),
        status=next((word for word in _BAD_FIRST if word in words), ""),
        external=external,
        health=next(
            (one for one in healths if one not in FINE), "good" if "good" in healths else ""
        ),
        count=len(own),
        cycles=int(max(cycles)) if cycles and max(cycles) > 0 else None,
        capacity_percent=min(left, default=None),
    )


def _charge(told: Mapping[str, str]) -> float | None:
    value = number(told.get("capacity", ""))
    return value if value is not None and 0 <= value <= 100 else None


def _percent(own: Iterable[Mapping[str, str]]) -> int:
    charges = [(_charge(told) or 0.0, _size(told)) for told in own]
    if any(size is None for _, size in charges):
        return round(sum(charge for charge, _ in charges) / len(charges))
    total = sum(size or 0.0 for _, size in charges)
    return round(sum(charge * (size or 0.0) for charge, size in charges) / total)


def _size(told: Mapping[str, str]) -> float | None:
    value = number(told.get("energy_full", "")) or number(told.get("charge_full", ""))
    return value if value is not None and 0 < value < 1e12 else None


def _capacity(told: Mapping[str, str]) -> int | None:
    """What it holds of what it was made for."""
    for kind in ("energy_full", "charge_full"):
        full, design = number(told.get(kind, "")), number(told.get(f"{kind}_design", ""))
        if full is not None and design is not None and 0 < full <= 2 * design:
            return min(100, round(100 * full / design))
    return None


def battery_state(root: Path) -> tuple[int, bool] | None:
    """Charge in percent and whether power is supplied; None without a battery of its own."""
    found = battery(root)
    return None if found is None else (found.percent, found.powered)
