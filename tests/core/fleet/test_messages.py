"""The messages of the fleet contract, built from facts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from agent.core.fleet import messages
from agent.core.fleet.messages import RULES, Identity, Kind, Priority
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
    Value,
)
from agent.core.health.tracker import Alarm, Change, Severity, What
from agent.core.moment import Moment
from agent.core.money.journal import Amounts, Backlog, State
from tests.fakes import FakeClock

AT = FakeClock().now()
SUSPECT = Moment(wall_ms=1_000, boot_ms=5, boot_id="b", trusted=False)


@dataclass(frozen=True)
class Said:
    component: str
    outcome: Outcome


def an_alarm(code: str = "printer.paper_out", suppressed_by: str = "", flaps: int = 0) -> Alarm:
    args: dict[str, Value] = {"path": "/dev/ttyS1"}
    return Alarm(
        code=code,
        component="printer",
        severity=Severity.MAJOR,
        since_at=AT.at - timedelta(seconds=12),
        shown_at=AT.at,
        args=args,
        flaps=flaps,
        suppressed_by=suppressed_by,
    )


def a_backlog(**changed: object) -> Backlog:
    facts: dict[str, object] = {
        "total": Amounts(count=3, by_currency={"CNY": 3_750, "USD": 100}),
        "by_state": {State.QUEUED: Amounts(count=1), State.WAITING: Amounts(count=2)},
        "in_doubt": Amounts(count=1, by_currency={"CNY": 1_250}),
        "held": Amounts(),
        "quarantined": Amounts(),
        "oldest_at": AT.at - timedelta(seconds=95),
        "by_cause": {"network.dns_failed": 1, "host.timeout": 2, "": 9},
    }
    return Backlog(**(facts | changed))  # type: ignore[arg-type]


def test_topics_name_contract_tenant_device_and_kind() -> None:
    """Every message goes to pos/1/{tenant}/{device}/{kind}."""
    assert messages.topic("acme", "T-1", Kind.STATE) == "pos/1/acme/T-1/state"


def test_every_kind_has_a_rule_and_what_is_retained_is_true_until_told_otherwise() -> None:
    """All is QoS 1; a late subscriber gets who is there and where money is, not old readings."""
    assert set(RULES) == set(Kind)
    retained = {kind for kind, rule in RULES.items() if rule.retained}
    assert retained == {Kind.STATE, Kind.INFO, Kind.BACKLOG}
    assert {rule.qos for rule in RULES.values()} == {1}
    assert RULES[Kind.HEALTH].priority is Priority.READING


def test_info_carries_the_identity() -> None:
    """Site, terminals and merchants are attributes, not topic levels: terminals move."""
    identity = Identity(tenant="acme", device_id="T-1", site="S7", terminal_ids=("00000001",))
    message = messages.info(identity, AT)
    assert (message.ts, message.site, message.terminal_ids) == (AT.wall_ms, "S7", ("00000001",))
    assert message.clock_suspect is None
    assert messages.info(identity, SUSPECT).clock_suspect is True


@pytest.mark.parametrize(("what", "active"), [(What.SHOWN, True), (What.CLEARED, False)])
def test_events_are_what_people_were_told(what: What, active: bool) -> None:
    """A shown alarm and its clearing become events with code, severity, since and arguments."""
    change = Change(code="printer.paper_out", what=what, at=AT, alarm=an_alarm(flaps=2))
    message = messages.event(change)
    assert message is not None
    assert (message.code, message.severity, message.active) == (
        "printer.paper_out",
        "major",
        active,
    )
    assert message.since_ts == AT.wall_ms - 12_000
    assert message.flaps == 2
    assert message.suppressed_by is None
    assert message.fields == {"arg_path": "/dev/ttyS1"}


@pytest.mark.parametrize("what", [What.BEGAN, What.ENDED])
def test_what_nobody_was_shown_is_no_event(what: What) -> None:
    """A trouble too short to be shown does not cost a message."""
    assert messages.event(Change(code="x", what=what, at=AT, alarm=an_alarm())) is None


def test_readings_keep_unknown_apart_from_ok() -> None:
    """Each component is one word; only an answering one has values."""
    said = [
        Said("printer", Reading({"paper": "out"})),
        Said("keypad", NotFitted()),
        Said("pinpad", NotObservable("behind its own chip")),
        Said("scanner", Unknown("silent")),
    ]
    assert messages.readings(said) == {
        "printer": "ok",
        "printer_paper": "out",
        "keypad": "not_fitted",
        "pinpad": "not_observable",
        "scanner": "unknown",
    }


def test_readings_of_something_else_are_left_out() -> None:
    """An outcome this version does not know is not a fault."""
    assert messages.readings([Said("new", "later")]) == {}  # type: ignore[arg-type]


def test_only_root_alarms_are_listed() -> None:
    """A consequence of a broken dependency is not a second alarm."""
    noted = replace(an_alarm("z.b"), acknowledged_by="uid:1000")
    alarms = [noted, an_alarm("a.b"), an_alarm("m.n", suppressed_by="a.b")]
    assert messages.acknowledged(alarms) == ("z.b",)
    assert messages.root_alarms(alarms) == ("a.b", "z.b")


def test_backlog_in_counts_sums_age_and_cause() -> None:
    """Counts by state, sums by currency, the oldest age, and what most of it waits for."""
    message = messages.backlog(a_backlog(), AT, next_attempt_ms=AT.wall_ms + 5_000)
    assert (message.count, message.queued_count, message.waiting_count) == (3, 1, 2)
    assert message.sending_count == message.held_count == 0
    assert message.oldest_age_s == 95
    assert (message.cause, message.cause_count) == ("host.timeout", 2)
    assert message.next_attempt_ts == AT.wall_ms + 5_000
    assert message.fields == {
        "amount_minor_cny": 3_750,
        "amount_minor_usd": 100,
        "in_doubt_amount_minor_cny": 1_250,
    }
    assert message.quarantined_count == 0


def test_a_channel_in_trouble_is_what_all_that_may_leave_waits_for() -> None:
    """Payments that were never tried have no cause of their own; held ones wait for a person."""
    tried = a_backlog(by_cause={"host.timeout": 1})
    message = messages.backlog(messages.blocked(tried, "network.dns_failed"), AT)
    assert (message.cause, message.cause_count) == ("network.dns_failed", 3)
    some_held = a_backlog(held=Amounts(count=1))
    message = messages.backlog(messages.blocked(some_held, "network.dns_failed"), AT)
    assert (message.cause, message.cause_count) == ("network.dns_failed", 2)
    most_held = a_backlog(held=Amounts(count=2))
    assert messages.blocked(most_held, "network.dns_failed") is most_held
    assert messages.blocked(tried, "") is tried


def test_without_unsent_payments_no_attempt_and_no_cause_is_told() -> None:
    """A backlog that is gone waits for nothing."""
    gone = messages.blocked(a_backlog(total=Amounts(), by_cause={}), "network.dns_failed")
    message = messages.backlog(gone, AT, next_attempt_ms=AT.wall_ms)
    assert (message.cause, message.cause_count, message.next_attempt_ts) == (None, None, None)


def test_backlog_does_not_invent_what_it_cannot_know() -> None:
    """No cause, no trusted clock, nobody knows how many were quarantined: absent or null."""
    facts = a_backlog(by_cause={}, quarantined=None)
    message = messages.backlog(facts, SUSPECT)
    assert message.cause is None
    assert message.cause_count is None
    assert message.oldest_age_s is None
    assert message.quarantined_count is None
    assert message.clock_suspect is True
    assert messages.backlog(a_backlog(oldest_at=None), AT).oldest_age_s is None


def test_an_age_is_never_negative() -> None:
    """A clock set back a little does not make a payment from the future."""
    facts = a_backlog(oldest_at=AT.at + timedelta(seconds=30))
    assert messages.backlog(facts, AT).oldest_age_s == 0


def test_info_says_what_the_terminal_takes_and_follows() -> None:
    """Commands, configuration, the wish it follows, the profile; absent if nobody said."""
    bare = messages.info(Identity(tenant="a", device_id="b"), AT)
    assert (bare.capabilities, bare.config_version, bare.desired_version, bare.profile) == (
        (),
        None,
        None,
        None,
    )
    identity = Identity(
        tenant="a",
        device_id="b",
        site="x" * 5_000,
        capabilities=("report",) * 100,
        config_version="c0ffee",
        desired_version=7,
        profile="eco",
        devices=(("printer_model", "Q\x00"), ("No Name", 1)),
    )
    message = messages.info(identity, AT)
    assert len(message.site) == 200
    assert message.capabilities == ("report",) * 64
    assert (message.config_version, message.desired_version, message.profile) == (
        "c0ffee",
        7,
        "eco",
    )
    assert message.fields == {"printer_model": "Q "}


def test_an_alarm_is_counted_each_time_it_becomes_visible() -> None:
    """Its clearing carries the count it was shown with; one from before the start has none."""
    tally = messages.Tally()

    def change(code: str, what: What) -> Change:
        return Change(code=code, what=what, at=AT, alarm=an_alarm(code))

    assert tally.count(change("old", What.CLEARED)) is None
    assert [tally.count(change("a", what)) for what in (What.SHOWN, What.CLEARED)] == [1, 1]
    assert tally.count(change("a", What.SHOWN)) == 2
    message = messages.event(change("a", What.SHOWN), 2)
    assert message is not None
    assert message.count == 2


def test_backlog_names_the_channel_payments_leave_by() -> None:
    """Where channels are configured; absent where the system chooses."""
    assert messages.backlog(a_backlog(), AT).channel is None
    assert messages.backlog(a_backlog(), AT, channel="cellular").channel == "cellular"


def test_a_component_without_a_name_is_left_out() -> None:
    """Whatever pushes readings cannot break a message."""
    said = [Said("Bad Name", Reading({"a": 1})), Said("till", Reading({"x": float("nan")}))]
    assert messages.readings(said) == {"till": "ok"}


def test_readings_that_say_nothing_cost_nothing() -> None:
    """Empty, not known and merely configured is left out; false and zero are answers."""
    values: dict[str, Value] = {
        "reason": "", "gone": None, "free_limit_mb": 100, "slow_ms": 3_000, "warn_days": 30,
        "limit": 3, "limit_reached": False, "count": 0,
    }  # fmt: skip
    assert messages.readings([Said("queue", Reading(values))]) == {
        "queue": "ok",
        "queue_limit_reached": False,
        "queue_count": 0,
    }
