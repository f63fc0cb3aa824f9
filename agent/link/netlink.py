"""The kernel's own word about links, addresses, routes and neighbours (rtnetlink).

Decides how messages are cut and asked for, what a change is about, and whether this process can
hear the kernel at all. What follows is decided elsewhere: for channels in `channel_facts`, for the
layers in `agent.watch.connectivity`. The parsers are pure and never raise. Neighbours are asked for
because /proc/net/arp shows a stale entry, one being asked for again and one that failed alike, and
knows no IPv6.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

_ROUTE = 0  #: NETLINK_ROUTE
_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_NEIGHBOUR = struct.Struct("=BxxxiHBB")  # family, interface, state, flags, type
_HELD = struct.Struct("=BxBxI")  # family, flags, interface
_ATTRIBUTE = struct.Struct("=HH")
ERROR, DONE = 2, 3
NEW_ADDRESS, GET_ADDRESS = 20, 22
_NEWNEIGH, _GETNEIGH = 28, 30
_REQUEST, _DUMP = 0x1, 0x300
#: Of an attribute's type, without the flags for nested and network byte order.
_TYPE_MASK = 0x3FFF
_NDA_DST = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_LABEL = 1, 2, 3
#: Of an IPv6 address: duplicate address detection is under way, or found another one.
_TENTATIVE, _DAD_FAILED = 0x40, 0x08
#: linux/rtnetlink.h: RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE.
CHANGES_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
_WORDS = {
    16: "link", 17: "link", 20: "address", 21: "address", 24: "route", 25: "route",
}  # fmt: skip
#: linux/neighbour.h. Stale, delay and probe are a neighbour that answered before and is being
#: asked again, or not yet: no fault.
NUD = {
    0x01: "incomplete",
    0x02: "reachable",
    0x04: "stale",
    0x08: "delay",
    0x10: "probe",
    0x20: "failed",
    0x40: "noarp",
    0x80: "permanent",
}
#: A dump of a full table comes in pieces of at most this.
MAX_BYTES = 65_536
#: A terminal has a few dozen addresses and routes; a router's table is not read to its end.
_PIECES_MAX = 64
#: The kernel answers a dump within the call; this only bounds a kernel that does not.
ANSWER_S = 0.5


@dataclass(frozen=True, slots=True)
class Neighbour:
    """One entry of the kernel's table."""

    interface: int  #: its index
    address: str
    state: str


@dataclass(frozen=True, slots=True)
class Held:
    """One address of this machine."""

    interface: int  #: its index
    address: str
    label: str = ""  #: the interface's name, or an alias of it as `eth0:1`; IPv4 only
    settled: bool = True  #: False: IPv6 does not let it be used, yet or at all


class NetlinkError(OSError):
    """The kernel cannot be heard here; the text says why."""


