"""What the server refuses before a handler sees it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agent.http.message import Limits, Request, Response
from tests.http.wires import Raw, get, hello, one, post, serving, until

CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "garbage": (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400, "request.malformed"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "request.malformed"),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "request.malformed"),
    "space before colon": (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, "request.malformed"),
    "absolute target": (
        b"GET http://evil/ HTTP/1.1\r\nHost: a\r\n\r\n",
        400,
        "request.malformed",
    ),
    "connect": (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "request.malformed"),
    "escaped slash": (get("/v1/a%2Fb").encode(), 400, "request.malformed"),
    "broken escape": (get("/v1/a%2").encode(), 400, "request.malformed"),
    "escaped newline": (get("/v1/a%0Ab").encode(), 400, "request.malformed"),
    "not utf-8": (get("/v1/%ff").encode(), 400, "request.malformed"),
    "double query name": (get("/?a=1&a=2").encode(), 400, "request.malformed"),
    "length and chunked": (
        CHUNKED.replace(b"Transfer", b"Content-Length: 4\r\nTransfer") + b"0\r\n\r\n",
        400,
        "request.ambiguous_length",
    ),
    "chunked in 1.0": (
        b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
        "request.ambiguous_length",
    ),
    "two lengths": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        400,
        "request.ambiguous_length",
    ),
    "signed length": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +4\r\n\r\nabcd",
        400,
        "request.ambiguous_length",
    ),
    "chunked hidden by a tab": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n",
        400,
        "request.malformed",
    ),
    "folded length": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n 5\r\n\r\nabcde",
        400,
        "request.malformed",
    ),
    "folded header": (get("/", "X-A: a\r\n\tb").encode(), 400, "request.malformed"),
    "gzip, chunked": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        501,
        "request.encoding",
    ),
    "bad chunk size": (
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        400,
        "request.malformed",
    ),
    "http 2": (b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "request.version"),
    "large head in one write": (
        get("/", f"X-Pad: {'p' * 17_000}").encode(),
        431,
        "request.head_too_large",
    ),
    "endless head": (b"GET /" + b"x" * 17_000, 431, "request.head_too_large"),
    "stated length too large": (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n",
        413,
        "request.body_too_large",
    ),
    "chunks too large": (
        b"".join([CHUNKED, b"100\r\n", b"x" * 256, b"\r\n400\r\n", b"x" * 1024, b"\r\n"]),
        413,
        "request.body_too_large",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unfit_requests_are_refused_with_a_code(tmp_path: Path, case: str) -> None:
    """Malformed, ambiguous and oversize requests never reach the handler and close the line."""
    data, status, code = REFUSED[case]

    async def handler(_request: Request) -> Response:
        raise AssertionError("the handler was reached")

    async def scene() -> None:
        async with serving(tmp_path, handler, Limits(body_bytes=1024)) as (server, path):
            raw = await Raw.unix(path)
            raw.say(data)
            got, headers, body = await raw.answer()
            problem = json.loads(body)
            assert (got, problem["code"], problem["status"]) == (status, code, status)
            assert problem["detail"]
            assert headers["content-type"] == "application/problem+json"
            assert headers["connection"] == "close"
            assert await raw.rest() == b""
            await raw.close()
            await until(lambda: server.connections == 0)

    asyncio.run(scene())


def test_nothing_smuggled_behind_a_refusal_is_read(tmp_path: Path) -> None:
    """What follows an ambiguous request is thrown away, not served as a request of its own."""
    paths: list[str] = []

    async def handler(request: Request) -> Response:
        paths.append(request.path)
        return await hello(request)

    async def scene() -> None:
        async with serving(tmp_path, handler) as (_, path):
            raw = await Raw.unix(path)
            raw.say(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
                "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get("/smuggled")
            )
            assert (await raw.answer())[0] == 400
            raw.say(get("/smuggled/later"))
            assert await raw.rest() == b""
            await raw.close()

    asyncio.run(scene())
    assert paths == []


def test_an_oversize_upload_can_still_read_its_refusal(tmp_path: Path) -> None:
    """A client that goes on writing after 413 gets the answer instead of a reset."""

    async def scene() -> None:
        async with serving(tmp_path, limits=Limits(body_bytes=1000)) as (_, path):
            status, _, body = await one(path, post(b"x" * 3_000_000))
            assert (status, json.loads(body)["code"]) == (413, "request.body_too_large")

    asyncio.run(scene())
