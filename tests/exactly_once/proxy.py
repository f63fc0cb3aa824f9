"""A line that does to messages what real lines do, at every kind of place in them.

Two kinds. `Frames` knows where a message, its head and its body begin (HTTP in clear, or ISO 8583
frames with their length header) and draws one fault for every exchange. `Records` carries TLS it
cannot read and hurts one record of every connection: there it may also corrupt requests, because
TLS notices. In clear, a changed request would be another payment that nobody could tell.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from asyncio import StreamReader, StreamWriter
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

Sizes = Callable[[bytes], tuple[int, int] | None]
#: Longer than the client waits for an answer.
LONG_S = (0.35, 0.6)
SHORT_S = (0.0, 0.02)
#: Somebody to change answers with comes within this time, or they stay as they are.
PARTNER_S = 0.02
GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"


def http_sizes(held: bytes) -> tuple[int, int] | None:
    """Length of the head and of the whole message at the beginning of `held`."""
    end = held.find(b"\r\n\r\n")
    if end < 0:
        return None
    at = held.lower().find(b"content-length:", 0, end)
    length = 0 if at < 0 else int(held[at + 15 : held.find(b"\r", at)])
    return end + 4, end + 4 + length


def frame_sizes(held: bytes) -> tuple[int, int] | None:
    """A frame: two bytes of length, then so many."""
    return (2, 2 + int.from_bytes(held[:2], "big")) if len(held) >= 2 else None


class Messages:
    """Whole messages of one stream."""

    def __init__(self, reader: StreamReader, sizes: Sizes) -> None:
        self._reader = reader
        self._sizes = sizes
        self._held = b""

    async def next(self) -> bytes | None:
        """The next message; None at the end."""
        while (sizes := self._sizes(self._held)) is None or len(self._held) < sizes[1]:
            more = await self._reader.read(65_536)
            if not more:
                return None
            self._held += more
        message, self._held = self._held[: sizes[1]], self._held[sizes[1] :]
        return message


class Over(Exception):  # noqa: N818 - not an error
    """This connection is finished."""


class Listener:
    """What both kinds share: a port that comes and goes, and tasks that end with it."""

    def __init__(self, upstream: int, seed: int) -> None:
        self.port = 0
        self.calm = False
        self.met: Counter[str] = Counter()
        self.draw = random.Random(seed)
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._writers: set[StreamWriter] = set()

    async def start(self) -> None:
        await self._listen(0)
        self.later(self._come_and_go())

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._server is not None:
            self._server.close()
        for writer in set(self._writers):
            await self.end(writer)

    def later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def call(self) -> tuple[StreamReader, StreamWriter]:
        """A connection to the host."""
        streams = await asyncio.open_connection("127.0.0.1", self._upstream)
        self._writers.add(streams[1])
        return streams

    async def end(self, writer: StreamWriter, *, gently: bool = False) -> None:
        """Close it, with RST-like haste or with everything sent."""
        self._writers.discard(writer)
        if gently:
            writer.close()
        else:
            writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        raise NotImplementedError

    async def _listen(self, port: int) -> None:
        self._server = await asyncio.start_server(self._arrived, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _arrived(self, reader: StreamReader, writer: StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, Over):
                await self.serve(reader, writer)
        except asyncio.CancelledError:
            return  # the rig is over; streams would report it as an error
        finally:
            self._tasks.discard(task)
            self._writers.discard(writer)
            writer.transport.abort()

    async def _come_and_go(self) -> None:
        """Before connect: nobody listens, for moments."""
        while True:
            await asyncio.sleep(self.draw.uniform(0.5, 2.0))
            if self.calm or self._server is None:
                continue
            self.met["refused: nobody listens"] += 1
            self._server.close()
            self._server = None
            await asyncio.sleep(self.draw.uniform(0.005, 0.03))
            await self._listen(self.port)


class Frames(Listener):
    """Exchange by exchange, with a fault for some."""

    def __init__(self, upstream: int, seed: int, sizes: Sizes, *, share: float, http: bool) -> None:
        super().__init__(upstream, seed)
        self._sizes = sizes
        self._share = share
        self._partner: asyncio.Future[bytes] | None = None
        self._partners_answer = b""
        self.faults = _names(http=http)
        self.altered: list[bytes] = []  #: requests whose answer was corrupted

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        if not self.calm and self.draw.random() < self._share / 6:
            self.met["cut after connect"] += 1
            return
        exchange = _Exchange(self, self._sizes, Messages(reader, self._sizes), writer)
        try:
            while (request := await exchange.client.next()) is not None:
                name = ""
                if not self.calm and self.draw.random() < self._share:
                    name = self.draw.choice(self.faults)
                    self.met[name] += 1
                await exchange.carry(request, name)
        finally:
            await exchange.leave()

    async def swapped(self, answer: bytes) -> bytes:
        """Somebody else's answer for ours, if somebody else is there in time."""
        if self._partner is not None and not self._partner.done():
            theirs = self._partners_answer
            self._partner.set_result(answer)
            return theirs
        self._partner = asyncio.get_running_loop().create_future()
        self._partners_answer = answer
        try:
            async with asyncio.timeout(PARTNER_S):
                return await self._partner
        except TimeoutError:
            return answer


