"""What happens to one simulated terminal: sales, paper, weak signal, hosts that are down.

Decides the facts only; what of them is worth a message, and when, is the agent's own code, which
asks here instead of a tracker and a journal. Chance is drawn from a seed and the terminal's name,
so that the same fleet lives the same life again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from agent.core.health.conditions import Severity
from agent.core.health.reading import Reading, Value
from agent.core.health.tracker import Alarm, Change, ComponentState, What
from agent.core.moment import Moment
from agent.core.money.journal import Amounts, Backlog, State

#: Hosts a fleet sends its payments to; all terminals of a host lose it at once.
HOSTS = 10
#: Payments a terminal gets rid of at one look after its host came back.
DRAIN = 20
#: A terminal nobody cares for still ends somewhere.
MOST_PAYMENTS = 2_000
HOST_CAUSES = ("host.down", "host.maintenance", "network.host_unreachable")
CURRENCY = "CNY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Troubles:
    """Shares of the terminals that are in trouble at any moment, and for how long on average."""

    offline: float = 0.02
    offline_s: float = 300.0
    hosts_down: float = 0.1
    host_down_s: float = 900.0
    alarms: float = 0.05
    alarm_s: float = 600.0
    sales_per_hour: float = 12.0


class Spells:
    """Well and ill in turns: ill for `mean_s` on average, and for `share` of the time."""

    def __init__(self, seed: str, share: float, mean_s: float) -> None:
        self._rng = Random(seed)
        self._share = min(max(share, 0.0), 1.0)
        self._mean_s = mean_s
        self._ill = self._rng.random() < self._share
        self._until_s = 0.0
        self._extend()

    def ill(self, now_s: float) -> bool:
        """Whether it is ill; ask in the order of time."""
        while now_s >= self._until_s:
            self._ill = not self._ill
            self._extend()
        return self._ill

    def _extend(self) -> None:
        if self._share in (0.0, 1.0):
            self._ill = bool(self._share)
            self._until_s = float("inf")
            return
        well_s = self._mean_s * (1 - self._share) / self._share
        self._until_s += self._rng.expovariate(1 / (self._mean_s if self._ill else well_s))


@dataclass(slots=True)
class Hosts:
    """The hosts of a fleet: the same ones in every process, by the seed."""

    seed: int
    troubles: Troubles
    spells: list[Spells] = field(default_factory=list)

    def __post_init__(self) -> None:
        ills = self.troubles
        self.spells = [
            Spells(f"{self.seed}/host/{number}", ills.hosts_down, ills.host_down_s)
            for number in range(HOSTS)
        ]

    def cause(self, number: int, now_s: float) -> str:
        """Why this host takes nothing, or "" while it does."""
        return HOST_CAUSES[number % len(HOST_CAUSES)] if self.spells[number].ill(now_s) else ""


class Life:
    """One terminal's facts. Answers as the health tracker and the journal would."""

    def __init__(self, name: str, hosts: Hosts) -> None:
        seed, self._troubles = f"{hosts.seed}/{name}", hosts.troubles
        self._rng = Random(seed)
        self._hosts = hosts
        self._host = self._rng.randrange(HOSTS)
        ills = self._troubles
        self._network = Spells(f"{seed}/network", ills.offline, ills.offline_s)
        self._paper = Spells(f"{seed}/paper", ills.alarms, ills.alarm_s)
        self._unsent: deque[tuple[datetime, int]] = deque()
        self._alarm: Alarm | None = None
        self._sinks: list[Callable[[Sequence[Change]], None]] = []
        self._states: tuple[ComponentState, ...] = ()
        self._lived_s = 0.0
        self._signal_dbm = self._rng.randint(-105, -65)
        self.offline = False
        self.cause = ""

    # As the tracker answers

    def alarms(self) -> Sequence[Alarm]:
        """The open alarms."""
        return () if self._alarm is None else (self._alarm,)

    def components(self) -> Sequence[ComponentState]:
        """What the watchers said last."""
        return self._states

    def subscribe(self, sink: Callable[[Sequence[Change]], None]) -> None:
        """Who hears of alarms."""
        self._sinks.append(sink)

    # As the journal answers

    @property
    def unsent(self) -> int:
        """Payments that wait."""
        return len(self._unsent)

    def backlog(self) -> Backlog:
        """The unsent money."""
        if not self._unsent:
            total = Amounts()
        else:
            total = Amounts(
                count=len(self._unsent),
                by_currency={CURRENCY: sum(amount for _, amount in self._unsent)},
            )
        return Backlog(
            total=total,
            by_state={State.WAITING: total},
            in_doubt=Amounts(),
            held=Amounts(),
            quarantined=Amounts(),
            oldest_at=self._unsent[0][0] if self._unsent else None,
            by_cause={self.cause: total.count} if self.cause and total.count else {},
        )

    # Time passes

    def live(self, at: Moment, now_s: float) -> bool:
        """Up to now, in seconds since the fleet began; whether the network came or went."""
        was_offline, self.offline = self.offline, self._network.ill(now_s)
        host = self._hosts.cause(self._host, now_s)
        self.cause = "network.no_internet" if self.offline else host
        self._sell(at, now_s - self._lived_s)
        self._lived_s = now_s
        self._watch(at, now_s)
        return was_offline != self.offline

    def _sell(self, at: Moment, seconds: float) -> None:
        expected = seconds * self._troubles.sales_per_hour / 3_600
        sold = int(expected) + (self._rng.random() < expected % 1)
        for _ in range(min(sold, MOST_PAYMENTS - len(self._unsent))):
            self._unsent.append((at.at, self._rng.randrange(100, 100_000)))
        if not self.cause:
            for _ in range(min(DRAIN, len(self._unsent))):
                self._unsent.popleft()

    def _watch(self, at: Moment, now_s: float) -> None:
        out = self._paper.ill(now_s)
        if out != (self._alarm is not None):
            self._paper_changed(at, out=out)
        self._signal_dbm += self._rng.choice((-3, -1, 0, 0, 1, 3))
        self._signal_dbm = max(-113, min(-51, self._signal_dbm))
        readings: Mapping[str, Mapping[str, Value]] = {
            "printer": {"paper": "out" if out else "ok", "cover_open": False},
            "connectivity": {"signal_dbm": self._signal_dbm, "bearer": "lte"},
            "system": {
                "storage_free_mb": 1_200 - int(now_s / 600) % 200,
                "temperature_c": 38 + self._rng.randrange(4),
                "uptime_s": int(now_s),
            },
        }
        self._states = tuple(
            ComponentState(
                component=name, outcome=Reading(values), at=at.at, duration_ms=4, success=True
            )
            for name, values in readings.items()
        )

    def _paper_changed(self, at: Moment, *, out: bool) -> None:
        alarm = self._alarm or Alarm(
            code="printer.paper_out",
            component="printer",
            severity=Severity.MAJOR,
            since_at=at.at,
            shown_at=at.at,
            args={},
            flaps=0,
            suppressed_by="",
        )
        self._alarm = alarm if out else None
        what = What.SHOWN if out else What.CLEARED
        for sink in self._sinks:
            sink([Change(code=alarm.code, what=what, at=at, alarm=alarm)])
