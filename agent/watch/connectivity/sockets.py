"""Sockets that leave by one interface, and asking a gateway whether it is there.

A source address alone leaves by the main route; SO_BINDTODEVICE does not. From Linux 5.7 on anyone
may bind a fresh socket, before that it takes CAP_NET_RAW. Nothing here is a verdict.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

_ARP = 0x0806
_REQUEST, _REPLY = 1, 2
_ARP_PACKET = struct.Struct("!HHBBH6s4s6s4s")
_BROADCAST = b"\xff" * 6
ARP_TRIES = 2
ARP_BYTES = 60  #: the least an Ethernet frame is
_DISCARD_PORT = 9
#: Where traceroute knocks, because nobody listens there.
_CLOSED_PORT = 33_434


def bound(family: int, kind: int, interface: str) -> socket.socket:
    """A non-blocking socket; raises OSError where binding is not allowed."""
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        if interface:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    except OSError:
        sock.close()
        raise
    return sock


def arp_reply_from(packet: bytes) -> str:
    """Who says in this packet that it has an address; "" for anything else. Never raises."""
    if len(packet) < _ARP_PACKET.size:
        return ""
    hardware, protocol, _, length, operation, _, sender, _, _ = _ARP_PACKET.unpack_from(packet)
    if (hardware, protocol, length, operation) != (1, 0x0800, 4, _REPLY):
        return ""
    return str(ipaddress.IPv4Address(sender))


class Wire:
    """Asking a gateway whether it is there, by what this process may do."""

    async def gateway_answers(
        self, interface: str, gateway: str, source: str, wait_s: float
    ) -> tuple[bool | None, int]:
        """Ask on the wire who has the gateway's address; and the bytes that took.

        None: this process may not (it takes CAP_NET_RAW), or the wire knows no ARP. The kernel
        believes a neighbour for up to 45 s after its last word: its table alone is too slow.
        """
        try:
            asked, own = ipaddress.IPv4Address(gateway), ipaddress.IPv4Address(source)
            wire = socket.socket(
                socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.htons(_ARP)
            )
        except (ValueError, OSError, AttributeError):
            return None, 0
        loop = asyncio.get_running_loop()
        spent = 0
        try:
            wire.bind((interface, _ARP))
            mac = wire.getsockname()[4]
            if len(mac) != 6 or not any(mac):
                return None, 0
            question = _ARP_PACKET.pack(
                1, 0x0800, 6, 4, _REQUEST, mac, own.packed, bytes(6), asked.packed
            )
            for _ in range(ARP_TRIES):
                wire.sendto(question, (interface, _ARP, 0, 0, _BROADCAST))
                spent += ARP_BYTES
                try:
                    async with asyncio.timeout(wait_s):
                        while arp_reply_from(await loop.sock_recv(wire, 256)) != str(asked):
                            pass
                    return True, spent + ARP_BYTES
                except TimeoutError:
                    continue
        except OSError:
            return None, spent
        finally:
            wire.close()
        return False, spent

    async def gateway_speaks(
        self, interface: str, gateway: str, wait_s: float, tries: int
    ) -> tuple[bool, int]:
        """Whether the gateway answers what takes no right to ask; and the bytes that took.

        An empty datagram to a port nobody listens on: a router says so, or is silent. Silence means
        nothing of one that never spoke, and everything of one that did.
        """
        loop = asyncio.get_running_loop()
        family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
        spent = 0
        try:
            place: tuple[str, int] | tuple[str, int, int, int] = (gateway, _CLOSED_PORT)
            if family == socket.AF_INET6:
                place = (gateway, _CLOSED_PORT, 0, socket.if_nametoindex(interface))
            with bound(family, socket.SOCK_DGRAM, "") as asked:
                asked.connect(place)
                for _ in range(tries):
                    asked.send(b"")
                    spent += 28
                    try:
                        async with asyncio.timeout(wait_s):
                            await loop.sock_recv(asked, 64)
                        return True, spent + 28
                    except TimeoutError:
                        continue
        except ConnectionRefusedError:
            return True, spent + 56
        except OSError:
            return False, spent
        return False, spent

    def nudge(self, interface: str, gateway: str) -> int:
        """Have the kernel ask for its gateway: one empty datagram to it. The bytes that took."""
        family = socket.AF_INET6 if ":" in gateway else socket.AF_INET
        try:
            with bound(
                family, socket.SOCK_DGRAM, "" if family == socket.AF_INET else interface
            ) as one:
                place: tuple[str, int] | tuple[str, int, int, int] = (gateway, _DISCARD_PORT)
                if family == socket.AF_INET6:
                    place = (gateway, _DISCARD_PORT, 0, socket.if_nametoindex(interface))
                one.sendto(b"", place)
        except OSError:
            return 0
        return 28