#: Where something is cut: a name, and how much of the message gets through.
def _cut(where: str, head: int, size: int, draw: random.Random) -> int:
    match where:
        case "before the first byte":
            return 0
        case "after the first byte":
            return 1
        case "within the head":
            return draw.randrange(1, head)
        case "between head and body":
            return head
        case "within the body":
            return draw.randrange(head, size) if size > head else head
        case _:  # before the last byte
            return size - 1


CUTS = (
    "before the first byte", "after the first byte", "within the head", "between head and body",
    "within the body", "before the last byte",
)  # fmt: skip


def _names(*, http: bool) -> list[str]:
    names = [f"{what} cut {where}" for what in ("request", "answer") for where in CUTS]
    names += [
        "line cut after the request",
        "both lines cut after the request",
        "line cut after the answer",
        "request delayed past the deadline",
        "request delayed a little",
        "request swallowed",
        "answer delayed past the deadline",
        "answer delayed a little",
        "request twice at once",
        "request again later",
        "request twice on one line",
        "answer twice",
        "answers swapped",
        "request in pieces",
        "answer in pieces",
        "answer corrupted in the head",
    ]
    if http:
        names += ["answer corrupted in the body", "request answered 502 before the host"]
        names += ["answer replaced by 502"]
    return names


class _Exchange:
    """One client's connection and the host's end of it."""

    def __init__(self, line: Frames, sizes: Sizes, client: Messages, writer: StreamWriter) -> None:
        self.client = client
        self._line = line
        self._draw = line.draw
        self._sizes = sizes
        self._writer = writer
        self._host: Messages | None = None
        self._to_host: StreamWriter | None = None

    async def carry(self, request: bytes, fault: str) -> None:
        """Carry one request and its answer, with a fault or none. Raises Over at the end."""
        what, cut, _ = fault.partition(" cut ")
        if not fault:
            await self._reply(await self._ask(request))
        elif cut and what == "request":
            await self._send(request[: self._at(request, fault)])
            raise Over
        elif cut and what == "answer":
            answer = await self._ask(request)
            await self._reply(answer[: self._at(answer, fault)], last=True)
        elif cut or fault.partition(" ")[0] == "request":
            await self._spoil_request(request, fault)
        else:
            await self._spoil_answer(await self._ask(request), request, fault)

    async def _spoil_request(self, request: bytes, fault: str) -> None:
        match fault:
            case "line cut after the request":
                await self._send(request)
                await self._line.end(self._writer)
                await asyncio.sleep(self._draw.uniform(*SHORT_S))
                raise Over
            case "both lines cut after the request":
                await self._send(request)
                raise Over
            case "line cut after the answer":
                await self._reply(await self._ask(request))
                await asyncio.sleep(self._draw.uniform(0.0, 0.004))
                raise Over
            case "request delayed past the deadline":
                await asyncio.sleep(self._draw.uniform(*LONG_S))
                await self._ask(request)  # the host gets it when nobody waits any more
                raise Over
            case "request delayed a little":
                await asyncio.sleep(self._draw.uniform(*SHORT_S))
                await self._reply(await self._ask(request))
            case "request swallowed":
                await asyncio.sleep(LONG_S[1])
                raise Over
            case "request twice at once":
                self._line.later(self._again(request, 0.0))
                await self._reply(await self._ask(request))
            case "request again later":
                self._line.later(self._again(request, self._draw.uniform(0.02, 1.0)))
                await self._reply(await self._ask(request))
            case "request twice on one line":
                await self._reply(await self._ask(request, request))
            case "request answered 502 before the host":
                await self._reply(GATEWAY)
            case _:  # in pieces
                for piece in self._pieces(request):
                    await self._send(piece)
                    await asyncio.sleep(0)
                await self._reply(await self._ask(b""))

    async def _spoil_answer(self, answer: bytes, request: bytes, fault: str) -> None:
        match fault:
            case "answer delayed past the deadline":
                await asyncio.sleep(self._draw.uniform(*LONG_S))
                await self._reply(answer)
            case "answer delayed a little":
                await asyncio.sleep(self._draw.uniform(*SHORT_S))
                await self._reply(answer)
            case "answer twice":
                await self._reply(answer + answer)
            case "answers swapped":
                await self._reply(await self._line.swapped(answer))
            case "answer in pieces":
                for piece in self._pieces(answer):
                    await self._reply(piece)
                    await asyncio.sleep(0)
            case "answer replaced by 502":
                await self._reply(GATEWAY)
            case _:  # corrupted
                self._line.altered.append(request)
                await self._reply(self._corrupted(answer, head=fault.endswith("head")))

    async def leave(self) -> None:
        if self._to_host is not None:
            await self._line.end(self._to_host)

    async def _ask(self, request: bytes, more: bytes = b"") -> bytes:
        """The host's next answer: after a request sent twice, that of the one before."""
        await self._send(request + more)
        assert self._host is not None
        answer = await self._host.next()
        if answer is None:
            raise Over
        return answer

    async def _send(self, piece: bytes) -> None:
        if self._to_host is None:
            reader, self._to_host = await self._line.call()
            self._host = Messages(reader, self._sizes)
        self._to_host.write(piece)
        await self._to_host.drain()

    async def _reply(self, piece: bytes, *, last: bool = False) -> None:
        self._writer.write(piece)
        await self._writer.drain()
        if last:
            if self._draw.random() < 0.5:
                await self._line.end(self._writer, gently=True)
            raise Over

    async def _again(self, request: bytes, delay_s: float) -> None:
        """The same bytes over another connection."""
        await asyncio.sleep(delay_s)
        with contextlib.suppress(OSError):
            reader, writer = await self._line.call()
            try:
                writer.write(request)
                await Messages(reader, self._sizes).next()
            finally:
                await self._line.end(writer)

    def _at(self, message: bytes, fault: str) -> int:
        sizes = self._sizes(message)
        assert sizes is not None
        return _cut(fault.partition(" cut ")[2], *sizes, self._draw)

    def _pieces(self, message: bytes) -> list[bytes]:
        marks = sorted({0, len(message), *(self._draw.randrange(len(message)) for _ in range(5))})
        return [message[a:b] for a, b in itertools.pairwise(marks)]

    def _corrupted(self, message: bytes, *, head: bool) -> bytes:
        sizes = self._sizes(message)
        assert sizes is not None
        at = self._draw.randrange(sizes[0]) if head else self._draw.randrange(*sizes)
        changed = message[at] ^ (1 << self._draw.randrange(7))
        return message[:at] + bytes((changed,)) + message[at + 1 :]


