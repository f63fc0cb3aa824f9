"""What the comparison of the books must notice, and what makes a run bad."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.powercut.course import Course, Round
from tests.powercut.disk import Cut, Left
from tests.powercut.proof import Proof
from tests.powercut.report import Run, written
from tests.powercut.verdict import Found, compared

TRIED = {"a": 1, "b": 2, "c": 3}


def found(**changes: object) -> Found:
    given: dict[str, object] = {
        "tried": TRIED, "acknowledged": {"a", "b"}, "states": {"a": "posted", "b": "posted"},
        "ledger": [("a", 1), ("b", 2)],
    }  # fmt: skip
    return compared(**{**given, **changes})  # type: ignore[arg-type]


def test_everything_once_is_well_also_what_nobody_was_told_of() -> None:
    """A payment recorded at the moment of the cut may be posted though nobody heard of it."""
    assert found().well
    extra = found(ledger=[("a", 1), ("b", 2), ("c", 3)])
    assert extra.well
    assert extra.recovered == 1


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"ledger": [("a", 1)], "states": {"a": "posted"}}, "not in the journal"),
        ({"ledger": [("a", 1)]}, "lost"),
        ({"ledger": [("a", 1), ("b", 2), ("a", 1)]}, "duplicated"),
        ({"ledger": [("a", 1), ("b", 2), ("x", 1)]}, "strangers"),
        ({"states": {"a": "posted", "b": "held"}}, "unfinished"),
        ({"states": {"a": "posted", "b": "posted", "c": "posted"}}, "believed posted"),
        ({"ledger": [("a", 1), ("b", 3)]}, "wrong amount"),
    ],
)
def test_every_fault_is_named(changes: dict[str, object], name: str) -> None:
    """And none is covered by another."""
    result = found(**changes)
    assert not result.well
    assert result.bad()[name]


def course(*, lying: bool, missing: tuple[str, ...] = ()) -> Course:
    cut = Cut(style=Left.NOTHING, pending=3, dropped_sectors=4, kept_sectors=0)
    made = Round(
        number=1, moment="at write 3, load", reached=True, acknowledged=2, fsck=0, damage="",
        tries=1, up_s=1.0, missing=missing, cut=cut, seconds=9.0,
    )  # fmt: skip
    result = Course(lying=lying, rounds=[made], tried=dict(TRIED))
    result.acknowledged, result.before_drain = {"a": 1, "b": 1}, Counter(posted=2)
    if not lying:
        result.found = found()
        result.planted = found(ledger=[("a", 1), ("b", 2), ("a", 1)])
    return result


def proof(verdict: str) -> Proof:
    each = {"seen": 9, "lost": 2, "outcome": "lost"}
    return Proof(disk="lies", wanted="lying", verdict=verdict, rounds=(each,))


def test_a_good_run_says_so_and_a_report_holds_its_figures() -> None:
    """Nothing lost, and both controls failed as they must."""
    run = Run(seed=3, course=course(lying=False), lying=course(lying=True, missing=("b",)))
    run.proofs = [proof("lying")]
    assert run.problems() == []
    text = written(run)
    assert "**0 lost" not in text
    assert "0 lost, 0 duplicated" in text
    assert "seed 3" in text


def test_controls_that_find_nothing_make_a_run_bad() -> None:
    """A lying disk without loss, a planted duplicate unseen, a verdict that is not the due one."""
    run = Run(seed=1, course=course(lying=False), lying=course(lying=True))
    assert run.course is not None
    run.course.planted = found()
    run.proofs = [proof("honest")]
    assert len(run.problems()) == 3


def test_a_loss_on_the_honest_disk_makes_a_run_bad() -> None:
    """Found at the end, or at the start after the cut."""
    run = Run(seed=1, course=course(lying=False, missing=("a",)))
    assert any("unknown after the cut" in text for text in run.problems())
    assert run.course is not None
    run.course.found = None
    assert any("not compared" in text for text in run.problems())
    assert "BAD" in written(run)
