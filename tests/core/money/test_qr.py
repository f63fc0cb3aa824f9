"""Payments by code: the platform's times, and nothing sent, asked or cancelled outside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from agent.core.moment import Moment, Stamp, to_ms
from agent.core.money import qr
from agent.core.money.delivery import (
    Answer,
    OnUnknown,
    Plan,
    Profile,
    Reply,
    Todo,
    plan,
    settle_post,
    settle_query,
    troubled,
)
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.core.money.qr import ALIPAY, AWAITING, EXPIRED, WECHAT, Windows, last_moment
from agent.core.money.transaction import Kind, Posting
from tests.core.money.payments import AT, record, transaction

BEIJING = timezone(timedelta(hours=8))
PROFILE = Profile(
    status_query=True, on_unknown=OnUnknown.RESEND, key_window_s=86_400, host_in_flight_s=60,
    backoff_base_s=2.0, backoff_cap_s=300.0, qr=WECHAT,
)  # fmt: skip
SENT = Stamp(to_ms(AT), 1_000_000, 1)


def by_code(state: State = State.WAITING, *, doubt: bool = True, **changes: Any) -> Record:
    of = {"kind": Kind.QR_SALE, "posting": Posting.REQUEST, **changes.pop("of", {})}
    plain = {"first_sent": SENT, "last_sent": SENT, "stored": SENT, "sent": 1}
    return record(of=of, state=state, in_doubt=doubt, **{**plain, **changes})


def after(seconds: float, *, trusted: bool = True) -> Moment:
    ms = round(seconds * 1000)
    return Moment(
        wall_ms=SENT.wall_ms + ms, boot_ms=SENT.boot_ms + ms, boot_id="b", trusted=trusted
    )


def todo(of: Record, seconds: float, profile: Profile = PROFILE, **more: Any) -> Plan:
    return plan(of, profile, after(seconds), 1, **more)


def asked(answer: Answer, seconds: float, profile: Profile = PROFILE, **reply: Any) -> Change:
    told = Reply(answer=answer, **reply)
    return settle(by_code(), told, profile, 3, now=after(seconds), drawn=0.99)


def settle(
    it: Record, told: Reply, profile: Profile, count: int, *, now: Moment, drawn: float = 0.5
) -> Change:
    trouble = troubled(None, told.answer, now, 0)
    return settle_query(
        it, told, profile, trouble, count, hold=False, now=now, boot_no=1, drawn=drawn
    )


# -- the sale ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_unknown", OnUnknown)
def test_a_code_in_doubt_is_asked_about_and_never_sent_again(on_unknown: OnUnknown) -> None:
    """The code is one customer's for one minute: a second post would be another customer's."""
    profile = replace(PROFILE, on_unknown=on_unknown)
    assert todo(by_code(), 10, profile).todo is Todo.ASK
    assert todo(by_code(), 10**6, profile).todo is Todo.ASK
    assert todo(by_code(), 10, profile, can_ask=False).todo is Todo.HOLD


def test_while_the_customer_confirms_the_platform_is_asked_at_its_own_pace() -> None:
    """Every five seconds, with the seconds left and the cashier's step; no back-off in between."""
    change = asked(Answer.IN_PROGRESS, 10)
    assert (change.event, change.cause) == (Event.ASKED, AWAITING)
    assert change.note == "the customer has 35 s left to confirm"
    assert change.next_boot_ms == after(15).boot_ms
    assert change.next_wall_ms == after(15).wall_ms


def test_after_the_window_of_the_till_it_says_cancel() -> None:
    """Alipay leaves it open for two minutes more; the cashier need not wait that long."""
    change = asked(Answer.IN_PROGRESS, 60, replace(PROFILE, qr=ALIPAY))
    assert change.cause == AWAITING
    assert change.note == "the customer did not confirm within 60 s: cancel it"
    assert change.next_boot_ms == after(65).boot_ms


