"""The causes of one payment: found from every source, in order, each with its evidence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.moment import Stamp, to_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Event, HostResult, Record, State
from agent.core.money.transaction import CustomerSaw, Delivery, Posting
from agent.core.why.causes import Owner
from agent.core.why.explain import (
    Retry,
    UnknownComponent,
    VersionChange,
)
from agent.core.why.text import Line
from agent.core.why.verdict import MAX_FINDINGS
from tests.core.why.cases import (
    AT,
    EARLIER,
    NOW,
    channel,
    codes,
    condition,
    record,
    step,
    transaction,
    verdict,
)

BACKING_OFF, PAUSED = ChannelState.BACKING_OFF, ChannelState.PAUSED
DOUBT = record(
    State.WAITING,
    in_doubt=True,
    cause="host.no_reply",
    sent=1,
    tried=1,
    last_sent=Stamp(to_ms(EARLIER), 0, 1),
)


BY_APP = transaction(delivery=Delivery.APP)
REQUEST = transaction(posting=Posting.REQUEST, send_before=AT + timedelta(minutes=1))


def said(lines: tuple[Line, ...]) -> str:
    return "\n".join(line.render("en") for line in lines)


# -- every cause this daemon can know ------------------------------------------------------------

BY_CONDITION = [
    "network.no_link",
    "network.no_address",
    "network.no_gateway",
    "network.dns_failed",
    "network.host_unreachable",
    "network.no_internet",
    "network.captive_portal",
    "network.slow",
    "network.unstable",
    "tls.client_certificate_expired",
    "tls.host_certificate_expired",
    "tls.ca_expired",
    "tls.untrusted",
    "clock.wrong",
    "power.battery_low",
    "system.storage_worn",
    "system.overheated",
    "software.agent_degraded",
    "software.agent_frozen",
]
BY_CHANNEL = [
    "network.dns_failed",
    "network.host_unreachable",
    "network.config_invalid",
    "tls.client_certificate_expired",
    "tls.host_certificate_expired",
    "tls.ca_expired",
    "tls.untrusted",
    "clock.wrong",
    "config.credential_expired",
    "config.permission_denied",
    "host.down",
    "host.busy",
    "host.maintenance",
    "host.no_reply",
]


@pytest.mark.parametrize("code", BY_CONDITION)
def test_waiting_behind_a_condition(code: str) -> None:
    """An unsent payment is explained by what the watchers see."""
    answer = verdict(record(), conditions=(condition(code),))
    assert codes(answer) == [code]
    assert answer.findings[0].since_at == EARLIER
    assert "connectivity" in said(answer.findings[0].evidence)


@pytest.mark.parametrize("code", BY_CHANNEL)
def test_waiting_behind_a_channel(code: str) -> None:
    """An unsent payment is explained by what the way to its host met."""
    state = PAUSED if code.startswith("config.") else BACKING_OFF
    view = channel(
        state,
        code,
        since_at=EARLIER,
        next_attempt_at=AT + timedelta(minutes=1),
        last_success_at=EARLIER - timedelta(hours=1),
        evidence=("HTTP 503",),
    )
    answer = verdict(record(State.WAITING, cause=code, tried=3), channels=(view,))
    assert codes(answer) == [code]
    evidence = said(answer.findings[0].evidence)
    assert "Uplink main" in evidence
    assert "HTTP 503" in evidence
    assert answer.advice.retry is Retry.WILL_BE_SENT


@pytest.mark.parametrize(
    ("one", "code"),
    [
        (DOUBT, "host.no_reply"),
        (record(State.SENDING), "host.no_reply"),
        (record(State.HELD, cause="queue.held", note="key mismatch"), "queue.held"),
        (record(State.HELD, cause="queue.quarantined"), "queue.held"),
        (record(State.LAPSED, cause="request.lapsed"), "request.lapsed"),
        (record(State.DECLINED, cause="host.rejected"), "host.rejected"),
        (record(State.DECLINED, cause="card.expired"), "card.expired"),
        (record(State.REVERSED), "reversal.completed"),
        (record(State.WAITING, cause="host.format_error"), "host.format_error"),
        (record(State.WAITING, cause="config.invalid_parameter"), "config.invalid_parameter"),
    ],
)
def test_first_finding_from_the_record(one: Record, code: str) -> None:
    """What the record's own state says is the first finding, on an otherwise healthy terminal."""
    assert codes(verdict(one))[0] == code


