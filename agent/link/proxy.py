"""A TCP connection through a proxy: HTTP CONNECT or SOCKS 5, byte for byte.

Takes a connection to the proxy and hands it back with the host on its far end. The proxy resolves
the name. Not a byte more is read than the proxy's own answer: what follows is the host's. A proxy
that refuses, lies, drips or floods ends in a DialError; its words are cut and never trusted. Called
for MQTT, over the channel in use.
"""

from __future__ import annotations

import asyncio
import base64
import socket
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agent.link.dial import Dialer, Reach, stays_here
from agent.link.fault import FORBIDDEN, UNREACHABLE, DialError
from agent.record import dataclass

MAX_HEAD_BYTES = 8_192
MAX_WORD = 120
#: RFC 1928 and 1929.
VERSION, PASSWORD_VERSION, CONNECT = 5, 1, 1
NO_PASSWORD, WITH_PASSWORD, NONE_FITS = 0, 2, 0xFF
IPV4, NAME, IPV6 = 1, 3, 4
SOCKS_WORDS = {
    1: "it failed",
    2: "its rules forbid it",
    3: "it has no way to that network",
    4: "it cannot reach the host",
    5: "the host refused the connection",
    6: "the host did not answer",
    7: "it does not know the command",
    8: "it does not know that kind of address",
}
#: Answers that are about us, not about the host.
HTTP_FORBIDDEN = (401, 403, 407)
SOCKS_FORBIDDEN = 2
HTTP_OK = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """Where it is, and who we are to it."""

    kind: str  #: `http` or `socks5`
    host: str
    port: int
    user: str = ""
    password_file: str = ""

    @classmethod
    def parse(cls, url: str, password_file: str = "") -> Proxy:
        """Of `http://[user@]host:port` or `socks5://[user@]host:port`."""
        parts = urlsplit(url)
        return cls(
            kind=parts.scheme,
            host=parts.hostname or "",
            port=parts.port or (1080 if parts.scheme == "socks5" else 3128),
            user=unquote(parts.username or ""),
            password_file=password_file,
        )

    def __str__(self) -> str:
        return f"{self.kind}://{self.host}:{self.port}"

    def password(self) -> str:
        """Read at each connection: it may be changed."""
        if not self.password_file:
            return ""
        try:
            with Path(self.password_file).open(encoding="utf-8") as file:
                return file.read(MAX_HEAD_BYTES).strip()
        except (OSError, ValueError) as error:
            raise self.fault(f"its password cannot be read: {error}", FORBIDDEN) from error

    def fault(self, what: str, code: str = UNREACHABLE) -> DialError:
        """What went wrong between it and us."""
        return DialError("tcp", f"proxy {self}: {what}", code)


def through(proxy: Proxy, reach: Reach) -> Reach:
    """As `reach`, but by the proxy; what is on this terminal is reached without."""

    async def reached(host: str, port: int, timeout_s: float) -> tuple[socket.socket, str, str]:
        if stays_here(host, ""):
            return await reach(host, port, timeout_s)
        end = asyncio.get_running_loop().time() + timeout_s
        sock, channel, interface = await reach(proxy.host, proxy.port, timeout_s)
        try:
            sock.setblocking(False)
            async with asyncio.timeout_at(end):
                if proxy.kind == "socks5":
                    await _socks(sock, proxy, host, port)
                else:
                    await _connect(sock, proxy, host, port)
        except TimeoutError:
            sock.close()
            raise proxy.fault(f"it did not answer within {timeout_s:g} s") from None
        except OSError as error:
            sock.close()
            raise proxy.fault(f"the connection broke: {error.strerror or error}") from error
        except BaseException:
            sock.close()
            raise
        return sock, channel, interface

    return reached


def straight(dialer: Dialer) -> Reach:
    """As the system chooses."""

    async def reached(host: str, port: int, timeout_s: float) -> tuple[socket.socket, str, str]:
        return (await dialer.reach(host, port, timeout_s, None)).sock, "", ""

    return reached


