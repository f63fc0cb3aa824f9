"""Watches the machine itself: storage, flash, memory, load, heat, power, restarts and age.

A sensor this machine does not have is simply absent from the reading. Limits stand beside what they
limit, so that the reading alone tells how close things are. Only cheap calls: no list of processes,
no list of sockets. Blocking file-system calls run off the loop; a storage that hangs makes this
component unknown and stops nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.system import Aging, System
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.terminal.lifetime import (
    Life,
    crashed_recently,
    from_plain,
    lived,
    recent_restarts,
    started,
    to_plain,
)
from agent.errors import AgentError
from agent.watch.system import age, flash, load, power, storage
from agent.watch.system.boot import Boot, boot, kind_of
from agent.watch.system.usage import Measure, Usage

log = logging.getLogger(__name__)

DEADLINE_S = 5.0
#: What was lived through is written this often, and when the agent stops: four rows a day.
KEEP_EVERY_MS = 6 * 3_600_000
NOTE = "system"
#: The ballast of the store (`agent.store.ballast`).
RESERVE = "reserve"
_MB = 1_048_576


class Notes(Protocol):
    """What is kept over restarts (`agent.store.notes.Notes`)."""

    async def load(self, name: str) -> dict[str, Any]: ...

    async def save(self, name: str, kept: Mapping[str, Any]) -> None: ...


class AndroidWord(Protocol):
    """What Android told last; never waits for it."""

    def power(self) -> Mapping[str, Value]: ...

    def boot_reason(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Everything this watcher asks of the world, so that tests can answer for it."""

    blocking: Blocking
    measure: Measure
    root: Path = Path("/")
    clock: Clock | None = None
    notes: Notes | None = None  #: None: nothing outlives the process, and nothing is counted


@dataclass(slots=True)
class _Past:
    """What is carried from reading to reading."""

    cpu: tuple[float, float] | None = None
    boot: Boot | None = None
    written: set[str] = field(default_factory=set)  #: mount points seen writable
    life: Life | None = None
    kept_ms: int = 0


