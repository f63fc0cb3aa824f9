"""Which language a printer speaks."""

from __future__ import annotations

import pytest

from agent.watch.drivers import dialect
from agent.watch.drivers.ieee1284 import parse_id

STAR = b"\x23\x06" + bytes(7)
CUSTOM = b"\x10\x0f\0\0\0\0"


@pytest.mark.parametrize(
    ("raw", "spoken"),
    [
        (b"MFG:EPSON;CMD:ESC/POS;MDL:TM-T20;", "escpos"),
        (b"MFG:STAR;CMD:STAR;MDL:TSP143;", "star"),
        (b"MFG:Star Micronics;MDL:TSP100;", "star"),
        (b"MFG:Star;CMD:ESC/POS;MDL:TSP650;", "escpos"),
        (b"MFG:CUSTOM;MDL:KPM180;", "custom"),
        (b"MFG:CUSTOM SPA;CMD:ESC/POS;", "escpos"),
        (b"MFG:HP;CMD:PCL,POSTSCRIPT;", ""),
        (b"", ""),
    ],
)
def test_an_id_names_the_language(raw: bytes, spoken: str) -> None:
    """By the languages it lists, else by a maker with one of its own, else not known."""
    assert dialect.from_device_id(parse_id(raw)) == spoken


@pytest.mark.parametrize(
    ("received", "spoken"),
    [
        (b"\x12", "escpos"),
        (b"\x11\x16", "escpos"),
        (b"\x18\0\x0f\0", "escpos"),
        (b"\x5fTM\0", "escpos"),
        (STAR, "star"),
        (STAR[:5], ""),
        (b"\x10\x0f\xff\xff\0\0", "custom"),
        (CUSTOM[:4], ""),
        (b"\x21", ""),
        (b"\xf8\x80", ""),
        (b"", ""),
    ],
)
def test_an_answer_names_the_language(received: bytes, spoken: str) -> None:
    """Only an answer that fits one language and no other; half a frame fits none."""
    assert dialect.from_answer(received) == spoken


def test_what_may_come_from_a_star_printer() -> None:
    """A frame, or the byte it answers EOT with; never an ESC/POS reply."""
    assert dialect.may_be_star(STAR)
    assert dialect.may_be_star(b"\x10")
    assert dialect.may_be_star(b"\x70\x70")
    for received in (b"", b"\x12", b"\x1a\x12", b"\xf8\x80\xfe", b"\x00"):
        assert not dialect.may_be_star(received)
