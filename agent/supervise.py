"""Keeps the parts running: starts them, restarts the ones that may fail, stops them in order.

It owns what must exist once: the daemon threads for calls that may hang, the scheduler on its
5-second grid, and the word to systemd. It does not know what any part does. A fatal part that ends
before it was told to ends the daemon with a non-zero code, so that whoever supervises the process
starts it afresh; any other part is restarted alone, with growing pauses.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from agent.clock import Clock
from agent.core.schedule import GRID_MS, Schedule
from agent.deadman import Deadman

log = logging.getLogger(__name__)
T = TypeVar("T")

#: What the parts have of the five seconds from SIGTERM to exit; closing the store has the rest.
STOP_S = 3.0
RESTART_BASE_S = 1.0
RESTART_CAP_S = 60.0
RECENT_MS = 3_600_000

EXIT_OK = 0
EXIT_FATAL_PART = 70  # EX_SOFTWARE
EXIT_STORE = 74  # EX_IOERR
EXIT_AGAIN = 75  # EX_TEMPFAIL: the process replaces itself, or whoever watches it starts it anew


class Part(Protocol):
    """One long-running piece of the daemon."""

    name: str
    fatal: bool

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set, then return within two seconds."""
        ...

    def beat(self, now_ms: int) -> str:
        """Nothing while alive, else a sentence saying what is stuck."""
        ...


class DaemonThreads:
    """Blocking calls with a deadline. A call that hangs is left behind; it cannot delay exit.

    There is no pool: the calls are rare (opening a port, resolving a name), and a pool's threads
    would each have to be replaced when one hangs.
    """

    def __init__(self) -> None:
        self._hanging: set[str] = set()

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        """The function's result. TimeoutError at the deadline, or at once while an earlier call
        of the same name still hangs."""
        if name in self._hanging:
            raise TimeoutError(f"an earlier call of {name} has not come back")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._hanging.add(name)

        def finish(result: T | None, error: BaseException | None) -> None:
            self._hanging.discard(name)
            if future.done():
                log.info("event=late_return call=%s", name)
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # type: ignore[arg-type]

        def work() -> None:
            result: T | None = None
            error: BaseException | None = None
            try:
                result = function()
            except BaseException as caught:  # noqa: BLE001 - handed to the caller as it is
                error = caught
            if not loop.is_closed():
                loop.call_soon_threadsafe(finish, result, error)

        try:
            threading.Thread(target=work, name=f"call-{name}", daemon=True).start()
        except RuntimeError:  # no more threads: it never began, so it does not hang
            self._hanging.discard(name)
            raise
        async with asyncio.timeout(deadline_s):
            return await future

    @property
    def hanging(self) -> frozenset[str]:
        return frozenset(self._hanging)


