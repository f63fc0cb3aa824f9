"""Star automatic status: every byte in every place, and frames among other bytes."""

from __future__ import annotations

import pytest

from agent.watch.drivers import escpos, star
from agent.watch.drivers.escpos import Fault, Verdict

#: Written out by hand from the makers' tables: place from 1 -> bit -> fault.
TABLE = {
    3: {3: Fault.OFFLINE, 5: Fault.COVER_OPEN, 6: Fault.SWITCHED_OFF_LINE},
    4: {2: Fault.MECHANICAL, 3: Fault.CUTTER, 5: Fault.UNRECOVERABLE, 6: Fault.RECOVERABLE},
    5: {
        1: Fault.HEAD_UP,
        2: Fault.PAPER_JAM,
        3: Fault.BLACK_MARK,
        5: Fault.COMMAND_ERROR,
        6: Fault.OVERFLOW,
    },
    6: {2: Fault.PAPER_LOW, 3: Fault.PAPER_OUT},
}
#: Nine bytes: 1001 in bits 5, 3, 2, 1 and the header's bit 0.
FINE = b"\x23\x06\x00\x00\x00\x00\x00\x00\x00"


@pytest.mark.parametrize("place", range(2, 10))
def test_every_byte_in_every_place(place: int) -> None:
    """Each byte of a frame names its own bits' faults, or spoils the frame."""
    for byte in range(256):
        frame = bytearray(FINE)
        frame[place - 1] = byte
        told = star.decode(bytes(frame))
        fits = byte & 0x91 == 0
        want = {fault for bit, fault in TABLE.get(place, {}).items() if byte >> bit & 1}
        assert bool(told.unknown) is (not fits)
        assert told.faults == (want if fits else set())
        about_data = {Fault.COMMAND_ERROR, Fault.OVERFLOW}
        assert told.ok is (fits and not want - about_data)


def test_every_header() -> None:
    """Only 0xx0xxx1 begins a frame, and only if its length is that of the frame."""
    for byte in range(256):
        length = 8 * (byte >> 5 & 1) + 4 * (byte >> 3 & 1) + 2 * (byte >> 2 & 1) + (byte >> 1 & 1)
        header = byte & 0x91 == 0x01
        for size in range(1, 16):
            frame = bytes((byte,)) + bytes(size - 1)
            whole = header and length == size and size >= 6
            assert bool(star.decode(frame).unknown) is (not whole)
            if size <= length or length < 6:  # a longer one begins with a whole frame
                assert star.split(frame)[0] == ([frame] if whole else [])


def test_version_and_job_counter_are_read() -> None:
    """Version 4 and later is StarPRNT; the counter has five bits, spread over its byte."""
    assert star.decode(FINE).version == 3
    assert star.decode(b"\x23\x08" + bytes(7)).version == 4
    for count in range(32):
        packed = (count & 7) << 1 | (count >> 3 & 3) << 5
        assert star.decode(FINE[:7] + bytes((packed, 0))).jobs == count
    assert star.decode(b"\x0f" + bytes(6)).jobs is None


def state(*pairs: tuple[int, int]) -> escpos.PrinterState:
    frame = bytearray(FINE)
    for place, byte in pairs:
        frame[place - 1] = byte
    return escpos.state_of(star.decode(bytes(frame)).faults)


def test_faults_become_one_state() -> None:
    """The same words as for ESC/POS, with Star's own kinds of fault."""
    assert state().paper == "ok"
    assert (state((3, 0x08), (6, 0x0C)).paper, state((3, 0x08), (6, 0x0C)).offline_reason) == (
        "out",
        "paper",
    )
    assert state((6, 0x04)).paper == "low"
    assert state((3, 0x28), (6, 0x0C)).paper is None
    assert state((3, 0x28)).offline_reason == "cover"
    assert state((5, 0x02)).cover_open
    assert state((3, 0x48)).offline_reason == "switch"
    assert state((3, 0x08), (4, 0x04)).fault_kind == "mechanical"
    assert state((3, 0x08), (4, 0x20)).fault_kind == "unrecoverable"
    assert state((3, 0x08), (5, 0x08)).fault_kind == "black_mark"
    assert state((3, 0x08), (4, 0x40)).overheated is True
    assert state((3, 0x08), (4, 0x08)).cutter_fault
    assert state((3, 0x08), (5, 0x04)).offline_reason == "error"
    assert not state((5, 0x60)).hardware_fault


@pytest.mark.parametrize(
    ("received", "frames", "stray", "rest"),
    [
        (b"", [], b"", b""),
        (FINE, [FINE], b"", b""),
        (FINE + FINE, [FINE, FINE], b"", b""),
        (b"\xff" + FINE, [FINE], b"\xff", b""),
        (FINE[:4], [], b"", FINE[:4]),
        (FINE + FINE[:1], [FINE], b"", FINE[:1]),
        (b"\x23\x06\x80", [], b"\x23\x06\x80", b""),
        (b"\x01\x12", [], b"\x01\x12", b""),
    ],
)
def test_frames_are_found(received: bytes, frames: list[bytes], stray: bytes, rest: bytes) -> None:
    """Whole frames, what belongs to none, and an unfinished one at the end."""
    assert star.split(received) == (frames, stray, rest)


@pytest.mark.parametrize(
    ("received", "verdict", "frame"),
    [
        (b"", Verdict.WAITING, b""),
        (FINE[:5], Verdict.WAITING, b""),
        (FINE, Verdict.ANSWERED, FINE),
        (FINE + FINE[:2], Verdict.WAITING, b""),
        (b"\xf8\x80", Verdict.NONSENSE, b""),
        (star.QUERY, Verdict.WAITING, b""),
        (star.QUERY[:1], Verdict.WAITING, b""),
    ],
)
def test_an_exchange_is_judged(received: bytes, verdict: Verdict, frame: bytes) -> None:
    """A whole frame is the answer; our own question coming back is waited out."""
    assert star.judge(received) == (verdict, frame)
