"""The terminal's clocks, read. The only place that asks the operating system for the time."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Protocol

from agent.core.moment import Moment, plausible

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock(Protocol):
    """What tells the time. Tests and simulators hand in their own."""

    def now(self) -> Moment:
        """The present moment."""
        ...


class SystemClock:
    """Wall clock and CLOCK_BOOTTIME of this machine.

    `last_seen_ms` is the newest wall time this terminal is known to have lived through (from the
    store); a clock behind it is not trusted.
    """

    def __init__(self, last_seen_ms: int = 0, boot_id_file: Path = BOOT_ID) -> None:
        self._last_seen_ms = last_seen_ms
        try:
            self._boot_id = boot_id_file.read_text("ascii").strip()
        except OSError:
            # Without the kernel's id every start counts as a new boot: back-off starts afresh,
            # nothing else depends on it.
            self._boot_id = str(uuid.uuid4())

    def now(self) -> Moment:
        wall_ms = time.time_ns() // 1_000_000
        return Moment(
            wall_ms=wall_ms,
            boot_ms=time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000,
            boot_id=self._boot_id,
            trusted=plausible(wall_ms, self._last_seen_ms),
        )

    def seen(self, wall_ms: int) -> None:
        """Raise the newest wall time known, for example from the journal after it was opened."""
        self._last_seen_ms = max(self._last_seen_ms, wall_ms)
