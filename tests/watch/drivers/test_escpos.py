"""The bytes of an ESC/POS printer, all of them."""

from __future__ import annotations

import pytest

from agent.watch.drivers import escpos
from agent.watch.drivers.escpos import Fault, PieceKind, Verdict

#: Written out by hand from the makers' tables, not taken from the code: n -> bit -> fault.
TABLE = {
    1: {3: Fault.OFFLINE, 5: Fault.WAITING_RECOVERY, 6: Fault.FEED_BUTTON},
    2: {2: Fault.COVER_OPEN, 3: Fault.FEEDING, 5: Fault.PAPER_STOP, 6: Fault.ERROR},
    3: {
        2: Fault.MECHANICAL_OR_BLACK_MARK,
        3: Fault.CUTTER,
        5: Fault.UNRECOVERABLE,
        6: Fault.RECOVERABLE,
    },
    4: {2: Fault.PAPER_LOW, 3: Fault.PAPER_LOW, 5: Fault.PAPER_OUT, 6: Fault.PAPER_OUT},
}
#: `0xx1xx10` spelt out.
VALID = {0x12, 0x16, 0x1A, 0x1E, 0x32, 0x36, 0x3A, 0x3E, 0x52, 0x56, 0x5A, 0x5E} | {
    0x72,
    0x76,
    0x7A,
    0x7E,
}


@pytest.mark.parametrize("n", escpos.QUERIES)
def test_every_byte_of_every_status(n: int) -> None:
    """Each of the 256 bytes is either exactly its set bits' faults, or unknown and no fault."""
    for byte in range(256):
        decoded = escpos.decode(n, byte)
        if byte not in VALID:
            assert (decoded.ok, decoded.faults) == (False, frozenset())
            assert f"{byte:02x}" in decoded.unknown
            continue
        expected = {fault for bit, fault in TABLE[n].items() if byte >> bit & 1}
        assert decoded.faults == expected
        assert decoded.ok is (not expected)
        assert decoded.unknown == ""
        assert decoded.drawer_pin_high is (bool(byte & 4) if n == 1 else None)


@pytest.mark.parametrize("n", [0, 5, 7, 8, 18, 20])
def test_other_queries_are_unknown_and_never_sent(n: int) -> None:
    """A status kind without a table is unknown, and its query cannot be built."""
    assert escpos.decode(n, 0x12).unknown
    with pytest.raises(ValueError, match="disturb"):
        escpos.query(n)


def test_queries_are_dle_eot_and_nothing_else() -> None:
    """The four questions are 10 04 01 to 10 04 04."""
    assert [escpos.query(n).hex() for n in escpos.QUERIES] == [
        "100401",
        "100402",
        "100403",
        "100404",
    ]


@pytest.mark.parametrize("position", range(4))
def test_every_byte_of_an_automatic_frame(position: int) -> None:
    """Each byte in each place of an ASB frame names its own bits' faults, or spoils the frame."""
    bits = [
        {3: Fault.OFFLINE, 5: Fault.COVER_OPEN, 6: Fault.FEEDING},
        TABLE[3],
        {0: Fault.PAPER_LOW, 1: Fault.PAPER_LOW, 2: Fault.PAPER_OUT, 3: Fault.PAPER_OUT},
        {},
    ][position]
    for byte in range(256):
        frame = bytearray(b"\x10\x00\x00\x00")
        frame[position] = byte
        decoded = escpos.decode_asb(bytes(frame))
        fits = byte & 0x93 == 0x10 if position == 0 else byte & 0x90 == 0
        expected = {fault for bit, fault in bits.items() if byte >> bit & 1} if fits else set()
        assert bool(decoded.unknown) is (not fits)
        assert decoded.faults == expected
        assert decoded.ok is (fits and not expected)


@pytest.mark.parametrize("frame", [b"", b"\x10\0\0", b"\x10\0\0\0\0"])
def test_a_frame_has_four_bytes(frame: bytes) -> None:
    """A frame cut short or too long is unknown, not a fault."""
    assert escpos.decode_asb(frame).unknown


def state(*replies: int) -> escpos.PrinterState:
    named = [escpos.decode(n, byte).faults for n, byte in enumerate(replies, 1)]
    return escpos.state_of(frozenset().union(*named))