def test_a_clock_that_may_have_stood_still_is_why_an_old_request_waits() -> None:
    """Only a request with a time limit, from before this boot; another payment just waits."""
    stood = replace(NOW, carried=False, boot_ms=60_000)
    limited = record(t=transaction(posting=Posting.REQUEST, send_before=AT + timedelta(hours=1)))
    answer = verdict(limited, now=stood)
    assert codes(answer)[0] == "clock.wrong"
    assert "stood still" in answer.findings[0].evidence[0].text.en
    assert "clock.wrong" not in codes(verdict(limited, now=replace(stood, boot_ms=86_400_000)))
    assert "clock.wrong" not in codes(verdict(record(), now=stood))
    done = record(State.POSTED, t=limited.transaction)
    assert "clock.wrong" not in codes(verdict(done, now=stood))
    assert "clock.wrong" not in codes(verdict(now=stood))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"daemon_alive": False, "channels": None}, "software.agent_degraded"),
        ({"now": replace(NOW, trusted=False)}, "clock.wrong"),
        ({"channels": ()}, "config.not_activated"),
        ({"channels": (channel(ChannelState.DISABLED),)}, "config.not_activated"),
        ({"channels": (channel(ChannelState.SHADOW),)}, "config.not_activated"),
        ({"channels": (channel(name="other"),)}, "config.not_activated"),
    ],
)
def test_waiting_behind_the_agent_itself(changes: dict[str, Any], code: str) -> None:
    """A dead daemon, an impossible clock and an uplink that is off or missing are causes."""
    answer = verdict(record(), **changes)
    assert codes(answer)[0] == code
    assert answer.findings[0].evidence


# -- order and roots -----------------------------------------------------------------------------


def test_consequences_stand_under_their_root() -> None:
    """With the cable out, the unreachable host is listed under it, whoever reported it."""
    answer = verdict(
        record(State.WAITING, cause="network.host_unreachable"),
        conditions=(
            condition("network.no_link"),
            condition("network.dns_failed", suppressed_by="network.no_link"),
        ),
        channels=(channel(BACKING_OFF, "network.host_unreachable"),),
    )
    assert codes(answer) == ["network.no_link"]
    assert answer.findings[0].consequences == ("network.dns_failed", "network.host_unreachable")


def test_local_cause_before_doubt_before_host() -> None:
    """In doubt with the link down: first the cable, then the open outcome, then the host."""
    answer = verdict(
        replace(DOUBT, cause="host.down"),
        conditions=(condition("network.no_link"),),
        channels=(channel(BACKING_OFF, "host.down"),),
    )
    assert codes(answer) == ["network.no_link", "host.no_reply", "host.down"]
    assert answer.advice.retry is Retry.DO_NOT_RETRY


def test_printer_explains_no_missing_money() -> None:
    """A printer out of paper, or its port without rights, is no cause of an unsent payment."""
    answer = verdict(
        record(),
        conditions=(
            condition("printer.paper_out", component="printer"),
            condition("config.permission_denied", component="printer"),
        ),
        unknown=(UnknownComponent(component="scanner", reason="silent"),),
    )
    assert answer.findings == ()
    assert answer.unknowns == ()


@pytest.mark.parametrize(
    "code", ["queue.held", "queue.quarantined", "queue.store_full", "request.lapsed"]
)
def test_other_payments_are_not_this_one(code: str) -> None:
    """Alarms about other payments are no cause of this one, and do not change its texts."""
    alarm = condition(code, component="queue", args={"held": 3})
    assert verdict(record(), conditions=(alarm,)).findings == ()
    held = verdict(record(State.HELD), conditions=(alarm,)).findings[0]
    assert "3" not in held.reason.render("en").partition("since")[0]
    posted = verdict(record(State.POSTED), conditions=(alarm,))
    assert codes(posted) == []
    assert posted.suggestions == ()  # not all that can be seen here is well


@pytest.mark.parametrize(
    ("args", "t", "expected"),
    [
        ({"channel": "other"}, transaction(), []),
        ({"channel": "main"}, transaction(), ["host.down"]),
        ({}, transaction(), ["host.down"]),
        ({"channel": "main"}, transaction(delivery=Delivery.APP), []),
    ],
)
def test_only_its_own_uplink_counts(args: dict[str, Any], t: Any, expected: list[str]) -> None:
    """A dead host of another uplink explains nothing about this payment."""
    alarm = condition("host.down", component="uplink", args=args)
    assert codes(verdict(record(t=t), conditions=(alarm,))) == expected


def test_at_most_five_findings() -> None:
    """No list longer than five; the rest is counted."""
    many = ("network.no_link", "clock.wrong", "tls.untrusted", "config.wrong_mode")
    more = ("power.battery_low", "system.overheated", "host.down", "network.weak_signal")
    answer = verdict(DOUBT, conditions=tuple(condition(code) for code in many + more))
    assert len(answer.findings) == MAX_FINDINGS
    assert answer.omitted == 3


