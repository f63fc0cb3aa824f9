"""The line to the fleet, read like any other component: does it stand, and is it abused.

Measures nothing: `agent.telemetry` says how the line stands, those who take commands and wishes add
what they know, and forged ones are counted here for an hour. The conditions over these values are
in `core.health.standard_fleet`. Without a broker there is no line, and nothing to be wrong with it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

from agent.clock import Clock
from agent.core.health.reading import NotFitted, Outcome, Reading, Value

#: How long a forged command stays worth telling.
RECENT_MS = 3_600_000
MOST = 1_000

#: What one of those who know something says; None: it has nothing to say, and nor has the line.
Source = Callable[[], Mapping[str, Value] | None]


class FleetWatcher:
    """`line` is plugged in by `main`, once telemetry is built; then whoever knows more."""

    component = "fleet"
    period_s = 15.0
    deadline_s = 5.0

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line: Source = lambda: None
        self._more: list[Source] = []
        self._forged_ms: deque[int] = deque(maxlen=MOST)
        self._word = ""
        self._poke: Callable[[], object] = lambda: None

    def speaks(self, line: Source) -> None:
        """How the line stands: `connected`, `endpoint`, `duplicate_id`, `not_authorised`, …"""
        self._line = line

    def add(self, source: Source) -> None:
        """More values: `desired_rejected`, `desired_version`, `certificate_due`, …"""
        self._more.append(source)

    def forged(self, word: str) -> None:
        """A command or wish arrived that its signature does not cover; `word` says how."""
        now_ms = self._clock.now().boot_ms
        fresh = not self._forged_ms or now_ms - self._forged_ms[-1] >= self.period_s * 1000
        self._forged_ms.append(now_ms)
        self._word = word
        if fresh:  # of a flood the first: the others are read with the next look
            self.changed()

    def heed(self, poke: Callable[[], object]) -> None:
        """Who has it read at once."""
        self._poke = poke

    def changed(self) -> None:
        """Something is new: read it now, not in fifteen seconds."""
        self._poke()

    async def read(self) -> Outcome:
        line = self._line()
        if line is None:
            return NotFitted()
        values = dict(line)
        for source in self._more:
            values.update(source() or {})
        now_ms = self._clock.now().boot_ms
        while self._forged_ms and now_ms - self._forged_ms[0] > RECENT_MS:
            self._forged_ms.popleft()
        values["forged_recent"] = len(self._forged_ms)
        if self._forged_ms:
            values["forged_word"] = self._word
        values.setdefault("desired_rejected", False)
        return Reading(values={name: value for name, value in values.items() if value is not None})
