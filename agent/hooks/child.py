"""One running hook: started, fed, listened to, and ended with everything it started.

Decides how a hook is run: a session and process group of its own, an environment with nothing in it
but what the contract names, no descriptor of ours, no core dump. No thread waits for it: its pipes
are watched by the loop and its end is noticed by them, so that neither the default executor nor
asyncio's child watcher is needed. It refuses to know what is said. Called by `pull` and `stream`.

A hook that leaves its process group keeps the mark in its environment and is found by that; one
that clears this too is the service manager's to end (KillMode=control-group).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import secrets
import signal
import subprocess
import threading
from pathlib import Path

from agent.blocking import Blocking
from agent.hooks.files import vetted, vetted_place
from agent.hooks.findings import HookError, trouble
from agent.record import dataclass

log = logging.getLogger(__name__)


#: Where programs are found, on Linux and on Android.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/system/bin:/system/xbin"
MARK = "HOOK_RUN"
#: Starting is a fork and an exec; longer means that the storage does not answer.
START_DEADLINE_S = 5.0
#: An end that its pipes did not tell is noticed this much later.
LOOK_EVERY_S = 0.25
#: A killed process is gone within this, unless it hangs in a driver.
KILL_S = 1.0
SWEEP_DEADLINE_S = 5.0
CHUNK_BYTES = 65_536
#: Of stderr: kept for the log.
COMPLAINT_MAX_BYTES = 2_048
#: Between two mouthfuls of stderr from a hook that writes without end: ten a second.
COMPLAINT_PAUSE_S = 0.1
#: Looked through for the end of its stdout: more than any pipe holds.
CLOSED_LOOKS = 32
NICENESS = 5
#: If memory runs out a hook goes before the agent and before the payment app.
OOM_SCORE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start."""

    directory: Path
    name: str  #: the hook's, and its file's


async def start(launch: Launch, blocking: Blocking) -> Child:
    """The hook, running. Raises HookError."""
    starting = _Starting(launch)
    try:
        return await blocking.call(f"hook.{launch.name}", starting.run, START_DEADLINE_S)
    except TimeoutError:
        starting.abandon()
        raise trouble("start_hangs", path=launch.directory / launch.name) from None
    except (OSError, RuntimeError) as error:  # no descriptor, no thread left
        starting.abandon()
        path = launch.directory / launch.name
        raise trouble("not_started", path=path, why=str(error)) from None
    except BaseException:
        starting.abandon()
        raise


