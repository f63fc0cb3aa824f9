"""Reading one answer: plain ones by hand, everything else by h11.

Plain is a final answer whose head comes in one piece, states one length and asks for nothing else.
Nearly every answer of a payment host is, and taking it apart here costs a fifth of what h11 needs.
Whatever is not plain in the strictest reading goes to h11 from its first byte, so every doubt about
an answer is decided there. Called by a line; deadlines are the client's business.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Awaitable, Callable

import h11

from agent.http.fields import folded
from agent.http.outcome import Answered
from agent.record import dataclass

#: Read at once at most.
PIECE_BYTES = 65_536
HEAD_BYTES = 16_384

_PLAIN = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9][0-9])(?: [\t -~]*)?\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)+)\r\n"
)
#: Says something about framing or about the connection: h11's business.
_NOT_PLAIN = frozenset({"transfer-encoding", "connection", "content-encoding", "upgrade"})
_DIGITS = re.compile(r"[0-9]{1,9}")
_SENT = h11.EndOfMessage()

Read = Callable[[], Awaitable[bytes]]


class Garbled(Exception):  # noqa: N818 - an outcome, not an error of ours
    """What came back is no answer. The message is a plain sentence without the peer's bytes."""


@dataclass(frozen=True, slots=True)
class _Plain:
    status: int
    headers: dict[str, str]
    body_at: int
    end: int


async def read_answer(read: Read, method: str, limit_bytes: int) -> tuple[Answered, bool]:
    """The whole answer, and whether the connection can carry another. Raises Garbled or OSError.

    `read` gives the next bytes, none when the host sends no more.
    """
    data = await read()
    plain = _plain(data, method, limit_bytes)
    if plain is not None:
        if len(data) < plain.end:
            data = await _more(read, data, plain.end)
        if len(data) == plain.end:
            body = data[plain.body_at :]
            return Answered(status=plain.status, headers=plain.headers, body=body), True
    return await _by_h11(read, method, limit_bytes, data)


async def _more(read: Read, data: bytes, end: int) -> bytes:
    # Not one bytes object after the other: a host that drips would have all of it copied each time.
    held = bytearray(data)
    while len(held) < end and (more := await read()):
        held += more
    return bytes(held)


def _plain(data: bytes, method: str, limit_bytes: int) -> _Plain | None:
    found = _PLAIN.match(data)
    if found is None or found.end() > HEAD_BYTES or method in {"HEAD", "CONNECT"}:
        return None
    lines = found[2].decode("ascii").split("\r\n")
    lines.pop()
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    status = int(found[1])
    length = headers.get("content-length", "")
    if (
        len(headers) != len(lines)  # a name given twice
        or not headers.keys().isdisjoint(_NOT_PLAIN)
        or not _DIGITS.fullmatch(length)
        or int(length) > limit_bytes
        or status in {204, 304}
    ):
        return None
    return _Plain(status, headers, found.end(), found.end() + int(length))


async def _by_h11(read: Read, method: str, limit_bytes: int, data: bytes) -> tuple[Answered, bool]:
    wire = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES)
    wire.send(_followed(method))
    wire.send(_SENT)
    head: h11.Response | None = None
    headers: dict[str, str] = {}
    body = bytearray()
    received_bytes = 0
    while True:
        received_bytes += len(data)
        # The framing counts too: a body of one-byte chunks, or interim answers for ever.
        if received_bytes > limit_bytes + 2 * PIECE_BYTES:
            raise Garbled(f"the answer exceeds {limit_bytes} bytes")
        if not data and head is None:
            part = "in the middle of its answer" if received_bytes else "without an answer"
            raise Garbled(f"the host closed the connection {part}")
        wire.receive_data(data)
        while (event := _next(wire, head)) is not h11.NEED_DATA:
            if isinstance(event, h11.Response):
                # h11 limits only heads that are incomplete, not one that came in one large piece.
                if received_bytes - len(wire.trailing_data[0]) > HEAD_BYTES:
                    raise Garbled(f"the head of the answer exceeds {HEAD_BYTES} bytes")
                head, headers = event, folded(event.headers)
                _check_head(headers, limit_bytes)
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > limit_bytes:
                    raise Garbled(f"the answer exceeds {limit_bytes} bytes")
            elif isinstance(event, h11.EndOfMessage) and head is not None:
                answered = Answered(status=head.status_code, headers=headers, body=bytes(body))
                return answered, wire.their_state is h11.DONE and not wire.trailing_data[0]
            elif not isinstance(event, h11.InformationalResponse):
                raise Garbled("the answer broke the rules of HTTP/1.1")
        data = await read()


def _next(wire: h11.Connection, head: h11.Response | None) -> object:
    try:
        return wire.next_event()
    except h11.RemoteProtocolError as error:
        if head is not None and "closed" in str(error):
            raise Garbled("the host closed the connection in the middle of its answer") from None
        raise Garbled("the answer is not well-formed HTTP/1.1") from None


@functools.lru_cache(maxsize=16)
def _followed(method: str) -> h11.Request:
    """What h11 is told of a request: of all it says, only the method matters for the answer."""
    return h11.Request(method=method, target="/", headers=[("host", "followed")])


def _check_head(fields: dict[str, str], limit_bytes: int) -> None:
    if fields.get("content-encoding", "identity") != "identity":
        raise Garbled("the answer is compressed, which was not accepted")
    length = fields.get("content-length")
    if length is not None and "transfer-encoding" in fields:
        raise Garbled("the answer states its length in two ways")
    if length is not None and int(length) > limit_bytes:
        raise Garbled(f"the answer exceeds {limit_bytes} bytes")
