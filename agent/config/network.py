"""The table about the way from this terminal to its hosts."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from agent.config.section import Seconds, Section

InterfaceName = Annotated[str, Meta(max_length=15)]


class Connectivity(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[connectivity]: the way from this terminal to its hosts."""

    interfaces: tuple[InterfaceName, ...] = ()
    """Which to watch; empty: the one that carries the default route."""
    hosts: tuple[Annotated[str, Meta(max_length=300)], ...] = ()
    """`host:port` or https URLs to reach; empty: those of the uplinks."""
    dns_name: str = ""
    """A name to resolve; empty: the first host that has one."""
    references: tuple[Annotated[str, Meta(max_length=300)], ...] = ()
    """`host:port` beyond the shop's network, tried only to tell a dead line from a dead host."""
    portal_url: Annotated[str, Meta(pattern=r"^(http://.+)?$", max_length=300)] = ""
    """Answers 204 without a body where nobody asks for a sign-in; empty: not looked for."""
    tunnels: tuple[InterfaceName, ...] = ()
    """Interfaces of private lines and VPNs this terminal needs."""
    period_s: Seconds = 60.0
    timeout_s: Seconds = 5.0
    certificate_warn_days: Annotated[int, Meta(ge=1, le=365)] = 30
    slow_ms: Annotated[int, Meta(ge=50, le=60_000)] = 3_000
    probe_bytes_per_day: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 10_000
    """What tests may cost; when it is spent, only doubts are looked into, and more slowly."""
