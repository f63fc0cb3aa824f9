"""What the kernel counts of this machine: room on a file system, memory, processor time.

Memory and processor time are read below an injectable root; the parsers are pure, never raise, and
say None for what is not told (Android keeps /proc/stat from apps). Room is asked of the file system
itself and blocks for as long as that takes. Called by `SystemWatcher`, off the loop.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.watch.kernel_files import text

_KB = 1024
#: Fields of the first line of /proc/stat, after its name. The two of guests that follow these
#: eight are part of user and nice already.
_IDLE, _IOWAIT, _COUNTED = 3, 4, 8
_FIELDS_LEAST = 4  #: of the oldest kernels


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What the operating system counts. CPU in seconds since boot, of all processors together."""

    storage_total_bytes: int
    storage_free_bytes: int
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    cpu_busy_s: float | None
    cpu_idle_s: float | None


Measure = Callable[[Path], Usage]


def memory_in(meminfo: str) -> tuple[int, int] | None:
    """Bytes of memory in all, and what new work could get without swapping."""
    told: dict[str, int] = {}
    for line in meminfo.splitlines():
        name, _, rest = line.partition(":")
        if (figure := _count(*rest.split()[:1])) is not None:
            told[name] = figure * _KB
    total, free = told.get("MemTotal"), told.get("MemFree")
    available = told.get("MemAvailable")
    if not available and free is not None:
        # Kernels before 3.14 do not estimate it, and some of later ones tell 0: what is free, and
        # what only caches files. Shared memory is counted as cached and cannot be given back.
        cached = told.get("Buffers", 0) + told.get("Cached", 0) - told.get("Shmem", 0)
        available = free + max(0, cached)
    if not total or available is None:
        return None
    if available > total:  # a container that is shown its own total and the host's rest
        available = total if free is None else min(free, total)
    return total, available


def processor_in(stat: str, ticks_per_s: int) -> tuple[float, float] | None:
    """Seconds busy and idle since boot; waiting for storage is idle."""
    name, *fields = stat.partition("\n")[0].split() or [""]
    counts = [_count(one) for one in fields[:_COUNTED]]
    told = [one for one in counts if one is not None]
    if name != "cpu" or len(told) < max(_FIELDS_LEAST, len(counts)) or ticks_per_s <= 0:
        return None
    idle = sum(told[_IDLE : _IOWAIT + 1])
    return (sum(told) - idle) / ticks_per_s, idle / ticks_per_s


def measured(place: Path, root: Path = Path("/")) -> Usage:
    """As it is now. Raises OSError where the file system does not say how full it is."""
    room = os.statvfs(place)
    memory = memory_in(text(root / "proc/meminfo"))
    processor = processor_in(text(root / "proc/stat", 1024), os.sysconf("SC_CLK_TCK"))
    total, available = memory or (None, None)
    busy_s, idle_s = processor or (None, None)
    return Usage(
        storage_total_bytes=room.f_blocks * room.f_frsize,
        # What anybody may fill; the rest is root's reserve.
        storage_free_bytes=room.f_bavail * room.f_frsize,
        memory_total_bytes=total,
        memory_available_bytes=available,
        cpu_busy_s=busy_s,
        cpu_idle_s=idle_s,
    )


def _count(word: str = "") -> int | None:
    # Not isdecimal alone: it takes digits of all scripts. No counter of the kernel is longer.
    return int(word) if word.isascii() and word.isdecimal() and len(word) <= 20 else None
