"""What keeps the parts running: restarts alone, stops in order, calls that hang, the watchdog."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from agent import supervise
from agent.clock import Clock, SystemClock
from agent.core.moment import Moment
from agent.supervise import (
    EXIT_FATAL_PART,
    EXIT_OK,
    EXIT_STORE,
    DaemonThreads,
    Part,
    ServiceNotify,
    Supervisor,
    Timers,
)
from tests.fakes import FakeClock

PATIENCE_S = 10.0


class Scripted:
    """A part that does what the test says: `work` is called with the number of this run."""

    def __init__(
        self,
        name: str,
        work: Callable[[int, asyncio.Event], Awaitable[None]] | None = None,
        *,
        fatal: bool = False,
        stuck: str = "",
    ) -> None:
        self.name = name
        self.fatal = fatal
        self.runs = 0
        self.stuck = stuck
        self.started = asyncio.Event()
        self._work = work

    async def run(self, stop: asyncio.Event) -> None:
        self.runs += 1
        self.started.set()
        if self._work is None:
            await stop.wait()
        else:
            await self._work(self.runs, stop)

    def beat(self, now_ms: int) -> str:
        del now_ms
        return self.stuck


def supervisor(*parts: Part, clock: Clock | None = None, address: str = "") -> Supervisor:
    clock = clock or SystemClock()
    return Supervisor(parts, clock, Timers(clock), ServiceNotify(address))


async def ready() -> None:
    """Nothing to wait for."""


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


# -- parts ---------------------------------------------------------------------------------------


def test_a_part_that_may_fail_is_restarted_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """It crashes twice and ends by itself once; the others keep their first run."""
    monkeypatch.setattr(supervise, "RESTART_BASE_S", 0.001)

    async def story() -> None:
        async def frail(run: int, stop: asyncio.Event) -> None:
            if run <= 2:
                raise RuntimeError("broken on purpose")
            if run == 3:
                return
            await stop.wait()

        weak, strong = Scripted("weak", frail), Scripted("strong", fatal=True)
        house = supervisor(strong, weak)
        running = asyncio.create_task(house.run(ready))
        await eventually(lambda: weak.runs == 4)
        assert strong.runs == 1
        assert house.restarts() == {"weak": 3}
        house.end()
        assert await running == EXIT_OK

    asyncio.run(story())


def test_the_pauses_between_restarts_grow_and_are_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """1, 2, 4 … times the base, never above the cap."""
    monkeypatch.setattr(supervise, "RESTART_BASE_S", 0.001)
    monkeypatch.setattr(supervise, "RESTART_CAP_S", 0.004)

    async def story() -> None:
        async def broken(run: int, stop: asyncio.Event) -> None:
            raise RuntimeError("broken on purpose")

        weak = Scripted("weak", broken)
        house = supervisor(weak, clock=FakeClock())
        running = asyncio.create_task(house.run(ready))
        await eventually(lambda: weak.runs >= 6)
        house.end()
        await running

    asyncio.run(story())
    pauses = [
        float(record.getMessage().split("in_s=")[1].split()[0])
        for record in caplog.records
        if "event=part_restart" in record.getMessage()
    ]
    assert pauses[:5] == [0.001, 0.002, 0.004, 0.004, 0.004]


def test_a_part_told_to_stop_during_its_pause_is_not_started_again() -> None:
    """The pause ends with the stop, not after it."""

    async def story() -> None:
        async def broken(run: int, stop: asyncio.Event) -> None:
            raise RuntimeError("broken on purpose")

        weak = Scripted("weak", broken)
        house = supervisor(weak)
        running = asyncio.create_task(house.run(ready))
        await eventually(house.restarts)
        house.end()
        async with asyncio.timeout(1.0):
            assert await running == EXIT_OK
        assert weak.runs == 1

    asyncio.run(story())


@pytest.mark.parametrize("how", ["crash", "end"])
def test_a_fatal_part_ends_the_daemon(how: str) -> None:
    """A crash and a silent end are the same: exit 70, and the others are stopped in order."""

    async def story() -> None:
        async def leaves(run: int, stop: asyncio.Event) -> None:
            await asyncio.sleep(0)
            if how == "crash":
                raise RuntimeError("broken on purpose")

        other = Scripted("other")
        house = supervisor(other, Scripted("uploader", leaves, fatal=True))
        async with asyncio.timeout(PATIENCE_S):
            assert await house.run(ready) == EXIT_FATAL_PART
        assert other.started.is_set()

    asyncio.run(story())


def test_a_fatal_part_that_fails_before_ready_does_not_leave_a_daemon_waiting(
    tmp_path: Path,
) -> None:
    """The socket is taken: exit instead of hanging, and READY was never said."""
    with listening(tmp_path) as (address, heard):

        async def story() -> None:
            async def fails(run: int, stop: asyncio.Event) -> None:
                raise RuntimeError("the socket is taken")

            async def never() -> None:
                await asyncio.Event().wait()

            house = supervisor(Scripted("local", fails, fatal=True), address=address)
            async with asyncio.timeout(PATIENCE_S):
                assert await house.run(never) == EXIT_FATAL_PART

        asyncio.run(story())
        assert not [text for text in heard() if "READY" in text]


def test_an_error_while_getting_ready_stops_the_parts_and_is_raised() -> None:
    """Nothing is left running behind an exception."""

    async def story() -> None:
        stopped = asyncio.Event()

        async def tidy(run: int, stop: asyncio.Event) -> None:
            await stop.wait()
            stopped.set()

        async def fails() -> None:
            await asyncio.sleep(0)
            raise ValueError("not ready")

        with pytest.raises(ValueError, match="not ready"):
            await supervisor(Scripted("part", tidy)).run(fails)
        assert stopped.is_set()

    asyncio.run(story())


def test_parts_stop_in_reverse_order_one_after_the_other() -> None:
    """The API closes first, the store last."""

    async def story() -> None:
        order: list[str] = []

        def part(name: str) -> Scripted:
            async def work(run: int, stop: asyncio.Event) -> None:
                await stop.wait()
                await asyncio.sleep(0.01)
                order.append(name)

            return Scripted(name, work)

        house = supervisor(part("store"), part("uploader"), part("local"))
        running = asyncio.create_task(house.run(ready))
        await settle()
        house.end()
        await running
        assert order == ["local", "uploader", "store"]

    asyncio.run(story())


def test_parts_that_do_not_stop_are_cancelled_within_the_five_seconds() -> None:
    """Three parts that ignore everything do not add up to more than the promise."""

    async def story() -> None:
        async def deaf(run: int, stop: asyncio.Event) -> None:
            while True:
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(3600)
                if stop.is_set():
                    await asyncio.sleep(0.3)  # even its cancellation takes a while
                    return

        house = supervisor(*(Scripted(f"deaf-{n}", deaf) for n in range(3)))
        running = asyncio.create_task(house.run(ready))
        await settle()
        began = time.monotonic()
        house.end()
        await running
        assert time.monotonic() - began < 5.0

    asyncio.run(story())


def test_the_first_non_zero_code_wins() -> None:
    """A failed store is still told when a signal came after it."""

    async def story() -> None:
        house = supervisor(Scripted("part"))
        running = asyncio.create_task(house.run(ready))
        await settle()
        house.end(EXIT_STORE, "the store failed")
        house.end(EXIT_FATAL_PART, "and so did others")
        house.end()
        assert await running == EXIT_STORE

    asyncio.run(story())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_with_0(number: signal.Signals) -> None:
    """SIGTERM and Ctrl-C are requests, not failures."""

    async def story() -> None:
        part = Scripted("part")
        running = asyncio.create_task(supervisor(part).run(ready))
        await part.started.wait()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(PATIENCE_S):
            assert await running == EXIT_OK

    asyncio.run(story())


def test_restarts_are_forgotten_after_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm about restarts ends when they do."""
    monkeypatch.setattr(supervise, "RESTART_BASE_S", 0.001)

    async def story() -> None:
        async def once(run: int, stop: asyncio.Event) -> None:
            if run == 1:
                raise RuntimeError("broken on purpose")
            await stop.wait()

        clock, weak = FakeClock(), Scripted("weak", once)
        house = supervisor(weak, clock=clock)
        running = asyncio.create_task(house.run(ready))
        await eventually(lambda: weak.runs == 2)
        assert house.restarts() == {"weak": 1}
        clock.advance(3_601)
        assert house.restarts() == {}
        house.end()
        await running

    asyncio.run(story())


