"""Starting anew from inside: a clean stop of everything, then the same command line once more.

The process keeps its number, so it works under any init system and under none. It waits until no
payment is on its way, up to a limit, and stops then as it always does: what is left is in doubt and
asked about. Not more than once a minute, whoever asks. Knows no reason to restart. Called by
`agent.main`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent import inherited
from agent.clock import Clock
from agent.deadman import disarm

log = logging.getLogger(__name__)

#: Between two restarts of one's own.
APART_MS = 60_000
#: How long a payment on its way is waited for.
PATIENCE_S = 60.0
LOOK_S = 0.5
#: When this process replaced itself, in milliseconds of boot time: all the next one is told.
VARIABLE = "POSAGENT_RESTARTED_MS"


class Restart(Protocol):
    """Asks for a new start; returns at once."""

    def restart(self, reason: str) -> None: ...


class Restarting:
    """Waits for the right moment. `end` begins the stop that `anew` follows."""

    def __init__(
        self,
        end: Callable[[str], None],
        busy: Callable[[], bool],
        clock: Clock,
        told: str | None = None,
    ) -> None:
        self._end, self._busy, self._clock = end, busy, clock
        told = os.environ.get(VARIABLE, "") if told is None else told
        self._last_ms = int(told) if told.isdecimal() else None
        self._waiting: asyncio.Task[None] | None = None

    def restart(self, reason: str) -> None:
        """Once is enough: who asks while it is being waited for is answered by the same one."""
        if self._waiting is None:
            log.info("event=restart_asked reason=%r", reason)
            self._waiting = asyncio.create_task(self._when_quiet(reason), name="restart")

    async def _when_quiet(self, reason: str) -> None:
        now_ms = self._clock.now().boot_ms
        # A number from another boot may be ahead of this one's.
        if self._last_ms is not None and self._last_ms <= now_ms < self._last_ms + APART_MS:
            await asyncio.sleep((self._last_ms + APART_MS - now_ms) / 1000)
        for _ in range(int(PATIENCE_S / LOOK_S)):
            if not self._busy():
                break
            await asyncio.sleep(LOOK_S)
        self._end(reason)


def anew(clock: Clock) -> None:
    """Replace this process by a new one with the same command line. Returns only if it cannot."""
    if not sys.executable:
        log.error("event=restart_impossible reason='nobody told which interpreter this is'")
        return
    os.environ[VARIABLE] = str(clock.now().boot_ms)
    log.info("event=restarting")
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    _close_at_exec()
    disarm()
    try:
        os.execv(sys.executable, sys.orig_argv)
    except OSError as error:
        log.error("event=restart_impossible reason=%r", error.strerror)


def _close_at_exec() -> None:
    """Nothing but the three standard streams and a socket that was handed to us goes over;
    libraries open files of their own."""
    handed = inherited.number()
    try:
        numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    except OSError:
        return  # no /proc: what Python opened closes by itself
    for number in numbers:
        if number > 2 and number != handed:
            with suppress(OSError):
                os.set_inheritable(number, False)