@pytest.mark.parametrize(
    ("replies", "automatic", "differs"),
    [
        ((0x12, 0x12, 0x12, 0x12), b"\x10\0\0\0", {}),
        ((0x16, 0x12, 0x12, 0x12), b"\x14\0\0\0", {}),
        ((0x12, 0x12, 0x12, 0x1E), b"\x10\0\x03\0", {"paper": "low"}),
        (
            (0x1A, 0x32, 0x12, 0x7E),
            b"\x18\0\x0f\0",
            {"online": False, "offline_reason": "paper", "paper": "out"},
        ),
        (
            (0x1A, 0x32, 0x12, 0x72),
            b"\x18\0\x0c\0",
            {"online": False, "offline_reason": "paper", "paper": "out"},
        ),
        (
            (0x1A, 0x16, 0x12, 0x7E),
            b"\x38\0\x0f\0",
            {"online": False, "offline_reason": "cover", "paper": None, "cover_open": True},
        ),
        (
            (0x1A, 0x52, 0x1A, 0x12),
            b"\x18\x08\0\0",
            {"online": False, "offline_reason": "error", "cutter_fault": True},
        ),
        (
            (0x1A, 0x52, 0x52, 0x12),
            b"\x18\x40\0\0",
            {"online": False, "offline_reason": "error", "overheated": True},
        ),
        (
            (0x1A, 0x52, 0x32, 0x12),
            b"\x18\x20\0\0",
            {
                "online": False,
                "offline_reason": "error",
                "hardware_fault": True,
                "fault_kind": "unrecoverable",
            },
        ),
        (
            (0x1A, 0x52, 0x16, 0x12),
            b"\x18\x04\0\0",
            {
                "online": False,
                "offline_reason": "error",
                "hardware_fault": True,
                "fault_kind": "mechanical_or_black_mark",
            },
        ),
        (
            (0x1A, 0x1A, 0x12, 0x12),
            b"\x58\0\0\0",
            {"online": False, "offline_reason": "feed", "feed_button": True},
        ),
        (
            (0x1A, 0x12, 0x12, 0x12),
            b"\x18\0\0\0",
            {"online": False, "offline_reason": "switch"},
        ),
    ],
)
def test_a_condition_reads_the_same_both_ways(
    replies: tuple[int, ...], automatic: bytes, differs: dict[str, object]
) -> None:
    """Every documented condition gives one state, whether asked for or sent automatically."""
    fine: dict[str, object] = {
        "online": True,
        "offline_reason": "",
        "paper": "ok",
        "cover_open": False,
        "cutter_fault": False,
        "overheated": False,
        "hardware_fault": False,
        "fault_kind": "",
        "feed_button": False,
        "waiting_recovery": False,
    }
    expected = escpos.PrinterState(**(fine | differs))  # type: ignore[arg-type]
    assert state(*replies) == expected
    assert escpos.state_of(escpos.decode_asb(automatic).faults) == expected


@pytest.mark.parametrize(
    ("reply", "paper"),
    [(0x16, "low"), (0x1A, "low"), (0x32, "out"), (0x52, "out"), (0x36, "out"), (0x5A, "out")],
)
def test_one_bit_paper_sensors_count(reply: int, paper: str) -> None:
    """Either bit of a paper sensor is enough: single-bit printers are not read as full."""
    assert state(0x12, 0x12, 0x12, reply).paper == paper


def test_the_roll_sensor_is_not_believed_under_an_open_cover() -> None:
    """With the cover open paper is unknown, whatever n=4 says, unless printing stopped for it."""
    for reply in VALID:
        assert state(0x1A, 0x16, 0x12, reply).paper is None
        assert state(0x1A, 0x36, 0x12, reply).paper == "out"


def test_an_open_cover_may_look_like_a_hot_head() -> None:
    """Some makers set the overheat bit for an opened cover: then the heat is unknown."""
    assert state(0x1A, 0x56, 0x52, 0x12).overheated is None
    assert state(0x1A, 0x16, 0x12, 0x12).overheated is False


def test_an_undefined_bit_of_a_working_printer_is_no_fault() -> None:
    """n=3 bit 2 counts only while the printer is off-line or reports an error."""
    assert not state(0x12, 0x12, 0x16, 0x12).hardware_fault


