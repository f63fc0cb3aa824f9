"""What is injected, and which cause the daemon must show for it.

One entry per fault: how it is done to the lab, and the released cause code that names it ("" where
the daemon must stay quiet). `also` are codes that may stand beside it without being wrong; what
stands beside it otherwise is a misnaming. `local` marks faults of the terminal itself: naming host
or bank for one of these is the worst mistake this table looks for.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass

from agent.config import Config
from agent.core.why.causes import CATALOGUE
from tests.network.doubles import Names
from tests.network.lab import (
    GATEWAY,
    HOST,
    NO_CLOCK,
    PUBLIC_DNS,
    Lab,
)
from tests.network.line import Packet, Weather

Do = Callable[[Lab], object]
#: A remark on quality that is true while its measurements are fresh (built in: told after three
#: minutes, in the lab at once). It may stand beside any cause and never passes for one.
ASIDE = frozenset({"network.slow"})
YEAR_S = 31_536_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One row."""

    name: str
    chapter: str
    expected: str
    do: Do
    also: frozenset[str] = frozenset()
    undo: Do | None = None  #: beyond `Lab.heal`
    local: bool = False
    carrier: bool = False  #: the kernel tells it: the first symptom is the injection
    ask: bool = False  #: nothing fails by it: a person asks for a test (`inspect`, `probe`)
    restart: bool = False  #: the daemon is stopped before and started after
    pays: bool = True  #: payments can be handed over meanwhile
    lingers: bool = False  #: its alarm outlives the healing by design
    quick: bool = False  #: part of `--quick`
    needs: str = ""  #: a configuration section this daemon must have
    note: str = ""
    patience_s: float = 0.0  #: how much longer the first symptom may take by its nature

    def __post_init__(self) -> None:
        for code in (self.expected, *self.also):
            assert not code or code in CATALOGUE, code

    def unavailable(self) -> str:
        """Why it cannot be injected here; empty: it can."""
        if self.chapter == "clock" and NO_CLOCK:
            return NO_CLOCK
        if self.needs and self.needs not in Config.__struct_fields__:
            return f"this daemon has no [{self.needs}]"
        return ""


# -- what is done to the lab -----------------------------------------------------------------------


def _term(*commands: str) -> Do:
    return lambda lab: lab.term.ip(*commands)


def _names(mode: Names, **more: object) -> Do:
    def do(lab: Lab) -> None:
        for name, value in more.items():
            setattr(lab.names, name, value)
        lab.names.mode = mode

    return do


def _swallow(*addresses: str) -> Do:
    gone = frozenset(addresses)

    def drops(packet: Packet) -> bool:
        return packet.target in gone or packet.source in gone

    def do(lab: Lab) -> None:
        lab.line.weather = Weather(drops=drops)

    return do


def _portal(form: str) -> Do:
    def do(lab: Lab) -> None:
        lab.portal.form = form
        # Before the sign-in only the portal itself and the router's name server answer.
        _swallow(HOST, PUBLIC_DNS)(lab)

    return do


def _weather(**more: object) -> Do:
    def do(lab: Lab) -> None:
        lab.line.weather = Weather(**more)  # type: ignore[arg-type]

    return do


def _wan_down(lab: Lab) -> None:
    lab.names.mode = Names.SERVFAIL  # what a router's forwarder says without its own upstream
    lab.gw.ip("link set wan0 down")


def _wan_silent(names: Names) -> Do:
    def do(lab: Lab) -> None:
        lab.names.mode = names
        lab.line.weather = Weather(drops=lambda _packet: True)

    return do


def _host(name: str, **changes: object) -> Do:
    return lambda lab: lab.host.fault(name, **changes)


def _certificate(kind: str) -> Do:
    return lambda lab: lab.host.certificate(kind)


def _ours(kind: str, *, alert: bool) -> Do:
    def do(lab: Lab) -> None:
        lab.present_certificate(kind)
        if alert:
            lab.host.strict()

    return do


def _clock(offset_s: int) -> Do:
    def do(lab: Lab) -> None:
        assert lab.terminal.shim is not None
        lab.terminal.shim.set("clock_offset_s", offset_s)

    return do


def _flap(lab: Lab) -> None:
    import time

    for _ in range(6):
        lab.sw.ip("link set pterm down")
        time.sleep(0.25)
        lab.sw.ip("link set pterm up")
        time.sleep(0.25)


def _unreadable_key(lab: Lab) -> None:
    os.chown(lab.own_key, 65534, 65534)


def _readable_key(lab: Lab) -> None:
    os.chown(lab.own_key, 0, 0)


def _full(lab: Lab) -> None:
    assert lab.terminal.shim is not None
    lab.terminal.shim.full()


