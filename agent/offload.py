"""Heavy work in a process of its own, so that no payment waits behind it.

One busy thread turns a 0.7 ms accept into 45 ms. What computes for longer than a moment (a
settlement list, statistics, a slip as an image, a bundle) is a program of `agent.offloaded`: lines
of bytes in, lines of bytes out, at the lowest priority. It opens no store and knows no secret; it
gets what it needs through its pipe. It ends when the pipe does, so it never outlives the daemon.
One runs at a time: a small terminal has one core to spare at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from agent.errors import AgentError

log = logging.getLogger(__name__)

#: One line, in or out. A slip as an image is the largest.
LINE_BYTES = 4_194_304
#: Programs that answer in short lines: twice as much is held back while nobody reads it.
SHORT_LINES = {"reconcile": 131_072}
COMPLAINT_BYTES = 2_048
#: Where our own programs are. `-m` looks first where it is started, and that may be anybody's.
HOME = Path(__file__).resolve().parent.parent
#: Between end of input and giving up on the program, beyond the deadline.
KILL_S = 2.0


class OffloadError(AgentError):
    """The program failed, took too long, or could not be started."""


class Offload(Protocol):
    """Runs a program of `agent.offloaded` by its name."""

    def run(
        self, program: str, lines: AsyncIterable[bytes], deadline_s: float
    ) -> AsyncIterator[bytes]:
        """What it answers, line by line and without line ends, while it is being told `lines`.

        Raises OffloadError: `offload.failed`, `offload.timeout`. Whoever stops reading early must
        close the iterator (`contextlib.aclosing`), which ends the program.
        """
        ...


class ChildOffload:
    """Runs programs as children of this process."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def run(
        self, program: str, lines: AsyncIterable[bytes], deadline_s: float
    ) -> AsyncIterator[bytes]:
        async with self._turn:
            try:
                child = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "agent.offloaded", program,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=SHORT_LINES.get(program, LINE_BYTES),
                    cwd=HOME,
                    start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise OffloadError(
                    "offload.failed", f"{program} could not be started: {error.strerror}"
                ) from None
            talk = _Talk(program, child)
            feeding = asyncio.create_task(talk.feed(lines), name=f"feed-{program}")
            complaining = asyncio.create_task(talk.complaint(), name=f"stderr-{program}")
            try:
                async with asyncio.timeout(deadline_s):
                    async for line in talk.answers():
                        yield line
                    await child.wait()
                    # It heard all it wanted; its feeder may wait for a word that never comes.
                    if feeding.done():
                        feeding.result()
            except TimeoutError:
                raise OffloadError(
                    "offload.timeout", f"{program} was not done within {deadline_s:g} seconds"
                ) from None
            finally:
                feeding.cancel()
                await talk.end()
                said = await complaining
            if child.returncode:
                # Its words may quote what it was told: they go to the log of developers only.
                log.warning("event=offload_failed program=%s code=%s", program, child.returncode)
                log.debug("event=offload_said program=%s text=%r", program, said)
                raise OffloadError("offload.failed", f"{program} failed: {child.returncode}")


class _Talk:
    """The pipes of one child."""

    def __init__(self, program: str, child: asyncio.subprocess.Process) -> None:
        self._program, self._child = program, child

    async def feed(self, lines: AsyncIterable[bytes]) -> None:
        """All the lines, as fast as it takes them; it may end before it has read them all."""
        stdin = self._child.stdin
        assert stdin is not None
        try:
            async for line in lines:
                stdin.write(line + b"\n")
                await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            log.debug("event=offload_has_enough program=%s", self._program)
        finally:
            stdin.close()

    async def answers(self) -> AsyncIterator[bytes]:
        stdout = self._child.stdout
        assert stdout is not None
        while True:
            try:
                line = await stdout.readline()
            except ValueError:
                raise OffloadError("offload.failed", f"{self._program}: endless line") from None
            if not line:
                return
            yield line.rstrip(b"\n")

    async def complaint(self) -> bytes:
        """The end of what it wrote to stderr."""
        stderr = self._child.stderr
        assert stderr is not None
        said = b""
        while chunk := await stderr.read(65_536):
            said = (said + chunk)[-COMPLAINT_BYTES:]
        return said

    async def end(self) -> None:
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._child.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(KILL_S):
                await self._child.wait()


class HereOffload:
    """Runs programs in this process: for the command line, which has no payments to keep waiting.

    `answer_of` finds the program; the command line gives `agent.offloaded.program`.
    """

    def __init__(
        self, answer_of: Callable[[str], Callable[[Iterable[bytes]], Iterator[bytes]]]
    ) -> None:
        self._answer_of = answer_of

    async def run(
        self, program: str, lines: AsyncIterable[bytes], deadline_s: float
    ) -> AsyncIterator[bytes]:
        del deadline_s
        told = [line async for line in lines]
        for answer in self._answer_of(program)(told):
            yield answer
