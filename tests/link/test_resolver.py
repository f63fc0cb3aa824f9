"""Names asked through a channel: what is sent, what is believed, and what never breaks it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.link.dns import AAAA, CNAME, A, Answer, BrokenAnswerError, answer, question
from agent.link.fault import DialError
from agent.link.resolver import Resolver, in_hosts

FREE: Callable[[socket.socket], None] = lambda _sock: None  # noqa: E731


def label(name: str) -> bytes:
    return b"".join(bytes([len(one)]) + one.encode() for one in name.split(".")) + b"\0"


def reply(
    asked: bytes, records: list[tuple[bytes, int, bytes]], *, rcode: int = 0, flags: int = 0x8180
) -> bytes:
    """An answer to these bytes; a record is name, kind, value."""
    number = asked[:2]
    head = number + struct.pack("!HHHHH", flags | rcode, 1, len(records), 0, 0)
    body = asked[12:]
    for name, kind, value in records:
        body += name + struct.pack("!HHIH", kind, 1, 60, len(value)) + value
    return head + body


def test_an_answer_is_read_through_its_aliases() -> None:
    """Compressed names, an alias, another record beside it: the addresses of the name asked."""
    asked = question(7, "Host.Test", A)
    got = reply(
        asked,
        [
            (b"\xc0\x0c", CNAME, label("edge.test")),
            (label("edge.test"), A, bytes([192, 0, 2, 1])),
            (label("other.test"), A, bytes([192, 0, 2, 9])),
            (label("edge.test"), A, b"odd"),
        ],
    )
    assert answer(got, 7, "host.test", A) == Answer(0, False, ("192.0.2.1",))


@pytest.mark.parametrize("how", ["number", "name", "kind", "question", "short", "forward"])
def test_what_does_not_fit_the_question_is_no_answer(how: str) -> None:
    """Another number, name or kind, a request, a torn packet, a name that points forward."""
    asked = question(7, "host.test", A)
    got = reply(asked, [(b"\xc0\x0c", A, bytes(4))])
    match how:
        case "number":
            got = b"\0\0" + got[2:]
        case "name":
            got = reply(question(7, "evil.test", A), [(b"\xc0\x0c", A, bytes(4))])
        case "kind":
            got = reply(question(7, "host.test", AAAA), [])
        case "question":
            got = asked
        case "short":
            got = got[:-2]
        case "forward":
            got = reply(asked, [(b"\xc0\xff", A, bytes(4))])
    with pytest.raises(BrokenAnswerError):
        answer(got, 7, "host.test", A)


@given(st.binary(max_size=300), st.sampled_from((A, AAAA)))
def test_garbage_is_refused_and_nothing_else(got: bytes, kind: int) -> None:
    """Whatever a server sends, it is an answer or refused, never another exception."""
    for piece in (got, question(7, "host.test", kind)[:2] + b"\x81\x80" + got):
        try:
            answer(piece, 7, "host.test", kind)
        except BrokenAnswerError:
            continue


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(0, 65_535))
def test_garbage_behind_a_right_question_is_refused_or_read(
    records: list[bytes], count: int
) -> None:
    """Records of any bytes, announced in any number."""
    asked = question(7, "host.test", A)
    got = bytearray(reply(asked, []) + b"".join(records))
    got[6:8] = struct.pack("!H", count)
    try:
        assert all(one.count(".") == 3 for one in answer(bytes(got), 7, "host.test", A).addresses)
    except BrokenAnswerError:
        return


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64 + ".test", "a." * 130 + "test"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    """UnicodeError, as the system's resolver raises it."""
    with pytest.raises(UnicodeError):
        question(1, name, A)


class Server(asyncio.DatagramProtocol):
    """A name server on loopback, over both transports, answering as told."""

    def __init__(self, answers: Callable[[bytes], list[bytes]]) -> None:
        self.answers = answers
        self.asked: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, asked: bytes, sender: tuple[str, int]) -> None:
        self.asked.append(asked)
        for one in self.answers(asked):
            self.transport.sendto(one, sender)  # type: ignore[attr-defined]


