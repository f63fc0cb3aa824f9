"""The uplink room: profiles from the configuration become runners, runners one part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol
from urllib.parse import urlsplit

from agent.config import AnyUplink, Iso8583Uplink
from agent.config import Uplink as HttpsConfig
from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import OnUnknown, Profile
from agent.core.money.journal import Record
from agent.core.money.qr import Windows
from agent.core.money.transaction import Submission
from agent.http.client import Client, Dial, Origin
from agent.link.tls import client_context
from agent.uplink.attempt import Ports
from agent.uplink.https import HttpsUplink
from agent.uplink.lapser import Lapser
from agent.uplink.overdue import Overdue
from agent.uplink.uploader import Runner, Uploader

#: Holds a submission against what its uplink can deliver. Raises RequestError.
Check = Callable[[Submission], None]


class CauseOf(Protocol):
    """Names the cause of a broken connection (`agent.link`)."""

    def __call__(self, error: BaseException) -> str: ...


class Times(Protocol):
    """Who collects what hosts say about the time (`agent.watch.clock.hearing.Hearing`)."""

    def dated(self, name: str, date: str, took_s: float) -> None: ...
    def fielded(self, name: str, month_day: str, time: str, took_s: float) -> None: ...


class Prepared(Protocol):
    """What the app handed over beside a payment (the store)."""

    async def query_payload(self, record: Record) -> bytes | None: ...
    async def waits_for_covered(self, record: Record) -> bool: ...
    async def reverse(self, key: str, reason: str) -> Record: ...


def build(
    uplinks: Sequence[AnyUplink],
    ports: Ports,
    *,
    dial: Callable[[AnyUplink], Dial],
    cause_of: CauseOf,
    prepared: Prepared,
    overdue: Overdue | None = None,
    windows: Mapping[str, Windows] | None = None,
    times: Times | None = None,
) -> Uploader:
    """One runner per profile, in the order of the configuration."""
    runners: dict[str, Runner] = {}
    waits: dict[str, float] = {}
    for config in uplinks:
        if isinstance(config, Iso8583Uplink):
            from agent.uplink import iso8583

            timed = None if times is None else partial(times.fielded, config.name)
            acquirer = iso8583.build(config, dial(config), prepared, timed)
            runner = Runner(_channel(config), _acquirer_profile(config), acquirer, ports)
            acquirer.on_late = runner.late
            waits[config.name] = config.batch_wait_s
        else:
            client = _client(config, dial(config), cause_of, times)
            uplink = HttpsUplink(
                config.url,
                client,
                answer_timeout_s=config.answer_timeout_s,
                outcomes=config.outcomes,
            )
            profile = _profile(config, (windows or {}).get(config.name))
            runner = Runner(_channel(config), profile, uplink, ports)
        runners[config.name] = runner
    lapser = Lapser(ports.journal, ports.clock, prepared.waits_for_covered, waits)
    return Uploader(runners, lapser, overdue)


def checks(uplinks: Sequence[AnyUplink]) -> Mapping[str, Check]:
    """By uplink, what holds a payment against it before it is recorded."""
    found: dict[str, Check] = {}
    for config in uplinks:
        if isinstance(config, Iso8583Uplink):
            from agent.uplink import iso8583

            found[config.name] = iso8583.intake(config).check
    return found


def _client(
    config: HttpsConfig, dial: Dial, cause_of: CauseOf, times: Times | None = None
) -> Client:
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
        dated=None if times is None else partial(times.dated, config.name),
    )


def _channel(config: AnyUplink) -> Channel:
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


def _profile(config: HttpsConfig, windows: Windows | None) -> Profile:
    return Profile(
        qr=windows,
        status_query=config.status_query,
        on_unknown=OnUnknown(config.on_unknown),
        key_window_s=config.key_window_s,
        host_in_flight_s=config.host_in_flight_s,
        backoff_base_s=config.backoff_base_s,
        backoff_cap_s=config.backoff_cap_s,
    )


def _acquirer_profile(config: Iso8583Uplink) -> Profile:
    from agent.core.money.field39 import Table  # only where such a host is configured

    return Profile(
        # Whether a payment can be asked about depends on what the app gave with it.
        status_query=True,
        on_unknown=OnUnknown(config.on_unknown),
        key_window_s=config.key_window_s,
        host_in_flight_s=config.host_in_flight_s,
        backoff_base_s=config.backoff_base_s,
        backoff_cap_s=config.backoff_cap_s,
        resend_requests=False,
        resend_codes=Table(config.codes).resendable(),
    )


__all__ = ["Check", "Overdue", "Ports", "Uploader", "build", "checks"]
