"""What is done with a payment now, and what every answer means for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.moment import Stamp, at_ms
from agent.core.money.delivery import (
    ASKED,
    OUTCOMES,
    Answer,
    ChannelTurn,
    OnUnknown,
    Outcome,
    Profile,
    Reply,
    Todo,
    Trouble,
    full_jitter_ms,
    lapse,
    lapses_in_ms,
    must_hold,
    plan,
    settle_post,
    settle_query,
    troubled,
)
from agent.core.money.journal import Event, HostResult, Record, State
from agent.core.money.transaction import Delivery, Posting
from tests.core.money.payments import record
from tests.fakes import FakeClock

PROFILE = Profile(
    status_query=True,
    on_unknown=OnUnknown.QUERY,
    key_window_s=86_400,
    host_in_flight_s=60,
    backoff_base_s=2.0,
    backoff_cap_s=300.0,
)
NO_QUERY = replace(PROFILE, status_query=False)
REQUEST = {"posting": Posting.REQUEST}


def todo(it: Record, profile: Profile = PROFILE, clock: FakeClock | None = None) -> Todo:
    return plan(it, profile, (clock or FakeClock()).now(), 1).todo


def doubtful(**changes: Any) -> Record:
    stamp = Stamp(1_795_000_000_000, 100_000, 1)
    return record(
        state=State.WAITING, in_doubt=True, sent=1, first_sent=stamp, last_sent=stamp, **changes
    )


def test_a_fresh_payment_is_sent_and_a_finished_one_left_alone() -> None:
    """The plain day."""
    assert todo(record()) is Todo.SEND
    assert todo(record(state=State.POSTED)) is Todo.NOTHING
    assert todo(record(state=State.SENDING)) is Todo.NOTHING
    assert todo(record(state=State.HELD)) is Todo.NOTHING


def test_what_the_app_delivers_itself_is_never_touched() -> None:
    """delivery: app means explain, reconcile, print, and nothing else."""
    assert todo(record(of={"delivery": Delivery.APP})) is Todo.NOTHING


def test_back_off_counts_on_the_boot_clock_and_ends_with_the_boot() -> None:
    """A record waits out its back-off; another boot's back-off is over."""
    clock = FakeClock()
    waiting = record(state=State.WAITING, next_boot_ms=clock.boot_ms + 3_000)
    decision = plan(waiting, PROFILE, clock.now(), 1)
    assert (decision.todo, decision.wait_ms) == (Todo.WAIT, 3_000)
    assert plan(waiting, PROFILE, clock.now(), 2).todo is Todo.SEND


def test_money_rule_2_an_unsent_request_lapses_and_an_advice_never_does() -> None:
    """Only advices are forwarded late."""
    clock = FakeClock()
    limit = at_ms(clock.wall_ms) + timedelta(seconds=30)
    request = record(of={**REQUEST, "send_before": limit})
    assert todo(request, clock=clock) is Todo.SEND
    clock.advance(31)
    assert todo(request, clock=clock) is Todo.LAPSE
    assert todo(record(), clock=clock) is Todo.SEND


def test_setting_the_clock_neither_kills_nor_revives_a_request() -> None:
    """1970 and +10 years in the boot that took it over: only time that really passed counts."""
    clock = FakeClock()
    limit = at_ms(clock.wall_ms) + timedelta(seconds=30)
    request = record(of={**REQUEST, "send_before": limit})
    clock.jump(10 * 365 * 86_400)
    assert todo(request, clock=clock) is Todo.SEND
    clock.wall_ms = 0
    assert todo(request, clock=clock) is Todo.SEND
    clock.advance(31)
    assert todo(request, clock=clock) is Todo.LAPSE


def test_after_a_reboot_with_a_wrong_clock_a_request_waits_instead_of_expiring() -> None:
    """Nobody can tell whether it is too late, so it is neither sent nor lapsed."""
    clock = FakeClock()
    request = record(of={**REQUEST, "send_before": at_ms(clock.wall_ms) + timedelta(hours=9)})
    clock.reboot()
    clock.trusted = False
    decision = plan(request, PROFILE, clock.now(), 2)
    assert (decision.todo, decision.cause) == (Todo.WAIT, "clock.wrong")
    clock.trusted = True
    assert plan(request, PROFILE, clock.now(), 2).todo is Todo.SEND
    clock.advance(10 * 3600)
    assert plan(request, PROFILE, clock.now(), 2).todo is Todo.LAPSE