class Child:
    """A hook that was started. Whoever holds it must `end` it."""

    def __init__(self, process: subprocess.Popen[bytes], mark: str) -> None:
        self._process = process
        self._mark = mark
        self._left = memoryview(b"")
        self._complaint = bytearray()
        self._pause: asyncio.TimerHandle | None = None  # of listening to stderr

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    @property
    def complaint(self) -> bytes:
        """The beginning of what it wrote to stderr."""
        return bytes(self._complaint)

    def feed(self, request: bytes) -> None:
        """Hand it the request as it takes it. One that does not read it is no failure."""
        loop = asyncio.get_running_loop()
        self._left = memoryview(request)
        loop.add_writer(self._fd("stdin"), self._feed)
        loop.add_reader(self._fd("stderr"), self._hear)

    async def read(self, look_every_s: float = LOOK_EVERY_S) -> bytes:
        """The next bytes of its stdout; empty: it has ended, or closed it."""
        fd = self._fd("stdout")
        while True:
            ended = self._process.poll() is not None
            try:
                some = os.read(fd, CHUNK_BYTES)
            except BlockingIOError:
                if ended:
                    return b""  # what it left running still holds the pipe
            else:
                await asyncio.sleep(0)  # one that always has more to say leaves others their turn
                return some
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(look_every_s):
                    await _readable(fd)

    async def ended(self) -> int:
        """Its exit code, once it has closed its stdout."""
        pause_s = 0.001
        while (code := self._process.poll()) is None:
            await asyncio.sleep(pause_s)
            pause_s = min(0.05, pause_s * 2)
        self._hear()  # its last words are in the pipe by now
        return code

    async def end(self, blocking: Blocking) -> bool:
        """Kill what is left of it and let go. Returns whether it had left anything running."""
        ran = self._process.poll() is None
        left = self._kill()
        try:
            if ran or left or not self._closed():
                await self._sweep(blocking)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KILL_S):
                    await self.ended()
        finally:
            self._let_go()
        return left and not ran

    def drop(self) -> None:
        """Kill it and let go at once; for those who cannot wait."""
        self._kill()
        self._let_go()

    def _kill(self) -> bool:
        """Ends the process group; whether there was one. It is not reused while it has members."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _closed(self) -> bool:
        """Whether nobody holds its stdout any more. Whoever fills it faster than we read does."""
        fd = self._fd("stdout")
        with contextlib.suppress(BlockingIOError):
            return any(not os.read(fd, CHUNK_BYTES) for _ in range(CLOSED_LOOKS))
        return False

    async def _sweep(self, blocking: Blocking) -> None:
        """End those who left the process group, too."""
        mark = f"{MARK}={self._mark}".encode()
        with contextlib.suppress(OSError, RuntimeError):  # TimeoutError among them
            await blocking.call(f"hook.sweep.{self._mark}", lambda: sweep(mark), SWEEP_DEADLINE_S)

    def _let_go(self) -> None:
        loop = asyncio.get_running_loop()
        if self._pause is not None:
            self._pause.cancel()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                loop.remove_reader(pipe.fileno())
                loop.remove_writer(pipe.fileno())
                pipe.close()
        if self._process.poll() is None:
            log.debug("event=hook_not_gone pid=%d", self._process.pid)
            _UNREAPED.append(self._process)

    def _feed(self) -> None:
        try:
            self._left = self._left[os.write(self._fd("stdin"), self._left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._left = self._left[:0]  # it does not want to know: its answer counts all the same
        if not self._left:
            assert self._process.stdin is not None
            asyncio.get_running_loop().remove_writer(self._fd("stdin"))
            self._process.stdin.close()

    def _hear(self) -> None:
        """Take in stderr, so that it never waits for us; keep the beginning."""
        try:
            some = os.read(self._fd("stderr"), CHUNK_BYTES)
        except BlockingIOError:
            return
        self._complaint += some[: COMPLAINT_MAX_BYTES - len(self._complaint)]
        loop = asyncio.get_running_loop()
        if not some:
            loop.remove_reader(self._fd("stderr"))
        elif len(some) > len(self._complaint):  # more than is kept
            loop.remove_reader(self._fd("stderr"))
            if self._pause is not None:
                self._pause.cancel()
            self._pause = loop.call_later(COMPLAINT_PAUSE_S, self._hear_again)

    def _hear_again(self) -> None:
        asyncio.get_running_loop().add_reader(self._fd("stderr"), self._hear)

    def _fd(self, name: str) -> int:
        number: int = getattr(self._process, name).fileno()
        return number


#: Killed, but not gone yet: asked again whenever the next one is started.
_UNREAPED: list[subprocess.Popen[bytes]] = []


class _Starting:
    """A start that may outlive its caller's patience: what nobody waits for is ended again."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._lock = threading.Lock()
        self._abandoned = False
        self._process: subprocess.Popen[bytes] | None = None

    def run(self) -> Child:
        _UNREAPED[:] = [process for process in _UNREAPED if process.poll() is None]
        mark = secrets.token_hex(8)
        process = _spawn(self._launch, mark)
        with self._lock:
            self._process = process
            abandoned = self._abandoned
        if abandoned:
            _discard(process)
        return Child(process, mark)

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            process = self._process
        if process is not None:
            _discard(process)


def _spawn(launch: Launch, mark: str) -> subprocess.Popen[bytes]:
    path = vetted(launch.directory, launch.name)
    home = vetted_place(launch.directory)  # where a link above it led when it was looked at
    try:
        process = subprocess.Popen(
            [str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=home,
            env={
                "PATH": PATH,
                "LANG": "C.UTF-8",
                "HOOK": launch.name,
                "HOOKS_DIR": str(home),
                MARK: mark,
            },
            start_new_session=True,
            umask=0o077,
        )
    except OSError as error:
        raise trouble("not_started", path=path, why=error.strerror or str(error)) from None
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
    with contextlib.suppress(OSError):  # it may be over already
        os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
    with contextlib.suppress(OSError):
        Path(f"/proc/{process.pid}/oom_score_adj").write_text(str(OOM_SCORE))
    with contextlib.suppress(OSError):
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, 0))
    return process


def _discard(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    _UNREAPED.append(process)


def sweep(mark: bytes) -> int:
    """Kill every process of ours that carries the mark in its environment; how many. Blocking."""
    found = 0
    for entry in os.scandir("/proc"):
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            environment = Path(entry.path, "environ").read_bytes()
        except OSError:
            continue  # gone, or not ours
        if mark in environment.split(b"\0"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)
                found += 1
    return found


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(fd, _wake, ready)
    try:
        await ready
    finally:
        loop.remove_reader(fd)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


__all__ = ["Blocking", "Child", "HookError", "Launch", "start", "sweep"]
