"""The way to the hosts, layer by layer, over fixture trees and real sockets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from agent.config import Connectivity, Iso8583Uplink, Uplink
from agent.core.health.reading import Reading, Value
from agent.core.health.standard import STANDARD
from agent.errors import OperatorError
from agent.link.dial import DialError
from agent.link.tls import client_context
from agent.watch.connectivity import (
    LAYERS,
    ConnectivityWatcher,
    Ports,
    Target,
    build,
    targets,
)
from tests.fakes import FakeClock

T = TypeVar("T")

NET = Path(__file__).parent.parent / "fixtures" / "net"
HOST = Target(host="pay.example.cn", port=8443)
SECURE = Target(host="pay.example.cn", port=443, files=("", "", ""))
LITERAL = Target(host="203.0.113.7", port=8443)
GOOD = {"eth0": ["192.168.1.50"], "wwan0": ["10.0.0.9"], "ppp0": ["100.64.0.2"]}


class Straight:
    """Calls at once; may be told to let a name hang."""

    def __init__(self) -> None:
        self.hangs: set[str] = set()

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        if name in self.hangs:
            raise TimeoutError
        return function()


class Dial:
    """Leads every target to one local listener, unless told what goes wrong."""

    def __init__(self, clock: FakeClock) -> None:
        self.wrong: dict[str, DialError] = {}
        self.wrong_tls: DialError | None = None
        self.calls: list[tuple[str, bool]] = []
        self.takes_s = 0.0
        self.port = 0
        self._clock = clock

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.calls.append((host, tls is not None))
        self._clock.advance(self.takes_s)
        if tls is not None and self.wrong_tls is not None:
            raise self.wrong_tls
        if host in self.wrong:
            raise self.wrong[host]
        return await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=tls, server_hostname=host if tls else None
        )


class Bench:
    """One watcher over one fixture tree."""

    def __init__(
        self,
        tree: str | Path,
        hosts: Sequence[Target] = (HOST,),
        config: Connectivity | None = None,
        addresses: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.blocking = Straight()
        self.dial = Dial(self.clock)
        self.names: dict[str, list[str] | OSError] = {"pay.example.cn": ["203.0.113.7"]}
        self.root = NET / tree
        self.addresses = dict(GOOD if addresses is None else addresses)
        self.server_tls: ssl.SSLContext | None = None
        self.trust: Callable[[str, str, str], ssl.SSLContext] = client_context
        self.ports = Ports(
            blocking=self.blocking,
            dial=self.dial,
            trust=self._trust,
            clock=self.clock,
            root=self.root,
            addresses=lambda: self.addresses,
            resolve=self._resolve,
        )
        self.watcher = ConnectivityWatcher(config or Connectivity(), hosts, self.ports)

    def read(self, times: int = 1, between: Callable[[], object] = lambda: None) -> Reading:
        async def run() -> Reading:
            server = await asyncio.start_server(
                lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=self.server_tls
            )
            self.dial.port = server.sockets[0].getsockname()[1]
            async with server:
                outcome = await self.watcher.read()
                for _ in range(times - 1):
                    between()
                    self.clock.advance(60)
                    outcome = await self.watcher.read()
            await asyncio.sleep(0)
            assert isinstance(outcome, Reading)
            return outcome

        return asyncio.run(run())

    def states(self) -> list[Value]:
        values = self.read().values
        return [values[name] for name in LAYERS]

    def _trust(self, ca: str, certificate: str, key: str) -> ssl.SSLContext:
        return self.trust(ca, certificate, key)

    def _resolve(self, name: str) -> list[str]:
        found = self.names[name]
        if isinstance(found, OSError):
            raise found
        return found


def raised(reading: Reading) -> set[str]:
    judged = STANDARD.judged_by("connectivity")
    return {one.code for one, sign in judged if sign.judge(reading.values)}


def test_everything_in_order() -> None:
    """A wired terminal with a reachable host: all layers proven, nothing raised."""
    bench = Bench("wired")
    bench.dial.takes_s = 0.04
    reading = bench.read()
    assert [reading.values[name] for name in LAYERS] == [*["ok"] * 6, "not_needed"]
    assert reading.values["lowest_broken"] == ""
    assert reading.values["interface"] == "eth0"
    assert reading.values["ip_address"] == "192.168.1.50"
    assert reading.values["gateway_address"] == "192.168.1.1"
    assert reading.values["gateway_state"] == "complete"
    assert reading.values["dns_servers"] == "192.168.1.1 114.114.114.114"
    assert reading.values["connect_ms"] == 40
    assert (reading.values["hosts"], reading.values["hosts_reached"]) == (1, 1)
    assert reading.evidence["eth0"] == "up, 192.168.1.50, 2 link changes"
    assert raised(reading) == set()


def test_an_unplugged_cable_is_named_and_nothing_above_it_is_tried() -> None:
    """Not tried is not failed: one cause is raised."""
    bench = Bench("unplugged", addresses={})
    reading = bench.read()
    assert [reading.values[name] for name in LAYERS[:6]] == ["failed", *["not_tried"] * 5]
    assert reading.values["lowest_broken"] == "carrier"
    assert bench.dial.calls == []
    assert raised(reading) == {"network.no_link"}


@pytest.mark.parametrize("addresses", [{}, {"eth0": ["169.254.3.4"]}, {"eth0": ["fe80::7"]}])
def test_no_address_or_a_self_assigned_one(addresses: dict[str, list[str]]) -> None:
    """169.254/16 means DHCP failed, as much as having none."""
    bench = Bench("no_dhcp", addresses=addresses)
    reading = bench.read()
    assert reading.values["lowest_broken"] == "address"
    assert bench.dial.calls == []
    assert raised(reading) == {"network.no_address"}


def unreachable(bench: Bench) -> None:
    bench.names["pay.example.cn"] = OSError("Temporary failure in name resolution")


def test_no_default_route() -> None:
    """The way out is missing; the name failing above it follows from that."""
    bench = Bench("no_route")
    unreachable(bench)
    reading = bench.read()
    assert reading.values["lowest_broken"] == "route"
    assert reading.values["gateway"] == "not_tried"
    assert raised(reading) == {"network.no_gateway", "network.dns_failed"}


def test_a_gateway_nobody_answers_for() -> None:
    """An incomplete neighbour after the probes is a dead router."""
    bench = Bench("dead_gateway")
    unreachable(bench)
    reading = bench.read()
    assert reading.values["lowest_broken"] == "gateway"
    assert reading.values["gateway_state"] == "incomplete"


def test_proof_beats_inference() -> None:
    """A host that answers clears the layers below it, whatever the tables say."""
    assert Bench("dead_gateway").states()[:6] == ["ok", "ok", "ok", "not_needed", "ok", "ok"]
    bench = Bench("no_route", hosts=[LITERAL])
    assert bench.states()[:6] == ["ok", "ok", "not_needed", "not_tried", "not_needed", "ok"]


def test_a_neighbour_the_kernel_forgot_is_no_fault() -> None:
    """Never asked, or asked long ago: nothing is known, nothing is raised."""
    bench = Bench("main_and_backup", config=Connectivity(interfaces=("wwan0",)))
    bench.root = NET / "ppp"
    assert bench.states()[3] == "ok"
    bench = Bench("ipv6")
    assert bench.read().values["gateway"] == "not_tried"


def test_a_point_to_point_line_needs_no_gateway() -> None:
    """Mobile data over PPP: carrier without operstate, route without gateway."""
    assert Bench("ppp").states()[:6] == ["ok", "ok", "ok", "not_needed", "ok", "ok"]


def test_the_backup_carries_the_terminal() -> None:
    """Of the watched interfaces the one that gets furthest counts; the other is evidence."""
    bench = Bench("main_and_backup", config=Connectivity(interfaces=("eth0", "wwan0")))
    reading = bench.read()
    assert reading.values["interface"] == "wwan0"
    assert reading.values["carrier"] == "ok"
    assert reading.evidence["eth0"].startswith("no link (down)")


def test_a_configured_interface_that_is_missing() -> None:
    """It is named, like an unplugged one."""
    bench = Bench("wired", config=Connectivity(interfaces=("eth7",)))
    reading = bench.read()
    assert (reading.values["interface"], reading.values["carrier"]) == ("eth7", "failed")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (OSError("Name or service not known"), "Name or service not known"),
        ([], "the name has no address"),
    ],
)
def test_a_name_that_does_not_resolve(answer: list[str] | OSError, reason: str) -> None:
    """DNS is named with server, name and reason; its host was not tried."""
    bench = Bench("wired")
    bench.names["pay.example.cn"] = answer
    reading = bench.read()
    assert reading.values["lowest_broken"] == "dns"
    assert reading.values["dns_reason"] == reason
    assert reading.values["tcp"] == "not_tried"
    assert bench.dial.calls == []
    assert raised(reading) == {"network.dns_failed"}


def test_a_resolver_that_hangs() -> None:
    """Silence becomes a failed layer with the time waited."""
    bench = Bench("wired")
    bench.blocking.hangs.add("connectivity.dns")
    reading = bench.read()
    assert reading.values["dns_reason"] == "no answer within 5 s"


def test_hosts_given_as_addresses_are_tried_without_dns() -> None:
    """A dead resolver does not hide that the host itself is fine."""
    bench = Bench("wired", hosts=[HOST, LITERAL])
    unreachable(bench)
    reading = bench.read()
    assert bench.dial.calls == [("203.0.113.7", False)]
    assert reading.values["hosts_reached"] == 1
    assert raised(reading) == {"network.dns_failed"}


def test_a_name_the_dialer_cannot_resolve_counts_as_dns() -> None:
    """Whoever finds out first: the layer is the same."""
    bench = Bench("wired")
    bench.dial.wrong["pay.example.cn"] = DialError("dns", "the name is gone")
    reading = bench.read()
    assert (reading.values["dns"], reading.values["dns_reason"]) == ("failed", "the name is gone")


def test_a_host_that_refuses() -> None:
    """Everything below is fine: the host is named with the reason."""
    bench = Bench("wired", hosts=[LITERAL, HOST])
    bench.dial.wrong["pay.example.cn"] = DialError("tcp", "connection refused")
    reading = bench.read()
    assert reading.values["lowest_broken"] == "tcp"
    assert reading.values["host"] == "pay.example.cn:8443"
    assert reading.values["tcp_reason"] == "connection refused"
    assert reading.values["hosts_reached"] == 1
    assert raised(reading) == {"network.host_unreachable"}


def test_hosts_on_this_machine_need_no_network() -> None:
    """A demo on loopback without any network blames neither cable nor router."""
    for tree, addresses in (("unplugged", {}), ("bare", {}), ("wired", GOOD)):
        hosts = [Target(host="127.0.0.1", port=1), Target(host="localhost", port=2)]
        bench = Bench(tree, hosts=hosts, addresses=addresses)
        reading = bench.read()
        assert [reading.values[name] for name in LAYERS] == [
            *["not_needed"] * 5,
            "ok",
            "not_needed",
        ]
        assert raised(reading) == set()
    assert reading.values["ip_address"] == "192.168.1.50"


def test_a_loopback_host_that_is_gone_is_still_told() -> None:
    """No network is needed, but the host is."""
    bench = Bench("bare", hosts=[Target(host="127.0.0.1", port=1)], addresses={})
    bench.dial.wrong["127.0.0.1"] = DialError("tcp", "connection refused")
    assert raised(bench.read()) == {"network.host_unreachable"}


def test_without_any_host_the_network_is_described_and_not_blamed() -> None:
    """An unconfigured terminal raises nothing."""
    bench = Bench("unplugged", hosts=[], addresses={})
    reading = bench.read()
    assert raised(reading) == set()
    assert reading.values["link_up"] is False
    assert "host" not in reading.values


def test_a_certificate_is_read_from_a_real_handshake() -> None:
    """TLS is proven with the days that are left."""
    bench = Bench("wired", hosts=[SECURE])
    authority = trustme.CA()
    leaf = authority.issue_cert(
        "pay.example.cn", not_after=bench.clock.now().at + timedelta(days=20, hours=1)
    )
    bench.server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(bench.server_tls)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    bench.trust = lambda *_: trusting
    reading = bench.read()
    assert reading.values["tls"] == "ok"
    assert reading.values["certificate_days"] == 20
    assert reading.values["certificate_of"] == "pay.example.cn:443"
    assert raised(reading) == {"tls.certificate_expiring"}
    bench.clock.trusted = False
    assert "certificate_days" not in bench.read().values


def test_a_handshake_that_fails_names_its_cause() -> None:
    """The dialer's cause becomes the condition."""
    bench = Bench("wired", hosts=[SECURE])
    bench.dial.wrong_tls = DialError("tls", "self-signed certificate", "tls.untrusted")
    reading = bench.read()
    assert reading.values["lowest_broken"] == "tls"
    assert reading.values["tls_reason"] == "self-signed certificate"
    assert raised(reading) == {"tls.untrusted"}


