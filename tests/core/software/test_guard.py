"""What holds an update back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.core.software.guard import Hold, Limits, Policy, Situation, given_up, holds

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


@pytest.mark.parametrize(
    ("limits", "words", "waited_s", "ends"),
    [
        ({}, ["unsent"], 1e9, ""),
        ({"policy": "refuse"}, ["unsent", "battery"], 0.0, "refused: payments not yet sent: 2"),
        ({"policy": "refuse"}, ["battery"], 0.0, ""),
        ({"wait_s": 60.0}, ["in_doubt"], 59.0, ""),
        ({"wait_s": 60.0}, ["in_doubt"], 60.0,
         "waited 60 s in vain: payments whose outcome is unknown: 2"),
    ],
)  # fmt: skip
def test_money_ends_the_waiting_only_where_it_is_said(
    limits: dict[str, Any], words: list[str], waited_s: float, ends: str
) -> None:
    """For ever by default; at once, or after its time."""
    held = [Hold(word=word, found="2") for word in words]
    assert given_up(Limits(**limits), held, waited_s) == ends


def test_where_money_is_allowed_it_holds_nothing() -> None:
    """Not even where it cannot be told: the journal is carried over whatever is in it."""
    for now in (replace(QUIET, unsent=9, in_doubt=1), replace(QUIET, unsent=None)):
        assert holds(Limits(policy=Policy.ALLOW), now) == ()