# -- the word to systemd -------------------------------------------------------------------------


@contextlib.contextmanager
def listening(
    directory: Path, *, abstract: bool = False
) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """A datagram socket like systemd's: its address, and what was said so far."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = f"posagent-test-{os.getpid()}-{id(sock)}"
        sock.bind(f"\0{name}" if abstract else str(directory / "notify"))
        sock.setblocking(False)
        texts: list[str] = []

        def heard() -> list[str]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    texts.append(sock.recv(4096).decode())
            return texts

        yield (f"@{name}" if abstract else str(directory / "notify")), heard


@pytest.mark.parametrize("abstract", [False, True], ids=["path", "abstract"])
def test_ready_is_said_after_getting_ready_and_stopping_before_it(
    tmp_path: Path, abstract: bool
) -> None:
    """READY=1 only once the daemon is, STOPPING=1 as soon as it is not."""
    with listening(tmp_path, abstract=abstract) as (address, heard):

        async def story() -> None:
            opened = asyncio.Event()

            async def when_open() -> None:
                await opened.wait()

            house = supervisor(Scripted("part"), address=address)
            running = asyncio.create_task(house.run(when_open))
            await settle()
            assert heard() == []
            opened.set()
            await eventually(lambda: any("READY=1" in text for text in heard()))
            house.end()
            await running

        asyncio.run(story())
        assert heard()[-1] == "STOPPING=1"


def test_nobody_listening_is_no_trouble(tmp_path: Path) -> None:
    """Without systemd, or with its socket gone, the daemon runs all the same."""
    ServiceNotify("").send("READY=1")
    ServiceNotify(str(tmp_path / "gone")).send("READY=1")


def test_the_watchdog_period_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """WATCHDOG_USEC in seconds; nonsense means no watchdog."""
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    assert ServiceNotify("").watchdog_s == 30.0
    monkeypatch.setenv("WATCHDOG_USEC", "soon")
    assert ServiceNotify("").watchdog_s == 0.0


def test_the_watchdog_is_fed_only_while_everything_fatal_moves(tmp_path: Path) -> None:
    """A stuck part that may not fail withholds it; one that may does not."""
    with listening(tmp_path) as (address, heard):
        store = Scripted("store", fatal=True)
        gossip = Scripted("telemetry", stuck="one step has taken 90 s")
        house = supervisor(store, gossip, address=address)
        asyncio.run(house._tick())
        assert heard() == ["WATCHDOG=1"]
        store.stuck = "the store has not answered for 130 s"
        asyncio.run(house._tick())
        assert heard() == ["WATCHDOG=1"]


# -- blocking calls ------------------------------------------------------------------------------


def test_a_blocking_call_returns_or_raises_what_the_function_did() -> None:
    """Result and exception come back as they are."""

    async def story() -> None:
        threads = DaemonThreads()
        assert await threads.call("fine", lambda: 42, 5.0) == 42
        with pytest.raises(FileNotFoundError):
            await threads.call("bad", lambda: Path("/no/such/file").read_bytes(), 5.0)
        assert threads.hanging == frozenset()

    asyncio.run(story())


def test_a_call_that_hangs_is_left_behind_and_its_like_refused_at_once() -> None:
    """TimeoutError at the deadline; the same name fails at once until the thread is back."""

    async def story() -> None:
        threads, release = DaemonThreads(), threading.Event()
        with pytest.raises(TimeoutError):
            await threads.call("open", lambda: release.wait(PATIENCE_S), 0.02)
        assert threads.hanging == {"open"}
        with pytest.raises(TimeoutError, match="has not come back"):
            await threads.call("open", lambda: None, PATIENCE_S)
        assert await threads.call("another", lambda: 1, PATIENCE_S) == 1
        release.set()
        await eventually(lambda: not threads.hanging)
        assert await threads.call("open", lambda: 2, PATIENCE_S) == 2

    asyncio.run(story())


def test_a_hanging_call_does_not_keep_the_process() -> None:
    """Its thread is a daemon: the interpreter may leave without it."""

    async def story() -> None:
        release = threading.Event()
        with pytest.raises(TimeoutError):
            await DaemonThreads().call("hang", lambda: release.wait(PATIENCE_S), 0.02)
        assert all(thread.daemon for thread in threading.enumerate() if "call-" in thread.name)
        release.set()

    asyncio.run(story())


def test_a_call_that_comes_back_after_the_loop_is_closed_troubles_nobody() -> None:
    """The late thread finds the loop gone and ends quietly."""
    release = threading.Event()

    async def story() -> None:
        with pytest.raises(TimeoutError):
            await DaemonThreads().call("late", lambda: release.wait(PATIENCE_S), 0.02)

    asyncio.run(story())
    late = [thread for thread in threading.enumerate() if thread.name == "call-late"]
    release.set()
    for thread in late:
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


# -- the scheduler -------------------------------------------------------------------------------


class GridClock:
    """Real time, told as if the grid of five seconds were five milliseconds."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def now(self) -> Moment:
        boot_ms = round((time.monotonic() - self._began) * 1_000_000)
        return Moment(wall_ms=1_795_000_000_000, boot_ms=boot_ms, boot_id="b", trusted=True)


