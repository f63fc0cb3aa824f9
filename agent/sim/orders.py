"""A unix socket on which a simulator takes orders, one text line each way.

Knows no simulator: what an order means is decided by whoever is asked. One process listens at a
path; another gives it orders (`posagent sim NAME --control PATH ORDER`).
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

TIMEOUT_S = 5.0
LINE_MAX_BYTES = 400
#: The longest answer is a printer's `bytes`: two hex digits for each byte of its receipt.
ANSWER_MAX_BYTES = 4_194_304


@contextlib.asynccontextmanager
async def taken_at(path: Path, obey: Callable[[str], Awaitable[str]]) -> AsyncIterator[None]:
    """While this lasts, orders given at `path` are answered by `obey`.

    Raises OSError when another simulator already listens there.
    """
    clear(path)
    writers: set[asyncio.StreamWriter] = set()
    over = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                # A connection accepted in the moment of stopping is told nothing.
                while not over.is_set() and (line := await reader.readline()):
                    said = await obey(line.decode("utf-8", "replace"))
                    writer.write(said.encode() + b"\n")
                    await writer.drain()
        except (ConnectionError, TimeoutError, ValueError):
            return  # gone, idle, or a line longer than LINE_MAX_BYTES: nothing owed
        finally:
            writers.discard(writer)
            writer.close()

    server = await asyncio.start_unix_server(answer, path, limit=LINE_MAX_BYTES)
    try:
        _keep_private(path)
        yield
    finally:
        over.set()
        server.close()
        for writer in writers:
            writer.close()
        await server.wait_closed()
        clear(path)


async def give(path: Path, order: str) -> str:
    """Give one order; the answer. Raises OSError when nobody takes orders there."""
    async with asyncio.timeout(TIMEOUT_S):
        reader, writer = await asyncio.open_unix_connection(path, limit=ANSWER_MAX_BYTES)
        try:
            writer.write(" ".join(order.split()).encode() + b"\n")
            answer = await reader.readline()
        finally:
            writer.close()
            await writer.wait_closed()
    return answer.decode("utf-8", "replace").rstrip("\n")


def _keep_private(path: Path) -> None:
    path.chmod(0o600)


def clear(path: Path) -> None:
    """Remove the socket a killed simulator left behind; refuse to take a living one's."""
    if not path.exists() or not stat.S_ISSOCK(path.stat().st_mode):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(TIMEOUT_S)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(f"another simulator already listens at {path}")
