"""Keeps one stream hook running and hears its lines: one JSON reading each.

Decides when it is started again and how much of it is listened to: after an end it rests, twice as
long each time, until it has stayed up for a while; a line too long ends it; more lines than anybody
needs wait in its pipe. Whoever gets a line decides who believes it. Run by `agent.hooks.part`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config.hooks import Hooks
from agent.core.money.cards import masked
from agent.hooks import child
from agent.hooks.child import Child, Launch
from agent.hooks.findings import Finding, HookError, trouble
from agent.hooks.pull import BEGINNING_SHOWN, shown
from agent.record import dataclass
from agent.wire.hook_table import ContractError, reading_from
from agent.wire.hooks import AnyReading

log = logging.getLogger(__name__)

REST_BASE_S = 1.0
REST_CAP_S = 300.0
#: Having run this long, an end is news and not one more failure.
STEADY_S = 60.0
#: Its stdout tells the end at once; only a hook whose children hold that is noticed by looking.
LOOK_EVERY_S = 5.0
LINES_AT_ONCE = 50
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ears:
    """Who hears a stream."""

    said: Callable[[AnyReading], None]
    broke: Callable[[Finding], None]


class Stream:
    """One stream hook."""

    def __init__(
        self, name: str, config: Hooks, clock: Clock, blocking: Blocking, ears: Ears
    ) -> None:
        self.hook = f"stream.{name}"
        self._config = config
        self._clock = clock
        self._blocking = blocking
        self._ears = ears
        self._failures = 0
        self._bad_lines = 0
        self._window: tuple[int, int] = (0, 0)  # since when, how many lines

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            started_ms = self._clock.now().boot_ms
            try:
                how = await self._once()
                finding = None
            except HookError as error:
                how, finding = error.finding.what(), error.finding
            if self._clock.now().boot_ms - started_ms >= STEADY_S * 1000:
                self._failures = 0
            self._failures += 1
            rest_s = min(REST_CAP_S, REST_BASE_S * 2.0 ** min(self._failures - 1, 20))
            log.log(
                logging.WARNING if self._failures == 1 else logging.DEBUG,
                "event=stream_ended hook=%s failures=%d rest_s=%.0f reason=%r",
                self.hook, self._failures, rest_s, how,
            )  # fmt: skip
            ended = Finding("stream_ended", {"hook": self.hook, "how": how, "rest_s": rest_s})
            self._ears.broke(finding or ended)
            await asyncio.sleep(rest_s)

    async def _once(self) -> str:
        """Run it until it ends; how it ended. Raises HookError."""
        launch = Launch(directory=Path(self._config.directory), name=self.hook)
        running = await child.start(launch, self._blocking)
        log.info("event=stream_started hook=%s pid=%d", self.hook, running.pid)
        try:
            running.feed(b"")
            await self._listen(running)
            async with asyncio.timeout(self._config.deadline_s):
                code = await running.ended()
            await running.end(self._blocking)
        except TimeoutError:
            await running.end(self._blocking)
            return "it closed its stdout and went on"
        except HookError:
            await running.end(self._blocking)
            raise
        except BaseException:
            running.drop()
            raise
        if running.complaint:
            log.info("event=hook_said hook=%s stderr=%r", self.hook, shown(running.complaint))
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    async def _listen(self, running: Child) -> None:
        rest = bytearray()
        while some := await running.read(LOOK_EVERY_S):
            rest += some
            *lines, last = rest.split(b"\n")
            limit = self._config.output_max_bytes
            if len(last) > limit or any(len(line) > limit for line in lines):
                raise trouble("line_too_long", hook=self.hook, limit=limit)
            rest = bytearray(last)
            said = [line for line in lines if line.strip()]
            if empty := len(lines) - len(said):
                await self._not_too_fast(empty)
            for line in said:
                await self._not_too_fast()
                self._hear(bytes(line))

    async def _not_too_fast(self, more: int = 1) -> None:
        now_ms = self._clock.now().boot_ms
        since_ms, lines = self._window
        if now_ms - since_ms >= PAUSE_S * 1000:
            self._window = (now_ms, more)
        elif lines < LINES_AT_ONCE:
            self._window = (since_ms, lines + more)
        else:
            await asyncio.sleep(PAUSE_S)
            self._window = (self._clock.now().boot_ms, 1)

    def _hear(self, line: bytes) -> None:
        try:
            reading = reading_from(line)
        except ContractError as error:
            self._bad_lines += 1
            begins = masked(line[:BEGINNING_SHOWN].decode("utf-8", "replace"))
            finding = Finding(
                "contract" if error.is_json else "not_json",
                {
                    "hook": self.hook,
                    "why": masked(str(error)),
                    "begins": begins,
                    "schema": "reading",
                },
            )
            log.log(
                logging.WARNING if self._bad_lines == 1 else logging.DEBUG,
                "event=line_not_understood hook=%s lines=%d reason=%r",
                self.hook, self._bad_lines, finding.what(),
            )  # fmt: skip
            self._ears.broke(finding)
            return
        if self._bad_lines:
            log.info("event=line_understood hook=%s bad_lines=%d", self.hook, self._bad_lines)
        self._bad_lines = 0
        self._ears.said(reading)
