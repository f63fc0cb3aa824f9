"""Both ends of a dial: hosts on loopback, and the dialer with its threads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from agent.link.dial import Dialer, DialError

T = TypeVar("T")
NOW = datetime.now(UTC)


class Threads:
    """Blocking calls in a daemon thread, counted."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        self.names.append(name)
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()

        def run() -> None:
            how: Callable[..., None] = result.set_result
            what: object
            try:
                what = function()
            except Exception as error:  # noqa: BLE001 - carried to the caller
                how, what = result.set_exception, error
            with contextlib.suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(settle, how, what)

        def settle(how: Callable[..., None], what: object) -> None:
            if not result.done():
                how(what)

        threading.Thread(target=run, daemon=True).start()
        async with asyncio.timeout(deadline_s):
            return await result


@contextlib.asynccontextmanager
async def listening(
    tls: ssl.SSLContext | None = None, *, silent: bool = False
) -> AsyncIterator[int]:
    """A host that accepts, reads a line and echoes it, or only listens; yields its port."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: None)  # handshakes that fail are the point
    writers = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(OSError, EOFError):
            writer.write(await (reader.read() if silent else reader.readline()))
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.contextmanager
def strict_host(tls: ssl.SSLContext) -> Iterator[int]:
    """A host that says why it breaks TLS off; asyncio's servers close without the alert."""

    def serve() -> None:
        while True:
            sock, _ = listener.accept()
            sock.settimeout(5)
            # Shaken by hand: otherwise a refused handshake closes the socket on its own.
            wrapped = tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            with wrapped as secure:
                try:
                    secure.do_handshake()
                    secure.recv(1000)
                except OSError:
                    # Read to the end, or the reset would overtake the alert.
                    with contextlib.suppress(OSError):
                        secure.shutdown(socket.SHUT_WR)
                        while secure.recv(1000):
                            continue

    def guarded() -> None:
        with contextlib.suppress(OSError):
            serve()

    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        listener.close()


async def opened(
    host: str, port: int, tls: ssl.SSLContext | None = None, timeout_s: float = 10
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await Dialer(Threads()).open(host, port, tls, timeout_s)


async def left(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def failing(
    host: str,
    port: int | None = None,
    *,
    server: ssl.SSLContext | None = None,
    client: ssl.SSLContext | None = None,
    timeout_s: float = 10,
    silent: bool = False,
) -> DialError:
    """The error of dialing a host that should not be reachable."""

    async def scene() -> DialError:
        async with listening(server, silent=silent) as listening_port:
            with pytest.raises(DialError) as caught:
                await opened(host, port or listening_port, client, timeout_s)
            assert str(caught.value) == caught.value.reason
            return caught.value

    return asyncio.run(scene())
