"""What simulated Star and Custom printers answer, and what the stations of an Epson say."""

from __future__ import annotations

import pytest

from agent.sim.printers.conditions import Conditions
from agent.sim.printers.custom import CustomBrain
from agent.sim.printers.escpos import EscPosBrain
from agent.sim.printers.star import StarBrain, packed

ASK_STAR = b"\x1b\x06\x01"
ASK_CUSTOM = b"\x10\x04\x14"


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (Conditions(), "23 06 00 00 00 00 00 00 00"),
        (Conditions(paper="low"), "23 06 00 00 00 04 00 00 00"),
        (Conditions(paper="out"), "23 06 08 00 00 0c 00 00 00"),
        (Conditions(paper="out", near_end_sensor=False), "23 06 08 00 00 08 00 00 00"),
        (Conditions(cover_open=True), "23 06 28 00 00 0c 00 00 00"),
        (Conditions(cutter_fault=True), "23 06 08 08 00 00 00 00 00"),
        (Conditions(overheated=True), "23 06 08 40 00 00 00 00 00"),
        (Conditions(unrecoverable=True), "23 06 08 20 00 00 00 00 00"),
        (Conditions(low_voltage=True), "23 06 08 20 00 00 00 00 00"),
        (Conditions(mechanical_fault=True), "23 06 08 04 00 00 00 00 00"),
        (Conditions(jam=True), "23 06 08 00 04 00 00 00 00"),
        (Conditions(switched_off_line=True), "23 06 48 00 00 00 00 00 00"),
        (Conditions(drawer_pin_high=True), "23 06 04 00 00 00 00 00 00"),
    ],
)
def test_star_status_follows_the_documented_table(conditions: Conditions, status: str) -> None:
    """Every condition shows in the documented bit of the nine-byte block."""
    brain = StarBrain()
    brain.change(conditions)
    assert [reply.hex(" ") for reply in brain.feed(ASK_STAR)] == [status]


def test_star_header_packs_its_length() -> None:
    """The header's bits 5, 3, 2 and 1 are the length of the block; bit 0 marks the header."""
    assert [packed(n, 0x01) for n in (7, 8, 9)] == [0x0F, 0x21, 0x23]


def test_star_sends_changes_once_armed() -> None:
    """ESC RS a arms, says the state at once, then sends changes; 0 disarms."""
    brain = StarBrain()
    assert brain.change(Conditions(paper="low")) == []
    assert len(brain.feed(b"\x1b\x1e\x61\x01")) == 1
    (changed,) = brain.change(Conditions(paper="out"))
    assert changed[5] == 0x0C
    assert brain.change(Conditions(paper="out")) == []
    assert len(brain.change(Conditions())) == 1
    assert brain.feed(b"\x1b\x1e\x61\x00") == []
    assert brain.change(Conditions(paper="low")) == []


def test_star_counts_jobs() -> None:
    """ETB behind a job moves the five-bit counter, and only once the job was printed."""
    brain = StarBrain()
    brain.feed(b"\x1b\x1e\x61\x01")
    (told,) = brain.feed(b"total\n\x17")
    assert (told[2], told[7]) == (0x02, 0x02)
    brain.change(Conditions(paper="out"))
    assert brain.feed(b"more\n\x17") == []
    last = brain.change(Conditions())[-1]
    assert last[7] == 0x04
    for _ in range(29):
        brain.feed(b"\x17")
    assert brain.feed(ASK_STAR)[0][7] == 0x6E
    brain.feed(b"\x17")
    assert brain.feed(ASK_STAR)[0][7] == 0x00


def test_star_answers_an_escpos_question_with_a_trap() -> None:
    """DLE EOT 1 meets EOT, whose answer looks like ESC/POS; ESC/POS has no answer to Star's."""
    assert StarBrain().feed(b"\x10\x04\x01") == [b"\x12"]
    assert EscPosBrain().feed(ASK_STAR) == []


