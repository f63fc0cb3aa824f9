"""Connections that are not to be used again, because there is another way to the host."""

from __future__ import annotations

import asyncio

from agent.http.client import Answered
from tests.http.hosts import LONG_S, Visit, answering, calling, hosting


def test_retired_connections_are_not_used_again_and_none_under_way_is_touched() -> None:
    """The kept one closes, the one under way ends in peace, the next request opens another."""
    go_on = asyncio.Event()

    async def scene() -> None:
        async def slow(visit: Visit) -> None:
            if visit.number == 2:
                await go_on.wait()
            await answering(visit)

        async with hosting(slow) as host, calling(host.port) as client:
            await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert client.idle_connections == 1
            client.retire()
            assert client.idle_connections == 0
            under_way = asyncio.create_task(client.request("GET", "/", answer_timeout_s=LONG_S))
            async with asyncio.timeout(LONG_S):
                while len(host.visits) < 2:
                    await asyncio.sleep(0.005)
            client.retire()
            go_on.set()
            assert isinstance(await under_way, Answered)
            assert client.idle_connections == 0
            await client.request("GET", "/", answer_timeout_s=LONG_S)
            assert (len(host.visits), client.idle_connections) == (3, 1)

    asyncio.run(scene())
