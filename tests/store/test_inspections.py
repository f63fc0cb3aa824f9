"""Self-inspections outlive the daemon, and only the last ones are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.inspection.report import Check, Report, Trigger, Verdict
from agent.store.inspections import InspectionRows
from agent.store.opening import open_state
from tests.fakes import FakeClock
from tests.store.stores import OneFile

REPORT = Report(
    number=1,
    trigger=Trigger.SCHEDULE,
    actor="agent",
    started_ms=1,
    ended_ms=2,
    expected=("printer",),
    checks=(
        Check(
            name="printer",
            verdict=Verdict.FAIL,
            duration_ms=7,
            codes=("printer.paper_out",),
            args={"since": "昨天"},
            evidence={"paper": "out", "percent": 12.5, "open": False},
        ),
    ),
)


@pytest.fixture
def state(tmp_path: Path) -> Iterator[OneFile]:
    connection = open_state(tmp_path, FakeClock().now())
    yield OneFile(connection)
    connection.close()


def test_a_report_comes_back_as_it_was(state: OneFile) -> None:
    """By its number and as the latest."""
    rows = InspectionRows(state)
    assert asyncio.run(rows.next_number()) == 1
    asyncio.run(rows.add(REPORT, keep=5))
    assert asyncio.run(rows.one(1)) == REPORT
    assert asyncio.run(rows.latest(5)) == [REPORT]
    assert asyncio.run(rows.one(2)) is None
    assert asyncio.run(rows.next_number()) == 2


def test_only_the_last_ones_are_kept(state: OneFile) -> None:
    """A report a day fills no flash, and numbers are not used twice."""
    rows = InspectionRows(state)
    for number in range(1, 8):
        asyncio.run(rows.add(replace(REPORT, number=number), keep=3))
    assert [one.number for one in asyncio.run(rows.latest(100))] == [7, 6, 5]
    assert asyncio.run(rows.next_number()) == 8


def test_a_damaged_body_still_tells_when_it_was(state: OneFile) -> None:
    """What flash left of a row is not an error."""
    rows = InspectionRows(state)
    asyncio.run(rows.add(REPORT, keep=5))
    state.connection.execute("UPDATE inspection SET body = '{\"checks', trigger = 'x'")
    assert asyncio.run(rows.one(1)) == replace(
        REPORT, trigger=Trigger.ASKED, expected=(), checks=()
    )
