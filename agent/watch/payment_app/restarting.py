"""Has the payment app started again through the hook `app.restart`, seldom and never blindly.

Keeps the marks of the last 24 h (its ends, and what was asked), so that a crash loop is seen and
the day's cap holds over restarts of the agent. What may be asked when is decided by
`core.terminal.payment_app`; who does it is posagent-actions. A mark is kept before anything is
asked. Marks are kept by the wall clock and measured by the boot clock: setting the one neither
delays a restart nor forgets those of the day.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from agent.clock import Clock
from agent.config.terminal import PaymentApp
from agent.core.terminal.payment_app import (
    DAY_MS,
    MOST_MARKS,
    Crashes,
    Held,
    Mark,
    Now,
    Plan,
    Seen,
    What,
    crashes,
    may_restart,
    next_try_ms,
    within_a_day,
)
from agent.errors import AgentError
from agent.record import dataclass

log = logging.getLogger(__name__)

RESTART_DEADLINE_S = 60.0
#: Between looks whether it runs after a restart; then the watcher's own round has to do. Until then
#: no other is asked for: what was started just now is on its way up.
LOOKS_S = (0.5, 0.5, 1.0, 2.0, 4.0)


class Marks(Protocol):
    """Where the marks are kept; the store."""

    async def load(self) -> Sequence[Mark]: ...
    async def add(self, mark: Mark, oldest_ms: int) -> None:
        """Keep one, and forget those before `oldest_ms`."""
        ...


#: Asks for the restart; whether it was done, and a sentence of what came of it.
Restart = Callable[[str, float], Awaitable[tuple[bool, str]]]
#: The same by way of this socket.
RestartBy = Callable[[str, float, Path], Awaitable[tuple[bool, str]]]


@dataclass(frozen=True, slots=True)
class _Dated:
    """A mark, and when it was by the clock that is never set."""

    boot_ms: int
    mark: Mark


class Restarting:
    """The last 24 hours of the app, and the way to start it again."""

    def __init__(
        self, config: PaymentApp, clock: Clock, *, marks: Marks | None, restart: Restart | None
    ) -> None:
        """`restart` None: nothing is ever asked (`posagent probe`)."""
        self._config = config
        self._clock = clock
        self._kept = marks
        self._restart = restart
        self._marks: list[_Dated] = []
        self._loaded = marks is None
        self._asking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._plan = Plan(
            when=frozenset(Seen(word) for word in config.restart) if restart else frozenset(),
            wait_ms=round(config.restart_wait_s * 1000),
            wait_max_ms=round(config.restart_wait_max_s * 1000),
            daily=config.restart_daily,
            quiet_ms=round(config.quiet_s * 1000),
        )
        self.last_answer = ""
        #: Called after a restart was done: look whether it runs.
        self.look: Callable[[], bool] = lambda: True

    async def ready(self) -> None:
        """Take up the marks of before this start."""
        if self._loaded or self._kept is None:
            return
        try:
            told = await self._kept.load()
        except AgentError as error:
            log.debug("event=app_marks_not_loaded reason=%r", str(error))
            return
        now = self._clock.now()
        before = [_Dated(now.boot_ms - max(0, now.wall_ms - one.at_ms), one) for one in told]
        self._marks = [*before, *self._marks]
        self._loaded = True

    async def ended(self, version: str) -> None:
        """Its process is gone."""
        await self._note(What.ENDED, version)

    def crashes(self) -> Crashes:
        """Of the last 24 h."""
        return crashes(*self._today())

    @property
    def asked(self) -> int:
        """Restarts asked for in the last 24 h."""
        return sum(one.what is not What.ENDED for one in within_a_day(*self._today()))

    def next_try_s(self, since_ms: int) -> int:
        """Until the next restart is due; 0: it is, or the last is given time to show."""
        marks, now_ms = self._today()
        asked = [one.at_ms for one in within_a_day(marks, now_ms) if one.what is not What.ENDED]
        return max(0, round((next_try_ms(since_ms, self._plan, asked) - now_ms) / 1000))

    async def consider(self, now: Now, version: str) -> Held:
        """Ask for a restart if it is time; why not, otherwise."""
        if now.seen is Seen.RUNNING and self._looking is not None:
            self._looking.cancel()  # it came up: its next end is another
            self._looking = None
        held = may_restart(now, self._plan, *self._today())
        if held is not Held.RESTART or self._restart is None:
            return held
        if _under_way(self._asking) or _under_way(self._looking):
            return Held.WAITING
        await self._note(What.KILLED if now.seen is Seen.HUNG else What.ASKED, version)
        self._asking = asyncio.create_task(self._ask(self._restart), name="payment_app.restart")
        return held

    def close(self) -> None:
        """Wait for no answer any more."""
        for task in (self._asking, self._looking):
            if task is not None:
                task.cancel()

    async def _ask(self, restart: Restart) -> None:
        name = name_of(self._config)
        log.warning("event=app_restart_asked app=%s", name)
        done, said = await restart(name, RESTART_DEADLINE_S)
        self.last_answer = said
        log.log(
            logging.INFO if done else logging.WARNING,
            "event=app_restart_answered app=%s done=%s said=%r", name, done, said,
        )  # fmt: skip
        if done:
            self._looking = asyncio.create_task(self._look_for_it(), name="payment_app.look")

    async def _look_for_it(self) -> None:
        for wait_s in LOOKS_S:
            if self.look():
                break
            await asyncio.sleep(wait_s)

    async def _note(self, what: What, version: str) -> None:
        now = self._clock.now()
        mark = Mark(at_ms=now.wall_ms, what=what, version=version)
        fresh = [one for one in self._marks if now.boot_ms - one.boot_ms < DAY_MS]
        self._marks = [*fresh[1 - MOST_MARKS :], _Dated(now.boot_ms, mark)]
        if self._kept is None:
            return
        try:
            await self._kept.add(mark, min(one.mark.at_ms for one in self._marks))
        except AgentError as error:
            log.debug("event=app_mark_not_kept reason=%r", str(error))

    def _today(self) -> tuple[list[Mark], int]:
        """The marks as the wall clock of now dates them, and now."""
        now = self._clock.now()
        ahead_ms = now.wall_ms - now.boot_ms
        return [replace(one.mark, at_ms=one.boot_ms + ahead_ms) for one in self._marks], now.wall_ms


def _under_way(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


def name_of(config: PaymentApp) -> str:
    """What the app is called."""
    return (
        config.name
        or config.package
        or config.unit
        or config.process
        or config.pid_file.rpartition("/")[2].removesuffix(".pid")
    )


async def by_hook(app: str, deadline_s: float, socket: Path) -> tuple[bool, str]:
    """Through posagent-actions."""
    from agent.hooks.actions import act
    from agent.wire.hooks import ActionDone

    answer = await act("app.restart", deadline_s=deadline_s, socket=socket, app=app)
    if isinstance(answer, ActionDone):
        return True, answer.note or "done"
    return False, answer.reason
