"""One client's connection: its deadline, the request being answered, the end.

At most one timer runs per connection, for the phase it is in; nothing ticks. A request is handed to
the handler only when it is whole; requests on one connection are answered in order. Called by the
event loop; the server decides who is admitted.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from enum import StrEnum
from typing import Protocol, cast

import h11

from agent.http import refusal
from agent.http.intake import Intake, Missing
from agent.http.message import Handler, Hangup, Limits, Peer, Request, Response
from agent.http.outlet import Outlet
from agent.http.refusal import Refusal

log = logging.getLogger(__name__)

#: How much of further requests is taken in while one is being answered.
AHEAD_BYTES = 65_536
#: After a refusal the rest of what the client sends is thrown away for this long, because closing
#: with unread bytes resets the connection and may destroy the answer before it is read.
LINGER_S = 1.0


class Phase(StrEnum):
    """What the connection is waiting for, hence which deadline runs."""

    NEW = "new"
    IDLE = "idle"
    HEAD = "head"
    BODY = "body"
    HANDLER = "handler"  # its deadline runs in the task
    WRITE = "write"  # so does this one
    STREAM = "stream"  # an open-ended answer: only its pieces have a deadline
    CLOSING = "closing"
    LOST = "lost"


class House(Protocol):
    """What a connection needs of the server it belongs to."""

    @property
    def handler(self) -> Handler:
        """Answers requests."""
        ...

    @property
    def limits(self) -> Limits:
        """What a client may take."""
        ...

    @property
    def stopping(self) -> bool:
        """No further request is taken."""
        ...

    def admit(self, connection: Connection) -> Refusal | None:
        """None if there is a slot for it."""
        ...

    def gone(self, connection: Connection) -> None:
        """Its slot is free: nothing of it runs any more."""
        ...


class Connection(asyncio.Protocol):
    """See the module docstring."""

    def __init__(self, house: House) -> None:
        self.peer: Peer | None = None
        self.phase = Phase.NEW
        self._house = house
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        # Both exist from connection_made on; nothing is called before it.
        self._intake: Intake
        self._out: Outlet

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        limits = self._house.limits
        self.peer = peer_of(transport)
        self._intake = Intake(limits, self.peer, remote_of(transport))
        self._out = Outlet(
            cast("asyncio.Transport", transport), self._intake.wire, limits.write_timeout_s
        )
        refused = self._house.admit(self)
        if refused is None:
            # A fresh client is expected to speak at once: no idle time before the first request.
            self._enter(Phase.HEAD, limits.head_timeout_s)
        else:
            self._refuse(refused)

    def data_received(self, data: bytes) -> None:
        if self.phase in {Phase.CLOSING, Phase.LOST}:
            return
        self._intake.feed(data)
        if self._task is None:
            self._advance()
        elif self._intake.ahead_bytes > AHEAD_BYTES:
            # Pipelining is allowed, filling our memory while we are busy is not.
            self._out.transport.pause_reading()

    def eof_received(self) -> bool:
        if self.phase in {Phase.CLOSING, Phase.LOST}:
            return False
        if self.phase is Phase.STREAM:
            # Whoever stops sending while a stream comes has gone in all but the rarest case.
            self.cut()
            return False
        self._intake.feed(b"")
        if self._task is None:
            self._advance()
        # Keep the way back open for the answer; over TLS asyncio cannot.
        return self._out.transport.get_extra_info("ssl_object") is None

    def pause_writing(self) -> None:
        self._out.filled()

    def resume_writing(self) -> None:
        self._out.emptied()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc  # a reset and a plain end are the same to us
        phase, self.phase = self.phase, Phase.LOST
        self._stop_timer()
        self._out.emptied()
        if self._task is None:
            self._house.gone(self)
        elif phase in {Phase.WRITE, Phase.STREAM}:
            self._task.cancel()
        # A running handler is left to finish: what it does may matter although nobody listens.

    # What the server calls.

    def stop(self) -> None:
        """The server is closing: idle connections go at once, event streams end, others finish."""
        if self._task is None:
            if self.phase is not Phase.CLOSING:
                self.cut()
        elif self.phase is Phase.STREAM:
            self._task.cancel()

    def cut(self) -> None:
        """Close at once, without flushing; a running handler is cancelled."""
        if self._task is not None:
            self._task.cancel()
        self._out.transport.abort()

    # Reading.

    def _advance(self) -> None:
        limits = self._house.limits
        try:
            found = self._intake.next()
        except Refusal as refused:
            self._refuse(refused)
            return
        match found:
            case Missing.ALL:
                if self.phase is not Phase.HEAD:
                    self._enter(Phase.IDLE, limits.idle_timeout_s)
            case Missing.HEAD:
                self._enter(Phase.HEAD, limits.head_timeout_s)
            case Missing.BODY:
                self._enter(Phase.BODY, limits.body_timeout_s)
            case Missing.CONTINUE:
                self._out.go_on()
                self._enter(Phase.BODY, limits.body_timeout_s)
            case Missing.NEVER:
                self._close()
            case Request():
                self._stop_timer()
                self.phase = Phase.HANDLER
                self._task = asyncio.get_running_loop().create_task(self._answer(found))
                self._task.add_done_callback(self._answered)

    def _refuse(self, refused: Refusal) -> None:
        log.debug("event=request_refused code=%s status=%d", refused.code, refused.status)
        if self._intake.wire.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            self._out.put(refused.response(), bodyless=self._intake.bodyless, last=True)
        self._close(linger=True)

    # Answering.

    async def _answer(self, request: Request) -> None:
        try:
            response = await self._result(request)
            if self.phase is Phase.HANDLER:  # not lost meanwhile
                await self._send(response)
        except Hangup:
            self._out.transport.abort()
        except TimeoutError:
            log.debug("event=slow_reader_dropped path=%s", request.path)
            self._out.transport.abort()
        except Exception:
            # Task top. The head may be out already, so cutting is the only honest end.
            log.exception("event=answer_broken path=%s", request.path)
            self._out.transport.abort()

    async def _result(self, request: Request) -> Response:
        limit_s = self._house.limits.handler_timeout_s
        deadline = asyncio.timeout(limit_s)
        try:
            async with deadline:
                return await self._house.handler(request)
        except Hangup:
            raise
        except Exception:
            # Named boundary: whatever a handler raises must not take the server down.
            if deadline.expired():
                log.warning("event=handler_late path=%s limit_s=%g", request.path, limit_s)
                return refusal.handler_late(limit_s).response()
            log.exception("event=handler_failed path=%s", request.path)
            return refusal.failed().response()

    async def _send(self, response: Response) -> None:
        kind = response.headers.get("content-type", "")
        self.phase = Phase.STREAM if kind.startswith("text/event-stream") else Phase.WRITE
        try:
            await self._out.send(
                response, bodyless=self._intake.bodyless, last=self._house.stopping
            )
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if self.phase is not Phase.STREAM or not self._house.stopping or task is None:
                raise
            # The server is closing: an event stream ends here, as well-formed as any.
            task.uncancel()
            await self._out.end()

    def _answered(self, task: asyncio.Task[None]) -> None:
        """The answer is out, or given up: go on to the next request, or end."""
        self._task = None
        if self.phase is Phase.LOST:
            self._house.gone(self)
        elif self._out.transport.is_closing():
            return  # connection_lost is on its way
        elif task.cancelled():
            self._out.transport.abort()
        elif self._house.stopping or not self._intake.restart():
            self._close()
        else:
            self.phase = Phase.NEW
            self._out.transport.resume_reading()
            self._advance()

    # Deadlines and the end.

    def _enter(self, phase: Phase, limit_s: float) -> None:
        if phase is self.phase:
            return  # more bytes of the same part do not buy more time
        self.phase = phase
        self._stop_timer()
        self._timer = asyncio.get_running_loop().call_later(limit_s, self._expired)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expired(self) -> None:
        limits = self._house.limits
        if self.phase is Phase.HEAD and self._intake.ahead_bytes:
            self._refuse(refusal.too_slow("head", limits.head_timeout_s))
        elif self.phase is Phase.BODY:
            self._refuse(refusal.too_slow("body", limits.body_timeout_s))
        else:
            self._out.transport.abort()

    def _close(self, *, linger: bool = False) -> None:
        transport = self._out.transport
        if linger and transport.can_write_eof():
            self._enter(Phase.CLOSING, LINGER_S)
            transport.write_eof()
            transport.resume_reading()
        else:
            self._enter(Phase.CLOSING, self._house.limits.write_timeout_s)
            transport.close()


def remote_of(transport: asyncio.BaseTransport) -> str:
    """The address of who connected over TCP, without port and zone."""
    name = transport.get_extra_info("peername")
    return str(name[0]).partition("%")[0] if isinstance(name, tuple) and name else ""


def peer_of(transport: asyncio.BaseTransport) -> Peer | None:
    """Who connected, if it was over a unix socket."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    # struct ucred of <sys/socket.h>.
    pid, uid, gid = struct.unpack("iII", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return Peer(uid=uid, gid=gid, pid=pid)
