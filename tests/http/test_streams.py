"""Answers that take long: streams, slow readers, large bodies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.http.message import Limits, Request, Response
from tests.http.wires import Raw, get, one, serving, until


def test_streamed_pieces_arrive_as_they_are_made(tmp_path: Path) -> None:
    """An event stream reaches the client piece by piece, not at the end."""
    tell: asyncio.Queue[bytes] = asyncio.Queue()

    async def handler(_request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            while data := await tell.get():
                yield data

        return Response(status=200, headers={"content-type": "text/event-stream"}, body=events())

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get())
            await raw.reader.readuntil(b"\r\n\r\n")
            for word in (b"data: one\n\n", b"data: two\n\n"):
                tell.put_nowait(word)
                assert await raw.reader.readuntil(word + b"\r\n")
            tell.put_nowait(b"")
            assert await raw.reader.readexactly(5) == b"0\r\n\r\n"
            raw.say(get())  # the line is still good
            await raw.reader.readuntil(b"\r\n\r\n")
            await raw.close()

    asyncio.run(scene())


def test_a_gone_listener_ends_its_stream(tmp_path: Path) -> None:
    """When the client of a stream goes, its generator is closed at once, silent or not."""
    reached, closed = asyncio.Event(), asyncio.Event()

    async def handler(_request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            try:
                yield b": hello\n\n"
                reached.set()
                await asyncio.Event().wait()
            finally:
                closed.set()

        return Response(status=200, headers={"content-type": "text/event-stream"}, body=events())

    async def scene() -> None:
        async with serving(tmp_path, handler) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get())
            await reached.wait()
            await raw.close()
            async with asyncio.timeout(5):
                await closed.wait()
            await until(lambda: server.connections == 0)

    asyncio.run(scene())


@pytest.mark.parametrize("kind", ["text/event-stream", "application/gzip"])
def test_a_slow_reader_is_dropped(tmp_path: Path, kind: str) -> None:
    """A client that does not take what is written loses its connection at the write deadline."""

    async def handler(_request: Request) -> Response:
        async def flood() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 65_536

        return Response(status=200, headers={"content-type": kind}, body=flood())

    async def scene() -> None:
        async with serving(tmp_path, handler, Limits(write_timeout_s=0.1)) as (server, path):
            raw = await Raw.unix(path)
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            raw.say(get())
            await until(lambda: server.connections == 1)
            await until(lambda: server.connections == 0)
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            await raw.close()

    asyncio.run(scene())


def test_a_large_whole_body_is_sent_in_pieces_with_its_length(tmp_path: Path) -> None:
    """Megabytes go out at the client's pace, with the length stated."""
    body = bytes(range(256)) * 20_000

    async def handler(_request: Request) -> Response:
        return Response(status=200, body=body)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            assert (await one(path, get()))[::2] == (200, body)

    asyncio.run(scene())
