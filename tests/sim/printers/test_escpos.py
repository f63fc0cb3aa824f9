"""The simulated printer's brain: what it answers and what it prints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.sim.printers.conditions import Conditions
from agent.sim.printers.escpos import EscPosBrain, automatic_status, status

FINE = Conditions()


@pytest.mark.parametrize(
    ("conditions", "expected", "automatic"),
    [
        (FINE, "12 12 12 12", "10 00 00 00"),
        (Conditions(drawer_pin_high=True), "16 12 12 12", "14 00 00 00"),
        (Conditions(paper="low"), "12 12 12 1e", "10 00 03 00"),
        (Conditions(paper="out"), "1a 32 12 7e", "18 00 0f 00"),
        (Conditions(paper="out", near_end_sensor=False), "1a 32 12 72", "18 00 0c 00"),
        (Conditions(paper="low", one_bit_sensors=True), "12 12 12 16", "10 00 01 00"),
        (Conditions(paper="out", one_bit_sensors=True), "1a 32 12 36", "18 00 05 00"),
        (Conditions(cover_open=True), "1a 16 12 7e", "38 00 0f 00"),
        (Conditions(cutter_fault=True), "1a 52 1a 12", "18 08 00 00"),
        (Conditions(overheated=True), "1a 52 52 12", "18 40 00 00"),
        (Conditions(unrecoverable=True), "1a 52 32 12", "18 20 00 00"),
        (Conditions(mechanical_fault=True), "1a 52 16 12", "18 04 00 00"),
        (Conditions(jam=True), "1a 52 16 12", "18 04 00 00"),
        (Conditions(low_voltage=True), "1a 52 32 12", "18 20 00 00"),
        (Conditions(feed_button=True), "1a 1a 12 12", "58 00 00 00"),
        (Conditions(switched_off_line=True), "1a 12 12 12", "18 00 00 00"),
        (Conditions(waiting_recovery=True), "3a 12 12 12", "18 00 00 00"),
    ],
)
def test_status_follows_the_documented_table(
    conditions: Conditions, expected: str, automatic: str
) -> None:
    """Every condition answers DLE EOT 1-4 and ASB with the documented bytes."""
    brain = EscPosBrain()
    brain.change(conditions)
    asked = b"".join(bytes((0x10, 0x04, n)) for n in (1, 2, 3, 4))
    assert b"".join(brain.feed(asked)).hex(" ") == expected
    assert automatic_status(conditions).hex(" ") == automatic


def test_there_is_no_other_real_time_status() -> None:
    """DLE EOT beyond 4 gets no answer here, and a program asking for it is told."""
    assert EscPosBrain().feed(b"\x10\x04\x05\x10\x04\x07\x01") == []
    with pytest.raises(ValueError, match="5"):
        status(FINE, 5)


def test_real_time_status_is_answered_inside_raster_data() -> None:
    """An image that happens to contain DLE EOT 1 triggers an answer and stays an image."""
    brain = EscPosBrain()
    image = b"\x1d\x76\x30\x00\x03\x00\x02\x00" + b"\x10\x04\x01" + b"ABC"
    assert brain.feed(image + b"after\n") == [b"\x12"]
    assert brain.paper.take_text() == "after\n"


def test_automatic_status_is_sent_when_armed_and_on_every_change() -> None:
    """GS a sends four bytes at once and on changes of what was armed, until it is disarmed."""
    brain = EscPosBrain()
    assert brain.change(Conditions(paper="low")) == []
    assert brain.feed(b"\x1d\x61\x08") == [b"\x10\0\x03\0"]
    assert brain.change(Conditions(paper="low")) == []
    assert brain.change(FINE) == [b"\x10\0\0\0"]
    assert brain.change(Conditions(drawer_pin_high=True)) == []
    assert brain.change(Conditions(paper="out")) == [b"\x18\0\x0f\0"]
    brain.change(FINE)
    assert brain.feed(b"\x1d\x61\x00") == []
    assert brain.change(Conditions(paper="out")) == []


@pytest.mark.parametrize(
    ("changes", "category"),
    [
        ({"drawer_pin_high": True}, 0x01),
        ({"switched_off_line": True}, 0x02),
        ({"cutter_fault": True}, 0x04),
        ({"paper": "low"}, 0x08),
        ({"feed_button": True}, 0x40),
    ],
)
def test_each_category_can_be_armed_alone(changes: dict[str, object], category: int) -> None:
    """A change is sent under its own category and kept quiet under none of its own."""
    for mask in (0x01, 0x02, 0x04, 0x08, 0x40):
        brain = EscPosBrain()
        brain.feed(bytes((0x1D, 0x61, mask)))
        changed = replace(FINE, **changes)  # type: ignore[arg-type]
        goes_off_line = changed.off_line and mask == 0x02
        assert bool(brain.change(changed)) is (mask == category or goes_off_line)


def test_identity_is_told_in_blocks() -> None:
    """GS I 65 to 68 answer with framed texts, 1 to 3 with one byte each."""
    brain = EscPosBrain()
    blocks = brain.feed(b"\x1d\x49\x41\x1d\x49\x42\x1d\x49\x43\x1d\x49\x44")
    assert len(blocks) == 4
    assert all(block[:1] == b"\x5f" and block[-1:] == b"\0" for block in blocks)
    assert blocks[2] == b"\x5fSIM-80\0"
    assert [len(reply) for reply in brain.feed(b"\x1d\x49\x01\x1d\x49\x32\x1d\x49\x03")] == [1] * 3
    assert brain.feed(b"\x1d\x49\x7f") == []


def test_queued_status_waits_while_off_line() -> None:
    """GS r, ESC v and text wait for paper; real-time status does not."""
    brain = EscPosBrain()
    brain.change(Conditions(paper="out"))
    assert brain.feed(b"total 12.50\n\x1d\x72\x01\x1b\x76\x1b\x75\x10\x04\x04") == [b"\x7e"]
    assert brain.paper.take_text() == ""
    assert brain.change(Conditions(paper="low")) == [b"\x03", b"\x03", b"\x00"]
    assert brain.paper.take_text() == "total 12.50\n"


@pytest.mark.parametrize(
    "command",
    [
        b"\x1b@",
        b"\x1b!\x30",
        b"\x1ba\x01",
        b"\x1bc3\x0f",
        b"\x1bp\x00\x19\xfa",
        b"\x1bD\x08\x10\x00",
        b"\x1b*\x21\x02\x00abcdef",
        b"\x1b*\x00\x02\x00ab",
        b"\x1b(A\x02\x00ab",
        b"\x1d!\x11",
        b"\x1dL\x10\x00",
        b"\x1dg2\x00\x14\x00",
        b"\x1dk\x04A12\x00",
        b"\x1dk\x49\x03A12",
        b"\x1d(k\x04\x00\x31A\x32\x00",
        b"\x1d8L\x02\x00\x00\x00ab",
        b"\x1d\x72\x02",
        b"\x1c&",
        b"\x1cC\x01",
        b"\x1c(e\x02\x00\x33\x08",
        b"\x10\x05\x01",
        b"\x10\x04\x07\x01",
        b"\x10\x14\x01\x00\x05",
        b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
        b"\r",
    ],
)
def test_commands_leave_no_trace_in_the_text(command: bytes) -> None:
    """A command and its data are skipped whole: only the text around it is printed."""
    brain = EscPosBrain()
    brain.feed(b"before " + command + b"after")
    assert brain.paper.take_text() == "before after"


def test_text_is_printed_in_chinese_with_feeds_and_cuts() -> None:
    """GB18030 text, line feeds and cuts appear on the receipt, even split over writes."""
    brain = EscPosBrain()
    receipt = "合计 12.50".encode("gb18030") + b"\n\x1bd\x02\x1dV\x42\x00\x1bi\x1dV\x00"
    for byte in receipt:
        brain.feed(bytes((byte,)))
    assert brain.paper.take_text() == "合计 12.50\n\n\n" + "\n--- cut ---\n" * 3
    assert brain.paper.take_text() == ""
