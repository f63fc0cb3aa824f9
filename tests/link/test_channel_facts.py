"""What the kernel says of interfaces: decoded, judged, and never an exception."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.network.choosing import Link
from agent.link import channel_facts as facts
from agent.link import netlink
from agent.link.channel_facts import Wire, fact, wires
from agent.link.channel_names import servers_of, system_servers

UP, LOWER_UP, P2P, LOOPBACK = 0x1, 0x10000, 0x10, 0x8


def message(kind: int, body: bytes) -> bytes:
    raw = struct.pack("=IHHII", 16 + len(body), kind, 0, 1, 0) + body
    return raw + bytes(-len(raw) % 4)


def attribute(kind: int, value: bytes) -> bytes:
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)


def link(index: int, name: str, flags: int, operstate: int = 6) -> bytes:
    head = struct.pack("=BBHiII", 0, 0, 1, index, flags, 0)
    told = attribute(3, name.encode() + b"\0") + attribute(16, bytes([operstate]))
    return message(16, head + told)


def address(index: int, text: str, flags: int = 0) -> bytes:
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    head = struct.pack("=BBBBI", family, 24, flags, 0, index)
    return message(20, head + attribute(1, socket.inet_pton(family, text)))


def route(index: int, *, size: int = 0, family: int = socket.AF_INET, kind: int = 1) -> bytes:
    head = struct.pack("=BBBBBBBBI", family, size, 0, 0, 99, 0, 0, kind, 0)
    return message(24, head + attribute(4, struct.pack("=i", index)))


def multipath(*indexes: int) -> bytes:
    head = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 254, 0, 0, 1, 0)
    hops = b"".join(struct.pack("=HBBi", 8, 0, 0, index) for index in indexes)
    return message(24, head + attribute(9, hops))


ETH = (link(2, "eth0", UP | LOWER_UP), address(2, "192.0.2.2"), route(2))


@pytest.mark.parametrize(
    ("pieces", "reason"),
    [
        ((), "there is no interface eth0"),
        ((link(1, "eth0", UP | LOWER_UP | LOOPBACK),), "there is no interface eth0"),
        ((link(2, "eth0", 0), *ETH[1:]), "eth0 is switched off"),
        ((link(2, "eth0", UP), *ETH[1:]), "eth0 has no carrier"),
        (
            (link(2, "eth0", UP | LOWER_UP, 5), *ETH[1:]),
            "eth0 is not let onto its network yet",
        ),
        ((ETH[0], route(2)), "eth0 has no address"),
        ((ETH[0], address(2, "169.254.3.4"), route(2)), "eth0 has no address; DHCP gave none"),
        (
            (ETH[0], address(2, "2001:db8::2", 0x40), route(2, family=socket.AF_INET6)),
            "eth0 has no address",
        ),
        (ETH[:2], "eth0 has no default route of its own"),
        ((*ETH[:2], route(2, size=24)), "eth0 has no default route of its own"),
        ((*ETH[:2], route(2, kind=6)), "eth0 has no default route of its own"),
        ((*ETH[:2], route(2, family=socket.AF_INET6)), "eth0 has no default route of its own"),
        (ETH, ""),
        ((*ETH[:2], multipath(3, 2)), ""),
        ((*ETH[:2], route(2, size=1)), ""),
        ((link(2, "eth0", UP | LOWER_UP | P2P), ETH[1]), ""),
    ],
)
def test_each_state_of_an_interface_has_its_sentence(
    pieces: tuple[bytes, ...], reason: str
) -> None:
    """Ready only with carrier, address and a default route of its own, or as a tunnel."""
    told = fact("eth0", wires(pieces))
    assert (told.reason, told.link) == (reason, Link.DOWN if reason else Link.READY)


def test_a_glob_takes_the_one_that_gets_furthest() -> None:
    """Of several modems the one that works, and steadily the same of equals."""
    told = [
        Wire(index=1, name="wwan0", up=True),
        Wire(index=2, name="wwan2", up=True, carrier=True),
        Wire(index=3, name="wwan1", up=True, carrier=True),
    ]
    assert fact("wwan*", told).interface == "wwan1"
    ready = Wire(
        index=4, name="wwan3", up=True, carrier=True,
        addresses=("192.0.2.9", "fe80::1"), routes=frozenset({socket.AF_INET}),
    )  # fmt: skip
    found = fact("wwan?", [*told, ready])
    assert (found.interface, found.families) == ("wwan3", (socket.AF_INET,))
    assert found.sources == ("192.0.2.9",)


@given(st.lists(st.binary(max_size=200), max_size=4))
def test_garbage_from_the_kernel_is_passed_over(pieces: list[bytes]) -> None:
    """Any bytes, with and without a right head, decode to something or nothing."""
    fact("eth0", wires(pieces))
    for kind in (16, 20, 24):
        fact("*", wires([message(kind, piece) for piece in pieces]))


def test_this_machine_can_be_read() -> None:
    """The real kernel: loopback is left out, nothing raises, and the way to itself is known."""
    assert all(one.name != "lo" for one in facts.read())
    assert facts.leaves_by("127.0.0.1") == socket.if_nametoindex("lo")
    heard = netlink.listen()
    facts.drain(heard)
    heard.close()


def test_servers_are_found_where_each_system_keeps_them(tmp_path: Path) -> None:
    """systemd, NetworkManager, dhcpcd, dhclient, pppd; loopback and odd words are none."""

    def put(name: str, text: str) -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    assert servers_of("eth0", 2, tmp_path) == ()
    put(
        "var/lib/dhcp/dhclient.leases",
        'lease {\n interface "wlan0";\n option domain-name-servers 192.0.2.8;\n}\n'
        'lease {\n interface "eth0";\n option domain-name-servers 192.0.2.6, 192.0.2.7;\n}\n',
    )
    assert servers_of("eth0", 2, tmp_path) == ("192.0.2.6", "192.0.2.7")
    put("run/dhcpcd/hook-state/resolv.conf/eth0.dhcp", "nameserver 192.0.2.5\n")
    assert servers_of("eth0", 2, tmp_path) == ("192.0.2.5",)
    put("var/lib/NetworkManager/internal-1-eth0.lease", "ADDRESS=1\nDNS=192.0.2.4 \n")
    assert servers_of("eth0", 2, tmp_path) == ("192.0.2.4",)
    put("run/systemd/netif/links/2", "DNS=127.0.0.53 192.0.2.3:53%eth0#x 2001:db8::3 odd\n")
    assert servers_of("eth0", 2, tmp_path) == ("192.0.2.3", "2001:db8::3")
    assert servers_of("wlan0", 3, tmp_path) == ("192.0.2.8",)
    put("etc/ppp/resolv.conf", "nameserver 192.0.2.9\n")
    assert servers_of("ppp0", 9, tmp_path) == ("192.0.2.9",)
    put("etc/resolv.conf", "nameserver 127.0.0.53\n")
    put("run/systemd/resolve/resolv.conf", "nameserver 192.0.2.1\n")
    assert system_servers(tmp_path) == ("192.0.2.1",)
