"""What a keypad can have, over time: recorded early, shown late, cleared when it is over."""

from __future__ import annotations

import pytest

from agent.core.health.reading import NotObservable, Reading, Unknown, Value
from agent.core.health.standard import STANDARD
from agent.core.health.standard_keypad import KEYPAD
from agent.core.health.tracker import Change, Tracker, What
from agent.core.why.causes import CATALOGUE
from tests.fakes import FakeClock

FINE: dict[str, Value] = {
    "present": True,
    "stuck": "no",
    "bounces_last_minute": 0,
    "losses": 0,
    "dead_keys": 0,
    "tampered": False,
}


def raised(values: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("keypad") if sign.judge(values)}


def untold(values: dict[str, Value]) -> set[str]:
    return {one.code for one, sign in STANDARD.judged_by("keypad") if sign.judge(values) is None}


@pytest.mark.parametrize(
    ("broken", "codes"),
    [
        ({}, set()),
        ({"stuck": "suspected"}, {"keypad.stuck_key"}),
        ({"stuck": "confirmed"}, {"keypad.stuck_key"}),
        ({"bounces_last_minute": 2}, set()),
        ({"bounces_last_minute": 3}, {"keypad.chatter"}),
        ({"dead_keys": 1}, {"keypad.dead_keys"}),
        ({"present": False}, {"keypad.disconnected"}),
        ({"losses": 99}, set()),
        ({"tampered": True}, {"security.tampered"}),
    ],
)
def test_each_trouble_raises_its_own_condition(broken: dict[str, Value], codes: set[str]) -> None:
    """One thing wrong raises exactly the code that names it; a full reading settles all."""
    assert raised({**FINE, **broken}) == codes
    assert untold({**FINE, **broken}) == set()


def test_what_is_not_told_is_not_fine() -> None:
    """Gone, or hidden while a PIN is entered: nothing is claimed of keys nobody sees."""
    of_keys = {"keypad.stuck_key", "keypad.chatter", "keypad.dead_keys", "security.tampered"}
    assert untold({"present": False}) == of_keys
    assert untold({"present": True, "paused": True}) == of_keys
    assert untold({}) == of_keys | {"keypad.disconnected"}


def test_all_follow_from_its_absence_and_have_texts() -> None:
    """A keypad that is gone is one alarm; every code is a cause with its texts."""
    for one in KEYPAD:
        assert one.code in CATALOGUE
        assert one.code == "keypad.disconnected" or one.depends_on == ("keypad.disconnected",)


class Story:
    """A tracker told a reading every five seconds."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.tracker = Tracker(STANDARD, self.clock.now(), {"keypad": 5.0})
        self.changes: list[tuple[float, Change]] = []
        self._start_ms = self.clock.boot_ms

    @property
    def at_s(self) -> float:
        return (self.clock.boot_ms - self._start_ms) / 1000

    def tell(self, outcome: Reading | Unknown | NotObservable, seconds: float) -> None:
        ends_s = self.at_s + seconds
        while self.at_s < ends_s:
            now = self.clock.now()
            for change in self.tracker.observe("keypad", outcome, 0, now):
                self.changes.append((self.at_s, change))
            self.clock.advance(5.0)

    def when(self, what: What, code: str) -> list[float]:
        return [at for at, one in self.changes if (one.what, one.code) == (what, code)]


def reading(**changes: Value) -> Reading:
    return Reading(values={**FINE, **changes})


def test_a_stuck_key_is_recorded_after_10_s_and_shown_after_30() -> None:
    """The watcher says so from the tenth second on; people hear of it in the thirtieth."""
    story = Story()
    story.tell(reading(), 10)  # pressed at 0
    story.tell(reading(stuck="suspected", key_class="digit"), 20)
    story.tell(reading(stuck="confirmed", key_class="digit"), 30)
    assert story.when(What.BEGAN, "keypad.stuck_key") == [10.0]
    assert story.when(What.SHOWN, "keypad.stuck_key") == [30.0]
    [alarm] = story.tracker.alarms()
    assert alarm.args == {"key_class": "digit"}
    cause = CATALOGUE["keypad.stuck_key"]
    assert "(digit)" in cause.step.render("en", alarm.args)
    assert "（数字键）" in cause.step.render("zh", alarm.args)
    story.tell(reading(), 30)
    assert story.when(What.CLEARED, "keypad.stuck_key") == [80.0]


def test_a_bag_on_the_counter_is_recorded_and_not_shown() -> None:
    """A key held for 25 s."""
    story = Story()
    story.tell(reading(stuck="suspected"), 15)
    story.tell(reading(), 60)
    assert story.when(What.BEGAN, "keypad.stuck_key")
    assert story.when(What.ENDED, "keypad.stuck_key")
    assert not story.when(What.SHOWN, "keypad.stuck_key")


def test_entering_a_pin_does_not_clear_a_stuck_key() -> None:
    """While hidden nothing is known; afterwards it is stuck for ten seconds anew."""
    story = Story()
    story.tell(reading(stuck="confirmed"), 60)
    story.tell(Reading(values={"present": True, "paused": True}), 30)
    assert story.tracker.alarms()
    story.tell(reading(), 10)
    story.tell(reading(stuck="suspected"), 10)
    assert not story.when(What.CLEARED, "keypad.stuck_key")
    assert story.when(What.SHOWN, "keypad.stuck_key") == [20.0]


def test_a_plug_moved_for_a_moment_alarms_nobody() -> None:
    """Five seconds away: recorded. Fifteen: shown, and cleared soon after its return."""
    story = Story()
    story.tell(reading(), 10)
    story.tell(Reading(values={"present": False}), 5)
    story.tell(reading(), 30)
    assert story.when(What.BEGAN, "keypad.disconnected")
    assert not story.when(What.SHOWN, "keypad.disconnected")
    back_s = story.at_s + 15
    story.tell(Reading(values={"present": False}), 15)
    story.tell(reading(), 30)
    assert story.when(What.SHOWN, "keypad.disconnected")
    assert story.when(What.CLEARED, "keypad.disconnected") == [back_s + 5]


def test_a_missing_right_is_not_the_keypads_fault() -> None:
    """Unknown raises the agent's own impairment, never `keypad gone`."""
    story = Story()
    story.tell(Unknown("no right to read"), 60)
    assert {one.code for one in story.tracker.alarms()} == {"software.agent_degraded"}


def test_a_pin_pad_has_no_trouble() -> None:
    """What is never read is never wrong."""
    story = Story()
    story.tell(NotObservable("a PIN pad is never read"), 60)
    assert story.tracker.alarms() == []
