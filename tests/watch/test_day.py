"""A day of simulated time with faulty printers: no alarm false, missed or stuck.

The long form, with a report, is `python -m tests.hardware.day`.
"""

from __future__ import annotations

import pytest

from agent.core.health.reading import Outcome, Reading, Unknown
from tests.hardware.day import TERMINALS, Tally, Terminal, as_text, descriptors, spend

HOURS, PERIOD_S = 3.5, 30.0


def test_days_of_faults_are_told_rightly(capsys: pytest.CaptureFixture[str]) -> None:
    """Every dialect and connection: what is wrong is shown, nothing else is, no handle leaks."""
    spend(TERMINALS[0], 0.2, PERIOD_S, "imports")
    before = descriptors()
    tallies = [spend(terminal, HOURS, PERIOD_S, f"fast {terminal}") for terminal in TERMINALS]
    leaked = descriptors() - before
    with capsys.disabled():
        print(f"\n{as_text(tallies, leaked)}")
    assert [bad for one in tallies for bad in one.bad] == []
    assert leaked == 0
    assert sum(one.hours for one in tallies) > 24
    for one in tallies:
        assert one.right.total() >= 3
        assert one.outcomes["Unknown"] > 0
        assert one.outcomes["Reading"] > one.reads / 2


def one_day(twist: object) -> Tally:
    terminal = Terminal(dialect="escpos", connection="serial line")
    return spend(terminal, 4.0, PERIOD_S, "control", twist)  # type: ignore[arg-type]


def test_the_judge_notices_a_watcher_that_makes_silence_a_fault() -> None:
    """Control: unknown turned into "no paper" is a false alarm, and the silence is missed."""

    def lie(outcome: Outcome) -> Outcome:
        return Reading({"paper": "out"}) if isinstance(outcome, Unknown) else outcome

    tally = one_day(lie)
    assert any("printer.paper_out" in false for false in tally.false)
    assert tally.missed


def test_the_judge_notices_a_watcher_that_is_deaf() -> None:
    """Control: a watcher that says all is well whatever the printer says misses everything."""

    def deny(_outcome: Outcome) -> Outcome:
        return Reading({"online": True, "offline": False, "paper": "ok", "cover_open": False})

    tally = one_day(deny)
    assert tally.missed
    assert not tally.right


def test_the_judge_notices_a_watcher_that_never_recovers() -> None:
    """Control: a fault that is told for ever is stuck, or false once it is somebody else's turn."""
    kept: list[Outcome] = []

    def cling(outcome: Outcome) -> Outcome:
        if isinstance(outcome, Reading) and outcome.values.get("cover_open"):
            kept.append(outcome)
        return kept[0] if kept else outcome

    tally = one_day(cling)
    assert tally.stuck
