"""Real sockets on this machine: name servers, gateways, the kernel's changes, sign-in pages."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.link import netlink
from agent.link.dial import Dialer
from agent.link.tls import client_context
from agent.watch.connectivity import names, probes, sockets
from agent.watch.connectivity.calls import Calls
from agent.watch.connectivity.changes import Changes
from agent.watch.connectivity.probes import Ports
from tests.fakes import FakeClock, Straight


class Server(asyncio.DatagramProtocol):
    """A name server that answers as it is told; nothing where `answer` is None."""

    def __init__(self, answer: Callable[[bytes], bytes] | None) -> None:
        self.answer = answer
        self.asked = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked += 1
        if self.answer is not None:
            self.transport.sendto(self.answer(data), addr)


def good(asked: bytes) -> bytes:
    head = asked[:2] + bytes.fromhex("81800001000100000000")
    return head + asked[12:] + bytes.fromhex("c00c000100010000003c0004cb007109")


@pytest.mark.parametrize(
    ("answer", "kind", "asked"),
    [
        (good, "answered", 1),
        (lambda told: told[:2] + bytes.fromhex("81850001000000000000") + told[12:], "refused", 1),
        (lambda _: b"??nonsense from somebody else", "no_answer", 2),
        (None, "no_answer", 2),
    ],
)
def test_asking_one_name_server(
    answer: Callable[[bytes], bytes] | None,
    kind: str,
    asked: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers, refuses, or is asked once more and given up; what it cost is counted."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        transport, server = await loop.create_datagram_endpoint(
            lambda: Server(answer), ("127.0.0.1", 0)
        )
        monkeypatch.setattr(names, "PORT", transport.get_extra_info("sockname")[1])
        told = await names.ask("127.0.0.1", "pay.example.cn", number=7, try_s=0.05)
        transport.close()
        assert (told.kind, server.asked) == (kind, asked)
        assert told.bytes_spent > 40 * asked
        if kind == "answered":
            assert told.addresses == ("203.0.113.9",)

    asyncio.run(run())


def test_where_no_name_server_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A closed port refuses; what is no address cannot be reached; no host name is not asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setattr(names, "PORT", free.getsockname()[1])

    def kind(server: str, name: str = "a.cn") -> str:
        return asyncio.run(names.ask(server, name, number=1, try_s=0.5)).kind

    assert kind("127.0.0.1") == "refused"
    assert kind("nonsense") == "unreachable"
    assert kind("fe80::1%nosuch0") in ("unreachable", "no_answer")
    assert kind("127.0.0.1", "a..cn") == "garbled"


def test_a_gateway_that_says_nobody_listens_is_there() -> None:
    """An ICMP answer is an answer, and takes no right."""
    wire = sockets.Wire()
    assert asyncio.run(wire.gateway_speaks("lo", "127.0.0.1", 0.5, 1))[0]
    assert asyncio.run(wire.gateway_speaks("lo", "nonsense", 0.5, 1)) == (False, 0)
    assert wire.nudge("lo", "127.0.0.1") == 28
    assert wire.nudge("lo", "nonsense") == 0


def test_the_wire_is_not_asked_where_it_knows_no_arp() -> None:
    """Loopback has no hardware addresses, IPv6 no ARP; and asking may not be allowed."""
    ask = sockets.Wire().gateway_answers
    assert asyncio.run(ask("lo", "127.0.0.1", "127.0.0.1", 0.1)) == (None, 0)
    assert asyncio.run(ask("nosuch0", "192.168.1.1", "192.168.1.5", 0.1)) == (None, 0)
    assert asyncio.run(ask("lo", "fe80::1", "", 0.1)) == (None, 0)


def test_a_socket_bound_to_no_interface_is_refused() -> None:
    """Rather than leaving by another way."""
    with pytest.raises(OSError, match=r".*"):
        sockets.bound(socket.AF_INET, socket.SOCK_DGRAM, "nosuch0")


def checking(answer: bytes | None) -> probes.Portal:
    """The portal probe against a server that answers so; None: nobody listens."""

    async def run() -> probes.Portal:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer or b"")
            writer.close()

        asked: list[bytes] = []
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        if answer is None:
            server.close()
            await server.wait_closed()
        ports = Ports(
            blocking=Straight(),  # type: ignore[arg-type]
            dial=Dialer(Straight()),  # type: ignore[arg-type]
            trust=client_context,
            clock=FakeClock(),
        )
        url = f"http://check.example.cn:{port}/generate_204?a=b"
        found, spent = await probes.portal(ports, url, ["127.0.0.1"], 5.0)
        server.close()
        await asyncio.sleep(0)
        assert spent > 0
        if asked:
            assert asked[0].startswith(b"GET /generate_204?a=b HTTP/1.1\r\nHost: check.example.cn:")
        return found

    return asyncio.run(run())


def test_the_sign_in_page_is_asked_for() -> None:
    """One GET with the host's name, and what comes back is judged."""
    assert checking(b"HTTP/1.1 204 No Content\r\n\r\n").kind == "open"
    found = checking(b"HTTP/1.1 302 Found\r\nLocation: http://login/?x\r\n\r\n")
    assert (found.kind, found.status, found.location) == ("portal", 302, "http://login/")
    assert checking(b"").kind == "no_answer"
    assert checking(None).kind == "unclear"


