"""What is worth a message, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.fleet.deltas import BacklogEdges, Readings, moved
from agent.core.health.reading import Value
from agent.core.moment import Moment
from agent.core.money.journal import Amounts, Backlog, State
from tests.fakes import FakeClock

AT = FakeClock().now()
NONE = Amounts()
SUSPECT = Moment(wall_ms=1_000, boot_ms=5, boot_id="b", trusted=False)


@pytest.mark.parametrize(
    ("name", "old", "new", "news"),
    [
        ("printer_paper", "ok", "out", True),
        ("printer_paper", "ok", "ok", False),
        ("printer_cover_open", False, True, True),
        ("printer_cover_open", 0, False, True),
        ("system_battery_percent", 86, 83, False),
        ("system_battery_percent", 86, 81, True),
        ("connectivity_signal_dbm", -91, -88, False),
        ("connectivity_signal_dbm", -91, -101, True),
        ("system_uptime_s", 60, 90_000, False),
        ("uplink_last_success_s_ago", 60, 90_000, False),
        ("uplink_retry_at", "2026-11-22T00:41:47+00:00", "2026-11-22T00:41:52+00:00", False),
        ("uplink_retry_at", None, "2026-11-22T00:41:52+00:00", True),
        ("uplink_retry_at", "2026-11-22T00:41:52+00:00", None, True),
        ("connectivity_latency_ms", 80, 120, False),
        ("connectivity_latency_ms", 80, 400, True),
        ("system_storage_free_mb", 1_204, 1_190, False),
        ("system_storage_free_mb", 1_204, 900, True),
        ("printer_faults", 0, 1, True),
        ("printer_faults", 100, 101, False),
        ("printer_faults", 100, None, True),
        ("printer_faults", None, 3, True),
    ],
)
def test_only_what_moved_by_its_unit_is_news(name: str, old: Value, new: Value, news: bool) -> None:
    """Words and switches always, numbers by a step that belongs to their unit."""
    assert moved(name, old, new) is news


def test_small_moves_add_up_against_what_was_sent() -> None:
    """Hysteresis is against the value the fleet has, so a slow drift is told in the end."""
    told = Readings()
    told.told({"battery_percent": 86}, (), (), full=True)
    assert told.difference({"battery_percent": 83}) == {}
    assert told.difference({"battery_percent": 80}) == {"battery_percent": 80}


def test_new_and_vanished_fields_are_told() -> None:
    """A value that is no longer known is null once, not silently old."""
    told = Readings()
    told.told({"printer": "ok", "printer_paper": "ok", "gone": None}, ("a.b",), ("a.b",), full=True)
    difference = told.difference({"printer": "unknown", "scanner": "ok"})
    assert difference == {"printer": "unknown", "scanner": "ok", "printer_paper": None}
    assert told.acknowledged == ("a.b",)
    told.told(difference, (), (), full=False)
    assert told.acknowledged == ()
    assert told.difference({"printer": "unknown", "scanner": "ok"}) == {}
    assert told.alarms == ()


def facts(
    count: int,
    age_s: float = 120.0,
    *,
    sum_minor: int | None = None,
    held: int = 0,
    cause: str = "host.timeout",
    quarantined: Amounts | None = NONE,
) -> Backlog:
    total = Amounts(
        count=count, by_currency={"CNY": count * 1_000 if sum_minor is None else sum_minor}
    )
    return Backlog(
        total=total,
        by_state={},
        in_doubt=Amounts(),
        held=Amounts(count=held),
        quarantined=quarantined,
        oldest_at=AT.at - timedelta(seconds=age_s) if count else None,
        by_cause={cause: count} if count else {},
    )


def told(first: Backlog) -> BacklogEdges:
    edges = BacklogEdges(60.0)
    assert edges.edge(first, AT)
    edges.told(first, AT)
    return edges


def test_the_first_look_is_always_told() -> None:
    """After a restart the fleet may believe in a backlog that is long gone."""
    assert BacklogEdges(60.0).edge(facts(0), AT)


def test_payments_on_their_way_are_not_news() -> None:
    """On a busy counter the backlog is 0, 1, 0, 1 all day."""
    edges = told(facts(0))
    assert not edges.edge(facts(1, 3.0), AT)
    assert not edges.edge(facts(9, 59.0), AT)


def test_stuck_worse_better_and_gone_are_news() -> None:
    """Stuck for a minute, doubled, halved, another cause, gone: each once."""
    edges = told(facts(0))
    assert edges.edge(facts(4), AT)
    edges.told(facts(4), AT)
    assert not edges.edge(facts(5), AT)
    assert not edges.edge(facts(7), AT)
    assert edges.edge(facts(8), AT)
    assert edges.edge(facts(2), AT)
    assert edges.edge(facts(4, sum_minor=9_000), AT)
    assert edges.edge(facts(4, cause="network.dns_failed"), AT)
    assert edges.edge(facts(0), AT)


def test_held_money_is_news_at_once() -> None:
    """What a person must act on does not wait for the minute; nor does quarantined money."""
    edges = told(facts(1, 3.0))
    assert edges.edge(facts(1, 3.0, held=1), AT)
    assert edges.edge(facts(1, 3.0, quarantined=None), AT)


def test_without_a_clock_unsent_money_counts_as_stuck() -> None:
    """An age nobody can know is not taken for short."""
    edges = told(facts(0))
    assert edges.edge(facts(1, 3.0), SUSPECT)


def test_a_retry_under_way_is_not_news() -> None:
    """Each attempt would be two messages: in doubt while it lasts, and not any more."""
    edges = told(facts(3))
    sending = replace(
        facts(3), in_doubt=Amounts(count=1), by_state={State.SENDING: Amounts(count=1)}
    )
    assert not edges.edge(sending, AT)
    assert edges.edge(replace(sending, by_state={}), AT)


def test_when_the_oldest_becomes_stuck_is_known_beforehand() -> None:
    """Nobody has to look every second for the moment a payment has waited a minute."""
    edges = BacklogEdges(60.0)
    assert not edges.known
    clock = FakeClock()
    young = replace(facts(0), total=Amounts(count=1), oldest_at=clock.now().at)
    assert edges.crosses_in_s(facts(0), clock.now()) is None
    clock.advance(20)
    assert edges.crosses_in_s(young, clock.now()) == 40
    edges.told(young, clock.now())
    assert edges.known
    clock.advance(40)
    assert edges.crosses_in_s(young, clock.now()) is None
    assert edges.edge(young, clock.now())
    clock.trusted = False
    assert edges.crosses_in_s(young, clock.now()) is None


def test_whatever_was_told_that_nothing_is_left_is_told_too() -> None:
    """The last word stays with the broker: it may not be one payment on its way for ever."""
    edges = told(facts(1, 3.0))
    assert not edges.edge(facts(2, 9.0), AT)
    assert edges.edge(facts(0), AT)
    edges.told(facts(0), AT)
    assert not edges.edge(facts(0), AT)


def test_only_what_lasts_is_said_again() -> None:
    """Stuck, held, in doubt or put aside; not a payment that is about to arrive."""
    edges = told(facts(0))
    assert not edges.lasting(facts(0), AT)
    assert not edges.lasting(facts(3, 9.0), AT)
    assert edges.lasting(facts(3), AT)
    assert edges.lasting(facts(1, 9.0, held=1), AT)
    assert edges.lasting(facts(0, quarantined=None), AT)
