"""The uplink room: profiles from the configuration become runners, runners one part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from agent.config import Uplink as UplinkConfig
from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import OnUnknown, Profile
from agent.http.client import Client, Dial, Origin
from agent.link.tls import client_context
from agent.uplink.attempt import Ports
from agent.uplink.https import HttpsUplink
from agent.uplink.lapser import Lapser
from agent.uplink.uploader import Runner, Uploader


class CauseOf(Protocol):
    """Names the cause of a broken connection (`agent.link`)."""

    def __call__(self, error: BaseException) -> str: ...


def build(
    uplinks: Sequence[UplinkConfig],
    ports: Ports,
    *,
    dial: Callable[[UplinkConfig], Dial],
    cause_of: CauseOf,
) -> Uploader:
    """One runner per profile, in the order of the configuration."""
    runners: dict[str, Runner] = {}
    for config in uplinks:
        client = _client(config, dial(config), cause_of)
        uplink = HttpsUplink(
            config.url,
            client,
            answer_timeout_s=config.answer_timeout_s,
            outcomes=config.outcomes,
        )
        runners[config.name] = Runner(_channel(config), _profile(config), uplink, ports)
    return Uploader(runners, Lapser(ports.journal, ports.clock))


def _client(config: UplinkConfig, dial: Dial, cause_of: CauseOf) -> Client:
    parts = urlsplit(config.url)
    secure = parts.scheme == "https"
    return Client(
        Origin(
            scheme="https" if secure else "http",
            host=parts.hostname or "",
            port=parts.port or (443 if secure else 80),
        ),
        dial,
        tls=client_context(config.ca_file, config.cert_file, config.key_file) if secure else None,
        connect_timeout_s=config.connect_timeout_s,
        keep_alive_s=config.keep_alive_s,
        max_idle=config.in_flight,
        cause_of=cause_of,
    )


def _channel(config: UplinkConfig) -> Channel:
    switched = ChannelState.OK
    if config.shadow:
        switched = ChannelState.SHADOW
    elif not config.enabled:
        switched = ChannelState.DISABLED
    return Channel(
        name=config.name,
        base_s=config.backoff_base_s,
        cap_s=config.backoff_cap_s,
        pause_s=config.pause_s,
        width=config.in_flight,
        switched=switched,
    )


def _profile(config: UplinkConfig) -> Profile:
    return Profile(
        status_query=config.status_query,
        on_unknown=OnUnknown(config.on_unknown),
        key_window_s=config.key_window_s,
        host_in_flight_s=config.host_in_flight_s,
        backoff_base_s=config.backoff_base_s,
        backoff_cap_s=config.backoff_cap_s,
    )


__all__ = ["Ports", "Uploader", "build"]