def test_star_identity_and_receipt() -> None:
    """Version and serial number are told; text, images, codes and cuts go on paper whole."""
    brain = StarBrain()
    version, serial = brain.feed(b"\x1b\x23\x2a\x0a\x00\x1b\x1d\x29\x49\x01\x00\x49")
    assert version.startswith(b"\x1b\x23\x2a,")
    assert b"PrSrN=" in serial
    assert brain.paper.receipt == b""
    job = (
        b"\x1b@\x1b\x1da\x01"
        + "合计".encode("gb18030")
        + b"\n\x1bK\x03\x00\x04\x05\x01"
        + b"\x1bL\x02\x00ab\x1bX\x01\x00abc"
        + b"\x1b\x1dyD1\x00\x03\x00abc\x1b\x1dyS0\x02\x1b\x1dyP"
        + b"\x1b\x1d#\x2b N,000\n\x00\x1ba\x02\x1bd\x03"
    )
    brain.feed(ASK_STAR + job + b"\x1b\x1e\x61\x00")
    assert brain.paper.receipt == job
    assert brain.paper.take_text() == "合计\n\n\n\n--- cut ---\n"
    assert brain.paper.cuts == 1


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        (Conditions(), "00 00 00 00"),
        (Conditions(paper="low"), "04 00 00 00"),
        (Conditions(paper="out"), "05 00 00 00"),
        (Conditions(paper="out", near_end_sensor=False), "01 00 00 00"),
        (Conditions(cover_open=True), "05 02 00 00"),
        (Conditions(feed_button=True), "00 20 00 00"),
        (Conditions(overheated=True), "00 00 01 00"),
        (Conditions(low_voltage=True), "00 00 08 00"),
        (Conditions(cutter_fault=True), "00 00 00 01"),
        (Conditions(jam=True), "00 00 00 01"),
        (Conditions(unrecoverable=True), "00 00 00 08"),
    ],
)
def test_custom_full_status(conditions: Conditions, status: str) -> None:
    """DLE EOT 20 answers 10 0F and the four groups."""
    brain = CustomBrain()
    brain.change(conditions)
    (reply,) = brain.feed(ASK_CUSTOM)
    assert reply[:2] == b"\x10\x0f"
    assert reply[2:].hex(" ") == status


def test_custom_sends_the_chosen_groups_on_change() -> None:
    """GS E0 n sends the groups chosen when one of them changes; DLE EOT 17 tells paper alone."""
    brain = CustomBrain()
    assert brain.feed(b"\x1d\xe0\x09") == []
    assert brain.change(Conditions(overheated=True)) == []
    assert brain.change(Conditions(paper="out")) == [b"\x10\x09\x05\x00"]
    assert brain.feed(b"\x10\x04\x11\x10\x04\x04") == [b"\x32", b"\x7e"]
    assert brain.paper.receipt == b""


def test_stations_answer_only_where_they_are_fitted() -> None:
    """Slip, ink and cheque reader have their queries; a printer without them says nothing."""
    asked = b"\x10\x04\x05\x10\x04\x07\x01\x10\x04\x08\x01"
    brain = EscPosBrain()
    assert brain.feed(asked) == []
    brain.change(Conditions(slip="waiting", ink="low", cheque_reader="idle"))
    assert brain.feed(asked) == [b"\x1a", b"\x16", b"\x16"]
    brain.change(Conditions(slip="no_paper", ink="absent", cheque_reader="waiting"))
    assert brain.feed(asked) == [b"\x72", b"\x32", b"\x1a"]
    assert brain.feed(b"\x10\x04\x12\x01\x10\x14\x07\x01") == [b"\x12", b"\x10\0\0\0"]
    assert brain.paper.receipt == b""


def test_questions_are_no_part_of_the_receipt_and_everything_else_is() -> None:
    """DLE EOT, GS a, GS r, GS I and ESC v leave no trace; ESC @ and DLE ENQ, DC4 do."""
    brain = EscPosBrain()
    questions = b"\x10\x04\x01\x1da\xff\x1dr\x01\x1dI\x43\x1bv\x1bu\x10\x14\x07\x01"
    brain.feed(questions + b"\x1b!\x30total" + questions + b"\n")
    assert brain.paper.receipt == b"\x1b!\x30total\n"
    for rude in (b"\x1b@", b"\x10\x05\x01", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"):
        brain.feed(rude)
        assert brain.paper.receipt.endswith(rude)


def test_a_question_inside_another_command_spoils_it() -> None:
    """What is sent in the middle of an image becomes part of it, and pushes its end out."""
    image = b"\x1dv0\x00\x01\x00\x04\x00"
    brain = EscPosBrain()
    assert brain.feed(image + b"AB\x10\x04\x01CD\n") == [b"\x12"]
    assert brain.paper.receipt == image + b"AB\x10\x04\x01CD\n"
    assert brain.paper.take_text() == "CD\n"


def test_resetting_the_printer_ends_automatic_status() -> None:
    """ESC @ at the head of somebody's receipt silences what somebody else had armed."""
    brain = EscPosBrain()
    brain.feed(b"\x1da\xff")
    assert brain.change(Conditions(paper="low")) == [b"\x10\0\x03\0"]
    brain.feed(b"\x1b@")
    assert brain.change(Conditions()) == []
