"""What strangers send: nothing of it may do more than say nothing."""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.link import netlink, x509
from agent.watch import layers
from agent.watch.connectivity import names, sockets
from agent.watch.connectivity.probes import answer_of

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINES = st.text(alphabet="0123456789abcdefABCDEFxX \t\nnameserver.:%eth", max_size=200)


def leaf(**more: datetime) -> bytes:
    """A certificate in PEM, signed by an authority of its own."""
    issued = trustme.CA(organization_name="Shop Proxy").issue_cert("pay.example.cn", **more)
    return issued.cert_chain_pems[0].bytes()


# -- certificates ----------------------------------------------------------------------------------


def test_a_certificate_tells_subject_issuer_and_dates() -> None:
    """What a person is shown of a certificate nobody trusts."""
    (told,) = x509.in_pem(leaf(not_after=NOW + timedelta(days=3)))
    assert "Shop Proxy" in told.issuer
    assert told.expires_at == NOW + timedelta(days=3)
    assert told.begins_at < told.expires_at
    assert not told.self_signed


def test_an_authority_signs_itself() -> None:
    """Issuer and subject are one."""
    (told,) = x509.in_pem(trustme.CA().cert_pem.bytes())
    assert told.self_signed


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_garbage_is_no_certificate(raw: bytes) -> None:
    """Nor does it raise."""
    assert x509.parse(raw) is None or raw[0] == 0x30
    x509.in_pem(b"-----BEGIN CERTIFICATE-----" + raw + b"-----END CERTIFICATE-----")


DER = ssl.PEM_cert_to_DER_cert(leaf().decode())


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(DER) - 1), by=st.integers(1, 255), until=st.integers(0, len(DER)))
def test_a_damaged_certificate_never_raises(at: int, by: int, until: int) -> None:
    """One byte off, or torn anywhere."""
    damaged = bytearray(DER)
    damaged[at] ^= by
    x509.parse(bytes(damaged))
    x509.parse(DER[:until])


# -- rtnetlink -------------------------------------------------------------------------------------


def neighbour(state: int, address: bytes = b"\xc0\xa8\x01\x01", family: int = 2) -> bytes:
    """RTM_NEWNEIGH as the kernel writes it."""
    body = struct.pack("=BxxxiHBB", family, 3, state, 0, 1)
    body += struct.pack("=HH", 4 + len(address), 1) + address
    return struct.pack("=IHHII", 16 + len(body), 28, 0, 1, 0) + body


@pytest.mark.parametrize(("state", "word"), sorted(netlink.NUD.items()))
def test_neighbours_by_their_state(state: int, word: str) -> None:
    """Each state of the kernel has its word."""
    done = struct.pack("=IHHII", 16, 3, 0, 1, 0)
    found, last = netlink.neighbours_in(neighbour(state) + done)
    assert found == [netlink.Neighbour(3, "192.168.1.1", word)]
    assert last


def test_what_a_change_is_about() -> None:
    """Links, addresses and routes; the rest is nobody's business."""
    told = b"".join(struct.pack("=IHHII", 16, kind, 0, 0, 0) for kind in (16, 20, 25, 99))
    assert netlink.changed(told) == {"link", "address", "route"}


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_torn_datagrams_end_quietly(raw: bytes) -> None:
    """From the kernel or not."""
    netlink.neighbours_in(raw)
    netlink.changed(neighbour(2) + raw)
    netlink.neighbours_in(neighbour(2)[:12] + raw)
    netlink.neighbours_in(neighbour(2, raw[:20], 10))


def test_this_kernel_lists_its_neighbours() -> None:
    """Where it may be asked at all, it answers at once."""
    try:
        found = netlink.neighbours()
    except netlink.NetlinkError:
        pytest.skip("netlink may not be asked here")
    assert all(one.state in netlink.NUD.values() for one in found)


# -- name servers ----------------------------------------------------------------------------------


def answered(number: int, *addresses: str, code: int = 0, flags: int = 0x8180) -> bytes:
    """An answer to a question for a.cn."""
    packed = struct.pack("!HHHHHH", number, flags | code, 1, len(addresses), 0, 0)
    packed += b"\1a\2cn\0" + struct.pack("!HH", 1, 1)
    for address in addresses:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        raw = socket.inet_pton(family, address)
        kind = 28 if ":" in address else 1
        packed += b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(raw)) + raw
    return packed


@pytest.mark.parametrize(
    ("datagram", "kind", "addresses"),
    [
        (answered(7, "203.0.113.9", "203.0.113.8"), "answered", ("203.0.113.9", "203.0.113.8")),
        (answered(7, "203.0.113.9", "2001:db8::1"), "answered", ("203.0.113.9",)),
        (answered(7), "empty", ()),
        (answered(7, flags=0x8380), "truncated", ()),
        (answered(7, code=2), "servfail", ()),
        (answered(7, code=3), "nxdomain", ()),
        (answered(7, code=5), "refused", ()),
        (answered(8, "203.0.113.9"), "garbled", ()),
        (answered(7, "203.0.113.9")[:-2], "garbled", ()),
        (struct.pack("!HHHHHH", 7, 0x8185, 0, 0, 0, 0), "refused", ()),
        (struct.pack("!HHHHHH", 7, 0x8180, 0, 0, 0, 0), "garbled", ()),
        (answered(7, "203.0.113.9").replace(b"\1a", b"\1b"), "garbled", ()),
        (answered(7, flags=0x0100), "garbled", ()),
        (b"", "garbled", ()),
    ],
)
def test_answers_of_name_servers(datagram: bytes, kind: str, addresses: tuple[str, ...]) -> None:
    """Each kind of answer, and of nonsense, has its word."""
    assert names.answer(datagram, 7, "A.cn") == (kind, addresses)