def test_a_clock_that_may_have_stood_still_sends_no_old_request_and_repeats_nothing() -> None:
    """It says "too late" truly and "in time" never, until somebody has said what time it is."""
    clock = FakeClock()
    request = record(of={**REQUEST, "send_before": at_ms(clock.wall_ms) + timedelta(hours=9)})
    doubt = doubtful()
    clock.reboot(down_s=0)
    clock.carried = False
    decision = plan(request, PROFILE, clock.now(), 2)
    assert (decision.todo, decision.cause) == (Todo.WAIT, "clock.wrong")
    assert "stood still" in decision.note
    assert lapses_in_ms(request, clock.now(), 2) == 9 * 3_600_000 - clock.boot_ms + 1
    resend = replace(PROFILE, on_unknown=OnUnknown.RESEND)
    assert plan(doubt, resend, clock.now(), 2).todo is Todo.ASK
    assert todo(record(), clock=clock) is Todo.SEND  # an advice goes at any time
    clock.carried = True
    assert plan(request, PROFILE, clock.now(), 2).todo is Todo.SEND
    assert plan(doubt, resend, clock.now(), 2).todo is Todo.SEND
    clock.carried = False
    clock.jump(9 * 3_600 + 1)
    assert plan(request, PROFILE, clock.now(), 2).todo is Todo.LAPSE


def test_in_doubt_the_host_is_asked_before_anything_else() -> None:
    """U2, U19: a query first; also for what is held in doubt."""
    assert todo(doubtful()) is Todo.ASK
    assert todo(replace(doubtful(), state=State.HELD)) is Todo.ASK
    held = replace(doubtful(), state=State.HELD)
    assert todo(held, replace(PROFILE, on_unknown=OnUnknown.RESEND)) is Todo.ASK
    assert todo(held, NO_QUERY) is Todo.NOTHING


def test_without_a_query_the_same_key_is_resent_only_inside_the_hosts_window() -> None:
    """U16: at 80 % of the window a blind resend could post twice, so it is held."""
    clock = FakeClock()
    assert todo(doubtful(), NO_QUERY, clock) is Todo.SEND
    clock.advance(0.8 * 86_400 + 1)
    decision = plan(doubtful(), NO_QUERY, clock.now(), 1)
    assert (decision.todo, decision.cause) == (Todo.HOLD, "queue.held")
    resend = replace(PROFILE, on_unknown=OnUnknown.RESEND)
    assert todo(doubtful(), resend) is Todo.SEND
    assert todo(doubtful(), resend, clock) is Todo.ASK


def test_a_key_of_unknown_age_is_not_resent_blindly() -> None:
    """U16: across a reboot without a trusted clock the age has no upper bound."""
    clock = FakeClock()
    clock.reboot()
    clock.trusted = False
    assert plan(doubtful(), NO_QUERY, clock.now(), 2).todo is Todo.HOLD
    assert plan(doubtful(), PROFILE, clock.now(), 2, can_ask=False).todo is Todo.HOLD
    handed = record(
        state=State.WAITING, in_doubt=True,
        of={"first_attempt_at": at_ms(clock.wall_ms - 5_000), "attempts": 1},
    )  # fmt: skip
    assert plan(handed, NO_QUERY, clock.now(), 2).todo is Todo.HOLD
    clock.trusted = True
    assert plan(handed, NO_QUERY, clock.now(), 2).todo is Todo.SEND


def test_a_request_in_doubt_is_never_sent_late() -> None:
    """Money rule 2: queried, or held for a person; not sent after its time."""
    clock = FakeClock()
    late = {"of": {**REQUEST, "send_before": at_ms(clock.wall_ms)}}
    clock.advance(5)
    assert todo(doubtful(**late), PROFILE, clock) is Todo.ASK
    assert todo(doubtful(**late), replace(PROFILE, on_unknown=OnUnknown.RESEND), clock) is Todo.ASK
    decision = plan(doubtful(**late), NO_QUERY, clock.now(), 1)
    assert (decision.todo, "too late" in decision.note) == (Todo.HOLD, True)


