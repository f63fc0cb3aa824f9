"""The codec: UnionPay's dialect byte by byte, others, and errors that tell nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.money.iso8583 import Message
from agent.uplink.iso8583.codec import BrokenMessageError, Codec, Dialect

#: A sign-on answer as public samples show it (fields 11, 12, 13, 32, 37, 39, 41, 42, 60 of 11
#: digits, 62 of 40 bytes), with numbers of our own.
SIGN_ON_ANSWER = bytes.fromhex(
    "0810 003800010AC00014 000023 143015 1102 08 00031040 313433303135303030303031 3030 "
    "5430303030303031 4D3030303030303030303030303031 0011 000005120030 0040" + "A1" * 40
)
SALE = Message(
    "0200",
    {"3": "000000", "4": "000000001250", "11": "000001", "22": "051", "25": "00",
     "41": "T0000001", "42": "M00000000000001", "49": "156", "60": "22000001000",
     "64": "0102030405060708"},
)  # fmt: skip


def test_the_public_sign_on_answer() -> None:
    """Every field, the odd one of 11 digits padded on the right, and back to the same bytes."""
    codec = Codec()
    message = codec.decode(SIGN_ON_ANSWER)
    assert message.mti == "0810"
    assert message.get("11") == "000023"
    assert message.get("32") == "00031040"
    assert message.get("37") == "143015000001"
    assert message.get("39") == "00"
    assert message.get("41") == "T0000001"
    assert message.get("42") == "M00000000000001"
    assert message.get("60") == "00000512003"
    assert message.get("62") == "A1" * 40
    assert codec.encode(message) == SIGN_ON_ANSWER


def test_a_sale_byte_by_byte() -> None:
    """Golden: digits packed, odd lengths padded on the right, BCD lengths."""
    raw = Codec().encode(SALE)
    assert raw == bytes.fromhex(
        "0200 3020048000c08011 000000 000000001250 000001 0510 00 5430303030303031 "
        "4d3030303030303030303030303031 313536 0011 220000010000 0102030405060708"
    )
    assert Codec().decode(raw) == SALE


@pytest.mark.parametrize("dialect", [Dialect.ASCII, Dialect.HEX])
def test_other_dialects(dialect: Dialect) -> None:
    """Digits as characters; the bitmap in bytes or in hexadecimal characters."""
    codec = Codec(dialect)
    raw = codec.encode(SALE)
    assert raw[:4] == b"0200"
    assert (raw[4:20] == b"3020048000C08011") is (dialect is Dialect.HEX)
    assert codec.decode(raw) == SALE


@pytest.mark.parametrize(
    ("dialect", "begins"), [(Dialect.BCD, "0201"), (Dialect.ASCII, b"0201".hex())]
)
def test_the_repeat_mark_changes_one_digit(dialect: Dialect, begins: str) -> None:
    """Byte-identical otherwise."""
    codec = Codec(dialect)
    raw = codec.encode(SALE)
    marked = codec.marked_as_repeat(raw)
    assert marked.hex().startswith(begins)
    assert sum(a != b for a, b in zip(raw, marked, strict=True)) == 1
    assert codec.decode(marked).fields == SALE.fields


def test_a_profile_describes_its_own_fields() -> None:
    """A host whose field 48 is text says so; impossible notation is refused."""
    codec = Codec(fields={"48": "ans...999"})
    message = Message("0200", {"11": "000001", "48": "hello"})
    assert codec.decode(codec.encode(message)) == message
    with pytest.raises(ValueError, match="n0"):
        Codec(fields={"48": "n0"})


def test_errors_name_the_field_and_never_its_value() -> None:
    """No bytes, no library error behind it: both carry whole messages."""
    codec = Codec()
    raw = codec.encode(SALE) + b"6222021234567890"
    for broken in (raw, raw[:30], b"", b"\x02\x00" + b"\xff" * 8):
        with pytest.raises(BrokenMessageError) as caught:
            codec.decode(broken)
        assert "62220212" not in str(caught.value)
        assert caught.value.__context__ is None
    with pytest.raises(BrokenMessageError, match="field 11 cannot be written") as caught:
        codec.encode(Message("0200", {"11": "12345678901"}))
    assert caught.value.__context__ is None
    with pytest.raises(BrokenMessageError, match="field 127 is not in the table"):
        codec.encode(Message("0200", {"127": "1"}))


def test_a_field_the_profile_does_not_know() -> None:
    """Its length cannot be known, so nothing behind it can be read."""
    with pytest.raises(BrokenMessageError, match="field 8 is not in the table"):
        Codec().decode(bytes.fromhex("0200010000000000000000"))


@given(st.binary(max_size=120), st.sampled_from(list(Dialect)))
def test_no_bytes_break_the_codec(raw: bytes, dialect: Dialect) -> None:
    """A message or BrokenMessageError, nothing else."""
    try:
        Codec(dialect).decode(raw)
    except BrokenMessageError:
        return


@given(st.integers(min_value=0, max_value=len(SIGN_ON_ANSWER) * 8 - 1))
def test_no_flipped_bit_breaks_the_codec(bit: int) -> None:
    """A damaged answer is another answer or none."""
    raw = bytearray(SIGN_ON_ANSWER)
    raw[bit // 8] ^= 1 << bit % 8
    try:
        Codec().decode(bytes(raw))
    except BrokenMessageError:
        return
