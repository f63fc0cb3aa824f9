"""Money rule 5: what the agent takes back by itself, and what freezes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.moment import Stamp, at_ms
from agent.core.money.delivery import (
    Answer,
    OnUnknown,
    Profile,
    Reply,
    Todo,
    plan,
    settle_query,
    troubled,
)
from agent.core.money.journal import (
    Change,
    Event,
    HostResult,
    IllegalMoveError,
    Record,
    State,
    move,
)
from agent.core.money.reversing import (
    REVERSIBLE,
    automatic_reason,
    late,
    may_reverse,
    prepared,
)
from agent.core.money.transaction import CustomerSaw, Delivery, Kind, Posting
from tests.core.money.payments import record
from tests.fakes import FakeClock

STAMP = Stamp(1_795_000_000_000, 100_000, 1)
PROFILE = Profile(
    status_query=True,
    on_unknown=OnUnknown.REVERSE,
    key_window_s=86_400,
    host_in_flight_s=60,
    backoff_base_s=2.0,
    backoff_cap_s=300.0,
    resend_requests=False,
    resend_codes=frozenset({"91"}),
)


def request(**changes: Any) -> Record:
    of = {"posting": Posting.REQUEST, "reversal_key": "k1-rev", **changes.pop("of", {})}
    base = {"state": State.WAITING, "in_doubt": True, "sent": 1, "last_sent": STAMP}
    return record(of=of, **{**base, "first_sent": STAMP, **changes})


def decided(it: Record, clock: FakeClock, profile: Profile = PROFILE, *, ask: bool = False) -> Todo:
    return plan(it, profile, clock.now(), 1, can_ask=ask).todo


def test_who_may_be_reversed() -> None:
    """Requests of UnionPay's six kinds the customer did not see approved, sent by the agent."""
    assert may_reverse(request())
    assert {k for k in Kind if may_reverse(request(of={"kind": k}))} == REVERSIBLE
    assert not may_reverse(request(in_doubt=False))
    assert not may_reverse(request(of={"posting": Posting.ADVICE}))
    assert not may_reverse(request(of={"customer_saw": CustomerSaw.APPROVED}))
    assert not may_reverse(request(of={"delivery": Delivery.APP}))
    assert not may_reverse(request(of={"reversal_key": None}))


def test_reasons() -> None:
    """98 when nothing came; 06 when something came that decided nothing."""
    assert automatic_reason(request()) == "98"
    assert automatic_reason(request(result=HostResult())) == "98"
    assert automatic_reason(request(result=HostResult(response_code="68"))) == "06"


@pytest.mark.parametrize(
    ("reason", "offered", "chosen"),
    [
        ("98", ["98", "06"], "98"),
        ("98", ["06"], "06"),
        ("A0", ["98"], "98"),
        ("98", ["A0", "96"], None),
        ("06", [], None),
    ],
)
def test_a_wrong_mac_is_never_claimed_unasked(
    reason: str, offered: list[str], chosen: str | None
) -> None:
    """Without the message for a reason, one that claims less is used; A0 and 96 never."""
    assert prepared(reason, offered) == chosen


def test_asked_first_then_taken_back_when_the_time_is_over() -> None:
    """Not askable: wait for the limit, then reverse. Askable: ask until it says not found."""
    clock = FakeClock()
    assert decided(request(), clock, ask=True) is Todo.ASK
    assert decided(request(), clock) is Todo.WAIT
    clock.advance(61)
    assert decided(request(), clock) is Todo.REVERSE
    assert decided(request(), clock, ask=True) is Todo.ASK
    assert decided(request(not_found=1), clock, ask=True) is Todo.REVERSE
    assert decided(request(state=State.HELD), clock) is Todo.NOTHING
    held = request(state=State.HELD, not_found=1)
    assert decided(held, clock, ask=True) is Todo.ASK


def test_what_the_host_may_have_forgotten_is_taken_back_all_the_same() -> None:
    """U16: beyond the key window "not found" clears no doubt, but a reversal needs no proof."""
    clock = FakeClock()
    clock.advance(0.8 * PROFILE.key_window_s + 1)
    missing = Reply(answer=Answer.NOT_FOUND)
    trouble = troubled(None, missing.answer, clock.now(), 0)
    it = request()
    change = settle_query(
        it, missing, PROFILE, trouble, 2, hold=False, now=clock.now(), boot_no=1, drawn=0.5
    )
    assert (change.event, change.not_found) == (Event.ASKED, 1)
    assert decided(replace(it, not_found=1), clock, ask=True) is Todo.REVERSE