def test_silent_component_is_said() -> None:
    """A condition whose component fell silent since is not called confirmed."""
    (one,) = verdict(record(), conditions=(condition("network.no_link", known=False),)).findings
    assert "silent" in said(one.evidence)


def test_condition_without_component() -> None:
    """A condition nobody signed still stands."""
    (one,) = verdict(record(), conditions=(condition("network.no_link", component=""),)).findings
    assert one.evidence == ()


# -- held, declined, lapsed ----------------------------------------------------------------------


def test_held_says_the_reason_and_its_cause() -> None:
    """A held payment names why it is held, and the cause behind it as a finding of its own."""
    one = record(State.HELD, cause="host.format_error", note="HTTP 400 twice")
    answer = verdict(one, step(Event.HOLD, "queue.held", note="twice"))
    assert codes(answer) == ["queue.held", "host.format_error"]
    assert "HTTP 400 twice" in answer.findings[0].reason.render("en")
    assert "posagent queue show pay-1" in answer.findings[0].step.render("en")
    assert "held for a decision" in said(answer.findings[0].evidence)
    assert answer.findings[1].owner is Owner.VENDOR


def test_held_without_a_note_names_the_cause() -> None:
    """Without a note the cause's title is the reason; without either there is none."""
    answer = verdict(record(State.HELD, cause="host.down"))
    assert "host answers with errors" in answer.findings[0].reason.render("en")
    assert codes(answer) == ["queue.held", "host.down"]
    assert codes(verdict(record(State.HELD))) == ["queue.held"]


def test_held_in_doubt_is_both() -> None:
    """A held payment may be at the host all the same, and that is said beside it."""
    assert codes(verdict(record(State.HELD, in_doubt=True))) == ["queue.held", "host.no_reply"]


@pytest.mark.parametrize(
    ("response", "code", "owner", "retry"),
    [
        ("51", "card.insufficient_funds", Owner.CASHIER, Retry.SAFE_TO_RETRY),
        ("05", "host.rejected", Owner.CASHIER, Retry.SAFE_TO_RETRY),
        ("94", "duplicate.suspected", Owner.CASHIER, Retry.DO_NOT_RETRY),
        ("ZZ", "host.rejected", Owner.ACQUIRER, Retry.SAFE_TO_RETRY),
        (None, "host.rejected", Owner.ACQUIRER, Retry.SAFE_TO_RETRY),
    ],
)
def test_declined_by_response_code(
    response: str | None, code: str, owner: Owner, retry: Retry
) -> None:
    """The response code decides cause, owner and whether a second try is safe."""
    result = HostResult(response_code=response, text=None, rrn="R9")
    answer = verdict(record(State.DECLINED, cause="host.rejected", result=result))
    assert codes(answer) == [code]
    assert answer.findings[0].owner is owner
    assert "R9" in said(answer.findings[0].evidence)
    assert answer.advice.retry is retry


def test_declined_is_not_blamed_on_the_network() -> None:
    """The host had its say: what is broken now is not why."""
    answer = verdict(
        record(State.DECLINED, cause="no.such_code", result=HostResult(text="sorry")),
        conditions=(condition("network.no_link"),),
        unknown=(UnknownComponent(component="system", reason="silent"),),
    )
    assert codes(answer) == ["host.rejected"]
    assert "sorry" in answer.findings[0].reason.render("en")
    assert answer.unknowns == ()


@pytest.mark.parametrize("state", [State.DECLINED, State.LAPSED, State.REVERSED])
def test_slip_says_approved_but_no_money_comes(state: State) -> None:
    """Where the customer saw success and no money will come, the verdict says so."""
    one = record(state, t=transaction(customer_saw=CustomerSaw.APPROVED))
    assert "will not arrive" in said(verdict(one).facts)
    assert "will not arrive" not in said(verdict(record(state)).facts)


def test_lapsed_lists_what_kept_it_from_leaving() -> None:
    """A lapsed request tells what it met before it lapsed, and what still stands."""
    answer = verdict(
        record(State.LAPSED, t=REQUEST, cause="request.lapsed", note="too late"),
        step(Event.NOT_SENT, "network.no_link", count=4, last_at=AT),
        step(Event.LAPSE, "request.lapsed"),
        conditions=(condition("network.no_link"),),
    )
    assert codes(answer) == ["request.lapsed", "network.no_link"]
    assert "14:06:09" in answer.findings[0].reason.render("en")
    assert "4 times" in said(answer.findings[1].evidence)


# -- history -------------------------------------------------------------------------------------


