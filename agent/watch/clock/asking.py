"""Asks a host what time it is, when its certificate's dates do not fit this terminal's clock.

One of the two is wrong, and only a third can say which. Who the host is is proved as always; only
the dates of its certificate are not looked at, and nothing is sent but "HEAD /". Only https hosts
are asked: an acquirer's ISO 8583 port is not the place for experiments.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from agent.config import AnyUplink, Iso8583Uplink
from agent.core.terminal.witness import AGAIN_MS
from agent.errors import AgentError
from agent.http.client import Answered, Client, Dial, Origin
from agent.link.tls import timeless
from agent.record import dataclass

log = logging.getLogger(__name__)

TIMEOUT_S = 4.0
#: A word counts when it is said again after this.
PAUSE_S = AGAIN_MS / 1000 + 0.1

Trust = Callable[[str, str, str], ssl.SSLContext]


class Heard(Protocol):
    """Takes in a header Date (`agent.watch.clock.hearing.Hearing.dated`)."""

    def __call__(self, name: str, date: str, took_s: float, *, asked: bool = False) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An https host and the files it is trusted by."""

    name: str
    host: str
    port: int
    files: tuple[str, str, str]


def places(uplinks: Sequence[AnyUplink]) -> list[Place]:
    """The https hosts of the uplinks."""
    found: list[Place] = []
    for one in uplinks:
        if isinstance(one, Iso8583Uplink):
            continue
        parts = urlsplit(one.url)
        if parts.scheme == "https" and parts.hostname:
            files = (one.ca_file, one.cert_file, one.key_file)
            found.append(
                Place(name=one.name, host=parts.hostname, port=parts.port or 443, files=files)
            )
    return found


async def ask(place: Place, dial: Dial, trust: Trust, heard: Heard) -> bool:
    """Twice, so that it counts; whether the host named a time."""
    try:
        context = timeless(trust(*place.files))
    except (AgentError, OSError) as error:
        log.debug("event=clock_not_asked host=%s reason=%r", place.name, str(error))
        return False
    client = Client(
        Origin(scheme="https", host=place.host, port=place.port),
        dial,
        tls=context,
        connect_timeout_s=TIMEOUT_S,
    )
    loop = asyncio.get_running_loop()
    try:
        for again in (False, True):
            if again:
                await asyncio.sleep(PAUSE_S)
            began_s = loop.time()
            answer = await client.request("HEAD", "/", answer_timeout_s=TIMEOUT_S)
            date = answer.headers.get("date", "") if isinstance(answer, Answered) else ""
            if not date:
                return False
            # From before the connection was opened: it makes the interval wider, never wrong.
            heard(place.name, date, loop.time() - began_s, asked=True)
        return True
    finally:
        await client.close()
