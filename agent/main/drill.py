"""Drills an outage on this terminal: a journal of its own is killed, opened, drained and removed.

The marked records never touch the real journal, so no total, limit, slip, message or statistic can
count them, and no release, restore or configuration can send them; the process that delivers them
has no configuration and no socket. Decides the order of the steps, when one may begin, what a start
after a power cut does with what it finds, and whether the terminal is overdue. The steps themselves
are in `agent.offloaded.drill`; what they came to in `agent.core.drill`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from agent.core.drill import PASSED, overdue
from agent.core.health.reading import Outcome, Reading, Value
from agent.core.moment import at_ms
from agent.errors import AgentError, CallerError, StoreError
from agent.main.drill_alarm import DrillAlarm
from agent.main.floor import Floor
from agent.main.later import later
from agent.store.drills import DrillRows

if TYPE_CHECKING:
    from agent.core.drill.report import Drill
    from agent.main.drill_course import Course
    from agent.offload import Offload

log = logging.getLogger(__name__)

FOLDER = "drill"
#: Left for payments while a drill writes its own journal.
FREE_BYTES = 64 * 1024 * 1024
#: How long a quiet moment is waited for before the agent is restarted.
QUIET_S = 30.0
LOOK_S = 3_600.0
START_MS = 900_000

Sink = Callable[["Drill"], None]


class Drills:
    """The drills of this terminal: a part of the daemon, and who watches that they are made."""

    name = "drills"
    fatal = False
    component = "drill"
    period_s = 3_600.0
    deadline_s = 10.0

    def __init__(self, floor: Floor, offload: Offload | None = None) -> None:
        self._floor, self._settings, self._clock = floor, floor.config.drill, floor.clock
        self._rows = DrillRows(floor.store)
        self._offload = offload or later(_child)
        self._folder = floor.store.directory / FOLDER
        self.alarm = DrillAlarm(floor.clock)
        self._idle: Callable[[], bool] = lambda: True
        self._restart: Callable[[], None] | None = None
        self._sinks: list[Sink] = []
        self._now: Drill | None = None
        self._task: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    def equip(self, idle: Callable[[], bool], restart: Callable[[], None] | None) -> None:
        """`idle`: nobody pays; `restart` ends this process without cleaning up and never returns
        unless it cannot."""
        self._idle, self._restart = idle, restart

    def subscribe(self, sink: Sink) -> None:
        """`sink` hears of every step that ends, and of the end of all; it must not block."""
        self._sinks.append(sink)

    async def read(self) -> Outcome:
        """When the last one was and what came of it, and whether a passed one is too long ago."""
        now, kept = self._clock.now(), await self._rows.latest(self._settings.keep)
        over = [one for one in kept if one.ended_ms is not None]
        values: dict[str, Value] = self.alarm.values()
        if over:
            values["last_at"] = _ended_at(over[0]).isoformat(timespec="seconds")
            values["result"] = str(over[0].result)
        if now.trusted:
            passed = next((one for one in over if one.result == PASSED), None)
            last = await self._floor.keeper.born_at() if passed is None else _ended_at(passed)
            values["overdue"] = overdue(now.at, last, self._settings.every_days)
        return Reading(values)

    # -- what is asked -------------------------------------------------------------------

    async def drill(self, number: int | None, after: int = 0, wait_s: float = 0.0) -> Drill | None:
        """One drill, None for the last. Of one under way: waits until more than `after` of its
        steps ended, for so long at most."""
        shown = self._under_way(number)
        if shown is not None:
            number = shown.number
            ends_s = asyncio.get_running_loop().time() + wait_s
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(ends_s):
                    while shown is not None and len(shown.steps) <= after:
                        await self._more.wait()
                        shown = self._under_way(number)
        if shown is not None:
            return shown
        if number is not None:
            return await self._rows.one(number)
        kept = await self._rows.latest(1)
        return kept[0] if kept else None

    def _under_way(self, number: int | None) -> Drill | None:
        now = self._now
        return now if now is not None and number in (None, now.number) else None

    async def latest(self, limit: int) -> list[Drill]:
        """The last drills, the newest first."""
        return await self._rows.latest(limit)

    async def begin(self, actor: str, records: int, restart: bool, trigger: str = "asked") -> Drill:
        """Begin; while one is under way, that one. Raises CallerError, StoreError."""
        from agent.core.drill.report import Drill

        if self._now is not None:
            return self._now
        if restart and self._restart is None:
            raise CallerError("drill.not_here", "this agent cannot restart itself")
        if restart and not await self._nothing_in_doubt():
            raise CallerError(
                "drill.in_doubt",
                "the agent is not restarted while a payment is under way or in doubt",
                "Drill without --restart, or wait until nothing is in doubt.",
            )
        room = os.statvfs(self._floor.store.directory)
        if (free := room.f_bavail * room.f_frsize) < FREE_BYTES:
            raise CallerError("drill.not_here", f"only {free // 1024} KiB of storage are free")
        number = await self._rows.next_number()
        if (joined := self._under_way(None)) is not None:
            return joined  # somebody else asked meanwhile
        drill = self._now = Drill(
            number=number, trigger=trigger, actor=actor, records=records, restart=restart,
            started_ms=self._clock.now().wall_ms,
        )  # fmt: skip
        log.info("event=drill_began number=%d records=%d restart=%s", number, records, restart)
        try:
            await self._rows.put(drill, self._settings.keep)
        except AgentError:
            self._now = None
            raise
        self._task = asyncio.create_task(self._guarded(drill, self._whole(drill)), name="drill")
        return drill

    async def _nothing_in_doubt(self) -> bool:
        backlog = await self._floor.store.backlog()
        return self._idle() and not backlog.in_doubt.count

    # -- the course ----------------------------------------------------------------------

    async def look(self) -> None:
        """A timer's job: where they are scheduled, drill when one is overdue and nobody pays."""
        reading = await self.read()
        assert isinstance(reading, Reading)
        now = self._clock.now()
        if now.boot_ms < START_MS or not reading.values.get("overdue") or self._now is not None:
            return
        if await self._nothing_in_doubt():
            await self.begin("agent", self._settings.records, restart=False, trigger="schedule")

    async def run(self, stop: asyncio.Event) -> None:
        """Finishes what the last process left, as far as it can be judged; one under way when this
        one stops is left for the next."""
        try:
            for drill in (await self._rows.running())[-1:]:
                self._now = drill
                going = self._guarded(drill, self._after_start(drill))
                self._task = asyncio.create_task(going, name="drill")
            if self._now is None and self._folder.exists():
                await self._course().clear()
        except StoreError as error:
            log.warning("event=drill_not_resumed code=%s", error.code)
        await stop.wait()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.5)

    def beat(self, now_ms: int) -> str:
        del now_ms
        return ""

    async def _whole(self, drill: Drill) -> None:
        from agent.core.drill.report import Step, Verdict

        course = self._course()
        self._show(drill)
        await course.clear()
        drill = await course.first_half(drill)
        if drill.steps[-1].verdict is Verdict.FAIL:
            await course.clear()
            await self._end(course.over(drill))
            return
        if drill.restart and await self._quiet():
            drill = replace(drill, restarting_ms=self._clock.now().wall_ms)
            await self._rows.put(drill, self._settings.keep)
            log.warning("event=drill_restarts_agent number=%d", drill.number)
            # Somebody may have begun to pay while it was written down.
            if self._restart is not None and self._idle():
                self._restart()
            drill = replace(drill, restarting_ms=0)  # it could not
        why = "busy" if drill.restart else "not_agreed"
        drill = drill.after(course.skipped(Step.RESTART, why))
        await self._reported(drill)
        await self._end(await course.second_half(drill))

    async def _quiet(self) -> bool:
        """Whether a moment came in which nobody pays."""
        ends_ms = self._clock.now().boot_ms + round(QUIET_S * 1000)
        while not await self._nothing_in_doubt():
            if self._clock.now().boot_ms > ends_ms:
                return False
            await asyncio.sleep(0.5)
        return True

    async def _after_start(self, drill: Drill) -> None:
        """This process found the drill as the last one left it."""
        from agent.core.drill.report import Result, Step

        course = self._course()
        done = [one.name for one in drill.steps]
        if done == [Step.ACCEPT, Step.KILL] and self._folder.exists():
            if drill.restarting_ms:
                step = course.restarted(drill, (await self._floor.store.facts()).damage)
            else:
                drill = replace(drill, interrupted=True)
                step = course.skipped(Step.RESTART, "not_agreed")
            drill = replace(drill, restarting_ms=0).after(step)
            await self._reported(drill)
            await self._end(await course.second_half(drill))
            return
        await course.clear()
        log.warning("event=drill_broken_off number=%d", drill.number)
        drill = replace(drill, interrupted=True)
        await self._end(drill.over(self._clock.now().wall_ms, Result.BROKEN_OFF))

    async def _guarded(self, drill: Drill, going: Coroutine[None, None, None]) -> None:
        """Whatever happens, the next one can begin."""
        from agent.core.drill.report import Result

        try:
            await going
        except AgentError as error:
            log.warning("event=drill_broken_off number=%d reason=%r", drill.number, str(error))
            await self._course().clear()
            ended_ms = self._clock.now().wall_ms
            await self._end((self._now or drill).over(ended_ms, Result.BROKEN_OFF))
        finally:
            self.alarm.over()
            self._now = None

    def _course(self) -> Course:
        from agent.main.drill_course import Course

        return Course(
            folder=self._folder,
            clock=self._clock,
            offload=self._offload,
            blocking=self._floor.threads,
            report=self._reported,
            alarm=self.alarm,
        )

    # -- the report ----------------------------------------------------------------------

    async def _reported(self, drill: Drill) -> None:
        """A step has ended: kept, and told."""
        await _kept(self._rows, drill, self._settings.keep)
        last = drill.steps[-1]
        log.info(
            "event=drill_step number=%d step=%s verdict=%s", drill.number, last.name, last.verdict
        )
        self._show(drill)

    async def _end(self, drill: Drill) -> None:
        await _kept(self._rows, drill, self._settings.keep)
        log.info("event=drill_ended number=%d result=%s", drill.number, drill.result)
        self._show(drill)
        self._now = None

    def _show(self, drill: Drill) -> None:
        self._now = drill
        for sink in self._sinks:
            sink(drill)
        self._more.set()
        self._more = asyncio.Event()


async def _kept(rows: DrillRows, drill: Drill, keep: int) -> None:
    """A report that cannot be kept is no reason to stop."""
    try:
        await rows.put(drill, keep)
    except AgentError as error:
        log.warning("event=drill_not_kept reason=%r", str(error))


def _ended_at(drill: Drill) -> datetime:
    return at_ms(drill.started_ms if drill.ended_ms is None else drill.ended_ms)


def hard_restart(floor: Floor) -> None:
    """Replace this process by a new one at once: nothing of the store is flushed or closed and
    nobody is told, as when the plug is pulled; only the process's number stays. Returns only if it
    cannot."""
    from agent.main.restart import anew

    anew(floor.clock)


__all__ = ["FOLDER", "LOOK_S", "Drills", "hard_restart"]


def _child() -> Offload:
    from agent.offload import ChildOffload

    return ChildOffload()
