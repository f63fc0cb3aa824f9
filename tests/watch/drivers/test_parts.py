"""DLE EOT 5, 7, 8 and 18: every byte, and how the questions are spelt."""

from __future__ import annotations

import pytest

from agent.watch.drivers import parts
from agent.watch.drivers.parts import Part

#: Written out by hand from the makers' tables: part -> bit -> word.
SHEET = {2: "not_selected", 3: "waiting", 5: "top_edge_absent", 6: "bottom_edge_absent"}
INK = {2: "near_end", 3: "end", 5: "cartridge_absent"}
TABLE = {Part.SLIP: SHEET, Part.MICR: SHEET, Part.INK: INK, Part.INK_SECOND: INK}
ASKED = {
    Part.SLIP: "100405",
    Part.INK: "10040701",
    Part.INK_SECOND: "10040702",
    Part.MICR: "10040801",
    Part.PEELER: "10040803",
    Part.INTERFACE: "10041201",
    Part.DISPLAY: "10041202",
}


def test_every_question_is_spelt_as_documented() -> None:
    """DLE EOT n, with its parameter where it has one."""
    assert {part: sent.hex() for part, sent in parts.QUERIES.items()} == ASKED


@pytest.mark.parametrize("part", list(Part))
def test_every_byte_of_every_part(part: Part) -> None:
    """Each of the 256 bytes is its set bits' words, or unknown and nothing."""
    for byte in range(256):
        told = parts.decode(part, byte)
        valid = byte >> 7 == 0 and byte >> 4 & 1 and byte >> 1 & 1 and not byte & 1
        if not valid or part not in TABLE:
            assert told.words == frozenset()
            assert f"{byte:02x}" in told.unknown
            continue
        assert told.words == {word for bit, word in TABLE[part].items() if byte >> bit & 1}
        assert told.unknown == ""


def test_ink_is_out_without_a_cartridge() -> None:
    """No cartridge prints as little as an empty one; nearly empty still prints."""
    assert parts.ink_out(frozenset({"end"}))
    assert parts.ink_out(frozenset({"cartridge_absent"}))
    assert not parts.ink_out(frozenset({"near_end"}))


def test_what_the_configuration_names_can_be_decoded() -> None:
    """Nothing is asked whose answer has no table."""
    assert {part for some in parts.NAMED.values() for part in some} == set(TABLE)