class Records(Listener):
    """TLS from end to end; one record of every connection, either way, is hurt."""

    ACTIONS = ("cut", "corrupted", "doubled", "swapped", "stalled")
    PLACES = (
        "before the record", "within its header", "between header and body", "within the record",
        "before its last byte", "after the record",
    )  # fmt: skip

    def __init__(self, upstream: int, seed: int, *, records: int) -> None:
        super().__init__(upstream, seed)
        self._records = records

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        draw = self.draw
        host_reader, to_host = await self.call()
        victim, number = draw.choice(("request", "answer")), -1
        if not self.calm:
            handshake = draw.random() < 0.2
            number = draw.randrange(5) if handshake else draw.randrange(5, self._records)
        ways = [
            asyncio.create_task(
                self._relay(reader, to_host, number if victim == "request" else -1, "request")
            ),
            asyncio.create_task(
                self._relay(host_reader, writer, number if victim == "answer" else -1, "answer")
            ),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            await self.end(to_host)

    async def _relay(
        self, reader: StreamReader, writer: StreamWriter, victim: int, way: str
    ) -> None:
        number = 0
        with contextlib.suppress(OSError, EOFError):
            while True:
                head = await reader.readexactly(5)
                record = head + await reader.readexactly(int.from_bytes(head[3:], "big"))
                if number == victim and not self.calm:
                    await self._hurt(record, reader, writer, way)
                    return
                number += 1
                writer.write(record)
                await writer.drain()

    async def _hurt(
        self, record: bytes, reader: StreamReader, writer: StreamWriter, way: str
    ) -> None:
        draw, kind = self.draw, "record" if record[0] == 23 else "handshake"
        action = draw.choice(self.ACTIONS)
        place = draw.choice(self.PLACES) if action in ("cut", "stalled") else ""
        self.met[f"TLS {way} {kind} {action} {place}".rstrip()] += 1
        match action:
            case "cut" | "stalled":
                at = {
                    "before the record": 0,
                    "within its header": draw.randrange(1, 5),
                    "between header and body": 5,
                    "within the record": draw.randrange(5, len(record)),
                    "before its last byte": len(record) - 1,
                    "after the record": len(record),
                }[place]
                writer.write(record[:at])
                await writer.drain()
                if action == "stalled":
                    await asyncio.sleep(draw.uniform(*LONG_S))
                    writer.write(record[at:])
                    await writer.drain()
                    await asyncio.sleep(0.01)
            case "corrupted":
                at = draw.randrange(len(record))
                changed = record[at] ^ (1 << draw.randrange(8))
                writer.write(record[:at] + bytes((changed,)) + record[at + 1 :])
            case "doubled":
                writer.write(record + record)
            case _:
                # With the record after it, where one comes; else it is only late.
                with contextlib.suppress(TimeoutError, EOFError):
                    async with asyncio.timeout(PARTNER_S):
                        head = await reader.readexactly(5)
                        size = int.from_bytes(head[3:], "big")
                        record = head + await reader.readexactly(size) + record
                writer.write(record)
        await writer.drain()
        await asyncio.sleep(0.02)  # what was damaged has to arrive before the line ends
