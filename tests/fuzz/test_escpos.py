"""Bytes from a printer's line: pieces that add up to what was received, and no invented fault."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers.escpos import (
    BLOCK_MAX_BYTES,
    QUERIES,
    Piece,
    PieceKind,
    Verdict,
    decode,
    decode_asb,
    is_status,
    judge,
    split,
    state_of,
)
from tests.fuzz.effort import effort

TELLING = [
    b"\x12",
    b"\x16",
    b"\x72",
    b"\x10\x00\x00\x0f",
    b"\x11",
    b"\x13",
    b"_TM-T88\x00",
    b"_",
    b"\x80",
]
streams = st.lists(st.sampled_from(TELLING) | st.binary(max_size=5), max_size=12).map(b"".join)


@effort(500)
@given(streams)
def test_every_byte_is_in_one_piece(received: bytes) -> None:
    """Cut into pieces, with the unfinished rest, nothing is lost and nothing is made up."""
    pieces, rest = split(received)
    assert sorted(b"".join(piece.raw for piece in pieces) + rest) == sorted(received)
    flow = rest.count(0x11) + rest.count(0x13)
    assert len(rest) - flow <= (3 if flow else BLOCK_MAX_BYTES + 1)
    for piece in pieces:
        assert piece.raw
        assert (piece.kind is not PieceKind.STATUS) or is_status(piece.raw[0])


@effort(300)
@given(streams)
def test_an_answer_is_one_status_byte_that_came(received: bytes) -> None:
    """The byte a verdict rests on was received, and there was only one."""
    verdict, byte = judge(received)
    pieces, _ = split(received)
    status = [piece for piece in pieces if piece.kind is PieceKind.STATUS]
    if verdict is Verdict.ANSWERED:
        assert status == [Piece(PieceKind.STATUS, bytes([byte]))]
    else:
        assert byte == 0


@effort(200)
@given(st.integers(-1, 6), st.integers(0, 255), st.binary(max_size=6))
def test_what_is_not_understood_names_no_fault(n: int, byte: int, frame: bytes) -> None:
    """Fine, faults or a reason, never two of them; every state has a meaning."""
    for told in (decode(n, byte), decode_asb(frame)):
        assert [told.ok, bool(told.faults), bool(told.unknown)].count(True) == 1
        state_of(told.faults)
    if n not in QUERIES or not is_status(byte):
        assert decode(n, byte).unknown


def test_a_printer_that_never_stops_is_read_in_a_moment() -> None:
    """A hundred kilobytes of the worst: each byte is looked at a bounded number of times."""
    for flood in (b"_" * 100_000, b"_a" * 50_000, b"\x10\x11" * 50_000, b"\x10\x00" * 50_000):
        split(flood)
