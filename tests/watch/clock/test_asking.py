"""Which of the two is wrong, the certificate or the clock: the host is asked, over real TLS."""

from __future__ import annotations

import asyncio
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.config import Iso8583Uplink, Uplink
from agent.config.system import Clock as Config
from agent.core.health.reading import Reading
from agent.link.dial import Dialer
from agent.link.fault import DialError
from agent.link.tls import client_context, timeless
from agent.sim.host import HostOptions, ReferenceHost
from agent.watch.clock import build
from agent.watch.clock.asking import places
from tests.fakes import Straight

trustme = pytest.importorskip("trustme")

MONTH_S = 30 * 86_400


class Expired:
    """A host whose certificate expired yesterday, by this machine's clock."""

    def __init__(self, directory: Path, *, true_s_ago: float) -> None:
        authority = trustme.CA()
        yesterday = datetime.now(UTC) - timedelta(days=1)
        made = authority.issue_cert("127.0.0.1", not_after=yesterday)
        self.ca_file, self.other_ca = directory / "ca.pem", directory / "other.pem"
        cert, key = directory / "host.pem", directory / "host.key"
        authority.cert_pem.write_to_path(str(self.ca_file))
        trustme.CA().cert_pem.write_to_path(str(self.other_ca))
        cert.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(str(key))
        self.host = ReferenceHost(
            HostOptions(cert_file=cert, key_file=key),
            now_ms=lambda: round((time.time() - true_s_ago) * 1000),
        )


async def told(expired: Expired, ca_file: Path) -> Reading:
    """What the clock's watcher says after connectivity found the certificate expired."""
    host = expired.host
    await host.start()
    try:
        uplink = Uplink(name="bank", url=host.url, ca_file=str(ca_file))
        dialer = Dialer(Straight())
        with pytest.raises(DialError):  # control: nothing else gets through
            await dialer.open("127.0.0.1", host.port, client_context(str(expired.ca_file)), 4.0)
        watcher = build(
            Config(sources=("http",)),
            [uplink],
            clock=SystemClock(),
            dial=dialer,
            trust=client_context,
        )
        watcher.listens(lambda: [_Refused()])
        outcome = await watcher.read()
    finally:
        await host.close()
    assert isinstance(outcome, Reading)
    return outcome


class _Refused:
    component = "connectivity"
    outcome = Reading({"tls": "failed", "tls_code": "tls.host_certificate_expired"})


def test_a_clock_a_month_ahead_is_found_out_by_the_host_it_refuses(tmp_path: Path) -> None:
    """The certificate is good at the host's time: the clock is to blame, and by how much."""
    values = asyncio.run(_values(tmp_path, true_s_ago=MONTH_S))
    assert (values["state"], values["wrong"]) == ("wrong", True)
    assert values["offset_s"] == pytest.approx(MONTH_S, abs=5)
    assert values["source"] == "probe_date bank"


def test_a_certificate_that_really_expired_is_left_to_blame(tmp_path: Path) -> None:
    """The host has the same time as we: the clock is proved right."""
    values = asyncio.run(_values(tmp_path, true_s_ago=0))
    assert (values["state"], values["wrong"]) == ("right", False)


async def _values(directory: Path, *, true_s_ago: float) -> dict[str, object]:
    expired = Expired(directory, true_s_ago=true_s_ago)
    return dict((await told(expired, expired.ca_file)).values)


def test_a_stranger_is_not_heard_about_the_time(tmp_path: Path) -> None:
    """Only the dates of a certificate are not looked at; whose it is still counts."""
    expired = Expired(tmp_path, true_s_ago=MONTH_S)
    outcome = asyncio.run(told(expired, expired.other_ca))
    assert (outcome.values["state"], outcome.values["wrong"]) == ("unknown", False)


def test_a_timeless_context_checks_all_but_dates() -> None:
    """Name, chain and protocol as ever."""
    context = timeless(client_context())
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_only_https_hosts_are_asked() -> None:
    """An acquirer's port is not the place for experiments, and http proves nothing."""
    found = places(
        [
            Iso8583Uplink(name="acquirer", host="10.0.0.1", port=5_000),
            Uplink(name="plain", url="http://127.0.0.1/pay"),
            Uplink(name="bank", url="https://bank.example/pay"),
        ]
    )
    assert [(one.name, one.host, one.port) for one in found] == [("bank", "bank.example", 443)]