# -- changes ---------------------------------------------------------------------------------------


async def waited(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.01)


def test_a_burst_of_the_kernels_messages_is_one_change() -> None:
    """Debounced, and named."""

    async def run() -> None:
        told: list[str] = []
        ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        ours.setblocking(False)

        def received(heard: socket.socket) -> set[str]:
            return {heard.recv(64).decode()}

        changes = Changes(told.append, listen=lambda: ours, received=received)
        changes.start()
        changes.start()
        assert changes.how == "netlink"
        for word in (b"link", b"route", b"link"):
            kernels.send(word)
        await waited(lambda: bool(told))
        assert told == ["link and route changed"]
        changes.close()
        kernels.close()
        assert changes.how == "off"

    asyncio.run(run())


def refused() -> socket.socket:
    raise netlink.NetlinkError("not here")


def broken(heard: socket.socket) -> set[str]:
    raise OSError("gone")


@pytest.mark.parametrize("breaks", [False, True])
def test_without_the_kernels_word_files_are_looked_at(tmp_path: Path, breaks: bool) -> None:
    """Whether it was never allowed or breaks later: a pulled cable is noticed."""

    async def run() -> None:
        told: list[str] = []
        state = tmp_path / "sys/class/net/eth0/operstate"
        state.parent.mkdir(parents=True)
        state.write_text("up\n")
        ours, kernels = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        changes = Changes(
            told.append,
            root=tmp_path,
            listen=(lambda: ours) if breaks else refused,
            received=broken,
            poll_s=0.01,
        )
        changes.start()
        kernels.send(b"x")
        await waited(lambda: changes.how == "polling")
        state.write_text("down\n")
        await waited(lambda: bool(told))
        changes.close()
        ours.close()
        kernels.close()

    asyncio.run(run())


def test_this_kernel_is_heard() -> None:
    """A real socket, closed again."""
    try:
        heard = netlink.listen()
    except netlink.NetlinkError as error:
        pytest.skip(str(error))
    with heard:
        assert netlink.received(heard) <= {"link", "address", "route"}


def test_what_is_broken_is_looked_at_again_by_itself() -> None:
    """Soon at first; a read answers what was asked for before it; nothing after the end."""

    async def run() -> None:
        pokes: list[int] = []
        calls = Calls()
        calls.soon("nobody listens yet")
        calls.poke = lambda: pokes.append(1)
        calls.began()
        calls.soon("a symptom")
        calls.began()
        await asyncio.sleep(0)
        assert pokes == []
        calls.again(broken=True)
        calls.soon("sooner than that")
        await waited(lambda: bool(pokes))
        calls.again(broken=True)
        calls.close()
        assert len(pokes) == 1

    asyncio.run(run())
