"""The way to the hosts, layer by layer, over fixture trees and real sockets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
import trustme

from agent.config import Connectivity, Iso8583Uplink, Uplink
from agent.core.health.reading import Reading, Value
from agent.core.health.standard import STANDARD
from agent.errors import OperatorError
from agent.link.contact import Contact
from agent.link.dial import DialError
from agent.link.fault import FORBIDDEN
from agent.link.tls import client_context
from agent.watch.connectivity import (
    LAYERS,
    ConnectivityWatcher,
    Ports,
    Target,
    build,
    names,
    sockets,
    targets,
)
from agent.watch.connectivity.names import Told
from tests.fakes import FakeClock

T = TypeVar("T")

NET = Path(__file__).parent.parent.parent / "fixtures" / "net"
SERVERS = ("192.168.1.1", "114.114.114.114")
FAILED_UPLOAD = Contact(
    purpose="uplink", host="pay.example.cn", port=8443, layer="tcp", reason="timed out"
)
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


class Wire(sockets.Wire):
    """The gateway, without sending anything."""

    def __init__(self) -> None:
        self.arp: bool | None = None
        self.speaks = False
        self.asked: list[str] = []

    async def gateway_answers(
        self, interface: str, gateway: str, source: str, wait_s: float
    ) -> tuple[bool | None, int]:
        self.asked.append("arp")
        return self.arp, 60

    async def gateway_speaks(
        self, interface: str, gateway: str, wait_s: float, tries: int
    ) -> tuple[bool, int]:
        self.asked.append("datagram")
        return self.speaks, 56

    def nudge(self, interface: str, gateway: str) -> int:
        return 28


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
        self.names: dict[str, list[str] | OSError] = {"pay.example.cn": ["203.0.113.9"]}
        self.root = NET / tree
        self.wire = Wire()
        self.wire.speaks = tree != "dead_gateway"
        self.servers: dict[str, Told] = {}
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
            ask_server=self._ask,
            wire=self.wire,
            netlink=False,
        )
        self.watcher = ConnectivityWatcher(config or Connectivity(), hosts, self.ports)

    def read(
        self, times: int = 1, between: Callable[[], object] = lambda: None, step_s: float = 60
    ) -> Reading:
        async def run() -> Reading:
            server = await asyncio.start_server(
                lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=self.server_tls
            )
            self.dial.port = server.sockets[0].getsockname()[1]
            async with server:
                outcome = await self.watcher.read()
                for _ in range(times - 1):
                    between()
                    self.clock.advance(step_s)
                    outcome = await self.watcher.read()
            await asyncio.sleep(0)
            assert isinstance(outcome, Reading)
            return outcome

        return asyncio.run(run())

    def states(self) -> list[Value]:
        values = self.read().values
        return [values[name] for name in LAYERS]

    async def _ask(self, server: str, name: str, **_: object) -> Told:
        if name.endswith(".invalid"):
            return replace(self.servers.get("invented", Told(server="", kind=names.NXDOMAIN)))
        found = self.servers.get(server, Told(server="", kind=names.NO_ANSWER))
        return replace(found, server=server)

    def _trust(self, ca: str, certificate: str, key: str) -> ssl.SSLContext:
        return self.trust(ca, certificate, key)

    def _resolve(self, name: str) -> list[str]:
        found = self.names[name]
        if isinstance(found, OSError):
            raise found
        return found


def secured(bench: Bench) -> None:
    """Have it speak TLS with a certificate it trusts."""
    authority = trustme.CA()
    bench.server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("pay.example.cn").configure_cert(bench.server_tls)
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(trusting)
    bench.trust = lambda *_: trusting


def raised(reading: Reading) -> set[str]:
    judged = STANDARD.judged_by("connectivity")
    return {one.code for one, sign in judged if sign.judge(reading.values)}


def test_everything_in_order() -> None:
    """A wired terminal with a reachable host: all layers proven, nothing raised."""
    bench = Bench("wired")
    bench.dial.takes_s = 0.04
    reading = bench.read()
    assert [reading.values[name] for name in LAYERS] == [
        *["ok"] * 4, "not_needed", *["ok"] * 3, "not_needed", "not_tried",
    ]  # fmt: skip
    assert (reading.values["vpn"], reading.values["probing"]) == ("not_needed", "normal")
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
    assert [reading.values[name] for name in LAYERS[:4]] == ["failed", *["not_tried"] * 3]
    assert [reading.values[name] for name in LAYERS[6:]] == [
        *["not_tried"] * 2,
        "not_needed",
        "not_tried",
    ]
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
    assert Bench("dead_gateway").states()[:4] == ["ok", "ok", "ok", "not_needed"]
    bench = Bench("no_route", hosts=[LITERAL])
    assert bench.states()[:4] == ["ok", "ok", "not_needed", "not_tried"]


def test_a_neighbour_the_kernel_forgot_is_no_fault() -> None:
    """Never asked, or asked long ago: what lies behind it answers for it, or nothing is known."""
    assert Bench("ipv6").read().values["gateway"] == "ok"
    bench = Bench("ipv6", hosts=[LITERAL])
    bench.wire.speaks = False
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    assert bench.read().values["gateway"] == "not_tried"


def test_a_point_to_point_line_needs_no_gateway() -> None:
    """Mobile data over PPP: carrier without operstate, route without gateway."""
    assert Bench("ppp").states()[:4] == ["ok", "ok", "ok", "not_needed"]


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
    ("answer", "told", "kind", "reason"),
    [
        (OSError("not known"), names.NXDOMAIN, "nxdomain", "knows no name pay.example.cn"),
        (OSError("not known"), names.REFUSED, "refused", "refuses to answer"),
        (OSError("not known"), names.SERVFAIL, "servfail", "cannot find out about pay.example.cn"),
        (OSError("not known"), names.NO_ANSWER, "no_answer", "does not answer"),
        ([], names.EMPTY, "empty", "knows pay.example.cn but no address of it"),
    ],
)
def test_a_name_that_does_not_resolve(
    answer: list[str] | OSError, told: str, kind: str, reason: str
) -> None:
    """Every server is asked by itself: server, name and kind are told; the host was not tried."""
    bench = Bench("wired")
    bench.names["pay.example.cn"] = answer
    bench.servers = dict.fromkeys(SERVERS, Told(server="", kind=told))
    reading = bench.read()
    assert reading.values["lowest_broken"] == "dns"
    assert reading.values["dns_kind"] == kind
    assert reading.values["dns_reason"] == f"{', '.join(SERVERS)} {reason}"
    assert reading.values["tcp"] == "not_tried"
    assert bench.dial.calls == []
    assert raised(reading) == {"network.dns_failed"}


def test_a_resolver_that_hangs() -> None:
    """The system's question still hangs, but a server answers: that is where the host is tried."""
    bench = Bench("wired")
    bench.blocking.hangs.add("connectivity.dns pay.example.cn")
    good = Told(server="", kind=names.ANSWERED, addresses=("203.0.113.9",))
    bench.servers = {SERVERS[1]: good}
    reading = bench.read()
    assert (reading.values["dns"], reading.values["tcp"]) == ("ok", "ok")
    bench.servers = {}
    bench.dial.wrong["203.0.113.9"] = DialError("tcp", "timed out")
    bench.clock.advance(600)
    bench.watcher.heard(FAILED_UPLOAD)
    reading = bench.read()
    assert reading.values["dns_kind"] == "no_answer"
    assert reading.values["dns_silent"] == " ".join(SERVERS)


