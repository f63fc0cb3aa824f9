"""How hard this machine works: pressure stall information, load, temperature, uptime."""

from __future__ import annotations

import math
from pathlib import Path

from agent.watch.kernel_files import inside, number, text

#: Outside of this a sensor is not connected or not initialised.
_PLAUSIBLE_C = (-40.0, 150.0)
#: A pressure line has four figures; a share is a percentage.
_WINDOWS = ("avg10", "avg60", "avg300")


def pressure(said: str) -> dict[str, float]:
    """`some_avg60`, `full_avg60`… of a file of /proc/pressure; what is no share is left out."""
    found: dict[str, float] = {}
    for line in said.splitlines():
        kind, *figures = line.split()[:6] or [""]
        if kind not in ("some", "full"):
            continue
        for figure in figures:
            name, _, value = figure.partition("=")
            share = number(value) if name in _WINDOWS else None
            if share is not None and 0 <= share <= 100:
                found[f"{kind}_{name}"] = share
    return found


def stalled(root: Path, of: str, which: str) -> float | None:
    """Percent of the last minute in which tasks waited for `of`; None without PSI."""
    return pressure(text(root / "proc/pressure" / of, 1024)).get(f"{which}_avg60")


def load_1m(root: Path) -> float | None:
    """Processes that run or want to, averaged over a minute."""
    value = number(text(root / "proc/loadavg", 256).partition(" ")[0])
    return value if value is not None and 0 <= value < 1e6 else None


def uptime_s(root: Path) -> int | None:
    """Seconds since boot."""
    value = number(text(root / "proc/uptime", 256).partition(" ")[0])
    return int(value) if value is not None and value >= 0 else None


def hottest(root: Path) -> tuple[float, str] | None:
    """The hottest plausible thermal zone and its name; a board's own sensors where it has none."""
    low, high = _PLAUSIBLE_C
    found: list[tuple[float, str]] = []
    for folder, pattern, name in (
        ("sys/class/thermal", "thermal_zone*/temp", "type"),
        ("sys/class/hwmon", "hwmon*/temp*_input", "name"),
    ):
        for file in inside(root / folder, pattern):
            degrees = (number(text(file, 64)) or math.nan) / 1000
            if low < degrees < high:
                found.append((degrees, text(file.parent / name, 64) or file.parent.name))
        if found:
            return max(found)
    return None


def hottest_c(root: Path) -> float | None:
    """The hottest plausible thermal zone."""
    found = hottest(root)
    return None if found is None else found[0]
