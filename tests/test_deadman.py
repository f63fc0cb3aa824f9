"""Who ends a daemon that hangs where nobody watches it: the kernel's timer, in a real process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

#: A supervisor over one part; `work` is what happens once it is ready.
HOUSE = """
import asyncio, os, signal, sys, time
from agent.clock import SystemClock
from agent.core import schedule
from agent import supervise
from agent.deadman import Deadman, disarm
schedule.GRID_MS = supervise.GRID_MS = 20
signal.signal(signal.SIGALRM, signal.SIG_IGN)  # as a careless parent would have it

class Part:
    name, fatal, word = "store", True, ""
    async def run(self, stop):
        await stop.wait()
    def beat(self, now_ms):
        return self.word

part, clock, beats = Part(), SystemClock(), []
class Counted(Deadman):
    def beat(self):
        beats.append(1)
        super().beat()
timers = supervise.Timers(clock)
quiet = supervise.ServiceNotify("")
house = supervise.Supervisor([part, timers], clock, timers, quiet, Counted(LIMIT))
async def ready():
    async def later():
        WORK
    global task
    task = asyncio.create_task(later())
code = asyncio.run(house.run(ready))
disarm()
print("ended", len(beats), flush=True)
sys.exit(code)
"""


def ended(work: str, limit_s: float) -> tuple[int, str]:
    """The exit code of such a process, negative for a signal, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", HOUSE.replace("WORK", work).replace("LIMIT", str(limit_s))],
        capture_output=True, text=True, timeout=60, cwd=ROOT, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_a_loop_that_hangs_is_ended_by_the_kernel() -> None:
    """The interpreter sits in one call and can do nothing itself."""
    code, said = ended("await asyncio.sleep(0.1); time.sleep(50)", 0.5)
    assert code == -signal.SIGALRM, said


def test_a_part_that_is_stuck_ends_the_daemon() -> None:
    """The loop runs, the store does not: the beats stay away and the reason is in the log."""
    code, said = ended("part.word = 'no commit for 99 s'", 0.5)
    assert code == -signal.SIGALRM, said
    assert "watchdog_withheld" in said
    assert "no commit for 99 s" in said


def test_a_daemon_that_moves_lives_longer_than_the_limit() -> None:
    """It is wound up again and again, and an orderly end is one."""
    work = "while len(beats) < 2:\n            await asyncio.sleep(0.01)\n        house.end()"
    code, said = ended(work, 30)
    assert (code, "ended 3" in said) == (0, True), said
