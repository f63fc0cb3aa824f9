"""Which addresses this machine has, interface by interface.

Asked of the kernel over rtnetlink; where this process may not (Android keeps parts of it from apps,
a sandbox all of it) of /proc/net/if_inet6 and the older question by ioctl. Addresses are text
without a zone. An alias (`eth0:1`) is an address of its interface. The parsers are pure; nothing
here raises: what is not told is not there. Called by `agent.watch.layers`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from agent.link import netlink

_SIOCGIFCONF = 0x8912
#: struct ifreq: a name, then a union whose largest member is an ifmap.
_NAME_BYTES = 16
_ENTRY_BYTES = _NAME_BYTES + struct.calcsize("@LLHBBB3x")
_ENTRIES, _ENTRIES_MAX = 32, 1024


def local(
    root: Path = Path("/"), ask: Callable[[], list[netlink.Held]] = netlink.addresses
) -> dict[str, list[str]]:
    """The addresses by interface, those of interfaces without one too, where they are told."""
    names = _names()
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    try:
        told = list(_named(ask(), names))
    except netlink.NetlinkError:
        told = [*configured(), *six_in(_text(root / "proc/net/if_inet6"))]
    for name, address in told:
        held = found.setdefault(name, [])
        if address not in held:
            held.append(address)
    return found


def _named(every: Iterable[netlink.Held], names: dict[int, str]) -> Iterator[tuple[str, str]]:
    for one in every:
        if name := names.get(one.interface) or _name(one):
            yield name, one.address


def _names() -> dict[int, str]:
    try:
        return dict(socket.if_nameindex())
    except (OSError, AttributeError):  # Android does not let apps list the links
        return {}


def _name(held: netlink.Held) -> str:
    """Asked one by one, which is allowed where the list is not."""
    try:
        return socket.if_indextoname(held.interface)
    except (OSError, AttributeError, OverflowError):  # it vanished
        return held.label.partition(":")[0]


def six_in(said: str) -> list[tuple[str, str]]:
    """Interface and address of every line of /proc/net/if_inet6; others are left out."""
    found: list[tuple[str, str]] = []
    for line in said.splitlines():
        fields = line.split()
        if len(fields) < 6 or len(fields[0]) != 32:
            continue
        try:
            raw = bytes.fromhex(fields[0])
        except ValueError:
            continue
        if len(raw) == 16:
            found.append((fields[5], socket.inet_ntop(socket.AF_INET6, raw)))
    return found


def four_in(raw: bytes) -> list[tuple[str, str]]:
    """Interface and address of every whole `ifreq`; another family's are left out."""
    found: list[tuple[str, str]] = []
    for at in range(0, len(raw) - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        label = raw[at : at + _NAME_BYTES].partition(b"\0")[0].decode("utf-8", "replace")
        family, _, address = struct.unpack_from("=HH4s", raw, at + _NAME_BYTES)
        name = label.partition(":")[0]
        if name and family == socket.AF_INET:
            found.append((name, socket.inet_ntoa(address)))
    return found


def configured() -> list[tuple[str, str]]:
    """The IPv4 addresses of all interfaces, by the question of old."""
    import array
    import fcntl

    entries = _ENTRIES
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
            while True:
                answer = array.array("B", bytes(entries * _ENTRY_BYTES))
                place, room = answer.buffer_info()
                told = fcntl.ioctl(asked, _SIOCGIFCONF, struct.pack("@iP", room, place))
                (length,) = struct.unpack_from("@i", told)
                # A full answer is one that may have been cut off.
                if length < room or entries >= _ENTRIES_MAX:
                    return four_in(answer.tobytes()[: max(0, length)])
                entries *= 4
    except OSError:
        return []


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