def test_newest_troubles_are_evidence() -> None:
    """The last three troubles are shown, under their cause or as facts; the rest is history."""
    answer = verdict(
        DOUBT,
        step(Event.NOT_SENT, "network.dns_failed", note="oldest"),
        step(Event.NOT_SENT, "network.dns_failed", note="older"),
        step(Event.ATTEMPT),
        step(Event.NO_ANSWER, "host.no_reply", note="30 s"),
        step(Event.ASKED, "host.no_reply", note="still working"),
    )
    assert codes(answer) == ["host.no_reply"]
    evidence = said(answer.findings[0].evidence)
    assert "30 s" in evidence
    assert "still working" in evidence
    assert "older" in said(answer.facts)
    assert "oldest" not in said(answer.facts)
    assert answer.unknowns == ()


def test_doubt_nobody_asked_about() -> None:
    """That the host was not asked yet is said; so is when data may have left."""
    answer = verdict(replace(DOUBT, note="the payment app had tried twice"))
    assert "not been asked" in said(answer.unknowns)
    assert "may have left" in said(answer.findings[0].evidence)
    assert "tried twice" in said(answer.findings[0].evidence)


def test_trouble_that_is_over() -> None:
    """A network trouble that is over is history, not a finding that sends somebody to the cable."""
    soon = AT + timedelta(seconds=1)
    one = record(State.WAITING, cause="network.no_link", next_wall_ms=to_ms(soon))
    answer = verdict(one)
    assert answer.findings == ()
    assert "the way is clear" in said(answer.facts)
    assert "Next try at 2026-11-21 14:05:10" in said(answer.facts)
    passed = verdict(record(State.WAITING, cause="network.no_link", next_wall_ms=to_ms(AT)))
    assert "Next try" not in said(passed.facts)  # a time that is over is no promise


def test_cause_of_another_version() -> None:
    """A cause code this version does not know is unknown, whether the way is clear or not."""
    over = verdict(record(State.WAITING, cause="network.from_the_future"))
    assert over.findings == ()
    odd = verdict(record(State.WAITING, cause="odd.code"))
    assert "odd.code" in said(odd.unknowns)


def test_cause_without_a_note() -> None:
    """A cause whose circumstances were not noted is a finding all the same."""
    noted = record(State.WAITING, cause="host.format_error", note="HTTP 400")
    assert "HTTP 400" in said(verdict(noted).findings[0].evidence)
    (one,) = verdict(record(State.WAITING, cause="host.format_error")).findings
    assert one.evidence == ()


def test_facts_of_a_payment() -> None:
    """References, storing, the app's own tries and the attempts are all there."""
    t = transaction(attempts=2, first_attempt_at=EARLIER, batch="000007")
    facts = said(verdict(record(State.WAITING, t=t, tried=3, sent=1)).facts)
    for words in ("TID T0000001", "STAN 000123", "batch 000007", "CNY 12.50", "pay-1"):
        assert words in facts
    assert "tried 2 times" in facts
    assert "Attempts from here: 3" in facts
    assert "No attempt" in said(verdict(record()).facts)


def test_change_of_software_before_the_trouble() -> None:
    """A change up to a day before such trouble is named; older or later ones are not."""
    changes = (
        VersionChange(what="till 3.1 -> 3.2", at=EARLIER - timedelta(hours=1)),
        VersionChange(what="ancient", at=EARLIER - timedelta(days=9)),
        VersionChange(what="later", at=AT),
    )
    one = record(State.WAITING, cause="host.format_error")
    answer = verdict(one, step(Event.REFUSED, "host.format_error"), changes=changes)
    assert codes(answer) == ["software.recently_changed", "host.format_error"]
    assert "till 3.1 -> 3.2" in said(answer.findings[0].evidence)
    assert "ancient" not in said(answer.findings[0].evidence)
    # Without history there is no first failure; and no software pulled out a cable.
    assert codes(verdict(one, changes=changes)) == ["host.format_error"]
    down = verdict(record(), conditions=(condition("network.no_link"),), changes=changes)
    assert codes(down) == ["network.no_link"]
    later = verdict(one, step(Event.REFUSED, "host.format_error"), changes=changes[1:])
    assert codes(later) == ["host.format_error"]


# -- delivered by the app ------------------------------------------------------------------------


def test_payment_the_app_delivers() -> None:
    """A payment the app sends itself is not explained by the agent's own channels."""
    answer = verdict(record(t=BY_APP), channels=(channel(BACKING_OFF, "host.down"),))
    assert answer.findings == ()
    assert "payment app" in answer.headline.render("en")
    assert "has not reported" in said(answer.unknowns)
    assert "attempt" not in said(answer.facts).lower()
