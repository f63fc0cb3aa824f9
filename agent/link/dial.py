"""Opening a connection to a host: name, then TCP, then TLS, and saying which of them failed.

Called by everything that speaks to a host. Nothing is sent over the connection it hands out, and it
does not know what will be. The addresses of a name are tried in the order the system gives them.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from typing import Protocol, TypeVar

from agent.link.fault import DNS, DialError, cause_of, name_fault, tcp_fault, tls_fault

__all__ = ["Blocking", "DialError", "Dialer", "cause_of"]

T = TypeVar("T")
#: Family and socket address, ready for connect.
Address = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]

#: How long bytes may stay unacknowledged before the kernel gives the connection up; without it a
#: pulled cable is noticed after a quarter of an hour.
USER_TIMEOUT_MS = 30_000
#: For the goodbye of TLS when closing; asyncio's 30 s would hold sockets of dead hosts.
TLS_GOODBYE_S = 1.0
SHORTEST_S = 0.01


class Blocking(Protocol):
    """Runs a call that may hang, off the loop. See `agent.supervise`."""

    async def call(self, name: str, function: Callable[[], T], deadline_s: float) -> T:
        """The function's result; TimeoutError at the deadline."""
        ...


class Dialer:
    """Opens connections. Resolves a name once for all who ask at the same moment."""

    def __init__(self, blocking: Blocking) -> None:
        self._blocking = blocking
        self._resolving: dict[tuple[str, int], asyncio.Task[list[Address]]] = {}

    async def open(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float
    ) -> tuple[StreamReader, StreamWriter]:
        """A connection ready for the first byte, TLS finished, within the time; else DialError."""
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        addresses = await self._addresses(host, port, timeout_s)
        where = f"{host}:{port}"
        sock = await _connected(where, addresses, end)
        if tls is None:
            return await asyncio.open_connection(sock=sock)
        try:
            return await asyncio.open_connection(
                sock=sock,
                ssl=tls,
                server_hostname=host,
                ssl_handshake_timeout=max(SHORTEST_S, end - loop.time()),
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except (OSError, EOFError) as error:
            raise tls_fault(where, error) from error

    async def _addresses(self, host: str, port: int, timeout_s: float) -> list[Address]:
        if (literal := _literal(host, port)) is not None:
            return [literal]
        task = self._resolving.get((host, port))
        if task is None:
            task = asyncio.get_running_loop().create_task(self._resolve(host, port, timeout_s))
            self._resolving[host, port] = task
            task.add_done_callback(lambda done: self._resolved(host, port, done))
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

    async def _resolve(self, host: str, port: int, timeout_s: float) -> list[Address]:
        # Bytes keep Python from loading its tables for international names (1 MB).
        name = host.encode("ascii") if host.isascii() else host

        def look_up() -> list[Address]:
            found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            return [(family, address) for family, _, _, _, address in found]

        return await self._blocking.call(f"dns {host}", look_up, timeout_s)

    def _resolved(self, host: str, port: int, task: asyncio.Task[list[Address]]) -> None:
        del self._resolving[host, port]
        if not task.cancelled():
            task.exception()  # whoever waited has it; if all gave up, nobody misses it


async def _connected(where: str, addresses: list[Address], end: float) -> socket.socket:
    """A TCP connection to the first address that takes one; each gets a fair share of the time."""
    loop = asyncio.get_running_loop()
    fault = DialError("dns", f"the name server knows no address for {where}", DNS)
    for index, address in enumerate(addresses):
        share_s = (end - loop.time()) / (len(addresses) - index)
        try:
            return await _connect(address, share_s)
        except OSError as error:
            number = str(address[1][0])
            at = where if where.startswith(number) else f"{where} ({number})"
            latest = tcp_fault(at, error)
            # "No IPv6 here" must not hide that the host refused on IPv4.
            if fault.layer == "dns" or error.errno not in {errno.ENETUNREACH, errno.EADDRNOTAVAIL}:
                fault = latest
    raise fault


async def _connect(address: Address, limit_s: float) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        async with asyncio.timeout(limit_s):
            await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _literal(host: str, port: int) -> Address | None:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except (OSError, ValueError):  # ValueError: not ASCII, or with a NUL
            continue
        return (family, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None
