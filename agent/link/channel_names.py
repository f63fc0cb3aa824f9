"""The name servers a channel's own network has named, wherever this system keeps them.

Looked for in the order of how surely they belong to the interface; a file that is missing or may
not be read is passed over. Called when a channel is taken into use, never on a payment's way.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SERVERS_MAX = 4
_FILE_BYTES = 262_144
#: An address, perhaps with the port, interface and name systemd appends: 192.0.2.1:53%eth0#dns.test
_ADDRESS = re.compile(
    r"(\d+\.\d+\.\d+\.\d+)(?::\d+)?(?:[%#].*)?|\[?([0-9A-Fa-f:.]+)\]?(?:[%#:].*)?"
)

Reader = Callable[[str, str], Iterable[str]]


def servers_of(interface: str, index: int, root: Path = Path("/")) -> tuple[str, ...]:
    """The servers of this interface; empty where nothing on this system says."""
    for pattern, reads in _places(interface, index):
        for path in sorted(root.glob(pattern.lstrip("/"))):
            if found := _usable(reads(_text(path), interface)):
                return found
    return ()


def system_servers(root: Path = Path("/")) -> tuple[str, ...]:
    """Those of resolv.conf; behind systemd's stub those it asks. Never one on this machine."""
    for name in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        if found := _usable(_resolv_conf(_text(root / name), "")):
            return found
    return ()


def _places(interface: str, index: int) -> Iterator[tuple[str, Reader]]:
    safe = re.sub(r"[^A-Za-z0-9_.:@-]", "?", interface)
    yield f"/run/systemd/netif/links/{index}", _assignments
    yield f"/run/systemd/netif/leases/{index}", _assignments
    yield f"/run/systemd/resolve/netif/{index}", _assignments
    yield f"/var/lib/NetworkManager/*-{safe}.lease", _lease
    yield f"/run/dhcpcd/hook-state/resolv.conf/{safe}.*", _resolv_conf
    yield f"/run/resolvconf/interface*/{safe}*", _resolv_conf
    yield f"/var/lib/dhcp/dhclient*{safe}*.lease*", _lease
    yield "/var/lib/dhcp/dhclient*.lease*", _lease
    if interface.startswith("ppp"):
        yield "/etc/ppp/resolv.conf", _resolv_conf


def _assignments(text: str, _interface: str) -> list[str]:
    """systemd: `DNS=192.0.2.1 2001:db8::1` or `SERVERS=…`."""
    found: list[str] = []
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key.strip() in ("DNS", "SERVERS"):
            found += value.split()
    return found


def _resolv_conf(text: str, _interface: str) -> list[str]:
    lines = (line.split() for line in text.splitlines())
    return [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]


def _lease(text: str, interface: str) -> list[str]:
    """dhclient's or NetworkManager's lease: of the last one for this interface."""
    found: list[str] = []
    for block in text.split("lease {"):
        named = re.search(r'interface\s+"([^"]*)"', block)
        if named is not None and named[1] != interface:
            continue
        told = re.findall(r"(?:option domain-name-servers\s+|(?:^|\n)DNS=)([^;\n]*)", block)
        if told:
            found = re.split(r"[,\s]+", told[-1])
    return found


def _usable(told: Iterable[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in told:
        form = _ADDRESS.fullmatch(text)
        try:
            address = ipaddress.ip_address((form[1] or form[2]) if form else "")
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            found.append(str(address))
    return tuple(dict.fromkeys(found))[:SERVERS_MAX]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_FILE_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
