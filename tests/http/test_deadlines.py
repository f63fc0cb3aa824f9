"""Slow clients against deadlines made small."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from pathlib import Path

import pytest

from agent.http.message import Limits
from tests.http.wires import Raw, get, one, post, serving, until


@pytest.mark.parametrize(
    ("words", "part"),
    [("GET / HTTP/1.1\r\nHo", b"head"), (post(b"").replace(b"h: 0", b"h: 9"), b"body")],
)
def test_half_a_request_gets_408(tmp_path: Path, words: bytes | str, part: bytes) -> None:
    """A request that stops in the middle is told so at its deadline."""

    async def scene() -> None:
        limits = Limits(head_timeout_s=0.1, body_timeout_s=0.1)
        async with serving(tmp_path, limits=limits) as (_, path):
            status, _, body = await one(path, words)
            assert (status, json.loads(body)["code"]) == (408, "request.timeout")
            assert part in body

    asyncio.run(scene())


def test_dripping_does_not_buy_time(tmp_path: Path) -> None:
    """A head sent one byte at a time meets the same deadline as a silent one."""

    async def scene() -> None:
        async with serving(tmp_path, limits=Limits(head_timeout_s=0.15)) as (server, path):
            raw = await Raw.unix(path)
            began = asyncio.get_running_loop().time()
            await until(lambda: server.connections == 1)
            with contextlib.suppress(ConnectionError):
                for letter in get("/", "X-Slow: " + "y" * 1000):
                    raw.say(letter)
                    await raw.writer.drain()
                    await asyncio.sleep(0.005)
                    if raw.reader._buffer:  # type: ignore[attr-defined]
                        break
            assert (await raw.answer())[0] == 408
            assert asyncio.get_running_loop().time() - began < 3
            await raw.close()

    asyncio.run(scene())


def test_an_idle_kept_connection_is_closed(tmp_path: Path) -> None:
    """After an answer the next request must begin within the idle deadline."""

    async def scene() -> None:
        async with serving(tmp_path, limits=Limits(idle_timeout_s=0.1)) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get())
            assert (await raw.answer())[0] == 200
            assert await raw.rest() == b""
            assert server.connections == 0
            await raw.close()

    asyncio.run(scene())


def test_900_slow_clients_are_all_dropped(tmp_path: Path) -> None:
    """450 with half a head, 450 with half a body, all silent: none is left after the deadlines."""

    async def scene() -> None:
        limits = Limits(
            max_connections=1000, head_timeout_s=0.5, body_timeout_s=0.5, idle_timeout_s=0.5
        )
        async with serving(tmp_path, limits=limits) as (server, path):
            socks = []
            for number in range(900):
                sock = socket.socket(socket.AF_UNIX)
                sock.setblocking(False)
                while True:
                    try:
                        sock.connect(path)
                        break
                    except BlockingIOError:  # the backlog is full: let the server accept
                        await asyncio.sleep(0)
                sock.send(b"GET / HT" if number % 2 else post(b"").replace(b"h: 0", b"h: 9"))
                socks.append(sock)
            await until(lambda: server.connections == 0)
            assert (await one(path, get()))[0] == 200
            for sock in socks:
                sock.close()

    asyncio.run(scene())
