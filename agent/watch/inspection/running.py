"""One inspection under way: all checks at once, each with a deadline of its own, told as they end.

A check that fails or hangs becomes *unknown* with the reason, and no other waits for it. Called by
`agent.watch.inspection`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agent.clock import Clock
from agent.core.health.reading import Unknown
from agent.core.health.standard import STANDARD
from agent.core.inspection.report import Check, Looked, Report, Trigger, judged, related
from agent.errors import AgentError
from agent.record import dataclass

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One check: a name, what looks, and how long it may take."""

    name: str
    look: Callable[[], Awaitable[Looked]]
    deadline_s: float


class Running:
    """The checks of one inspection."""

    def __init__(
        self,
        checks: Sequence[Examined],
        clock: Clock,
        trigger: Trigger,
        actor: str,
        tell: Callable[[Report], None],
    ) -> None:
        self._checks = checks
        self._clock = clock
        self._tell = tell
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.numbered = asyncio.Event()
        self.report = Report(
            number=0,
            trigger=trigger,
            actor=actor,
            started_ms=clock.now().wall_ms,
            expected=tuple(check.name for check in checks),
        )

    def start(
        self,
        number: Callable[[], Awaitable[int]],
        ended: Callable[[Report], Awaitable[None]],
    ) -> None:
        """Begin; `ended` is handed the whole report."""
        self._task = asyncio.create_task(self._run(number, ended), name="inspection")

    async def progress(self, after: int, wait_s: float) -> Report:
        """What is known once more than `after` checks ended, or all, or the time is over."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + wait_s
        while len(self.report.checks) <= after and self.report.ended_ms is None:
            left_s = ends - loop.time()
            if left_s <= 0:
                break
            more = self._more
            try:
                async with asyncio.timeout(left_s):
                    await more.wait()
            except TimeoutError:
                break
        return self.report

    async def cancel(self) -> None:
        """End it without a report."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(
        self,
        number: Callable[[], Awaitable[int]],
        ended: Callable[[Report], Awaitable[None]],
    ) -> None:
        try:
            self.report = replace(self.report, number=await number())
        finally:
            self.numbered.set()
        tasks = [
            asyncio.create_task(self._examine(check), name=f"inspection.{check.name}")
            for check in self._checks
        ]
        try:
            for ending in asyncio.as_completed(tasks):
                check = await ending
                self._show(replace(self.report, checks=(*self.report.checks, check)))
                self._tell(self.report)
        finally:
            for task in tasks:
                task.cancel()
        checks = related(self.report.checks, STANDARD)
        whole = replace(self.report, checks=checks, ended_ms=self._clock.now().wall_ms)
        # Kept first: whoever hears that it is over may read it at once.
        await ended(whole)
        self._show(whole)

    def _show(self, report: Report) -> None:
        self.report = report
        self._more.set()
        self._more = asyncio.Event()

    async def _examine(self, check: Examined) -> Check:
        began_ms = self._clock.now().boot_ms
        looking = asyncio.ensure_future(check.look())
        try:
            done, _ = await asyncio.wait({looking}, timeout=check.deadline_s)
        finally:
            # Cancelled but not awaited: one that ignores it must not hold up the report.
            looking.cancel()
        looked = _seen(check, looking) if done else _silent(check)
        duration_ms = self._clock.now().boot_ms - began_ms
        return judged(check.name, looked, duration_ms, STANDARD)


def _seen(check: Examined, looking: asyncio.Future[Looked]) -> Looked:
    error = None if looking.cancelled() else looking.exception()
    match error:
        case None if not looking.cancelled():
            return looking.result()
        case TimeoutError() | None:
            return Looked(Unknown(str(error or "") or _silence(check)))
        case AgentError():
            return Looked(Unknown(error.what, error.code))
    log.warning("event=check_failed check=%s", check.name, exc_info=error)
    return Looked(Unknown(f"the check failed: {type(error).__name__}: {error}"))


def _silent(check: Examined) -> Looked:
    return Looked(Unknown(_silence(check)))


def _silence(check: Examined) -> str:
    return f"no answer within {check.deadline_s:g} s"