async def scheduled(timers: Timers, until: Callable[[], bool]) -> None:
    """Run the scheduler until the condition holds."""
    stop = asyncio.Event()
    running = asyncio.create_task(timers.run(stop))
    nudge = 0
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not until():
                nudge += 1
                # A new job wakes the scheduler, as one registered later does in the daemon.
                timers.every(100_000, f"nudge-{nudge}", settle)
                await asyncio.sleep(0.01)
    finally:
        stop.set()
        await running


def test_a_job_runs_again_and_again_and_a_failing_one_too() -> None:
    """One job's exception is logged and costs neither it nor the others their next run."""
    ran = {"good": 0, "bad": 0}

    async def good() -> None:
        ran["good"] += 1

    async def bad() -> None:
        ran["bad"] += 1
        raise RuntimeError("broken on purpose")

    async def story() -> None:
        timers = Timers(GridClock())
        timers.every(5, "good", good)
        timers.every(5, "bad", bad)
        await scheduled(timers, lambda: ran["good"] >= 3 and ran["bad"] >= 3)

    asyncio.run(story())


def test_a_job_still_running_is_not_started_twice() -> None:
    """Overlapping runs are skipped; at the stop it is cancelled."""
    running, most = 0, 0

    async def slow() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            await asyncio.sleep(3600)
        finally:
            running -= 1

    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        ticks += 1

    async def story() -> None:
        timers = Timers(GridClock())
        timers.every(5, "slow", slow)
        timers.every(5, "tick", tick)
        await scheduled(timers, lambda: ticks >= 4)
        await settle()

    asyncio.run(story())
    assert most == 1
    assert running == 0


def test_two_jobs_of_one_name_are_a_mistake() -> None:
    """The second would silently replace the first."""
    timers = Timers(FakeClock())
    timers.every(5, "job", settle)
    with pytest.raises(ValueError, match="job"):
        timers.every(10, "job", settle)


def test_a_scheduler_that_does_not_run_is_told_to_the_watchdog() -> None:
    """Its beat is empty while it runs and a sentence after half a minute without."""
    clock = FakeClock()

    async def story() -> Timers:
        timers = Timers(clock)
        stop = asyncio.Event()
        running = asyncio.create_task(timers.run(stop))
        await settle()
        assert timers.beat(clock.now().boot_ms) == ""
        stop.set()
        await running
        return timers

    timers = asyncio.run(story())
    clock.advance(31)
    assert "scheduler" in timers.beat(clock.now().boot_ms)
