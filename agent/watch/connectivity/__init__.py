"""Watches the way from this terminal to its hosts, layer by layer, and names the lowest broken one.

Proof beats inference, and others' connections are proof: uploads and MQTT tell what became of
theirs, so that a busy terminal is hardly ever tested and an idle one within a daily count of bytes.
A failed connection or a change of link, address or route is looked into within a second. Nothing is
sent to a host beyond opening and closing a connection.

Values of a reading (component `connectivity`):

- One state for each layer, lowest first: `carrier address route gateway captive_portal internet dns
  tcp tls echo`, each `ok`, `failed`, `not_tried` or `not_needed`; `lowest_broken` is the first that
  failed, "" where none did. `internet`: whether anything beyond the shop answers. `echo`: whether
  the host's application answers, as the uplinks found. `vpn`: as a state; `tunnel` the one down.
- `interface link_up ip_address gateway_address gateway_state default_routes`; `gateway_state` is
  the kernel's word: reachable stale delay probe (no fault), incomplete failed, permanent noarp.
- `dns_name dns_servers dns_silent dns_reason dns_ms`, `dns_kind`: no_server no_answer refused
  servfail nxdomain empty unreachable garbled lying slow.
- `portal`: where the sign-in page is; `http_date_offset_s`: our clock less that of the host that
  answered 204.
- `references references_reached hosts hosts_reached host connect_ms slow_ms tcp_reason tcp_code
  tcp_refused`: refused, or silent (black-holed).
- `tls_code tls_reason subject issuer intercepted certificate_of certificate_days expires_at`.
- `drops_last_hour`; `bytes_spent` of `bytes_limit` today, `probing` normal or slower;
  `noticing` netlink, polling or off; `ways`: `eth0=gateway wwan0=ok` where several are watched.

Which conditions follow from these is `agent.core.health.standard_network`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence

from agent.blocking import Blocking
from agent.clock import Clock
from agent.config import AnyUplink
from agent.config.network import Connectivity
from agent.link.bound import Hold, Resolve, Way
from agent.link.dial import Dialer, Ways
from agent.record import dataclass
from agent.watch.connectivity.probes import Dial, Ports
from agent.watch.connectivity.target import FAILED, NOT_NEEDED, NOT_TRIED, OK, Target, targets
from agent.watch.connectivity.verdict import LAYERS
from agent.watch.connectivity.watcher import Channel, ConnectivityWatcher

__all__ = [
    "FAILED",
    "LAYERS",
    "NOT_NEEDED",
    "NOT_TRIED",
    "OK",
    "Around",
    "ConnectivityWatcher",
    "Ports",
    "Target",
    "build",
    "targets",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What the daemon knows that this watcher can make use of; `probe` has none of it."""

    ways: Ways | None = None  #: the channels: which of them carries now
    answers: Callable[[], Sequence[Channel]] = tuple  #: the uplinks: whether their hosts answer
    #: Called when what was broken below TLS holds again: nobody has to wait out a back-off.
    recovered: Callable[[], object] = lambda: None


class _Only:
    """One interface, whatever the channels say."""

    def __init__(self, interface: str) -> None:
        self._way = Way(channel="", interface=interface, hold=Hold.DEVICE)

    def way(self) -> Way:
        return self._way


def build(
    config: Connectivity,
    uplinks: Sequence[AnyUplink],
    *,
    clock: Clock,
    blocking: Blocking,
    trust: Callable[[str, str, str], ssl.SSLContext],
    dial: Dial | None = None,
    around: Around | None = None,
    compared: Callable[[str, int, float], None] | None = None,
) -> ConnectivityWatcher:
    """The watcher of the real network. `dial`: instead of the dialer of the daemon's channels."""
    around = around or Around()
    ways = around.ways

    def in_use() -> str:
        way = None if ways is None else ways.way()
        return "" if way is None else way.interface

    def lookup() -> Resolve | None:
        way = None if ways is None else ways.way()
        return None if way is None else way.resolve

    ports = Ports(
        blocking=blocking,
        dial=dial or Dialer(blocking, ways=ways),
        trust=trust,
        clock=clock,
        through=lambda interface: Dialer(blocking, ways=_Only(interface)),
        lookup=lookup,
        compared=compared,
    )
    return ConnectivityWatcher(
        config,
        targets(config, uplinks),
        ports,
        in_use=in_use,
        answers=around.answers,
        recovered=around.recovered,
    )
