"""What every scanner driver must do with bytes that are no reply: count, never give back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import datalogic, honeywell, newland, scanning, ssi
from agent.watch.drivers.scanning import Counts, Dialect, Question, TextCounter, Verdict

DIALECTS = (
    honeywell.DIALECT, newland.CLASSIC, newland.UNIFIED, ssi.DIALECT, datalogic.DIALECT
)  # fmt: skip
QUESTIONS = [
    pytest.param(question, id=f"{dialect.name}-{question.name}")
    for dialect in DIALECTS
    for question in dialect.questions
]
#: Bytes that commands and replies are made of, so that chance comes near a reply.
PIECES = [
    b"\x16M\r", b"REVINF", b"Serial Number: 1", b"\x06.", b"\x05.", b"\x02\x010000@", b"QRYSYS",
    b"\x06;\x03", b"!99900301;", b"&{", b"}", b"?", b"@@@@", b"^^^^", b"\x01\x02", b"MX\x03",
    b"hOK\x03", b"\x04", b"\x04\xa4\x00\x00\xff\x58", b"\x06\xf3\x00\x00", b"NR\r", b"\r\n",
    b"\xff\xfe\x80", b"\x00", b"6901234567892\r",
]  # fmt: skip
NOISE = st.one_of(
    st.binary(max_size=300), st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)
)
#: A wallet's payment code.
CODE = st.integers(10**17, 10**18 - 1).map(lambda number: str(number).encode())


@pytest.mark.parametrize("question", QUESTIONS)
@given(received=NOISE)
def test_no_bytes_break_a_decoder(question: Question, received: bytes) -> None:
    """Whatever arrives is judged, and what is told of the scanner is short and printable."""
    said = question.judge(received)
    assert said.counts.reads >= 0
    assert said.counts.no_reads >= 0
    for word in (said.about.model, said.about.firmware, said.about.serial, *said.about.failed):
        assert len(word) <= scanning.FIELD_MAX_CHARS
        assert word.isprintable()
    assert said.about.battery_percent is None or 0 <= said.about.battery_percent <= 100


@pytest.mark.parametrize("question", QUESTIONS)
@given(codes=st.lists(CODE, min_size=1, max_size=4))
def test_codes_are_counted_and_nothing_of_them_is_told(
    question: Question, codes: list[bytes]
) -> None:
    """A run of codes answers no question, is counted exactly, and appears in nothing returned."""
    said = question.judge(b"".join(code + b"\r" for code in codes))
    assert said.verdict is Verdict.WAITING
    assert said.counts == Counts(reads=len(codes))
    assert said.about == scanning.About()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_only_questions_leave(dialect: Dialect) -> None:
    """What is sent is what the makers' manuals call a query; nothing that changes anything."""
    allowed = {
        b"\x16M\rREVINF.", b"$$$$", b"#99900301;", b"%%%%", b"~\x010000@QRYSYS;\x03",
        b"\x04\xa3\x04\x00\xff\x55", b"\x04\xa3\x04\x01\xff\x54", b"i", b"h",
    }  # fmt: skip
    for question in dialect.questions:
        assert {question.sent, question.again or question.sent} <= allowed


@given(stream=NOISE, cuts=st.lists(st.integers(0, 300), max_size=6))
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_stream_is_counted_alike_however_it_is_cut(
    dialect: Dialect, stream: bytes, cuts: list[int]
) -> None:
    """Where a read ends makes no difference to the counts."""
    whole, pieces = dialect.counter(), dialect.counter()
    expected = whole.feed(stream)
    reads = no_reads = at = 0
    for cut in [*sorted(cuts), len(stream)]:
        told = pieces.feed(stream[at : max(at, cut)])
        reads, no_reads, at = reads + told.reads, no_reads + told.no_reads, max(at, cut)
    assert (reads, no_reads) == (expected.reads, expected.no_reads)
    assert pieces.quiet() == whole.quiet()


@pytest.mark.parametrize(
    ("stream", "counts"),
    [
        (b"", Counts()),
        (b"6901234567892\r", Counts(reads=1)),
        (b"6901234567892\r\n", Counts(reads=1)),
        (b"6901234567892\t", Counts(reads=1)),
        (b"\x026901234567892\x03", Counts(reads=1)),
        (b"NR\r", Counts(no_reads=1)),
        (b"\x02NR\x03", Counts(no_reads=1)),
        (b"NRX\rN\rNR\n", Counts(reads=2, no_reads=1)),
        (b"A\x1dB\rC", Counts(reads=2)),
        ("付款码\r".encode(), Counts(reads=1)),
        ("付款码\r".encode("gb18030"), Counts(reads=1)),
        (b"\x00\x00", Counts(strange_bytes=2)),
        (b"\xf8\x80\xfe", Counts(strange_bytes=3)),
        (b"ABC\x7f", Counts(strange_bytes=1)),
    ],
)
def test_a_stretch_of_bytes_is_codes_or_noise(stream: bytes, counts: Counts) -> None:
    """Codes end in CR, LF, TAB or ETX, or with the stretch; `NR` is a try without one."""
    assert scanning.counted(stream) == counts


def test_every_byte_is_something_a_code_may_hold_or_not() -> None:
    """All 256 bytes: printable ASCII, ends and separators are codes; the rest is noise."""
    strange = {byte for byte in range(256) if scanning.strange_bytes(bytes((byte,)))}
    controls = {byte for byte in range(0x20) if byte not in b"\t\n\r\x01\x02\x03\x04\x05\x06\x15"}
    assert strange == (controls - set(b"\x1c\x1d\x1e\x1f")) | {0x7F} | set(range(0x80, 0x100))


def test_a_code_without_an_end_mark_is_over_when_the_line_is_still() -> None:
    """A scanner without a suffix is counted once it pauses, and not twice."""
    counter = TextCounter()
    assert counter.feed(b"69012345") == Counts()
    assert counter.quiet() == Counts(reads=1)
    assert counter.quiet() == Counts()


def test_a_counter_keeps_no_byte_of_a_code() -> None:
    """Half a code in: the counter holds numbers and flags only."""
    for counter in (TextCounter(), ssi.PacketCounter()):
        counter.feed(b"\x0f\xf3\x00\x00\x0b281234567890")
        kept = [getattr(counter, name) for name in vars(counter)]
        flat = [one for each in kept for one in (each if isinstance(each, list) else [each])]
        assert all(isinstance(one, int | bool) for one in flat)
