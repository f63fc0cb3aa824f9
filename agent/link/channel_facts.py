"""What the kernel knows of the interfaces channels go by: carrier, addresses, default routes.

Read over rtnetlink, which shows the routes of every table (Android and policy routing keep none in
the main one) and wakes us when something changes. Facts and their sentences only; what follows from
them is `core.network.choosing`. Decoding is pure and never raises on garbage.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from agent.core.network.choosing import Link
from agent.link.netlink import (
    GET_ADDRESS,
    MAX_BYTES,
    NEW_ADDRESS,
    attributes,
    dumped,
    held_in,
    messages,
    opened,
    request,
)

_NEW_LINK, _GET_LINK, _NEW_ROUTE, _GET_ROUTE = 16, 18, 24, 26
_IFLA_NAME, _IFLA_OPERSTATE = 3, 16
_RTA_DST, _RTA_SRC, _RTA_OIF, _RTA_MULTIPATH = 1, 2, 4, 9
_IFF_UP, _IFF_LOOPBACK, _IFF_POINTOPOINT, _IFF_NOARP, _IFF_LOWER_UP = 0x1, 0x8, 0x10, 0x80, 0x10000
_OPER_DORMANT = 5
_UNICAST = 1
_RTNH_DEAD = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One interface."""

    index: int
    name: str
    up: bool = False
    carrier: bool = False
    dormant: bool = False
    gateless: bool = False  #: a tunnel or point-to-point line: whatever goes in comes out
    addresses: tuple[str, ...] = ()
    routes: frozenset[int] = frozenset()  #: families with a default route by it


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is so of one channel."""

    link: Link
    reason: str = ""
    wire: Wire | None = None
    sources: tuple[str, ...] = field(default=())

    @property
    def interface(self) -> str:
        return "" if self.wire is None else self.wire.name

    @property
    def families(self) -> tuple[int, ...]:
        """What can be spoken there."""
        if self.wire is None:
            return (socket.AF_INET, socket.AF_INET6)
        own = {socket.AF_INET6 if ":" in one else socket.AF_INET for one in self.sources}
        usable = own if self.wire.gateless else own & self.wire.routes
        return tuple(sorted(usable))


def fact(pattern: str, wires: Iterable[Wire]) -> Fact:
    """The interface a name or glob stands for, and whether it can carry anything."""
    found = [_of(one) for one in wires if fnmatchcase(one.name, pattern)]
    if not found:
        return Fact(link=Link.DOWN, reason=f"there is no interface {pattern}")
    # Where several fit, the one that gets furthest; then by name, so that it stays the same one.
    return min(
        found, key=lambda one: (one.link is not Link.READY, not _carries(one), one.interface)
    )


def _carries(one: Fact) -> bool:
    return one.wire is not None and one.wire.carrier


def _of(wire: Wire) -> Fact:
    sources = tuple(one for one in wire.addresses if not _self_assigned(one))
    told = Fact(link=Link.DOWN, wire=wire, sources=sources)
    if not wire.up:
        return replace(told, reason=f"{wire.name} is switched off")
    if not wire.carrier:
        return replace(told, reason=f"{wire.name} has no carrier")
    if wire.dormant:
        return replace(told, reason=f"{wire.name} is not let onto its network yet")
    if not sources:
        self_made = "; DHCP gave none" if wire.addresses else ""
        return replace(told, reason=f"{wire.name} has no address{self_made}")
    if not told.families:
        return replace(told, reason=f"{wire.name} has no default route of its own")
    return replace(told, link=Link.READY, reason="")


def _self_assigned(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_link_local
    except ValueError:
        return True


# The kernel's form


def wires(pieces: Iterable[bytes]) -> list[Wire]:
    """Interfaces, addresses and routes put together; what cannot be read is left out."""
    links: dict[int, Wire] = {}
    addresses: dict[int, list[str]] = {}
    routes: dict[int, set[int]] = {}
    for kind, body in (one for piece in pieces for one in messages(piece)):
        try:
            if kind == _NEW_LINK and (wire := _link(body)) is not None:
                links[wire.index] = wire
            elif kind == NEW_ADDRESS:
                if (held := held_in(body)) is not None and held.settled:
                    addresses.setdefault(held.interface, []).append(held.address)
            elif kind == _NEW_ROUTE:
                for index, family in _defaults(body):
                    routes.setdefault(index, set()).add(family)
        except (struct.error, ValueError, OSError):
            continue
    return [
        replace(
            wire,
            addresses=tuple(addresses.get(index, ())),
            routes=frozenset(routes.get(index, ())),
        )
        for index, wire in sorted(links.items())
    ]


def _link(body: bytes) -> Wire | None:
    _, _, _, index, flags, _ = struct.unpack_from("=BBHiII", body)
    told = attributes(body, 16)
    name = told.get(_IFLA_NAME, b"").rstrip(b"\0").decode("utf-8", "replace")
    if not name or flags & _IFF_LOOPBACK:
        return None
    return Wire(
        index=index,
        name=name,
        up=bool(flags & _IFF_UP),
        carrier=bool(flags & _IFF_LOWER_UP),
        dormant=told.get(_IFLA_OPERSTATE, b"") == bytes([_OPER_DORMANT]),
        gateless=bool(flags & (_IFF_POINTOPOINT | _IFF_NOARP)),
    )


def _defaults(body: bytes) -> Iterator[tuple[int, int]]:
    """Interface and family of each default route; VPNs lay two halves over the real one."""
    family, size, _, _, _, _, _, kind, flags = struct.unpack_from("=BBBBBBBBI", body)
    if size > 1 or kind != _UNICAST or flags & _RTNH_DEAD:
        return
    told = attributes(body, 12)
    if (out := told.get(_RTA_OIF)) is not None:
        yield struct.unpack("=i", out)[0], family
    hops, at = told.get(_RTA_MULTIPATH, b""), 0
    while at + 8 <= len(hops):
        length, dead, _, index = struct.unpack_from("=HBBi", hops, at)
        if length < 8:
            break
        if not dead & _RTNH_DEAD:
            yield index, family
        at += length + 3 & ~3


# Asking


def read() -> list[Wire]:
    """The interfaces as they are now; takes a fraction of a millisecond. Raises OSError."""
    asked = (
        (_GET_LINK, struct.pack("=BBHiII", 0, 0, 0, 0, 0, 0)),
        (GET_ADDRESS, struct.pack("=BBBBI", 0, 0, 0, 0, 0)),
        (_GET_ROUTE, struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)),
        (_GET_ROUTE, struct.pack("=BBBBBBBBI", socket.AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0)),
    )
    pieces: list[bytes] = []
    with opened() as s:
        for number, (kind, body) in enumerate(asked, start=1):
            s.send(request(kind, body, number))
            pieces += dumped(s)
    return wires(pieces)


def leaves_by(destination: str, source: str = "") -> int | None:
    """Number of the interface the kernel would send this by; None: it does not say."""
    family = socket.AF_INET6 if ":" in destination else socket.AF_INET
    body = struct.pack("=BBBBBBBBI", family, 0, 0, 0, 0, 0, 0, 0, 0)
    for kind, text in ((_RTA_DST, destination), (_RTA_SRC, source)):
        if text:
            raw = socket.inet_pton(family, text)
            body += struct.pack("=HH", 4 + len(raw), kind) + raw
    try:
        with opened() as s:
            s.send(request(_GET_ROUTE, body, dump=False))
            for kind, answer in messages(s.recv(MAX_BYTES)):
                if kind == _NEW_ROUTE and (out := attributes(answer, 12).get(_RTA_OIF)):
                    return int(struct.unpack("=i", out)[0])
    except (OSError, struct.error):
        return None
    return None


def drain(heard: socket.socket) -> None:
    """Take everything off it; what changed is read afresh anyway."""
    while True:
        try:
            if not heard.recv(MAX_BYTES):
                return
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
