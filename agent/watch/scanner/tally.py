"""How a scanner reads: when it last read a code, and how many tries went without one.

Numbers only, from whoever can tell: the line where the agent has it for itself, or what a hook or
the payment app reports. Decides nothing about alarms but what `agent.core.health.no_reads` says.
"""

from __future__ import annotations

from agent.config.devices import Scanner
from agent.core.health.no_reads import Limits, NoReads
from agent.core.health.reading import Value


class Tally:
    """Counts of one scanner."""

    def __init__(self, config: Scanner) -> None:
        self._ratio = NoReads(
            Limits(
                limit_percent=config.no_read_percent,
                clear_percent=config.no_read_clear_percent,
                least=config.no_read_least,
                window=max(config.no_read_window, config.no_read_least),
            )
        )
        self._last_read_ms: int | None = None
        self._tells_no_reads = False

    def count(self, reads: int, no_reads: int, now_ms: int) -> None:
        """Some tries, just now."""
        if reads:
            self._last_read_ms = now_ms
        # Most scanners say nothing where nothing was read: without a single such word a ratio of
        # zero would be a guess.
        self._tells_no_reads = self._tells_no_reads or no_reads > 0
        self._ratio.count(reads, no_reads)

    def tells_no_reads(self) -> None:
        """Whoever counts does count tries without a code."""
        self._tells_no_reads = True

    def last_read(self, age_s: float, now_ms: int) -> None:
        """Somebody else saw a good read so long ago."""
        at_ms = now_ms - round(age_s * 1000)
        self._last_read_ms = max(at_ms, self._last_read_ms or at_ms)

    def values(self, now_ms: int) -> dict[str, Value]:
        """What is known of it, under the names of the reading."""
        values: dict[str, Value] = {}
        if self._last_read_ms is not None:
            values["good_read_age_s"] = max(0, now_ms - self._last_read_ms) // 1000
        percent = self._ratio.percent
        if self._tells_no_reads and percent is not None:
            values["no_read_percent"] = round(percent, 1)
            values["misses_codes"] = self._ratio.failing
        return values

    def rate(self) -> str:
        """The ratio as people read it; "" while it is not known."""
        percent = self._ratio.percent
        return f"{percent:.0f} %" if self._tells_no_reads and percent is not None else ""
