"""Opening a connection to a host: name, then TCP, then TLS, and saying which of them failed.

Called by everything that speaks to a host. Nothing is sent over the connection it hands out, and it
does not know what will be. The addresses of a name are tried in the order the system gives them.
Where channels are configured, a connection is bound to the one in use and the name is asked there;
what became of each attempt is told to whoever watches the network.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol

from agent.blocking import Blocking
from agent.link.contact import Contact, Told
from agent.link.fault import DNS, DialError, cause_of, name_fault, tcp_fault, tls_fault
from agent.link.tls import peer_expires_at
from agent.record import dataclass

if TYPE_CHECKING:
    from agent.link.bound import Way

__all__ = ["Blocking", "DialError", "Dialer", "cause_of"]

#: Host, port and time in seconds -> a connected socket, and the names of its channel and interface.
Reach = Callable[[str, int, float], Awaitable[tuple[socket.socket, str, str]]]
#: Family and socket address, ready for connect.
Address = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]

#: How long bytes may stay unacknowledged before the kernel gives the connection up; without it a
#: pulled cable is noticed after a quarter of an hour.
USER_TIMEOUT_MS = 30_000
#: For the goodbye of TLS when closing; asyncio's 30 s would hold sockets of dead hosts.
TLS_GOODBYE_S = 1.0
SHORTEST_S = 0.01
LOOPBACK = "lo"


class Ways(Protocol):
    """Which channel connections are to take (`agent.link.channels`)."""

    def way(self) -> Way | None:
        """The one in use now; None: the system chooses."""
        ...


@dataclass(frozen=True, slots=True)
class Reached:
    """A TCP connection, before anything is done with it."""

    sock: socket.socket
    connect_ms: int


class Dialer:
    """Opens connections. Resolves a name once for all who ask at the same moment."""

    def __init__(
        self,
        blocking: Blocking,
        *,
        ways: Ways | None = None,
        told: Told | None = None,
        purpose: str = "uplink",
    ) -> None:
        """`told` hears what became of every attempt that ran its course."""
        self._blocking = blocking
        self._ways = ways
        self._told = told
        self._purpose = purpose
        self._resolving: dict[tuple[str, str, int], asyncio.Task[list[Address]]] = {}

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]:
        """A connection ready for the first byte, TLS finished, within the time; else DialError."""
        way = None if self._ways is None else self._ways.way()
        if way is None or stays_here(host, way.interface):
            return await self._opened(host, port, tls, timeout_s, None)
        async with way.dialling(timeout_s):
            reader, writer = await self._opened(host, port, tls, timeout_s, way)
        way.hold(reader, writer)
        return reader, writer

    async def reach(self, host: str, port: int, timeout_s: float, way: Way | None) -> Reached:
        """A TCP connection for somebody who brings his own TLS; else DialError."""
        end = asyncio.get_running_loop().time() + timeout_s
        try:
            addresses = await self._addresses(host, port, timeout_s, way)
            return await _connected(f"{host}:{port}", addresses, end, way)
        except DialError as error:
            self._tell(host, port, way, fault=error)
            raise

    async def _opened(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float, way: Way | None
    ) -> tuple[StreamReader, StreamWriter]:
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        reached = await self.reach(host, port, timeout_s, way)
        if tls is None:
            self._tell(host, port, way, connect_ms=reached.connect_ms)
            return await asyncio.open_connection(sock=reached.sock)
        try:
            streams = await asyncio.open_connection(
                sock=reached.sock,
                ssl=tls,
                server_hostname=host,
                ssl_handshake_timeout=max(SHORTEST_S, end - loop.time()),
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except (OSError, EOFError) as error:
            fault = tls_fault(f"{host}:{port}", error)
            self._tell(host, port, way, fault=fault, tls=True, connect_ms=reached.connect_ms)
            raise fault from error
        self._tell(host, port, way, tls=True, connect_ms=reached.connect_ms, writer=streams[1])
        return streams

    def _tell(
        self,
        host: str,
        port: int,
        way: Way | None,
        *,
        fault: DialError | None = None,
        tls: bool = False,
        connect_ms: int | None = None,
        writer: StreamWriter | None = None,
    ) -> None:
        if self._told is None:
            return
        self._told(
            Contact(
                purpose=self._purpose,
                host=host,
                port=port,
                channel="" if way is None else way.channel,
                interface="" if way is None else way.interface,
                layer="" if fault is None else fault.layer,
                code="" if fault is None else fault.code,
                reason="" if fault is None else fault.reason,
                tls=tls,
                connect_ms=connect_ms,
                expires_at=None if writer is None else peer_expires_at(writer),
            )
        )

    async def _addresses(
        self, host: str, port: int, timeout_s: float, way: Way | None
    ) -> list[Address]:
        if (literal := _literal(host, port)) is not None:
            return [literal]
        key = ("" if way is None else way.channel, host, port)
        task = self._resolving.get(key)
        if task is None:
            asking = self._resolve(host, port, timeout_s, way)
            task = asyncio.get_running_loop().create_task(asking)
            self._resolving[key] = task
            task.add_done_callback(lambda done: self._resolved(key, done))
        try:
            async with asyncio.timeout(timeout_s):
                # Shielded: the others who wait for this name must not suffer if one gives up.
                return await asyncio.shield(task)
        except TimeoutError:
            raise DialError(
                "dns", f"the name {host} was not resolved within {timeout_s:g} s", DNS
            ) from None
        except UnicodeError:
            raise DialError("dns", f"{host!r} is not a host name", DNS) from None
        except OSError as error:
            raise name_fault(host, error) from error

    async def _resolve(
        self, host: str, port: int, timeout_s: float, way: Way | None
    ) -> list[Address]:
        if way is not None and way.resolve is not None:
            found = [_literal(text, port) for text in await way.resolve(host, timeout_s)]
            return [address for address in found if address is not None]

        # Bytes keep Python from loading its tables for international names (1 MB).
        name = host.encode("ascii") if host.isascii() else host

        def look_up() -> list[Address]:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            return [(family, address) for family, _, _, _, address in found]

        return await self._blocking.call(f"dns {host}", look_up, timeout_s)

    def _resolved(self, key: tuple[str, str, int], task: asyncio.Task[list[Address]]) -> None:
        del self._resolving[key]
        if not task.cancelled():
            task.exception()  # whoever waited has it; if all gave up, nobody misses it


async def _connected(where: str, addresses: list[Address], end: float, way: Way | None) -> Reached:
    """A TCP connection to the first address that takes one; each gets a fair share of the time."""
    loop = asyncio.get_running_loop()
    fault = DialError("dns", f"the name server knows no address for {where}", DNS)
    for index, address in enumerate(addresses):
        share_s = (end - loop.time()) / (len(addresses) - index)
        try:
            began = time.monotonic()
            sock = await _connect(address, share_s, way)
            return Reached(sock, round((time.monotonic() - began) * 1000))
        except OSError as error:
            number = str(address[1][0])
            at = where if where.startswith(number) else f"{where} ({number})"
            latest = tcp_fault(at, error)
            # "No IPv6 here" must not hide that the host refused on IPv4.
            if fault.layer == "dns" or error.errno not in {errno.ENETUNREACH, errno.EADDRNOTAVAIL}:
                fault = latest
    raise fault


async def _connect(address: Address, limit_s: float, way: Way | None) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if way is not None:
            way.bind(sock)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        async with asyncio.timeout(limit_s):
            await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def stays_here(host: str, interface: str) -> bool:
    """Whether a connection never leaves this machine: a stunnel or proxy beside us, which a socket
    bound to another interface would not find."""
    at_home = host in ("localhost", "::1") or (host.startswith("127.") and host.count(".") == 3)
    return at_home and interface != LOOPBACK


def _literal(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):  # ValueError: not ASCII, or with a NUL
            continue
        return (family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None
