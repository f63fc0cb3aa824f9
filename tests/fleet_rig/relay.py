"""A line that can be cut and that can go silent: TCP, byte for byte, in the rig's own loop."""

from __future__ import annotations

import asyncio
import contextlib


class Relay:
    """Mended: as a line should be. Cut: nobody gets through. Stalled: bytes stay where they are."""

    def __init__(self, to_port: int) -> None:
        self.port = 0
        self._to_port = to_port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._closed = False

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def cut(self) -> None:
        """End every connection, and refuse new ones."""
        self._closed = True
        for task in self._tasks:
            task.cancel()

    def stall(self) -> None:
        """Connections stand, nothing arrives any more."""
        self._flowing.clear()

    def mend(self) -> None:
        """As new; what stood stalled flows on."""
        self._closed = False
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        far: asyncio.StreamWriter | None = None
        try:
            if self._closed:
                return
            far_reader, far = await asyncio.open_connection("127.0.0.1", self._to_port)
            pumps = [
                asyncio.create_task(self._pump(reader, far)),
                asyncio.create_task(self._pump(far_reader, writer)),
            ]
            try:
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
        except OSError:
            return
        except asyncio.CancelledError:
            return  # cut
        finally:
            self._tasks.discard(task)
            for each in (writer, far):
                if each is not None:
                    each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(4096):
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
