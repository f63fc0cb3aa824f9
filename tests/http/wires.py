"""Raw sockets for the HTTP tests: bytes out, bytes back, and a server around a handler."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from agent.http.message import Handler, Limits, Peer, Request, Response
from agent.http.server import Server

PATIENCE_S = 10.0


async def hello(request: Request) -> Response:
    """Answers what it was asked."""
    text = f"{request.method} {request.path} {len(request.body)}"
    return Response(status=200, headers={"content-type": "text/plain"}, body=text.encode())


@contextlib.asynccontextmanager
async def serving(
    tmp_path: Path,
    handler: Handler = hello,
    limits: Limits | None = None,
    slot_class: Callable[[Peer | None], str] = lambda _peer: "",
) -> AsyncIterator[tuple[Server, str]]:
    """A server on a unix socket."""
    server = Server(handler, limits, slot_class=slot_class)
    path = str(tmp_path / "api.sock")
    await server.start_unix(path)
    try:
        yield server, path
    finally:
        await server.close(0.5)


class Raw:
    """A client that says exactly what it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def unix(cls, path: str) -> Raw:
        return cls(*await asyncio.open_unix_connection(path))

    def say(self, data: bytes | str) -> None:
        self.writer.write(data.encode() if isinstance(data, str) else data)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        """One answer with a stated length."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            pairs = (line.split(": ", 1) for line in lines[1:] if line)
            headers = {name.lower(): value for name, value in pairs}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
            return int(lines[0].split(" ")[1]), headers, body

    async def rest(self) -> bytes:
        """Everything until the end; a reset counts as the end."""
        got = bytearray()
        async with asyncio.timeout(PATIENCE_S):
            with contextlib.suppress(ConnectionError):
                while data := await self.reader.read(65_536):
                    got += data
        return bytes(got)

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


async def until(true: Callable[[], bool]) -> None:
    """Wait for the loop to bring something about."""
    async with asyncio.timeout(PATIENCE_S):
        while not true():
            await asyncio.sleep(0.001)


async def one(path: str, data: bytes | str) -> tuple[int, dict[str, str], bytes]:
    """Say one thing on a connection of its own and return the answer."""
    raw = await Raw.unix(path)
    try:
        raw.say(data)
        return await raw.answer()
    finally:
        await raw.close()


def get(path: str = "/", *lines: str) -> str:
    """A GET as it stands on the wire."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *lines, "", ""])


def post(body: bytes, *lines: str) -> bytes:
    """A POST as it stands on the wire."""
    head = [
        "POST /v1/x HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body)}",
        *lines,
        "",
        "",
    ]
    return "\r\n".join(head).encode() + body
