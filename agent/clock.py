"""The terminal's clocks, read. The only place that asks the operating system for the time."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.core.moment import BUILD_FLOOR_MS, SLACK_MS, Moment, Proof, believed

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
CHIPS = Path("/sys/class/rtc")
#: A chip may keep local time, and its zone is anybody's guess; further off, it keeps another time.
CHIP_AGREES_MS = 15 * 3_600_000


class Clock(Protocol):
    """What tells the time. Tests and simulators hand in their own."""

    def now(self) -> Moment:
        """The present moment."""
        ...


def told() -> tuple[int, int, int]:
    """Wall clock, CLOCK_BOOTTIME and CLOCK_MONOTONIC in nanoseconds."""
    return (
        time.time_ns(),
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        time.monotonic_ns(),
    )


def chip(chips: Path = CHIPS, wall_ms: int | None = None) -> bool:
    """Whether a clock chip of this machine shows the time, so that it ran while the power was off.

    One without a battery begins at its own epoch; a system clock that was set from a file then does
    not agree with it.
    """
    now_ms = time.time_ns() // 1_000_000 if wall_ms is None else wall_ms
    for said in sorted(chips.glob("rtc*/since_epoch")):
        try:
            shows_ms = int(said.read_text("ascii")) * 1000
        except (OSError, ValueError):
            continue  # it does not say, as if there were none
        if shows_ms >= BUILD_FLOOR_MS and abs(shows_ms - now_ms) <= CHIP_AGREES_MS:
            return True
    return False


class SystemClock:
    """Wall clock and CLOCK_BOOTTIME of this machine.

    `last_seen_ms` is the newest wall time this terminal is known to have lived through (from the
    store); a clock behind it is not trusted, unless witnesses have proved it (`prove`). `carried`:
    whether it ran on while the power was off; else somebody has to say the time first (`vouch`).
    """

    def __init__(
        self,
        last_seen_ms: int = 0,
        boot_id_file: Path = BOOT_ID,
        tell: Callable[[], tuple[int, int, int]] = told,
        *,
        carried: bool = True,
    ) -> None:
        self._carried = carried
        self._last_seen_ms = last_seen_ms
        self._tell = tell
        self._proof: Proof | None = None
        try:
            self._boot_id = boot_id_file.read_text("ascii").strip()
        except OSError:
            # Without the kernel's id every start counts as a new boot: back-off starts afresh,
            # nothing else depends on it.
            self._boot_id = str(uuid.uuid4())

    def now(self) -> Moment:
        wall_ns, boot_ns, awake_ns = self._tell()
        wall_ms, boot_ms = wall_ns // 1_000_000, boot_ns // 1_000_000
        return Moment(
            wall_ms=wall_ms,
            boot_ms=boot_ms,
            boot_id=self._boot_id,
            trusted=believed(wall_ms, boot_ms, self._last_seen_ms, self._proof),
            suspended_ms=max(0, boot_ms - awake_ns // 1_000_000),
            carried=self._carried,
        )

    @property
    def last_seen_ms(self) -> int:
        """The newest wall time this terminal is known to have lived through."""
        return self._last_seen_ms

    def seen(self, wall_ms: int) -> None:
        """Raise the newest wall time known, for example from the journal after it was opened."""
        self._last_seen_ms = max(self._last_seen_ms, wall_ms)

    def vouch(self) -> None:
        """Somebody whose word counts has said what time it is since this machine was started."""
        self._carried = True

    def prove(self, proof: Proof | None) -> int:
        """Take over what witnesses agree on; None: they do not any more.

        Returns the newest wall time believed so far where the proof shows that it has not come
        yet, else 0. It is forgotten here; whoever keeps it over a restart must forget it too.
        """
        self._proof = proof
        if proof is None or not proof.dated:
            return 0
        utc_ms = self.now().boot_ms + proof.base_ms
        too_late_ms = self._last_seen_ms
        if too_late_ms <= utc_ms + proof.within_ms + SLACK_MS:
            return 0
        self._last_seen_ms = utc_ms
        return too_late_ms
