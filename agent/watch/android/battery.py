"""`dumpsys battery`: charge, charger, temperature and health, the same lines since Android 4."""

from __future__ import annotations

import re

from agent.record import dataclass
from agent.watch.android.asking import Question

QUESTION = Question(
    name="dumpsys battery",
    command=("dumpsys", "battery"),
    keep=re.compile(rb"Battery Service state|UPDATES STOPPED|^\s+[A-Za-z ]+: *\S+\s*$"),
)
_CHARGING, _DISCHARGING, _NOT_CHARGING, _FULL = 2, 3, 4, 5
_STATUS = {_CHARGING: "charging", 3: "discharging", 4: "not_charging", _FULL: "full"}
_HEALTH = {2: "good", 3: "overheat", 4: "dead", 5: "over voltage", 6: "failure", 7: "cold"}
_VOLT_MV = (2_000, 20_000)
_TENTHS_C = (-400, 1_200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """The battery as Android sees it. None and "": not told."""

    fitted: bool = True
    made_up: bool = False  #: somebody ran `dumpsys battery set`
    percent: int | None = None
    status: str = ""
    powered: bool | None = None
    health: str = ""
    temperature_c: float | None = None
    voltage_mv: int | None = None

    @property
    def charging(self) -> bool | None:
        """Whether it is charged or held full; None: not told."""
        if self.powered or self.status in ("charging", "full"):
            return True
        return False if self.status or self.powered is False else None


def battery(text: str) -> Battery | None:
    """Of one dump; None where it is none."""
    if "Battery Service state" not in text:
        return None
    had: dict[str, str] = {}
    for key, value in re.findall(r"^\s+([A-Za-z ]+): *(\S+)\s*$", text, re.MULTILINE):
        had.setdefault(key.strip(), value)
    if had.get("present") == "false":
        return Battery(fitted=False)
    level, scale = _whole(had.get("level")), _whole(had.get("scale")) or 100
    powers = [value for key, value in had.items() if key.endswith(" powered")]
    tenths, volts = _whole(had.get("temperature")), _whole(had.get("voltage"))
    percent = None
    if level is not None and scale > 0 and 0 <= level <= scale:
        percent = round(100 * level / scale)
    return Battery(
        made_up="UPDATES STOPPED" in text,
        percent=percent,
        status=_STATUS.get(_whole(had.get("status")) or 0, ""),
        powered="true" in powers if powers else None,
        health=_HEALTH.get(_whole(had.get("health")) or 0, ""),
        temperature_c=tenths / 10 if _in(tenths, _TENTHS_C) and tenths is not None else None,
        # Some drivers give microvolts.
        voltage_mv=volts if _in(volts, _VOLT_MV) else None,
    )


def _whole(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"-?[0-9]{1,10}", text) else None


def _in(number: int | None, bounds: tuple[int, int]) -> bool:
    return number is not None and bounds[0] <= number <= bounds[1]