async def _connect(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """RFC 9110, 9.3.6."""
    at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {at} HTTP/1.1", f"Host: {at}"]
    if proxy.user:
        token = base64.b64encode(f"{proxy.user}:{proxy.password()}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {token}")
    await _send(sock, ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace"))
    head = bytearray()
    while not head.endswith(b"\r\n\r\n"):
        if len(head) >= MAX_HEAD_BYTES:
            raise proxy.fault("its answer has no end")
        head += await _receive(sock, 1, proxy)
    words = bytes(head).split(b"\r\n", 1)[0].split(b" ", 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise proxy.fault("its answer is not HTTP")
    status = int(words[1][:4])
    if status not in HTTP_OK:
        said = words[2][:MAX_WORD].decode("ascii", "replace") if len(words) > 2 else ""
        shown = "".join(each if each.isprintable() else "?" for each in said)
        code = FORBIDDEN if status in HTTP_FORBIDDEN else UNREACHABLE
        raise proxy.fault(f"it answered {status} {shown}".rstrip(), code)


async def _socks(sock: socket.socket, proxy: Proxy, host: str, port: int) -> None:
    """RFC 1928, with a name as address, and RFC 1929 for the password."""
    offered = [NO_PASSWORD, WITH_PASSWORD] if proxy.user else [NO_PASSWORD]
    await _send(sock, bytes([VERSION, len(offered), *offered]))
    version, method = await _receive(sock, 2, proxy)
    if version != VERSION or method not in (*offered, NONE_FITS):
        raise proxy.fault("its answer is not SOCKS 5")
    if method == NONE_FITS:
        raise proxy.fault("it wants another proof of who we are", FORBIDDEN)
    if method == WITH_PASSWORD:
        user, secret = proxy.user.encode()[:255], proxy.password().encode()[:255]
        told = bytes([PASSWORD_VERSION, len(user)]) + user + bytes([len(secret)]) + secret
        await _send(sock, told)
        if (await _receive(sock, 2, proxy))[1] != 0:
            raise proxy.fault("it refuses user or password", FORBIDDEN)
    await _send(
        sock, bytes([VERSION, CONNECT, 0]) + _address(host, proxy) + port.to_bytes(2, "big")
    )
    version, answer, _, kind = await _receive(sock, 4, proxy)
    if version != VERSION:
        raise proxy.fault("its answer is not SOCKS 5")
    if answer:
        code = FORBIDDEN if answer == SOCKS_FORBIDDEN else UNREACHABLE
        raise proxy.fault(SOCKS_WORDS.get(answer, f"it answered {answer}"), code)
    sizes = {IPV4: 4, IPV6: 16}
    if kind == NAME:
        size = (await _receive(sock, 1, proxy))[0]
    elif kind in sizes:
        size = sizes[kind]
    else:
        raise proxy.fault("its answer is not SOCKS 5")
    await _receive(sock, size + 2, proxy)


def _address(host: str, proxy: Proxy) -> bytes:
    for family, kind in ((socket.AF_INET, IPV4), (socket.AF_INET6, IPV6)):
        try:
            return bytes([kind]) + socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
    try:
        name = host.encode("ascii") if host.isascii() else host.encode("idna")
    except UnicodeError:
        name = b""
    if not 0 < len(name) < 256:
        raise proxy.fault(f"{host[:MAX_WORD]!r} is not a host name")
    return bytes([NAME, len(name)]) + name


async def _send(sock: socket.socket, told: bytes) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, told)


async def _receive(sock: socket.socket, count: int, proxy: Proxy) -> bytes:
    """Exactly so many bytes."""
    found = bytearray()
    while len(found) < count:
        piece = await asyncio.get_running_loop().sock_recv(sock, count - len(found))
        if not piece:
            raise proxy.fault("it hung up")
        found += piece
    return bytes(found)
