"""Connections kept between requests, and when they must not be."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest

from agent.errors import InternalError
from agent.http.client import Answered, Client, Origin
from tests.http.hosts import LONG_S, Visit, answering, calling, closed_port, hosting
from tests.http.wires import until


def test_connections_are_kept_and_reused() -> None:
    """Ten requests in a row need one connection."""

    async def scene() -> None:
        async with hosting(answering) as host, calling(host.port) as client:
            for _ in range(10):
                outcome = await client.request("GET", "/", answer_timeout_s=LONG_S)
                assert isinstance(outcome, Answered)
            assert (len(host.visits), client.idle_connections) == (1, 1)

    asyncio.run(scene())


def test_at_most_so_many_are_kept() -> None:
    """Ten at once get ten connections; only the set number stays open."""

    async def scene() -> None:
        async with hosting(answering) as host, calling(host.port, max_idle=3) as client:
            await asyncio.gather(
                *(client.request("GET", "/", answer_timeout_s=LONG_S) for _ in range(10))
            )
            assert (len(host.visits), client.idle_connections) == (10, 3)

    asyncio.run(scene())


async def _fin(visit: Visit) -> None:
    # Straight into the kernel: closing the writer would take another turn of the loop.
    visit.writer.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


async def _rst(visit: Visit) -> None:
    visit.reset()
    await asyncio.sleep(0)  # the transport closes its socket one turn later


async def _unasked(visit: Visit) -> None:
    visit.say(b"HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n")
    await visit.writer.drain()


@pytest.mark.parametrize("spoil", [_fin, _rst, _unasked])
@pytest.mark.parametrize("noticed", [True, False])
def test_a_kept_connection_gone_bad_is_replaced(
    spoil: Callable[[Visit], Awaitable[None]], noticed: bool
) -> None:
    """Closed, reset or spoken on while idle: a fresh one is used, and nothing counts as sent.

    Also at the last moment: the bytes are in the kernel, but the loop has not seen them yet.
    """

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            await answering(visit)
        await visit.request()
        visit.ok(b"first")
        await asyncio.Event().wait()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert client.idle_connections == 1
            await spoil(host.visits[0])
            if noticed:
                await until(lambda: client.idle_connections == 0)
            outcome = await client.request("POST", "/", body=b"money", answer_timeout_s=LONG_S)
            assert isinstance(outcome, Answered)
            assert outcome.body == b"answer on 2"

    asyncio.run(scene())


def test_before_first_byte_is_asked_again_for_a_second_connection() -> None:
    """Dialling takes seconds: what was in time for the first connection may be late for the next,
    and then no byte is written."""
    asked = 0

    async def script(visit: Visit) -> None:
        if visit.number > 1:
            assert await visit.reader.read() == b""  # closed without a word
            return
        await visit.request()
        visit.ok(b"first")
        await asyncio.Event().wait()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            await client.request("GET", "/", answer_timeout_s=LONG_S)

            async def hook() -> None:
                nonlocal asked
                asked += 1
                if asked == 1:
                    await _fin(host.visits[0])
                else:
                    raise TimeoutError("too late")

            with pytest.raises(TimeoutError, match="too late"):
                await client.request("POST", "/", before_first_byte=hook, answer_timeout_s=LONG_S)
            assert (asked, len(host.visits)) == (2, 2)

    asyncio.run(scene())


def test_an_idle_connection_is_closed_after_its_time() -> None:
    """Kept connections do not outlive `keep_alive_s`."""
    ended = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.ok()
        assert await visit.reader.read() == b""
        ended.set()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port, keep_alive_s=0.05) as client:
            await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert client.idle_connections == 1
            async with asyncio.timeout(LONG_S):
                await ended.wait()
            assert client.idle_connections == 0

    asyncio.run(scene())


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
    ],
)
def test_a_connection_that_cannot_be_trusted_is_not_kept(answer: bytes) -> None:
    """Asked to close, old version, or bytes behind the answer: never used again."""

    async def script(visit: Visit) -> None:
        await visit.request()
        visit.say(answer)
        await visit.reader.read()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            outcome = await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert isinstance(outcome, Answered)
            assert outcome.body == b"{}"
            await until(lambda: client.idle_connections == 0)

    asyncio.run(scene())


def test_a_header_http_forbids_is_our_own_fault_and_not_quoted() -> None:
    """A line break in a header is refused before dialing, without repeating the value."""

    async def scene() -> None:
        async with calling(closed_port()) as client:
            with pytest.raises(InternalError) as caught:
                await client.request(
                    "GET", "/", [("authorization", "secret\r\nx: y")], answer_timeout_s=LONG_S
                )
            assert "secret" not in str(caught.value)

    asyncio.run(scene())


def test_scheme_and_context_must_agree() -> None:
    """https without a TLS context would send money in clear: refused when built."""

    class Never:
        async def open(self, *_: object) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
            raise AssertionError(socket)

    with pytest.raises(InternalError):
        Client(Origin(scheme="https", host="h", port=443), Never())
