"""Where the page is served: slots of its own, the service listener, its code and its end."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from agent.config.page import Page
from agent.link.tls import server_context
from agent.local import listeners
from agent.local.listeners import Certificate, service_address
from agent.local.sessions import CODE_TRIES, OneCode, Patience, Sessions
from agent.provision.__main__ import for_page
from agent.wire.problem import RequestError
from tests.local.doors import SERVICE, Doors, with_doors
from tests.local.house import SALE


def test_browsers_take_no_slot_of_a_payment(tmp_path: Path) -> None:
    """With every connection of the page taken, payments go through the socket as ever, and the
    next browser is told."""

    async def test(doors: Doors) -> None:
        host, port = doors.address()
        idle = [await asyncio.open_connection(host, port) for _ in range(4)]
        reader, writer = await asyncio.open_connection(host, port)
        assert b"503" in await reader.readline()
        writer.close()
        status, told, _ = await doors.house.ask("POST", "/v1/transactions", SALE)
        assert (status, told["state"]) == (201, "queued")
        for _, one in idle:
            one.close()

    with_doors(tmp_path, test, Page(listen="127.0.0.1:0", max_connections=4))


def test_a_dripping_browser_is_hung_up_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris: a head that never ends is answered 408, however many bytes of it come."""
    monkeypatch.setattr(listeners, "HEAD_S", 0.2)

    async def test(doors: Doors) -> None:
        reader, writer = await asyncio.open_connection(*doors.address())
        answered = asyncio.create_task(reader.read())
        writer.write(b"GET / HTTP/1.1\r\n")
        with suppress(ConnectionError):
            while not answered.done():
                writer.write(b"x: y\r\n")
                await asyncio.wait([answered], timeout=0.02)
        assert (await answered).startswith(b"HTTP/1.1 408")
        writer.close()

    with_doors(tmp_path, test)


