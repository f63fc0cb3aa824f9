"""Facts about the network, read from trees of small files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.watch import layers
from agent.watch.layers import Interface, Route

NET = Path(__file__).parent.parent / "fixtures" / "net"
WIRED = {"eth0": ["192.168.1.50", "fe80::1"], "docker0": ["172.17.0.1"]}


def names(tree: str, wanted: tuple[str, ...] = ()) -> list[str]:
    root = NET / tree
    found = layers.interfaces(root, dict)
    return [one.name for one in layers.watched(found, wanted, layers.default_route(root))]


def test_interfaces_are_read_without_loopback() -> None:
    """Link, addresses, hardware and the number of link changes, for each but `lo`."""
    docker, eth = layers.interfaces(NET / "wired", lambda: WIRED)
    assert eth == Interface(
        name="eth0",
        link=True,
        operstate="up",
        addresses=("192.168.1.50", "fe80::1"),
        physical=True,
        carrier_changes=2,
    )
    assert eth.usable == ("192.168.1.50",)
    assert str(eth) == "up, 192.168.1.50 fe80::1, 2 link changes"
    assert not docker.link
    assert str(Interface(name="x", link=False, operstate="down")) == "no link (down), no address"


@pytest.mark.parametrize(
    ("tree", "route"),
    [
        ("wired", Route(interface="eth0", gateway="192.168.1.1")),
        ("main_and_backup", Route(interface="wwan0", gateway="10.0.0.1")),
        ("ppp", Route(interface="ppp0", gateway="")),
        ("ipv6", Route(interface="eth0", gateway="fe80::1")),
        ("no_route", None),
        ("unplugged", None),
        ("bare", None),
    ],
)
def test_the_default_route(tree: str, route: Route | None) -> None:
    """The lowest metric wins, IPv6 counts, a point-to-point line has no gateway."""
    assert layers.default_route(NET / tree) == route


@pytest.mark.parametrize(
    ("tree", "address", "state"),
    [
        ("wired", "192.168.1.1", "complete"),
        ("wired", "192.168.1.99", ""),
        ("dead_gateway", "192.168.1.1", "incomplete"),
        ("main_and_backup", "10.0.0.1", "permanent"),
        ("bare", "192.168.1.1", ""),
    ],
)
def test_neighbours(tree: str, address: str, state: str) -> None:
    """Asked and unanswered is told apart from never asked."""
    assert layers.neighbour(NET / tree, address) == state


def test_name_servers() -> None:
    """All of resolv.conf, in order; none where there is no such file."""
    assert layers.resolvers(NET / "wired") == ["192.168.1.1", "114.114.114.114"]
    assert layers.resolvers(NET / "bare") == []


def test_which_interfaces_matter() -> None:
    """The configured ones, else the way out, else real hardware."""
    assert names("main_and_backup") == ["wwan0"]
    assert names("main_and_backup", ("eth0", "wwan0")) == ["eth0", "wwan0"]
    assert names("unplugged") == ["eth0"]
    assert names("no_route") == ["eth0"]
    assert names("ppp") == ["ppp0"]
    assert names("bare") == []
    (missing,) = layers.watched([], ["eth7"], None)
    assert (missing.link, missing.operstate) == (False, "not present")


@pytest.mark.parametrize(
    ("host", "loopback", "literal"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("localhost", True, False),
        ("host.localhost", True, False),
        ("10.0.0.1", False, True),
        ("pay.example.cn", False, False),
    ],
)
def test_loopback_and_literal_hosts(host: str, loopback: bool, literal: bool) -> None:
    """What never leaves this machine, and what needs no resolver."""
    assert layers.loopback(host) is loopback
    assert layers.literal(host) is literal


def test_self_assigned_addresses() -> None:
    """169.254/16 means that nobody handed out an address."""
    assert layers.link_local("169.254.7.7")
    assert not layers.link_local("192.168.1.7")
    assert not layers.link_local("nonsense")


def test_this_machine_answers() -> None:
    """The real ports work here: loopback has an address and localhost resolves."""
    assert "127.0.0.1" in layers.local_addresses()["lo"]
    assert set(layers.resolve("localhost")) & {"127.0.0.1", "::1"}
