"""Once bytes have left: whatever goes wrong, by when, and how much was handed over."""

from __future__ import annotations

import asyncio

import pytest

from agent.http.client import Answered, Unanswered
from tests.http.hosts import LONG_S, Script, Visit, ask, calling, hosting
from tests.http.wires import until


async def _reset_after_request(visit: Visit) -> None:
    await visit.request()
    visit.reset()


async def _close_after_request(visit: Visit) -> None:
    await visit.request()


async def _half_head(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-")


async def _half_body(visit: Visit) -> None:
    await visit.request()
    visit.say(b'HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{"status":')


async def _half_chunk(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")


async def _garbage(visit: Visit) -> None:
    await visit.request()
    visit.say(b"220 mail.example ESMTP\r\n\r\n")


async def _compressed(visit: Visit) -> None:
    await visit.request()
    visit.ok(b"\x1f\x8b", "Content-Encoding: gzip")


async def _two_lengths(visit: Visit) -> None:
    await visit.request()
    visit.ok(b"0\r\n\r\n", "Transfer-Encoding: chunked")


async def _switching(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
    await visit.reader.read()


async def _large_stated(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n")
    await visit.reader.read()


async def _large_unstated(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        visit.say(b"x" * 65_536)
        await visit.writer.drain()


async def _endless_interim(visit: Visit) -> None:
    await visit.request()
    while True:
        visit.say(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)
        await visit.writer.drain()


async def _endless_head(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000)
    await visit.reader.read()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (_reset_after_request, "the connection was reset"),
        (_close_after_request, "without an answer"),
        (_half_head, "in the middle of its answer"),
        (_half_body, "in the middle of its answer"),
        (_half_chunk, "in the middle of its answer"),
        (_garbage, "not well-formed"),
        (_compressed, "compressed"),
        (_two_lengths, "in two ways"),
        (_switching, "HTTP/1.1"),
        (_large_stated, "exceeds 1048576 bytes"),
        (_large_unstated, "exceeds 1048576 bytes"),
        (_endless_interim, "exceeds 1048576 bytes"),
        (_endless_head, "not well-formed"),
    ],
)
def test_anything_but_a_whole_answer_is_unanswered(script: Script, words: str) -> None:
    """Once bytes have left, every ending but a whole answer leaves the outcome unknown."""
    outcome = ask(script, body=b"x" * 100)
    assert isinstance(outcome, Unanswered)
    assert words in outcome.reason
    assert outcome.reason.startswith("127.0.0.1:")
    assert 100 < outcome.sent_bytes < 400


def test_a_reset_in_the_middle_of_the_body_is_unanswered() -> None:
    """Some of a large body left: in doubt, and counted as more than nothing and less than all."""

    async def script(visit: Visit) -> None:
        await visit.head()
        await visit.reader.readexactly(100_000)
        visit.reset()

    outcome = ask(script, body=b"x" * 30_000_000)
    assert isinstance(outcome, Unanswered)
    assert 100_000 <= outcome.sent_bytes < 30_000_000


def test_an_early_answer_to_a_large_body_is_read() -> None:
    """A host that answers before it has the body, and stops reading, is heard."""

    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
        await asyncio.Event().wait()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            outcome = await client.request(
                "POST", "/", body=b"x" * 30_000_000, answer_timeout_s=LONG_S
            )
            assert isinstance(outcome, Answered)
            assert (outcome.status, outcome.body) == (413, b"no")
            assert client.idle_connections == 0

    asyncio.run(scene())


def test_a_large_body_arrives_whole_and_the_line_is_kept() -> None:
    """Megabytes go out in pieces; the connection carries the next request."""

    async def script(visit: Visit) -> None:
        while True:
            got = await visit.request()
            visit.ok(str(len(got.partition(b"\r\n\r\n")[2])).encode())

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            for _ in range(2):
                outcome = await client.request(
                    "POST", "/", body=b"x" * 3_000_000, answer_timeout_s=LONG_S
                )
                assert isinstance(outcome, Answered)
                assert outcome.body == b"3000000"
            assert len(host.visits) == 1

    asyncio.run(scene())


async def _silent(visit: Visit) -> None:
    await visit.request()
    await asyncio.Event().wait()


async def _drip_head(visit: Visit) -> None:
    await visit.request()
    for letter in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 10_000:
        visit.say(bytes([letter]))
        await visit.writer.drain()
        await asyncio.sleep(0.005)


async def _drip_body(visit: Visit) -> None:
    await visit.request()
    visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(100_000):
        visit.say(b"x")
        await visit.writer.drain()
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("script", [_silent, _drip_head, _drip_body])
def test_no_host_can_extend_the_answer_deadline(script: Script) -> None:
    """Silent or dripping, the request ends at its deadline, in doubt."""

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            began = asyncio.get_running_loop().time()
            outcome = await client.request("GET", "/", answer_timeout_s=0.2)
            assert asyncio.get_running_loop().time() - began < 3
            assert isinstance(outcome, Unanswered)
            assert "within 0.2 s" in outcome.reason

    asyncio.run(scene())


def test_a_host_that_does_not_read_meets_the_deadline_too() -> None:
    """A body the host does not take cannot hold the request for ever."""

    async def script(visit: Visit) -> None:
        await asyncio.Event().wait()
        await visit.head()

    outcome = ask(script, body=b"x" * 30_000_000, answer_timeout_s=0.2)
    assert isinstance(outcome, Unanswered)
    assert 0 < outcome.sent_bytes < 30_000_000


def test_cancelling_a_request_closes_its_connection() -> None:
    """A caller that gives up leaves no connection an answer could still arrive on."""
    ended = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.request()
        try:
            await visit.reader.read()
        finally:
            ended.set()

    async def scene() -> None:
        async with hosting(script) as host, calling(host.port) as client:
            task = asyncio.create_task(client.request("GET", "/", answer_timeout_s=LONG_S))
            await until(lambda: bool(host.visits))
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(LONG_S):
                await ended.wait()
            assert client.idle_connections == 0

    asyncio.run(scene())
