"""The circuit breaker of one hook: after three failures in a row it is left alone, ever longer.

Pure: time is an argument. A changed file closes it at once, so that whoever corrects a hook need
not wait. The runner asks before every run and tells it how that went.
"""

from __future__ import annotations

FAILURES_ALLOWED = 3


class Breaker:
    """Counts failures in a row and says whether it is time to try."""

    def __init__(self, rest_s: float, rest_max_s: float) -> None:
        self.failures = 0
        self.last = ""  #: what the last failure was
        self._rest_s = rest_s
        self._rest_max_s = rest_max_s
        self._until_ms = 0

    def left_s(self, now_ms: int) -> float:
        """Seconds until the next try; 0: now."""
        return max(0.0, (self._until_ms - now_ms) / 1000)

    def worked(self) -> int:
        """It answered. Returns how many failures that ends."""
        ended, self.failures, self._until_ms = self.failures, 0, 0
        return ended

    def failed(self, now_ms: int, why: str) -> float:
        """It did not. Returns how long it rests now, in seconds."""
        self.failures += 1
        self.last = why
        over = self.failures - FAILURES_ALLOWED
        rest_s = min(self._rest_max_s, self._rest_s * 2.0 ** min(over, 20)) if over >= 0 else 0.0
        self._until_ms = now_ms + round(rest_s * 1000)
        return rest_s
