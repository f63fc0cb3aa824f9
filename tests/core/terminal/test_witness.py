"""What a clock is worth, by those who told the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.moment import BUILD_FLOOR_MS, Proof, believed, to_ms
from agent.core.terminal.witness import (
    DRIFT_PPM,
    KEEP_MS,
    MOST,
    Kind,
    State,
    Statement,
    Witnesses,
    nearest_ms,
    stated,
)

TRUTH_MS = 1_795_000_000_000  #: at boot time 0
DAY_MS = 86_400_000


def says(
    source: str = "bank", *, off_ms: int = 0, at_ms: int = 0, took_ms: int = 200, years: bool = True
) -> Statement:
    """A host whose clock is `off_ms` ahead of the truth."""
    return stated(
        source,
        Kind.HTTP,
        TRUTH_MS + at_ms + off_ms,
        exact_ms=1_000,
        sent_boot_ms=at_ms - took_ms,
        heard_boot_ms=at_ms,
        years=years,
    )


def twice(bench: Witnesses, source: str = "bank", *, off_ms: int = 0, years: bool = True) -> None:
    bench.hear(says(source, off_ms=off_ms, years=years))
    bench.hear(says(source, off_ms=off_ms, at_ms=2_000, years=years))


def test_one_word_proves_nothing_and_said_again_it_does() -> None:
    """A glitch is not a witness; the same within a second is the same glitch."""
    bench = Witnesses(120_000)
    assert bench.judge(TRUTH_MS, 0).state is State.UNKNOWN
    bench.hear(says())
    bench.hear(says(at_ms=500))
    assert bench.judge(TRUTH_MS, 500).state is State.UNKNOWN
    bench.hear(says(at_ms=1_100))
    verdict = bench.judge(TRUTH_MS + 1_100, 1_100)
    assert (verdict.state, verdict.sources) == (State.RIGHT, ("bank",))
    assert verdict.offset_ms is not None
    assert abs(verdict.offset_ms) <= verdict.error_ms <= 1_200


def test_a_page_on_the_way_proves_nothing() -> None:
    """What a sign-in page is dated may raise doubt in a clock, never belief: a hotspot wrote it."""
    bench = Witnesses(120_000)
    for at_ms in (0, 2_000):
        bench.hear(replace(says("portal", at_ms=at_ms), kind=Kind.PROBE))
    wrong = bench.judge(TRUTH_MS + DAY_MS, 2_000)
    assert (wrong.state, wrong.proof) == (State.WRONG, None)
    assert bench.judge(TRUTH_MS + 2_000, 2_000).proof is None
    twice(bench)
    assert bench.judge(TRUTH_MS + 2_000, 2_000).proof is not None


def test_two_witnesses_agree_at_once() -> None:
    """Each said it once; together they know it better than either."""
    bench = Witnesses(120_000)
    bench.hear(says("a"))
    bench.hear(says("b", off_ms=700))
    verdict = bench.judge(TRUTH_MS, 0)
    assert (verdict.state, verdict.sources) == (State.RIGHT, ("a", "b"))
    assert verdict.error_ms < says().error_ms


@pytest.mark.parametrize(
    ("ahead_ms", "state"),
    [(0, State.RIGHT), (119_000, State.RIGHT), (125_000, State.WRONG), (-125_000, State.WRONG)],
)
def test_wrong_begins_at_the_limit(ahead_ms: int, state: State) -> None:
    """In both directions, and only beyond what the witnesses themselves may be off."""
    bench = Witnesses(120_000)
    twice(bench)
    verdict = bench.judge(TRUTH_MS + 2_000 + ahead_ms, 2_000)
    assert verdict.state is state
    assert verdict.offset_ms is not None
    assert abs(verdict.offset_ms - ahead_ms) <= verdict.error_ms


def test_a_statement_outlives_a_step_of_the_clock() -> None:
    """It was about boot time: set right, the clock is right at once and nobody is asked again."""
    bench = Witnesses(120_000)
    twice(bench)
    assert bench.judge(TRUTH_MS + 400 * DAY_MS, 60_000).state is State.WRONG
    assert bench.judge(TRUTH_MS + 60_000, 60_000).state is State.RIGHT


def test_one_against_two_is_outvoted_and_one_against_one_is_a_dispute() -> None:
    """A host with a wrong clock alarms nobody while others contradict it."""
    bench = Witnesses(120_000)
    twice(bench, "liar", off_ms=DAY_MS)
    bench.hear(says("a", at_ms=2_000))
    disputed = bench.judge(TRUTH_MS + 2_000, 2_000)
    assert (disputed.state, disputed.proof) == (State.DISPUTED, None)
    bench.hear(says("b", at_ms=2_000))
    verdict = bench.judge(TRUTH_MS + 2_000, 2_000)
    assert (verdict.state, verdict.sources, verdict.against) == (
        State.RIGHT, ("a", "b"), ("liar",),
    )  # fmt: skip


def test_who_contradicts_himself_begins_anew() -> None:
    """A host whose clock was set has to say it twice again."""
    bench = Witnesses(120_000)
    twice(bench)
    bench.hear(says(off_ms=DAY_MS, at_ms=4_000))
    assert bench.judge(TRUTH_MS, 4_000).state is State.UNKNOWN


def test_statements_age_and_are_dropped() -> None:
    """A crystal drifts: after a day nothing said before counts."""
    bench = Witnesses(120_000)
    twice(bench)
    old = bench.judge(TRUTH_MS + KEEP_MS, KEEP_MS)
    assert old.error_ms >= KEEP_MS * DRIFT_PPM // 1_000_000
    assert bench.judge(TRUTH_MS + KEEP_MS + 3_000, KEEP_MS + 3_000).state is State.UNKNOWN


def test_the_more_exact_word_is_kept() -> None:
    """A slow answer after a quick one does not blur it."""
    bench = Witnesses(120_000)
    bench.hear(says(took_ms=100))
    bench.hear(says(at_ms=2_000, took_ms=30_000))
    assert bench.judge(TRUTH_MS + 2_000, 2_000).error_ms < 1_000


def test_a_forgotten_witness_does_not_count_and_too_many_push_out_the_oldest() -> None:
    """The kernel loses its synchronisation; nobody can fill the memory."""
    bench = Witnesses(120_000)
    twice(bench)
    bench.forget("bank")
    bench.forget("nobody")
    assert bench.judge(TRUTH_MS, 2_000).state is State.UNKNOWN
    for number in range(MOST + 3):
        bench.hear(says(f"s{number:02}", at_ms=number))
    sources = bench.judge(TRUTH_MS, MOST).sources
    assert len(sources) == MOST
    assert "s00" not in sources


def test_without_a_year_a_clock_can_be_wrong_but_not_proved_right() -> None:
    """Fields 12 and 13 name no year: in agreement the year is the terminal's own word."""
    bench = Witnesses(120_000)
    twice(bench, years=False)
    right = bench.judge(TRUTH_MS + 2_000, 2_000)
    assert (right.state, right.proof) == (State.RIGHT, None)
    wrong = bench.judge(TRUTH_MS + 2_000 + 8 * 3_600_000, 2_000)
    assert wrong.state is State.WRONG
    assert wrong.proof is not None