def test_an_error_without_a_name_is_still_told() -> None:
    """'Error occurred' with no bit in n=3 is a hardware fault of unspecified kind."""
    assert state(0x1A, 0x52, 0x12, 0x12).fault_kind == "unspecified"
    assert state(0x1A, 0x56, 0x12, 0x12).fault_kind == ""


def test_waiting_for_recovery_wants_feed() -> None:
    """Off-line only because it waits to recover: told as 'feed', with the flag beside it."""
    waiting = state(0x3A, 0x12, 0x12, 0x12)
    assert (waiting.offline_reason, waiting.waiting_recovery) == ("feed", True)


def kinds(received: bytes) -> list[str]:
    pieces, rest = escpos.split(received)
    cut = [f"{piece.kind}:{piece.raw.hex()}" for piece in pieces]
    assert b"".join(piece.raw for piece in pieces) + rest != b"" or received == b""
    return [*cut, f"rest:{rest.hex()}"] if rest else cut


@pytest.mark.parametrize(
    ("received", "cut"),
    [
        (b"", []),
        (b"\x12\x1a", ["status:12", "status:1a"]),
        (b"\x11\x12\x13", ["flow:11", "status:12", "flow:13"]),
        (b"\x10\x00\x03\x00\x12", ["auto_status:10000300", "status:12"]),
        (
            b"\x38\x00\x13\x0f\x11\x00\x16",
            ["auto_status:38000f00", "flow:13", "flow:11", "status:16"],
        ),
        (b"\x12\x18\x00", ["status:12", "rest:1800"]),
        (b"\x10\x12", ["stray:10", "status:12"]),
        (b"\x5fRVZ26\x00\x12", ["block:5f52565a323600", "status:12"]),
        (b"\x5fTM-T8", ["rest:5f544d2d5438"]),
        (b"\x5f\x12", ["stray:5f", "status:12"]),
        (b"\x00\x0c\x20", ["plain:00", "plain:0c", "plain:20"]),
        (b"\xf8\x80", ["stray:f8", "stray:80"]),
    ],
)
def test_a_stream_is_cut_into_its_replies(received: bytes, cut: list[str]) -> None:
    """Automatic frames, flow control and text blocks are told apart from status bytes."""
    assert kinds(received) == cut


def test_a_block_that_never_ends_is_given_up() -> None:
    """A block start followed by too much text is a stray byte, not an endless wait."""
    pieces, _ = escpos.split(b"\x5f" + b"a" * (escpos.BLOCK_MAX_BYTES + 1))
    assert pieces[0].kind is PieceKind.STRAY
    whole, rest = escpos.split(b"\x5f" + b"a" * escpos.BLOCK_MAX_BYTES + b"\0")
    assert ([piece.kind for piece in whole], rest) == ([PieceKind.BLOCK], b"")
    assert escpos.split(b"\x5f" + b"a" * escpos.BLOCK_MAX_BYTES) == (
        [],
        b"\x5f" + b"a" * escpos.BLOCK_MAX_BYTES,
    )


def test_one_byte_alone() -> None:
    """Every single byte gets a verdict, and only status bytes are an answer."""
    for byte in range(256):
        verdict, answer = escpos.judge(bytes((byte,)))
        if byte in VALID:
            assert (verdict, answer) == (Verdict.ANSWERED, byte)
        else:
            assert verdict in {Verdict.WAITING, Verdict.NONSENSE}
            assert answer == 0
        if byte & 0x80:
            assert verdict is Verdict.NONSENSE


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        (b"", Verdict.WAITING),
        (b"\x10\0\0\0", Verdict.WAITING),
        (b"\x10\0\0\0\x12", Verdict.ANSWERED),
        (b"\0\0\0\x12", Verdict.ANSWERED),
        (b"\0\0\0\0\x12", Verdict.NONSENSE),
        (b"\x12\x10\0", Verdict.ANSWERED),
        (b"\x1a\x12", Verdict.EXTRA),
        (b"\xff\x12", Verdict.NONSENSE),
        (b"\x10\x04\x01", Verdict.WAITING),
    ],
)
def test_an_exchange_is_judged_as_a_whole(received: bytes, verdict: Verdict) -> None:
    """A status byte counts only when nothing unexplained came with it, and only once."""
    assert escpos.judge(received)[0] is verdict