def _wrong_merchant(lab: Lab) -> None:
    settings = json.loads(lab.settings_file.read_text())
    settings["merchant_id"] = "M99999999999999"
    lab.settings_file.write_text(json.dumps(settings))


def _wrong_netmask(lab: Lab) -> None:
    """A mask so narrow that the gateway is outside: the route by it goes."""
    lab.term.ip("addr flush dev eth0", "addr add 10.77.0.130/26 dev eth0")
    lab.term.ip(f"route add default via {GATEWAY} dev eth0", may_fail=True)


def _foreign_subnet(lab: Lab) -> None:
    """A static address of another shop, with its gateway."""
    lab.term.ip(
        "addr flush dev eth0", "addr add 10.66.0.2/24 dev eth0",
        "route replace default via 10.66.0.1 dev eth0",
    )  # fmt: skip


def _row(name: str, chapter: str, expected: str, do: Do, **more: object) -> Fault:
    return Fault(name=name, chapter=chapter, expected=expected, do=do, **more)  # type: ignore[arg-type]


FAULTS: tuple[Fault, ...] = (
    # link
    _row("cable pulled at the switch", "link", "network.no_link",
         lambda lab: lab.sw.ip("link set pterm down"), carrier=True, local=True, quick=True),
    _row("interface switched off", "link", "network.no_link",
         _term("link set eth0 down"), carrier=True, local=True),
    _row("interface removed", "link", "network.no_link",
         _term("link del eth0"), carrier=True, local=True),
    # address
    _row("no DHCP: 169.254", "address", "network.no_address",
         _term("addr flush dev eth0", "addr add 169.254.7.9/16 dev eth0"), carrier=True,
         local=True, quick=True),
    _row("no address", "address", "network.no_address",
         _term("addr flush dev eth0"), carrier=True, local=True),
    _row("netmask without the gateway", "address", "network.no_gateway", _wrong_netmask,
         carrier=True, local=True),
    _row("address of another shop", "address", "network.no_gateway", _foreign_subnet,
         carrier=True, local=True),
    # gateway
    _row("no default route", "gateway", "network.no_gateway",
         _term("route del default"), carrier=True, local=True),
    _row("gateway set wrong", "gateway", "network.no_gateway",
         _term("route replace default via 10.77.0.99 dev eth0 metric 100"), carrier=True,
         local=True),
    _row("gateway dead", "gateway", "network.no_gateway",
         lambda lab: lab.sw.ip("link set pgw down"), quick=True),
    _row("gateway answers no ARP", "gateway", "network.no_gateway",
         lambda lab: (lab.gw.ip("addr flush dev lan0"), lab.term.ip("neigh flush dev eth0"))),
    _row("two default routes, the first dead", "gateway", "network.no_gateway",
         lambda lab: (lab.second_channel(), lab.term.ip(
             "route replace default via 10.78.0.99 dev wwan0 metric 50")),
         carrier=True, local=True),
    _row("two default routes, both well", "gateway", "", lambda lab: lab.second_channel()),
    _row("gateway entry merely stale", "gateway", "",
         _term(f"neigh change {GATEWAY} dev eth0 nud stale")),
    # DNS
    _row("name server dead", "dns", "network.dns_failed", _names(Names.DEAD), quick=True),
    _row("name server set wrong", "dns", "network.dns_failed",
         lambda lab: lab.terminal.resolver("203.0.113.99")),
    _row("name unknown (NXDOMAIN)", "dns", "network.dns_failed", _names(Names.NXDOMAIN)),
    _row("name server refuses", "dns", "network.dns_failed", _names(Names.REFUSED)),
    _row("name server fails (SERVFAIL)", "dns", "network.dns_failed", _names(Names.SERVFAIL)),
    _row("name server slow (8 s)", "dns", "network.dns_failed", _names(Names.SLOW, delay_s=8.0)),
    _row("answers truncated, no TCP", "dns", "network.dns_failed", _names(Names.TRUNCATED)),
    _row("answers garbage", "dns", "network.dns_failed", _names(Names.GARBAGE)),
    _row("name server lies: 0.0.0.0", "dns", "network.dns_failed",
         _names(Names.LYING, lie="0.0.0.0")),
    _row("name server lies: the router itself", "dns", "network.dns_failed",
         _names(Names.LYING, lie=GATEWAY)),
    _row("no name server set", "dns", "network.dns_failed",
         lambda lab: lab.terminal.resolver(), local=True),
    # portal, internet
    _row("captive portal: redirect", "internet", "network.captive_portal", _portal("redirect"),
         quick=True),
    _row("captive portal: page with 200", "internet", "network.captive_portal", _portal("page")),
    _row("captive portal: 511", "internet", "network.captive_portal", _portal("required")),
    _row("internet down, router says so", "internet", "network.no_internet", _wan_down,
         quick=True),
    _row("internet down, silent, names cached", "internet", "network.no_internet",
         _wan_silent(Names.ANSWERS)),
    _row("internet down, silent, names too", "internet", "network.no_internet",
         _wan_silent(Names.DEAD), also=frozenset({"network.dns_failed"})),
    # host
    _row("host refuses", "host", "network.host_unreachable", _host("refuse"), quick=True),
    _row("host black-holed", "host", "network.host_unreachable", _swallow(HOST)),
    _row("host's queue full", "host", "network.host_unreachable", lambda lab: lab.host.stuck()),
    _row("host accepts, then silence", "host", "network.host_unreachable",
         lambda lab: lab.host.silent()),
    _row("host resets", "host", "network.host_unreachable", lambda lab: lab.host.resets()),
    _row("host takes payments and answers nothing", "host", "host.no_reply", _host("black_hole"),
         patience_s=4.0),
    _row("host answers 503", "host", "host.maintenance", _host("error_503"), quick=True),
    _row("host answers 429", "host", "host.busy", _host("busy")),
    _row("host answers 500", "host", "host.down", _host("error_500")),
    _row("host answers 401", "host", "config.credential_expired", _host("unauthorised")),
    _row("host answers 403", "host", "config.permission_denied", _host("forbidden")),
    # certificates
    _row("host's certificate expired", "tls", "tls.host_certificate_expired",
         _certificate("expired"), quick=True),
    _row("host's certificate not valid yet, clock right", "tls", "tls.untrusted",
         _certificate("early")),
    _row("intercepting proxy (wrong CA)", "tls", "tls.untrusted", _certificate("wrong_ca")),
    _row("certificate for another name", "tls", "tls.untrusted", _certificate("wrong_name")),
    _row("trusted authority expired", "tls", "tls.ca_expired",
         lambda lab: (lab.trust("old_ca"), lab.host.certificate("old_authority")), restart=True,
         also=frozenset({"config.credential_expired"}), local=True),
    _row("terminal's certificate expired, host says so", "tls", "tls.client_certificate_expired",
         _ours("expired", alert=True), restart=True, local=True,
         also=frozenset({"config.credential_expired"})),
    _row("terminal's certificate expired, host just closes", "tls",
         "tls.client_certificate_expired", _ours("expired", alert=False), restart=True, local=True,
         also=frozenset({"config.credential_expired"})),
    _row("terminal's certificate of a stranger", "tls", "config.credential_expired",
         _ours("strange", alert=True), restart=True, local=True),
    # clock
    _row("clock ten years ahead", "clock", "clock.wrong", _clock(10 * YEAR_S), local=True,
         quick=True),
    _row("clock five years behind", "clock", "clock.wrong", _clock(-5 * YEAR_S), local=True),
    # quality
    _row("slow line: round trips of 1.4 s", "quality", "network.slow", _weather(delay_s=0.68),
         ask=True, lingers=True),
    _row("a tenth of the packets lost", "quality", "", _weather(loss=0.1),
         also=frozenset({"network.unstable"})),
    # beside the money
    _row("broker down", "fleet", "", lambda lab: lab.stop_broker()),
    _row("VPN interface down", "vpn", "network.vpn_down", _term("link set vpn0 down"),
         carrier=True),
    # the terminal itself
    _row("route prohibited on the terminal", "local", "config.permission_denied",
         _term(f"route add prohibit {HOST}/32"), local=True),
    _row("key file of the terminal unreadable", "local", "config.permission_denied",
         _unreadable_key, undo=_readable_key, local=True, ask=True),
    _row("store full", "local", "queue.store_full", _full, local=True, pays=False, quick=True,
         patience_s=2.0),
    _row("payment app stopped", "local", "software.app_stopped",
         lambda lab: lab.stop_app(), local=True, needs="payment_app"),
    _row("merchant number wrong", "local", "config.merchant_mismatch", _wrong_merchant,
         local=True, needs="configuration", ask=True),
    # Last of all: its alarm looks back over an hour.
    _row("link drops six times and stays", "unstable", "network.unstable", _flap, carrier=True,
         local=True, lingers=True, also=frozenset({"network.no_link"})),
)  # fmt: skip


def blames_others(code: str) -> bool:
    """Whether `code` says that host, bank or platform is at fault, or cannot be reached."""
    if code in ("host.no_reply", "host.busy"):
        return False  # says that we wait, and blames nobody
    return code == "network.host_unreachable" or code.startswith(
        ("host.", "issuer.", "account.", "card.", "platform.", "settlement.", "tls.host_")
    )
