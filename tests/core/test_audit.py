"""The trail: what was changed, taken out or cut off is found and named."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from agent.core.audit import Deed, Fault, Line, Mark, clean, examined, hashed, written

DEED = Deed(actor="uid:0", op="queue_hold", target="k-1")


def trail(count: int, start: Mark | None = None) -> tuple[list[Line], Mark, Mark]:
    start = start or Mark()
    lines: list[Line] = []
    head = start
    for number in range(count):
        line = written(replace(DEED, target=f"k-{number}"), 1_000 + number, head)
        lines.append(line)
        head = Mark(n=line.n, hash=line.hash)
    return lines, start, head


def faults(lines: list[Line], start: Mark | None, head: Mark | None) -> list[tuple[str, int, int]]:
    return [(one.what, one.n, one.until) for one in examined(lines, start, head)]


def test_a_whole_trail_has_no_fault() -> None:
    """Also an empty one, and one whose beginning was forgotten."""
    assert faults(*trail(5)) == []
    assert faults(*trail(0)) == []
    lines, _, head = trail(5)
    assert faults(lines[2:], Mark(n=2, hash=lines[1].hash), head) == []
    assert faults([], head, head) == []


@given(at=st.integers(0, 9), field=st.sampled_from(["actor", "op", "target", "outcome", "count"]))
def test_a_changed_line_is_named(at: int, field: str) -> None:
    """Whatever is changed in it."""
    lines, start, head = trail(10)
    value = 77 if field == "count" else "somebody"
    lines[at] = replace(lines[at], deed=replace(lines[at].deed, **{field: value}))
    assert faults(lines, start, head) == [("altered", at + 1, 0)]


@given(at=st.integers(0, 9))
def test_a_line_written_anew_is_named(at: int) -> None:
    """With its hash made again it no longer fits the next line, or the head."""
    lines, start, head = trail(10)
    old = lines[at]
    deed = replace(old.deed, outcome="ok, really")
    fresh = replace(old, deed=deed, hash=hashed(old.n, old.at_ms, deed, old.before))
    lines[at] = fresh
    assert faults(lines, start, head) == [("altered", at + 1, 0)]


@given(first=st.integers(0, 9), size=st.integers(1, 9))
def test_missing_lines_are_named(first: int, size: int) -> None:
    """In the middle as a gap, at the end as a cut, at the beginning as a gap behind the start."""
    lines, start, head = trail(10)
    last = min(9, first + size - 1)
    what = "cut" if last == 9 else "missing"
    assert faults(lines[:first] + lines[last + 1 :], start, head) == [(what, first + 1, last + 1)]


def test_a_broken_seal_is_named_and_lines_behind_the_head_too() -> None:
    """Without its ends a trail proves only what lies between."""
    lines, start, head = trail(4)
    assert faults(lines, None, head) == [("seal", 0, 0)]
    assert faults(lines, start, None) == [("seal", 1, 0)]
    assert faults(lines, start, Mark(n=2, hash=lines[1].hash)) == [("added", 3, 0), ("added", 4, 0)]
    wrong = Mark(n=0, hash=b"x" * 16)
    assert faults(lines, wrong, head) == [("altered", 1, 0)]
    assert faults([], None, head) == [("seal", 0, 0)]
    assert Fault(what="cut", n=1).until == 0


def test_a_line_holds_short_printable_text_only() -> None:
    """A name that came from outside writes no second line into anybody's terminal."""
    assert clean("a\nb\x1b[2J") == "a?b?[2J"
    assert len(written(replace(DEED, target="x" * 999), 0, Mark()).deed.target) == 128


def test_a_line_holds_no_card_number() -> None:
    """Whatever somebody gave for a payment's key."""
    line = written(Deed(actor="uid:1", op="void", target="4111111111111111"), 1, Mark())
    assert line.deed.target == ""
