"""The intake without sockets: any cut of the bytes, any garbage."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.http.intake import Intake, Missing
from agent.http.message import Limits, Request
from agent.http.refusal import Refusal
from agent.http.target import split_target

WHOLE = (
    b"POST /v1/x?a=%E4%B8%AD HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nabcde"
    b"PUT /v1/y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)


def whole_requests(pieces: list[bytes]) -> list[Request]:
    """What comes out; like a connection, except that every answer is empty."""

    intake = Intake(Limits(head_bytes=400, body_bytes=400), None)
    found: list[Request] = []
    for piece in pieces:
        if piece:
            intake.feed(piece)
        while isinstance(got := intake.next(), Request):
            found.append(got)
            intake.wire.send(h11.Response(status_code=204, headers=[]))
            intake.wire.send(h11.EndOfMessage())
            if not intake.restart():
                return found
        if got is Missing.NEVER:
            return found
    return found


@settings(derandomize=True, database=None, deadline=None, max_examples=200)
@given(st.lists(st.integers(0, len(WHOLE)), max_size=6))
def test_any_cut_of_the_bytes_gives_the_same_requests(cuts: list[int]) -> None:
    """Where the network cuts the stream makes no difference."""
    marks = [0, *sorted(cuts), len(WHOLE)]
    pieces = [WHOLE[a:b] for a, b in pairwise(marks)]
    first, second = whole_requests(pieces)
    assert (first.method, first.path, first.query) == ("POST", "/v1/x", {"a": "中"})
    assert (first.body, first.headers["x-a"]) == (b"abcde", "1")
    assert (second.method, second.path, second.body) == ("PUT", "/v1/y", b"abc")


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(st.lists(st.binary(max_size=300), max_size=8), st.integers(0, len(WHOLE)))
@example([b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n"], 0)
@example([b"5\r\n"], WHOLE.index(b"3\r\nabc"))
def test_garbage_is_refused_or_waited_for_and_nothing_else(
    garbage: list[bytes], start: int
) -> None:
    """No input makes the intake raise anything but a refusal with a 4xx or 5xx of ours."""
    refused: Refusal | None = None
    try:
        whole_requests([WHOLE[:start], *garbage])
    except Refusal as raised:
        refused = raised
    assert refused is None or refused.status in {400, 413, 431, 501, 505}


@settings(derandomize=True, database=None, deadline=None, max_examples=500)
@given(st.binary(max_size=60))
def test_any_target_is_split_or_refused(target: bytes) -> None:
    """A decoded path starts with a slash and has no control character; else it is refused."""
    try:
        path, query = split_target(b"/" + target)
    except Refusal:
        return
    assert path.startswith("/")
    assert not any(letter < " " for text in (path, *query, *query.values()) for letter in text)


@pytest.mark.parametrize("escape", [b"%+1", b"%-1", b"% 1", b"%1", b"%", b"%zz", b"%1%31"])
def test_only_two_hex_digits_are_an_escape(escape: bytes) -> None:
    """What `int()` and `fromhex()` would let pass is refused."""
    with pytest.raises(Refusal):
        split_target(b"/a" + escape)