def test_certificate_files_that_cannot_be_used_are_told() -> None:
    """A missing CA file is a failed handshake with the reason, not a crash."""
    bench = Bench("wired", hosts=[SECURE])

    def missing(*_: str) -> ssl.SSLContext:
        raise OperatorError("config.file_missing", "the CA file /x does not exist")

    bench.trust = missing
    reading = bench.read()
    assert reading.values["tls"] == "failed"
    assert "the CA file /x does not exist" in str(reading.values["tcp_reason"])


def test_while_all_is_well_hosts_are_tried_rarely() -> None:
    """One connection in five rounds; handshakes once an hour."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.read(times=11)
    assert len(bench.dial.calls) == 3


def test_handshakes_are_rarer_still() -> None:
    """A good certificate is looked at again after an hour."""
    bench = Bench("wired", hosts=[SECURE])
    authority = trustme.CA()
    bench.server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pay.example.cn").configure_cert(bench.server_tls)
    anything = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(anything)
    bench.trust = lambda *_: anything
    plain = bench.server_tls
    bench.read(times=1)
    assert bench.dial.calls == [("pay.example.cn", False), ("pay.example.cn", True)]
    bench.server_tls = None
    reading = bench.read(times=10)
    assert [tls for _, tls in bench.dial.calls].count(True) == 1
    assert reading.values["tls"] == "ok"
    bench.server_tls = plain
    bench.clock.advance(3_600)
    bench.read(times=5)
    assert [tls for _, tls in bench.dial.calls].count(True) == 2


def test_trouble_is_looked_at_every_round() -> None:
    """A broken host is tried again each round, so that its recovery is seen."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    bench.read(times=4)
    assert len(bench.dial.calls) == 4


