"""Accepting TLS connections a few at a time disturbs nobody else in the process."""

from __future__ import annotations

import asyncio
import socket
import ssl

from agent.http.shaking import Shaking
from tests.http.hosts import LONG_S


def test_a_socket_opened_as_it_closes_hears_what_it_is_sent() -> None:
    """The number of a closed socket is given to the next one; that may be a payment's."""

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        listening.listen(1)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        shaking = Shaking(listening, asyncio.Protocol, tls, at_once=1, within_s=1.0)
        for _ in range(3):
            await asyncio.sleep(0)  # it is listened at
        number = listening.fileno()
        shaking.close()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            assert number in (ours.fileno(), theirs.fileno())
            if ours.fileno() != number:
                ours, theirs = theirs, ours
            ours.setblocking(False)
            heard = asyncio.Event()
            loop.add_reader(ours, heard.set)
            for _ in range(3):
                await asyncio.sleep(0)
            theirs.send(b"x")
            async with asyncio.timeout(LONG_S):
                await heard.wait()
            loop.remove_reader(ours)

    asyncio.run(scene())
