"""This machine's addresses: over rtnetlink, by the older ways, and that both say the same."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.link import addresses, netlink
from agent.link.netlink import Held

T = TypeVar("T")
LOCAL, PEER, LABEL = 2, 1, 3


def attribute(kind: int, value: bytes) -> bytes:
    raw = struct.pack("=HH", 4 + len(value), kind) + value
    return raw + bytes(-len(raw) % 4)


def body(index: int, *attributes: bytes, family: int = socket.AF_INET, flags: int = 0) -> bytes:
    """What stands in RTM_NEWADDR."""
    return struct.pack("=BBBBI", family, 24, flags, 0, index) + b"".join(attributes)


def four(text: str, kind: int = LOCAL) -> bytes:
    return attribute(kind, socket.inet_pton(socket.AF_INET, text))


def six(text: str, kind: int = PEER) -> bytes:
    return attribute(kind, socket.inet_pton(socket.AF_INET6, text))


def ifreq(name: str, text: str, family: int = socket.AF_INET) -> bytes:
    """One entry of SIOCGIFCONF's answer, as long as this machine has them."""
    raw = name.encode().ljust(16, b"\0") + struct.pack("=HH", family, 0) + socket.inet_aton(text)
    return raw.ljust(addresses._ENTRY_BYTES, b"\0")


def message(kind: int, content: bytes) -> bytes:
    return struct.pack("=IHHII", 16 + len(content), kind, 0, 1, 0) + content


def piece_by_piece(*pieces: bytes) -> socket.socket:
    """A socket on which these datagrams have arrived."""
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with far:
        for piece in pieces:
            far.send(piece)
    near.settimeout(1)
    return near


# -- rtnetlink -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "held"),
    [
        (
            body(2, four("10.0.0.2"), attribute(LABEL, b"eth0:1\0")),
            Held(2, "10.0.0.2", "eth0:1"),
        ),
        (body(2, four("192.0.2.2", PEER)), Held(2, "192.0.2.2")),
        # A point-to-point line: the other end is no address of ours.
        (body(7, four("10.64.64.64", PEER), four("10.1.2.3")), Held(7, "10.1.2.3")),
        (body(2, six("fe80::1"), family=socket.AF_INET6), Held(2, "fe80::1")),
        (
            body(2, six("2001:db8::1"), family=socket.AF_INET6, flags=0x40),
            Held(2, "2001:db8::1", settled=False),
        ),
        (
            body(2, six("2001:db8::1"), family=socket.AF_INET6, flags=0x08),
            Held(2, "2001:db8::1", settled=False),
        ),
        (body(2, four("192.0.2.2"), flags=0x08), Held(2, "192.0.2.2")),  # means nothing for IPv4
        (body(2), None),
        (body(2, four("192.0.2.2"), family=socket.AF_INET6), None),  # four bytes are too few
        (body(2, four("192.0.2.2"), family=28), None),  # MPLS
        (b"\2\x18", None),
    ],
)
def test_an_address_message(raw: bytes, held: Held | None) -> None:
    """Whose address, of which interface, and whether it may be used."""
    assert netlink.held_in(raw) == held


@settings(deadline=None)
@given(st.binary(max_size=120), st.sampled_from([2, 10, 28]))
def test_a_torn_address_message_tells_of_none(raw: bytes, family: int) -> None:
    """Nor does it raise."""
    netlink.held_in(raw)
    netlink.held_in(body(2, raw, family=family))
    netlink.held_in(body(2, attribute(LOCAL, raw), attribute(LABEL, raw), family=family))


def test_a_dump_is_read_to_its_end() -> None:
    """Over as many datagrams as it takes, and not a datagram further."""
    first, last = message(20, body(2, four("10.0.0.2"))), message(netlink.DONE, bytes(4))
    with piece_by_piece(first, first + last, first) as asked:
        assert list(netlink.dumped(asked)) == [first, first + last]


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_refused_dump_is_no_empty_one(number: int) -> None:
    """The kernel's own reason is the error's."""
    with piece_by_piece(message(netlink.ERROR, struct.pack("=i", -number))) as asked:
        with pytest.raises(OSError, match=r".") as caught:
            list(netlink.dumped(asked))
        assert caught.value.errno == number


def test_a_table_without_end_is_given_up() -> None:
    """A socket that never says done is not read for ever."""

    class Endless:
        def recv(self, _: int) -> bytes:
            return message(20, body(2, four("10.0.0.2")))

    with pytest.raises(OSError, match="too long"):
        list(netlink.dumped(Endless()))  # type: ignore[arg-type]


# -- the older ways --------------------------------------------------------------------------------


def test_the_answer_of_old() -> None:
    """Name and address of every entry; an alias belongs to its interface, half an entry to none."""
    raw = (
        ifreq("lo", "127.0.0.1")
        + ifreq("eth0", "192.0.2.2")
        + ifreq("eth0:1", "192.0.2.3")
        + ifreq("odd0", "1.2.3.4", family=28)
        + ifreq("", "1.2.3.4")
        + ifreq("sixteen-letters0", "192.0.2.4")
    )
    told = [
        ("lo", "127.0.0.1"),
        ("eth0", "192.0.2.2"),
        ("eth0", "192.0.2.3"),
        ("sixteen-letters0", "192.0.2.4"),
    ]
    assert addresses.four_in(raw) == told
    assert addresses.four_in(raw + ifreq("eth1", "192.0.2.5")[:-1]) == told
    assert addresses.four_in(b"") == []


