"""Names asked through one channel: A and AAAA over a socket that is bound to it.

The system's resolver asks by the main route, and when that is down it knows nothing. This one is
small on purpose: no cache, no search list; what a server says is decoded by `agent.link.dns`. Used
by a channel's `Way` only; where no channel is configured the system resolves as it always did.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.link.dns import (
    NAME_ERROR,
    NO_ERROR,
    A,
    Answer,
    BrokenAnswerError,
    answer,
    question,
)
from agent.link.fault import DNS, DialError

PORT = 53
UDP_BYTES = 4_096
TCP_BYTES = 16_384
#: Datagrams that do not fit the question, before an attempt is given up.
FOREIGN_MAX = 16
ROUNDS = 2

Bind = Callable[[socket.socket], None]


class Resolver:
    """Asks the servers of one channel, over sockets bound to it."""

    def __init__(
        self,
        servers: Sequence[str],
        bind: Bind,
        *,
        kinds: tuple[int, ...] = (A,),
        port: int = PORT,
        hosts: Path = Path("/etc/hosts"),
    ) -> None:
        """`kinds`: A, AAAA or both, as the channel has routes."""
        self._servers = tuple(servers)
        self._bind = bind
        self._kinds = kinds
        self._port = port
        self._hosts = hosts

    async def resolve(self, name: str, timeout_s: float) -> list[str]:
        """The addresses of a name; DialError says who did not answer."""
        if local := in_hosts(self._hosts, name):
            return local
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout_s
        trouble = "no name server is known for this channel"
        turns = [server for _ in range(ROUNDS) for server in self._servers]
        for index, server in enumerate(turns):
            share_s = (end - loop.time()) / (len(turns) - index)
            try:
                async with asyncio.timeout(share_s):
                    found = await self._ask(server, name)
            except TimeoutError:
                trouble = f"{server} did not answer for {name}"
                continue
            except OSError as error:
                trouble = f"{server} cannot be asked for {name}: {error.strerror or error}"
                continue
            if isinstance(found, list):
                return found
            trouble = found
        raise DialError("dns", trouble, DNS)

    async def _ask(self, server: str, name: str) -> list[str] | str:
        """Addresses, or why this server gave none; an authoritative no is a DialError."""
        asking = [asyncio.create_task(self._one(server, name, kind)) for kind in self._kinds]
        try:
            answers = await asyncio.gather(*asking)
        finally:
            # Where one failed the other still waits, and on nobody: no deadline is upon it.
            for one in asking:
                one.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        found = [address for got in answers for address in got.addresses]
        if found or all(got.rcode == NO_ERROR for got in answers):
            return found
        if any(got.rcode == NAME_ERROR for got in answers):
            raise DialError("dns", f"the name {name} is not known to {server}", DNS)
        return f"{server} refused to answer for {name} (code {answers[0].rcode})"

    async def _one(self, server: str, name: str, kind: int) -> Answer:
        number = secrets.randbits(16)
        asked = question(number, name, kind)
        with self._socket(server, socket.SOCK_DGRAM) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (server, self._port))  # only its datagrams are heard
            await loop.sock_sendall(sock, asked)
            for _ in range(FOREIGN_MAX):
                try:
                    got = answer(await loop.sock_recv(sock, UDP_BYTES), number, name, kind)
                except BrokenAnswerError:
                    continue
                return await self._over_tcp(server, name, kind) if got.truncated else got
        raise TimeoutError

    async def _over_tcp(self, server: str, name: str, kind: int) -> Answer:
        number = secrets.randbits(16)
        asked = question(number, name, kind)
        with self._socket(server, socket.SOCK_STREAM) as sock:
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, (server, self._port))
            await loop.sock_sendall(sock, struct.pack("!H", len(asked)) + asked)
            (size,) = struct.unpack("!H", await _exactly(sock, 2))
            got = await _exactly(sock, min(size, TCP_BYTES))
        try:
            return answer(got, number, name, kind)
        except BrokenAnswerError as error:
            raise OSError(f"a broken answer: {error}") from error

    def _socket(self, server: str, kind: socket.SocketKind) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in server else socket.AF_INET, kind)
        try:
            sock.setblocking(False)
            self._bind(sock)
        except BaseException:
            sock.close()
            raise
        return sock


async def _exactly(sock: socket.socket, size: int) -> bytes:
    got = b""
    while len(got) < size:
        piece = await asyncio.get_running_loop().sock_recv(sock, size - len(got))
        if not piece:
            raise OSError("it hung up in the middle of its answer")
        got += piece
    return got


def in_hosts(path: Path, name: str) -> list[str]:
    """What the hosts file says, as the system's resolver would see it first."""
    wanted = name.removesuffix(".").lower()
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return []
    found: list[str] = []
    for line in text[:65_536].splitlines():
        fields = line.partition("#")[0].lower().split()
        if wanted in fields[1:] and _address(fields[0]):
            found.append(fields[0])
    return found


def _address(text: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, text)
        except (OSError, ValueError):
            continue
        return True
    return False