class SystemWatcher:
    """One reading of everything this machine can tell."""

    component = "system"
    deadline_s = DEADLINE_S

    def __init__(
        self,
        config: System,
        state_dir: Path,
        ports: Ports,
        limits: Sequence[Aging] = (),
        reserve_kb: int = 0,
    ) -> None:
        self.period_s = config.period_s
        self._config = config
        self._storage = Path(config.storage_path or state_dir)
        self._state_dir = state_dir
        self._reserve_kb = reserve_kb
        self._ports = ports
        self._limits = tuple(limits)
        self._others: age.Others = age.nobody
        self._android: AndroidWord | None = None
        self._past = _Past()

    def on_android(self, android: AndroidWord) -> None:
        """Battery and last start as Android tells them, where the kernel's files are closed."""
        self._android = android

    def listens(self, others: age.Others) -> None:
        """Where the other components' last words are: their counters age this terminal."""
        self._others = others

    async def read(self) -> Outcome:
        """The machine as it is now."""
        # The deadline is the runner's; this one only lets the thread go a little earlier.
        reading = await self._ports.blocking.call("system", self._collect, DEADLINE_S - 0.5)
        told = {**reading.values, **await self._lived(reading.values)}
        return Reading(told, reading.evidence)

    async def close(self) -> None:
        """The agent ends in good order: a reboot after this is nobody's accident."""
        await self._keep(running=False)

    # -- now -------------------------------------------------------------------------------

    def _collect(self) -> Reading:
        root, config = self._ports.root, self._config
        place = storage.existing(self._storage)
        usage = self._ports.measure(place)
        told: dict[str, Value] = {
            **self._stored(place, usage),
            **self._memory(usage),
            "memory_pressure_percent": load.stalled(root, "memory", "full"),
            "cpu_percent": self._cpu_percent(usage),
            "uptime_s": load.uptime_s(root),
            **self._heat(),
            **self._power(),
        }
        if told["memory_pressure_percent"] is not None:
            told["memory_pressure_limit"] = config.memory_pressure_percent
        if (worn := flash.wear(root)) is not None:
            told |= {
                "wear_percent": worn.percent,
                "wear_limit_percent": config.wear_percent,
                "wear_reserve": worn.reserve or None,
                "flash": worn.device,
            }
        if self._past.boot is None:
            self._past.boot = boot(root)
        # Never the same twice and judged by nobody: kept out of what the fleet is told.
        busy = {
            "load_1m": load.load_1m(root),
            "cpu_pressure_percent": load.stalled(root, "cpu", "some"),
            "io_pressure_percent": load.stalled(root, "io", "full"),
        }
        evidence = {"mounts": str(told.pop("mounts"))}
        evidence |= {name: f"{value:g}" for name, value in busy.items() if value is not None}
        if usage.memory_total_bytes is None:
            evidence["memory"] = "unknown (/proc/meminfo may not be read)"
        if usage.cpu_busy_s is None:
            evidence["cpu"] = "unknown (/proc/stat may not be read)"
        return Reading({name: one for name, one in told.items() if one is not None}, evidence)

    def _stored(self, place: Path, usage: Usage) -> dict[str, Value]:
        """The store's file system; another of those watched in its place where that is fuller."""
        config, every = self._config, storage.mounted(self._ports.root)
        own = storage.Volume(
            path=str(place),
            free_mb=usage.storage_free_bytes // _MB,
            total_mb=usage.storage_total_bytes // _MB,
            limit_mb=config.storage_low_mb,
        )
        volumes, seen = [own], {storage.device_of(place)}
        broken: list[str] = []
        faults = 0
        here = storage.holding(place, every)
        for mount in storage.further(config.mounts, every):
            if (number := storage.device_of(mount.point)) in seen:
                continue
            seen.add(number)
            if mount.read_only:
                if str(mount.point) in self._past.written:
                    broken.append(str(mount.point))
                continue
            self._past.written.add(str(mount.point))
            faults += storage.errors(self._ports.root, mount) or 0
            if (found := storage.volume(mount.point, config.storage_low_mb)) is not None:
                volumes.append(found)
        faults += (storage.errors(self._ports.root, here) or 0) if here is not None else 0
        low = [one for one in volumes if one.share <= 1]
        worst = min(low, key=lambda one: one.share) if low else own
        read_only = None if here is None else here.read_only
        turned = broken or ([str(place)] if read_only else [])
        held = storage.held_kb(self._state_dir / RESERVE)
        return {
            "storage_path": turned[0] if turned else worst.path,
            "storage_free_mb": worst.free_mb,
            "storage_total_mb": worst.total_mb,
            "storage_limit_mb": worst.limit_mb,
            "storage_read_only": True if broken else read_only,
            "storage_errors": faults or None,
            "reserve_kb": held,
            "reserve_whole": None if held is None else held >= self._reserve_kb,
            "mounts": "; ".join(str(one) for one in volumes),
        }

    def _memory(self, usage: Usage) -> dict[str, Value]:
        total, available = usage.memory_total_bytes, usage.memory_available_bytes
        if total is None or available is None:
            return {}
        return {
            "memory_available_mb": available // _MB,
            "memory_total_mb": total // _MB,
            "memory_limit_mb": self._config.memory_low_mb,
        }

    def _heat(self) -> dict[str, Value]:
        found = load.hottest(self._ports.root)
        if found is None:
            return {}
        return {
            "temperature_c": found[0],
            "temperature_limit_c": self._config.temperature_max_c,
            "temperature_zone": found[1],
        }

    def _power(self) -> dict[str, Value]:
        found = power.battery(self._ports.root)
        if found is None:
            told = {} if self._android is None else dict(self._android.power())
            return (
                {**told, "battery_limit_percent": self._config.battery_low_percent} if told else {}
            )
        return {
            "battery_percent": found.percent,
            "battery_charging": found.powered,
            "battery_limit_percent": self._config.battery_low_percent,
            "battery_status": found.status or None,
            "battery_health": found.health or None,
            "battery_count": found.count if found.count > 1 else None,
            "battery_cycles": found.cycles,
            "battery_capacity_percent": found.capacity_percent,
            "external_power": found.external,
        }

    def _cpu_percent(self, usage: Usage) -> float | None:
        """Busy share since the last reading; the first one has nothing to compare with."""
        if usage.cpu_busy_s is None or usage.cpu_idle_s is None:
            return None
        past = self._past
        before, past.cpu = past.cpu, (usage.cpu_busy_s, usage.cpu_idle_s)
        if before is None:
            return None
        busy_s, idle_s = usage.cpu_busy_s - before[0], usage.cpu_idle_s - before[1]
        total_s = busy_s + idle_s
        return round(100 * busy_s / total_s, 1) if total_s > 0 and busy_s >= 0 else None

    # -- over restarts ---------------------------------------------------------------------

    async def _lived(self, now: Mapping[str, Value]) -> dict[str, Value]:
        """What only a memory can tell; nothing while the store does not give it back."""
        clock, past = self._ports.clock, self._past
        found = past.boot or Boot()
        if not found.reason and self._android is not None:
            reason = self._android.boot_reason()
            found = replace(found, reason=reason, kind=kind_of(reason))
        values: dict[str, Value] = {"boot_reason": found.reason} if found.reason else {}
        if clock is None or self._ports.notes is None:
            return values
        moment = clock.now()
        if past.life is None:
            try:
                kept = from_plain(await self._ports.notes.load(NOTE))
            except AgentError as error:
                log.debug("event=life_unread reason=%r", str(error))
                return values
            past.life = started(kept, moment, found.reason, found.crashed, found.records)
            if len(past.life.restarts) > len(kept.restarts):
                log.warning("event=restarted_unexpectedly boot_reason=%r", found.reason)
        life = past.life
        running_ms = life.running_ms + moment.boot_ms
        crashed = crashed_recently(life, moment)
        values |= {
            "restarts_24h": recent_restarts(life, moment),
            "restarts_limit": self._config.restarts_limit,
            "system_crashed": crashed,
            "power_cycles": life.boots,
            "running_hours": running_ms // 3_600_000,
        }
        if crashed:
            values["boot_reason"] = life.crash_reason or found.reason or "crash record"
        since_ms = moment.wall_ms - life.began_ms
        if life.began_ms and moment.trusted and since_ms >= 0:
            values["in_service_days"] = since_ms // age.DAY_MS
        counted = age.told(self._limits, self._others(), {**now, **values})
        values |= age.nearest(self._limits, counted, life.counters)
        if "aging_percent" in values and "in_service_days" in values:
            values["age"] = f"{values['in_service_days']} d"
        if not past.kept_ms or moment.boot_ms - past.kept_ms >= KEEP_EVERY_MS:
            await self._keep(running=True, counted=counted)
        return values

    async def _keep(self, *, running: bool, counted: Mapping[str, float] | None = None) -> None:
        clock, notes, past = self._ports.clock, self._ports.notes, self._past
        if clock is None or notes is None or past.life is None:
            return
        now = clock.now()
        if counted is None:
            counted = age.told(self._limits, self._others(), {})
        parts = {name: one for name, one in counted.items() if not name.startswith("system.")}
        life = lived(past.life, now, parts, running=running)
        try:
            await notes.save(NOTE, to_plain(life))
        except AgentError as error:
            log.debug("event=life_unkept reason=%r", str(error))
            return
        past.life, past.kept_ms = life, now.boot_ms