def test_no_name_server_set(tmp_path: Path) -> None:
    """That is named before any is blamed."""
    shutil.copytree(NET / "wired", tmp_path / "tree")
    (tmp_path / "tree/etc/resolv.conf").unlink()
    bench = Bench(tmp_path / "tree")
    unreachable(bench)
    reading = bench.read()
    assert (reading.values["lowest_broken"], reading.values["dns_kind"]) == ("dns", "no_server")


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "169.254.3.3", "::"])
def test_an_address_no_host_can_have_is_a_lie(address: str) -> None:
    """Nobody knocks at our own door for the acquirer."""
    bench = Bench("wired")
    bench.names["pay.example.cn"] = [address]
    reading = bench.read()
    assert (reading.values["lowest_broken"], reading.values["dns_kind"]) == ("dns", "lying")
    assert bench.dial.calls == []


def test_a_server_that_invents_hosts_lies() -> None:
    """The host does not answer where its name leads, and names that cannot exist lead there too."""
    bench = Bench("wired")
    bench.names["pay.example.cn"] = ["192.168.1.1"]
    bench.dial.wrong["192.168.1.1"] = DialError("tcp", "refused the connection")
    assert bench.read().values["dns"] == "ok"
    bench.servers["invented"] = Told(server="", kind=names.ANSWERED, addresses=("192.168.1.1",))
    bench.clock.advance(60)
    reading = bench.read()
    assert (reading.values["lowest_broken"], reading.values["dns_kind"]) == ("dns", "lying")
    assert "names that do not exist" in str(reading.values["dns_reason"])


def test_a_host_that_moved_into_the_shop_is_a_lie() -> None:
    """It answered at a public address before; now its name leads to the router."""
    bench = Bench("wired")
    bench.read()
    bench.names["pay.example.cn"] = ["192.168.1.1"]
    bench.dial.wrong["192.168.1.1"] = DialError("tcp", "timed out")
    bench.clock.advance(60)
    bench.watcher.heard(FAILED_UPLOAD)
    assert bench.read().values["dns_kind"] == "lying"


