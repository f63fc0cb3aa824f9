"""Datalogic's framed replies to `i` and `h`."""

from __future__ import annotations

import pytest

from agent.watch.drivers import datalogic
from agent.watch.drivers.scanning import About, Counts, Verdict


def framed(*frames: str) -> bytes:
    return b"\x01" + b"".join(f"\x02{one}\x03".encode() for one in frames) + b"\x04"


IDENTITY = framed("MM9300i", "SE16G00042", "AR96-1234", "R012", "H7", "ZWhatever")
HEALTH = framed("mNA", "hOK", "vOK")


def test_the_identification_names_the_scanner() -> None:
    """Model, serial number, and program with its revision."""
    said = datalogic.judge_identity(IDENTITY)
    assert said.verdict is Verdict.ANSWERED
    assert said.about == About(model="M9300i", firmware="R96-1234 012", serial="E16G00042")
    assert said.counts == Counts()


def test_health_tells_what_failed() -> None:
    """OK is fine, FAIL names the part, NA says nothing."""
    assert datalogic.judge_health(HEALTH).about == About(tested=True)
    assert datalogic.judge_health(framed("mNA", "hNA")).about == About(tested=False)
    said = datalogic.judge_health(framed("mFAIL", "hOK", "sFAIL"))
    assert said.about == About(failed=("motor", "scale"), tested=True)


def test_every_letter() -> None:
    """All printable letters as a frame's name: the undocumented are shown as they are."""
    for byte in range(0x20, 0x7F):
        letter = chr(byte)
        (failed,) = datalogic.judge_health(framed(f"{letter}FAIL")).about.failed
        assert failed == datalogic.HEALTH_FRAMES.get(letter, f"part {letter}").strip()
        said = datalogic.judge_identity(framed(f"{letter}value"))
        assert said.verdict is Verdict.ANSWERED
        known = letter in datalogic.IDENTITY_FRAMES
        assert ("value" in (said.about.model, said.about.firmware, said.about.serial)) == known


@pytest.mark.parametrize("reply", [IDENTITY, HEALTH])
def test_half_a_reply_is_waited_for_and_is_no_code(reply: bytes) -> None:
    """No beginning of a reply is taken for one, nor counted as a good read."""
    for length in range(1, len(reply)):
        said = datalogic.judge_identity(reply[:length])
        assert said.verdict is Verdict.WAITING
        assert said.counts.reads == 0


def test_each_question_refuses_the_others_reply() -> None:
    """An identification is no health report, and the other way round."""
    assert datalogic.judge_health(IDENTITY).verdict is Verdict.OTHER
    assert datalogic.judge_identity(HEALTH).verdict is Verdict.OTHER


def test_codes_around_a_reply_are_counted() -> None:
    """A code before and a try in vain after it."""
    said = datalogic.judge_identity(b"6901234567892\r" + IDENTITY + b"NR\r")
    assert said.counts == Counts(reads=1, no_reads=1)