def test_if_inet6() -> None:
    """Interface and address of each line; lines that are none are left out."""
    said = """fd000000000000000000000000000002 04 40 00 82     eth0
00000000000000000000000000000001 01 80 10 80       lo
fd00000000000000000000000000000 04 40 00 82     short
zz000000000000000000000000000002 04 40 00 82     none
fd000000000000000000000000000002 04 40 00

"""
    assert addresses.six_in(said) == [("eth0", "fd00::2"), ("lo", "::1")]
    assert addresses.six_in("") == []


@settings(deadline=None)
@given(st.binary(max_size=200), st.text(alphabet="0123456789abcdef \n\tz０é", max_size=200))
def test_garbage_is_no_address(raw: bytes, said: str) -> None:
    """Nor does it raise."""
    addresses.four_in(raw)
    addresses.four_in(b"eth0".ljust(16, b"\0") + raw)
    addresses.six_in(said)
    addresses.six_in(f"{said[:32]:0<32} 04 40 00 82 eth0")


# -- put together ----------------------------------------------------------------------------------


def refused() -> list[Held]:
    raise netlink.NetlinkError(errno.EACCES, "no netlink for apps")


def silent(*_: object) -> str:
    raise OSError(errno.EACCES, "not allowed")


def test_each_address_stands_under_its_interface(monkeypatch: pytest.MonkeyPatch) -> None:
    """Interfaces without one are there too, an alias is no interface, and nothing stands twice."""
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo"), (2, "eth0"), (3, "wlan0")])
    told = [
        Held(1, "127.0.0.1", "lo"),
        Held(2, "192.0.2.2", "eth0"),
        Held(2, "192.0.2.3", "eth0:1"),
        Held(2, "192.0.2.3", "eth0"),
        Held(2, "fe80::1"),
    ]
    assert addresses.local(ask=lambda: told) == {
        "lo": ["127.0.0.1"],
        "eth0": ["192.0.2.2", "192.0.2.3", "fe80::1"],
        "wlan0": [],
    }


def test_where_links_may_not_be_listed_each_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As Android has it; one that went meanwhile is named by its label, or not at all."""
    monkeypatch.setattr(socket, "if_nameindex", silent)
    monkeypatch.setattr(socket, "if_indextoname", lambda index: "wlan0" if index == 3 else silent())
    told = [Held(3, "10.0.0.3"), Held(9, "10.0.0.9", "ppp0:2"), Held(9, "fe80::9")]
    assert addresses.local(ask=lambda: told) == {"wlan0": ["10.0.0.3"], "ppp0": ["10.0.0.9"]}


def test_without_netlink_the_older_ways_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv4 by ioctl, IPv6 from its file."""
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/if_inet6").write_text("fd" + "0" * 29 + "2 02 40 00 80 eth7\n")
    monkeypatch.setattr(socket, "if_nameindex", silent)
    found = addresses.local(tmp_path, refused)
    assert found.pop("eth7") == ["fd00::2"]
    assert "127.0.0.1" in found["lo"]
    assert not any(":" in one for held in found.values() for one in held)


def test_where_nothing_may_be_asked_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither netlink nor ioctl nor the file: no address, and no exception."""
    monkeypatch.setattr(socket, "if_nameindex", silent)
    monkeypatch.setattr(socket, "socket", silent)
    assert addresses.local(tmp_path) == {}


def test_both_ways_say_the_same_here() -> None:
    """This kernel, asked twice: its addresses do not depend on how they are asked for."""
    try:
        netlink.addresses()
    except netlink.NetlinkError:
        pytest.skip("netlink may not be asked here")
    newer, older = steady(lambda: ordered(addresses.local()), lambda: ordered(by_old_ways()))
    assert newer == older
    assert "127.0.0.1" in newer["lo"]


def test_an_answer_longer_than_expected_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The kernel cuts what does not fit, without a word."""

    def in_small_steps() -> list[tuple[str, str]]:
        with monkeypatch.context() as patched:
            patched.setattr(addresses, "_ENTRIES", 1)
            return addresses.configured()

    whole, stepwise = steady(addresses.configured, in_small_steps)
    assert whole == stepwise
    assert ("lo", "127.0.0.1") in whole


def by_old_ways() -> dict[str, list[str]]:
    return addresses.local(ask=refused)


def ordered(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(held) for name, held in found.items()}


def steady(one: Callable[[], T], other: Callable[[], T]) -> tuple[T, T]:
    """Both answers of a moment in which nobody changed this machine's network."""
    for _ in range(50):
        before, told, after = one(), other(), one()
        if before == after:
            return before, told
    pytest.skip("the network of this machine never stands still")
