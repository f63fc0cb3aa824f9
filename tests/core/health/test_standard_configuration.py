"""The conditions of the payment app and of settings: each by its values, in its own words."""

from __future__ import annotations

import pytest

from agent.core.configuration.causes import GROUPS, Group
from agent.core.health.reading import Reading, Value
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Tracker
from tests.fakes import FakeClock

APP: dict[str, Value] = {
    "running": True, "hung": False, "crash_count": 0, "crash_limit": 3, "signed_on": True,
    "batch_overdue": False,
}  # fmt: skip
SETTINGS: dict[str, Value] = {f"{group.prefix}count": 0 for group in GROUPS}


def judged(component: str, values: dict[str, Value]) -> dict[str, bool | None]:
    return {one.code: sign.judge(values) for one, sign in STANDARD.judged_by(component)}


@pytest.mark.parametrize(("component", "fine"), [("payment_app", APP), ("configuration", SETTINGS)])
def test_a_healthy_reading_settles_everything_and_an_empty_one_nothing(
    component: str, fine: dict[str, Value]
) -> None:
    """False is not the same as not known."""
    assert set(judged(component, fine).values()) == {False}
    assert set(judged(component, {}).values()) == {None}


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        ({"running": False}, "software.app_stopped"),
        ({"hung": True}, "software.app_stopped"),
        ({"crash_count": 3}, "software.app_crashing"),
        ({"signed_on": False}, "config.not_signed_on"),
        ({"batch_overdue": True}, "settlement.batch_not_closed"),
    ],
)
def test_each_trouble_of_the_app_is_its_own_condition(broken: dict[str, Value], code: str) -> None:
    """And no other."""
    told = judged("payment_app", {**APP, **broken})
    assert [one for one, truth in told.items() if truth] == [code]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.code)
def test_each_difference_is_its_own_condition_in_its_own_words(group: Group) -> None:
    """What stands under its prefix, without the prefix; not those of another."""
    other = "mode_" if group.prefix != "mode_" else "limit_"
    values: dict[str, Value] = {
        **SETTINGS, f"{group.prefix}count": 2,
        **{f"{group.prefix}{name}": f"its {name}" for name in group.args},
        f"{other}expected": "of another",
    }  # fmt: skip
    assert [one for one, truth in judged("configuration", values).items() if truth] == [group.code]
    sign = STANDARD[group.code].sign_of("configuration")
    assert sign is not None
    assert sign.shown(values) == {name: f"its {name}" for name in group.args}


def test_a_wrong_setting_is_shown_with_the_network_down() -> None:
    """It is no consequence of that: it stands in a file."""
    clock = FakeClock()
    tracker = Tracker(STANDARD, clock.now())
    clock.advance(60)
    tracker.observe("connectivity", Reading({"carrier": "failed"}), 1, clock.now())
    wrong = Reading({**SETTINGS, "mismatch_count": 1, "mismatch_expected": "M1"})
    for _ in range(2):
        tracker.observe("configuration", wrong, 1, clock.now())
        clock.advance(60)
    alarms = {one.code: one for one in tracker.alarms()}
    assert alarms["config.merchant_mismatch"].suppressed_by == ""
    assert alarms["config.merchant_mismatch"].args == {"expected": "M1"}
