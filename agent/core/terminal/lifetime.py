"""What a terminal has lived through: restarts nobody asked for, crashes, hours and counters.

Kept as one small object over restarts, written a handful of times a day, so it may lag behind: a
power cut costs it some hours, never a wrong alarm. A restart counts as unexpected when a new boot
finds that the agent was running when the old one ended. Dates are believed only while the clock
was and is trusted; otherwise running time stands in for them. Called by `agent.watch.system`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any

from agent.core.moment import SLACK_MS, Moment
from agent.record import dataclass

DAY_MS = 86_400_000
#: Remembered at most; more within a day are one and the same trouble.
RESTARTS = 50
CRASHES = 32
COUNTERS = 32


@dataclass(frozen=True, slots=True)
class Restart:
    """One that nobody asked for."""

    wall_ms: int
    trusted: bool
    running_ms: int  #: running time in all, then


@dataclass(frozen=True, slots=True)
class Counter:
    """A counter that may begin anew at 0, as a printer's does with a new mainboard."""

    last: float
    total: float

    def moved(self, told: float) -> Counter:
        """The counter now says `told`."""
        gained = told - self.last if told >= self.last else told
        return Counter(told, self.total + gained)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is kept."""

    boot_id: str = ""
    running: bool = False  #: the agent runs, or did when the power went
    boots: int = 0
    running_ms: int = 0  #: awake and asleep, of the boots that are over
    boot_ms: int = 0  #: of this boot, when it was kept last
    began_ms: int = 0  #: wall clock of the first start it was trusted at; 0: not yet
    restarts: tuple[Restart, ...] = ()
    crashes: tuple[str, ...] = ()  #: records of the kernel that were seen
    crash_boot: str = ""  #: the boot before which the system crashed
    crash_reason: str = ""
    counters: Mapping[str, Counter] = field(default_factory=dict)


def started(kept: Life, now: Moment, reason: str, crashed: bool, records: Iterable[str]) -> Life:
    """The life after a start of the agent.

    `reason` and `crashed` are the boot's own word, `records` what the kernel kept of a crash. That
    word counts only where the agent was cut off: some boards restart in good order by letting the
    watchdog bite. The very first start has nothing to compare with.
    """
    found = tuple(sorted(set(records)))[-CRASHES:]
    if not kept.boot_id:
        return Life(boot_id=now.boot_id, running=True, boots=1, boot_ms=now.boot_ms, crashes=found)
    fresh = [one for one in found if one not in kept.crashes]
    life = replace(kept, running=True, crashes=found)
    if kept.boot_id == now.boot_id:
        life = replace(life, boot_ms=max(kept.boot_ms, now.boot_ms))
        return _crashed(life, now.boot_id, reason or fresh[-1]) if fresh else life
    before_ms = kept.running_ms + kept.boot_ms
    life = replace(
        life,
        boot_id=now.boot_id,
        boots=kept.boots + 1,
        running_ms=before_ms,
        boot_ms=now.boot_ms,
    )
    if fresh or (crashed and kept.running):
        # Its own trouble: whoever checks the socket for it checks in vain.
        return _crashed(life, now.boot_id, reason or (fresh[-1] if fresh else ""))
    if kept.running:
        one = Restart(now.wall_ms, now.trusted, before_ms)
        life = replace(life, restarts=(*kept.restarts, one)[-RESTARTS:])
    return life


def _crashed(life: Life, boot_id: str, reason: str) -> Life:
    return replace(life, crash_boot=boot_id, crash_reason=reason)


def lived(life: Life, now: Moment, told: Mapping[str, float], *, running: bool = True) -> Life:
    """The life a while later; `told` are counters as they stand now."""
    counters = dict(life.counters)
    for name, value in told.items():
        if name in counters:
            counters[name] = counters[name].moved(value)
        elif len(counters) < COUNTERS:
            counters[name] = Counter(value, value)
    return replace(
        life,
        running=running,
        boot_ms=max(life.boot_ms, now.boot_ms),
        began_ms=life.began_ms or (now.wall_ms if now.trusted else 0),
        counters=counters,
    )


def recent_restarts(life: Life, now: Moment) -> int:
    """Unexpected restarts of the last 24 hours, as far as can be told."""
    running_ms = life.running_ms + now.boot_ms

    def within(one: Restart) -> bool:
        if one.trusted and now.trusted and now.wall_ms + SLACK_MS >= one.wall_ms:
            return now.wall_ms - one.wall_ms <= DAY_MS
        return running_ms - one.running_ms <= DAY_MS

    return sum(within(one) for one in life.restarts)


def crashed_recently(life: Life, now: Moment) -> bool:
    """Whether this boot followed a crash and is not older than a day."""
    return life.crash_boot == now.boot_id and now.boot_ms <= DAY_MS


def to_plain(life: Life) -> dict[str, Any]:
    """As it is kept."""
    return {
        "boot_id": life.boot_id,
        "running": life.running,
        "boots": life.boots,
        "running_ms": life.running_ms,
        "boot_ms": life.boot_ms,
        "began_ms": life.began_ms,
        "restarts": [[one.wall_ms, one.trusted, one.running_ms] for one in life.restarts],
        "crashes": list(life.crashes),
        "crash_boot": life.crash_boot,
        "crash_reason": life.crash_reason,
        "counters": {name: [one.last, one.total] for name, one in life.counters.items()},
    }


def from_plain(kept: Mapping[str, Any]) -> Life:
    """As it was kept; whatever flash made of it, the parts that make no sense are left out."""
    restarts = [
        Restart(_whole(one[0]), one[1] is True, _whole(one[2]))
        for one in _list(kept.get("restarts"))
        if isinstance(one, list) and len(one) == 3
    ]
    counters = kept.get("counters")
    return Life(
        boot_id=_text(kept.get("boot_id")),
        running=kept.get("running") is True,
        boots=_whole(kept.get("boots")),
        running_ms=_whole(kept.get("running_ms")),
        boot_ms=_whole(kept.get("boot_ms")),
        began_ms=_whole(kept.get("began_ms")),
        restarts=tuple(restarts[-RESTARTS:]),
        crashes=tuple(_text(one) for one in _list(kept.get("crashes")) if _text(one))[-CRASHES:],
        crash_boot=_text(kept.get("crash_boot")),
        crash_reason=_text(kept.get("crash_reason")),
        counters={
            str(name): Counter(_amount(one[0]), _amount(one[1]))
            for name, one in (counters.items() if isinstance(counters, dict) else ())
            if isinstance(one, list) and len(one) == 2
        },
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value[:200] if isinstance(value, str) else ""


def _whole(value: object) -> int:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _amount(value: object) -> float:
    told = isinstance(value, int | float) and not isinstance(value, bool)
    # Infinity and not-a-number compare false.
    return float(value) if told and 0 <= value < 1e18 else 0.0  # type: ignore[operator,arg-type]
