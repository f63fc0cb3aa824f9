"""What the power-cut counter's bytes prove, and what its rounds prove together."""

from __future__ import annotations

import pytest

from agent.core.power_cut import (
    ENOUGH_ROUNDS,
    MAX_NUMBER,
    RECORD_BYTES,
    SLOTS,
    Outcome,
    Verdict,
    compared,
    compared_nothing,
    numbers,
    outcome,
    record,
    slot,
    unnoticed_share,
    verdict,
)

RUN = "0a1b2c3d"


def ring(*present: int, run: str = RUN) -> bytes:
    content = bytearray(SLOTS * RECORD_BYTES)
    for number in present:
        at = slot(number) * RECORD_BYTES
        content[at : at + RECORD_BYTES] = record(run, number)
    return bytes(content)


@pytest.mark.parametrize("number", [1, SLOTS - 1, SLOTS, SLOTS + 1, MAX_NUMBER])
def test_a_record_is_read_back_and_has_its_fixed_length(number: int) -> None:
    """What was written is found, wherever in the ring it stands."""
    assert len(record(RUN, number)) == RECORD_BYTES
    assert numbers(ring(number), RUN) == {number}


def test_a_record_of_another_run_or_place_or_with_one_bit_changed_is_none() -> None:
    """Nothing but the very bytes of this run in their own place counts."""
    content = bytearray(ring(7))
    assert numbers(bytes(content), "ffffffff") == set()
    assert numbers(bytes(RECORD_BYTES) + bytes(content[:-RECORD_BYTES]), RUN) == set()
    at = 7 * RECORD_BYTES
    for bit in range(RECORD_BYTES * 8):
        spoilt = bytearray(content)
        spoilt[at + bit // 8] ^= 1 << bit % 8
        assert numbers(bytes(spoilt), RUN) == set()


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"\xff" * 4096, b"0a1b2c3d " + b"\xb2" * 10, b"\n" * 70, record(RUN, 1)[:-1]],
)
def test_hostile_content_holds_no_number(content: bytes) -> None:
    """Garbage, half records and digits that are none raise nothing."""
    assert numbers(content, RUN) == set()


def test_more_than_the_ring_is_not_read() -> None:
    """A file that was made longer brings in nothing."""
    assert numbers(ring() + record(RUN, SLOTS), RUN) == set()


def test_everything_seen_is_there() -> None:
    """Later numbers than the last one seen are no fault: the power went between."""
    copy = compared(frozenset(range(1, 13)), first=1, seen=10)
    assert (copy.highest, copy.lost, copy.holes, copy.outcome) == (12, 0, 0, Outcome.KEPT)


def test_numbers_missing_at_the_end_are_lost() -> None:
    """They were confirmed, and are gone."""
    copy = compared(frozenset(range(5, 9)), first=5, seen=12)
    assert (copy.highest, copy.lost, copy.holes, copy.outcome) == (8, 4, 0, Outcome.LOST)


def test_nothing_left_is_all_of_it_lost() -> None:
    """Also where an earlier round's numbers are still there."""
    assert compared(frozenset(), first=5, seen=12).lost == 8
    assert compared(frozenset({1, 2, 3, 4}), first=5, seen=12).lost == 8


def test_a_hole_before_the_last_is_torn() -> None:
    """A later number survived, an earlier one did not."""
    copy = compared(frozenset({1, 2, 4, 5, 7}), first=1, seen=5)
    assert (copy.lost, copy.holes, copy.outcome) == (0, 1, Outcome.TORN)


def test_a_hole_after_the_last_seen_is_no_fault() -> None:
    """Nobody was told that those are stored."""
    assert compared(frozenset({1, 2, 3, 5}), first=1, seen=3).outcome is Outcome.KEPT


def test_what_the_ring_has_overwritten_is_not_missed() -> None:
    """Only the last turn of the ring can be there, less the slot that was under way."""
    seen = 3 * SLOTS
    present = frozenset(range(seen - SLOTS + 2, seen + 1))
    assert compared(present, first=1, seen=seen).outcome is Outcome.KEPT
    assert compared(present - {seen - SLOTS + 2}, first=1, seen=seen).holes == 1


def test_a_copy_that_cannot_be_read_keeps_nothing() -> None:
    """Damage is never taken for health."""
    copy = compared(None, first=1, seen=3)
    assert copy.damaged
    assert copy.outcome is Outcome.LOST
    assert compared(None, first=4, seen=3).outcome is Outcome.TORN


def test_the_worse_copy_decides() -> None:
    """A file that kept everything does not make up for a journal that did not."""
    kept = compared(frozenset({1, 2}), first=1, seen=2)
    torn = compared(frozenset({2}), first=1, seen=2)
    lost = compared(frozenset({1}), first=1, seen=2)
    assert outcome([kept, kept]) is Outcome.KEPT
    assert outcome([kept, torn]) is Outcome.TORN
    assert outcome([torn, lost]) is Outcome.LOST


def test_a_number_the_ring_has_passed_tests_nothing() -> None:
    """All up to it is overwritten: no round, unless a copy lost even that."""
    whole = compared(frozenset(range(5_000 - SLOTS + 2, 5_001)), first=1, seen=7)
    assert whole.outcome is Outcome.KEPT
    assert compared_nothing([whole], seen=7)
    last = 5_000 - SLOTS + 2
    near = compared(frozenset(range(last, 5_001)), first=1, seen=last)
    assert not compared_nothing([near], seen=last)
    gone = compared(frozenset(), first=1, seen=7)
    assert not compared_nothing([whole, gone], seen=7)


def test_one_loss_is_proof_and_no_loss_takes_many_rounds() -> None:
    """Honest is said late, lying at once."""
    kept = [Outcome.KEPT] * (ENOUGH_ROUNDS - 1)
    assert verdict([]) is Verdict.UNDECIDED
    assert verdict(kept) is Verdict.UNDECIDED
    assert verdict([*kept, Outcome.KEPT]) is Verdict.HONEST
    assert verdict([*kept, Outcome.KEPT, Outcome.TORN]) is Verdict.TORN
    assert verdict([*kept, Outcome.TORN, Outcome.LOST]) is Verdict.LYING


def test_what_so_many_rounds_leave_open() -> None:
    """The bound of 95 %: none says nothing, ten leave a quarter, 59 five in a hundred."""
    assert unnoticed_share(0) == 1.0
    assert unnoticed_share(10) == pytest.approx(0.2589, abs=1e-4)
    assert unnoticed_share(59) < 0.05 < unnoticed_share(58)
