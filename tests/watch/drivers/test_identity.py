"""GS I: questions, texts, numbers."""

from __future__ import annotations

import pytest

from agent.watch.drivers import identity


def test_the_questions_are_spelt_as_documented() -> None:
    """GS I 65 to 69 for texts, 1 to 3 for numbers, nothing else."""
    assert {name: identity.query(name).hex() for name in identity.TEXTS} == {
        "firmware": "1d4941",
        "maker": "1d4942",
        "model": "1d4943",
        "serial": "1d4944",
        "font": "1d4945",
    }
    assert [identity.query(name).hex() for name in identity.NUMBERS] == [
        "1d4901",
        "1d4902",
        "1d4903",
    ]
    with pytest.raises(KeyError):
        identity.query("counter")


@pytest.mark.parametrize(
    ("received", "text"),
    [
        (b"\x5fTM-T88V\0", "TM-T88V"),
        (b"\x5f26:>RVZ\0", "26:>RVZ"),
        (b"\x10\0\0\0\x5fEPSON \0", "EPSON"),
        (b"\x5f\0", ""),
        (b"\x5fTM-T8", None),
        (b"\x12", None),
        (b"", None),
    ],
)
def test_a_text_is_taken_out_of_its_frame(received: bytes, text: str | None) -> None:
    """Framed text first, though its letters look like status bytes."""
    assert identity.text_in(received) == text


def test_every_number() -> None:
    """One plain byte is a number; anything else is none."""
    for byte in range(256):
        plain = byte & 0x90 == 0 and byte != 0x5F
        assert identity.number_in(bytes((byte,))) == (byte if plain else None)
    assert identity.number_in(b"\x20\x02") is None
    assert identity.number_in(b"\x11\x20\x13") == 0x20
