"""ISO 8583 from the wire: frames, fields and verdicts, or a complaint that quotes nothing."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money.field39 import Table
from agent.core.money.iso8583 import Message, differs, judge, side_of
from agent.core.money.journal import State
from agent.uplink.iso8583.codec import BrokenMessageError, Codec, Dialect
from agent.uplink.iso8583.frame import (
    MAX_FRAME_BYTES,
    Begins,
    Deframer,
    FrameError,
    Layout,
    Length,
    TpduCheck,
)
from tests.core.money.payments import record
from tests.fuzz.effort import CARD, SECRET, cut, effort, mutated, silent

CODECS = {dialect: Codec(dialect) for dialect in Dialect}
FIELDS: dict[str, st.SearchStrategy[str]] = {
    "2": st.just(CARD),
    "3": st.just("000000"),
    "4": st.sampled_from(["000000001250", "000000000000", "999999999999"]),
    "11": st.sampled_from(["000001", "999999"]),
    "37": st.sampled_from(["123456789012", "REF         "]),
    "39": st.sampled_from(["00", "11", "25", "51", "68", "91", "96", "A0", "zz", "  "]),
    "41": st.just("T0000001"),
    "42": st.just("M00000000000001"),
    "49": st.sampled_from(["156", "840", "xxx"]),
    "44": st.just(SECRET),
    "64": st.just("FF" * 8),
}


@st.composite
def messages(draw: st.DrawFn, dialect: Dialect) -> bytes:
    """A message of this dialect with some fields."""
    mti = draw(st.sampled_from(["0200", "0210", "0220", "0230", "0400", "0410", "0820", "9999"]))
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), unique=True))
    fields = {name: draw(FIELDS[name]) for name in names}
    return CODECS[dialect].encode(Message(mti, fields))


def complaint(error: Exception) -> None:
    """The whole chain of it, as a log would print it, quotes nothing."""
    silent("".join(traceback.format_exception(error)))


@effort(500)
@given(st.data(), st.sampled_from(Dialect))
def test_a_message_its_verdict_or_a_complaint(data: st.DataObject, dialect: Dialect) -> None:
    """Fields, and what they say of a payment, come out of any bytes, or one complaint."""
    telling = [b"\xff" * 8, b"\x00" * 8, b"\x99\x99", b"\x9f", b"0210", bytes.fromhex("0210")]
    raw = data.draw(mutated(messages(dialect), telling) | st.binary(max_size=60))
    codec = CODECS[dialect]
    try:
        got = codec.decode(raw)
    except BrokenMessageError as error:
        complaint(error)
        return
    assert all(name.isdecimal() for name in got.fields)
    payment = record("k", state=State.SENDING)
    sent = Message("0200", {"11": "000001", "41": "T0000001", "42": "M00000000000001"})
    silent(differs(sent, got))
    reply = judge(payment, sent, got, Table(), side_of(payment.transaction))
    silent(reply.note)
    for marked in (codec.encode, lambda message: codec.marked_as_repeat(raw)):
        try:
            marked(got)
        except BrokenMessageError as error:
            complaint(error)


@effort(300)
@given(st.data(), st.sampled_from(Length), st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_frames_survive_any_cut(data: st.DataObject, length: Length, bodies: list[bytes]) -> None:
    """However a stream is split on the way, the same frames come out, in order, and no rest."""
    layout = Layout(length=length)
    stream = b"".join(layout.framed(body) for body in bodies)
    deframer = Deframer(length)
    found = [body for piece in data.draw(cut(stream)) for body in deframer.feed(piece)]
    assert found == bodies
    assert not deframer.partial


@effort(300)
@given(
    st.data(),
    st.sampled_from(Length),
    st.sampled_from(TpduCheck),
    st.sampled_from(Begins),
    st.binary(max_size=80),
)
def test_any_stream_is_frames_a_wait_or_out_of_step(
    data: st.DataObject, length: Length, check: TpduCheck, begins: Begins, stream: bytes
) -> None:
    """No frame is larger than a frame may be; a body opens to a message or a complaint."""
    layout = Layout(
        length=length, tpdu=b"\x60\x00\x03\x00\x00", tpdu_check=check, header=b"HD", begins=begins
    )
    deframer = Deframer(length)
    try:
        for piece in data.draw(cut(stream)):
            for body in deframer.feed(piece):
                assert 0 < len(body) <= MAX_FRAME_BYTES
                message, _ = layout.opened(body)
                assert body.endswith(message)
    except FrameError as error:
        complaint(error)
    try:
        assert layout.message(layout.wrap(stream)) is not None
    except FrameError as error:
        complaint(error)


@pytest.mark.parametrize("dialect", Dialect)
def test_the_largest_frame_ends_in_a_moment(dialect: Dialect) -> None:
    """Eight kilobytes of anything, bit for bit the same."""
    for byte in (0x00, 0x30, 0x39, 0x99, 0xFF):
        raw = bytes([byte]) * MAX_FRAME_BYTES
        with pytest.raises(BrokenMessageError):
            CODECS[dialect].decode(raw)


def test_a_dripping_host_does_not_fill_the_memory() -> None:
    """What has not become a frame is at most one frame."""
    deframer = Deframer(Length.BINARY)
    for _ in range(MAX_FRAME_BYTES + 1):
        list(deframer.feed(b"\x1f"))
    assert len(deframer._held) <= MAX_FRAME_BYTES + 2
