"""The steps of one outage drill, in the two processes that do them, each told as it ends.

Starts them, kills the first, reads what they say and makes steps of it; removes what is left. When
a drill begins, what follows a step and what is kept of it is decided by `agent.main.drill`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from agent.clock import Clock
from agent.core.drill.report import Done, Drill, Step, Verdict
from agent.core.health.reading import Value
from agent.main.drill_alarm import DrillAlarm
from agent.offload import Offload, OffloadError
from agent.record import dataclass

log = logging.getLogger(__name__)

ACCEPT_S = 120.0
DELIVER_S = 180.0
REMOVE_S = 30.0


class Blocking(Protocol):
    """Calls that may hang, off the loop."""

    async def call(self, name: str, function: Callable[[], None], deadline_s: float) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What one drill needs. `report` is awaited with the drill after each step."""

    folder: Path
    clock: Clock
    offload: Offload
    blocking: Blocking
    report: Callable[[Drill], Awaitable[None]]
    alarm: DrillAlarm

    async def first_half(self, drill: Drill) -> Drill:
        """Records are taken over until the last of them is confirmed; then it is killed."""
        began_ms, accepted, slowest_ms, reason = self.clock.now().wall_ms, 0, 0.0, ""
        answers = self.offload.run("drill", self._told("accept", drill), ACCEPT_S)
        try:
            async with contextlib.aclosing(answers) as said:  # type: ignore[type-var]
                async for line in said:
                    told = json.loads(line)
                    accepted = told["accepted"]
                    slowest_ms = max(slowest_ms, told["took_ms"])
                    if accepted >= drill.records:
                        break  # closing the pipe early kills it in the middle of the next
        except OffloadError as error:
            reason = error.what
        now_ms = self.clock.now().wall_ms
        good = accepted >= drill.records
        facts: dict[str, Value] = {
            "records": drill.records, "accepted": accepted, "slowest_ms": slowest_ms,
        }  # fmt: skip
        if not good:
            facts["reason"] = reason or "it ended by itself"
        verdict = Verdict.PASS if good else Verdict.FAIL
        done = _done(Step.ACCEPT, verdict, began_ms, now_ms - began_ms, facts)
        if not good:
            drill = drill.after(done)
        else:
            killed = _done(Step.KILL, Verdict.PASS, now_ms, 0, {"how": "child"})
            drill = drill.after(done).after(killed)
        await self.report(drill)
        return drill

    async def second_half(self, drill: Drill) -> Drill:
        """What was left is opened, delivered and removed."""
        reason, go_on = "", asyncio.Event()
        answers = self.offload.run("drill", self._told("deliver", drill, go_on), DELIVER_S)
        try:
            async with contextlib.aclosing(answers) as said:  # type: ignore[type-var]
                async for line in said:
                    told: dict[str, Any] = json.loads(line)
                    name = Step(told["step"])
                    if name is Step.REMOVE:
                        told["facts"]["good"] &= await self.clear()
                    await self._listed(name, told["facts"], drill)
                    if name is Step.ALARM:
                        go_on.set()
                    facts = {key: one for key, one in told["facts"].items() if key != "good"}
                    verdict = Verdict.PASS if told["facts"]["good"] else Verdict.FAIL
                    took_ms = told["duration_ms"]
                    done = _done(name, verdict, told["began_ms"], took_ms, facts)
                    drill = drill.after(done)
                    await self.report(drill)
        except OffloadError as error:
            reason = error.what
        finally:
            self.alarm.over()
        if not reason and all(one.verdict is not Verdict.FAIL for one in drill.steps):
            reason = "" if drill.done(Step.REMOVE) is not None else "it ended by itself"
        await self.clear()
        return self.over(drill, reason)

    async def _listed(self, name: Step, facts: dict[str, Any], drill: Drill) -> None:
        """The alarm of the drill's journal also goes through this terminal's own list."""
        if name is Step.ALARM and facts["good"]:
            facts |= await self.alarm.raised(drill.number, drill.records)
        elif name is Step.CLEAR:
            cleared = await self.alarm.cleared()
            facts |= cleared | {"good": facts["good"] and cleared["good"]}

    def skipped(self, name: Step, why: str) -> Done:
        """A step that is not done, and why."""
        return _done(name, Verdict.SKIPPED, self.clock.now().wall_ms, 0, {"why": why})

    def over(self, drill: Drill, reason: str = "") -> Drill:
        """The whole of it; of the steps nobody came to the first failed if something broke."""
        for name in drill.expected:
            if drill.done(name) is not None:
                continue
            done = self.skipped(name, "earlier")
            if reason:
                done = replace(done, verdict=Verdict.FAIL, facts={"reason": reason})
                reason = ""
            drill = drill.after(done)
        return drill.over(self.clock.now().wall_ms)

    def restarted(self, drill: Drill, damage: str) -> Done:
        """The agent is here again after it was ended hard; `damage`: of its own journal."""
        away_ms = max(0, self.clock.now().wall_ms - drill.restarting_ms)
        verdict = Verdict.FAIL if damage else Verdict.PASS
        told: dict[str, Value] = {"away_ms": away_ms, "damage": damage}
        return _done(Step.RESTART, verdict, drill.restarting_ms, away_ms, told)

    async def _told(
        self, half: str, drill: Drill, go_on: asyncio.Event | None = None
    ) -> AsyncIterator[bytes]:
        head = {
            "half": half, "folder": str(self.folder), "number": drill.number,
            "records": drill.records,
        }  # fmt: skip
        yield json.dumps(head).encode()
        if go_on is not None:
            await go_on.wait()
            yield b"{}"

    async def clear(self) -> bool:
        """The folder and everything in it goes; only ever ours. Whether nothing is left."""
        folder = self.folder

        def remove() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        with contextlib.suppress(TimeoutError):
            await self.blocking.call("drill-remove", remove, REMOVE_S)
        return not folder.exists()


def _done(
    name: Step, verdict: Verdict, began_ms: int, duration_ms: int, facts: dict[str, Value]
) -> Done:
    return Done(
        name=name, verdict=verdict, began_ms=began_ms, duration_ms=max(0, duration_ms), facts=facts
    )
