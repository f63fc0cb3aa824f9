"""Inspects the terminal: every check now, one report; every day by itself and when asked.

Decides when (in a quiet moment of the day's hour), that two at the same time are one, and that the
terminal complains when none was made for too long. What is checked is in `running` and `examining`,
loaded when there is something to inspect; what an answer is worth in `agent.core.inspection`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeAlias

from agent.clock import Clock
from agent.config.inspection import Inspection
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.inspection.due import due, overdue
from agent.core.moment import Moment, at_ms
from agent.errors import AgentError

if TYPE_CHECKING:
    from agent.core.inspection.report import Report, Trigger
    from agent.watch.inspection.running import Examined, Running

log = logging.getLogger(__name__)

#: How often it is looked whether one is due.
LOOK_S = 60.0
#: No scheduled one this soon after a start: payments of the morning go first.
START_MS = 600_000
#: Nothing may have moved in the journal for so long.
QUIET_MS = 60_000
#: A clock nobody trusts says no hour: then once in a day of running.
DAY_MS = 86_400_000

Sink: TypeAlias = "Callable[[Report], None]"


class Rows(Protocol):
    """Where reports are kept; `agent.store.inspections.InspectionRows` is one."""

    async def next_number(self) -> int: ...
    async def add(self, report: Report, keep: int) -> None: ...
    async def one(self, number: int) -> Report | None: ...
    async def latest(self, limit: int) -> list[Report]: ...


class Inspections:
    """The inspections of this terminal; also the watcher of whether they are made."""

    component = "inspection"
    period_s = 600.0
    deadline_s = 10.0

    def __init__(
        self,
        settings: Inspection,
        clock: Clock,
        rows: Rows,
        *,
        share: float,
        born: Callable[[], Awaitable[datetime]],
    ) -> None:
        """`share` of the jitter is this terminal's; `born`: since when there is a terminal."""
        self._settings = settings
        self._clock = clock
        self._rows = rows
        self._jitter_s = settings.jitter_s * share
        self._born = born
        self._busy: Callable[[], Awaitable[bool]] | None = None
        self._checks: Callable[[Trigger], Sequence[Examined]] | None = None
        self._running: Running | None = None
        self._last: Report | None = None  # also while the store does not keep it
        self._sinks: list[Sink] = []
        self._times = _Times(started_ms=clock.now().boot_ms)

    def equip(
        self,
        checks: Callable[[Trigger], Sequence[Examined]],
        busy: Callable[[], Awaitable[bool]],
    ) -> None:
        """`checks` of one inspection; `busy`: whether a payment is under way."""
        self._checks, self._busy = checks, busy

    def subscribe(self, sink: Sink) -> None:
        """`sink` hears of every check that ends, and of the end of all; it must not block."""
        self._sinks.append(sink)

    def heed(self, poke: Callable[[], None]) -> None:
        """`poke` has this watcher read at once: an inspection ended."""
        self._sinks.append(lambda report: None if report.ended_ms is None else poke())

    def moved(self, record: object) -> None:
        """A payment moved: this is no quiet moment."""
        del record
        self._times.moved_ms = self._clock.now().boot_ms

    async def read(self) -> Outcome:
        """When the last one was, what came of it, and whether it is too long ago."""
        now = self._clock.now()
        kept = await self._rows.latest(1)
        values: dict[str, Value] = {}
        if kept:
            totals = kept[0].totals
            values = {name: totals[name] for name in ("fail", "warn", "unknown")}
            values["last_at"] = _last_at(kept[0]).isoformat(timespec="seconds")
        if now.trusted:
            last = _last_at(kept[0]) if kept else await self._born()
            values["overdue"] = overdue(now.at, last, self._settings.overdue_days)
        return Reading(values)

    # -- what is asked -------------------------------------------------------------------

    async def begin(self, actor: str) -> Report:
        """Inspect now; while one is under way, that one. Returns what is known so far."""
        from agent.core.inspection.report import Trigger

        return await self._begin(Trigger.ASKED, actor)

    async def report(
        self, number: int | None, after: int = 0, wait_s: float = 0.0
    ) -> Report | None:
        """One report, None for the last. Of one under way: waits until more than `after` of its
        checks ended, for so long at most."""
        running = self._running
        if running is not None and number in (None, running.report.number):
            return await running.progress(after, wait_s)
        if self._last is not None and number in (None, self._last.number):
            return self._last
        if number is not None:
            return await self._rows.one(number)
        kept = await self._rows.latest(1)
        return kept[0] if kept else None

    async def latest(self, limit: int) -> list[Report]:
        """The last reports, the newest first, one under way before all others."""
        under_way = [] if self._running is None else [self._running.report]
        return [*under_way, *await self._rows.latest(limit)][:limit]

    # -- the schedule --------------------------------------------------------------------

    async def look(self) -> None:
        """Begin the inspection of the day if it is due and nobody is disturbed. A timer's job."""
        if self._running is not None or not await self._due() or not await self._quiet():
            return
        from agent.core.inspection.report import Trigger

        await self._begin(Trigger.SCHEDULE, "agent")

    async def _due(self) -> bool:
        now, times, settings = self._clock.now(), self._times, self._settings
        if settings.hour < 0 or now.boot_ms - times.started_ms < START_MS:
            return False
        if not now.trusted:
            since_ms = times.began_ms if times.began_ms is not None else times.started_ms
            return now.boot_ms - since_ms >= DAY_MS
        here = now.at.astimezone()
        if times.began_at is None:
            kept = await self._rows.latest(1)
            times.began_at = at_ms(kept[0].started_ms) if kept else None
        return due(here, times.began_at, settings.hour, self._jitter_s)

    async def _quiet(self) -> bool:
        moved_ms = self._times.moved_ms
        if moved_ms is not None and self._clock.now().boot_ms - moved_ms < QUIET_MS:
            return False
        return self._busy is None or not await self._busy()

    # -- one inspection ------------------------------------------------------------------

    async def _begin(self, trigger: Trigger, actor: str) -> Report:
        from agent.watch.inspection.running import Running

        if self._running is None:
            now = self._clock.now()
            checks = [] if self._checks is None else self._checks(trigger)
            running = Running(checks, self._clock, trigger, actor, self._tell)
            self._running = running  # before the first await: whoever asks meanwhile joins it
            self._times.began_ms, self._times.began_at = now.boot_ms, _trusted_at(now)
            log.info("event=inspection_began trigger=%s checks=%d", trigger, len(checks))
            running.start(self._number, self._ended)
        joined = self._running
        await joined.numbered.wait()
        return joined.report

    async def _number(self) -> int:
        try:
            return await self._rows.next_number()
        except AgentError as error:
            log.warning("event=inspection_not_numbered reason=%r", str(error))
            return 0

    async def _ended(self, report: Report) -> None:
        log.info("event=inspection_ended number=%d %s", report.number, _counted(report))
        try:
            if report.number:
                await self._rows.add(report, self._settings.keep)
        except AgentError as error:
            log.warning("event=inspection_not_kept number=%d reason=%r", report.number, str(error))
        finally:
            self._running, self._last = None, report
        self._tell(report)

    def _tell(self, report: Report) -> None:
        for sink in self._sinks:
            sink(report)

    async def close(self) -> None:
        """The daemon stops: an inspection under way is not waited for."""
        if self._running is not None:
            await self._running.cancel()


class _Times:
    """When what last happened."""

    __slots__ = ("began_at", "began_ms", "moved_ms", "started_ms")

    def __init__(self, started_ms: int) -> None:
        self.started_ms = started_ms  #: this daemon, boot time
        self.moved_ms: int | None = None  #: the journal, boot time
        self.began_ms: int | None = None  #: the last inspection, boot time
        self.began_at: datetime | None = None  #: the same on the wall clock


def _trusted_at(now: Moment) -> datetime | None:
    return now.at if now.trusted else None


def _last_at(report: Report) -> datetime:
    return at_ms(report.ended_ms if report.ended_ms is not None else report.started_ms)


def _counted(report: Report) -> str:
    return " ".join(f"{name}={count}" for name, count in report.totals.items())


__all__ = ["LOOK_S", "Inspections"]
