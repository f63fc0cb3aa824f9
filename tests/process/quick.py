"""The daemon with a finer grid of timers: `python -m tests.process.quick run …`.

Periods are rounded up to 5 s, so that a quiet terminal rarely wakes (`agent.core.schedule`). A test
that waits for a watcher would wait for the grid, and nothing else. Everything but this one number
is the program as it is installed; `Daemon.quick = False` starts that one itself.
"""

from __future__ import annotations

from agent.core import schedule

GRID_MS = 500


def main() -> None:
    """As `python -m agent` does it."""
    schedule.GRID_MS = GRID_MS
    from agent.__main__ import main as carry_out

    carry_out()


if __name__ == "__main__":
    main()
