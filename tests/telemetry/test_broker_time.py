"""A broker that tells the time in a user property of its greeting, over a real socket."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter

import pytest

from agent.core.fleet.session import Dialect
from agent.telemetry.attempt import Attempt, BrokerTime, Endpoint, Will
from agent.telemetry.transport import Connection


def text(said: str) -> bytes:
    raw = said.encode()
    return len(raw).to_bytes(2, "big") + raw


def greeting(*properties: tuple[str, str]) -> bytes:
    """CONNACK of MQTT 5 with user properties."""
    told = b"".join(b"\x26" + text(name) + text(value) for name, value in properties)
    body = b"\x00\x00" + bytes([len(told)]) + told
    return b"\x20" + bytes([len(body)]) + body


@pytest.mark.parametrize(
    ("properties", "told"),
    [
        ((("time", "1795000000"), ("other", "1")), ["1795000000"]),
        ((("other", "1"),), []),
        ((), []),
    ],
)
def test_the_named_property_is_handed_on(
    properties: tuple[tuple[str, str], ...], told: list[str]
) -> None:
    """With the broker's name and how long it took; any other property is nobody's time."""
    heard: list[tuple[str, str, float]] = []

    async def body() -> None:
        gone = asyncio.Event()

        async def serve(reader: StreamReader, writer: StreamWriter) -> None:
            await reader.read(1_024)
            writer.write(greeting(*properties))
            await writer.drain()
            await reader.read(1_024)  # until the client has gone
            writer.close()
            gone.set()

        opened = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        connection = Connection(
            Attempt(
                endpoint=Endpoint("127.0.0.1", port, tls=False),
                dialect=Dialect.V5,
                client_id="t",
                keepalive_s=60,
                will=Will(topic="t", payload=b"x", delay_s=1),
                time=BrokerTime("time", lambda *one: heard.append(one)),
            ),
            lambda _, word: opened.set() if type(word).__name__ == "Opened" else None,
        )
        connection.start()
        async with asyncio.timeout(20):
            await opened.wait()
            connection.disconnect()
            await gone.wait()
            while connection.alive:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0)  # the last words of the thread
        server.close()
        await server.wait_closed()

    asyncio.run(body())
    assert [(name, value) for name, value, _ in heard] == [("127.0.0.1", one) for one in told]
    assert all(0 <= took_s < 20 for _, _, took_s in heard)
