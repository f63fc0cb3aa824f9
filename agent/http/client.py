"""An HTTP/1.1 client that knows whether bytes left.

One `Client` speaks to one origin over kept connections. Each request ends as `Answered` (a whole
answer, redirects included: none is followed), `NotSent` (provably zero bytes) or `Unanswered`. A
deadline holds for the whole answer, so a host that drips bytes cannot extend it; cancelling a
request closes its connection. Nothing is ever sent twice here: trying again is the caller's choice.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from agent.errors import InternalError, RemoteError
from agent.http.answer import Garbled
from agent.http.line import Line
from agent.http.outcome import Answered, Layer, NotSent, Origin, Outcome, Unanswered

__all__ = ["Answered", "Client", "Dial", "NotSent", "Origin", "Outcome", "Unanswered"]

CLOSE_S = 1.0
#: A line at rest for so long is watched for its end; before, it is looked at when it is used.
REST_S = 0.05

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_START = re.compile(_TOKEN + r" [!-~]+ HTTP/1\.1\r\n")
_FIELDS = re.compile(rf"(?:{_TOKEN}: [\t -~]*\r\n)*")
#: How a message is framed, and what becomes of the connection, is decided here and nowhere else.
_OURS = frozenset({"content-length", "transfer-encoding", "connection", "upgrade"})


class Dial(Protocol):
    """What opens connections (`agent.link.dial.Dialer`).

    Raises `agent.errors.RemoteError`, whose attribute `layer` says how far it got.
    """

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]:
        """A connection ready for the first byte."""
        ...


def _no_cause(_error: BaseException) -> str:
    return ""


class Client:
    """Requests to one origin. `cause_of` names the catalogue's cause of a broken connection;
    `dated` hears the header Date of every answer and how long it took to come."""

    def __init__(
        self,
        origin: Origin,
        dial: Dial,
        *,
        tls: ssl.SSLContext | None = None,
        connect_timeout_s: float = 15.0,
        keep_alive_s: float = 55.0,
        max_idle: int = 4,
        max_answer_bytes: int = 1_048_576,
        cause_of: Callable[[BaseException], str] = _no_cause,
        dated: Callable[[str, float], None] | None = None,
    ) -> None:
        if (tls is None) is (origin.scheme == "https"):
            raise InternalError("http.client", f"{origin.scheme} and its TLS context do not match")
        self.origin = origin
        self._dial = dial
        self._tls = tls
        self._connect_timeout_s = connect_timeout_s
        self._keep_alive_s = keep_alive_s
        self._max_idle = max_idle
        self._max_answer_bytes = max_answer_bytes
        self._cause_of = cause_of
        self._dated = dated
        self._idle: list[Line] = []
        self._retired = 0

    async def request(
        self,
        method: str,
        target: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        before_first_byte: Callable[[], Awaitable[None]] | None = None,
        answer_timeout_s: float,
    ) -> Outcome:
        """Send one request.

        `before_first_byte` is awaited with TCP and TLS up and before any byte is written, and once
        more where that connection turns out to be closed and another is made: time has passed. If
        it raises, nothing was sent and the exception passes through.
        """
        head = self._head(method, target, headers, body)
        line = self._kept() or await self._opened()
        if isinstance(line, NotSent):
            return line
        try:
            if before_first_byte is not None:
                await before_first_byte()
            if not await line.still_open():
                # The peer closed it before we wrote: no byte is lost by taking a new one.
                line.abort()
                opened = await self._opened()
                if isinstance(opened, NotSent):
                    return opened
                line = opened
                if before_first_byte is not None:
                    await before_first_byte()
                if not await line.still_open():
                    line.abort()
                    return self._closed_at_once(line)
            outcome = await self._exchange(line, method, head, body, answer_timeout_s)
        except BaseException:
            line.abort()
            raise
        if isinstance(outcome, Answered) and line.fit and line.age == self._retired:
            self._keep(line)
        else:
            line.abort()
        return outcome

    def retire(self) -> None:
        """Use none of the connections there are again; requests under way are not touched."""
        self._retired += 1
        lines, self._idle = self._idle, []
        for line in lines:
            line.abort()

    async def close(self) -> None:
        """Close the kept connections; requests under way are not touched."""
        lines, self._idle = self._idle, []
        for line in lines:
            line.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                for line in lines:
                    await line.closed()
        except TimeoutError:
            for line in lines:
                line.abort()

    @property
    def idle_connections(self) -> int:
        """How many connections are kept open."""
        return len(self._idle)

    def _head(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> bytes:
        """The request up to its body. What it says may be a credential, so no error quotes it."""
        names = {name.lower() for name, _ in headers}
        lines = [("host", self.origin.authority)] if "host" not in names else []
        lines += headers
        lines.append(("accept-encoding", "identity"))
        if body or method not in {"GET", "HEAD", "DELETE", "OPTIONS"}:
            lines.append(("content-length", str(len(body))))
        start = f"{method} {target} HTTP/1.1\r\n"
        fields = "".join([f"{name}: {value}\r\n" for name, value in lines])
        # Counted, because a value with a line break in it would read as two good headers.
        whole = fields.count("\n") == len(lines) and _FIELDS.fullmatch(fields)
        if not whole or not _START.fullmatch(start) or not names.isdisjoint(_OURS):
            raise InternalError(
                "http.client", "a request line or header has characters HTTP does not allow"
            )
        return f"{start}{fields}\r\n".encode("ascii")

    async def _opened(self) -> Line | NotSent:
        origin, retired = self.origin, self._retired
        try:
            reader, writer = await self._dial.open(
                origin.host, origin.port, self._tls, self._connect_timeout_s
            )
        except RemoteError as error:
            layer: Layer = getattr(error, "layer", "tcp")
            return NotSent(layer=layer, reason=error.what, code=error.code)
        line = Line(reader, writer, self._max_answer_bytes)
        line.age = retired
        return line

    async def _exchange(
        self, line: Line, method: str, head: bytes, body: bytes, answer_timeout_s: float
    ) -> Outcome:
        deadline = asyncio.timeout(answer_timeout_s)
        began_s = asyncio.get_running_loop().time()
        try:
            async with deadline:
                outcome = await line.exchange(method, head, body)
            if self._dated is not None and (date := outcome.headers.get("date")):
                self._dated(date, asyncio.get_running_loop().time() - began_s)
            return outcome
        except Garbled as garbled:
            reason, code = f"{self._where}: {garbled}", ""
        except OSError as error:  # TimeoutError is one
            if deadline.expired():
                reason = f"{self._where}: no whole answer within {answer_timeout_s:g} s"
                code = ""
            else:
                reason, code = f"{self._where}: {_words(error)}", self._cause_of(error)
        if line.sent_bytes == 0:
            return NotSent(layer="tcp", reason=reason, code=code)
        return Unanswered(reason=reason, sent_bytes=line.sent_bytes, code=code)

    def _closed_at_once(self, line: Line) -> NotSent:
        fault = line.fault()
        if fault is None:
            reason = "the host closed the connection before anything was sent"
            return NotSent(layer="tcp", reason=f"{self._where}: {reason}")
        layer: Layer = "tls" if isinstance(fault, ssl.SSLError) else "tcp"
        return NotSent(
            layer=layer, reason=f"{self._where}: {_words(fault)}", code=self._cause_of(fault)
        )

    @property
    def _where(self) -> str:
        return f"{self.origin.host}:{self.origin.port}"

    def _kept(self) -> Line | None:
        # The youngest: it is the least likely to be closed by the host at this moment.
        while self._idle:
            line = self._idle.pop()
            if line.expiry is not None:
                line.expiry.cancel()
                line.expiry = None
            if line.silent():
                return line
            line.abort()
        return None

    def _keep(self, line: Line) -> None:
        if self._keep_alive_s <= 0 or len(self._idle) >= self._max_idle:
            line.close()
            return
        self._idle.append(line)
        pause_s = min(REST_S, self._keep_alive_s)
        line.expiry = asyncio.get_running_loop().call_later(pause_s, self._rest, line, pause_s)

    def _rest(self, line: Line, rested_s: float) -> None:
        """It was not used at once: from now on its end is noticed, and its time runs."""
        line.watch(lambda: self._retire(line))
        line.expiry = asyncio.get_running_loop().call_later(
            self._keep_alive_s - rested_s, self._retire, line
        )

    def _retire(self, line: Line) -> None:
        """Its time is up, or the host has closed it: release the socket now, not at next use."""
        if line in self._idle:
            self._idle.remove(line)
            line.close()


def _words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS broke off ({error.reason or 'no reason given'})"
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return "the connection was reset"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return "the connection broke"
