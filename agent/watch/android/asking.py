"""Asks Android: starts getprop, dumpsys or cmd, keeps of their answer what is looked for.

Decides how a program is run (by its whole path, in a process group of its own, with a deadline and
a limit), what counts as a refusal (Android refuses with exit code 0) and how long an answer is used
again. A dump may be several megabytes: only lines that are looked for are kept, one at a time. What
they mean is left to the files beside this one. Blocking, from any thread: `Asking.told` is what the
loop calls.
"""

from __future__ import annotations

import asyncio
import os
import re
import select
import signal
import subprocess
import threading
import time
from pathlib import Path

from agent.blocking import Blocking
from agent.clock import Clock
from agent.record import dataclass

#: The longest dump of a well device is a few megabytes; one without end is cut here.
READ_BYTES = 16 * 1024 * 1024
KEPT_BYTES = 262_144
LINE_BYTES = 16_384
CHUNK_BYTES = 65_536
#: To be gone after SIGKILL.
GONE_S = 1.0
#: What a person who waits may be told again.
FRESH_MS = 15_000
DUMP = "android.permission.DUMP"
NICENESS = 5

_DENIED = re.compile(rb"Permission Denial|SecurityException|avc: +denied|not allowed to ")
_ABSENT = re.compile(rb"Can't find service|[Uu]nknown command|inaccessible or not found")
_CUT_OFF = re.compile(rb"DUMP TIMEOUT \(\d+ ?ms\) EXPIRED")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One program with its arguments, and which lines of its answer are looked for."""

    name: str  #: for people: `dumpsys wifi`
    command: tuple[str, ...]
    keep: re.Pattern[bytes]

    @property
    def needs(self) -> str:
        """The right it needs, as far as Android has a name for it."""
        return DUMP if self.command[0] == "dumpsys" else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What was answered, or why nothing was. Never raises: the world may do anything here."""

    text: str = ""
    untold: str = ""  #: a sentence; empty: `text` is the answer
    needs: str = ""  #: the right that is missing
    absent: bool = False  #: this firmware has no such thing
    at_ms: int = 0  #: boot time


