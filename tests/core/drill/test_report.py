"""A drill's report: judged by its steps, kept and read again, said in both languages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.drill import PASSED, overdue
from agent.core.drill.report import (
    Done,
    Drill,
    Result,
    Step,
    Verdict,
    from_plain,
    key_of,
    to_plain,
)
from agent.core.drill.words import result_said, said, title, verdict_word
from agent.core.slips.drill import slip
from agent.core.slips.paper import Heading, Pair, Text

T0_MS = 1_795_000_000_000
BEGUN = Drill(number=7, trigger="asked", actor="uid:0", records=20, restart=False, started_ms=T0_MS)


def done(step: Step, verdict: Verdict = Verdict.PASS, **facts: str | int) -> Done:
    return Done(name=step, verdict=verdict, began_ms=T0_MS, duration_ms=5, facts=facts)


def whole(**verdicts: Verdict) -> Drill:
    drill = BEGUN
    for step in Step:
        drill = drill.after(done(step, verdicts.get(str(step), Verdict.PASS)))
    return drill


def test_it_passed_when_no_step_failed_or_is_missing() -> None:
    """A step left out by agreement is no failure; one nobody came to is."""
    assert whole(restart=Verdict.SKIPPED).over(T0_MS + 9).result is Result.PASSED
    assert whole(drain=Verdict.FAIL).over(T0_MS + 9).result is Result.FAILED
    assert BEGUN.after(done(Step.ACCEPT)).over(T0_MS + 9).result is Result.FAILED
    assert BEGUN.over(T0_MS + 9, Result.BROKEN_OFF).result is Result.BROKEN_OFF
    assert BEGUN.done(Step.DRAIN) is None


def test_what_is_kept_is_read_again() -> None:
    """Every field, also of one under way."""
    for drill in (BEGUN, whole(kill=Verdict.FAIL).over(T0_MS + 9)):
        assert from_plain(7, T0_MS, to_plain(drill)) == drill


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.sampled_from([*to_plain(whole()), "name", "verdict", "facts"])


@given(JSON | st.dictionaries(FIELDS, JSON | st.lists(st.dictionaries(FIELDS, JSON))))
def test_no_garbage_is_too_bad_to_be_read(plain: object) -> None:
    """What flash left is shown as far as it goes, and can be kept and said again."""
    drill = from_plain(3, T0_MS, plain)
    assert from_plain(3, T0_MS, to_plain(drill)) == drill
    assert result_said(drill, "zh")


@pytest.mark.parametrize("bad", [-1, 2**60, True, "x", 1.5])
def test_numbers_that_can_be_none_are_none(bad: object) -> None:
    """A drill that ends at minus one has an end, and no figure is believed."""
    assert from_plain(1, T0_MS, {"records": bad, "ended_ms": bad}).records == 0


def test_steps_without_name_or_verdict_are_left_out() -> None:
    """The others stay."""
    good = {"name": "kill", "verdict": "pass"}
    plain = {"steps": [good, {"name": "kill"}, {"name": "x", "verdict": "pass"}, 3]}
    assert [one.name for one in from_plain(1, T0_MS, plain).steps] == [Step.KILL]
    facts = from_plain(1, T0_MS, {"steps": [good | {"facts": {"a": 1, "b": [2]}}]}).steps[0].facts
    assert facts == {"a": 1}


def test_passed_is_said_in_one_word() -> None:
    """Who watches that drills are made reads it without loading what makes reports."""
    assert Result.PASSED == PASSED


def test_it_is_overdue_after_so_many_days() -> None:
    """Counted from the last passed one; 0 days: never."""
    now = datetime(2026, 11, 22, tzinfo=UTC)
    assert overdue(now, now - timedelta(days=91), 90)
    assert not overdue(now, now - timedelta(days=90), 90)
    assert not overdue(now, now - timedelta(days=9_000), 0)


def test_every_key_bears_the_mark() -> None:
    """So that nobody takes one for a payment."""
    assert key_of(7, 3) == "drill-000007-00003"


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("verdict", sorted(Verdict))
@pytest.mark.parametrize("step", sorted(Step))
def test_every_step_can_be_said(step: Step, verdict: Verdict, lang: str) -> None:
    """Also without its figures; nothing of the form is left in the text."""
    for facts in ({}, {"why": "busy"}, {"reason": "full", "records": 20}):
        told = said(done(step, verdict, **facts), lang)
        assert told
        assert "{" not in told
    assert title(step, lang)
    assert verdict_word(verdict, lang)


def test_an_interruption_is_said_once_there_is_a_result() -> None:
    """And not while it is under way."""
    drill = from_plain(1, T0_MS, {"interrupted": True, "result": "passed"})
    assert "interrupted" in result_said(drill, "en")
    assert "interrupted" not in result_said(from_plain(1, T0_MS, {"interrupted": True}), "en")


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_slip_names_result_and_every_step(lang: str) -> None:
    """Heading, result, a line for each step, and that nothing of it was a payment."""
    drill = whole(restart=Verdict.SKIPPED).over(T0_MS + 1_500)
    paper = slip(drill, lang, timedelta(hours=8))
    assert paper.name == "drill"
    assert isinstance(paper.blocks[0], Heading)
    pairs = {block.left: block.right for block in paper.blocks if isinstance(block, Pair)}
    assert {title(step, lang) for step in Step} <= set(pairs)
    assert any("1.5" in right for right in pairs.values())
    texts = [block.text for block in paper.blocks if isinstance(block, Text)]
    assert result_said(drill, lang) in texts
    running = slip(BEGUN, lang, timedelta(0))
    assert len(running.blocks) < len(paper.blocks)
