"""Bytes from an input device: never an exception, never a key nobody sent, nothing kept of any."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers.evdev import LAYOUTS, Decoder, Found, Key, KeyClass, Lost
from agent.watch.keypad.fold import Fold
from agent.watch.keypad.told import Told
from tests.fuzz.effort import effort, mutated

SIZES = sorted(LAYOUTS)
FORMATS = {24: "=QQHHi", 16: "=IIHHi"}
EVENTS = st.tuples(st.just(1), st.sampled_from([2, 6, 11, 28, 0x204]), st.integers(0, 2)) | (
    st.sampled_from([(0, 0, 0), (0, 3, 0), (4, 4, 0x70027)])
)


def _packed(size: int, events: list[tuple[int, int, int]]) -> bytes:
    return b"".join(
        struct.pack(FORMATS[size], 7, at * 3_000 % 1_000_000, *event)
        for at, event in enumerate(events)
    )


@st.composite
def lines(draw: st.DrawFn) -> tuple[int, list[bytes]]:
    """A layout, and what arrives in one read after the other."""
    size = draw(st.sampled_from(SIZES))
    good = st.lists(EVENTS, max_size=20).map(lambda events: _packed(size, events))
    pieces = [_packed(size, [(0, 3, 0)]), _packed(size, [(0, 0, 0)]), b"\xff" * 8, b"\x00" * 8]
    whole = draw(mutated(good, pieces))
    cuts = sorted(draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    edges = [0, *cuts, len(whole)]
    return size, [whole[a:b] for a, b in pairwise(edges)]


def _expected(size: int, whole: bytes) -> Iterator[str]:
    """Written down apart from the decoder, one event at a time, from the kernel's document."""
    deaf = False
    for at in range(0, len(whole) - size + 1, size):
        _, micros, kind, code, value = struct.unpack_from(FORMATS[size], whole, at)
        if kind > 0x1F or micros > 999_999:
            yield "nonsense"
        elif (kind, code) == (0, 3):
            deaf = True
        elif deaf and (kind, code) == (0, 0):
            deaf = False
            yield "lost"
        elif not deaf and kind == 1:
            yield f"{code} {value}" if code <= 0x2FF and value in (0, 1, 2) else "nonsense"


def _word(found: Found) -> str:
    match found:
        case Key(code=code, value=value):
            return f"{code} {value}"
        case Lost():
            return "lost"
        case _:
            return "nonsense"


@effort(300)
@given(lines())
def test_what_comes_out_is_what_was_sent(line: tuple[int, list[bytes]]) -> None:
    """However it is cut and spoilt, the same keys, losses and nonsense as by the book."""
    size, chunks = line
    decoder = Decoder(size)
    found = [_word(one) for chunk in chunks for one in decoder.feed(memoryview(chunk))]
    assert found == list(_expected(size, b"".join(chunks)))


@effort(300)
@given(lines(), st.lists(st.floats(0, 40), min_size=1, max_size=5))
def test_whatever_arrives_only_classes_and_counts_are_told(
    line: tuple[int, list[bytes]], waits_s: list[float]
) -> None:
    """Every value is a word, a flag or a whole number, and its name is one of a closed list."""
    size, chunks = line
    decoder, fold, told, now_s = Decoder(size), Fold(10.0, 30.0), Told(), 100.0
    names = {"present", "stuck", "bounces_last_minute", "losses", "key_class", "count"}
    names |= {f"{kind}_presses" for kind in KeyClass}
    for at, chunk in enumerate(chunks):
        for found in decoder.feed(memoryview(chunk)):
            if isinstance(found, Key):
                fold.heard(found, now_s)
            elif isinstance(found, Lost):
                fold.lost(frozenset({6}), now_s)
        now_s += waits_s[at % len(waits_s)]
        values = told.values(fold.summary(now_s), None, now_s)
        assert values.keys() <= names
        for name, value in values.items():
            assert type(value) in (bool, int, str), name
            if isinstance(value, str):
                assert value in {"no", "suspected", "confirmed", *KeyClass}
    fold.forget()
    fold.found(frozenset(), now_s)
    assert not fold._down
    assert not fold._let_go
