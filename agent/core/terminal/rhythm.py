"""What regular ticks tell about a machine: whether it slept, was frozen, or had its clock set.

Three clocks, none of which can do it alone: the wall clock can be set, boot time runs through
sleep, and the awake clock stands still then. Called by the watchers that tick anyway.
"""

from __future__ import annotations

from agent.core.moment import Moment
from agent.record import dataclass

#: A wall clock that moved against boot time by this much was set by somebody.
STEP_MS = 2_000
#: Ticks come every few seconds; awake time without one for so long means that we were frozen.
FROZEN_MS = 30_000
#: Shorter naps happen between any two ticks of a phone and are not worth a word.
SLEPT_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The wall clock was set. Times are UTC milliseconds, both at the moment it was noticed."""

    before_ms: int  #: what it would show now
    after_ms: int  #: what it shows
    boot_ms: int

    @property
    def by_ms(self) -> int:
        return self.after_ms - self.before_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Time without a tick."""

    from_ms: int  #: wall clock at the last tick before
    to_ms: int
    boot_ms: int  #: when it was noticed
    slept_ms: int  #: of it, suspended by the kernel
    frozen_ms: int  #: of it, awake without us: stopped, or the machine was far too busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """What one tick brought to light."""

    step: Step | None = None
    slept: Gap | None = None
    frozen: Gap | None = None
    rebooted: bool = False  #: the boot id changed under us: a restored image, a moved container


class Rhythm:
    """The ticks of one process."""

    def __init__(self, first: Moment) -> None:
        self._last = first
        self.slept_ms = 0  #: in all, since the first tick

    def tick(self, now: Moment) -> Beat:
        """One more tick."""
        last, self._last = self._last, now
        if now.boot_id != last.boot_id:
            return Beat(rebooted=True)
        passed_ms = now.boot_ms - last.boot_ms
        slept_ms = max(0, now.suspended_ms - last.suspended_ms)
        awake_ms = passed_ms - slept_ms
        self.slept_ms += slept_ms
        step_ms = (now.wall_ms - last.wall_ms) - passed_ms
        gap = Gap(
            from_ms=last.wall_ms,
            to_ms=now.wall_ms,
            boot_ms=now.boot_ms,
            slept_ms=slept_ms,
            frozen_ms=awake_ms if awake_ms > FROZEN_MS else 0,
        )
        step = Step(before_ms=now.wall_ms - step_ms, after_ms=now.wall_ms, boot_ms=now.boot_ms)
        return Beat(
            step=step if abs(step_ms) > STEP_MS else None,
            slept=gap if slept_ms > SLEPT_MS else None,
            frozen=gap if gap.frozen_ms else None,
        )
