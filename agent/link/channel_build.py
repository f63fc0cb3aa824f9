"""The channels built from the configuration, and connections over them for others.

Loaded by `agent.main` only where [[channel]] is configured.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import Config, Iso8583Uplink
from agent.link.channel_ways import Maker
from agent.link.channels import ChannelsPart, Ports, Select
from agent.link.contact import Told
from agent.link.dial import Dialer, Reach, stays_here


def build(
    config: Config, *, clock: Clock, blocking: Blocking, draw: Callable[[], float],
    select: Select | None, told: Told,
) -> ChannelsPart:  # fmt: skip
    """The part of a terminal with [[channel]]s."""
    return ChannelsPart(
        config.channel,
        config.channels,
        Ports(
            clock=clock,
            draw=draw,
            dialer=Dialer(blocking, purpose="probe"),
            maker=Maker(config.channels.doubt_after_s),
            targets=[each for each in _hosts(config) if not stays_here(each[0], "")],
            select=select,
            told=told,
        ),
    )


def reaching(part: ChannelsPart, dialer: Dialer) -> Reach:
    """For who brings his own TLS: connections over the channel in use."""

    async def reach(host: str, port: int, timeout_s: float) -> tuple[socket.socket, str, str]:
        way = part.way()
        if stays_here(host, way.interface):
            reached = await dialer.reach(host, port, timeout_s, None)
            return reached.sock, "", ""
        async with way.dialling(timeout_s):
            reached = await dialer.reach(host, port, timeout_s, way)
        return reached.sock, way.channel, way.interface

    return reach


def _hosts(config: Config) -> Iterator[tuple[str, int]]:
    """Whom a channel has to reach: the uplinks' hosts, then the brokers."""
    for link in config.uplink:
        if isinstance(link, Iso8583Uplink):
            yield link.host, link.port
        else:
            parts = urlsplit(link.url)
            yield parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    for url in config.telemetry.endpoints:
        parts = urlsplit(url)
        yield parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883)
