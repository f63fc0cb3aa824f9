"""Names asked through one channel: A and AAAA over a socket that is bound to it.

The system's resolver asks by the main route, and when that is down it knows nothing. This one is
small on purpose: no cache, no search list, no EDNS; what a server says is decoded strictly, held
against the question, and never raises on garbage. It is used by a channel's `Way` only; where no
channel is configured the system resolves as it always did.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from pathlib import Path

from agent.link.fault import DNS, DialError
from agent.record import dataclass

PORT = 53
A, CNAME, AAAA, IN = 1, 5, 28, 1
FLAGS_ASKED = 0x0100  #: recursion desired
RESPONSE, OPCODE, TRUNCATED, RCODE = 0x8000, 0x7800, 0x0200, 0x000F
NO_ERROR, NAME_ERROR = 0, 3
UDP_BYTES = 4_096
TCP_BYTES = 16_384
#: More is no answer to a question about one name.
RECORDS_MAX = 64
ALIASES_MAX = 8
JUMPS_MAX = 16
#: Datagrams that do not fit the question, before an attempt is given up.
FOREIGN_MAX = 16
ROUNDS = 2

Bind = Callable[[socket.socket], None]


class BrokenAnswerError(ValueError):
    """What came is no answer a server gives."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said to one question."""

    rcode: int
    truncated: bool
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Record:
    name: bytes
    kind: int
    value: bytes = field(repr=False)


def question(number: int, name: str, kind: int) -> bytes:
    """The bytes that ask for the addresses of a name. UnicodeError for what is no name."""
    head = struct.pack("!HHHHHH", number, FLAGS_ASKED, 1, 0, 0, 0)
    return head + _encoded(name) + struct.pack("!HH", kind, IN)


def answer(got: bytes, number: int, name: str, kind: int) -> Answer:
    """What the bytes say to this question. Raises BrokenAnswerError for all else."""
    try:
        said, flags, questions, answers, _, _ = struct.unpack_from("!HHHHHH", got)
        if said != number or not flags & RESPONSE or flags & OPCODE or questions != 1:
            raise BrokenAnswerError("it answers another question")
        asked, at = _name(got, 12)
        asked_kind, asked_class = struct.unpack_from("!HH", got, at)
        if (asked, asked_kind, asked_class) != (_plain(_encoded(name)), kind, IN):
            raise BrokenAnswerError("it answers for another name")
        rcode, truncated = flags & RCODE, bool(flags & TRUNCATED)
        if truncated or rcode != NO_ERROR:
            return Answer(rcode, truncated, ())
        records = list(_records(got, at + 4, min(answers, RECORDS_MAX)))
    except (struct.error, IndexError) as error:
        raise BrokenAnswerError("it is cut off") from error
    return Answer(rcode, False, tuple(_addresses(records, asked, kind)))


def _addresses(records: Sequence[_Record], name: bytes, kind: int) -> Iterator[str]:
    aliases = {one.name: one.value for one in records if one.kind == CNAME}
    names = {name}
    for _ in range(ALIASES_MAX):
        if name not in aliases:
            break
        name = aliases[name]
        names.add(name)
    size, family = (4, socket.AF_INET) if kind == A else (16, socket.AF_INET6)
    for one in records:
        if one.kind == kind and one.name in names and len(one.value) == size:
            yield socket.inet_ntop(family, one.value)


def _records(got: bytes, at: int, count: int) -> Iterator[_Record]:
    for _ in range(count):
        name, at = _name(got, at)
        kind, group, _, size = struct.unpack_from("!HHIH", got, at)
        at += 10
        if at + size > len(got):
            raise BrokenAnswerError("it is cut off")
        value = got[at : at + size]
        if kind == CNAME:
            value, _ = _name(got, at)
        at += size
        if group == IN:
            yield _Record(name, kind, value)


def _name(got: bytes, at: int) -> tuple[bytes, int]:
    """A name in small letters, and where what follows it begins."""
    labels: list[bytes] = []
    after = 0
    for _ in range(JUMPS_MAX + 128):
        size = got[at]
        if size == 0:
            return b".".join(labels), after or at + 1
        if size & 0xC0 == 0xC0:
            after = after or at + 2
            target = (size & 0x3F) << 8 | got[at + 1]
            if target >= at:
                raise BrokenAnswerError("a name points forward")
            at = target
        elif size & 0xC0:
            raise BrokenAnswerError("a label of an unknown kind")
        else:
            label = got[at + 1 : at + 1 + size]
            if len(label) != size or sum(map(len, labels)) + size > 255:
                raise BrokenAnswerError("a name is cut off or too long")
            labels.append(label.lower())
            at += 1 + size
    raise BrokenAnswerError("a name does not end")


def _encoded(name: str) -> bytes:
    text = name.removesuffix(".")
    labels = (text if text.isascii() else text.encode("idna").decode("ascii")).split(".")
    if not all(0 < len(label) < 64 for label in labels) or len(text) > 253:
        raise UnicodeError(f"{name!r} is not a host name")
    return b"".join(bytes([len(one)]) + one.encode("ascii") for one in labels) + b"\0"


def _plain(encoded: bytes) -> bytes:
    return _name(encoded, 0)[0]


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
