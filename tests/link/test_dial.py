"""Dialing names and addresses: real sockets on loopback, and which layer is blamed."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import threading

import pytest

from agent.link import dial
from agent.link.contact import Contact
from agent.link.dial import Dialer, DialError
from agent.link.fault import tcp_fault
from tests.link.ends import Threads, failing, left, listening, opened


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """What the name server knows: a list of addresses, an error, or a function to call."""
    known: dict[str, object] = {}

    def getaddrinfo(host: bytes | str, port: int, **_: object) -> list[tuple[object, ...]]:
        entry = known[host.decode() if isinstance(host, bytes) else host]
        if callable(entry):
            entry = entry()
        if isinstance(entry, Exception):
            raise entry
        assert isinstance(entry, list)
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in entry
        ]

    monkeypatch.setattr(dial.socket, "getaddrinfo", getaddrinfo)
    return known


def test_a_literal_address_needs_no_name_server() -> None:
    """An address is dialled without a blocking call, ready and with the socket options set."""

    async def scene() -> None:
        threads = Threads()
        async with listening() as port:
            reader, writer = await Dialer(threads).open("127.0.0.1", port, None, 10)
            sock = writer.get_extra_info("socket")
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            writer.write(b"hi\n")
            assert await reader.readline() == b"hi\n"
            await left(writer)
        assert threads.names == []

    asyncio.run(scene())


def test_all_addresses_are_tried_in_order(names: dict[str, object]) -> None:
    """The first address refuses, the second answers: connected."""
    names["host.test"] = ["127.0.0.2", "127.0.0.1"]

    async def scene() -> None:
        async with listening() as port:
            _, writer = await opened("host.test", port)
            assert writer.get_extra_info("peername")[0] == "127.0.0.1"
            await left(writer)

    asyncio.run(scene())


def test_a_name_is_looked_up_once_for_all_who_ask(names: dict[str, object]) -> None:
    """Four dials at once make one blocking call; one that gives up does not disturb the others."""
    go_on = threading.Event()

    def slow() -> list[str]:
        go_on.wait(10)
        return ["127.0.0.1"]

    names["host.test"] = slow

    async def scene() -> None:
        threads = Threads()
        dialer = Dialer(threads)
        async with listening() as port:
            dials = [
                asyncio.create_task(dialer.open("host.test", port, None, 10)) for _ in range(4)
            ]
            await asyncio.sleep(0.01)
            dials[0].cancel()
            await asyncio.sleep(0.01)
            go_on.set()
            for task in dials[1:]:
                _, writer = await task
                await left(writer)
            assert dials[0].cancelled()
            assert threads.names == ["dns host.test"]
            await left((await dialer.open("host.test", port, None, 10))[1])
            assert len(threads.names) == 2

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_NONAME, "x"), "not known to the name server"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "no name server answered"),
        (socket.gaierror(socket.EAI_FAIL, "it broke"), "it broke"),
        (UnicodeError("label too long"), "is not a host name"),
    ],
)
def test_a_name_that_cannot_be_resolved_is_dns(
    names: dict[str, object], error: Exception, words: str
) -> None:
    """Whatever the name server says, the layer is dns and the name is in the sentence."""
    names["host.test"] = error
    fault = failing("host.test")
    assert (fault.layer, fault.code) == ("dns", "network.dns_failed")
    assert words in fault.reason
    assert "host.test" in fault.reason


def test_a_hanging_name_server_meets_the_deadline(names: dict[str, object]) -> None:
    """A look-up that hangs costs the connect time-out, not more."""
    go_on = threading.Event()
    names["host.test"] = lambda: go_on.wait(10) and []
    fault = failing("host.test", timeout_s=0.1)
    go_on.set()
    assert (fault.layer, fault.code) == ("dns", "network.dns_failed")
    assert "within 0.1 s" in fault.reason


def test_a_name_without_addresses_is_dns(names: dict[str, object]) -> None:
    """An empty answer is a failed look-up."""
    names["host.test"] = []
    assert failing("host.test").layer == "dns"


def test_a_refused_connection_names_the_address(names: dict[str, object]) -> None:
    """The sentence has host, port and the address tried."""
    names["host.test"] = ["127.0.0.3"]
    fault = failing("host.test")
    assert (fault.layer, fault.code) == ("tcp", "network.host_unreachable")
    assert fault.reason.startswith("host.test:")
    assert fault.reason.endswith("(127.0.0.3) refused the connection")


def test_a_full_host_is_a_timeout() -> None:
    """A host that does not take the connection is given up in time."""

    async def scene() -> None:
        with socket.socket() as full:
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            port = full.getsockname()[1]
            fillers = []
            for _ in range(4):
                filler = socket.socket()
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(("127.0.0.1", port))
                fillers.append(filler)
            with pytest.raises(DialError) as caught:
                await opened("127.0.0.1", port, None, 0.2)
            for filler in fillers:
                filler.close()
        assert (caught.value.layer, caught.value.code) == ("tcp", "network.host_unreachable")
        assert caught.value.reason == f"127.0.0.1:{port} did not answer"

    asyncio.run(scene())


def test_a_missing_ipv6_does_not_hide_the_refusal(
    names: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused on IPv4, no way on IPv6: the host is unreachable, the gateway is not blamed."""
    names["host.test"] = ["127.0.0.3", "2001:db8::1"]
    real = dial._connect

    async def connect(address: dial.Address, limit_s: float, way: object) -> socket.socket:
        if address[0] == socket.AF_INET6:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")
        return await real(address, limit_s, None)

    monkeypatch.setattr(dial, "_connect", connect)
    assert failing("host.test").code == "network.host_unreachable"
    names["host.test"] = ["2001:db8::1"]
    assert failing("host.test").code == "network.no_gateway"


