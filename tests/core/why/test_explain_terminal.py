"""The verdict on the whole terminal: the backlog, and everything that stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from agent.core.health.conditions import Severity
from agent.core.health.reading import NotFitted, NotObservable, Reading, Unknown
from agent.core.health.standard import STANDARD
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Amounts
from agent.core.why.causes import CATALOGUE
from agent.core.why.explain import (
    Condition,
    JournalView,
    PutAside,
    Retry,
    UnknownComponent,
    VersionChange,
    conditions_of,
    unknown_of,
)
from agent.core.why.text import Line
from tests.core.why.cases import (
    AT,
    EARLIER,
    NOW,
    backlog,
    channel,
    codes,
    condition,
    verdict,
)

BACKING_OFF = ChannelState.BACKING_OFF
TWO = Amounts(count=2, by_currency={"JPY": 500, "CNY": 2500})


def said(lines: tuple[Line, ...]) -> str:
    return "\n".join(line.render("en") for line in lines)


def test_all_well() -> None:
    """Nothing unsent and nothing wrong: said plainly, with whom to ask about the rest."""
    answer = verdict()
    assert answer.key is None
    assert answer.stages is None
    assert answer.findings == ()
    assert answer.advice.retry is Retry.NOT_APPLICABLE
    assert "No payment" in answer.headline.render("en")
    assert answer.suggestions[0].code == "account.check_with_bank"


def test_unsent_money_in_the_headline() -> None:
    """Count, amounts by currency and age of the unsent money come first."""
    unsent = backlog(total=TWO, oldest_at=EARLIER)
    answer = verdict(backlog=unsent)
    assert answer.headline.render("en") == (
        "Payments not yet sent: 2, CNY 25.00, JPY 500, the oldest from 2026-11-21 13:55:09"
    )
    assert answer.suggestions == ()


@pytest.mark.parametrize("code", [one.code for one in STANDARD])
def test_every_condition_of_the_daemon_is_explained(code: str) -> None:
    """Whatever the watchers can report is a finding with a cause in the catalogue."""
    assert codes(verdict(conditions=(condition(code),))) == [code]


@pytest.mark.parametrize("code", sorted(CATALOGUE))
def test_every_cause_can_be_said(code: str) -> None:
    """Each of the 122 causes gives a whole finding in both languages."""
    (one,) = verdict(conditions=(condition(code),)).findings
    for line in (one.title, one.step, one.reason):
        assert line.render("zh")
        assert line.render("en")


def test_doubt_and_held_money() -> None:
    """Money in doubt and money that waits for a person are findings with their sums."""
    answer = verdict(backlog=backlog(total=TWO, in_doubt=TWO, held=TWO))
    assert codes(answer) == ["host.no_reply", "queue.held"]
    assert "unknown outcome: 2, CNY 25.00" in said(answer.findings[0].evidence)
    assert "payments: 2" in answer.findings[1].reason.render("en")


def test_causes_of_the_backlog() -> None:
    """What the unsent payments last met counts while the way is not clear, then it is history."""
    unsent = backlog(total=TWO, by_cause={"network.dns_failed": 2, "host.format_error": 1})
    blocked = verdict(backlog=unsent, channels=(channel(BACKING_OFF, "network.dns_failed"),))
    assert codes(blocked) == ["network.dns_failed", "host.format_error"]
    assert "last trouble it was: 2" in said(blocked.findings[0].evidence)
    clear = verdict(backlog=unsent)
    assert codes(clear) == ["host.format_error"]
    assert "name resolution failed" in said(clear.facts)


def test_unknown_cause_in_the_backlog() -> None:
    """A cause code of another version is unknown, not a crash."""
    answer = verdict(backlog=backlog(total=TWO, by_cause={"network.new": 1}))
    assert "network.new" in said(answer.unknowns)


def test_money_put_aside() -> None:
    """Damaged journals are the first finding, with how many records and which amounts."""
    journal = JournalView(
        born_at=AT, quarantined=(PutAside(path="/q/1", records=2, amounts={"CNY": 2500}),)
    )
    answer = verdict(
        journal=journal,
        backlog=backlog(quarantined=TWO),
        conditions=(condition("software.data_error"), condition("network.no_link")),
    )
    assert codes(answer) == ["queue.quarantined", "network.no_link"]
    assert answer.findings[0].consequences == ("software.data_error",)
    assert "2 records, CNY 25.00" in answer.findings[0].reason.render("en")
    assert "/q/1" in said(answer.findings[0].evidence)


def test_money_put_aside_of_unknown_number() -> None:
    """Where nobody knows how many, no number is invented."""
    journal = JournalView(born_at=AT, quarantined=(PutAside(path="/q/1"),))
    answer = verdict(journal=journal, backlog=backlog(quarantined=None))
    assert codes(answer) == ["queue.quarantined"]
    assert "records" not in answer.findings[0].reason.render("en").partition(";")[0]


def test_nothing_could_be_read() -> None:
    """With daemon, journal and channels gone the verdict says what is broken and what unknown."""
    answer = verdict(daemon_alive=False, channels=None, journal=None, backlog=None)
    assert codes(answer) == ["software.agent_degraded", "software.data_error"]
    assert "unknown" in answer.headline.render("en")
    assert "Uplinks" in said(answer.unknowns)
    assert "posagent is not running" in said(answer.facts)


def test_no_uplink_is_said_plainly() -> None:
    """A machine without an uplink records only, and says so."""
    answer = verdict(channels=())
    assert codes(answer) == ["config.not_activated"]
    assert "[[uplink]]" in answer.findings[0].step.render("en")


def test_troubles_that_move_no_money_are_listed_last() -> None:
    """On the whole terminal the printer is named too, after what moves money."""
    answer = verdict(
        conditions=(
            condition("printer.paper_out", component="printer"),
            condition("host.busy", component="uplink"),
        ),
        unknown=(UnknownComponent(component="scanner", reason="silent"),),
    )
    assert codes(answer) == ["host.busy", "printer.paper_out"]
    assert "scanner" in said(answer.unknowns)


def test_impossible_clock_stands_above_expired_certificates() -> None:
    """With the clock in 1970 no certificate is called expired by itself."""
    answer = verdict(
        now=replace(NOW, wall_ms=0, trusted=False),
        channels=(channel(BACKING_OFF, "tls.client_certificate_expired"),),
    )
    assert codes(answer) == ["clock.wrong"]
    assert answer.findings[0].consequences == ("tls.client_certificate_expired",)
    assert "1970-01-01" in said(answer.findings[0].evidence)


def test_a_certificate_of_tomorrow_is_its_own_fault_where_the_clock_is_vouched_for() -> None:
    """Connections call it the clock's; the watchers know better. Without them it stays so."""
    way = channel(BACKING_OFF, "clock.wrong")
    answer = verdict(conditions=(condition("tls.untrusted", component="clock"),), channels=(way,))
    assert codes(answer) == ["tls.untrusted"]
    assert codes(verdict(channels=(way,))) == ["clock.wrong"]


