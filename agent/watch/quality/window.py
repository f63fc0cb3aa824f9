"""What the last minutes say of a link: how often it dropped, how long it takes, how much it loses.

Pure; boot time is an argument. Three windows: `Counters` makes losses per hour of counters that
begin again whenever a driver is reloaded, `Tries` makes percentiles and shares of attempts others
made, `Latch` turns a figure into a yes or no that does not flap. Called by the watcher alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import field

from agent.record import dataclass

HOUR_MS = 3_600_000
#: More drops than this in an hour are counted, but not each remembered by its minute.
KEPT = 400
TRIES_KEPT = 200


@dataclass(slots=True)
class Counters:
    """How much counters grew within the last hour, whatever they begin again from.

    A counter that is smaller than before started anew: all it says now happened since. One that
    was away (`absent`) and is back is a loss by itself: a modem that fell off its bus.
    """

    _last: dict[str, int] = field(default_factory=dict)
    _grown: deque[tuple[int, str, int]] = field(default_factory=lambda: deque(maxlen=KEPT))
    _gone: bool = False

    def see(self, now_ms: int, counts: Mapping[str, int]) -> None:
        """The counters as they are now; names that are missing were not readable."""
        for name, count in counts.items():
            before = self._last.get(name)
            self._last[name] = count
            if before is None:
                continue
            grown = count - before if count >= before else count
            if grown:
                self._grown.append((now_ms, name, grown))
        self._gone = False
        self._forget(now_ms)

    def absent(self, now_ms: int, loses: str) -> None:
        """The interface is not there; `loses` counts that once, if it was there before."""
        if self._last and not self._gone:
            self._grown.append((now_ms, loses, 1))
            # It comes back with counters of its own: all they say happens from here on.
            self._last = dict.fromkeys(self._last, 0)
        self._gone = True
        self._forget(now_ms)

    def last_hour(self, name: str) -> int:
        """How much `name` grew within the last hour, as of the last look."""
        return sum(grown for _, which, grown in self._grown if which == name)

    @property
    def known(self) -> frozenset[str]:
        """The counters ever read."""
        return frozenset(self._last)

    def _forget(self, now_ms: int) -> None:
        while self._grown and now_ms - self._grown[0][0] > HOUR_MS:
            self._grown.popleft()


@dataclass(slots=True)
class Tries:
    """Attempts to reach somebody, within a window."""

    window_ms: int
    #: When, whom, whether it was lost, how long it took.
    _tries: deque[tuple[int, str, bool, int | None]] = field(
        default_factory=lambda: deque(maxlen=TRIES_KEPT)
    )

    def add(self, now_ms: int, host: str, *, lost: bool, took_ms: int | None) -> None:
        """One attempt, ended."""
        self._tries.append((now_ms, host, lost, took_ms))

    def sums(self, now_ms: int) -> Sums:
        """What the window says now."""
        while self._tries and now_ms - self._tries[0][0] > self.window_ms:
            self._tries.popleft()
        times = sorted(took for _, _, _, took in self._tries if took is not None)
        return Sums(
            count=len(self._tries),
            lost=sum(lost for _, _, lost, _ in self._tries),
            gaps=self._gaps(),
            timed=len(times),
            p50_ms=percentile(times, 50),
            p95_ms=percentile(times, 95),
        )

    def _gaps(self) -> int:
        """How often a host was lost and found again. One that is still lost is down, not flaky."""
        missing: set[str] = set()
        gaps = 0
        for _, host, lost, _ in self._tries:
            if lost:
                missing.add(host)
            elif host in missing:
                missing.remove(host)
                gaps += 1
        return gaps


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """A window of attempts in figures."""

    count: int
    lost: int
    gaps: int  #: times a host was lost and found again
    timed: int
    p50_ms: int | None
    p95_ms: int | None

    @property
    def loss_percent(self) -> float | None:
        """The share that was lost; None without any attempt."""
        return round(100 * self.lost / self.count, 1) if self.count else None

    @property
    def gap_percent(self) -> float | None:
        """Gaps among all attempts: high where a link flickers, low where it was away once."""
        return round(100 * self.gaps / self.count, 1) if self.count else None


def percentile(ordered: Sequence[int], percent: int) -> int | None:
    """Nearest rank: a value that was measured, never one in between."""
    if not ordered:
        return None
    rank = -(-percent * len(ordered) // 100)  # rounded up
    return ordered[max(rank, 1) - 1]


@dataclass(slots=True)
class Latch:
    """Yes from `on` up, no below `off`, and in between what it was."""

    held: bool | None = None

    def judge(self, value: float | None, on: float, off: float) -> bool | None:
        """None where there is no figure: then nothing is remembered either."""
        if value is None:
            self.held = None
        elif value >= on:
            self.held = True
        elif value < off or self.held is None:
            self.held = False
        return self.held
