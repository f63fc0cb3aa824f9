"""Whether a scanner misses more codes than it should: a ratio over the latest tries.

Decides nothing from a handful of tries, and does not flicker around the limit: it begins at
`limit_percent` and ends only at `clear_percent`. Counts are all it ever sees. The scanner watcher
feeds it and puts what it says into its reading.
"""

from __future__ import annotations

from agent.record import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When the ratio is a trouble. All are settings."""

    limit_percent: float
    clear_percent: float
    least: int  #: tries below which nothing is said
    window: int  #: tries after which old ones count half


class NoReads:
    """The latest tries of one scanner."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reads = 0.0
        self._missed = 0.0
        self._failing: bool | None = None

    def count(self, reads: int, missed: int) -> None:
        """Some more tries."""
        self._reads += reads
        self._missed += missed
        if self._tries > self._limits.window:
            # Old tries fade at once where many come together: the ratio stays, the weight goes.
            fade = max(self._limits.window / 2, self._limits.least) / self._tries
            self._reads *= fade
            self._missed *= fade
        percent = self.percent
        if percent is None:
            return
        if percent >= self._limits.limit_percent:
            self._failing = True
        elif percent <= self._limits.clear_percent or self._failing is None:
            self._failing = False

    @property
    def percent(self) -> float | None:
        """Tries without a code in a hundred; None: too few to tell."""
        if self._tries < max(1, self._limits.least):
            return None
        return 100 * self._missed / self._tries

    @property
    def failing(self) -> bool | None:
        """Whether it misses too many. None: too few tries so far."""
        return self._failing

    @property
    def _tries(self) -> float:
        return self._reads + self._missed
