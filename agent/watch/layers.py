"""What the kernel says about the network, read from files: links, routes, neighbours, resolvers.

Facts only; whether they amount to a fault is decided in `connectivity`. Every path hangs below an
injectable root, and a file that is missing or unreadable reads as "not told", never as a fault.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.link import addresses
from agent.watch.kernel_files import text as said

#: Interface name -> its addresses as text.
Addresses = Mapping[str, Sequence[str]]

_RTF_UP, _RTF_GATEWAY, _RTF_REJECT = 0x1, 0x2, 0x200
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
    #: False: the kernel's files may not be read here, and `link` is only inferred.
    known: bool = True
    index: int = 0

    @property
    def usable(self) -> tuple[str, ...]:
        """Addresses that can reach beyond this wire. 169.254/16 means that DHCP failed."""
        return tuple(one for one in self.addresses if not link_local(one))

    def __str__(self) -> str:
        state = "up" if self.link else f"no link ({self.operstate})"
        if not self.known:
            state = "link unknown (/sys/class/net may not be read)"
        changes = "" if self.carrier_changes is None else f", {self.carrier_changes} link changes"
        return f"{state}, {' '.join(self.addresses) or 'no address'}{changes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way out. `gateway` is empty on a point-to-point line."""

    interface: str
    gateway: str
    metric: int = field(default=0, compare=False)


def interfaces(root: Path, addresses: Callable[[], Addresses]) -> list[Interface]:
    """All interfaces but loopback, by name."""
    known = addresses()
    names = _names(root / "sys/class/net")
    if names is None:
        # Android keeps /sys/class/net from apps: an address is the only sign of a link.
        return [
            Interface(
                name=name,
                link=any(not link_local(one) for one in told),
                operstate="unknown",
                addresses=tuple(told),
                known=False,
            )
            for name, told in sorted(known.items())
            if name != "lo"
        ]
    seen = (_interface(root / "sys/class/net" / name, known.get(name, ())) for name in names)
    return [one for one in seen if one is not None]


def _interface(folder: Path, addresses: Sequence[str]) -> Interface | None:
    """One of them; None where it vanished while it was read."""
    if folder.name == "lo":
        return None
    operstate = said(folder / "operstate")
    carrier = said(folder / "carrier")  # EINVAL while the interface is switched off
    changes = said(folder / "carrier_changes")
    if not operstate and not folder.exists():
        return None
    known = bool(operstate)
    operstate = operstate or "unknown"
    # Point-to-point drivers never leave "unknown"; their carrier tells.
    link = operstate == "up" or (operstate == "unknown" and carrier == "1")
    return Interface(
        name=folder.name,
        link=link if known else any(not link_local(one) for one in addresses),
        operstate=operstate,
        addresses=tuple(addresses),
        physical=(folder / "device").exists(),
        carrier_changes=_number(changes),
        known=known,
        index=_number(said(folder / "ifindex")) or 0,
    )


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
    routes = default_routes(root)
    return min(routes, key=lambda one: one.metric) if routes else None


def default_routes(root: Path) -> list[Route] | None:
    """All default routes, IPv6 only where there is none for IPv4; None: not told here."""
    four, six = _told(root / "proc/net/route"), _told(root / "proc/net/ipv6_route")
    if four is None and six is None:
        return None
    return _routes4(four or "") or _routes6(six or "")


def _routes4(text: str) -> list[Route]:
    routes: list[Route] = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 8 or fields[1] != "00000000" or fields[7] != "00000000":
            continue
        flags, metric = _hexadecimal(fields[3]), _number(fields[6])
        if flags is None or metric is None or not flags & _RTF_UP:
            continue
        gateway = _little_endian(fields[2]) if flags & _RTF_GATEWAY else ""
        if gateway is not None:
            routes.append(Route(interface=fields[0], gateway=gateway, metric=metric))
    return routes


def neighbour(root: Path, address: str) -> str:
    """`complete`, `permanent`, `incomplete`, or "" if the kernel has not asked for it lately."""
    for line in said(root / "proc/net/arp").splitlines()[1:]:
        fields = line.split()
        if len(fields) >= 4 and fields[0] == address:
            flags = _hexadecimal(fields[2]) or 0
            if flags & _ATF_PERMANENT:
                return "permanent"
            return "complete" if flags & _ATF_COMPLETE else "incomplete"
    return ""


def resolvers(root: Path) -> list[str]:
    """The name servers of resolv.conf; none where there is no such file (Android)."""
    lines = (line.split() for line in said(root / "etc/resolv.conf").splitlines())
    told = (fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver")
    return [one for one in told if literal(one.partition("%")[0])]


def local_addresses() -> Addresses:
    """The addresses of this machine's interfaces; never raises."""
    return addresses.local()


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


def _routes6(text: str) -> list[Route]:
    routes: list[Route] = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 10 or fields[0] != _NO_ROUTE6 or fields[1] != "00" or fields[9] == "lo":
            continue
        flags, metric = _hexadecimal(fields[8]), _hexadecimal(fields[5])
        if flags is None or metric is None or not flags & _RTF_UP or flags & _RTF_REJECT:
            continue
        gateway = ""
        if flags & _RTF_GATEWAY:
            try:
                gateway = str(ipaddress.IPv6Address(bytes.fromhex(fields[4])))
            except ValueError:
                continue
        routes.append(Route(interface=fields[9], gateway=gateway, metric=metric))
    return routes


def _little_endian(text: str) -> str | None:
    number = _hexadecimal(text)
    if number is None or number > 0xFFFFFFFF:
        return None
    return socket.inet_ntoa(struct.pack("<I", number))


def _hexadecimal(text: str) -> int | None:
    try:
        return int(text, 16)
    except ValueError:
        return None


def _number(text: str) -> int | None:
    # Not str.isdecimal alone: it takes digits of all scripts, and int() then does as well.
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else None


def _names(folder: Path) -> list[str] | None:
    try:
        return sorted(path.name for path in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError:
        return None


def _told(path: Path) -> str | None:
    """What a file says; None where it may not be read. A missing one says nothing."""
    try:
        return path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    except OSError:
        return None