def test_hosts_given_as_addresses_are_tried_without_dns() -> None:
    """A dead resolver does not hide that the host itself is fine."""
    bench = Bench("wired", hosts=[HOST, LITERAL])
    unreachable(bench)
    reading = bench.read()
    assert bench.dial.calls == [("203.0.113.7", False)]
    assert reading.values["hosts_reached"] == 1
    assert raised(reading) == {"network.dns_failed"}


def test_a_host_that_refuses() -> None:
    """Everything below is fine: the host is named with the reason."""
    bench = Bench("wired", hosts=[LITERAL, HOST])
    bench.dial.wrong["203.0.113.9"] = DialError("tcp", "it refused the connection")
    reading = bench.read()
    assert reading.values["lowest_broken"] == "tcp"
    assert reading.values["host"] == "pay.example.cn:8443"
    assert reading.values["tcp_reason"] == "it refused the connection"
    assert reading.values["tcp_refused"] is True
    assert reading.values["hosts_reached"] == 1
    assert raised(reading) == {"network.host_unreachable"}


def test_hosts_on_this_machine_need_no_network() -> None:
    """A demo on loopback without any network blames neither cable nor router."""
    for tree, addresses in (("unplugged", {}), ("bare", {}), ("wired", GOOD)):
        hosts = [Target(host="127.0.0.1", port=1), Target(host="localhost", port=2)]
        bench = Bench(tree, hosts=hosts, addresses=addresses)
        reading = bench.read()
        assert [reading.values[name] for name in LAYERS] == [
            *["not_needed"] * 7, "ok", "not_needed", "not_tried",
        ]  # fmt: skip
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


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OperatorError("config.file_missing", "the CA file /ca does not exist"), "tls.ca_expired"),
        (
            OperatorError("config.file_unreadable", "the key file /k cannot be read"),
            "config.permission_denied",
        ),
        (OperatorError("config.not_pem", "/c holds no key"), "config.credential_expired"),
        (ssl.SSLError("odd"), "tls.ca_expired"),
    ],
)
def test_certificate_files_that_cannot_be_used_are_told(error: Exception, code: str) -> None:
    """Our own files are at fault: said so, and never blamed on the host."""
    bench = Bench("wired", hosts=[replace(SECURE, files=("/ca", "", ""))])

    def missing(*_: str) -> ssl.SSLContext:
        raise error

    bench.trust = missing
    reading = bench.read()
    assert (reading.values["tls"], reading.values["tls_code"]) == ("failed", code)
    assert raised(reading) == {code}


def test_while_all_is_well_hosts_are_tried_rarely() -> None:
    """A day of idling stays within its bytes, handshakes included, and never stops altogether."""
    bench = Bench("wired", hosts=[SECURE])
    secured(bench)
    last = bench.read(times=288, step_s=300)
    assert 6 <= len(bench.dial.calls) <= 14
    assert [tls for _, tls in bench.dial.calls].count(True) <= 2
    assert 5_000 <= int(str(last.values["bytes_spent"])) <= 10_000
    assert last.values["tls"] == "ok"


def test_nothing_is_sent_where_nothing_may_be_spent() -> None:
    """With no bytes a day only the first look and doubts are paid for."""
    bench = Bench("wired", hosts=[LITERAL], config=Connectivity(probe_bytes_per_day=0))
    last = bench.read(times=60, step_s=1_200)
    assert len(bench.dial.calls) == 1
    assert last.values["probing"] == "slower"


def test_others_connections_are_proof() -> None:
    """Uploads that hold postpone every test: a busy terminal is not tested."""
    bench = Bench("wired", hosts=[SECURE])
    secured(bench)
    bench.read()
    before = len(bench.dial.calls)
    held = Contact(purpose="uplink", host=SECURE.host, port=443, tls=True, connect_ms=7)
    last = bench.read(times=200, step_s=300, between=lambda: bench.watcher.heard(held))
    assert len(bench.dial.calls) == before
    assert (last.values["tcp"], last.values["tls"], last.values["connect_ms"]) == ("ok", "ok", 7)


def test_an_upload_that_holds_ends_a_fault_at_once() -> None:
    """Even where the day's bytes are spent: name and host are proven by it."""
    bench = Bench("wired", config=Connectivity(probe_bytes_per_day=0))
    unreachable(bench)
    assert bench.read().values["lowest_broken"] == "dns"
    bench.clock.advance(10)
    assert bench.read().values["lowest_broken"] == "dns"
    calls = len(bench.dial.calls)
    bench.names["pay.example.cn"] = ["203.0.113.9"]
    bench.watcher.heard(Contact(purpose="uplink", host=HOST.host, port=HOST.port))
    last = bench.read()
    assert (last.values["dns"], last.values["tcp"], last.values["lowest_broken"]) == (
        "ok", "ok", "",
    )  # fmt: skip
    assert len(bench.dial.calls) == calls + 1