class Asking:
    """Everything Android was asked, and its answers for a while."""

    def __init__(
        self, folder: Path, clock: Clock, blocking: Blocking, *, period_s: float, deadline_s: float
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._blocking = blocking
        self._period_ms = round(period_s * 1000)
        self._deadline_s = deadline_s
        self._kept: dict[str, Told] = {}
        self._asking: dict[str, threading.Lock] = {}
        self._flying: dict[str, asyncio.Task[Told]] = {}
        self._lock = threading.Lock()

    async def told(self, question: Question, *, fresh: bool = False) -> Told:
        """The answer; one that is not too old is told again. `fresh`: for a person who waits."""
        known = self._known(question, fresh)
        if known is not None:
            return known
        asking = self._flying.get(question.name)
        if asking is None or asking.done():
            asking = asyncio.create_task(self._called(question, fresh), name=question.name)
            self._flying[question.name] = asking
        # Shielded: the others who wait for this answer must not suffer if one gives up.
        return await asyncio.shield(asking)

    async def _called(self, question: Question, fresh: bool) -> Told:
        try:
            return await self._blocking.call(
                f"android.{question.name}",
                lambda: self.now(question, fresh=fresh),
                self._deadline_s + 2 * GONE_S,
            )
        except TimeoutError:
            return self._untold(question, f"{question.name} hangs")

    def now(self, question: Question, *, fresh: bool = False) -> Told:
        """The same, blocking. Two who ask the same at the same time get one answer."""
        with self._lock:
            mine = self._asking.setdefault(question.name, threading.Lock())
        with mine:
            known = self._known(question, fresh)
            if known is not None:
                return known
            answer = self._ask(question)
            self._kept[question.name] = answer
            return answer

    def _known(self, question: Question, fresh: bool) -> Told | None:
        kept = self._kept.get(question.name)
        limit_ms = FRESH_MS if fresh else self._period_ms
        old = kept is None or self._clock.now().boot_ms - kept.at_ms >= limit_ms
        return None if old else kept

    def _ask(self, question: Question) -> Told:
        program, *arguments = question.command
        path = self._folder / program
        try:
            lines, head, ended = _run([str(path), *arguments], question.keep, self._deadline_s)
        except FileNotFoundError:
            return self._untold(question, f"{path} is not there", absent=True)
        except PermissionError:
            return self._untold(
                question, f"{path} may not be run: needs a rule for the agent's user", needs="run"
            )
        except OSError as error:
            return self._untold(question, f"{path} was not started: {error.strerror or error}")
        if _DENIED.search(head):
            named = re.search(rb"android\.permission\.[A-Z_]+", head)
            needs = named.group().decode() if named else question.needs or DUMP
            return self._untold(
                question,
                f"{question.name} was denied: needs {needs} (system signature, or once from adb: "
                f"pm grant PACKAGE {needs})",
                needs=needs,
            )
        if _ABSENT.search(head):
            why = f"this firmware does not know {question.name}"
            return self._untold(question, why, absent=True)
        if not ended or any(_CUT_OFF.search(line) for line in lines):
            return self._untold(question, f"{question.name} did not end in {self._deadline_s:g} s")
        if not head.strip():
            return self._untold(question, f"{question.name} answered nothing")
        text = b"\n".join(lines).decode("utf-8", "replace")
        return Told(text=text, at_ms=self._clock.now().boot_ms)

    def _untold(
        self, question: Question, why: str, *, needs: str = "", absent: bool = False
    ) -> Told:
        return Told(untold=why, needs=needs, absent=absent, at_ms=self._clock.now().boot_ms)


def _run(
    command: list[str], keep: re.Pattern[bytes], deadline_s: float
) -> tuple[list[bytes], bytes, bool]:
    """The lines looked for, the beginning of all, and whether it came to its end in time."""
    ends = time.monotonic() + deadline_s
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        close_fds=True,
        start_new_session=True,
        cwd="/",
        env=_environment(command[0]),
    )
    assert process.stdout is not None
    sieve = _Sieve(keep)
    try:
        try:
            os.setpriority(os.PRIO_PGRP, process.pid, NICENESS)
        except OSError:
            sieve.nice = False
        fd = process.stdout.fileno()
        os.set_blocking(fd, False)
        ended = _pour(fd, sieve, ends)
        if ended:
            try:
                process.wait(max(0.0, ends - time.monotonic()))
            except subprocess.TimeoutExpired:
                ended = False
        return sieve.rest(), sieve.head, ended
    finally:
        process.stdout.close()
        _end(process)


def _environment(program: str) -> dict[str, str]:
    """What Android's own programs want to know, and nothing else of ours."""
    kept = {name: value for name, value in os.environ.items() if name.startswith("ANDROID_")}
    return {**kept, "PATH": str(Path(program).parent), "LANG": "C"}


def _pour(fd: int, sieve: _Sieve, ends: float) -> bool:
    """Until it closes its stdout (True), the time is over or there is too much of it."""
    poller = select.poll()
    poller.register(fd, select.POLLIN | select.POLLHUP)
    while sieve.read < READ_BYTES:
        left_s = ends - time.monotonic()
        if left_s <= 0 or not poller.poll(left_s * 1000):
            return False
        try:
            some = os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            continue
        if not some:
            return True
        sieve.add(some)
    return False


class _Sieve:
    """Keeps the lines that are looked for, of however much there is."""

    HEAD_BYTES = 2_048

    def __init__(self, keep: re.Pattern[bytes]) -> None:
        self._keep = keep
        self._lines: list[bytes] = []
        self._kept = 0
        self._open = b""
        self.head = b""
        self.read = 0
        self.nice = True

    def add(self, some: bytes) -> None:
        self.read += len(some)
        if len(self.head) < self.HEAD_BYTES:
            self.head += some[: self.HEAD_BYTES - len(self.head)]
        *lines, self._open = (self._open + some).split(b"\n")
        for line in lines:
            self._line(line)
        # A line without end is cut: nobody looks for anything that far behind its beginning.
        self._open = self._open[:LINE_BYTES]

    def rest(self) -> list[bytes]:
        self._line(self._open)
        self._open = b""
        return self._lines

    def _line(self, line: bytes) -> None:
        line = line.rstrip(b"\r")[:LINE_BYTES]
        if line and self._kept < KEPT_BYTES and self._keep.search(line):
            self._lines.append(line)
            self._kept += len(line)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Nothing it started may stay behind."""
    for _ in range(2):
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            break
        try:
            process.wait(GONE_S)
        except subprocess.TimeoutExpired:
            continue
        break
    process.poll()