@settings(deadline=None)
@given(raw=st.binary(max_size=120), number=st.integers(0, 65_535))
def test_garbled_answers_never_raise(raw: bytes, number: int) -> None:
    """A name that points at itself included."""
    names.answer(raw, number, "a.cn")
    head = struct.pack("!HHHHHH", number, 0x8180, 1, 3, 0, 0)
    names.answer(head + raw, number, "a.cn")
    names.answer(head + b"\1a\2cn\0\0\1\0\1" + raw, number, "a.cn")


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_may_be_asked_for(name: str) -> None:
    """What is no host name is not asked for."""
    packed = names.question(name, 1)
    assert packed is None or len(packed) <= 300


@settings(deadline=None)
@given(st.text(alphabet="0123456789.:abcdef%", max_size=40))
def test_addresses_are_judged_without_raising(text: str) -> None:
    """Private and impossible ones; what is no address cannot be a host's."""
    assert isinstance(names.private(text), bool)
    assert isinstance(names.nonsense(text), bool)


def test_which_addresses_are_private_and_which_impossible() -> None:
    """Acquirers behind private lines have the former; nobody has the latter."""
    inside = ("10.1.1.1", "172.31.0.1", "192.168.0.1", "100.64.0.1", "fd00::1")
    assert all(map(names.private, inside))
    assert not any(map(names.private, ("203.0.113.1", "172.32.0.1", "100.128.0.1", "2001:db8::1")))
    assert all(map(names.nonsense, ("0.0.0.0", "0.1.2.3", "127.0.0.1", "224.0.0.1", "::1", "x")))
    assert not any(map(names.nonsense, ("10.1.1.1", "203.0.113.1", "fd00::1")))


# -- the address that answers 204 ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "kind", "location"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", "open", ""),
        (b"HTTP/1.1 204 No Content\r\n\r\nsurprise", "portal", ""),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", "portal", ""),
        (b"HTTP/1.0 302 Found\r\nLocation: http://login.shop/?mac=aa:bb\r\n\r\n", "portal",
         "http://login.shop/"),
        (b"HTTP/1.1 511 Network Authentication Required\r\n\r\n", "portal", ""),
        (b"HTTP/1.1 599 Odd\r\n\r\n", "unclear", ""),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "unclear", ""),
        (b"SSH-2.0-dropbear\r\n", "unclear", ""),
        (b"", "no_answer", ""),
    ],
)  # fmt: skip
def test_what_the_check_address_answers(raw: bytes, kind: str, location: str) -> None:
    """204 alone is open; another page is a sign-in; the rest tells nothing."""
    told = answer_of(raw, NOW)
    assert (told.kind, told.location) == (kind, location)


def test_the_clock_of_the_check_address() -> None:
    """Its header Date says how far off we are."""
    raw = b"HTTP/1.1 204 No Content\r\nDate: Sun, 22 Nov 2026 11:50:00 GMT\r\n\r\n"
    assert answer_of(raw, NOW).date_offset_s == 600


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_answer_is_survived(raw: bytes) -> None:
    """Portals are written by whoever sold the router."""
    answer_of(raw, NOW)
    answer_of(b"HTTP/1.1 204 x\r\nDate: " + raw + b"\r\nLocation: " + raw + b"\r\n\r\n", NOW)


# -- the kernel's files ----------------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_only_replies_are_replies(raw: bytes) -> None:
    """An ARP packet of any other kind says nothing."""
    sockets.arp_reply_from(raw)
    request = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, b"", b"\xc0\xa8\1\1", b"", b"")
    assert sockets.arp_reply_from(request) == ""
    reply = struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 2, b"", b"\xc0\xa8\1\1", b"", b"")
    assert sockets.arp_reply_from(reply + raw) == "192.168.1.1"


@settings(max_examples=60, deadline=None)
@given(route=LINES, six=LINES, arp=LINES, resolv=LINES, state=LINES)
def test_odd_files_are_read_as_far_as_they_go(
    route: str, six: str, arp: str, resolv: str, state: str
) -> None:
    """Drivers and vendors write what they like."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "proc/net").mkdir(parents=True)
        (root / "etc").mkdir()
        (root / "sys/class/net/eth0").mkdir(parents=True)
        (root / "proc/net/route").write_text(f"head\n{route}")
        (root / "proc/net/ipv6_route").write_text(six)
        (root / "proc/net/arp").write_text(f"head\n{arp}")
        (root / "etc/resolv.conf").write_text(resolv)
        for name in ("operstate", "carrier", "carrier_changes", "ifindex"):
            (root / "sys/class/net/eth0" / name).write_text(state)
        layers.default_routes(root)
        layers.neighbour(root, "192.168.1.1")
        layers.resolvers(root)
        assert len(layers.interfaces(root, dict)) == 1


def test_files_that_may_not_be_read_are_not_told(tmp_path: Path) -> None:
    """Android keeps /sys/class/net and /proc/net from apps: unknown is no fault."""
    (tmp_path / "proc/net").mkdir(parents=True)
    for name in ("route", "ipv6_route"):
        (tmp_path / "proc/net" / name).mkdir()  # reading a folder fails, for root as well
    (tmp_path / "sys/class").mkdir(parents=True)
    (tmp_path / "sys/class/net").write_text("")
    assert layers.default_routes(tmp_path) is None
    (one,) = layers.interfaces(tmp_path, lambda: {"lo": ["127.0.0.1"], "wlan0": ["192.168.1.5"]})
    assert (one.name, one.link, one.known) == ("wlan0", True, False)
