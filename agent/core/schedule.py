"""Periodic work on one grid, so that a quiet terminal wakes up for all of it at once.

Fifteen timers with periods of their own cost twice the wake-ups of fifteen timers on a common grid
(docs/decisions.md). Periods are rounded up to the grid; every job starts on the first tick.
"""

from __future__ import annotations

import heapq
from dataclasses import field

from agent.record import dataclass

GRID_MS = 5_000


@dataclass(order=True, slots=True)
class _Entry:
    due_ms: int
    order: int
    name: str = field(compare=False)
    period_ms: int = field(compare=False)


class Schedule:
    """Names and when they are due; times are boot-time milliseconds."""

    def __init__(self) -> None:
        self._heap: list[_Entry] = []
        self._added = 0

    def every(self, period_s: float, name: str, now_ms: int) -> None:
        """Add a job: first due on the next tick, then every `period_s`, rounded up to the grid."""
        period_ms = -(-max(1, round(period_s * 1000)) // GRID_MS) * GRID_MS
        self._added += 1
        heapq.heappush(self._heap, _Entry(_next_tick(now_ms), self._added, name, period_ms))

    def due(self, now_ms: int) -> list[str]:
        """Take the jobs whose time has come; one that is late runs once, not once per miss."""
        names: list[str] = []
        while self._heap and self._heap[0].due_ms <= now_ms:
            entry = heapq.heappop(self._heap)
            names.append(entry.name)
            missed = (now_ms - entry.due_ms) // entry.period_ms
            entry.due_ms += (missed + 1) * entry.period_ms
            heapq.heappush(self._heap, entry)
        return names

    def wait_ms(self, now_ms: int) -> int | None:
        """Milliseconds until the next job, None without any."""
        return max(0, self._heap[0].due_ms - now_ms) if self._heap else None


def _next_tick(now_ms: int) -> int:
    return (now_ms // GRID_MS + 1) * GRID_MS
