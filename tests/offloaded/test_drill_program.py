"""Both halves of a drill in one process: what was killed is found, delivered once and removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent.offloaded import drill


def head(half: str, folder: Path, records: int = 6) -> list[bytes]:
    told = {"half": half, "folder": str(folder), "number": 4, "records": records}
    return [json.dumps(told).encode()]


def delivered(folder: Path, records: int = 6) -> dict[str, dict[str, Any]]:
    steps = [json.loads(line) for line in drill.answer(head("deliver", folder, records))]
    return {step["step"]: step["facts"] for step in steps}


@pytest.fixture
def accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A journal of eight records that nobody killed: the process went on until it ended."""
    monkeypatch.setattr(drill, "MOST_MORE", 3)
    monkeypatch.setattr(drill, "PACE_S", 0.0)
    folder = tmp_path / "drill"
    said = [json.loads(line) for line in drill.answer(head("accept", folder))]
    assert [one["accepted"] for one in said] == list(range(1, 9))
    return folder


def test_one_that_was_not_killed_shows_nothing(accepted: Path) -> None:
    """A clean end is not what was to be shown, so nothing after it is done."""
    steps = delivered(accepted)
    assert list(steps) == ["reopen"]
    assert (steps["reopen"]["good"], steps["reopen"]["clean_start"]) == (False, True)


def test_a_record_that_is_missing_is_counted(accepted: Path) -> None:
    """More were confirmed than are there: the rig notices."""
    steps = delivered(accepted, records=20)
    assert (steps["reopen"]["good"], steps["reopen"]["missing"]) == (False, 12)


def test_another_drills_records_are_not_taken_for_its_own(accepted: Path) -> None:
    """Keys bear the number of their drill."""
    told = json.loads(head("deliver", accepted)[0]) | {"number": 5}
    first = json.loads(next(drill.answer([json.dumps(told).encode()])))
    assert first["facts"]["missing"] == 6
