"""What the kernel says about the network, read from files: links, routes, neighbours, resolvers.

Facts only; whether they amount to a fault is decided in `connectivity`. Every path hangs below an
injectable root, and a file that is missing or unreadable reads as "not told", never as a fault.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Interface name -> its addresses as text.
Addresses = Mapping[str, Sequence[str]]

_RTF_UP, _RTF_GATEWAY = 0x1, 0x2
#: Flags of /proc/net/arp. Zero is an address the kernel asks for and nobody answers. A stale
#: neighbour still shows as complete, and rightly: stale is not a fault.
_ATF_COMPLETE, _ATF_PERMANENT = 0x2, 0x4
_NO_ROUTE6 = "0" * 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One network interface, loopback left out."""

    name: str
    link: bool
    operstate: str
    addresses: tuple[str, ...] = ()
    physical: bool = False
    carrier_changes: int | None = None

    @property
    def usable(self) -> tuple[str, ...]:
        """Addresses that can reach beyond this wire. 169.254/16 means that DHCP failed."""
        return tuple(one for one in self.addresses if not link_local(one))

    def __str__(self) -> str:
        state = "up" if self.link else f"no link ({self.operstate})"
        changes = "" if self.carrier_changes is None else f", {self.carrier_changes} link changes"
        return f"{state}, {' '.join(self.addresses) or 'no address'}{changes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way out. `gateway` is empty on a point-to-point line."""

    interface: str
    gateway: str


def interfaces(root: Path, addresses: Callable[[], Addresses]) -> list[Interface]:
    """All interfaces but loopback, by name."""
    known = addresses()
    found: list[Interface] = []
    net = root / "sys/class/net"
    for name in sorted(path.name for path in net.iterdir()) if net.is_dir() else ():
        if name == "lo":
            continue
        operstate = _read(net / name / "operstate") or "unknown"
        carrier = _read(net / name / "carrier")  # EINVAL while the interface is switched off
        changes = _read(net / name / "carrier_changes")
        found.append(
            Interface(
                name=name,
                # Point-to-point drivers never leave "unknown"; their carrier tells.
                link=operstate == "up" or (operstate == "unknown" and carrier == "1"),
                operstate=operstate,
                addresses=tuple(known.get(name, ())),
                physical=(net / name / "device").exists(),
                carrier_changes=int(changes) if changes.isdecimal() else None,
            )
        )
    return found


def watched(
    found: Sequence[Interface], wanted: Sequence[str], route: Route | None
) -> list[Interface]:
    """The interfaces this terminal depends on, the most likely first.

    Those named in the configuration; else the one with the default route; else the real ones.
    """
    if wanted:
        by_name = {one.name: one for one in found}
        missing = "not present"
        return [
            by_name.get(name, Interface(name=name, link=False, operstate=missing))
            for name in wanted
        ]
    if route is not None and any(one.name == route.interface for one in found):
        return [one for one in found if one.name == route.interface]
    return [one for one in found if one.physical] or list(found)


def default_route(root: Path) -> Route | None:
    """The default route with the lowest metric; IPv4 before IPv6."""
    routes: list[tuple[int, Route]] = []
    for line in _read(root / "proc/net/route").splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "00000000" or fields[7] != "00000000":
            continue
        flags = int(fields[3], 16)
        if flags & _RTF_UP:
            gateway = _little_endian(fields[2]) if flags & _RTF_GATEWAY else ""
            routes.append((int(fields[6]), Route(interface=fields[0], gateway=gateway)))
    if not routes:
        routes = _routes6(root)
    return min(routes, key=lambda one: one[0])[1] if routes else None


def neighbour(root: Path, address: str) -> str:
    """`complete`, `permanent`, `incomplete`, or "" if the kernel has not asked for it lately."""
    for line in _read(root / "proc/net/arp").splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and fields[0] == address:
            flags = int(fields[2], 16)
            if flags & _ATF_PERMANENT:
                return "permanent"
            return "complete" if flags & _ATF_COMPLETE else "incomplete"
    return ""


def resolvers(root: Path) -> list[str]:
    """The name servers of resolv.conf."""
    lines = (line.split() for line in _read(root / "etc/resolv.conf").splitlines())
    return [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]


def local_addresses() -> Addresses:
    """The addresses of this machine's interfaces."""
    import psutil

    families = (socket.AF_INET, socket.AF_INET6)
    return {
        name: [one.address.partition("%")[0] for one in told if one.family in families]
        for name, told in psutil.net_if_addrs().items()
    }


def resolve(name: str) -> list[str]:
    """The addresses of a name. Blocks; raises OSError."""
    found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    return sorted({str(entry[4][0]) for entry in found})


def loopback(host: str) -> bool:
    """Whether a host name or address never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def literal(host: str) -> bool:
    """Whether `host` is an address and needs no resolver."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def link_local(address: str) -> bool:
    """Whether an address was self-assigned."""
    try:
        return ipaddress.ip_address(address).is_link_local
    except ValueError:
        return False


def _routes6(root: Path) -> list[tuple[int, Route]]:
    routes: list[tuple[int, Route]] = []
    for line in _read(root / "proc/net/ipv6_route").splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[0] != _NO_ROUTE6 or fields[1] != "00" or fields[9] == "lo":
            continue
        flags = int(fields[8], 16)
        if flags & _RTF_UP:
            raw = bytes.fromhex(fields[4])
            gateway = str(ipaddress.IPv6Address(raw)) if flags & _RTF_GATEWAY else ""
            routes.append((int(fields[5], 16), Route(interface=fields[9], gateway=gateway)))
    return routes


def _little_endian(text: str) -> str:
    return socket.inet_ntoa(struct.pack("<I", int(text, 16)))


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""
