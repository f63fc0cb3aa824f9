"""Hosts for the client tests: they read what comes and do exactly as scripted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable

from agent.http.client import Answered, Client, NotSent, Origin, Unanswered
from agent.link.dial import Dialer

LONG_S = 10.0
Script = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection as the host sees it."""

    def __init__(self, number: int, reader: StreamReader, writer: StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """The request line and headers."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def request(self) -> bytes:
        """A whole request."""
        head = await self.head()
        length = 0
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        return head + await self.reader.readexactly(length)

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    def ok(self, body: bytes = b"{}", *lines: str) -> None:
        """A plain good answer."""
        head = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *lines, "", ""]
        self.say("\r\n".join(head).encode() + body)

    def reset(self) -> None:
        """End it with RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


class Host:
    """Listens, runs the script on every connection, remembers how many there were."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.visits: list[Visit] = []
        self.port = 0
        self._tasks: list[asyncio.Task[None]] = []

    async def arrived(self, reader: StreamReader, writer: StreamWriter) -> None:
        visit = Visit(len(self.visits) + 1, reader, writer)
        self.visits.append(visit)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.append(task)
        try:
            with contextlib.suppress(OSError, EOFError):
                await self.script(visit)
        except asyncio.CancelledError:
            pass  # the test is over; streams would report it as an error
        finally:
            writer.close()

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        for visit in self.visits:
            visit.writer.transport.abort()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await visit.writer.wait_closed()


@contextlib.asynccontextmanager
async def hosting(
    script: Script, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[Host]:
    """A host on loopback."""
    host = Host(script)
    server = await asyncio.start_server(host.arrived, "127.0.0.1", port, ssl=tls)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        await host.leave()


class NoBlocking:
    """For tests that dial addresses: any blocking call is a mistake."""

    async def call(self, name: str, function: object, deadline_s: float) -> object:
        raise AssertionError(f"blocking call {name}")


@contextlib.asynccontextmanager
async def calling(port: int, **options: object) -> AsyncIterator[Client]:
    """A client of a host on loopback."""
    origin = Origin(scheme="https" if "tls" in options else "http", host="127.0.0.1", port=port)
    client = Client(origin, Dialer(NoBlocking()), **options)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        await client.close()


def closed_port() -> int:
    """A port of loopback nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def answering(visit: Visit) -> None:
    """A good host: one good answer after another."""
    while True:
        await visit.request()
        visit.ok(f"answer on {visit.number}".encode())


def ask(
    script: Script,
    *,
    body: bytes = b"{}",
    answer_timeout_s: float = LONG_S,
    **options: object,
) -> Answered | NotSent | Unanswered:
    """One POST to a host that follows the script."""

    async def scene() -> Answered | NotSent | Unanswered:
        async with hosting(script) as host, calling(host.port, **options) as client:
            return await client.request(
                "POST", "/v1/post", [("x-key", "k1")], body, answer_timeout_s=answer_timeout_s
            )

    return asyncio.run(scene())