@pytest.mark.parametrize(
    ("off_ms", "agrees"),
    [(0, True), (365 * DAY_MS, True), (-365 * DAY_MS, True), (40 * DAY_MS, False)],
)
def test_a_yearless_word_stands_by_a_dated_one_in_any_year(off_ms: int, agrees: bool) -> None:
    """It was placed in the year of a clock that was a year off."""
    bench = Witnesses(120_000)
    twice(bench)
    bench.hear(says("acquirer", off_ms=off_ms, at_ms=2_000, years=False))
    verdict = bench.judge(TRUTH_MS + 2_000, 2_000)
    assert ("acquirer" in verdict.sources) is agrees
    assert ("acquirer" in verdict.against) is not agrees


def test_a_yearless_word_on_29_february() -> None:
    """The day that most years do not have is compared all the same."""
    leap = to_ms(datetime(2028, 2, 29, 12, tzinfo=UTC))
    bench = Witnesses(120_000)
    for at_ms in (0, 2_000):
        bench.hear(says(off_ms=leap - TRUTH_MS, at_ms=at_ms))
        bench.hear(says("acquirer", off_ms=leap - TRUTH_MS, at_ms=at_ms, years=False))
    assert bench.judge(leap, 2_000).sources == ("acquirer", "bank")


@pytest.mark.parametrize("year", [1, 1970, 2099, 9999])
def test_who_names_an_impossible_time_is_no_witness(year: int) -> None:
    """A router that woke up in 1970 proves nothing: this software was not built then."""
    absurd = to_ms(datetime(year, 1, 1, tzinfo=UTC))
    bench = Witnesses(120_000)
    for at_ms in (0, 2_000):
        bench.hear(says(off_ms=absurd - TRUTH_MS, at_ms=at_ms))
    assert bench.judge(TRUTH_MS + 2_000, 2_000).state is State.UNKNOWN
    for at_ms in (2_000, 4_000):
        bench.hear(says("acquirer", at_ms=at_ms, years=False))
    assert bench.judge(TRUTH_MS + 4_000, 4_000).state is State.RIGHT


