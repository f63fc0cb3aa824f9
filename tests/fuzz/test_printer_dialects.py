"""Garbage on every printer decoder: nothing raises, nothing is made up."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import custom, dialect, escpos, identity, ieee1284, parts, speed, star
from agent.watch.drivers.escpos import Sensor, Verdict
from agent.watch.drivers.parts import Part
from tests.fuzz.effort import effort

STAR = b"\x23\x06" + bytes(7)
TELLING = [STAR, STAR[:3], b"\x10\x0f", b"\x12", b"\x5fT\0", b"\x11", b"\xff", b"\x1b\x06\x01"]
streams = st.lists(st.sampled_from(TELLING) | st.binary(max_size=5), max_size=12).map(b"".join)


@effort(400)
@given(streams)
def test_star_frames_add_up_to_what_was_received(received: bytes) -> None:
    """Frames, strays and the rest are all the bytes there were; every frame decodes."""
    frames, stray, rest = star.split(received)
    assert sorted(b"".join(frames) + stray + rest) == sorted(received)
    assert len(rest) < 16
    for frame in frames:
        told = star.decode(frame)
        assert not told.unknown
        escpos.state_of(told.faults)
    verdict, frame = star.judge(received)
    assert (verdict is Verdict.ANSWERED) is (frame != b"")


@effort(300)
@given(st.binary(max_size=16))
def test_what_is_no_star_frame_names_no_fault(frame: bytes) -> None:
    """Unknown or faults, never both."""
    told = star.decode(frame)
    assert not (told.unknown and (told.faults or told.ok))


@effort(300)
@given(streams)
def test_custom_frames_are_received_bytes(received: bytes) -> None:
    """A frame found stands in what came; anything else is waiting or nonsense."""
    verdict, frame = custom.judge(received)
    if verdict is Verdict.ANSWERED:
        assert frame in received
        found = custom.signs(frame)
        assert found is not None
        custom.state_of(found)
    else:
        assert frame == b""


@effort(300)
@given(streams)
def test_one_language_or_none(received: bytes) -> None:
    """Detection never raises, and names a language only for an answer in it."""
    spoken = dialect.from_answer(received)
    assert spoken in {"", "escpos", "star", "custom"}
    if spoken == "star":
        assert star.split(received)[0]
    dialect.may_be_star(received)


@effort(300)
@given(st.binary(max_size=200))
def test_ids_and_names_are_printable(raw: bytes) -> None:
    """Whatever a device says of itself fits on a screen."""
    told = ieee1284.parse_id(raw)
    said = [told.maker, told.model, told.serial, told.kind, told.description, *told.commands]
    said.append(identity.text_in(raw) or "")
    for text in said:
        assert text.isascii()
        assert text.isprintable()
        assert len(text) <= identity.TEXT_MAX
    identity.number_in(raw)


@effort(200)
@given(st.integers(-300, 70_000), st.sampled_from(list(Part)), st.sampled_from(list(Sensor)))
def test_single_bytes_say_something_or_why_not(value: int, part: Part, sensor: Sensor) -> None:
    """Port status and part status of any number."""
    ieee1284.decode_status(value)
    byte = value & 0xFF
    assert not (parts.decode(part, byte).words and parts.decode(part, byte).unknown)
    for told in (escpos.plain_paper(byte, sensor), escpos.plain_drawer(byte)):
        assert not (told.unknown and told.faults)


@effort(100)
@given(st.binary(max_size=12), st.sampled_from(speed.SPEEDS), st.sampled_from(["none", "even"]))
def test_a_speed_is_one_of_the_usual_or_none(received: bytes, baud: int, parity: str) -> None:
    """Any bytes name another usual speed than the configured one, or nothing."""
    told = speed.likely_speed(received, baud, parity)  # type: ignore[arg-type]
    assert told == 0 or (told in speed.SPEEDS and told != baud)
