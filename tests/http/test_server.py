"""The HTTP server over a real unix socket: requests, handlers, answers."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.http.message import Hangup, Limits, Request, Response
from tests.http.wires import Raw, get, hello, one, post, serving, until


def test_get_and_post_are_answered_on_one_kept_connection(tmp_path: Path) -> None:
    """Two requests, one connection, both answered in full."""

    async def scene() -> None:
        async with serving(tmp_path) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get("/v1/a%20b?x=1"))
            assert (await raw.answer())[::2] == (200, b"GET /v1/a b 0")
            raw.say(post(b"12345"))
            assert (await raw.answer())[::2] == (200, b"POST /v1/x 5")
            assert server.connections == 1
            await raw.close()

    asyncio.run(scene())


def test_request_carries_headers_query_and_peer(tmp_path: Path) -> None:
    """A handler sees lower-case headers, the decoded query and who called."""
    seen: list[Request] = []

    async def handler(request: Request) -> Response:
        seen.append(request)
        return Response(status=204)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            status, headers, body = await one(
                path, get("/v1/x?state=held&note=a+b%26", "X-Two: 1", "X-Two: 2")
            )
            assert (status, body) == (204, b"")
            assert "content-length" not in headers

    asyncio.run(scene())
    assert seen[0].query == {"state": "held", "note": "a b&"}
    assert seen[0].headers["x-two"] == "1, 2"
    assert seen[0].peer is not None
    assert (seen[0].peer.uid, seen[0].peer.pid) == (os.getuid(), os.getpid())


def test_head_is_answered_without_a_body(tmp_path: Path) -> None:
    """HEAD gets the headers of GET, length included, and not one byte of the body."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            raw = await Raw.unix(path)
            raw.say("HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = await raw.rest()
            assert b"content-length: 7\r\n" in answer.lower()
            assert answer.endswith(b"\r\n\r\n")
            await raw.close()

    asyncio.run(scene())


def test_pipelined_requests_are_answered_in_order(tmp_path: Path) -> None:
    """Three requests in one write come back one after the other, the handler never doubled."""
    running = 0

    async def handler(request: Request) -> Response:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        running -= 1
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get("/1").encode() + post(b"ab") + get("/3").encode())
            bodies = [(await raw.answer())[2] for _ in range(3)]
            assert bodies == [b"GET /1 0", b"POST /v1/x 2", b"GET /3 0"]
            await raw.close()

    asyncio.run(scene())


def test_a_client_that_only_pipelines_is_held_back(tmp_path: Path) -> None:
    """While a handler runs, no more than a bounded amount of further requests is taken in."""
    go_on = asyncio.Event()

    async def handler(request: Request) -> Response:
        await go_on.wait()
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.writer.transport.set_write_buffer_limits(high=0)
            flood = get("/x", f"X-Pad: {'p' * 1000}").encode() * 4000
            raw.say(flood)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await raw.writer.drain()
            go_on.set()
            for _ in range(4000):
                assert (await raw.answer())[0] == 200
            await raw.close()

    asyncio.run(scene())


def test_chunked_bodies_are_joined(tmp_path: Path) -> None:
    """A chunked request body arrives as one."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            answer = await one(
                path,
                "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n",
            )
            assert answer[::2] == (200, b"POST / 5")

    asyncio.run(scene())


def test_expect_continue_is_honoured(tmp_path: Path) -> None:
    """A client that asks first is told to go on, and only then sends its body."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            raw = await Raw.unix(path)
            raw.say(post(b"", "Expect: 100-continue").replace(b"Length: 0", b"Length: 4"))
            assert (await raw.answer())[0] == 100
            raw.say(b"body")
            assert (await raw.answer())[::2] == (200, b"POST /v1/x 4")
            await raw.close()

    asyncio.run(scene())


def test_a_raising_handler_answers_500_and_the_line_lives_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A defect in one handler call costs one answer, not the connection or the server."""

    async def handler(request: Request) -> Response:
        if request.path == "/bad":
            raise KeyError("secret detail")
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get("/bad") + get("/good"))
            status, _, body = await raw.answer()
            assert (status, json.loads(body)["code"]) == (500, "server.failed")
            assert b"secret" not in body
            assert (await raw.answer())[0] == 200
            await raw.close()

    asyncio.run(scene())
    assert "event=handler_failed path=/bad" in caplog.text


def test_a_late_handler_is_cancelled_and_said_to_be_unknown(tmp_path: Path) -> None:
    """At the handler's deadline the client hears that the effect is unknown."""
    cancelled = False

    async def handler(_request: Request) -> Response:
        nonlocal cancelled
        try:
            await asyncio.Event().wait()
        finally:
            cancelled = True
        raise AssertionError

    async def scene() -> None:
        async with serving(tmp_path, handler, Limits(handler_timeout_s=0.05)) as (_, path):
            status, headers, body = await one(path, get())
            assert (status, json.loads(body)["code"]) == (503, "server.timeout")
            assert headers["retry-after"] == "1"

    asyncio.run(scene())
    assert cancelled


def test_hangup_cuts_without_an_answer(tmp_path: Path) -> None:
    """A handler that hangs up leaves the client with an end and not one byte."""

    async def handler(_request: Request) -> Response:
        raise Hangup

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get())
            assert await raw.rest() == b""
            await raw.close()

    asyncio.run(scene())


def test_hangup_in_a_body_cuts_in_the_middle(tmp_path: Path) -> None:
    """A body iterator that hangs up leaves a truncated answer."""

    async def handler(_request: Request) -> Response:
        async def body() -> AsyncIterator[bytes]:
            yield b"half"
            raise Hangup

        return Response(status=200, headers={"content-length": "8"}, body=body())

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get())
            answer = await raw.rest()
            assert b"content-length: 8" in answer.lower()
            assert answer.endswith(b"\r\n\r\nhalf")
            await raw.close()

    asyncio.run(scene())


def test_a_handler_outlives_its_client(tmp_path: Path) -> None:
    """A client that goes away does not stop the work it asked for; its slot stays taken."""
    reached, go_on = asyncio.Event(), asyncio.Event()
    finished = False

    async def handler(request: Request) -> Response:
        nonlocal finished
        reached.set()
        await go_on.wait()
        finished = True
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (server, path):
            raw = await Raw.unix(path)
            raw.say(get())
            await reached.wait()
            await raw.close()
            await asyncio.sleep(0.02)
            assert server.connections == 1
            go_on.set()
            await until(lambda: server.connections == 0)

    asyncio.run(scene())
    assert finished


def test_a_half_closed_client_gets_its_answer(tmp_path: Path) -> None:
    """Ending one's own side after the request is no reason not to be answered."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            raw = await Raw.unix(path)
            raw.say(get("/half"))
            raw.writer.write_eof()
            assert (await raw.rest()).endswith(b"GET /half 0")
            await raw.close()

    asyncio.run(scene())


def test_http_1_0_is_answered_and_closed(tmp_path: Path) -> None:
    """The old version is understood; its connection is not kept."""

    async def scene() -> None:
        async with serving(tmp_path) as (_, path):
            raw = await Raw.unix(path)
            raw.say("GET /old HTTP/1.0\r\n\r\n")
            assert (await raw.rest()).endswith(b"GET /old 0")
            await raw.close()

    asyncio.run(scene())