def test_what_the_platform_closed_is_no_longer_waited_for() -> None:
    """Asked on until it says so itself, with the ordinary back-off."""
    change = asked(Answer.IN_PROGRESS, 45)
    assert (change.cause, change.note) == (
        EXPIRED, "the platform closed it after 45 s unless it was paid",
    )  # fmt: skip
    assert change.next_boot_ms > after(50).boot_ms


def test_a_lost_answer_is_asked_for_within_the_pace() -> None:
    """Silence keeps its own cause; the next question comes no later than the platform's pace."""
    change = asked(Answer.ERROR, 10)
    assert change.cause == "host.down"
    assert change.next_boot_ms == after(15).boot_ms
    soon = asked(Answer.BUSY, 10, retry_after_s=1.0)
    assert soon.next_boot_ms <= after(15).boot_ms
    assert asked(Answer.ERROR, 100).next_boot_ms > after(105).boot_ms
    assert asked(Answer.UNSUPPORTED, 10).next_boot_ms == 0


def test_what_the_payment_app_had_sent_before_is_as_old_as_its_handing_over() -> None:
    """Nobody asks every five seconds for ever: the platform closes that one, too."""
    handed = by_code(first_sent=None, last_sent=None, sent=0, of={"attempts": 1})
    waiting = Reply(answer=Answer.IN_PROGRESS)
    assert settle(handed, waiting, PROFILE, 3, now=after(10)).cause == AWAITING
    assert settle(handed, waiting, PROFILE, 3, now=after(46)).cause == EXPIRED


def test_the_first_answer_of_the_post_begins_the_wait() -> None:
    """The host says the customer has to confirm: in doubt, asked in five seconds."""
    fresh = by_code(State.QUEUED, doubt=False, first_sent=None, last_sent=None, sent=0)
    for answer, cause in ((Answer.IN_PROGRESS, AWAITING), (Answer.NO_ANSWER, "host.no_reply")):
        change = settle_post(
            fresh, Reply(answer=answer), PROFILE, troubled(None, answer, after(0), 0),
            hold=False, now=after(0), boot_no=1, drawn=0.5,
        )  # fmt: skip
        assert (change.event, change.cause) == (Event.NO_ANSWER, cause)
        assert after(0).boot_ms < change.next_boot_ms <= after(5).boot_ms


def test_not_found_proves_nothing_while_the_platform_may_still_close_it() -> None:
    """Asked on at the pace; twice not found counts only after the window."""
    profile = replace(PROFILE, qr=ALIPAY, host_in_flight_s=1)
    early = settle(by_code(not_found=1), Reply(answer=Answer.NOT_FOUND), profile, 1, now=after(100))
    assert (early.event, early.next_boot_ms) == (Event.ASKED, after(105).boot_ms)
    late = settle(by_code(not_found=1), Reply(answer=Answer.NOT_FOUND), profile, 1, now=after(181))
    assert late.event is Event.NOT_FOUND


def test_a_code_shown_too_long_ago_is_not_sent() -> None:
    """A request nobody could send in its window lapses; an advice is the customer's money."""
    fresh = by_code(State.QUEUED, doubt=False)
    assert todo(fresh, 45).todo is Todo.SEND
    assert todo(fresh, 46).todo is Todo.LAPSE
    assert todo(fresh, 46, replace(PROFILE, qr=None)).todo is Todo.SEND
    advice = by_code(State.QUEUED, doubt=False, of={"posting": Posting.ADVICE})
    assert todo(advice, 10**5).todo is Todo.SEND


@pytest.mark.parametrize(("code", "cause"), [("AUTHCODEEXPIRE", EXPIRED), ("51", "host.rejected")])
def test_a_decline_for_the_code_says_scan_again(code: str, cause: str) -> None:
    """The one decline the cashier can mend at once."""
    change = asked(Answer.DECLINED, 5, result=HostResult(response_code=code))
    assert (change.event, change.cause) == (Event.DECLINED, cause)
    assert asked(Answer.DECLINED, 5).cause == "host.rejected"


