"""Answers of hosts: the quick reading and h11 must never come to different verdicts.

These bytes decide whether money is proved. The quick reading may hand anything on to h11; what it
takes itself must mean exactly what h11 makes of the same bytes, cut in the same places.
"""

from __future__ import annotations

import tracemalloc
from unittest import mock

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from agent.http import answer
from agent.http.answer import Garbled, read_answer
from agent.http.outcome import Answered
from tests.fuzz.effort import CARD, SECRET, cut, effort, mutated, silent

LIMIT_BYTES = 2_000
Verdict = tuple[Answered, bool] | str

LINES = [
    b"Content-Length: 5", b"Content-Length: 005", b"content-length:5", b"Content-Length: 5 ",
    b"Content-Length: 6", b"Content-Length: 0", b"Content-Length: 5, 5", b"Content-Length: -5",
    b"Content-Length: 0x5", b"Content-Length: 5_0", b"Content-Length: \xb2", b"Content-Length:",
    b"Content-Length: 999999999999999999999", b"Content-Length: 2001", b"Content-Length : 5",
    b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:",
    b"Connection: close", b"Connection: keep-alive", b"Upgrade: h2c", b"Content-Encoding: gzip",
    b"Content-Encoding: identity", b"Content-Type: application/json", b"X-A: 1", b"x-a: 2",
    b"X:", b"X: \t ", b"X: a\tb", b"X: \x00", b"X: \x7f", b"X: \x01", b"X: \xff", b" folded",
    b"Retry-After: 7", b"Trailer: X", b"Keep-Alive: timeout=5", b": no name", b"no colon",
    b"\x0bX: 1", b"Set-Cookie: " + SECRET.encode(), b"X-Card: " + CARD.encode(),
]  # fmt: skip
FIT = [b"X-A: 1", b"Retry-After: 7", b"X: a\tb", b"Date:", b"Keep-Alive: timeout=5", b"E: ,"]
STARTS = [
    b"HTTP/1.1 200 OK", b"HTTP/1.1 201 Created", b"HTTP/1.1 402 ", b"HTTP/1.1 409",
    b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not", b"HTTP/1.1 100 Continue", b"HTTP/1.1 101 Up",
    b"HTTP/1.1 205 Reset", b"HTTP/1.0 200 OK", b"HTTP/1.2 200 OK", b"HTTP/2 200", b"http/1.1 200 a",
    b"HTTP/1.1  200 OK", b"HTTP/1.1 2000 OK", b"HTTP/1.1 20", b"HTTP/1.1 599 \t", b"ICY 200 OK",
    b"HTTP/1.1 200 OK\x00", b"HTTP/1.1 200 \xff", b" HTTP/1.1 200 OK", b"",
]  # fmt: skip
BODIES = [
    b"", b"12345", b"1234", b"123456", b"5\r\n12345\r\n0\r\n\r\n", b"5;x=y\r\n12345\r\n0\r\n\r\n",
    b"5\r\n12345\r\n0\r\nX: 1\r\n\r\n", b"5\n12345\n0\n\n", b"ffffffffffffffff\r\n", b"-5\r\n12345",
    b"12345HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", CARD.encode(),
]  # fmt: skip
TELLING = [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\x00", b":", b" ", b"\t", b",", *LINES]


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """Something like an answer; one in three is plain."""
    if draw(st.integers(0, 2)) == 0:
        lines = [
            b"Content-Type: application/json",
            *draw(st.lists(st.sampled_from(FIT), unique=True)),
        ]
        start = draw(st.sampled_from(STARTS[:4]))
        return b"\r\n".join(
            [start, *lines, b"Content-Length: 5", b"", draw(st.sampled_from(BODIES))]
        )
    lines = draw(st.lists(st.sampled_from(LINES), max_size=4))
    if draw(st.booleans()):
        lines.insert(draw(st.integers(0, len(lines))), LINES[0])
    end = draw(st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"]))
    start = draw(st.sampled_from([*STARTS[:4], *STARTS]))
    return end.join([start, *lines, b"", draw(st.sampled_from([*BODIES[:3], *BODIES]))])


def read(
    pieces: list[bytes], method: str, limit_bytes: int = LIMIT_BYTES, *, quick: bool = True
) -> Verdict:
    left = iter(pieces)

    async def more() -> bytes:
        return next(left, b"")

    # Nothing in here waits, so no loop is needed: the first step is the whole way.
    if quick:
        reading = read_answer(more, method, limit_bytes)
    else:
        reading = answer._by_h11(more, method, limit_bytes, next(left, b""))
    try:
        reading.send(None)
    except StopIteration as end:
        found: tuple[Answered, bool] = end.value
        return found
    except Garbled as garbled:
        return str(garbled)
    raise AssertionError("it waited")


def by_h11(pieces: list[bytes], method: str) -> Verdict:
    return read(pieces, method, quick=False)


METHODS = st.sampled_from(["POST", "POST", "GET", "HEAD", "CONNECT"])


@effort(600)
@given(st.data(), mutated(answers(), TELLING), METHODS)
def test_both_readings_come_to_the_same_verdict(
    data: st.DataObject, received: bytes, method: str
) -> None:
    """The same answer, the same headers, the same fitness of the line, or the same complaint."""
    pieces = data.draw(cut(received))
    found = read(pieces, method)
    assert found == by_h11(pieces, method)
    if isinstance(found, str):
        silent(found)
    else:
        assert len(found[0].body) <= LIMIT_BYTES


@effort(150)
@given(st.data(), mutated(answers(), TELLING))
def test_how_an_answer_is_cut_does_not_change_what_it_says(
    data: st.DataObject, received: bytes
) -> None:
    """Whatever was read together: a status and a body once understood stay the same."""
    whole = read([received] if received else [], "POST")
    pieces = read(data.draw(cut(received)), "POST")
    if not isinstance(whole, str) and not isinstance(pieces, str):
        assert whole[0] == pieces[0]
    else:
        # Only the limit of a head may depend on the pieces, and heads here are far below it.
        assert whole == pieces


def test_the_quick_way_is_taken_often_enough() -> None:
    """Control: the comparison above compares something."""
    taken = 0

    @effort(300)
    @given(answers())
    def count(received: bytes) -> None:
        nonlocal taken
        taken += answer._plain(received, "POST", LIMIT_BYTES) is not None

    count()
    assert taken > 30


def test_a_different_reading_would_be_found() -> None:
    """Control: a quick way that lost the headers is caught by the same comparison."""
    real = answer._plain

    def wrong(data: bytes, method: str, limit_bytes: int) -> object:
        found = real(data, method, limit_bytes)
        return None if found is None else answer._Plain(found.status, {}, found.body_at, found.end)

    @settings(effort(300), phases=[Phase.generate])
    @given(answers(), METHODS)
    def compare(received: bytes, method: str) -> None:
        with mock.patch.object(answer, "_plain", side_effect=wrong):
            found = read([received], method)
        assert found == by_h11([received], method)

    with pytest.raises(AssertionError):
        compare()


@pytest.mark.parametrize("head", [b"X: " + b"a" * 65_000, b"a" * 65_000, b"X: 1\r\n" * 10_000])
def test_a_huge_head_is_refused_or_read_in_a_moment(head: bytes) -> None:
    """No pattern looks at the same bytes again and again."""
    for end in (b"", b"\r\n\r\n", b":\x00"):
        found = read([b"HTTP/1.1 200 OK\r\n" + head + end], "POST")
        assert isinstance(found, str)


def test_a_host_that_drips_costs_no_more_than_its_bytes() -> None:
    """A body of 400,000 bytes, one at a time: put together once, not copied for each byte."""
    size = 400_000
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    pieces = [head, *[b"x"] * size]
    tracemalloc.start()
    try:
        found = read(pieces, "POST", limit_bytes=size)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert not isinstance(found, str)
    assert len(found[0].body) == size
    assert peak_bytes < 8 * size
