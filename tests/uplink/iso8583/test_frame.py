"""Frames: how they are built, cut out of a stream, and refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.uplink.iso8583.frame import (
    MAX_FRAME_BYTES,
    Begins,
    Deframer,
    FrameError,
    Layout,
    Length,
    TpduCheck,
)

TPDU = bytes.fromhex("6000030000")
HEADER = bytes.fromhex("603100311003")
MESSAGE = bytes.fromhex("0200")
LAYOUT = Layout(tpdu=TPDU, header=HEADER)


def test_a_unionpay_frame_byte_by_byte() -> None:
    """Length without itself, TPDU, header, message."""
    assert LAYOUT.wrap(MESSAGE).hex(" ") == "00 0d 60 00 03 00 00 60 31 00 31 10 03 02 00"


@pytest.mark.parametrize(
    ("begins", "payload"),
    [
        (Begins.MTI, MESSAGE),
        (Begins.HEADER, HEADER + MESSAGE),
        (Begins.TPDU, TPDU + HEADER + MESSAGE),
    ],
)
def test_the_app_may_hand_over_more_than_the_message(begins: Begins, payload: bytes) -> None:
    """Whatever its bytes begin with, they are not touched and nothing is sent twice."""
    layout = Layout(tpdu=TPDU, header=HEADER, begins=begins)
    assert layout.wrap(payload) == LAYOUT.wrap(MESSAGE)
    assert layout.message(payload) == MESSAGE


def test_other_ways_to_write_the_length() -> None:
    """BCD and ASCII, four digits each."""
    body = b"x" * 123
    assert Layout(length=Length.BCD).framed(body)[:2] == b"\x01\x23"
    assert Layout(length=Length.ASCII).framed(body)[:4] == b"0123"
    with pytest.raises(FrameError):
        LAYOUT.framed(b"x" * (MAX_FRAME_BYTES + 1))


@pytest.mark.parametrize(
    ("check", "tpdu", "ours"),
    [
        (TpduCheck.SWAPPED, "6000000003", True),
        (TpduCheck.SWAPPED, "6000030000", False),
        (TpduCheck.SAME, "6000030000", True),
        (TpduCheck.SAME, "6000000003", False),
        (TpduCheck.ANY, "6099999999", True),
    ],
)
def test_the_tpdu_of_an_answer(check: TpduCheck, tpdu: str, ours: bool) -> None:
    """Source and destination change places, or the answer was somebody else's."""
    layout = Layout(tpdu=TPDU, header=HEADER, tpdu_check=check)
    assert layout.opened(bytes.fromhex(tpdu) + b"\x00" * 6 + b"\x02\x10") == (b"\x02\x10", ours)


def test_a_frame_without_a_message() -> None:
    """TPDU and header alone are nothing."""
    with pytest.raises(FrameError, match="no message"):
        LAYOUT.opened(TPDU + HEADER)


@pytest.mark.parametrize("length", list(Length))
def test_frames_come_out_however_the_stream_was_cut(length: Length) -> None:
    """Byte by byte, all at once, with empty frames between."""
    layout = Layout(length=length)
    stream = layout.framed(b"one") + layout.framed(b"") + layout.framed(b"two")
    for size in (1, 2, 3, 100):
        deframer = Deframer(length)
        found = [
            body
            for start in range(0, len(stream), size)
            for body in deframer.feed(stream[start : start + size])
        ]
        assert found == [b"one", b"two"]
        assert not deframer.partial
    deframer = Deframer(length)
    assert list(deframer.feed(stream[:-1])) == [b"one"]
    assert deframer.partial


@pytest.mark.parametrize(
    ("length", "stream"),
    [
        (Length.BINARY, b"\xff\xff"),
        (Length.BCD, b"\x0a\x00"),
        (Length.BCD, b"\x99\x99"),
        (Length.ASCII, b"12a4"),
        (Length.ASCII, "１234".encode()),
    ],
)
def test_a_stream_out_of_step_is_refused(length: Length, stream: bytes) -> None:
    """An impossible length means that nothing after it can be believed."""
    with pytest.raises(FrameError):
        list(Deframer(length).feed(stream))


@given(st.binary(max_size=200), st.sampled_from(list(Length)))
def test_no_bytes_break_the_deframer(stream: bytes, length: Length) -> None:
    """Frames or FrameError, nothing else."""
    try:
        for body in Deframer(length).feed(stream):
            LAYOUT.opened(body)
    except FrameError:
        return