def test_change_before_trouble_on_the_terminal() -> None:
    """The earliest suspect trouble is what a change is compared with; undated ones are not."""
    changes = (VersionChange(what="agent 0.1 -> 0.2", at=EARLIER - timedelta(minutes=1)),)
    suspect = condition("config.credential_expired", component="uplink")
    assert codes(verdict(conditions=(suspect,), changes=changes)) == [
        "config.credential_expired",
        "software.recently_changed",
    ]
    undated = replace(suspect, since_at=None)
    assert codes(verdict(conditions=(undated,), changes=changes)) == ["config.credential_expired"]


def test_alarms_become_conditions() -> None:
    """The tracker's alarms are taken over with root, facts and doubt."""
    alarm = Alarm(
        code="printer.offline",
        component="printer",
        severity=Severity.MINOR,
        since_at=EARLIER,
        shown_at=None,
        args={"offline_reason": "paper"},
        flaps=0,
        suppressed_by="printer.paper_out",
        known=False,
    )
    assert conditions_of([alarm]) == (
        Condition(
            code="printer.offline",
            since_at=EARLIER,
            args={"offline_reason": "paper"},
            suppressed_by="printer.paper_out",
            component="printer",
            known=False,
        ),
    )


def test_silent_components_become_unknown() -> None:
    """Only what should have answered, or cannot, is unknown; absent and fine are not."""
    at = datetime(2026, 11, 21, tzinfo=UTC)
    outcomes = {
        "scanner": Unknown(reason="port taken"),
        "pin_pad": NotObservable("own chip"),
        "keypad": NotFitted(),
        "system": Reading({}),
    }
    components = [
        ComponentState(component=name, outcome=one, at=at, duration_ms=1, success=True)
        for name, one in outcomes.items()
    ]
    assert unknown_of(components) == (
        UnknownComponent(component="pin_pad", reason="own chip", permanent=True),
        UnknownComponent(component="scanner", reason="port taken"),
    )
