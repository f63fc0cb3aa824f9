"""A broker that lies by a script: every connection gets the same treatment."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from tests.telemetry.strict_broker import V5, packet

Script = Callable[["Call"], Awaitable[None]]


@dataclass
class Call:
    """One connection, after its CONNECT."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    version: int
    connect: bytes
    heard: list[tuple[int, bytes]] = field(default_factory=list)

    def send(self, *raw: bytes) -> None:
        self.writer.write(b"".join(raw))

    def connack(self, properties: bytes = b"", code: int = 0) -> None:
        tail = bytes([len(properties)]) + properties if self.version == V5 else b""
        self.send(framed(0x20, bytes([0, code]) + tail))

    def publish(
        self, topic: str, payload: bytes, mid: int = 1, *, qos: int = 1, retain: bool = False
    ) -> None:
        number = mid.to_bytes(2, "big") if qos else b""
        properties = b"\0" if self.version == V5 else b""
        body = len(topic).to_bytes(2, "big") + topic.encode() + number + properties + payload
        self.send(framed(0x30 | qos << 1 | retain, body))

    def suback(self, mid: bytes, *codes: int) -> None:
        self.send(framed(0x90, mid + (b"\0" if self.version == V5 else b"") + bytes(codes)))

    async def expect(self, kind: int) -> bytes:
        """The body of the next packet of this kind."""
        while True:
            command, body = await packet(self.reader)
            self.heard.append((command, body))
            if command >> 4 == kind:
                return body

    async def listen(self) -> None:
        """Until the client goes away."""
        await self.expect(-1)


def framed(command: int, body: bytes) -> bytes:
    size, left = bytearray(), len(body)
    while True:
        left, digit = left >> 7, left & 0x7F
        size.append(digit | (0x80 if left else 0))
        if not left:
            return bytes([command]) + bytes(size) + body


class Liar:
    """Counts who came and who is still there."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.calls: list[Call] = []
        self.open = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            _, body = await packet(reader)
            call = Call(reader, writer, body[6], body)
            self.calls.append(call)
            await self.script(call)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()


@contextlib.asynccontextmanager
async def lying(script: Script) -> AsyncIterator[Liar]:
    liar = Liar(script)
    server = await asyncio.start_server(liar.serve, "127.0.0.1", 0)
    liar.port = server.sockets[0].getsockname()[1]
    try:
        yield liar
    finally:
        server.close()
        for call in liar.calls:
            call.writer.transport.abort()
        await server.wait_closed()
        async with asyncio.timeout(5):
            while liar.open:
                await asyncio.sleep(0.005)
