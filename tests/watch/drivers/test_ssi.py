"""SSI packets: length, checksum, status, and codes that are counted and never acknowledged."""

from __future__ import annotations

import pytest

from agent.watch.drivers import ssi
from agent.watch.drivers.scanning import About, Counts, Verdict

#: Whole packets printed in Zebra's own documents.
DOCUMENTED = (
    "0A 80 04 00 00 06 20 00 FF FF FD 4E",
    "0C 80 00 00 00 08 20 00 00 F0 00 F0 FD 6C",
    "0C 80 04 00 00 08 02 00 27 4D 42 00 FE B0",
    "218000 00001D0200274D410142000E0000 0000010302030303040305030603 FFFF FC15",
)
REVISION = b"PAABLS00-001-R03 0001 DS3508 5F2C"
REPLY = ssi.packet(ssi.REPLY_REVISION, REVISION, source=ssi.DECODER)
ABOUT = About(model="DS3508", firmware="PAABLS00-001-R03")


def code(content: bytes, status: int = 0) -> bytes:
    return ssi.packet(ssi.DECODE_DATA, b"\x0b" + content, source=ssi.DECODER, status=status)


@pytest.mark.parametrize("printed", DOCUMENTED)
def test_documented_packets_are_built_and_read_alike(printed: str) -> None:
    """Length and checksum are as in the maker's examples, both ways."""
    whole = bytes.fromhex(printed)
    packets, rest = ssi.split(whole)
    assert rest == b""
    assert len(packets) == 1
    one = packets[0]
    assert ssi.packet(one.opcode, one.payload, source=one.source, status=one.status) == whole


def test_the_revision_names_the_scanner() -> None:
    """Firmware first, the scanner third; no code counted."""
    said = ssi.judge(REPLY)
    assert (said.verdict, said.about, said.counts) == (Verdict.ANSWERED, ABOUT, Counts())
    assert ssi.parse(b"") == About()
    assert ssi.parse(b"ONLY") == About(firmware="ONLY")


def test_half_a_reply_is_waited_for() -> None:
    """No beginning of the packet is taken for it, or for a code."""
    for length in range(len(REPLY)):
        said = ssi.judge(REPLY[:length])
        assert said.verdict is Verdict.WAITING
        assert said.about == About()


def test_one_wrong_bit_anywhere_spoils_a_packet() -> None:
    """The checksum guards every byte: a flipped bit never answers and never names anything."""
    for at in range(len(REPLY)):
        for bit in range(8):
            spoilt = bytearray(REPLY)
            spoilt[at] ^= 1 << bit
            assert ssi.judge(bytes(spoilt)).verdict is not Verdict.ANSWERED


def test_every_status_byte() -> None:
    """All 256: bit 0 is a repeat, bit 1 says more follows; both are counted once at most."""
    for status in range(256):
        reply = ssi.packet(ssi.REPLY_REVISION, REVISION, source=ssi.DECODER, status=status)
        assert ssi.judge(reply).verdict is Verdict.ANSWERED
        once = not status & (ssi.RETRANSMIT | ssi.CONTINUED)
        assert ssi.judge(code(b"6901234567892", status)).counts == Counts(reads=int(once))
        assert ssi.PacketCounter().feed(code(b"6901234567892", status)).reads == int(once)
        one = ssi.split(code(b"1", status))[0][0]
        assert one.retransmitted == bool(status & 1)
        assert one.continued == bool(status & 2)


def test_every_opcode() -> None:
    """All 256: one answers, one refuses, replies to others are told apart, the rest waits."""
    for opcode in range(256):
        said = ssi.judge(ssi.packet(opcode, b"\x01", source=ssi.DECODER))
        match opcode:
            case 0xA4:
                assert said.verdict is Verdict.ANSWERED
            case 0xD1:
                assert said.verdict is Verdict.REFUSED
            case 0xC6 | 0xD4 | 0x80:
                assert said.verdict is Verdict.OTHER
            case _:
                assert said.verdict is Verdict.WAITING
        assert ssi.judge(ssi.packet(opcode, b"\x01")).verdict is Verdict.WAITING  # from a host


def test_every_reason_of_a_refusal() -> None:
    """All 256 NAK causes: the documented ones have a word, the others their number."""
    named = {cause for cause in range(256) if "0x" not in ssi.nak_cause(bytes((cause,)))}
    assert named == {1, 2, 6, 10}
    assert ssi.nak_cause(b"\xff") == "reserved 0xff"
    assert ssi.nak_cause(b"") == "untold"


def test_codes_around_the_reply_are_counted() -> None:
    """A code packet, a try without one, and a bare text code beside the reply."""
    said = ssi.judge(code(b"6901234567892") + code(b"NR") + REPLY)
    assert said.about == ABOUT
    assert said.counts == Counts(reads=1, no_reads=1)
    assert ssi.judge(b"6901234567892\r" + REPLY).counts == Counts(reads=1)


def test_a_stream_of_packets_is_counted_without_being_kept() -> None:
    """Reads and tries without a code; a spoilt packet is neither."""
    spoilt = code(b"123")[:-1] + b"\x00"
    stream = code(b"6901234567892") + code(b"NR") + spoilt + code(b"28\r")
    told = ssi.PacketCounter().feed(stream)
    assert (told.reads, told.no_reads) == (2, 1)


def test_the_counter_finds_its_feet_after_a_pause() -> None:
    """Half a packet before a pause does not swallow the next one."""
    counter = ssi.PacketCounter()
    counter.feed(code(b"6901234567892")[:5])
    assert counter.quiet() == Counts()
    assert counter.feed(code(b"6901234567892")).reads == 1