def test_fields_12_and_13_are_read_in_the_year_that_is_nearest() -> None:
    """MMDD and hhmmss of UTC+8 around new year, and a day only leap years have."""
    new_year = to_ms(datetime(2026, 12, 31, 16, 0, 5, tzinfo=UTC))
    assert nearest_ms("0101", "000005", 480, new_year) == new_year
    assert nearest_ms("1231", "235955", 480, new_year) == new_year - 10_000
    leap = to_ms(datetime(2028, 2, 29, 4, 0, 0, tzinfo=UTC))
    assert nearest_ms("0229", "120000", 480, leap - 30 * DAY_MS) == leap


@pytest.mark.parametrize(
    ("month_day", "time"),
    [("", ""), ("1301", "000000"), ("0230", "000000"), ("0101", "250000"), ("01a1", "000000"),
     ("0101", "12345"), ("٠١٠١", "000000")],
)  # fmt: skip
def test_fields_that_are_no_time_are_none(month_day: str, time: str) -> None:
    """Whatever a host puts there."""
    assert nearest_ms(month_day, time, 480, TRUTH_MS) is None


@given(
    st.text(max_size=6), st.text(max_size=8), st.integers(-840, 840), st.integers(-(2**62), 2**62)
)
def test_no_fields_raise(month_day: str, time: str, zone_min: int, near_ms: int) -> None:
    """Nor any clock they are held against."""
    nearest_ms(month_day, time, zone_min, near_ms)


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.integers(-DAY_MS, DAY_MS), st.integers(0, 30_000)),
        max_size=12,
    ),
    st.integers(-DAY_MS, DAY_MS),
)
def test_whatever_is_said_a_verdict_is_consistent(
    said: list[tuple[str, int, int]], ahead_ms: int
) -> None:
    """A proof exists exactly where the state is settled, and agrees with it."""
    bench = Witnesses(120_000)
    for number, (source, off_ms, took_ms) in enumerate(said):
        bench.hear(says(source, off_ms=off_ms, at_ms=number * 1_500, took_ms=took_ms))
    now_ms = 20_000
    wall_ms = TRUTH_MS + now_ms + ahead_ms
    verdict = bench.judge(wall_ms, now_ms)
    assert (verdict.proof is not None) is (verdict.state in (State.RIGHT, State.WRONG))
    if verdict.proof is not None:
        assert believed(wall_ms, now_ms, 0, verdict.proof) is (verdict.state is State.RIGHT)


def test_a_proof_outweighs_what_was_seen_and_nothing_makes_the_build_date_younger() -> None:
    """Believed by witnesses alone, except before this software was built."""
    proof = Proof(base_ms=TRUTH_MS, within_ms=1_000)
    far_ms = TRUTH_MS + 20 * 365 * DAY_MS
    assert not believed(TRUTH_MS, 0, far_ms, None)
    assert believed(TRUTH_MS, 0, far_ms, proof)
    assert not believed(TRUTH_MS + 2_000, 0, 0, proof)
    yearless = Proof(base_ms=TRUTH_MS, within_ms=1_000, dated=False)
    assert believed(TRUTH_MS, 0, 0, yearless)
    assert not believed(TRUTH_MS, 0, far_ms, yearless)
    old = Proof(base_ms=BUILD_FLOOR_MS - DAY_MS, within_ms=1_000)
    assert not believed(BUILD_FLOOR_MS - DAY_MS, 0, 0, old)
