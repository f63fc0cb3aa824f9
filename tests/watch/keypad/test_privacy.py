"""No code, order or time of a key leaves the read loop; the search that says so finds leaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.health.reading import Reading
from agent.watch.drivers.evdev import Key
from agent.watch.keypad import reader as read_loop
from agent.watch.keypad.fold import Fold, Summary
from agent.watch.keypad.told import Told
from tests.watch.keypad.canary import Canary, forms, in_objects, numeric, seen
from tests.watch.keypad.desk import Desk, until

DIGITS = "48172635"
START_US = 1_734_567_891_123_457


async def typed(desk: Desk, canary: Canary) -> list[Reading]:
    """The canary through the real read loop; what was read in between."""
    told = [await desk.watcher.read()]
    for digit, at_us in zip(canary.digits, canary.at_us, strict=True):
        desk.time.now_s = at_us / 1_000_000
        desk.keypad._now_us = lambda at=at_us: at
        desk.keypad.press(f"n{digit}")
        await desk.settled()
        told.append(await desk.watcher.read())
        desk.keypad.release(f"n{digit}")
        await desk.settled()
    told.append(await desk.watcher.read())
    assert all(isinstance(one, Reading) for one in told)
    return told  # type: ignore[return-value]


@pytest.fixture
def canary() -> Canary:
    return numeric(DIGITS, START_US)


def test_nothing_of_it_is_told_logged_or_kept(
    tmp_path: Path, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    """Readings, log, files, and after a tenth of a second every object the watcher reaches."""
    caplog.set_level(logging.DEBUG)

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            told = await typed(desk, canary)
            reader = desk.watcher._reader
            assert reader is not None
            assert len(reader._buffer) == 64 * 24
            assert not any(reader._buffer)
            fold = desk.watcher._fold
            assert fold.must_forget  # the last key, for as long as a bounce takes
            await until(lambda: not fold.must_forget)
            assert fold.summary(desk.time()).presses  # it was read
            desk.keypad._now_us = lambda: 0
            desk.time.now_s += 3_600.0
            for held in (desk.watcher, fold, reader, desk.watcher._told, told):
                assert in_objects(canary, [held], own=1) == []
            assert not seen(canary, repr(told).encode())
            # The presses so far are told in one lump, an hour later.
            assert (await desk.values())["digit_presses"] == len(DIGITS)

    asyncio.run(run())
    assert not seen(canary, caplog.text.encode())
    assert "keypad" not in caplog.text
    assert list(tmp_path.iterdir()) == []


def _keeps_codes(fold: Any, key: Key) -> None:
    fold.kept = [*getattr(fold, "kept", []), key.code]


def _keeps_a_text(fold: Any, key: Key) -> None:
    if key.value == 1:
        fold.kept = getattr(fold, "kept", "") + str(key.code - 0x200)


def _keeps_times(fold: Any, key: Key) -> None:
    fold.kept = (getattr(fold, "kept", None), key.at_ms)


def _keeps_a_set(fold: Any, key: Key) -> None:
    fold.kept = {key.code} | getattr(fold, "kept", set())


def _never_forgets(fold: Any, key: Key) -> None:
    fold.let_go_before = {key.code: 1}


LEAKS = [_keeps_codes, _keeps_a_text, _keeps_times, _keeps_a_set, _never_forgets]


@pytest.mark.parametrize("leak", LEAKS)
def test_the_search_finds_a_watcher_that_keeps_them(
    tmp_path: Path,
    canary: Canary,
    monkeypatch: pytest.MonkeyPatch,
    leak: Callable[[Any, Key], None],
) -> None:
    """Control: the same walk over a fold made to keep codes, their text, their set or a time."""
    honest = Fold.heard

    def heard(fold: Fold, key: Key, now_s: float) -> None:
        leak(fold, key)
        honest(fold, key, now_s)

    monkeypatch.setattr(Fold, "heard", heard)

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await typed(desk, canary)
            fold = desk.watcher._fold
            await until(lambda: not fold.must_forget)
            assert in_objects(canary, [desk.watcher], own=1)

    asyncio.run(run())


def test_the_search_finds_a_buffer_that_is_not_wiped(
    tmp_path: Path, canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: without the wiping the last events lie in the read buffer."""
    monkeypatch.setattr(read_loop, "wipe", lambda _buffer: None)

    async def run() -> None:
        async with Desk(tmp_path) as desk:
            await typed(desk, canary)
            assert in_objects(canary, [desk.watcher], own=1)

    asyncio.run(run())


@pytest.mark.parametrize("name", sorted(forms(numeric(DIGITS, START_US))))
def test_the_search_finds_every_form(name: str, canary: Canary) -> None:
    """Control: hidden in the middle of a file, each form is found."""
    assert name in seen(canary, b"x" * 500 + forms(canary)[name] + b"y" * 500)


# -- the same told whatever was typed ------------------------------------------------------------


def told_after(codes: list[int], gaps_s: list[float]) -> list[dict[str, object]]:
    """What is told after each key, of keys typed one after the other at a human pace."""
    fold, told, now_s, said = Fold(10.0, 30.0), Told(), 50.0, list[dict[str, object]]()
    for code, gap_s in zip(codes, gaps_s, strict=True):
        now_s += gap_s
        fold.heard(Key(code, 1, now_s * 1000), now_s)
        said.append(dict(told.values(fold.summary(now_s), None, now_s)))
        fold.heard(Key(code, 0, (now_s + 0.05) * 1000), now_s + 0.05)
        said.append(dict(told.values(fold.summary(now_s), None, now_s)))
    said.append(dict(told.values(fold.summary(2_000.0), None, 2_000.0)))
    return said


@given(
    typing=st.lists(
        st.tuples(*[st.integers(0, 9)] * 2, *[st.floats(0.1, 9.0)] * 2), min_size=1, max_size=12
    )
)
@settings(max_examples=150)
def test_two_numbers_of_equal_length_are_told_alike(
    typing: list[tuple[int, int, float, float]],
) -> None:
    """Whatever digits, in whatever order, at whatever pace: every reading is the same."""
    one = told_after([2 + a for a, _, _, _ in typing], [gap for _, _, gap, _ in typing])
    other = told_after([2 + b for _, b, _, _ in typing], [gap for _, _, _, gap in typing])
    assert one == other


@given(lengths=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=30)
def test_not_even_how_much_is_told_while_somebody_types(lengths: tuple[int, int]) -> None:
    """Four digits or twelve: until the quarter of an hour is over every reading is the same."""
    one, other = (told_after([5] * length, [1.0] * length)[:-1] for length in lengths)
    assert {str(each) for each in one} == {str(each) for each in other}


def test_a_summary_cannot_hold_a_key() -> None:
    """All that leaves the fold is this record, and its fields are counts by class."""
    assert set(Summary.__dataclass_fields__) == {
        "suspected", "confirmed", "bounces", "presses", "losses",
    }  # fmt: skip
