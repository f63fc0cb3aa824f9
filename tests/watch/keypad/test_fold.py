"""Keys folded into classes and counts, over time that only moves when told to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.watch.drivers.evdev import Key, KeyClass
from agent.watch.keypad.fold import Fold

FIVE, ENTER, UP = 6, 28, 103


def fold() -> Fold:
    return Fold(10.0, 30.0)


def press(into: Fold, code: int, now_s: float) -> None:
    into.heard(Key(code, 1, now_s * 1000), now_s)


def release(into: Fold, code: int, now_s: float) -> None:
    into.heard(Key(code, 0, now_s * 1000), now_s)


def test_a_key_held_is_suspected_then_confirmed() -> None:
    """Down for 10 s: suspected. For 30 s: confirmed. Let go: neither."""
    one = fold()
    press(one, FIVE, 100.0)
    assert not one.summary(109.9).suspected
    assert one.summary(110.0).suspected == {KeyClass.DIGIT: 1}
    assert not one.summary(129.9).confirmed
    assert one.summary(130.0).confirmed == {KeyClass.DIGIT: 1}
    release(one, FIVE, 131.0)
    assert not one.summary(131.0).suspected


def test_repeats_do_not_start_the_time_anew() -> None:
    """Auto-repeat is the sign of a held key, not of a pressed one."""
    one = fold()
    press(one, ENTER, 0.0)
    for tenth in range(1, 110):
        one.heard(Key(ENTER, 2, tenth * 100.0), tenth / 10)
    told = one.summary(10.9)
    assert told.suspected == {KeyClass.FUNCTION: 1}
    assert told.presses == {KeyClass.FUNCTION: 1}


def test_a_repeat_of_a_key_never_pressed_counts_as_down() -> None:
    """It was down before we came."""
    one = fold()
    one.heard(Key(UP, 2, 0.0), 50.0)
    assert one.summary(60.0).suspected == {KeyClass.NAVIGATION: 1}
    assert not one.summary(60.0).presses


def test_typing_is_never_stuck() -> None:
    """Keys pressed for a second each, for an hour, are no trouble."""
    one = fold()
    for second in range(3600):
        press(one, 2 + second % 10, second)
        release(one, 2 + second % 10, second + 0.9)
        told = one.summary(second + 0.95)
        assert not told.suspected
        assert not told.bounces
    assert one.summary(3600).presses == {KeyClass.DIGIT: 3600}


@pytest.mark.parametrize(("gap_ms", "bounces"), [(0.5, 1), (8, 1), (20, 1), (21, 0), (60, 0)])
def test_let_go_and_down_again_within_20_ms_is_a_bounce(gap_ms: float, bounces: int) -> None:
    """A finger cannot do that; it is one press that came twice."""
    one = fold()
    press(one, FIVE, 1.0)
    release(one, FIVE, 1.1)
    press(one, FIVE, 1.1 + gap_ms / 1000)
    told = one.summary(1.2)
    assert sum(told.bounces.values()) == bounces
    assert sum(told.presses.values()) == 2 - bounces


def test_two_keys_in_quick_succession_are_no_bounce() -> None:
    """Rolling from one key to the next takes less than 20 ms and is how people type."""
    one = fold()
    for at, code in enumerate((2, 3, 2, 3, 4)):
        press(one, code, 1 + at * 0.015)
        release(one, code, 1 + at * 0.015 + 0.004)
    assert not one.summary(2.0).bounces


def test_a_clock_set_back_makes_no_bounce() -> None:
    """Where the driver uses wall time, a step of it is not a contact's doing."""
    one = fold()
    one.heard(Key(FIVE, 1, 5_000.0), 1.0)
    one.heard(Key(FIVE, 0, 5_100.0), 1.1)
    one.heard(Key(FIVE, 1, 3_000.0), 1.5)
    assert not one.summary(2.0).bounces


def test_bounces_are_those_of_the_last_minute() -> None:
    """They age away in steps of ten seconds."""
    one = fold()
    for at in (5.0, 25.0, 45.0):
        press(one, FIVE, at)
        release(one, FIVE, at + 0.1)
        press(one, FIVE, at + 0.105)
        release(one, FIVE, at + 0.2)
    assert one.summary(50.0).bounces == {KeyClass.DIGIT: 3}
    assert one.summary(65.0).bounces == {KeyClass.DIGIT: 2}
    assert not one.summary(110.0).bounces
    assert not one._bounces


def test_after_lost_events_the_drivers_word_counts() -> None:
    """What is down stays down since it was pressed, what is up is up, what is new begins now."""
    one = fold()
    press(one, FIVE, 0.0)
    press(one, ENTER, 0.0)
    one.lost(frozenset({FIVE, UP}), 8.0)
    told = one.summary(11.0)
    assert told.suspected == {KeyClass.DIGIT: 1}
    assert told.losses == 1
    assert one.summary(18.0).suspected == {KeyClass.DIGIT: 1, KeyClass.NAVIGATION: 1}


def test_a_key_that_is_up_is_forgotten() -> None:
    """After `forget` nothing is left of it; before, only for as long as a bounce takes."""
    one = fold()
    press(one, FIVE, 0.0)
    release(one, FIVE, 0.1)
    assert one.must_forget
    press(one, ENTER, 0.2)
    assert not one.must_forget  # the next key wiped the one before
    release(one, ENTER, 0.3)
    one.forget()
    assert not one.must_forget
    assert one._down == {}
    assert one._let_go == {}


@given(st.lists(st.tuples(st.integers(0, 0x2FF), st.integers(0, 2), st.floats(0, 30)), max_size=60))
def test_a_summary_has_nothing_but_classes_and_counts(
    moves: list[tuple[int, int, float]],
) -> None:
    """Whatever is pressed in whatever order: classes as keys, whole numbers as values."""
    one, now_s = fold(), 0.0
    for code, value, wait_s in moves:
        now_s += wait_s
        one.heard(Key(code, value, now_s * 1000), now_s)
        told = one.summary(now_s)
        for counts in (told.suspected, told.confirmed, told.bounces, told.presses):
            assert all(type(kind) is KeyClass and type(n) is int for kind, n in counts.items())
        assert sum(told.confirmed.values()) <= sum(told.suspected.values())