def messages(datagram: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of every message; ends quietly where the bytes make no sense."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, _, _, _ = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield kind, datagram[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def attributes(body: bytes, at: int) -> dict[int, bytes]:
    """Type and content of every attribute from `at` on, up to the first that is cut short."""
    found: dict[int, bytes] = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size or at + length > len(body):
            break
        found[kind & _TYPE_MASK] = body[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
    return found


def request(kind: int, body: bytes, number: int = 1, *, dump: bool = True) -> bytes:
    """One question; a dump has many answers, the last of which says so."""
    flags = _REQUEST | _DUMP if dump else _REQUEST
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body


def changed(datagram: bytes) -> set[str]:
    """What a multicast datagram is about: link, address, route."""
    return {_WORDS[kind] for kind, _ in messages(datagram) if kind in _WORDS}


def neighbours_in(datagram: bytes) -> tuple[list[Neighbour], bool]:
    """The entries of one datagram of a dump, and whether it was the last."""
    found: list[Neighbour] = []
    for kind, body in messages(datagram):
        if kind in (DONE, ERROR):
            return found, True
        if kind == _NEWNEIGH and (one := _neighbour(body)) is not None:
            found.append(one)
    return found, False


def _neighbour(body: bytes) -> Neighbour | None:
    if len(body) < _NEIGHBOUR.size:
        return None
    family, interface, state, _, _ = _NEIGHBOUR.unpack_from(body)
    raw = attributes(body, _NEIGHBOUR.size).get(_NDA_DST)
    if raw is None or state not in NUD:
        return None
    try:
        return Neighbour(interface, socket.inet_ntop(family, raw), NUD[state])
    except (ValueError, OSError, OverflowError):
        return None


def held_in(body: bytes) -> Held | None:
    """The address an address message is about; None where the bytes tell of none."""
    if len(body) < _HELD.size:
        return None
    family, flags, interface = _HELD.unpack_from(body)
    told = attributes(body, _HELD.size)
    # On point-to-point lines ADDRESS is the other end.
    raw = told.get(_IFA_LOCAL) or told.get(_IFA_ADDRESS)
    if raw is None or family not in (socket.AF_INET, socket.AF_INET6):
        return None
    label = told.get(_IFA_LABEL, b"").rstrip(b"\0").decode("utf-8", "replace")
    unsettled = family == socket.AF_INET6 and flags & (_TENTATIVE | _DAD_FAILED)
    try:
        return Held(interface, socket.inet_ntop(family, raw), label, not unsettled)
    except (ValueError, OSError):
        return None


def addresses() -> list[Held]:
    """All addresses of this machine. Raises NetlinkError where this process may not ask."""
    question = _HELD.pack(socket.AF_UNSPEC, 0, 0)
    try:
        with opened() as asked:
            asked.send(request(GET_ADDRESS, question))
            told = [one for piece in dumped(asked) for one in messages(piece)]
    except OSError as error:
        raise NetlinkError(f"the kernel's addresses may not be read ({error})") from error
    held = (held_in(body) for kind, body in told if kind == NEW_ADDRESS)
    return [one for one in held if one is not None]


def dumped(asked: socket.socket) -> Iterator[bytes]:
    """The pieces of the answer to a dump. Raises OSError, for what the kernel refuses as well."""
    for _ in range(_PIECES_MAX):
        piece = asked.recv(MAX_BYTES)
        yield piece
        for kind, body in messages(piece):
            if kind == DONE:
                return
            if kind == ERROR:
                number = -int.from_bytes(body[:4], sys.byteorder, signed=True)
                raise OSError(number, os.strerror(number))
    raise OSError(errno.EMSGSIZE, "the kernel's table is too long to be read")


def neighbours() -> list[Neighbour]:
    """The kernel's whole table. Raises NetlinkError where this process may not ask."""
    question = struct.pack("=BxxxiHBB", socket.AF_UNSPEC, 0, 0, 0, 0)
    try:
        with opened() as asked:
            asked.send(request(_GETNEIGH, question))
            found: list[Neighbour] = []
            while True:
                some, last = neighbours_in(asked.recv(MAX_BYTES))
                found += some
                if last:
                    return found
    except OSError as error:
        raise NetlinkError(f"the kernel's neighbours may not be read ({error})") from error


def listen() -> socket.socket:
    """A socket on which changes of links, addresses and routes are heard; else NetlinkError."""
    heard: socket.socket | None = None
    try:
        heard = opened()
        heard.setblocking(False)
        heard.bind((0, CHANGES_GROUPS))
    except OSError as error:
        if heard is not None:
            heard.close()
        raise NetlinkError(f"the kernel's changes may not be heard ({error})") from error
    return heard


def received(heard: socket.socket) -> set[str]:
    """What has changed since; everything where messages were lost. Raises OSError if it broke."""
    told: set[str] = set()
    while True:
        try:
            datagram, sender = heard.recvfrom(MAX_BYTES)
        except BlockingIOError:
            return told
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            told |= {"link", "address", "route"}
            continue
        if sender[0] == 0:  # the kernel; a process may write to us as well
            told |= changed(datagram)


def opened() -> socket.socket:
    """A socket to ask the kernel on. Raises OSError."""
    if not hasattr(socket, "AF_NETLINK"):
        raise OSError(errno.EAFNOSUPPORT, "there is no netlink here")
    asking = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _ROUTE)
    asking.settimeout(ANSWER_S)
    return asking
