"""What telemetry may cost a day, and what is given up for it, in named steps.

Pure: bytes and moments in, a step out. `telemetry.spending` reads the meter and keeps the account
over restarts; `telemetry.recorder` asks what may be recorded, `telemetry.feeder` what may leave.
Never given up, whatever it costs: state, alarms, edges of the backlog and answers to commands.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from agent.core.moment import Moment
from agent.record import dataclass

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """How often what is not urgent is told, in seconds."""

    health_s: float
    full_s: float
    backlog_s: float


#: What a day of each costs is in docs/fleet/outbox-and-bytes.md, and measured by `make bench`.
PROFILES: Mapping[str, Periods] = {
    # A full report costs 3 kB: six a day would be a quarter of the day's bytes. Nothing is lost
    # without it (QoS 1; what is thinned is followed by one), `report` brings one at any time.
    "default": Periods(health_s=900, full_s=86_400, backlog_s=900),
    "eco": Periods(health_s=3_600, full_s=86_400, backlog_s=3_600),
}


class Step(StrEnum):
    """What is still told. Each gives up what the ones before it gave up, and more."""

    FULL = "full"  #: everything
    NO_HISTORY = "no_history"  #: what was read during an outage waits for a cheaper day
    FEWER_READINGS = "fewer_readings"  #: a quarter of the reports
    ALARMS_AND_MONEY = "alarms_and_money"  #: no readings, no repeats of the backlog


STEPS = tuple(Step)
#: From which part of the budget on, in percent.
FROM_PERCENT: Mapping[Step, int] = {
    Step.FULL: 0,
    Step.NO_HISTORY: 60,
    Step.FEWER_READINGS: 75,
    Step.ALARMS_AND_MONEY: 90,
}
#: A step is left only this far below where it begins (a budget that was raised, a rolling day).
BACK_PERCENT = 10
#: How much rarer the reports are with `fewer_readings`.
RARER = 4
#: What a day may cost where nothing is configured, and only where bytes are paid for.
DEFAULT_KB = 150


def stretched(periods: Periods, step: Step) -> Periods:
    """The periods in this step. What is silenced is not in here: see `Step`."""
    if step is not Step.FEWER_READINGS:
        return periods
    return Periods(
        health_s=periods.health_s * RARER,
        full_s=periods.full_s * RARER,
        backlog_s=periods.backlog_s * RARER,
    )


@dataclass(slots=True)
class Account:
    """One day's bytes: a UTC day, or 24 hours of running while nobody knows the date."""

    day: int | None = None  #: days since 1970; None: the clock could not be trusted
    spent_bytes: int = 0
    paid_bytes: int = 0  #: the part of it on networks where bytes are paid for
    estimated_bytes: int = 0  #: the part of it that no kernel counted
    running_ms: int = 0  #: how much of an undated day has passed
    step: Step = Step.FULL
    last_bytes: int | None = None  #: of the day before; None: not known
    _seen: tuple[str, int] | None = None  # boot id and time of the last look

    def look(self, at: Moment) -> bool:
        """Time has passed; True: a new day begins with nothing spent."""
        boot_id, boot_ms = self._seen or ("", 0)
        if boot_id == at.boot_id:
            self.running_ms += max(0, at.boot_ms - boot_ms)
        self._seen = (at.boot_id, at.boot_ms)
        today = at.wall_ms // DAY_MS if at.trusted else None
        if self.day is None and today is not None and self.running_ms < DAY_MS:
            self.day = today  # what was spent before the clock was right belongs to some day
        over = self.running_ms >= DAY_MS if today is None else today != self.day
        if over:
            self.last_bytes, self.spent_bytes, self.estimated_bytes = self.spent_bytes, 0, 0
            self.running_ms = self.paid_bytes = 0
            self.day = today
        return over

    def spend(self, count: int, *, estimated: bool = False, paid: bool = True) -> None:
        """Bytes went over the wire, in either direction; `paid`: somebody is charged for them."""
        self.spent_bytes += max(0, count)
        if paid:
            self.paid_bytes += max(0, count)
        if estimated:
            self.estimated_bytes += max(0, count)

    def judge(self, budget_bytes: int, *, paid_only: bool = False) -> bool:
        """Whether the step changed. Without a budget (0) everything is told."""
        before = self.step
        spent = self.paid_bytes if paid_only else self.spent_bytes
        percent = 100 * spent // budget_bytes if budget_bytes else 0
        reached = max(step for step in map(STEPS.index, FROM_PERCENT) if self._in(step, percent))
        self.step = STEPS[reached]
        return self.step is not before

    def _in(self, index: int, percent: int) -> bool:
        step = STEPS[index]
        kept = BACK_PERCENT if index and index <= STEPS.index(self.step) else 0
        return percent >= FROM_PERCENT[step] - kept

    def kept(self) -> dict[str, Any]:
        """As it is written down."""
        return {
            "day": self.day,
            "spent_bytes": self.spent_bytes,
            "paid_bytes": self.paid_bytes,
            "estimated_bytes": self.estimated_bytes,
            "running_ms": self.running_ms,
            "step": str(self.step),
            "last_bytes": self.last_bytes,
        }

    @classmethod
    def known(cls, kept: Mapping[str, Any]) -> Account:
        """What was written down; whatever cannot be read counts as nothing."""
        step = kept.get("step")
        return cls(
            day=_count(kept.get("day")),
            spent_bytes=_count(kept.get("spent_bytes")) or 0,
            paid_bytes=_count(kept.get("paid_bytes")) or 0,
            estimated_bytes=_count(kept.get("estimated_bytes")) or 0,
            running_ms=_count(kept.get("running_ms")) or 0,
            step=Step(step) if step in STEPS else Step.FULL,
            last_bytes=_count(kept.get("last_bytes")),
        )


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    return None
