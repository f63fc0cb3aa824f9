"""Has the payment app started again through the hook `app.restart`, seldom and never blindly.

Keeps the marks of the last 24 h (its ends, and what was asked), so that a crash loop is seen and
the day's cap holds over restarts of the agent. What may be asked when is decided by
`core.terminal.payment_app`; who does it is posagent-actions. A mark is kept before anything is
asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

from agent.clock import Clock
from agent.config.terminal import PaymentApp
from agent.core.terminal.payment_app import (
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

log = logging.getLogger(__name__)

RESTART_DEADLINE_S = 60.0
#: Between looks whether it runs after a restart; then the watcher's own round has to do.
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
        self._marks: list[Mark] = []
        self._loaded = marks is None
        self._asking: asyncio.Task[None] | None = None
        self._unanswered = False
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
            self._marks = [*await self._kept.load(), *self._marks]
        except AgentError as error:
            log.debug("event=app_marks_not_loaded reason=%r", str(error))
            return
        self._loaded = True

    async def ended(self, version: str) -> None:
        """Its process is gone."""
        await self._note(Mark(at_ms=self._now_ms(), what=What.ENDED, version=version))

    def crashes(self) -> Crashes:
        """Of the last 24 h."""
        return crashes(self._marks, self._now_ms())

    @property
    def asked(self) -> int:
        """Restarts asked for in the last 24 h."""
        marks = within_a_day(self._marks, self._now_ms())
        return sum(one.what is not What.ENDED for one in marks)

    def next_try_s(self, since_ms: int) -> int:
        """Until the next restart is due."""
        now_ms = self._now_ms()
        marks = within_a_day(self._marks, now_ms)
        asked = [one.at_ms for one in marks if one.what is not What.ENDED]
        return max(0, round((next_try_ms(since_ms, self._plan, asked) - now_ms) / 1000))

    async def consider(self, now: Now, version: str) -> Held:
        """Ask for a restart if it is time; why not, otherwise."""
        now_ms = self._now_ms()
        held = may_restart(now, self._plan, self._marks, now_ms)
        if held is not Held.RESTART or self._restart is None:
            return held
        if self._unanswered:
            return Held.WAITING
        self.close()
        what = What.KILLED if now.seen is Seen.HUNG else What.ASKED
        await self._note(Mark(at_ms=now_ms, what=what, version=version))
        self._unanswered = True
        self._asking = asyncio.create_task(self._ask(self._restart), name="payment_app.restart")
        return held

    def close(self) -> None:
        """Wait for no answer any more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, restart: Restart) -> None:
        name = name_of(self._config)
        log.warning("event=app_restart_asked app=%s", name)
        try:
            done, said = await restart(name, RESTART_DEADLINE_S)
        finally:
            self._unanswered = False
        self.last_answer = said
        log.log(
            logging.INFO if done else logging.WARNING,
            "event=app_restart_answered app=%s done=%s said=%r", name, done, said,
        )  # fmt: skip
        if not done:
            return
        for wait_s in LOOKS_S:
            if self.look():
                break
            await asyncio.sleep(wait_s)

    async def _note(self, mark: Mark) -> None:
        self._marks = [*within_a_day(self._marks, mark.at_ms), mark]
        if self._kept is None:
            return
        try:
            await self._kept.add(mark, self._marks[0].at_ms)
        except AgentError as error:
            log.debug("event=app_mark_not_kept reason=%r", str(error))

    def _now_ms(self) -> int:
        return self._clock.now().wall_ms


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
