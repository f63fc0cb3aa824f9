"""One connection to a host, carrying one request at a time, and what of it is known.

Knows exactly how many bytes were handed over, whether the peer has closed meanwhile, and what is
wrong with an answer. Deadlines, dialing and keeping are the client's business.
"""

from __future__ import annotations

import asyncio
import select
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

from agent.http.answer import PIECE_BYTES, read_answer
from agent.http.outcome import Answered

#: Reading what the kernel holds takes the loop two turns, waking the watcher a third.
TURNS = 4


class Line:
    """See the module docstring."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, max_answer_bytes: int) -> None:
        #: Of the request at hand.
        self.sent_bytes = 0
        #: How often all connections had been retired when this one was opened.
        self.age = 0
        #: When it was given back, or nothing while it is in use.
        self.expiry: asyncio.TimerHandle | None = None
        self._reader = reader
        self._writer = writer
        self._max_answer_bytes = max_answer_bytes
        self._fit = True  #: for another request
        self._watch: asyncio.Task[bytes] | None = None
        self._fault: BaseException | None = None

    def watch(self, ended: Callable[[], object]) -> None:
        """Have `ended` called when the peer closes or says anything unasked: both make it useless.

        Only for a line that rests: a task for every request costs as much as the request.
        """
        self._watch = asyncio.get_running_loop().create_task(self._reader.read(1))
        self._watch.add_done_callback(_seen)
        self._watch.add_done_callback(lambda _watch: ended())

    def silent(self) -> bool:
        """Whether the peer has neither closed nor said anything, as far as the loop has seen."""
        if self._watch is not None:
            return not self._watch.done()
        # One step of a read: it ends at once if there is anything to know, and waits otherwise.
        reading = self._reader.read(1)
        try:
            reading.send(None)
        except StopIteration:
            return False
        except OSError as error:
            self._fault = error
            return False
        reading.close()
        return not self._writer.transport.is_closing()

    async def still_open(self) -> bool:
        """Whether a request may be written now; ends the watch."""
        if self._readable():
            # Over TLS this may be a session ticket, so let the loop look at it.
            for _ in range(TURNS):
                await asyncio.sleep(0)
        watch, self._watch = self._watch, None
        if watch is not None:
            if not watch.done():
                watch.cancel()
                await asyncio.wait([watch])
            if not watch.cancelled():
                self._fault = watch.exception()
                return False
        return self.silent()

    def fault(self) -> BaseException | None:
        """Why it is not open, if anything but a plain end."""
        return self._fault

    async def exchange(self, method: str, head: bytes, body: bytes) -> Answered:
        """Send and read the whole answer. Raises Garbled or OSError; no deadline of its own."""
        self.sent_bytes = 0
        data = head + body
        if len(data) <= PIECE_BYTES:
            self._write(data)
            return await self._answer(method)
        # A host may answer, and stop reading, before it has the whole body.
        pump = asyncio.get_running_loop().create_task(self._pump(data))
        try:
            return await self._answer(method)
        finally:
            whole = pump.done()
            pump.cancel()
            await asyncio.wait([pump])
            if not whole or pump.cancelled() or pump.exception() is not None:
                self._fit = False

    @property
    def fit(self) -> bool:
        """Whether it can carry another request."""
        return self._fit

    def close(self) -> None:
        """End it politely (over TLS with a goodbye that the peer need not answer in time)."""
        self._end()
        self._writer.close()

    def abort(self) -> None:
        """End it at once; what has not left by now never leaves."""
        self._end()
        self._writer.transport.abort()

    async def closed(self) -> None:
        """Wait until the socket is released."""
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it is closed, which is all that was asked

    def _readable(self) -> bool:
        sock = self._writer.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return False
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def _end(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self.expiry is not None:
            self.expiry.cancel()
            self.expiry = None

    def _write(self, data: bytes) -> None:
        if self._writer.transport.is_closing():
            raise ConnectionResetError("closed before it was written to")
        # Counted first: from here on it may have left, whatever write does.
        self.sent_bytes += len(data)
        self._writer.write(data)

    async def _pump(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), PIECE_BYTES):
            self._write(bytes(view[start : start + PIECE_BYTES]))
            await self._writer.drain()

    async def _answer(self, method: str) -> Answered:
        answered, self._fit = await read_answer(self._read, method, self._max_answer_bytes)
        return answered

    async def _read(self) -> bytes:
        return await self._reader.read(PIECE_BYTES)


def _seen(task: asyncio.Task[bytes]) -> None:
    # Looking at the exception keeps asyncio from reporting it as forgotten.
    if not task.cancelled():
        task.exception()
