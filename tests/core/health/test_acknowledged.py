"""Somebody took note of an alarm: that hides nothing, and ends with the alarm."""

from __future__ import annotations

from agent.core.health.conditions import Catalogue, Condition, Severity, Sign, holds
from agent.core.health.reading import Reading
from agent.core.health.tracker import Tracker
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


def test_an_acknowledgement_stands_beside_the_alarm_until_it_ends() -> None:
    """The first who took note stays; it is kept over a restart; the next alarm has none."""
    clock = FakeClock()
    tracker = Tracker(CATALOGUE, clock.now())
    assert tracker.acknowledge("dev.out", "uid:0", clock.now()) is None, "it is not open"
    clock.advance(10)
    tracker.observe("dev", Reading(values={"out": True}), 1, clock.now())
    noted = tracker.acknowledge("dev.out", "fleet:ops", clock.now())
    assert noted is not None
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
