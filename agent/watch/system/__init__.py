"""The machine itself: storage, flash, memory, load, heat, power, restarts and age."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.system import Aging, System
from agent.watch.system.load import hottest_c, uptime_s
from agent.watch.system.power import battery_state
from agent.watch.system.storage import read_only
from agent.watch.system.usage import Measure, Usage, measured
from agent.watch.system.watcher import Notes, Ports, SystemWatcher

__all__ = [
    "Notes", "SystemWatcher", "Usage", "battery_state", "build", "hottest_c", "measured",
    "read_only", "uptime_s",
]  # fmt: skip


def build(
    config: System,
    state_dir: str,
    *,
    blocking: Blocking,
    measure: Measure | None = None,
    root: Path | None = None,
    clock: Clock | None = None,
    notes: Notes | None = None,
    aging: Sequence[Aging] = (),
    reserve_kb: int = 0,
) -> SystemWatcher:
    """The watcher of this machine; `state_dir` is watched unless a path is configured."""
    root = root or Path(config.root)
    ports = Ports(
        blocking=blocking,
        measure=measure or partial(measured, root=root),
        root=root,
        clock=clock,
        notes=notes,
    )
    return SystemWatcher(config, Path(state_dir), ports, aging, reserve_kb)
