"""Through a proxy: the bytes of both kinds, and proxies that refuse, lie, drip or flood."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.link.fault import FORBIDDEN, UNREACHABLE, DialError
from agent.link.proxy import MAX_HEAD_BYTES, Proxy, through

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def plain(host: str, port: int, timeout_s: float) -> tuple[socket.socket, str, str]:
    sock = socket.socket()
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (host, port))
    except BaseException:
        sock.close()
        raise
    return sock, "spare", "wwan0"


async def run(
    serve: Serve, kind: str, host: str, *, user: str = "", password_file: str = "",
    timeout_s: float = 5.0, more: int = 0,
) -> bytes:  # fmt: skip
    """Dial `host`:8883 through a proxy that serves so; what can be read afterwards."""
    done = asyncio.Event()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            done.set()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = Proxy(kind=kind, host="127.0.0.1", port=port, user=user, password_file=password_file)
    try:
        sock, channel, interface = await through(proxy, plain)(host, 8883, timeout_s)
        assert (channel, interface) == ("spare", "wwan0")
        try:
            found = b""
            while len(found) < more:
                found += await asyncio.get_running_loop().sock_recv(sock, more - len(found))
            return found
        finally:
            sock.close()
    finally:
        server.close()
        await asyncio.wait_for(done.wait(), 5)
        await server.wait_closed()


def refused(serve: Serve, kind: str, **options: object) -> DialError:
    with pytest.raises(DialError) as caught:
        asyncio.run(run(serve, kind, "broker.test", **options))  # type: ignore[arg-type]
    assert caught.value.layer == "tcp"
    return caught.value


def says(answer: bytes, ask: int = 1) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(ask)
        writer.write(answer)
        await writer.drain()
        await reader.read(4_096)

    return serve


@pytest.mark.parametrize(
    ("url", "kind", "port", "user"),
    [
        ("http://p.test:8080", "http", 8080, ""),
        ("http://p.test", "http", 3128, ""),
        ("socks5://us%40er@[::1]:9", "socks5", 9, "us@er"),
        ("socks5://p.test", "socks5", 1080, ""),
    ],
)
def test_addresses_of_proxies(url: str, kind: str, port: int, user: str) -> None:
    """Kind, port and user of a configured address; a user never shows."""
    proxy = Proxy.parse(url)
    assert (proxy.kind, proxy.port, proxy.user) == (kind, port, user)
    assert "us@er" not in str(proxy)


def test_http_connect_byte_for_byte(tmp_path: Path) -> None:
    """One CONNECT with the name and our proof; what follows the answer is the host's."""
    secret = tmp_path / "secret"
    secret.write_text("pa:ss\n")
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\nHELLO")
        await writer.drain()
        await reader.read(1)

    found = asyncio.run(
        run(serve, "http", "broker.test", user="me", password_file=str(secret), more=5)
    )
    assert found == b"HELLO"
    (asked,) = heard
    assert asked == (
        b"CONNECT broker.test:8883 HTTP/1.1\r\nHost: broker.test:8883\r\n"
        b"Proxy-Authorization: Basic bWU6cGE6c3M=\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.7", b"\x01\xc0\x00\x02\x07"),
        ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + b"\0" * 11 + b"\x01"),
        ("broker.test", b"\x03\x0bbroker.test"),
    ],
)
@pytest.mark.parametrize("answer", [b"\x01\0\0\0\0\0\0", b"\x03\x02xx\0\0", b"\x04" + b"\0" * 18])
def test_socks_byte_for_byte(host: str, address: bytes, answer: bytes) -> None:
    """The greeting, the request with name or number, and an answer of any of the three kinds."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        writer.write(b"\x05\x00")
        assert await reader.readexactly(5 + len(address)) == b"\x05\x01\0" + address + b"\x22\xb3"
        writer.write(b"\x05\0\0" + answer + b"HELLO")
        await writer.drain()
        await reader.read(1)

    assert asyncio.run(run(serve, "socks5", host, more=5)) == b"HELLO"


def test_socks_with_a_password(tmp_path: Path) -> None:
    """RFC 1929, and only when there is a user."""
    secret = tmp_path / "secret"
    secret.write_text("pw")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(4) == b"\x05\x02\x00\x02"
        writer.write(b"\x05\x02")
        assert await reader.readexactly(7) == b"\x01\x02me\x02pw"
        writer.write(b"\x01\x00")
        await reader.readexactly(18)
        writer.write(b"\x05\0\0\x01" + b"\0" * 6)
        await writer.drain()
        await reader.read(1)

    asyncio.run(run(serve, "socks5", "broker.test", user="me", password_file=str(secret)))


@pytest.mark.parametrize(
    ("kind", "answer", "code", "word"),
    [
        ("http", b"HTTP/1.1 407 Who are you\r\n\r\n", FORBIDDEN, "407 Who are you"),
        ("http", b"HTTP/1.1 403\r\n\r\n", FORBIDDEN, "403"),
        ("http", b"HTTP/1.1 502 \x1b[31mno\xff\r\n\r\n", UNREACHABLE, "502 ?[31mno"),
        ("http", b"SSH-2.0-x\r\n\r\n", UNREACHABLE, "not HTTP"),
        ("http", b"\r\n\r\n", UNREACHABLE, "not HTTP"),
        ("http", b"HTTP/1.1 2OO\r\n\r\n", UNREACHABLE, "not HTTP"),
        ("http", b"x" * (MAX_HEAD_BYTES + 10), UNREACHABLE, "no end"),
        ("http", b"", UNREACHABLE, "hung up"),
        ("socks5", b"\x05\xff", FORBIDDEN, "another proof"),
        ("socks5", b"\x05\x02", UNREACHABLE, "not SOCKS 5"),
        ("socks5", b"\x04\x00", UNREACHABLE, "not SOCKS 5"),
        ("socks5", b"HT", UNREACHABLE, "not SOCKS 5"),
        ("socks5", b"\x05\x00\x05\x02\0\x01", FORBIDDEN, "rules forbid"),
        ("socks5", b"\x05\x00\x05\x04\0\x01", UNREACHABLE, "cannot reach"),
        ("socks5", b"\x05\x00\x05\x99\0\x01", UNREACHABLE, "153"),
        ("socks5", b"\x05\x00\x05\x00\0\x09", UNREACHABLE, "not SOCKS 5"),
        ("socks5", b"\x05\x00\x07\x00\0\x01", UNREACHABLE, "not SOCKS 5"),
        ("socks5", b"\x05\x00\x05\x00\0\x03", UNREACHABLE, "hung up"),
    ],
)
def test_a_proxy_that_refuses_or_lies_is_named(
    kind: str, answer: bytes, code: str, word: str
) -> None:
    """Each with its sentence and cause; nothing it says reaches the log raw, nothing is open."""
    if not answer:

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)

        fault = refused(serve, kind)
    else:
        fault = refused(says(answer), kind, timeout_s=0.3)
    assert fault.code == code
    assert word in fault.reason
    assert fault.reason.isprintable() or "\ufffd" in fault.reason


def test_a_refused_password_and_one_that_cannot_be_read(tmp_path: Path) -> None:
    """Both are ours to put right."""
    missing = str(tmp_path / "none")
    assert refused(says(b""), "http", user="me", password_file=missing).code == FORBIDDEN
    fault = refused(says(b"\x05\x02\x01\x01", ask=4), "socks5", user="me")
    assert (fault.code, "user or password" in fault.reason) == (FORBIDDEN, True)


def test_a_dripping_proxy_ends_at_the_deadline() -> None:
    """One byte now and then is not an answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.transport.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert "within" in refused(serve, "http", timeout_s=0.1).reason


def test_what_is_on_this_terminal_needs_no_proxy() -> None:
    """A broker beside us is dialled straight."""

    async def story() -> None:
        dialled: list[str] = []

        async def reach(host: str, port: int, timeout_s: float) -> tuple[socket.socket, str, str]:
            dialled.append(host)
            return socket.socket(), "", ""

        proxy = Proxy(kind="http", host="p.test", port=1)
        for host in ("localhost", "127.0.0.9"):
            (await through(proxy, reach)(host, 1883, 1.0))[0].close()
        assert dialled == ["localhost", "127.0.0.9"]

    asyncio.run(story())


def test_names_that_are_none() -> None:
    """An impossible name is refused before it is sent."""
    for host in ("", "a" * 300, "\ud800"):
        with pytest.raises(DialError):
            asyncio.run(run(says(b"\x05\x00"), "socks5", host, timeout_s=0.5))


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(("http", "socks5")), answer=st.binary(max_size=60))
def test_garbage_ends_in_a_dial_error_or_a_connection(kind: str, answer: bytes) -> None:
    """Whatever a proxy answers: nothing else comes out of it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()

    with suppress(DialError):
        asyncio.run(run(serve, kind, "broker.test", timeout_s=0.5))