def test_a_profile_may_ask_for_a_person_whenever_the_outcome_is_unknown() -> None:
    """on_unknown = hold."""
    assert todo(doubtful(), replace(NO_QUERY, on_unknown=OnUnknown.HOLD)) is Todo.HOLD


@pytest.mark.parametrize("answer", list(Answer))
def test_every_answer_has_an_outcome_and_only_bound_ones_are_final(answer: Answer) -> None:
    """No answer can fall through the tables, and none but U3/U6/U11 ends a payment."""
    final = {Answer.POSTED, Answer.DUPLICATE, Answer.DECLINED}
    for table in (OUTCOMES, ASKED):
        ends = table[answer].event in (Event.POSTED, Event.DECLINED)
        assert ends is (answer in final)


def settle(
    answer: Answer, it: Record | None = None, *, count: int = 1, hold: bool = False, **reply: Any
) -> Any:
    clock = FakeClock()
    return settle_post(
        it or record(), Reply(answer=answer, **reply), PROFILE,
        Trouble(answer=answer, count=count, since_boot_ms=clock.boot_ms, others_then=0),
        hold=hold, now=clock.now(), boot_no=1, drawn=0.5,
    )  # fmt: skip


def test_a_lost_answer_is_asked_about_soon_and_then_less_and_less() -> None:
    """U2: first query after a second, later ones with full jitter."""
    now_ms = FakeClock().boot_ms
    assert settle(Answer.NO_ANSWER).next_boot_ms == now_ms + 1_000
    assert settle(Answer.NO_ANSWER, count=4).next_boot_ms == now_ms + 8_000
    assert settle(Answer.NO_ANSWER).event is Event.NO_ANSWER


def test_what_never_left_costs_the_record_no_back_off() -> None:
    """U1: the channel backs off, the payment does not."""
    change = settle(Answer.NOT_SENT, cause="network.dns_failed")
    assert (change.event, change.next_boot_ms) == (Event.NOT_SENT, 0)
    assert change.cause == "network.dns_failed"


def test_a_refusal_keeps_the_doubt_that_was_there() -> None:
    """U9: rejected without doubt is a refusal, with doubt it stays unknown."""
    assert settle(Answer.REJECTED).event is Event.REFUSED
    assert settle(Answer.REJECTED, record(in_doubt=True)).event is Event.NO_ANSWER


def test_retry_after_is_honoured_within_bounds() -> None:
    """U12: at least what the host asks, at most an hour of it, never nothing."""
    now_ms = FakeClock().boot_ms
    assert settle(Answer.BUSY, retry_after_s=20).next_boot_ms == now_ms + 21_000
    assert settle(Answer.BUSY, retry_after_s=10**9).next_boot_ms == now_ms + 3_601_000
    assert settle(Answer.BUSY, retry_after_s=0).next_boot_ms == now_ms + 2_000
    assert settle(Answer.IN_PROGRESS, retry_after_s=3).next_boot_ms == now_ms + 4_000


def test_a_credential_problem_is_not_counted_against_the_payment() -> None:
    """U10."""
    assert not settle(Answer.UNAUTHORISED).counts
    assert settle(Answer.BUSY).counts


def test_the_hosts_result_travels_with_the_posting() -> None:
    """U3: the reference is stored in the same commit."""
    change = settle(Answer.POSTED, result=HostResult(reference="R1"))
    assert (change.event, change.next_boot_ms) == (Event.POSTED, 0)
    assert change.result == HostResult(reference="R1")


def test_a_held_record_says_how_often_it_met_the_same_answer() -> None:
    """Rule 7: the reason names the count."""
    doubted = record(in_doubt=True)
    change = settle(Answer.UNREADABLE, doubted, count=5, hold=True, note="an empty body")
    assert change.event is Event.HOLD
    assert "5 times" in change.note
    assert settle(Answer.REJECTED, count=2, hold=True).event is Event.HOLD
    assert settle(Answer.UNREADABLE, count=5, hold=True).event is Event.NO_ANSWER, "doubt first"


def test_a_question_that_is_never_answered_properly_holds_the_record_in_doubt() -> None:
    """U9, rule 7: a person must hear of it; what is held already stays held."""
    change = ask(Answer.REJECTED, count=2, hold=True)
    assert (change.event, "2 times" in change.note) == (Event.HOLD, True)
    held = replace(doubtful(), state=State.HELD)
    assert ask(Answer.REJECTED, held, count=2, hold=True).event is Event.ASKED


