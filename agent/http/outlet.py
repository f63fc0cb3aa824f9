"""Answers on their way out: framing by h11, pace by the client, within a deadline.

Knows how an answer becomes bytes and when the client has stopped taking them (TimeoutError). When
to answer, and what becomes of the connection, the connection decides.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator

import h11

from agent.http.message import Response
from agent.http.refusal import REASONS

PIECE_BYTES = 65_536


class Outlet:
    """The sending half of one connection."""

    def __init__(
        self, transport: asyncio.Transport, wire: h11.Connection, write_timeout_s: float
    ) -> None:
        self.transport = transport
        self._wire = wire
        self._write_timeout_s = write_timeout_s
        self._full: asyncio.Future[None] | None = None

    def filled(self) -> None:
        """The transport holds as much unsent as it should."""
        self._full = asyncio.get_running_loop().create_future()

    def emptied(self) -> None:
        """There is room again, or the connection is gone and nobody need wait."""
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    def go_on(self) -> None:
        """Tell a client that asked to send its body."""
        go_on = h11.InformationalResponse(status_code=100, headers=[], reason=b"Continue")
        self.transport.write(self._wire.send(go_on))

    def put(self, response: Response, *, bodyless: bool, last: bool) -> None:
        """Hand over a whole answer with a body of bytes, without waiting."""
        body = response.body
        assert isinstance(body, bytes)
        headers = dict(response.headers)
        if response.status not in {204, 304}:
            headers["content-length"] = str(len(body))
        parts = self._wire.send(_head(response.status, headers, last=last))
        if body and not bodyless:
            parts += self._wire.send(h11.Data(data=body))
        self.transport.write(parts + self._wire.send(h11.EndOfMessage()))

    async def send(self, response: Response, *, bodyless: bool, last: bool) -> None:
        """Send an answer; TimeoutError when the client does not take it."""
        body, headers = response.body, dict(response.headers)
        if isinstance(body, bytes):
            if bodyless or len(body) <= PIECE_BYTES:
                self.put(response, bodyless=bodyless, last=last)
                await self.flush()
                return
            headers["content-length"] = str(len(body))
            body = _pieces(body)
        try:
            self.transport.write(self._wire.send(_head(response.status, headers, last=last)))
            if not bodyless:
                async for piece in body:
                    if piece:
                        self.transport.write(self._wire.send(h11.Data(data=piece)))
                        await self.flush()
        finally:
            # Only generators have something to close; other iterators need not know the word.
            if (aclose := getattr(body, "aclose", None)) is not None:
                await aclose()
        await self.end()

    async def end(self) -> None:
        """Finish a streamed answer."""
        self.transport.write(self._wire.send(h11.EndOfMessage()))
        await self.flush()

    async def flush(self) -> None:
        """Wait until the client has taken most of what was written."""
        if self._full is not None:
            async with asyncio.timeout(self._write_timeout_s):
                await self._full


def _head(status: int, headers: dict[str, str], *, last: bool) -> h11.Response:
    return _checked_head(status, tuple(headers.items()), last)


# A terminal gives the same few answers all day, often of the same length: looking a head up costs a
# tenth of having h11 check every name and value again.
@functools.lru_cache(maxsize=64)
def _checked_head(status: int, headers: tuple[tuple[str, str], ...], last: bool) -> h11.Response:
    lines = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    if last:
        lines.append((b"connection", b"close"))
    reason = REASONS.get(status, "").encode("ascii")
    return h11.Response(status_code=status, headers=lines, reason=reason)


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), PIECE_BYTES):
        yield body[start : start + PIECE_BYTES]