def test_a_changed_network_is_probed_at_once() -> None:
    """Another address or route makes the old proof worthless."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.read(times=2, between=lambda: bench.addresses.update(eth0=["192.168.1.77"]))
    assert len(bench.dial.calls) == 2


def test_dropping_links_are_counted_over_an_hour(tmp_path: Path) -> None:
    """Each loss is two changes; what is older than an hour, or another driver's, is forgotten."""
    shutil.copytree(NET / "wired", tmp_path / "tree")
    counter = tmp_path / "tree/sys/class/net/eth0/carrier_changes"
    bench = Bench(tmp_path / "tree", hosts=[LITERAL])

    def drops(changes: int, after_s: float) -> Value:
        counter.write_text(f"{changes}\n")
        bench.clock.advance(after_s)
        return bench.read().values["drops_last_hour"]

    assert drops(2, 0) == 0
    assert drops(4, 60) == 1
    assert drops(10, 60) == 4
    assert drops(10, 3_550) == 3
    assert drops(10, 3_600) == 0
    assert drops(1, 60) == 0


def test_targets_come_from_the_configuration_or_the_uplinks() -> None:
    """Explicit hosts win; uplinks that are switched off are left alone."""
    uplinks = [
        Uplink(name="a", url="https://pay.example.cn/v1/tx", ca_file="/ca", cert_file="/c"),
        Uplink(name="b", url="https://pay.example.cn:443/other", ca_file="/ca", cert_file="/c"),
        Uplink(name="c", url="http://127.0.0.1:8080/tx"),
        Uplink(name="d", url="https://off.example.cn/", enabled=False),
    ]
    mine = Target(host="pay.example.cn", port=443, files=("/ca", "/c", ""))
    assert targets(Connectivity(), uplinks) == [mine, Target(host="127.0.0.1", port=8080)]
    chosen = Connectivity(hosts=("203.0.113.7:9000", "https://pay.example.cn/", "[::1]:7"))
    assert targets(chosen, uplinks) == [
        Target(host="203.0.113.7", port=9000),
        mine,
        Target(host="::1", port=7),
    ]
    assert str(Target(host="::1", port=7)) == "[::1]:7"


def test_the_real_network_of_this_machine_can_be_read() -> None:
    """Built as the daemon builds it, with nothing to reach: a reading, and no fault."""
    clock = FakeClock()
    watcher = build(
        Connectivity(),
        [],
        clock=clock,
        blocking=Straight(),
        dial=Dial(clock),
        trust=client_context,
    )
    outcome = asyncio.run(watcher.read())
    assert isinstance(outcome, Reading)
    assert raised(outcome) == set()


def test_an_acquirer_is_a_target_too() -> None:
    """ISO 8583 uplinks are reached like any other, with TLS where they speak it."""
    links = (
        Iso8583Uplink(name="a", host="pos.example.cn", port=8583, ca_file="/ca"),
        Iso8583Uplink(name="b", host="10.0.0.9", port=5000, tls=False),
    )
    assert targets(Connectivity(), links) == [
        Target(host="pos.example.cn", port=8583, files=("/ca", "", "")),
        Target(host="10.0.0.9", port=5000, files=None),
    ]