def test_not_found_proves_nothing_once_the_host_may_have_forgotten_the_key() -> None:
    """U16, U18: beyond the key window "not found" and "posted long ago" look alike."""
    clock = FakeClock()
    clock.advance(0.8 * 86_400 + 1)
    once = replace(doubtful(), not_found=1)
    change = ask(Answer.NOT_FOUND, once, clock)
    assert (change.event, "forgotten" in change.note) == (Event.HOLD, True)
    held = ask(Answer.NOT_FOUND, replace(once, state=State.HELD), clock)
    assert (held.event, held.not_found) == (Event.ASKED, 0)
    assert held.next_boot_ms - clock.boot_ms == 2_700_000, "asked for ever, but seldom"
    assert ask(Answer.POSTED, once, clock).event is Event.POSTED


def test_the_key_of_what_somebody_else_may_have_sent_is_as_old_as_the_payment() -> None:
    """A lost journal or the app sent it at some time since; nobody knows when."""
    clock = FakeClock()
    handed = record(
        state=State.WAITING, in_doubt=True,
        of={"occurred_at": at_ms(clock.wall_ms) - timedelta(days=2), "attempts": 1},
    )  # fmt: skip
    assert todo(handed, NO_QUERY, clock) is Todo.HOLD
    older = replace(handed, transaction=replace(handed.transaction, attempts=0))
    assert todo(older, NO_QUERY, clock) is Todo.HOLD
    absurd = replace(older.transaction, occurred_at=at_ms(clock.wall_ms) - timedelta(days=3650))
    assert todo(replace(older, transaction=absurd), NO_QUERY, clock) is Todo.SEND
    clock.trusted = False
    assert todo(handed, NO_QUERY, clock) is Todo.HOLD, "the app did send it, nobody knows when"
    assert todo(older, NO_QUERY, clock) is Todo.SEND, "nobody is known to have sent it"


def test_money_rule_7_a_record_is_held_only_if_others_got_through() -> None:
    """The same trouble with nobody getting through is the channel's trouble."""
    clock = FakeClock()
    run: Trouble | None = None
    for _ in range(5):
        run = troubled(run, Answer.UNREADABLE, clock.now(), 7)
    assert run is not None
    assert run.count == 5
    outcome = OUTCOMES[Answer.UNREADABLE]
    assert not must_hold(outcome, run, clock.now(), 7)
    assert must_hold(outcome, run, clock.now(), 8)
    assert not must_hold(Outcome(Event.REFUSED, ChannelTurn.SLOW, ""), run, clock.now(), 8)
    assert troubled(run, Answer.ERROR, clock.now(), 9).count == 1


def test_server_errors_hold_a_record_only_after_an_hour_of_them() -> None:
    """U13: ten times over at least an hour."""
    clock = FakeClock()
    run: Trouble | None = None
    for _ in range(10):
        run = troubled(run, Answer.ERROR, clock.now(), 0)
    assert run is not None
    assert not must_hold(OUTCOMES[Answer.ERROR], run, clock.now(), 1)
    clock.advance(3600)
    assert must_hold(OUTCOMES[Answer.ERROR], run, clock.now(), 1)


def ask(
    answer: Answer, it: Record | None = None, clock: FakeClock | None = None, *,
    count: int = 1, hold: bool = False, **reply: Any,
) -> Any:  # fmt: skip
    clock = clock or FakeClock()
    return settle_query(
        it or doubtful(), Reply(answer=answer, **reply), PROFILE,
        Trouble(answer=answer, count=count, since_boot_ms=clock.boot_ms, others_then=0), 1,
        hold=hold, now=clock.now(), boot_no=1, drawn=0.5,
    )  # fmt: skip


def test_u18_not_found_clears_doubt_only_late_enough_and_twice() -> None:
    """Within the host's own working time it does not count at all; then once is not enough."""
    clock = FakeClock()
    clock.advance(10)
    early = ask(Answer.NOT_FOUND, clock=clock)
    assert (early.event, early.not_found) == (Event.ASKED, 0)
    assert early.next_boot_ms == clock.boot_ms + 50_000
    clock.advance(51)
    first = ask(Answer.NOT_FOUND, clock=clock)
    assert (first.event, first.not_found) == (Event.ASKED, 1)
    second = ask(Answer.NOT_FOUND, replace(doubtful(), not_found=1), clock)
    assert (second.event, second.not_found, second.next_boot_ms) == (Event.NOT_FOUND, 0, 0)