class Timers:
    """The one scheduler. Jobs run as tasks; one that is still running is not started again."""

    name = "timers"
    fatal = True

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._schedule = Schedule()
        self._jobs: dict[str, Callable[[], Awaitable[None]]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._added = asyncio.Event()
        self._beat_ms = 0

    def every(self, period_s: float, name: str, call: Callable[[], Awaitable[None]]) -> None:
        """Run `call` every `period_s` seconds, rounded up to the grid, from the next tick on."""
        if name in self._jobs:
            raise ValueError(f"two jobs are called {name}")
        self._jobs[name] = call
        self._schedule.every(period_s, name, self._clock.now().boot_ms)
        self._added.set()

    async def run(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                self._beat_ms = now_ms = self._clock.now().boot_ms
                for name in self._schedule.due(now_ms):
                    self._start(name)
                wait_ms = self._schedule.wait_ms(self._clock.now().boot_ms)
                self._added.clear()
                added = asyncio.create_task(self._added.wait())
                await asyncio.wait(
                    (stopped, added),
                    timeout=GRID_MS / 1000 if wait_ms is None else wait_ms / 1000,
                    return_when=asyncio.FIRST_COMPLETED,
                )
                added.cancel()
        finally:
            stopped.cancel()
            for task in self._running.values():
                task.cancel()

    def _start(self, name: str) -> None:
        running = self._running.get(name)
        if running is not None and not running.done():
            log.debug("event=job_still_running job=%s", name)
            return
        self._running[name] = asyncio.create_task(self._job(name), name=f"job-{name}")

    async def _job(self, name: str) -> None:
        try:
            await self._jobs[name]()
        except Exception:
            log.exception("event=job_failed job=%s", name)

    def beat(self, now_ms: int) -> str:
        late_ms = now_ms - self._beat_ms
        return f"the scheduler has not run for {late_ms} ms" if late_ms > 6 * GRID_MS else ""


class ServiceNotify:
    """The sd_notify protocol: one datagram per message, silence where nobody listens."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        usec = os.environ.get("WATCHDOG_USEC", "")
        self.watchdog_s = int(usec) / 1_000_000 if usec.isdigit() else 0.0

    def send(self, text: str) -> None:
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.settimeout(0.2)
                sock.sendto(text.encode(), self._address)
        except OSError as error:
            log.debug("event=notify_failed reason=%s", error.strerror)


class Supervisor:
    """Runs the parts until a signal, a fatal failure or `stop`."""

    def __init__(
        self,
        parts: Sequence[Part],
        clock: Clock,
        timers: Timers,
        notify: ServiceNotify,
        deadman: Deadman | None = None,
    ) -> None:
        self._parts = list(parts)
        self._clock = clock
        self._timers = timers
        self._notify = notify
        self._deadman = deadman
        self._stops = {part.name: asyncio.Event() for part in parts}
        self._stopping = asyncio.Event()
        self._exit_code = EXIT_OK
        self._restarts: deque[tuple[int, str]] = deque(maxlen=100)

    def restarts(self) -> dict[str, int]:
        """How often each part was restarted within the last hour."""
        since_ms = self._clock.now().boot_ms - RECENT_MS
        return dict(Counter(name for at_ms, name in self._restarts if at_ms >= since_ms))

    def end(self, code: int = EXIT_OK, reason: str = "") -> None:
        """Begin to stop. The first non-zero code wins."""
        if code and not self._exit_code:
            self._exit_code = code
        if not self._stopping.is_set():
            log.info("event=stopping reason=%r code=%s", reason or "asked to", code)
            self._stopping.set()

    async def run(self, ready: Callable[[], Awaitable[Any]]) -> int:
        """Start everything, say ready, wait, stop in reverse order. Returns the exit code."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.end, EXIT_OK, signal.Signals(number).name)
        tasks = {
            part.name: asyncio.create_task(self._keep(part), name=part.name) for part in self._parts
        }
        try:
            if await self._ready(ready):
                self._notify.send("READY=1\nSTATUS=running")
                self._watch()
                await self._stopping.wait()
                if self._deadman is not None:
                    self._deadman.beat()  # once more: a stop that hangs is ended, too
            self._notify.send(self._farewell())
        finally:
            await self._stop(tasks)
        return self._exit_code

    def _watch(self) -> None:
        """From now on somebody ends a daemon that hangs, if anybody was asked to."""
        limits = [self._notify.watchdog_s]
        if self._deadman is not None:
            self._deadman.arm()
            limits.append(self._deadman.limit_s)
        if period_s := min((limit_s / 3 for limit_s in limits if limit_s), default=0.0):
            self._timers.every(period_s, "watchdog", self._tick)

    def _farewell(self) -> str:
        """systemd ends for good what says it stops."""
        if self._exit_code != EXIT_AGAIN:
            return "STOPPING=1"
        return f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}"

    async def _ready(self, ready: Callable[[], Awaitable[Any]]) -> bool:
        """Whether it got ready before it had to stop: a part may fail, or a signal come, first."""
        waits = [asyncio.ensure_future(ready()), asyncio.create_task(self._stopping.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        got_ready = waits[0].done()
        for wait in waits:
            wait.cancel()
        if got_ready:
            waits[0].result()
        return got_ready

    async def _stop(self, tasks: dict[str, asyncio.Task[None]]) -> None:
        """The last part started is the first told to stop; all share one deadline."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + STOP_S
        for part in reversed(self._parts):
            self._stops[part.name].set()
            task = tasks[part.name]
            left_s = max(0.05, min(2.0, ends - loop.time()))
            _done, late = await asyncio.wait({task}, timeout=left_s)
            if late:
                log.warning("event=part_late part=%s", part.name)
                task.cancel()
                await asyncio.wait({task}, timeout=0.2)

    async def _keep(self, part: Part) -> None:
        """Run one part; restart it alone if it may fail."""
        stop = self._stops[part.name]
        failures = 0
        while not stop.is_set():
            started_ms = self._clock.now().boot_ms
            try:
                await part.run(stop)
                if stop.is_set():
                    return
                reason = "ended by itself"
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"
                log.exception("event=part_failed part=%s", part.name)
            if part.fatal:
                self.end(EXIT_FATAL_PART, f"{part.name} {reason}")
                return
            if self._clock.now().boot_ms - started_ms > 10 * RESTART_CAP_S * 1000:
                failures = 0
            failures += 1
            self._restarts.append((self._clock.now().boot_ms, part.name))
            pause_s = min(RESTART_CAP_S, RESTART_BASE_S * 2 ** min(failures - 1, 10))
            log.warning("event=part_restart part=%s in_s=%s reason=%r", part.name, pause_s, reason)
            try:
                async with asyncio.timeout(pause_s):
                    await stop.wait()
            except TimeoutError:
                continue

    async def _tick(self) -> None:
        """Feed the watchdog only if everything that must move has moved."""
        now_ms = self._clock.now().boot_ms
        stuck = [text for part in self._parts if part.fatal and (text := part.beat(now_ms))]
        if stuck:
            log.error("event=watchdog_withheld stuck=%r", "; ".join(stuck))
            return
        self._notify.send("WATCHDOG=1")
        if self._deadman is not None:
            self._deadman.beat()
