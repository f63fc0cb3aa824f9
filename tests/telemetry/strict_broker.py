"""A broker that enforces what the specification allows it to: Receive Maximum, slow PUBACKs,
refusals. It speaks just enough MQTT for one publisher."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

V5 = 5


@dataclass
class StrictBroker:
    """Switches are read at the moment they matter, so a test may turn them while it runs."""

    receive_maximum: int = 10
    puback_after_s: float = 0.0
    puback_code: int = 0
    hold_pubacks: bool = False
    refuse: int = 0  #: CONNACK code for a v5 client
    v311_only: str = ""  #: "connack": answers 0x01; "hang_up": just closes; "silence": does nothing
    max_packet_bytes: int = 0
    server_keepalive_s: int = 0
    connects: list[dict[str, object]] = field(default_factory=list)
    received: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    violations: int = 0
    most_unacknowledged: int = 0
    goodbyes: int = 0
    port: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        await self._server.wait_closed()
        if self._tasks:
            await asyncio.gather(*self._tasks)

    def hang_up(self) -> None:
        """Close every connection without a word."""
        for writer in self._writers:
            writer.transport.abort()

    def goodbye(self, code: int) -> None:
        """DISCONNECT with a reason, then close (v5 only)."""
        for writer in self._writers:
            writer.write(bytes([0xE0, 2, code, 0]))
            writer.close()

    async def until(self, reached: object, timeout_s: float = 10.0) -> None:
        assert callable(reached)
        async with asyncio.timeout(timeout_s):
            while not reached():
                self.changed.clear()
                await self.changed.wait()

    def seqs(self) -> list[int]:
        return [int(str(body["seq"])) for _, body in self.received if "seq" in body]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._writers.discard(writer)
            self._tasks.discard(task)
            writer.close()
            self.changed.set()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version = 0
        unacknowledged: set[int] = set()
        while True:
            command, body = await packet(reader)
            if command >> 4 == 1:
                version = body[6]
                if not self._connack(writer, version, body):
                    return
            elif command >> 4 == 3:
                size = int.from_bytes(body[:2], "big")
                topic = body[2 : 2 + size].decode()
                mid = int.from_bytes(body[2 + size : 4 + size], "big")
                payload = body[4 + size + (version == V5) :]
                unacknowledged.add(mid)
                self.most_unacknowledged = max(self.most_unacknowledged, len(unacknowledged))
                if len(unacknowledged) > self.receive_maximum:
                    self.violations += 1
                    writer.write(bytes([0xE0, 2, 0x93, 0]))
                    return
                self.received.append((topic, json.loads(payload)))
                if not self.hold_pubacks:
                    asyncio.get_running_loop().call_later(
                        self.puback_after_s, self._puback, writer, mid, version, unacknowledged
                    )
            elif command >> 4 == 12:
                writer.write(b"\xd0\x00")
            elif command >> 4 == 14:
                self.goodbyes += 1
                return
            self.changed.set()

    def _connack(self, writer: asyncio.StreamWriter, version: int, body: bytes) -> bool:
        self.connects.append({"version": version, "flags": body[7]})
        if version == V5 and self.v311_only:
            if self.v311_only == "connack":
                writer.write(b"\x20\x02\x00\x01")
            return self.v311_only == "silence"
        if version != V5:
            writer.write(b"\x20\x02\x00\x00")
            return True
        if self.refuse:
            writer.write(bytes([0x20, 3, 0, self.refuse, 0]))
            return False
        properties = b"\x21" + self.receive_maximum.to_bytes(2, "big")
        if self.max_packet_bytes:
            properties += b"\x27" + self.max_packet_bytes.to_bytes(4, "big")
        if self.server_keepalive_s:
            properties += b"\x13" + self.server_keepalive_s.to_bytes(2, "big")
        writer.write(bytes([0x20, 3 + len(properties), 0, 0, len(properties)]) + properties)
        return True

    def _puback(
        self, writer: asyncio.StreamWriter, mid: int, version: int, waiting: set[int]
    ) -> None:
        waiting.discard(mid)
        if writer.is_closing():
            return
        packed = mid.to_bytes(2, "big")
        if version == V5 and self.puback_code:
            writer.write(b"\x40\x03" + packed + bytes([self.puback_code]))
        else:
            writer.write(b"\x40\x02" + packed)
        self.changed.set()


async def packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One MQTT control packet: first byte and body."""
    command = (await reader.readexactly(1))[0]
    size = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return command, await reader.readexactly(size)
