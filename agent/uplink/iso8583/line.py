"""The way to one host for one terminal: a connection kept open, one question at a time on it.

It knows frames, deadlines and whether bytes have left; what a frame says is decided by whoever
asks. A question whose answer did not come leaves its connection listening for a while, because a
late answer is worth having, and the next question gets a fresh one: a connection that swallowed one
payment would swallow the next. Used by `agent.uplink.iso8583.uplink`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Protocol

from agent.link.fault import DialError, cause_of
from agent.record import dataclass
from agent.uplink.iso8583.frame import Deframer, FrameError, Length

log = logging.getLogger(__name__)

CHUNK_BYTES = 4_096
#: How long a connection whose question went unanswered still listens.
LATE_S = 60.0
GOODBYE_S = 1.0


class Dial(Protocol):
    """Opens connections (`agent.link.dial.Dialer`)."""

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the host is and how long things may take."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    length: Length
    connect_timeout_s: float
    answer_timeout_s: float
    idle_s: float  #: an idle connection older than this is not used again


class Fits(StrEnum):
    """What whoever asked makes of a frame."""

    MINE = "mine"
    OTHER = "other"  #: known: late, or a second copy; keep waiting
    FOREIGN = "foreign"  #: nobody's: this connection is out of step
    BROKEN = "broken"  #: cannot be read


class Fate(StrEnum):
    """How a question ended."""

    ANSWERED = "answered"
    NOT_SENT = "not_sent"
    UNANSWERED = "unanswered"
    FOREIGN = "foreign"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Ending:
    """A fate with its reason; `code` is a cause where the network named one."""

    fate: Fate
    reason: str = ""
    code: str = ""


class _Connection:
    """One socket and the task that listens on it."""

    def __init__(
        self,
        streams: tuple[StreamReader, StreamWriter],
        length: Length,
        heard: Callable[[_Connection, bytes | None], None],
    ) -> None:
        self._reader, self.writer = streams
        self._deframer = Deframer(length)
        self._heard = heard
        self.end = ""  #: why it is of no use any more
        self.code = ""  #: the cause of that, where one is known
        self.broken = False  #: what came was no frame
        self.retired = False  #: the next question takes another
        self.used_at_s = asyncio.get_running_loop().time()
        self._task = asyncio.create_task(self._listen(), name="iso8583-listen")

    async def _listen(self) -> None:
        try:
            while chunk := await self._reader.read(CHUNK_BYTES):
                for body in self._deframer.feed(chunk):
                    self._heard(self, body)
            self.end = "the host closed the connection"
            if self._deframer.partial:
                self.end += " in the middle of a frame"
        except FrameError as error:
            self.end, self.broken = str(error), True
        except OSError as error:
            self.end = f"the connection broke: {error.strerror or type(error).__name__}"
            self.code = cause_of(error)
        self._heard(self, None)

    async def close(self) -> None:
        self.end = self.end or "closed"
        self._task.cancel()
        self.writer.transport.abort()
        await asyncio.wait({self._task}, timeout=GOODBYE_S)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                await self.writer.wait_closed()


class Line:
    """One terminal's line."""

    def __init__(self, place: Place, dial: Dial, stray: Callable[[bytes], None]) -> None:
        self._place = place
        self._dial = dial
        self._stray = stray
        self._connection: _Connection | None = None
        self._lingering: list[tuple[_Connection, asyncio.TimerHandle]] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._inbox: asyncio.Queue[bytes | None] | None = None
        self._turn = asyncio.Lock()
        self._retired = 0  #: how often there was another way

    async def ask(
        self,
        frame: bytes,
        fits: Callable[[bytes], Fits],
        before_first_byte: Callable[[], Awaitable[None]] | None = None,
    ) -> Ending:
        """Send one frame and wait for its answer. What `before_first_byte` raises passes through,
        and then nothing has left."""
        async with self._turn:
            try:
                connection = await self._connected()
            except DialError as error:
                return Ending(Fate.NOT_SENT, error.reason, error.code)
            if before_first_byte is not None:
                await before_first_byte()
            if connection.end:
                self._drop(connection)
                reason = f"{connection.end} before anything was sent"
                return Ending(Fate.NOT_SENT, reason, connection.code)
            inbox: asyncio.Queue[bytes | None] = asyncio.Queue()
            self._inbox = inbox
            try:
                return await self._exchange(connection, frame, fits, inbox)
            except BaseException:
                # Cancelled with bytes out: this connection owes an answer nobody waits for.
                self._drop(connection)
                raise
            finally:
                self._inbox = None

    async def _exchange(
        self,
        connection: _Connection,
        frame: bytes,
        fits: Callable[[bytes], Fits],
        inbox: asyncio.Queue[bytes | None],
    ) -> Ending:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._place.answer_timeout_s):
                connection.writer.write(frame)
                await connection.writer.drain()
                while (body := await inbox.get()) is not None:
                    match fits(body):
                        case Fits.MINE:
                            connection.used_at_s = loop.time()
                            return Ending(Fate.ANSWERED)
                        case Fits.OTHER:
                            continue
                        case Fits.FOREIGN:
                            self._drop(connection)
                            return Ending(Fate.FOREIGN, "the host answered for another message")
                        case _:
                            self._drop(connection)
                            return Ending(Fate.BROKEN, "the host's answer cannot be read")
        except TimeoutError:
            self._linger(connection)
            return Ending(Fate.UNANSWERED, f"no answer within {self._place.answer_timeout_s:g} s")
        except OSError as error:
            self._drop(connection)
            reason = error.strerror or type(error).__name__
            reason = f"the connection broke after sending: {reason}"
            return Ending(Fate.UNANSWERED, reason, cause_of(error))
        self._drop(connection)
        if connection.broken:
            return Ending(Fate.BROKEN, connection.end)
        return Ending(Fate.UNANSWERED, connection.end, connection.code)

    def idle_s(self) -> float:
        """How long an open connection has not been used; 0 where there is none or it is in use."""
        if self._connection is None or self._turn.locked():
            return 0.0
        return asyncio.get_running_loop().time() - self._connection.used_at_s

    def retire(self) -> None:
        """Use this connection for no further question; one under way keeps it to its end."""
        self._retired += 1
        if self._connection is not None:
            self._connection.retired = True
            if not self._turn.locked():
                self._drop(self._connection)

    async def hang_up(self) -> None:
        """Close the connection; the next question opens another."""
        if self._connection is not None:
            self._drop(self._connection)
        await self._closed()

    async def close(self) -> None:
        """Close everything."""
        for connection, timer in self._lingering:
            timer.cancel()
            self._end(connection)
        self._lingering.clear()
        await self.hang_up()

    async def _closed(self) -> None:
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=2 * GOODBYE_S)

    async def _connected(self) -> _Connection:
        now_s = asyncio.get_running_loop().time()
        connection = self._connection
        if connection is not None:
            worn = connection.end or connection.retired
            if not worn and now_s - connection.used_at_s < self._place.idle_s:
                return connection
            self._drop(connection)
        place, retired = self._place, self._retired
        streams = await self._dial.open(place.host, place.port, place.tls, place.connect_timeout_s)
        connection = self._connection = _Connection(streams, place.length, self._heard)
        connection.retired = retired != self._retired  # dialled on the way that is left
        return connection

    def _heard(self, connection: _Connection, body: bytes | None) -> None:
        if connection is self._connection and self._inbox is not None:
            self._inbox.put_nowait(body)
        elif body is not None:
            self._stray(body)

    def _drop(self, connection: _Connection) -> None:
        if connection is self._connection:
            self._connection = None
        self._end(connection)

    def _linger(self, connection: _Connection) -> None:
        if connection is self._connection:
            self._connection = None
        loop = asyncio.get_running_loop()
        timer = loop.call_later(LATE_S, self._linger_over, connection)
        self._lingering.append((connection, timer))
        while len(self._lingering) > 2:
            old, timer = self._lingering.pop(0)
            timer.cancel()
            self._end(old)

    def _linger_over(self, connection: _Connection) -> None:
        self._lingering = [pair for pair in self._lingering if pair[0] is not connection]
        self._end(connection)

    def _end(self, connection: _Connection) -> None:
        task = asyncio.create_task(connection.close(), name="iso8583-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
