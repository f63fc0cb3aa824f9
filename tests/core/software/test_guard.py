"""What holds an update back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.core.software.guard import Limits, Situation, holds

QUIET = Situation(
    unsent=0, in_doubt=0, oldest_age_s=None, battery_percent=None, charging=None, minute=600
)


@pytest.mark.parametrize(
    ("limits", "changed", "held"),
    [
        ({}, {}, []),
        ({}, {"unsent": 1}, ["unsent"]),
        ({"unsent_max": 3}, {"unsent": 3}, []),
        ({"unsent_max": 3}, {"unsent": 4}, ["unsent"]),
        ({"unsent_max": 3, "unsent_max_age_s": 60}, {"unsent": 1, "oldest_age_s": 61.0},
         ["unsent_age"]),
        ({"unsent_max": 3, "unsent_max_age_s": 60}, {"unsent": 1, "oldest_age_s": 9.0}, []),
        ({"unsent_max": 3}, {"unsent": 1, "in_doubt": 1}, ["in_doubt"]),
        ({}, {"unsent": None}, ["backlog_unknown"]),
        ({}, {"in_doubt": None}, ["backlog_unknown"]),
        ({}, {"battery_percent": 29.0}, ["battery"]),
        ({}, {"battery_percent": 29.0, "charging": True}, []),
        ({}, {"battery_percent": 29.0, "charging": False}, ["battery"]),
        ({}, {"battery_percent": 30.0}, []),
        ({"window": (120, 300)}, {}, ["window"]),
        ({"window": (540, 660)}, {}, []),
        ({"window": (1380, 120)}, {"minute": 1400}, []),
        ({"window": (1380, 120)}, {"minute": 60}, []),
        ({"window": (1380, 120)}, {"minute": 600}, ["window"]),
        ({"window": (540, 660)}, {"minute": None}, ["clock"]),
        ({}, {"minute": None}, []),
        ({"window": (120, 300)}, {"unsent": 2, "battery_percent": 1.0},
         ["unsent", "battery", "window"]),
    ],
)  # fmt: skip
def test_what_holds(limits: dict[str, object], changed: dict[str, object], held: list[str]) -> None:
    """Unsent or doubtful money, an empty battery, the wrong hour – and each says so."""
    found = holds(Limits(**limits), replace(QUIET, **changed))  # type: ignore[arg-type]
    assert [one.word for one in found] == held
    for one in found:
        for lang in ("zh", "en"):
            assert "{" not in one.sentence(lang)


def test_a_technician_may_set_the_hour_aside() -> None:
    """But neither money nor the battery."""
    now = replace(QUIET, unsent=1, minute=None)
    found = holds(Limits(window=(0, 1)), now, any_time=True)
    assert [one.word for one in found] == ["unsent"]