def test_silent_strangers_at_the_cable_take_no_descriptors(tmp_path: Path) -> None:
    """Whoever connects and never begins TLS: a handful are let in, payments go on, and the
    technician gets in when they are gone."""
    made = for_page({"address": "127.0.0.1"})
    file = tmp_path / "page.pem"
    file.write_text(made["certificate"] + made["key"])

    async def certify(address: str) -> Certificate:
        return Certificate(context=server_context(str(file)), fingerprint="")

    def held() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def test(doors: Doors) -> None:
        doors.page._certify = certify
        told = await doors.page.open(0, "uid:0")
        port = int(told.address.removesuffix("/").rpartition(":")[2])
        before = held()
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(60)]
        status, _, _ = await doors.house.ask("POST", "/v1/transactions", SALE)
        assert status == 201
        assert held() - before - len(silent) <= listeners.HANDSHAKES + 2
        for _, writer in silent:
            writer.close()
            await writer.wait_closed()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n\r\n" % port)
        assert b" 200 " in await reader.readline()
        writer.close()

    with_doors(tmp_path, test, Page(service_address="127.0.0.1", service_port=0))


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nhost: {own}\r\nx: " + b"a" * 20_000 + b"\r\n\r\n", b"431"),
        (b"POST /v1/session HTTP/1.1\r\nhost: {own}\r\ncontent-length: 99999999\r\n\r\n", b"413"),
        ((b"POST /v1/session HTTP/1.1\r\nhost: {own}\r\ncontent-length: 2\r\n"
         b"transfer-encoding: chunked\r\n\r\n{}"), b"400"),
        (b"POST /v1/session HTTP/1.1\r\nhost: {own}\r\ntransfer-encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/2.0\r\nhost: {own}\r\n\r\n", b"505"),
        (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nhost: {own}\r\n\r\n", b"400"),
        (b"GET /%zz HTTP/1.1\r\nhost: {own}\r\n\r\n", b"400"),
        (b"GET /a?x=1&x=2 HTTP/1.1\r\nhost: {own}\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)  # fmt: skip
def test_what_is_not_plain_http_is_refused(tmp_path: Path, sent: bytes, status: bytes) -> None:
    """Huge heads and bodies, two lengths, other encodings, proxies: one answer, then shut."""

    async def test(doors: Doors) -> None:
        own = "{}:{}".format(*doors.address()).encode()
        raw = await doors.raw(sent.replace(b"{own}", own))
        assert raw.startswith(b"HTTP/1.1 " + status)
        assert b"connection: close" in raw.lower()

    with_doors(tmp_path, test)


def test_the_service_listener_closes_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its minutes nobody is answered there, sessions are over, and it is written down."""

    monkeypatch.setattr(listeners, "LOOK_S", 0.05)

    async def test(doors: Doors) -> None:
        told = await doors.page.open(2, "uid:0")
        await doors.sign_in(told.code, "service")
        shown = doors.page.shown().listeners[1]
        assert (shown.closes_in_s, shown.opened_by, shown.sessions) == (120, "uid:0", 1)
        doors.clock.boot_ms += 119_000
        assert (await doors.ask("GET", "/v1/status", listener="service")).status == 200
        address = doors.address("service")
        doors.clock.boot_ms += 2_000
        reader, writer = await asyncio.open_connection(*address)
        writer.write(f"GET / HTTP/1.1\r\nhost: {address[0]}:{address[1]}\r\n\r\n".encode())
        with suppress(ConnectionResetError):  # cut without a word, which is as good
            assert await reader.read() == b""
        writer.close()
        async with asyncio.timeout(10):
            while not any(deed.op == "page_close" for deed in doors.trail.deeds):
                await asyncio.sleep(0.01)
        assert [one.listener for one in doors.page.shown().listeners] == ["loopback"]

    with_doors(tmp_path, test, SERVICE)


def test_the_service_listener_is_not_prolonged(tmp_path: Path) -> None:
    """Open is open: a second order is refused; closing ends it for everybody at once."""

    async def test(doors: Doors) -> None:
        told = await doors.page.open(0, "uid:0")
        assert told.closes_in_s == 900
        with pytest.raises(RequestError, match="open already"):
            await doors.page.open(60, "uid:0")
        await doors.sign_in(told.code, "service")
        await doors.page.close("uid:0")
        assert [one.listener for one in doors.page.shown().listeners] == ["loopback"]
        again = await doors.page.open(0, "uid:0")
        assert again.code != told.code
        assert (await doors.ask("GET", "/v1/status", listener="service")).status == 401

    with_doors(tmp_path, test, SERVICE)


def test_a_guessed_at_service_listener_closes(tmp_path: Path) -> None:
    """When its code was tried too often and nobody is inside, it closes."""

    async def test(doors: Doors) -> None:
        told = await doors.page.open(0, "uid:0")
        wrong = f"{(int(told.code) + 1) % 10**8:08d}"
        for _ in range(CODE_TRIES):
            await doors.sign_in(wrong, "service")
            doors.clock.boot_ms += 30_000
        async with asyncio.timeout(5):
            while not any(deed.op == "page_close" for deed in doors.trail.deeds):
                await asyncio.sleep(0.01)
        assert len(doors.page.shown().listeners) == 1

    with_doors(tmp_path, test, SERVICE)


def test_without_a_certificate_nothing_is_opened(tmp_path: Path) -> None:
    """TLS is wanted and cannot be had: no listener, and the reason."""
    page = Page(service_address="127.0.0.1", service_port=0)

    async def test(doors: Doors) -> None:
        with pytest.raises(RequestError) as refused:
            await doors.page.open(0, "uid:0")
        assert refused.value.code == "page.no_certificate"
        assert doors.page.shown().listeners == []
        with pytest.raises(RequestError) as refused:
            doors.page.code("uid:0")
        assert refused.value.code == "page.off"

    with_doors(tmp_path, test, page)


@pytest.mark.parametrize(
    ("addresses", "chosen"),
    [
        (["203.0.113.9x", "8.8.8.8", "192.168.7.2"], "192.168.7.2"),
        (["fe80::1", "fd00::2", "169.254.3.4"], "169.254.3.4"),
        (["fd00::2"], "fd00::2"),
        (["8.8.8.8"], ""),
        (["fe80::1"], ""),
        (["0.0.0.0", "::", "224.0.0.1"], ""),
        ([], ""),
    ],
)
def test_only_near_addresses_are_listened_at(addresses: Sequence[str], chosen: str) -> None:
    """Private or link-local ones that a browser can name; never a public one, never all of them."""
    page = Page(service_interface="usb0")
    if chosen:
        assert service_address(page, {"usb0": addresses}) == chosen
    else:
        with pytest.raises(RequestError) as refused:
            service_address(page, {"usb0": addresses, "eth0": ["192.168.1.1"]})
        assert refused.value.code == "page.no_address"


def test_a_code_and_patience_by_themselves() -> None:
    """Codes differ, run out and wear out; waits double up to a bound and are forgotten."""
    code = OneCode()
    assert not code.use("", 0)
    assert not code.counts(0)
    made = {code.make(0, 60) for _ in range(20)}
    assert len(made) == 20
    last = code.make(0, 60)
    assert not code.use(last, 60_000)
    assert code.use(last, 59_999)
    assert not code.use(last, 59_999)
    patience, waits, now_ms = Patience(), [], 0
    for _ in range(14):
        waits.append(patience.wrong(now_ms))
        now_ms += waits[-1] * 1000
        assert patience.wait_s(now_ms) == 0
    assert waits[:6] == [0, 0, 1, 2, 4, 8]
    assert waits[-1] == 300
    assert patience.wait_s(now_ms + 10_000_000) == 0
    assert patience.wrong(now_ms + 10_000_000) == 0


def test_only_hashes_of_sessions_are_kept() -> None:
    """Nothing in memory lets anybody make the cookie again."""
    sessions = Sessions(idle_s=60, absolute_s=600, most=2)
    secret, held = sessions.begin(0)
    assert secret not in repr(vars(sessions))
    assert secret.encode() not in sessions._held
    assert sessions.find(secret, 59_999) is held
    assert sessions.find(secret.upper(), 59_999) is None
    sessions.end_all()
    assert sessions.count(59_999) == 0
