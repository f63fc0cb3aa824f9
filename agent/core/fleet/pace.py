"""How fast what has waited may leave: one message, then a pause that its size and the rates set.

Pure. There is no burst to save up for: after three days without a network the first minute looks
like the last. Urgent messages do not ask; what they spend is paid back by those that do.
`telemetry.feeder` brings boot times and sizes.
"""

from __future__ import annotations

from agent.record import dataclass

#: How long urgent messages may hold up the others.
MOST_DEBT_MS = 30_000.0


@dataclass(slots=True)
class Pace:
    """Of one connection's line; survives reconnects, or each would begin with a burst."""

    messages_per_s: float
    bytes_per_s: float
    free_ms: float = 0.0  #: boot time from which the next one may go

    def free(self, now_ms: int) -> bool:
        """Whether something that can wait may leave now."""
        return now_ms >= self.free_ms

    def spent(self, now_ms: int, size_bytes: int, *, urgent: bool = False) -> None:
        """A message left."""
        cost_ms = 1000 * max(1 / self.messages_per_s, size_bytes / self.bytes_per_s)
        begun_ms = max(float(now_ms), self.free_ms)
        if urgent:
            # A storm of alarms must not keep the readings away for hours.
            self.free_ms = max(self.free_ms, min(begun_ms + cost_ms, now_ms + MOST_DEBT_MS))
        else:
            self.free_ms = begun_ms + cost_ms
