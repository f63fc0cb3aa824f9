"""The HTTP client: what stands on the wire, and what provably never left."""

from __future__ import annotations

import asyncio

import pytest

from agent.errors import RemoteError
from agent.http.client import Answered, Client, NotSent, Origin
from tests.http.hosts import LONG_S, Visit, answering, ask, calling, closed_port, hosting
from tests.http.wires import until


def test_a_request_stands_on_the_wire_as_given() -> None:
    """Line, headers, length and body arrive byte for byte, and compression is declined."""
    got: list[bytes] = []

    async def script(visit: Visit) -> None:
        got.append(await visit.request())
        visit.ok(b"fine", "X-Ref: 7", "x-ref: 8")

    outcome = ask(script, body=b"\x00\xff payload")
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.body, outcome.headers["x-ref"]) == (200, b"fine", "7, 8")
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert body == b"\x00\xff payload"
    assert head.startswith(b"POST /v1/post HTTP/1.1\r\n")
    for line in (b"x-key: k1", b"accept-encoding: identity", b"content-length: 10"):
        assert line in head.lower().split(b"\r\n")


def test_get_has_no_length_and_host_names_the_port() -> None:
    """A GET carries no body framing; Host is host:port unless the port is the usual one."""
    got: list[bytes] = []

    async def script(visit: Visit) -> None:
        got.append(await visit.head())
        visit.ok()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            await client.request("GET", "/v1/post/k1", answer_timeout_s=LONG_S)
            assert f"host: 127.0.0.1:{host.port}".encode() in got[0].lower()

    asyncio.run(scene())
    assert b"content-length" not in got[0].lower()
    assert Origin(scheme="https", host="h", port=443).authority == "h"
    assert Origin(scheme="http", host="::1", port=8080).authority == "[::1]:8080"


def test_interim_answers_are_skipped() -> None:
    """1xx are no answers; the real one behind them counts."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.say(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n")
        visit.ok(b"real")

    outcome = ask(script)
    assert isinstance(outcome, Answered)
    assert outcome.body == b"real"


def test_redirects_are_not_followed() -> None:
    """A 307 is handed to the caller, and no second connection is made."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.say(b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    outcome = ask(script)
    assert isinstance(outcome, Answered)
    assert (outcome.status, outcome.headers["location"]) == (307, "http://127.0.0.1:1/")


def test_a_chunked_answer_is_joined() -> None:
    """Chunks become one body."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        visit.say(b"3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")

    outcome = ask(script)
    assert isinstance(outcome, Answered)
    assert outcome.body == b"abcd"


# Nothing left.


def test_a_refused_connection_is_not_sent() -> None:
    """Nobody listens: provably nothing left, and the cause is named."""

    async def scene() -> None:
        async with calling(port := closed_port()) as client:
            outcome = await client.request("POST", "/", body=b"x", answer_timeout_s=LONG_S)
        assert isinstance(outcome, NotSent)
        assert (outcome.layer, outcome.code) == ("tcp", "network.host_unreachable")
        assert outcome.reason == f"127.0.0.1:{port} refused the connection"

    asyncio.run(scene())


def test_before_first_byte_runs_between_connecting_and_writing() -> None:
    """The hook sees a standing connection on which the host has not received one byte."""
    order: list[str] = []

    async def script(visit: Visit) -> None:
        order.append("connected")
        await visit.reader.readexactly(1)
        order.append("first byte")
        await visit.head()
        visit.ok()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:

            async def hook() -> None:
                await until(lambda: "connected" in order)
                await asyncio.sleep(0.05)
                order.append("hook")

            outcome = await client.request(
                "GET", "/", before_first_byte=hook, answer_timeout_s=LONG_S
            )
            assert isinstance(outcome, Answered)

    asyncio.run(scene())
    assert order == ["connected", "hook", "first byte"]


def test_before_first_byte_is_not_called_without_a_connection() -> None:
    """What cannot be sent is not recorded as being sent."""

    async def hook() -> None:
        raise AssertionError("called")

    async def scene() -> None:
        async with calling(closed_port()) as client:
            outcome = await client.request(
                "GET", "/", before_first_byte=hook, answer_timeout_s=LONG_S
            )
            assert isinstance(outcome, NotSent)

    asyncio.run(scene())


def test_a_raising_hook_sends_nothing_and_passes_through() -> None:
    """If the commit before the first byte fails, the host gets an end and not one byte."""
    got: list[bytes] = []

    async def script(visit: Visit) -> None:
        got.append(await visit.reader.read())

    async def hook() -> None:
        raise RemoteError("store.full", "no commit")  # even of the type dialing raises

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            with pytest.raises(RemoteError, match="no commit"):
                await client.request("GET", "/", before_first_byte=hook, answer_timeout_s=LONG_S)
            await until(lambda: bool(got))

    asyncio.run(scene())
    assert got == [b""]


def test_a_host_that_hangs_up_before_the_first_byte_is_tried_once_more() -> None:
    """Closed during the commit: a fresh connection is taken, and the hook hears of it."""
    hooks = 0

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await answering(visit)

    async def scene() -> None:
        nonlocal hooks

        async def hook() -> None:
            nonlocal hooks
            hooks += 1
            if hooks == 1:
                await until(host.visits[0].writer.is_closing)
                await asyncio.sleep(0.02)

        async with hosting(script) as host, calling(host.port) as client:
            outcome = await client.request(
                "GET", "/", before_first_byte=hook, answer_timeout_s=LONG_S
            )
            assert isinstance(outcome, Answered)
            assert outcome.body == b"answer on 2"

    asyncio.run(scene())
    assert hooks == 2


def test_a_host_that_always_hangs_up_at_once_is_not_sent() -> None:
    """A host that closes every connection before the first byte has received nothing."""

    class SlowDial:
        """Hands out connections the host has had time to close."""

        async def open(
            self, host: str, port: int, _tls: object, _timeout_s: float
        ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            reader, writer = await asyncio.open_connection(host, port)
            await until(reader.at_eof)
            return reader, writer

    async def script(_visit: Visit) -> None:
        return

    async def scene() -> None:
        async with hosting(script) as host:
            origin = Origin(scheme="http", host="127.0.0.1", port=host.port)
            client = Client(origin, SlowDial())
            outcome = await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert isinstance(outcome, NotSent)
            assert "before anything was sent" in outcome.reason
            assert len(host.visits) == 2

    asyncio.run(scene())
