"""Ten thousand clients that are slow on purpose, in waves, as a user of their own.

A process of its own: its user is not the payment app's, and its descriptors are its own. Says on
standard output, one JSON line, how each kind of them ended.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path

#: A connection the other side has not ended by then was not ended.
PATIENCE_S = 60.0
KINDS = ("silent", "half a head", "dripping head", "half a body", "deaf", "half-closed")


class Crowd:
    """So many clients, at most `wave` of them at once."""

    def __init__(self, path: str, port: int, total: int, wave: int) -> None:
        self._path = path
        self._port = port
        self._total = total
        self._wave = asyncio.Semaphore(wave)
        self.ends: Counter[str] = Counter()

    async def run(self) -> None:
        """All of them."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._total):
                await self._wave.acquire()
                group.create_task(self._one(number))

    async def _one(self, number: int) -> None:
        kind = KINDS[number % len(KINDS)]
        try:
            self.ends[await self._client(kind, number)] += 1
        finally:
            self._wave.release()

    async def _client(self, kind: str, number: int) -> str:
        try:
            async with asyncio.timeout(PATIENCE_S):
                if number % 2 and self._port:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                else:
                    reader, writer = await asyncio.open_unix_connection(self._path)
        except (OSError, TimeoutError):
            return "not connected"
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._said(kind, reader, writer)
        except TimeoutError:
            return "still open"
        except OSError:
            return "cut"
        finally:
            writer.close()

    async def _said(
        self, kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> str:
        head = f"GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n".encode()
        match kind:
            case "half a head":
                writer.write(head)
            case "dripping head":
                dripping = asyncio.create_task(_drip(writer, head))
                try:
                    return await _end(reader)
                finally:
                    dripping.cancel()
            case "half a body":
                writer.write(
                    b"POST /v1/queue/hold HTTP/1.1\r\nContent-Type: application/json\r\n"
                    + head.split(b"\r\n", 1)[1]
                    + b"Content-Length: 100\r\n\r\n{"
                )
            case "deaf":
                writer.write((head + b"\r\n") * 200)
                await asyncio.sleep(1.0)  # does not read for so long
            case "half-closed":
                writer.write(head)
                writer.write_eof()
        return await _end(reader)


async def _drip(writer: asyncio.StreamWriter, head: bytes) -> None:
    for byte in head * 100:
        writer.write(bytes((byte,)))
        await asyncio.sleep(0.1)


async def _end(reader: asyncio.StreamReader) -> str:
    """How it ended: the last status, or cut."""
    said = b""
    while got := await reader.read(65_536):
        said = (said + got)[-65_536:]
    if b"HTTP/1.1 " not in said:
        return "cut"
    return said.rpartition(b"HTTP/1.1 ")[2][:3].decode()


def main(path: str, port: str, total: str, wave: str, uid: str) -> None:
    """The program."""
    if int(uid):
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    crowd = Crowd(path, int(port), int(total), int(wave))
    asyncio.run(crowd.run())
    print(json.dumps({"uid": os.getuid(), "ends": crowd.ends, "here": Path.cwd().name}))


if __name__ == "__main__":
    main(*sys.argv[1:])