def test_other_payments_keep_their_own_pace() -> None:
    """A card sale over the same host is none of the wallet's business."""
    sale = record(state=State.WAITING, in_doubt=True, first_sent=SENT, last_sent=SENT)
    change = settle(sale, Reply(answer=Answer.IN_PROGRESS), PROFILE, 1, now=after(10), drawn=0.99)
    assert change.cause == "host.no_reply"
    assert qr.in_flight_s(sale, ALIPAY) == 0


# -- cancelling ----------------------------------------------------------------------------------


def cancel(**of: Any) -> Record:
    return record(of={"kind": Kind.QR_CANCEL, "refers_to": "k0", **of})


@pytest.mark.parametrize(
    ("original", "seconds", "wait_ms"),
    [
        (by_code(), 5, 10_000),
        (by_code(), 15, 0),
        (by_code(State.POSTED, doubt=False), 5, 10_000),
        (by_code(State.DECLINED, doubt=False), 5, 0),
        (by_code(State.QUEUED, doubt=False, last_sent=None), 1, 14_000),
    ],
)
def test_the_earliest_cancellation(original: Record, seconds: float, wait_ms: int) -> None:
    """Fifteen seconds after the payment at WeChat; at once where there is nothing to cancel."""
    assert qr.cancel_wait_ms(original, WECHAT, after(seconds), 1) == wait_ms
    assert qr.cancel_wait_ms(original, ALIPAY, after(seconds), 1) == 0


@pytest.mark.parametrize(
    ("paid", "windows", "end"),
    [
        (datetime(2026, 11, 20, 15, 0, tzinfo=BEIJING), ALIPAY, "2026-11-21T00:15:00+08:00"),
        (datetime(2026, 11, 20, 23, 59, tzinfo=BEIJING), ALIPAY, "2026-11-21T00:15:00+08:00"),
        # An hour after midnight in Beijing it is still the day before in Greenwich.
        (datetime(2026, 11, 20, 17, 0, tzinfo=UTC), ALIPAY, "2026-11-22T00:15:00+08:00"),
        (datetime(2026, 11, 20, 15, 0, tzinfo=UTC), WECHAT, "2026-11-27T15:00:00+00:00"),
    ],
)
def test_the_last_moment_of_a_cancellation(paid: datetime, windows: Windows, end: str) -> None:
    """Seven days after at WeChat; at Alipay the same day in China and a quarter of an hour."""
    found = last_moment(paid, windows)
    assert found is not None
    assert found == datetime.fromisoformat(end)


def test_a_platform_without_limits_takes_everything() -> None:
    """0 and nothing mean: any time."""
    free = Windows()
    assert last_moment(AT, free) is None
    for kind in (Kind.QR_CANCEL, Kind.QR_REFUND):
        assert qr.too_late(transaction(kind=kind), free, after(10**9)) == ""


def test_a_cancellation_too_late_is_held_with_the_way_out() -> None:
    """It would be refused anyway; what helps is a refund. A clock in doubt decides nothing."""
    of = cancel()
    held = todo(of, 8 * 86_400)
    assert (held.todo, held.cause) == (Todo.HOLD, "queue.held")
    assert held.note.endswith(": refund it")
    assert todo(of, 6 * 86_400).todo is Todo.SEND
    lost = after(8 * 86_400, trusted=False)
    assert plan(of, PROFILE, lost, 1).todo is Todo.SEND
    earlier = AT - timedelta(days=3)
    assert qr.too_late(of.transaction, WECHAT, after(5 * 86_400), earlier)


def test_a_refund_too_late_is_held_as_well() -> None:
    """A year at WeChat; the money has to go back another way."""
    of = record(of={"kind": Kind.QR_REFUND})
    assert todo(of, 366 * 86_400).note.endswith("pay it back another way")
    assert todo(of, 364 * 86_400).todo is Todo.SEND
    assert todo(of, 366 * 86_400, replace(PROFILE, qr=ALIPAY)).todo is Todo.SEND
