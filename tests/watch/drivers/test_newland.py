"""Newland's two languages: replies, endings, the setting mode."""

from __future__ import annotations

import pytest

from agent.watch.drivers import newland
from agent.watch.drivers.scanning import About, Counts, Verdict

HEAD, TAIL = b"\x02\x010000@QRYSYS", b"\x06;\x03"
UNIFIED = HEAD + b"Product Name: NLS-FM430\r\nFirmware Version: 1.12\r\nESN: FD0000042" + TAIL
CLASSIC = b"!99900301;&{Firmware v1.02.005;Decoder v3.1.7;Serial Number HR15-000042}"


def test_the_unified_reply_names_the_scanner() -> None:
    """Model, firmware and serial number, and no code counted."""
    said = newland.judge_unified(UNIFIED)
    assert said.verdict is Verdict.ANSWERED
    assert said.about == About(model="NLS-FM430", firmware="1.12", serial="FD0000042")
    assert said.counts == Counts()


def test_half_a_unified_reply_is_waited_for() -> None:
    """No beginning of a reply is taken for the reply."""
    for length in range(len(UNIFIED)):
        said = newland.judge_unified(UNIFIED[:length])
        assert (said.verdict, said.counts) == (Verdict.WAITING, Counts())


def test_every_unified_ending_byte() -> None:
    """All 256 bytes before the semicolon: ACK answers, NAK and ENQ refuse, others end nothing."""
    for byte in range(256):
        verdict = newland.judge_unified(HEAD + bytes((byte,)) + b";\x03").verdict
        match byte:
            case 0x06:
                assert verdict is Verdict.ANSWERED
            case 0x05 | 0x15:
                assert verdict is Verdict.REFUSED
            case _:
                assert verdict is Verdict.WAITING, hex(byte)


def test_the_reply_to_another_unified_query_is_not_ours() -> None:
    """The manual's own example for Code 11, come late, does not name our scanner."""
    example = b"\x02\x010000@C11MIN12\x06,MAX22\x06;\x03"
    assert newland.judge_unified(example).verdict is Verdict.OTHER


@pytest.mark.parametrize(
    ("level", "percent"),
    [("80%", 80), ("80 %", 80), ("5", 5), ("100%", 100), ("101%", None), ("low", None)],
)
def test_the_battery_is_read_where_it_is_told(level: str, percent: int | None) -> None:
    """A charge in percent; anything else is not known."""
    told = newland.judge_unified(HEAD + f"Battery: {level}".encode() + TAIL)
    assert told.about.battery_percent == percent


def test_the_old_reply_names_the_firmware() -> None:
    """Versions stand in braces after the number asked for."""
    said = newland.judge_info(CLASSIC)
    assert said.verdict is Verdict.ANSWERED
    assert said.about == About(firmware="v1.02.005", serial="HR15-000042")
    assert said.counts == Counts()


def test_half_an_old_reply_is_waited_for() -> None:
    """The number alone is not the whole reply yet."""
    for length in range(len(CLASSIC)):
        assert newland.judge_info(CLASSIC[:length]).verdict is Verdict.WAITING


def test_old_refusals_and_other_replies() -> None:
    """`?…;` refuses; another number is another question's."""
    assert newland.judge_info(b"?99900301;").verdict is Verdict.REFUSED
    assert newland.judge_info(b"?;").verdict is Verdict.REFUSED
    assert newland.judge_info(b"!99900024;").verdict is Verdict.OTHER


def test_leaving_the_setting_mode_by_itself_is_no_code() -> None:
    """`^^^^` comes unasked five seconds later and is stepped over."""
    enter, info, leave = newland.CLASSIC.questions
    assert enter.judge(b"^^^^").counts == Counts()
    assert enter.judge(b"^^^^@@@@").verdict is Verdict.ANSWERED
    assert info.judge(b"^^^^" + CLASSIC).verdict is Verdict.ANSWERED
    assert leave.judge(b"^^^^").verdict is Verdict.ANSWERED
    assert leave.always
    assert not enter.always
