"""Input events as bytes: both layouts, any cut, lost events, garbage, key bitmaps."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers import evdev
from agent.watch.drivers.evdev import LOST, NONSENSE, Decoder, Found, Key, KeyClass

SIZES = sorted(evdev.LAYOUTS)
FORMATS = {24: "=QQHHi", 16: "=IIHHi"}
REPORT = (0, 0, 0)
DROPPED = (0, 3, 0)


def packed(size: int, *events: tuple[int, int, int], at: tuple[int, int] = (7, 250_000)) -> bytes:
    return b"".join(struct.pack(FORMATS[size], *at, *event) for event in events)


def decoded(decoder: Decoder, some: bytes) -> list[Found]:
    return list(decoder.feed(memoryview(some)))


def test_the_kernels_two_layouts() -> None:
    """24 bytes in a 64-bit process, 16 in a 32-bit one, and ours is the one of this machine."""
    assert {size: layout.size for size, layout in evdev.LAYOUTS.items()} == {24: 24, 16: 16}
    assert struct.calcsize("@llHHi") == evdev.NATIVE_BYTES


@pytest.mark.parametrize("size", SIZES)
def test_keys_come_out_and_everything_else_does_not(size: int) -> None:
    """Press, repeat and release; scan codes, lamps, axes and reports are passed over."""
    some = packed(
        size, (4, 4, 0x70027), (1, 11, 1), REPORT, (1, 11, 2), (17, 0, 1), (2, 0, -5), (1, 11, 0)
    )
    assert decoded(Decoder(size), some) == [Key(11, value, 7250.0) for value in (1, 2, 0)]


@pytest.mark.parametrize("size", SIZES)
def test_after_lost_events_nothing_counts_until_the_next_report(size: int) -> None:
    """SYN_DROPPED: everything up to and with the next SYN_REPORT is ignored, then LOST once."""
    decoder = Decoder(size)
    assert decoded(decoder, packed(size, (1, 2, 1), DROPPED, (1, 3, 1))) == [Key(2, 1, 7250.0)]
    assert decoded(decoder, packed(size, (1, 4, 0), DROPPED, (1, 0x2FF, 9))) == []
    assert decoded(decoder, packed(size, REPORT, (1, 5, 1))) == [LOST, Key(5, 1, 7250.0)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("event", "at"),
    [
        ((32, 0, 0), (7, 0)),
        ((1, 0x300, 1), (7, 0)),
        ((1, 2, 3), (7, 0)),
        ((1, 2, -1), (7, 0)),
        ((1, 2, 1), (7, 1_000_000)),
    ],
)
def test_what_no_kernel_sends_is_nonsense(
    size: int, event: tuple[int, int, int], at: tuple[int, int]
) -> None:
    """A type, code, value or microsecond out of range is named, not folded."""
    assert decoded(Decoder(size), packed(size, event, at=at)) == [NONSENSE]


@pytest.mark.parametrize("size", SIZES)
def test_the_other_layout_is_nonsense(size: int) -> None:
    """Events of a 32-bit process read as those of a 64-bit one, or the reverse, are noticed."""
    other = 40 - size
    some = packed(other, *[(1, 28, value) for value in (1, 0)] * 6, at=(1_795_000_000, 250_000))
    assert NONSENSE in decoded(Decoder(size), some)


events = st.lists(
    st.tuples(st.just(1), st.integers(0, 0x2FF), st.integers(0, 2))
    | st.just(REPORT)
    | st.just(DROPPED)
    | st.just((4, 4, 0x70027)),
    max_size=30,
)


@given(size=st.sampled_from(SIZES), some=events, cuts=st.lists(st.integers(0, 720), max_size=8))
def test_where_the_bytes_are_cut_makes_no_difference(
    size: int, some: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    """Partial reads, down to single bytes, give what one read gives."""
    whole = packed(size, *some)
    edges = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    decoder, found = Decoder(size), list[Found]()
    for start, end in pairwise(edges):
        found += decoded(decoder, whole[start:end])
    assert found == decoded(Decoder(size), whole)


@given(size=st.sampled_from(SIZES), chunks=st.lists(st.binary(max_size=200), max_size=6))
def test_any_bytes_are_survived(size: int, chunks: list[bytes]) -> None:
    """Whatever arrives: keys in range, LOST or NONSENSE, and never an exception."""
    decoder = Decoder(size)
    for chunk in chunks:
        for found in decoder.feed(memoryview(chunk)):
            if isinstance(found, Key):
                assert 0 <= found.code <= evdev.KEY_MAX
                assert found.value in (0, 1, 2)
            else:
                assert found in (LOST, NONSENSE)


def test_half_an_event_is_wiped() -> None:
    """What was kept of a cut event is overwritten when it is complete, and when it is dropped."""
    decoder = Decoder(24)
    whole = packed(24, (1, 0x209, 1))
    assert decoded(decoder, whole[:23]) == []
    rest = decoder._rest
    assert bytes(rest) == whole[:23]
    assert decoded(decoder, whole[23:]) == [Key(0x209, 1, 7250.0)]
    assert not any(rest)
    decoded(decoder, whole[:20])
    rest = decoder._rest
    decoder.forget()
    assert not any(rest)
    assert decoded(decoder, whole) == [Key(0x209, 1, 7250.0)]


def test_every_code_has_one_class() -> None:
    """Codes of digits, functions and navigation do not overlap; all others are `other`."""
    assert not evdev.DIGITS & evdev.FUNCTIONS
    assert not (evdev.DIGITS | evdev.FUNCTIONS) & evdev.NAVIGATION
    found = {code: evdev.class_of(code) for code in range(evdev.KEY_MAX + 1)}
    assert sum(kind is KeyClass.DIGIT for kind in found.values()) == 30
    assert {found[code] for code in (2, 11, 71, 82, 0x200)} == {KeyClass.DIGIT}
    assert {found[code] for code in (28, 96, 223, 0x163, 14)} == {KeyClass.FUNCTION}
    assert {found[code] for code in (103, 108)} == {KeyClass.NAVIGATION}
    assert {found[code] for code in (0, 16, 30, 74, 78, 83, 116)} == {KeyClass.OTHER}


@given(st.sets(st.integers(0, evdev.KEY_MAX)))
def test_bitmaps_there_and_back(keys: set[int]) -> None:
    """The bitmap of EVIOCGKEY and the words of /sys name the same keys."""
    bitmap = evdev.bitmap_of(keys)
    assert len(bitmap) == evdev.KEY_BYTES == 96
    assert evdev.keys_of(bitmap) == keys
    for bits in (32, 64):
        number = int.from_bytes(bitmap, "little")
        words = [number >> at & (1 << bits) - 1 for at in range(0, 768, bits)]
        while len(words) > 1 and not words[-1]:
            words.pop()  # the kernel leaves out leading zero words
        assert evdev.keys_of_sysfs(" ".join(f"{w:x}" for w in reversed(words)), bits) == keys


def test_capabilities_of_a_real_keyboard() -> None:
    """The line Linux prints for an ordinary USB keyboard has the digits and Enter."""
    keys = evdev.keys_of_sysfs(
        "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe", 64
    )
    assert evdev.has_digits(keys)
    assert {1, 28, 71, 96} <= keys
    assert not evdev.has_digits(evdev.keys_of_sysfs("10000000000000 0", 64))  # a power button


@pytest.mark.parametrize("text", ["", "xyz", "12 zz"])
def test_capabilities_that_are_not_hexadecimal(text: str) -> None:
    """No words mean no keys; other text is a ValueError."""
    if text:
        with pytest.raises(ValueError, match="invalid literal"):
            evdev.keys_of_sysfs(text)
    else:
        assert evdev.keys_of_sysfs(text) == frozenset()


def test_ioctl_numbers() -> None:
    """As the C preprocessor makes them of include/uapi/linux/input.h."""
    assert evdev.EVIOCGKEY == 0x80604518
    assert evdev.EVIOCGNAME == 0x81004506
    assert evdev.EVIOCGBIT_KEY == 0x80604521
    assert evdev.EVIOCSCLOCKID == 0x400445A0