def test_a_failed_upload_is_looked_into() -> None:
    """Somebody's failure is a symptom: the host is tried at once, whatever was proven before."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.read()
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    bench.clock.advance(10)
    assert bench.read().values["lowest_broken"] == ""
    bench.watcher.heard(replace(FAILED_UPLOAD, host="203.0.113.7"))
    assert bench.read().values["lowest_broken"] == "tcp"


def test_proof_older_than_a_failed_test_proves_nothing() -> None:
    """MQTT held a minute ago; the gateway is dead now, and named."""
    bench = Bench("dead_gateway", hosts=[LITERAL])
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    bench.watcher.heard(Contact(purpose="mqtt", host="mq.example.cn", port=8883, tls=True))
    bench.clock.advance(60)
    assert bench.read().values["lowest_broken"] == "gateway"


def test_pokes_come_within_the_second_and_not_twice() -> None:
    """A burst of failures has the watcher read once."""

    async def run() -> None:
        bench = Bench("wired", hosts=[])
        poked: list[float] = []
        done = asyncio.Event()

        def poke() -> None:
            poked.append(1)
            done.set()

        bench.watcher.heed(poke)
        for _ in range(5):
            bench.watcher.heard(FAILED_UPLOAD)
        async with asyncio.timeout(5):
            await done.wait()
        assert len(poked) == 1
        await bench.watcher.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("references", "portal", "internet", "lowest"),
    [
        ("timed out", "", "failed", "internet"),
        ("", "", "ok", "tcp"),
    ],
)
def test_a_dead_line_is_told_from_a_dead_host(
    references: str, portal: str, internet: str, lowest: str
) -> None:
    """The references decide: where they are silent as well, nobody is sent to the acquirer."""
    config = Connectivity(references=("198.51.100.1:53", "198.51.100.2:53"))
    bench = Bench("wired", hosts=[LITERAL], config=config)
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    if references:
        for one in ("198.51.100.1", "198.51.100.2"):
            bench.dial.wrong[one] = DialError("tcp", references)
    reading = bench.read()
    assert (reading.values["internet"], reading.values["lowest_broken"]) == (internet, lowest)


def test_a_dead_gateway_is_known_by_its_silence() -> None:
    """The kernel still believes in it; it answered us before and does not now."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.read()
    assert bench.wire.asked == ["datagram"]
    bench.wire.speaks = False
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    bench.clock.advance(60)
    bench.watcher.heard(replace(FAILED_UPLOAD, host="203.0.113.7"))
    reading = bench.read()
    assert reading.values["lowest_broken"] == "gateway"
    assert raised(reading) >= {"network.no_gateway"}


def test_what_this_terminal_forbids_itself_is_not_the_hosts_fault() -> None:
    """A packet filter of our own is named as a missing right."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.dial.wrong["203.0.113.7"] = DialError(
        "local", "this terminal cannot open a connection: not permitted", FORBIDDEN
    )
    assert raised(bench.read()) == {"config.permission_denied"}


def test_a_private_line_that_is_down() -> None:
    """A configured tunnel without a link or an address is named."""
    config = Connectivity(tunnels=("wg0",))
    bench = Bench("wired", hosts=[LITERAL], config=config)
    reading = bench.read()
    assert (reading.values["vpn"], reading.values["tunnel"]) == ("failed", "wg0")
    assert raised(reading) == {"network.vpn_down"}


def test_an_interface_that_is_taken_out_is_a_missing_link() -> None:
    """It had the default route; that another one is up does not hide it."""
    bench = Bench("wired", hosts=[LITERAL])
    bench.read()
    bench.ports = replace(bench.ports, root=NET / "bare")
    moved = ConnectivityWatcher(Connectivity(), [LITERAL], bench.ports)
    moved._memory = bench.watcher._memory  # the same watcher, other files
    bench.watcher = moved
    reading = bench.read()
    assert (reading.values["interface"], reading.values["lowest_broken"]) == ("eth0", "carrier")


def test_recovery_is_passed_on() -> None:
    """Who waits out a back-off is told that the way is open again; once."""
    bench = Bench("wired", hosts=[LITERAL])
    told: list[int] = []
    bench.watcher = ConnectivityWatcher(
        Connectivity(), [LITERAL], bench.ports, recovered=lambda: told.append(1)
    )
    bench.dial.wrong["203.0.113.7"] = DialError("tcp", "timed out")
    bench.read()
    assert told == []
    bench.dial.wrong.clear()
    bench.read(times=3, between=lambda: None)
    bench.clock.advance(60)
    bench.read(times=2)
    assert told == [1]


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