@pytest.mark.parametrize(
    ("number", "layer", "code"),
    [
        (errno.ENETUNREACH, "tcp", "network.no_gateway"),
        (errno.EHOSTUNREACH, "tcp", "network.host_unreachable"),
        (errno.ETIMEDOUT, "tcp", "network.host_unreachable"),
        (errno.ENETDOWN, "tcp", "network.no_link"),
        (errno.EADDRNOTAVAIL, "tcp", "network.no_address"),
        (errno.EIO, "tcp", "network.host_unreachable"),
        (errno.EMFILE, "local", "software.agent_degraded"),
        (errno.EPERM, "local", "config.permission_denied"),
    ],
)
def test_error_numbers_become_causes(number: int, layer: str, code: str) -> None:
    """Each way a connect fails has its layer and cause."""
    fault = tcp_fault("h:1", OSError(number, "words"))
    assert (fault.layer, fault.code) == (layer, code)


def test_every_attempt_is_told(names: dict[str, object]) -> None:
    """What became of a dial is told: held with its round trip, or the layer that failed."""
    names["gone.test"] = socket.gaierror(socket.EAI_NONAME, "unknown")
    heard: list[Contact] = []

    async def scene() -> None:
        dialer = Dialer(Threads(), told=heard.append, purpose="uplink")
        async with listening() as port:
            _, writer = await dialer.open("127.0.0.1", port, None, 10)
            await left(writer)
            closed = port
        for host, port in (("127.0.0.1", closed), ("gone.test", 1)):
            with pytest.raises(DialError):
                await dialer.open(host, port, None, 10)

    asyncio.run(scene())
    assert [one.layer for one in heard] == ["", "tcp", "dns"]
    assert heard[0].held
    assert heard[0].connect_ms is not None
    assert [one.code for one in heard] == ["", "network.host_unreachable", "network.dns_failed"]
    assert {(one.purpose, one.channel, one.interface) for one in heard} == {("uplink", "", "")}
