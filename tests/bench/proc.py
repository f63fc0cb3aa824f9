"""What the kernel says of a process: memory, threads, CPU time, wake-ups.

A wake-up is a voluntary context switch: a thread gave the CPU back because it had nothing to do,
so it was woken before. Threads that ended are in nobody's `/proc/PID/task`; only the totals a
parent gets at `wait4` have them, which `tests.bench.idle` uses for an upper bound.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """In MiB, as the kernel counts."""

    rss_mb: float
    pss_mb: float


def memory(pid: int) -> Memory:
    fields = _fields(Path(f"/proc/{pid}/smaps_rollup"))
    return Memory(rss_mb=fields["Rss"] / 1024, pss_mb=fields["Pss"] / 1024)


def threads(pid: int) -> int:
    return _fields(Path(f"/proc/{pid}/status"))["Threads"]


def cpu_s(pid: int) -> float:
    """User and system time of all threads, ended ones too, in steps of 10 ms."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(after_name[11]) + int(after_name[12])) / _TICKS


def wake_ups(pid: int) -> dict[int, int]:
    """Voluntary context switches by thread, of the threads alive now."""
    found: dict[int, int] = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            found[int(task.name)] = _fields(task / "status")["voluntary_ctxt_switches"]
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def _fields(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in path.read_text().splitlines():
        name, _, rest = line.partition(":")
        number = rest.split()[:1]
        if number and number[0].isdigit():
            found[name] = int(number[0])
    return found