def resolved(
    answers: Callable[[bytes], list[bytes]],
    *,
    kinds: tuple[int, ...] = (A,),
    over_tcp: bytes | None = None,
    servers: tuple[str, ...] = ("127.0.0.1",),
    timeout_s: float = 5.0,
) -> tuple[list[str] | DialError, list[bytes]]:
    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        asked = await reader.readexactly(size)
        assert over_tcp is not None
        got = asked[:2] + over_tcp[2:]
        writer.write(struct.pack("!H", len(got)) + got)
        writer.close()
        await writer.wait_closed()

    async def scene() -> tuple[list[str] | DialError, list[bytes]]:
        loop = asyncio.get_running_loop()
        listening = await asyncio.start_server(served, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        transport, server = await loop.create_datagram_endpoint(
            lambda: Server(answers), local_addr=("127.0.0.1", port)
        )
        resolver = Resolver(servers, FREE, kinds=kinds, port=port, hosts=Path("/nonexistent"))
        found: list[str] | DialError
        try:
            found = await resolver.resolve("host.test", timeout_s)
        except DialError as error:
            found = error
        finally:
            transport.close()
            listening.close()
            await listening.wait_closed()
        return found, server.asked

    return asyncio.run(scene())


def test_both_kinds_are_asked_where_both_can_be_spoken() -> None:
    """A and AAAA, IPv4 first."""

    def answers(asked: bytes) -> list[bytes]:
        kind = struct.unpack("!H", asked[-4:-2])[0]
        value = bytes([192, 0, 2, 1]) if kind == A else bytes(15) + b"\1"
        return [reply(asked, [(b"\xc0\x0c", kind, value)])]

    found, asked = resolved(answers, kinds=(A, AAAA))
    assert found == ["192.0.2.1", "::1"]
    assert len(asked) == 2
    assert len({one[:2] for one in asked}) == 2, "a number of its own each"


def test_a_stray_datagram_does_not_end_the_question() -> None:
    """A forged answer with another number is passed over; the right one after it counts."""

    def answers(asked: bytes) -> list[bytes]:
        right = reply(asked, [(b"\xc0\x0c", A, bytes([192, 0, 2, 1]))])
        forged = bytes([asked[0] ^ 0xFF]) + reply(asked, [(b"\xc0\x0c", A, bytes(4))])[1:]
        return [forged, b"", right]

    assert resolved(answers)[0] == ["192.0.2.1"]


def test_a_truncated_answer_is_fetched_over_tcp() -> None:
    """TC: the same question over TCP, with the same checks."""
    whole = reply(question(0, "host.test", A), [(b"\xc0\x0c", A, bytes([192, 0, 2, 7]))])
    found, _ = resolved(lambda asked: [reply(asked, [], flags=0x8380)], over_tcp=whole)
    assert found == ["192.0.2.7"]


def test_nothing_stays_open_where_one_of_both_kinds_failed() -> None:
    """A server that breaks the one and is silent on the other must not use up descriptors."""

    def answers(asked: bytes) -> list[bytes]:
        kind = struct.unpack("!H", asked[-4:-2])[0]
        return [reply(asked, [], flags=0x8380)] if kind == A else []

    async def scene() -> set[str]:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: Server(answers), local_addr=("127.0.0.1", 0)
        )
        port = transport.get_extra_info("sockname")[1]  # over TCP nobody is there
        resolver = Resolver(("127.0.0.1",), FREE, kinds=(A, AAAA), port=port, hosts=Path("/none"))
        try:
            with pytest.raises(DialError):
                await resolver.resolve("host.test", 5.0)
        finally:
            transport.close()
        return {str(one.get_coro()) for one in asyncio.all_tasks() - {asyncio.current_task()}}

    assert asyncio.run(scene()) == set()


def test_an_unknown_name_is_said_at_once_by_whom() -> None:
    """NXDOMAIN is final; a refusal and silence go to the next server and name themselves."""
    found, asked = resolved(lambda one: [reply(one, [], rcode=3)])
    assert isinstance(found, DialError)
    assert found.reason == "the name host.test is not known to 127.0.0.1"
    assert len(asked) == 1
    found, asked = resolved(lambda one: [reply(one, [], rcode=5)])
    assert isinstance(found, DialError)
    assert "refused to answer" in found.reason
    assert len(asked) == 2
    found, asked = resolved(lambda _one: [], timeout_s=0.1)
    assert isinstance(found, DialError)
    assert found.reason == "127.0.0.1 did not answer for host.test"
    assert found.code == "network.dns_failed"
    found, _ = resolved(lambda _one: [], servers=())
    assert isinstance(found, DialError)


def test_the_hosts_file_comes_first(tmp_path: Path) -> None:
    """As for the system's resolver; what is no address there is passed over."""
    path = tmp_path / "hosts"
    path.write_text("# all\n192.0.2.5 Acquirer.test acquirer # ours\nodd acquirer.test\n")
    assert in_hosts(path, "acquirer.TEST.") == ["192.0.2.5"]
    assert in_hosts(path, "other.test") == []
    assert in_hosts(tmp_path / "none", "x") == []
    resolver = Resolver((), FREE, hosts=path)
    assert asyncio.run(resolver.resolve("acquirer", 1.0)) == ["192.0.2.5"]
