"""One connection to a host, carrying one request at a time, and what of it is known.

Knows exactly how many bytes were handed over, whether the peer has closed meanwhile, and what is
wrong with an answer. Deadlines, dialing and keeping are the client's business.
"""

from __future__ import annotations

import asyncio
import functools
import select
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable

import h11

from agent.http.fields import folded
from agent.http.outcome import Answered

PIECE_BYTES = 65_536
HEAD_BYTES = 16_384
#: Reading what the kernel holds takes the loop two turns, waking the watcher a third.
TURNS = 4


class Garbled(Exception):  # noqa: N818 - an outcome, not an error of ours
    """What came back is no answer. The message is a plain sentence without the peer's bytes."""


class Line:
    """See the module docstring."""

    def __init__(self, reader: StreamReader, writer: StreamWriter, max_answer_bytes: int) -> None:
        #: Of the request at hand.
        self.sent_bytes = 0
        #: When it was given back, or nothing while it is in use.
        self.expiry: asyncio.TimerHandle | None = None
        self._reader = reader
        self._writer = writer
        self._max_answer_bytes = max_answer_bytes
        self._wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
        self._spoiled = False
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
        # h11 only has to know that a request is under way: its own check of a dozen headers, one
        # by one, takes as long as everything else here. `head` was checked as a whole.
        self._wire.send(_followed(method))
        self._wire.send(_SENT)
        data = head + body
        if len(data) <= PIECE_BYTES:
            self._write(data)
            return await self._answer()
        # A host may answer, and stop reading, before it has the whole body.
        pump = asyncio.get_running_loop().create_task(self._pump(data))
        try:
            return await self._answer()
        finally:
            self._spoiled = not pump.done()
            pump.cancel()
            await asyncio.wait([pump])
            if not pump.cancelled() and pump.exception() is not None:
                self._spoiled = True

    def renew(self) -> bool:
        """Make ready for another request; False if it cannot carry one."""
        done = self._wire.our_state is h11.DONE and self._wire.their_state is h11.DONE
        if not done or self._spoiled or self._wire.trailing_data[0]:
            return False
        self._wire.start_next_cycle()
        return True

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

    async def _answer(self) -> Answered:
        head: h11.Response | None = None
        headers: dict[str, str] = {}
        body = bytearray()
        received_bytes = 0
        event: object = h11.NEED_DATA
        while True:
            if event is h11.NEED_DATA:
                data = await self._reader.read(PIECE_BYTES)
                received_bytes += len(data)
                # The framing counts too: a body of one-byte chunks, or interim answers for ever.
                if received_bytes > self._max_answer_bytes + 2 * PIECE_BYTES:
                    raise Garbled(f"the answer exceeds {self._max_answer_bytes} bytes")
                if not data and head is None:
                    part = "in the middle of its answer" if received_bytes else "without an answer"
                    raise Garbled(f"the host closed the connection {part}")
                self._wire.receive_data(data)
            elif isinstance(event, h11.Response):
                head, headers = event, folded(event.headers)
                _check_head(headers, self._max_answer_bytes)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_answer_bytes:
                    raise Garbled(f"the answer exceeds {self._max_answer_bytes} bytes")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                return Answered(status=head.status_code, headers=headers, body=bytes(body))
            elif not isinstance(event, h11.InformationalResponse):
                raise Garbled("the answer broke the rules of HTTP/1.1")
            event = self._next(head)

    def _next(self, head: h11.Response | None) -> object:
        try:
            return self._wire.next_event()
        except h11.RemoteProtocolError as error:
            if head is not None and "closed" in str(error):
                raise Garbled(
                    "the host closed the connection in the middle of its answer"
                ) from None
            raise Garbled("the answer is not well-formed HTTP/1.1") from None


_SENT = h11.EndOfMessage()


@functools.lru_cache(maxsize=16)
def _followed(method: str) -> h11.Request:
    """What h11 is told of a request: of all it says, only the method matters for the answer."""
    return h11.Request(method=method, target="/", headers=[("host", "followed")])


def _check_head(fields: dict[str, str], max_answer_bytes: int) -> None:
    if fields.get("content-encoding", "identity") != "identity":
        raise Garbled("the answer is compressed, which was not accepted")
    length = fields.get("content-length")
    if length is not None and "transfer-encoding" in fields:
        raise Garbled("the answer states its length in two ways")
    if length is not None and int(length) > max_answer_bytes:
        raise Garbled(f"the answer exceeds {max_answer_bytes} bytes")


def _seen(task: asyncio.Task[bytes]) -> None:
    # Looking at the exception keeps asyncio from reporting it as forgotten.
    if not task.cancelled():
        task.exception()
