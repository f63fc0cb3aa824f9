"""Custom FULL status: every byte in every place."""

from __future__ import annotations

import pytest

from agent.watch.drivers import custom
from agent.watch.drivers.custom import Sign
from agent.watch.drivers.escpos import Verdict

#: Written out by hand from the maker's tables: place from 0 -> bit -> sign.
TABLE = {
    2: {
        0: Sign.NO_PAPER,
        2: Sign.PAPER_LOW,
        5: Sign.TICKET_OUT,
        6: Sign.VIRTUAL_END,
        7: Sign.NOTCH,
    },
    3: {
        0: Sign.HEAD_UP,
        1: Sign.COVER_OPEN,
        2: Sign.SPOOLING,
        3: Sign.MOTOR_ON,
        5: Sign.LINE_FEED_KEY,
        6: Sign.FORM_FEED_KEY,
    },
    4: {0: Sign.HEAD_TEMPERATURE, 1: Sign.COMMUNICATION, 3: Sign.POWER_SUPPLY},
    5: dict.fromkeys(range(8), Sign.UNRECOVERABLE),
}
FINE = b"\x10\x0f\0\0\0\0"


@pytest.mark.parametrize("place", range(6))
def test_every_byte_in_every_place(place: int) -> None:
    """Each of the 256 bytes is its own bits' signs, or makes it another frame than this."""
    for byte in range(256):
        frame = bytearray(FINE)
        frame[place] = byte
        found = custom.signs(bytes(frame))
        if place < 2:
            assert found == (frozenset() if byte == FINE[place] else None)
        else:
            assert found == {sign for bit, sign in TABLE[place].items() if byte >> bit & 1}


@pytest.mark.parametrize("frame", [b"", FINE[:5], FINE + b"\0", b"\x10\x04\0\0\0\0"])
def test_other_bytes_are_no_frame(frame: bytes) -> None:
    """Too short, too long, or another lead: nothing is said."""
    assert custom.signs(frame) is None


def state(*signs: Sign) -> custom.FullStatus:
    return custom.state_of(frozenset(signs))


def test_signs_become_a_state() -> None:
    """Paper, cover, heat, supply and breakage, each by its own sign and no other."""
    assert state() == state(Sign.SPOOLING, Sign.MOTOR_ON, Sign.TICKET_OUT, Sign.NOTCH)
    assert (state().paper, state().hardware_fault, state().fault_kind) == ("ok", False, "")
    assert state(Sign.NO_PAPER, Sign.PAPER_LOW).paper == "out"
    assert state(Sign.PAPER_LOW).paper == state(Sign.VIRTUAL_END).paper == "low"
    for cover in (Sign.COVER_OPEN, Sign.HEAD_UP):
        assert (state(cover, Sign.NO_PAPER).paper, state(cover).cover_open) == (None, True)
    assert state(Sign.HEAD_TEMPERATURE).overheated
    assert state(Sign.POWER_SUPPLY).low_voltage
    assert state(Sign.UNRECOVERABLE).fault_kind == "unrecoverable"
    assert state(Sign.LINE_FEED_KEY).feed_button


@pytest.mark.parametrize(
    ("received", "verdict", "frame"),
    [
        (b"", Verdict.WAITING, b""),
        (b"\x10", Verdict.WAITING, b""),
        (FINE[:3], Verdict.WAITING, b""),
        (FINE, Verdict.ANSWERED, FINE),
        (b"\x13" + FINE + b"\x11", Verdict.ANSWERED, FINE),
        (b"\x10\x0f\xff\x11\x13\xff", Verdict.ANSWERED, b"\x10\x0f\xff\x11\x13\xff"),
        (b"\xf8\x80", Verdict.NONSENSE, b""),
        (FINE + b"\x12", Verdict.NONSENSE, b""),
        (custom.QUERY, Verdict.WAITING, b""),
    ],
)
def test_an_exchange_is_judged(received: bytes, verdict: Verdict, frame: bytes) -> None:
    """Exactly one frame is the answer; flow control around it, any byte within it."""
    assert custom.judge(received) == (verdict, frame)
