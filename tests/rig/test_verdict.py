"""What makes a run of the rig green, without the virtual machine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.rig.report import Run, table, written


def row(**changes: Any) -> dict[str, Any]:
    """A check that held."""
    return {
        "kind": "row",
        "name": "paper out, USB",
        "injected": "the roll is empty",
        "component": "printer",
        "wanted": "event printer.paper_out",
        "watched": True,
        "well": True,
        "limit_s": 90.0,
        "already": False,
        "seen_s": 4.4,
        "as_what": "paper out",
        "told_s": 9.4,
        "message": "printer.paper_out (major), seq 3",
        "cleared_s": 9.9,
    } | changes


NOTHING = {"seen_s": None, "as_what": "", "told_s": None, "message": "", "cleared_s": None}
CONTROL = row(watched=False, **NOTHING)


def heard(*results: dict[str, Any]) -> Run:
    run = Run()
    for result in results:
        run.heard(result)
    return run


def test_all_checks_held_and_the_control_failed_is_green() -> None:
    """The one way to be green."""
    run = heard(row(), CONTROL, {"kind": "end", "rows": 2})
    assert run.problems() == []
    assert "**Green**: 2 rows" in written(run)
    assert "printer.paper_out (major), seq 3" in table(run)


@pytest.mark.parametrize(
    ("results", "complaint"),
    [
        ([row(well=False, told_s=None, cleared_s=None), CONTROL], "not published as event"),
        ([row(well=False, already=True), CONTROL], "already before anything"),
        ([row(well=False, cleared_s=None), CONTROL], "its end not published"),
        ([row(), row(watched=False, well=False)], "found without a watcher"),
        ([row(), row(name="other")], "no control was run"),
        ([CONTROL, CONTROL], "nothing was checked"),
        ([row(), CONTROL, {"kind": "unsettled", "scene": "x", "text": "no"}], "not well between"),
        ([row(), CONTROL, {"kind": "module", "name": "usblp", "complaint": "absent"}], "usblp"),
        ([row(), CONTROL, {"kind": "left", "restarts": 1, "memory_kb": 1}], "start the daemon"),
        ([row(), CONTROL, {"kind": "broken", "text": "a\nRigError: b", "log": ""}], "RigError: b"),
    ],
)
def test_everything_else_is_not_green_and_says_why(
    results: list[dict[str, Any]], complaint: str
) -> None:
    """A row that is bad, a control that found something, a guest that had trouble."""
    run = heard(*results, {"kind": "end", "rows": 2})
    assert [each for each in run.problems() if complaint in each]
    assert "**Not green**" in written(run)
    assert complaint in table(run)


def test_what_did_not_report_is_missed() -> None:
    """A guest that died, or a line of it that was lost, is no success."""
    assert "the guest did not come to its end" in heard(row(), CONTROL).problems()
    lost = heard(row(), CONTROL, {"kind": "end", "rows": 3}).problems()
    assert lost == ["3 checks were tried, 2 reported"]
