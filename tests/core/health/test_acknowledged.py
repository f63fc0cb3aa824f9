"""Somebody took note of an alarm: that hides nothing, and ends with the alarm."""

from __future__ import annotations

from dataclasses import replace

from agent.core.health.conditions import Catalogue, Condition, Severity, Sign, holds
from agent.core.health.noting import Wish
from agent.core.health.reading import Reading
from agent.core.health.tracker import Tracker, What
from tests.fakes import FakeClock

CATALOGUE = Catalogue(
    [
        Condition(
            code="dev.out",
            severity=Severity.MAJOR,
            signs=(Sign(component="dev", judge=holds("out"), args=()),),
            visible_after_s=0,
            clear_after_s=0,
        )
    ],
    silent="dev.out",
)


def standing() -> tuple[Tracker, FakeClock]:
    clock = FakeClock()
    tracker = Tracker(CATALOGUE, clock.now())
    clock.advance(10)
    tracker.observe("dev", Reading(values={"out": True}), 1, clock.now())
    return tracker, clock


def test_an_acknowledgement_stands_beside_the_alarm_until_it_ends() -> None:
    """The first who took note stays; it is kept over a restart; the next alarm has none."""
    tracker, clock = standing()
    assert tracker.acknowledge("dev.in", "uid:0", clock.now()) is None, "it is not open"
    noted = tracker.acknowledge("dev.out", "fleet:ops", clock.now())
    assert noted is not None
    assert noted.what is What.NOTED
    again = tracker.acknowledge("dev.out", "uid:0", clock.now())
    assert again == noted
    (alarm,) = tracker.alarms()
    assert (alarm.acknowledged_by, alarm.acknowledged_at) == ("fleet:ops", clock.now().at)
    restarted = Tracker(CATALOGUE, clock.now())
    restarted.restore(tracker.snapshot(), ["dev"], clock.now())
    assert restarted.alarms()[0].acknowledged_by == "fleet:ops"
    restarted.observe("dev", Reading(values={"out": False}), 1, clock.now())
    clock.advance(10)
    restarted.observe("dev", Reading(values={"out": True}), 1, clock.now())
    assert restarted.alarms()[0].acknowledged_by == ""


def test_it_is_handed_over_with_a_note_and_taken_back() -> None:
    """What is said more replaces what stood there; the alarm itself stays as visible as before."""
    tracker, clock = standing()
    tracker.acknowledge("dev.out", "uid:0", clock.now())
    tracker.acknowledge("dev.out", "fleet:ops", clock.now(), Wish(text="roll ordered", to="Li"))
    (alarm,) = tracker.alarms()
    assert (alarm.acknowledged_by, alarm.acknowledged_to) == ("fleet:ops", "Li")
    assert (alarm.acknowledged_note, alarm.acknowledged_until) == ("roll ordered", None)
    assert alarm.shown_at is not None
    assert alarm.suppressed_by == ""
    released = tracker.acknowledge("dev.out", "uid:0", clock.now(), None)
    assert released is not None
    assert released.what is What.RELEASED
    assert tracker.alarms()[0].acknowledged_by == tracker.alarms()[0].acknowledged_to == ""
    assert tracker.acknowledge("dev.in", "uid:0", clock.now(), None) is None


def test_it_ends_when_its_time_is_over_by_a_clock_that_is_believed() -> None:
    """Not by one that is not; also over a restart, and people hear of it."""
    tracker, clock = standing()
    until_ms = clock.now().wall_ms + 60_000
    tracker.acknowledge("dev.out", "uid:0", clock.now(), Wish(until_ms=until_ms))
    restarted = Tracker(CATALOGUE, clock.now())
    restarted.restore(tracker.snapshot(), ["dev"], clock.now())
    clock.advance(59)
    assert not [one for one in restarted.tick(clock.now()) if one.what is What.RELEASED]
    (alarm,) = restarted.alarms()
    assert alarm.acknowledged_until is not None
    assert alarm.acknowledged_by == "uid:0"
    clock.advance(1)
    assert not [
        one
        for one in restarted.tick(replace(clock.now(), trusted=False))
        if one.what is What.RELEASED
    ]
    (change,) = restarted.tick(clock.now())
    assert (change.what, change.alarm.acknowledged_by) == (What.RELEASED, "")
    assert restarted.tick(clock.now()) == []
