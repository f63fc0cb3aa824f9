"""Requests to the local API: whole ones, a wait, or a refusal with a fixed sentence."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.http.intake import Intake, Missing
from agent.http.message import Limits, Request
from agent.http.refusal import Refusal
from tests.fuzz.effort import CARD, SECRET, cut, effort, mutated, silent

LIMITS = Limits(head_bytes=1_000, body_bytes=500)
LINES = [
    b"Host: localhost", b"host: evil.example", b"Content-Length: 5", b"Content-Length: 5, 6",
    b"Content-Length: -1", b"Content-Length: +5", b"Transfer-Encoding: chunked",
    b"Connection: close", b"Transfer-Encoding: chunked, chunked", b"Upgrade: websocket",
    b"Transfer-Encoding: identity",
    b"Expect: 100-continue", b"Expect: x", b"Content-Type: application/json", b"Origin: null",
    b"X:", b"Content-Length : 5", b" folded", b"X: \x00", b"X: \xff", b"no colon",
    b"Cookie: " + b"a" * 990,    b"Authorization: " + SECRET.encode(), b"X-Card: " + CARD.encode(),
]  # fmt: skip
TARGETS = [
    b"/v1/status", b"/v1/transactions/a%2fb", b"/%", b"/%zz", b"/%e4%bd%a0", b"/%ff", b"/?a=1&a=2",
    b"/?limit=5&%00=1", b"http://x/", b"*", b"localhost:80", b"/#f", b"/a?%", b"/\xff", b"/ b",
    b"/" + b"a" * 950, b"/?card=" + CARD.encode(), b"/%2" + SECRET.encode(), b"//x/..", b"",
]  # fmt: skip
BODIES = [b"", b"12345", b"123", b"5\r\n12345\r\n0\r\n\r\n", b"5\r\n123", b"zz\r\n", b"x" * 600]
METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"CONNECT", b"get", b"G\x00T", b"", b"A" * 40]
VERSIONS = [b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/1.1 ", b""]
TELLING = [b"\r\n", b"\n", b"\r", b"\x00", b" ", b":", b"\r\n\r\n", *LINES, *TARGETS]


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Something like a request, or two of them."""
    data = b""
    for _ in range(draw(st.integers(1, 2))):
        start = b" ".join(draw(st.sampled_from(of)) for of in (METHODS, TARGETS, VERSIONS))
        lines = draw(st.lists(st.sampled_from([LINES[0], *LINES]), max_size=5))
        data += b"\r\n".join([start, *lines, b"", draw(st.sampled_from(BODIES))])
    return data


def taken(pieces: list[bytes]) -> list[Request | str]:
    """What one connection makes of these bytes, to its end."""
    intake = Intake(LIMITS, None)
    found: list[Request | str] = []
    for piece in [*pieces, b""]:
        intake.feed(piece)
        while True:
            try:
                got = intake.next()
            except Refusal as refusal:
                found.append(refusal.code)
                said = refusal.response().body
                silent(said.decode() if isinstance(said, bytes) else "")
                return found
            if isinstance(got, Missing):
                break
            assert got.path.startswith("/")
            assert len(got.body) <= LIMITS.body_bytes
            found.append(got)
            return found  # the next cycle begins only after an answer
    return found


@effort(300)
@given(st.data(), mutated(requests(), TELLING))
def test_a_request_a_wait_or_a_refusal(data: st.DataObject, received: bytes) -> None:
    """Nothing else comes out of any bytes, and nothing of them stands in a refusal."""
    taken(data.draw(cut(received)))


@effort(120)
@given(st.data(), requests())
def test_how_a_request_is_cut_does_not_change_it(data: st.DataObject, received: bytes) -> None:
    """The same request in one piece or in five is the same request, or refused both times.

    Which of several faults is named first may depend on how much has been seen of them.
    """
    whole, pieces = taken([received]), taken(data.draw(cut(received)))
    assert [entry for entry in whole if isinstance(entry, Request)] == [
        entry for entry in pieces if isinstance(entry, Request)
    ]


@pytest.mark.parametrize(
    "flood",
    [
        b"GET / HTTP/1.1\r\n" + b"X: 1\r\n" * 100_000,
        b"\r\n" * 300_000,
        b"A" * 600_000,
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 90_000,
    ],
    ids=["headers", "blank lines", "one word", "small chunks"],
)
def test_a_flood_is_refused_in_a_moment(flood: bytes) -> None:
    """Long before the deadlines, and without keeping what will not be used."""
    found = taken([flood[at : at + 65_536] for at in range(0, len(flood), 65_536)])
    assert found
    assert not isinstance(found[-1], Request)
