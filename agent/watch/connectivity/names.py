"""Asking name servers one by one: which of them answers what.

The system's resolver says only that a name could not be resolved; a technician needs to know which
server is silent, refuses, or tells lies. One question (type A, or AAAA where there is only IPv6)
and its answer (`agent.link.dns`); nothing is cached and nothing connects by it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket

from agent.link import dns
from agent.record import dataclass
from agent.watch.connectivity.sockets import bound

ANSWERED, NO_ANSWER, REFUSED, SERVFAIL = "answered", "no_answer", "refused", "servfail"
NXDOMAIN, EMPTY, UNREACHABLE, GARBLED = "nxdomain", "empty", "unreachable", "garbled"
TRUNCATED = "truncated"
_CODES = {2: SERVFAIL, 3: NXDOMAIN, 5: REFUSED}
PORT = 53
#: A second try after the first went unanswered: one lost packet is no dead server.
TRIES = 2
MAX_BYTES = 1_500
#: IP and UDP headers around a question and its answer.
HEADERS_BYTES = 56


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What one server said about one name."""

    server: str
    kind: str
    addresses: tuple[str, ...] = ()
    took_ms: int | None = None
    bytes_spent: int = 0

    @property
    def spoke(self) -> bool:
        """Whether anything came back from it at all."""
        return self.kind not in (NO_ANSWER, UNREACHABLE)


def question(name: str, number: int, *, six: bool = False) -> bytes | None:
    """The datagram to send; None for what is no host name."""
    try:
        return dns.question(number, name, dns.AAAA if six else dns.A)
    except UnicodeError:
        return None


def answer(
    datagram: bytes, number: int, name: str, *, six: bool = False
) -> tuple[str, tuple[str, ...]]:
    """Kind and addresses of an answer to question `number` about `name`."""
    try:
        told = dns.answer(datagram, number, name, dns.AAAA if six else dns.A)
    except dns.BrokenAnswerError:
        return GARBLED, ()
    if told.rcode != dns.NO_ERROR:
        return _CODES.get(told.rcode, SERVFAIL), ()
    if told.addresses:
        return ANSWERED, told.addresses
    return (TRUNCATED if told.truncated else EMPTY), ()


async def ask(
    server: str, name: str, *, number: int, try_s: float, interface: str = "", six: bool = False
) -> Told:
    """Ask one server. Never raises: what goes wrong is what it said."""
    asked = question(name, number, six=six)
    if asked is None:
        return Told(server=server, kind=GARBLED)
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    spent = 0
    began = loop.time()
    try:
        with bound(family, socket.SOCK_DGRAM, interface) as sock:
            # Connected: a server without a port 53 says so, and nobody else is listened to.
            sock.connect((server.partition("%")[0], PORT, *_scope(server)))
            for _ in range(TRIES):
                spent += len(asked) + HEADERS_BYTES // 2
                sock.send(asked)
                try:
                    async with asyncio.timeout(try_s):
                        while True:
                            datagram = await loop.sock_recv(sock, MAX_BYTES)
                            spent += len(datagram) + HEADERS_BYTES // 2
                            kind, addresses = answer(datagram, number, name, six=six)
                            if kind != GARBLED or datagram[:2] == asked[:2]:
                                return Told(
                                    server=server,
                                    kind=kind,
                                    addresses=addresses,
                                    took_ms=round((loop.time() - began) * 1000),
                                    bytes_spent=spent,
                                )
                except TimeoutError:
                    continue
    except ConnectionRefusedError:
        return Told(server=server, kind=REFUSED, bytes_spent=spent)
    except (OSError, ValueError):
        return Told(server=server, kind=UNREACHABLE, bytes_spent=spent)
    return Told(server=server, kind=NO_ANSWER, bytes_spent=spent)


def _scope(server: str) -> tuple[int, ...]:
    """Flow and scope of an IPv6 place; nothing for IPv4."""
    if ":" not in server:
        return ()
    zone = server.partition("%")[2]
    if not zone:
        return (0, 0)
    try:
        return (0, int(zone) if zone.isdecimal() else socket.if_nametoindex(zone))
    except OSError:
        return (0, 0)


def nonsense(address: str) -> bool:
    """Whether no host can have this address: an answer like that is a lie or a block list's."""
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return True
    return (
        told.is_loopback or told.is_unspecified or told.is_multicast or told.is_link_local
        or (told.version == 4 and (told.packed[0] == 0 or told.packed == b"\xff\xff\xff\xff"))
    )  # fmt: skip


def private(address: str) -> bool:
    """Whether an address exists only inside some network: 10/8, 172.16/12, 192.168/16, 100.64/10,
    fc00::/7. Acquirers behind private lines have such ones."""
    try:
        told = ipaddress.ip_address(address)
    except ValueError:
        return False
    if told.version == 6:
        return told.packed[0] & 0xFE == 0xFC
    return any(told in one for one in _PRIVATE)


_PRIVATE = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)
