"""Honeywell's menu queries: replies, endings, and what stands around them."""

from __future__ import annotations

from agent.watch.drivers import honeywell
from agent.watch.drivers.scanning import About, Counts, Verdict

REPLY = (
    b"REVINFProduct Name: Voyager 1250g\r\nBoot Revision: CA000064BBC\r\n"
    b"Software Part Number: BF000343BAA\r\nSoftware Revision: $ProjectRevision: 35$\r\n"
    b"Serial Number: 11034B1234\r\nSupported IF: Standard\r\nPCB Assembly ID: 0\x06."
)
ABOUT = About(model="Voyager 1250g", firmware="$ProjectRevision: 35$", serial="11034B1234")


def test_the_whole_reply_names_the_scanner() -> None:
    """Model, firmware and serial number come from their lines; no code is counted."""
    said = honeywell.judge(REPLY)
    assert (said.verdict, said.about, said.counts) == (Verdict.ANSWERED, ABOUT, Counts())


def test_half_a_reply_is_waited_for() -> None:
    """No beginning of a reply is taken for the reply."""
    for length in range(len(REPLY)):
        said = honeywell.judge(REPLY[:length])
        assert said.verdict is Verdict.WAITING
        assert said.counts.reads <= (length < len(b"REVINF"))  # that much may be a code


def test_every_ending_byte() -> None:
    """All 256 bytes before the full stop: ACK answers, ENQ and NAK refuse, others end nothing."""
    for byte in range(256):
        verdict = honeywell.judge(b"REVINF" + bytes((byte,)) + b".").verdict
        match byte:
            case 0x06:
                assert verdict is Verdict.ANSWERED
            case 0x05 | 0x15:
                assert verdict is Verdict.REFUSED
            case _:
                assert verdict is Verdict.WAITING, hex(byte)


def test_codes_around_a_reply_are_counted_and_the_reply_is_not() -> None:
    """A customer's code just before or after the reply is a good read, not part of it."""
    said = honeywell.judge(b"6901234567892\r" + REPLY + b"NR\r28123\r")
    assert said.about == ABOUT
    assert said.counts == Counts(reads=2, no_reads=1)


def test_the_reply_to_another_query_is_not_ours() -> None:
    """Another tag's value with its ending is told apart, whatever the ending."""
    for other in (b"CBRENA1\x06.", b"CBRENA\x05.", b"BEPLVL3\x15."):
        assert honeywell.judge(other).verdict is Verdict.OTHER


def test_our_own_echo_is_no_reply() -> None:
    """A line that sends back what it gets has not answered."""
    assert honeywell.judge(honeywell.QUERY).verdict is Verdict.WAITING
    assert honeywell.judge(honeywell.QUERY + REPLY).about == ABOUT
