"""Watches the machine itself: storage, memory, CPU, temperature, battery, uptime.

A sensor this machine does not have is simply absent from the reading. Limits stand beside what they
limit, so that the reading alone tells how close things are. Only cheap calls: no list of processes,
no list of sockets. Blocking file-system calls run off the loop; a storage that hangs makes this
component unknown and stops nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from agent.config import System
from agent.core.health.reading import Outcome, Reading, Value

T = TypeVar("T")

DEADLINE_S = 5.0
_MB = 1_048_576
#: Outside of this a sensor is not connected or not initialised.
_PLAUSIBLE_C = (-40.0, 150.0)


class Blocking(Protocol):
    """Runs a call that may hang, off the loop."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the operating system counts. CPU in seconds since boot."""

    storage_total_bytes: int
    storage_free_bytes: int
    memory_total_bytes: int
    memory_available_bytes: int
    cpu_busy_s: float
    cpu_idle_s: float


Measure = Callable[[Path], Usage]


class SystemWatcher:
    """One reading of everything this machine can tell."""

    component = "system"
    deadline_s = DEADLINE_S

    def __init__(
        self, config: System, storage: Path, blocking: Blocking, measure: Measure, root: Path
    ) -> None:
        self.period_s = config.period_s
        self._config = config
        self._storage = storage
        self._blocking = blocking
        self._measure = measure
        self._root = root
        self._cpu: tuple[float, float] | None = None

    async def read(self) -> Outcome:
        """The machine as it is now."""
        # The deadline is the runner's; this one only lets the thread go a little earlier.
        return await self._blocking.call("system", self._collect, DEADLINE_S - 0.5)

    def _collect(self) -> Reading:
        storage = _existing(self._storage)
        usage = self._measure(storage)
        values: dict[str, Value] = {
            "storage_path": str(storage),
            "storage_free_mb": usage.storage_free_bytes // _MB,
            "storage_total_mb": usage.storage_total_bytes // _MB,
            "storage_limit_mb": self._config.storage_low_mb,
            "memory_available_mb": usage.memory_available_bytes // _MB,
            "memory_total_mb": usage.memory_total_bytes // _MB,
            "memory_limit_mb": self._config.memory_low_mb,
        }
        told: dict[str, Value] = {
            "storage_read_only": read_only(self._root, storage),
            "cpu_percent": self._cpu_percent(usage),
            "uptime_s": uptime_s(self._root),
        }
        temperature_c = hottest_c(self._root)
        if temperature_c is not None:
            told["temperature_c"] = temperature_c
            told["temperature_limit_c"] = self._config.temperature_max_c
        battery = battery_state(self._root)
        if battery is not None:
            told["battery_percent"], told["battery_charging"] = battery
            told["battery_limit_percent"] = self._config.battery_low_percent
        return Reading(values | {name: one for name, one in told.items() if one is not None})

    def _cpu_percent(self, usage: Usage) -> float | None:
        """Busy share since the last reading; the first one has nothing to compare with."""
        before, self._cpu = self._cpu, (usage.cpu_busy_s, usage.cpu_idle_s)
        if before is None:
            return None
        busy_s, idle_s = usage.cpu_busy_s - before[0], usage.cpu_idle_s - before[1]
        total_s = busy_s + idle_s
        return round(100 * busy_s / total_s, 1) if total_s > 0 and busy_s >= 0 else None


def build(
    config: System,
    state_dir: str,
    *,
    blocking: Blocking,
    measure: Measure | None = None,
    root: Path = Path("/"),
) -> SystemWatcher:
    """The watcher of this machine; `state_dir` is watched unless a path is configured."""
    storage = Path(config.storage_path or state_dir)
    return SystemWatcher(config, storage, blocking, measure or measured, root)


def measured(storage: Path) -> Usage:
    """Counted by psutil. Its `cpu_percent` remembers per thread, and ours are new each time."""
    import psutil

    disk = psutil.disk_usage(str(storage))
    memory = psutil.virtual_memory()
    cpu = psutil.cpu_times()
    idle_s = cpu.idle + getattr(cpu, "iowait", 0.0)
    # Guest time is part of user time already.
    counted = ("user", "nice", "system", "irq", "softirq", "steal")
    return Usage(
        storage_total_bytes=disk.total,
        storage_free_bytes=disk.free,
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        cpu_busy_s=sum(getattr(cpu, name, 0.0) for name in counted),
        cpu_idle_s=idle_s,
    )


def read_only(root: Path, storage: Path) -> bool | None:
    """Whether the file system holding `storage` is mounted read-only; None if not told."""
    best, answer = -1, None
    for line in _text(root / "proc/self/mounts").splitlines():
        fields = line.split(" ")
        if len(fields) < 4:
            continue
        mounted = Path(fields[1].replace("\\040", " "))
        # Mounts are listed in order: of two on the same place the later one counts.
        if storage.is_relative_to(mounted) and len(mounted.parts) >= best:
            best, answer = len(mounted.parts), "ro" in fields[3].split(",")
    return answer


def uptime_s(root: Path) -> int | None:
    """Seconds since boot."""
    first = _text(root / "proc/uptime").partition(" ")[0]
    value = _number(first)
    return None if value is None else int(value)


def hottest_c(root: Path) -> float | None:
    """The hottest plausible thermal zone."""
    zones = (root / "sys/class/thermal").glob("thermal_zone*")
    told = (_number(_text(zone / "temp")) for zone in zones)
    degrees = [value / 1000 for value in told if value is not None]
    low, high = _PLAUSIBLE_C
    return max((value for value in degrees if low < value < high), default=None)


def battery_state(root: Path) -> tuple[int, bool] | None:
    """Charge in percent and whether power is supplied; None without a battery of its own."""
    percent: int | None = None
    powered = False
    for supply in sorted((root / "sys/class/power_supply").glob("*")):
        kind = _text(supply / "type")
        if kind == "Battery" and _text(supply / "scope") != "Device":  # a scanner has its own
            value = _number(_text(supply / "capacity"))
            if value is not None and 0 <= value <= 100:
                percent = int(value)
            powered = powered or _text(supply / "status") in ("Charging", "Full")
        elif kind in ("Mains", "USB", "Wireless"):
            powered = powered or _text(supply / "online") == "1"
    return None if percent is None else (percent, powered)


def _existing(path: Path) -> Path:
    """`path`, or the nearest directory above it that is there already."""
    for one in (path, *path.parents):
        if one.exists():
            return one.resolve()
    return Path("/")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