def test_send_before_is_the_limit_where_it_is_given() -> None:
    """The customer's time counts, on the boot clock."""
    clock = FakeClock()
    limit = at_ms(STAMP.wall_ms) + timedelta(seconds=90)
    it = request(of={"send_before": limit})
    clock.advance(70)
    found = plan(it, PROFILE, clock.now(), 1, can_ask=False)
    assert found.todo is Todo.WAIT
    assert 19_000 < found.wait_ms <= 20_001
    clock.advance(21)
    assert decided(it, clock) is Todo.REVERSE
    assert plan(it, PROFILE, clock.now(), 1, can_ask=False).reason == "98"


def test_after_a_reboot_with_a_wrong_clock_it_waits() -> None:
    """Nobody can tell whether the time is over: look again in a minute."""
    clock = FakeClock()
    it = request(of={"send_before": at_ms(STAMP.wall_ms) + timedelta(seconds=90)})
    clock.reboot()
    clock.trusted = False
    found = plan(it, PROFILE, clock.now(), 2, can_ask=False)
    assert (found.todo, found.wait_ms) == (Todo.WAIT, 60_000)


def test_after_a_reboot_nothing_is_taken_back_before_the_host_has_surely_finished() -> None:
    """The clock was two hours behind when it was sent, and is right now: only uptime counts."""
    clock = FakeClock()
    it = request()
    clock.jump(7_200)
    clock.reboot()
    found = plan(it, PROFILE, clock.now(), 2, can_ask=False)
    assert (found.todo, found.wait_ms) == (Todo.WAIT, PROFILE.host_in_flight_s * 1000 - 5_000)
    clock.advance(PROFILE.host_in_flight_s - 5)
    assert plan(it, PROFILE, clock.now(), 2, can_ask=False).todo is Todo.REVERSE


def test_a_request_is_never_sent_twice_by_stan() -> None:
    """Without a reversal or a query a request in doubt is held; an advice goes out again."""
    clock = FakeClock()
    query = replace(PROFILE, on_unknown=OnUnknown.QUERY)
    assert decided(request(), clock, query) is Todo.HOLD
    advice = request(of={"posting": Posting.ADVICE})
    assert decided(advice, clock, query) is Todo.SEND
    reversal = request(of={"kind": Kind.REVERSAL})
    assert decided(reversal, clock, query) is Todo.SEND


def test_open_codes_forbid_a_resend_and_others_do_not() -> None:
    """68, 94, 98 never; 91 says the copy was not taken."""
    clock = FakeClock()
    for code, todo in (("68", Todo.HOLD), ("94", Todo.HOLD), ("98", Todo.HOLD), ("91", Todo.SEND)):
        advice = request(of={"posting": Posting.ADVICE}, result=HostResult(response_code=code))
        assert decided(advice, clock, replace(PROFILE, on_unknown=OnUnknown.RESEND)) is todo
    spoken = request(of={"posting": Posting.ADVICE}, result=HostResult(rrn="1"))
    assert decided(spoken, clock) is Todo.SEND


def test_late_answers() -> None:
    """Open and not frozen: they count. Final or frozen: a line of history."""
    change = Change(event=Event.POSTED, note="00", result=HostResult(rrn="7"))
    assert late(request(), change) is change
    frozen = late(request(cause="reversal.pending"), change, frozen=True)
    assert (frozen.event, frozen.cause) == (Event.LATE, "reversal.pending")
    assert frozen.note == "late answer: posted; 00"
    assert frozen.result == HostResult(rrn="7")
    final = late(record(state=State.DECLINED), Change(event=Event.POSTED), frozen=False)
    assert (final.event, final.note, final.result) == (Event.LATE, "late answer: posted", None)


def test_moves_of_reversing() -> None:
    """Frozen means waiting; posted can only be reversed; late answers move nothing."""
    assert move(State.HELD, True, Event.FREEZE) == (State.WAITING, True)
    assert move(State.QUEUED, False, Event.FREEZE) == (State.WAITING, False)
    assert move(State.SENDING, False, Event.FREEZE) == (State.WAITING, True)
    assert move(State.POSTED, False, Event.REVERSE) == (State.REVERSED, False)
    assert move(State.HELD, True, Event.REPLACED) == (State.WAITING, True)
    for state in State:
        assert move(state, True, Event.LATE) == (state, True)
    with pytest.raises(IllegalMoveError):
        move(State.DECLINED, False, Event.REVERSE)
