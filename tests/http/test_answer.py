"""Plain answers are read by hand: they must mean exactly what h11 makes of them."""

from __future__ import annotations

import random
from unittest import mock

import pytest

from agent.http import answer
from agent.http.answer import Garbled, read_answer
from agent.http.outcome import Answered

LIMIT_BYTES = 1_000
HEAD = b"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n"
BODY = b'{"status":"posted"}'
PLAIN = HEAD + b"Content-Length: 19\r\n\r\n" + BODY


def _read(pieces: list[bytes], method: str = "POST") -> tuple[Answered, bool] | str:
    left = iter(pieces)

    async def read() -> bytes:
        return next(left, b"")

    # Nothing in here waits, so no loop is needed: the first step is the whole way.
    reading = read_answer(read, method, LIMIT_BYTES)
    try:
        reading.send(None)
    except StopIteration as end:
        found: tuple[Answered, bool] = end.value
        return found
    except Garbled as garbled:
        return str(garbled)
    raise AssertionError("it waited")


def _read_by_h11(pieces: list[bytes], method: str = "POST") -> tuple[Answered, bool] | str:
    with mock.patch.object(answer, "_plain", return_value=None):
        return _read(pieces, method)


def test_a_plain_answer_never_meets_h11() -> None:
    """One head, one length: read by hand, whole or in pieces, and the line can go on."""
    with mock.patch.object(answer, "_by_h11", side_effect=AssertionError("h11 was asked")):
        for pieces in (
            [PLAIN],
            [PLAIN[:-5], PLAIN[-5:]],
            [PLAIN[: -len(BODY)], BODY[:1], BODY[1:]],
        ):
            found = _read(pieces)
            assert not isinstance(found, str)
            assert (found[0].status, found[0].body, found[1]) == (201, BODY, True)
            assert found[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 201 Created\r\nContent-Length: 19\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 19\r\nContent-Length: 19\r\n\r\n" + BODY,
        HEAD + b"Content-Length: +19\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 19, 19\r\n\r\n" + BODY,
        HEAD + b"Content-Length : 19\r\n\r\n" + BODY,
        HEAD + b"X: a\r\n folded\r\nContent-Length: 19\r\n\r\n" + BODY,
        HEAD + b"X: caf\xe9\r\nContent-Length: 19\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 19\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 19\r\nConnection: close\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 19\r\nContent-Encoding: gzip\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        HEAD + b"Content-Length: 18\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 20\r\n\r\n" + BODY,
        HEAD + b"\r\n" + BODY,
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 19\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + PLAIN,
        b"HTTP/1.1 201 Created\nContent-Length: 19\n\n" + BODY,
        PLAIN + PLAIN,
        PLAIN[:30],
        b"",
    ],
)
def test_what_is_not_plain_is_left_to_h11(data: bytes) -> None:
    """Anything that could be read in two ways, or says more than a length, goes to h11 whole."""
    with mock.patch.object(answer, "_by_h11", wraps=answer._by_h11) as by_h11:
        found = _read([data] if data else [])
    assert by_h11.call_count == 1
    assert found == _read_by_h11([data] if data else [])


def test_both_readings_agree_on_random_answers() -> None:
    """Three thousand answers, cut at random places: by hand and by h11 they are the same."""
    draw = random.Random(20261122)
    lines = [
        b"Content-Type: application/json", b"X-A:", b"X-B:  spaced \t", b"Date: now", b"x-a: 2",
        b"Retry-After: 7", b"Connection: keep-alive", b"Server: a;b", b"Content-Length: 3",
        b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Content-Encoding: identity",
        b"X-C: \x7f", b"Bad Name: 1", b"X-D: \x80",
    ]  # fmt: skip
    starts = [b"HTTP/1.1 200 OK", b"HTTP/1.1 201", b"HTTP/1.1 402 ", b"HTTP/1.1 503 a b", b"X"]
    by_hand = 0
    for _ in range(3_000):
        chosen = [*draw.sample(lines[:9], draw.randint(0, 3)), b"Content-Length: 5"]
        if draw.random() < 0.2:
            chosen.append(draw.choice(lines))
        draw.shuffle(chosen)
        body = draw.choice([b"12345", b"12345", b"1234", b"123456", b"5\r\n12345\r\n0\r\n\r\n"])
        data = b"\r\n".join([draw.choice(starts), *chosen, b"", body])
        cut = draw.choice([len(data), draw.randint(1, len(data))])
        pieces = [piece for piece in (data[:cut], data[cut:]) if piece]
        method = draw.choice(["POST", "POST", "GET", "HEAD"])
        by_hand += answer._plain(pieces[0], method, LIMIT_BYTES) is not None
        assert _read(pieces, method) == _read_by_h11(pieces, method), pieces
    assert by_hand > 500  # or nothing was compared