def test_u18_a_clock_that_was_behind_makes_no_attempt_older_after_a_reboot() -> None:
    """Sent under a clock two hours slow, set right by the reboot: the host may still work on it."""
    clock = FakeClock()
    it = doubtful(not_found=1)
    clock.jump(7_200)
    clock.reboot()
    found = settle_query(
        it, Reply(answer=Answer.NOT_FOUND), PROFILE,
        Trouble(answer=Answer.NOT_FOUND, count=1, since_boot_ms=0, others_then=0), 1,
        hold=False, now=clock.now(), boot_no=2, drawn=0.5,
    )  # fmt: skip
    assert (found.event, found.not_found) == (Event.ASKED, 1)
    assert found.next_boot_ms == 60_000, "once this boot alone has lasted that long"


def test_any_other_word_between_two_not_founds_starts_the_count_again() -> None:
    """Only silence leaves the count as it was."""
    once = replace(doubtful(), not_found=1)
    assert ask(Answer.IN_PROGRESS, once).not_found == 0
    assert ask(Answer.NO_ANSWER, once).not_found == 1


def test_a_query_ends_a_payment_and_an_unsupported_one_decides_nothing() -> None:
    """U17, U19."""
    posted = ask(Answer.POSTED, replace(doubtful(), not_found=1), result=HostResult(rrn="1"))
    assert (posted.event, posted.not_found, posted.next_boot_ms) == (Event.POSTED, 0, 0)
    unsupported = ask(Answer.UNSUPPORTED)
    assert (unsupported.event, unsupported.next_boot_ms) == (Event.ASKED, 0)


def test_the_question_before_any_attempt_counts_from_the_hand_over() -> None:
    """A payment handed over in doubt has no attempt of ours to count from."""
    clock = FakeClock()
    clock.advance(61)
    handed = replace(doubtful(), last_sent=None, first_sent=None)
    assert ask(Answer.NOT_FOUND, handed, clock).not_found == 1


def test_full_jitter_grows_to_its_cap_and_is_never_zero() -> None:
    """U26: uniform from 0 to min(cap, base x 2^n)."""
    assert full_jitter_ms(1, 2.0, 300.0, 0.999) <= 2_000
    assert full_jitter_ms(5, 2.0, 300.0, 0.5) == 16_000
    assert full_jitter_ms(400, 2.0, 300.0, 0.5) == 150_000
    assert full_jitter_ms(3, 2.0, 300.0, 0.0) == 50


def test_the_time_left_of_a_request_is_counted_like_its_limit() -> None:
    """Boot clock in its own boot, wall clock after a reboot, nobody knows without a clock."""
    clock = FakeClock()
    limit = {"send_before": at_ms(clock.wall_ms) + timedelta(seconds=30)}
    request = record(of={**REQUEST, **limit})
    assert lapses_in_ms(request, clock.now(), 1) == 30_001
    clock.jump(-10 * 365 * 86_400)
    assert lapses_in_ms(request, clock.now(), 1) == 30_001
    clock.jump(10 * 365 * 86_400)
    clock.reboot(down_s=10)
    assert lapses_in_ms(request, clock.now(), 2) == 20_001
    clock.advance(21)
    assert lapses_in_ms(request, clock.now(), 2) == 0
    assert lapse().event is Event.LAPSE
    clock.trusted = False
    assert lapses_in_ms(request, clock.now(), 2) is None


def test_what_is_in_doubt_held_or_the_apps_own_does_not_lapse() -> None:
    """Only what certainly never left may be called lapsed."""
    clock = FakeClock()
    limit = {**REQUEST, "send_before": at_ms(clock.wall_ms)}
    clock.advance(1)
    for it in (
        record(),
        record(of=limit, in_doubt=True),
        record(of=limit, state=State.SENDING),
        record(of=limit, state=State.HELD),
        record(of={**limit, "delivery": Delivery.APP}),
    ):
        assert lapses_in_ms(it, clock.now(), 1) is None
