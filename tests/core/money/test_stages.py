"""What a payment app's word is worth: every stage in every state, late, twice and contradicting."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.moment import Moment, Stamp, to_ms
from agent.core.money.journal import FINAL, Change, Event, HostResult, Record, State, move
from agent.core.money.stages import (
    CONTRADICTED,
    SETTLED,
    Effect,
    Kept,
    Patience,
    Report,
    Resolution,
    Said,
    Settlement,
    Stage,
    flags_after,
    overdue,
    overdue_in_ms,
    settle,
    weigh,
)
from agent.core.money.transaction import Delivery
from tests.core.money.payments import AT, record


def by_app(state: State = State.QUEUED, *, doubt: bool = False, **changes: Any) -> Record:
    return record(of={"delivery": Delivery.APP}, state=state, in_doubt=doubt, **changes)


def report(stage: Stage, n: int = 1, said: Said | None = None, **more: Any) -> Report:
    return Report(n=n, stage=stage, at=AT, outcome=said, **more)


APPROVED = report(Stage.ANSWERED, said=Said.APPROVED)
DECLINED = report(Stage.ANSWERED, said=Said.DECLINED)


def moved(of: Record, changes: tuple[Change, ...]) -> tuple[State, bool]:
    """Where the journal's own table takes the record; raises where it forbids a step."""
    state, doubt = of.state, of.in_doubt
    for change in changes:
        state, doubt = move(state, doubt, change.event)
    return state, doubt


S = State
#: (state, in doubt, report) -> (effect, state, in doubt). What is missing is `noted`, unmoved.
TABLE: dict[tuple[State, bool, Report], tuple[Effect, State, bool]] = {
    # sent
    (S.QUEUED, False, report(Stage.SENT)): (Effect.MOVED, S.SENDING, False),
    (S.WAITING, False, report(Stage.SENT)): (Effect.MOVED, S.SENDING, False),
    (S.WAITING, True, report(Stage.SENT)): (Effect.MOVED, S.SENDING, True),
    (S.HELD, False, report(Stage.SENT)): (Effect.MOVED, S.SENDING, False),
    (S.SENDING, False, report(Stage.SENT)): (Effect.MOVED, S.SENDING, True),
    (S.POSTED, False, report(Stage.SENT)): (Effect.LATE, S.POSTED, False),
    (S.REVERSED, False, report(Stage.SENT)): (Effect.LATE, S.REVERSED, False),
    (S.DECLINED, False, report(Stage.SENT)): (Effect.CONTRADICTS, S.DECLINED, False),
    (S.VOIDED, False, report(Stage.SENT)): (Effect.CONTRADICTS, S.VOIDED, False),
    # not sent
    (S.SENDING, False, report(Stage.NOT_SENT)): (Effect.MOVED, S.WAITING, False),
    (S.SENDING, True, report(Stage.NOT_SENT)): (Effect.NOTED, S.SENDING, True),
    # no answer
    (S.SENDING, False, report(Stage.NO_ANSWER)): (Effect.MOVED, S.WAITING, True),
    (S.QUEUED, False, report(Stage.NO_ANSWER)): (Effect.MOVED, S.WAITING, True),
    (S.WAITING, False, report(Stage.NO_ANSWER)): (Effect.MOVED, S.WAITING, True),
    (S.WAITING, True, report(Stage.NO_ANSWER)): (Effect.NOTED, S.WAITING, True),
    (S.POSTED, False, report(Stage.NO_ANSWER)): (Effect.NOTED, S.POSTED, False),
    # cancelled
    (S.QUEUED, False, report(Stage.CANCELLED)): (Effect.MOVED, S.VOIDED, False),
    (S.WAITING, False, report(Stage.CANCELLED)): (Effect.MOVED, S.VOIDED, False),
    (S.HELD, False, report(Stage.CANCELLED)): (Effect.MOVED, S.VOIDED, False),
    (S.WAITING, True, report(Stage.CANCELLED)): (Effect.CONTRADICTS, S.WAITING, True),
    (S.SENDING, False, report(Stage.CANCELLED)): (Effect.CONTRADICTS, S.SENDING, False),
    (S.POSTED, False, report(Stage.CANCELLED)): (Effect.CONTRADICTS, S.POSTED, False),
    (S.VOIDED, False, report(Stage.CANCELLED)): (Effect.NOTED, S.VOIDED, False),
    # reversed
    (S.QUEUED, False, report(Stage.REVERSED)): (Effect.MOVED, S.REVERSED, False),
    (S.SENDING, False, report(Stage.REVERSED)): (Effect.MOVED, S.REVERSED, False),
    (S.WAITING, True, report(Stage.REVERSED)): (Effect.MOVED, S.REVERSED, False),
    (S.HELD, True, report(Stage.REVERSED)): (Effect.MOVED, S.REVERSED, False),
    (S.POSTED, False, report(Stage.REVERSED)): (Effect.MOVED, S.REVERSED, False),
    (S.DECLINED, False, report(Stage.REVERSED)): (Effect.NOTED, S.DECLINED, False),
    # answered
    (S.QUEUED, False, APPROVED): (Effect.MOVED, S.POSTED, False),
    (S.WAITING, False, APPROVED): (Effect.MOVED, S.POSTED, False),
    (S.WAITING, True, APPROVED): (Effect.MOVED, S.POSTED, False),
    (S.SENDING, True, APPROVED): (Effect.MOVED, S.POSTED, False),
    (S.HELD, True, APPROVED): (Effect.MOVED, S.POSTED, False),
    (S.POSTED, False, APPROVED): (Effect.NOTED, S.POSTED, False),
    (S.DECLINED, False, APPROVED): (Effect.CONTRADICTS, S.DECLINED, False),
    (S.VOIDED, False, APPROVED): (Effect.CONTRADICTS, S.VOIDED, False),
    (S.REVERSED, False, APPROVED): (Effect.LATE, S.REVERSED, False),
    (S.QUEUED, False, DECLINED): (Effect.MOVED, S.DECLINED, False),
    (S.SENDING, False, DECLINED): (Effect.MOVED, S.DECLINED, False),
    (S.WAITING, True, DECLINED): (Effect.MOVED, S.DECLINED, False),
    (S.POSTED, False, DECLINED): (Effect.CONTRADICTS, S.POSTED, False),
    (S.DECLINED, False, DECLINED): (Effect.NOTED, S.DECLINED, False),
    (S.VOIDED, False, DECLINED): (Effect.NOTED, S.VOIDED, False),
    # the rest
    (S.QUEUED, False, report(Stage.CAPTURED)): (Effect.NOTED, S.QUEUED, False),
    (S.POSTED, False, report(Stage.BATCH_CLOSED)): (Effect.NOTED, S.POSTED, False),
}


@pytest.mark.parametrize(("before", "after"), TABLE.items())
def test_every_report_in_every_state(
    before: tuple[State, bool, Report], after: tuple[Effect, State, bool]
) -> None:
    """Through the journal's own table, never around it."""
    state, doubt, told = before
    of = by_app(state, doubt=doubt)
    worth = weigh(of, told, ())
    assert (worth.effect, *moved(of, worth.changes)) == after
    flagged = any(CONTRADICTED in change.flags for change in worth.changes)
    assert flagged is (worth.effect is Effect.CONTRADICTS)


@pytest.mark.parametrize("stage", Stage)
@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("doubt", [False, True])
def test_no_report_breaks_the_table(stage: Stage, state: State, doubt: bool) -> None:
    """Whatever is told in whatever state is a legal move, and doubt goes only with an outcome."""
    if doubt and state in FINAL:
        return
    for said in Said if stage is Stage.ANSWERED else (None,):
        of = by_app(state, doubt=doubt)
        worth = weigh(of, report(stage, said=said), ())
        after = moved(of, worth.changes)
        if doubt and not after[1]:
            assert stage in (Stage.ANSWERED, Stage.REVERSED)
        if state in FINAL and after[0] is not state:
            assert (state, stage) == (State.POSTED, Stage.REVERSED)


def test_an_answer_carries_the_references_of_the_host() -> None:
    """What reconciliation and a customer's question will need."""
    result = HostResult(rrn="1", reference="r")
    worth = weigh(by_app(State.SENDING), replace(APPROVED, result=result), ())
    assert worth.changes[-1].result == result


@pytest.mark.parametrize(
    ("known", "told", "effect"),
    [
        (HostResult(rrn="1"), HostResult(rrn="1", reference="x"), Effect.NOTED),
        (HostResult(rrn="1"), HostResult(rrn="2"), Effect.CONTRADICTS),
        (HostResult(posted_amount_minor=5), HostResult(posted_amount_minor=6), Effect.CONTRADICTS),
        (None, HostResult(rrn="2"), Effect.NOTED),
        (HostResult(rrn="1"), None, Effect.NOTED),
    ],
)
def test_two_approvals_of_one_payment_must_be_the_same(
    known: HostResult | None, told: HostResult | None, effect: Effect
) -> None:
    """Another reference is another posting."""
    of = by_app(State.POSTED, result=known)
    assert weigh(of, replace(APPROVED, result=told), ()).effect is effect


def kept(*reports: Report) -> list[Kept]:
    return [Kept(report=one, effect=Effect.MOVED, stored_at=AT) for one in reports]


def test_out_of_order_only_an_outcome_counts() -> None:
    """`sent` that comes behind its answer moves nothing; an answer counts whenever it comes."""
    before = kept(report(Stage.NO_ANSWER, n=5))
    of = by_app(State.WAITING, doubt=True)
    assert weigh(of, report(Stage.SENT, n=4), before).effect is Effect.LATE
    assert weigh(of, report(Stage.SENT, n=6), before).effect is Effect.MOVED
    assert weigh(of, replace(APPROVED, n=4), before).effect is Effect.MOVED
    assert weigh(of, report(Stage.REVERSED, n=4), before).effect is Effect.MOVED


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_end_is_the_same_in_whatever_order_reports_come(order: tuple[int, ...]) -> None:
    """Captured, sent, approved: posted, every time, and nothing contradicts."""
    day = [report(Stage.CAPTURED, 1), report(Stage.SENT, 2), replace(APPROVED, n=3)]
    of, before = by_app(), list[Kept]()
    for at in order:
        worth = weigh(of, day[at], before)
        assert worth.effect is not Effect.CONTRADICTS
        state, doubt = moved(of, worth.changes)
        of = replace(of, state=state, in_doubt=doubt)
        before += kept(day[at])
    assert of.state is State.POSTED


@given(st.lists(st.sampled_from([r for _, _, r in TABLE]), max_size=12))
def test_any_day_of_reports_leaves_a_record_that_can_be_explained(reports: list[Report]) -> None:
    """Whatever an app says, the record is in a state, and once in doubt only an outcome ends it."""
    of, before = by_app(), list[Kept]()
    for n, told in enumerate(reports, 1):
        worth = weigh(of, replace(told, n=n), before)
        state, doubt = moved(of, worth.changes)
        of = replace(of, state=state, in_doubt=doubt)
        before += kept(replace(told, n=n))
    assert not (of.in_doubt and of.final)


# -- silence -------------------------------------------------------------------------------------

SENT_AT = Stamp(to_ms(AT), 1_000_000, 1)
PATIENCE = Patience(answer_timeout_s=120, silence_s=900)


def after(seconds: float, boot_no: int = 1) -> tuple[Moment, int]:
    at = SENT_AT.boot_ms + round(seconds * 1000)
    moment = Moment(
        wall_ms=SENT_AT.wall_ms + round(seconds * 1000), boot_ms=at, boot_id="b", trusted=True
    )
    return moment, boot_no


@pytest.mark.parametrize(
    ("of", "seconds", "left_ms"),
    [
        (by_app(State.SENDING, last_sent=SENT_AT), 119, 1000),
        (by_app(State.SENDING, last_sent=SENT_AT), 120, 0),
        (by_app(State.SENDING, stored=SENT_AT), 0, 120_000),
        (by_app(State.SENDING, doubt=True, last_sent=SENT_AT), 500, None),
        (by_app(State.QUEUED, stored=SENT_AT), 899.5, 500),
        (by_app(State.QUEUED, stored=SENT_AT), 900, 0),
        (by_app(State.WAITING, stored=SENT_AT), 10_000, None),
        (by_app(State.POSTED, stored=SENT_AT), 10_000, None),
        (record(state=State.SENDING, last_sent=SENT_AT), 10_000, None),
    ],
)
def test_when_silence_becomes_doubt(of: Record, seconds: float, left_ms: int | None) -> None:
    """After `sent` soon, after the hand-over later; what is settled or in doubt waits for none."""
    assert overdue_in_ms(of, PATIENCE, *after(seconds)) == left_ms


def test_silence_can_be_allowed_for_ever() -> None:
    """0: an app that reports nothing is believed to have nothing to say."""
    of = by_app(State.QUEUED, stored=SENT_AT)
    assert overdue_in_ms(of, Patience(silence_s=0), *after(10**6)) is None


def test_setting_the_clock_makes_nobody_late() -> None:
    """Within one boot only the boot clock counts; across a reboot only a trusted wall clock."""
    of = by_app(State.SENDING, last_sent=SENT_AT)
    jumped = Moment(wall_ms=10**15, boot_ms=SENT_AT.boot_ms + 1, boot_id="b", trusted=True)
    assert overdue_in_ms(of, PATIENCE, jumped, 1) == 119_999
    lost = Moment(wall_ms=10**15, boot_ms=5_000, boot_id="c", trusted=False)
    assert overdue_in_ms(of, PATIENCE, lost, 2) == 115_000


def test_what_silence_means() -> None:
    """The host may have it: from `sent` as no answer, from the hand-over as never finished."""
    sending, queued = by_app(State.SENDING), by_app(State.QUEUED)
    assert moved(sending, overdue(sending, PATIENCE)) == (State.WAITING, True)
    assert overdue(sending, PATIENCE)[-1].cause == "host.no_reply"
    assert moved(queued, overdue(queued, PATIENCE)) == (State.WAITING, True)
    assert overdue(queued, PATIENCE)[-1].cause == "operator.not_completed"


# -- a person's word -----------------------------------------------------------------------------

ENDS = {
    Resolution.POSTED: State.POSTED,
    Resolution.DECLINED: State.DECLINED,
    Resolution.REVERSED: State.REVERSED,
    Resolution.NEVER_SENT: State.VOIDED,
}


def word(resolution: Resolution, **more: Any) -> Settlement:
    return Settlement(resolution=resolution, evidence="host's list", actor="uid:7", **more)


@pytest.mark.parametrize("resolution", Resolution)
@pytest.mark.parametrize("doubt", [False, True])
@pytest.mark.parametrize("state", [S.QUEUED, S.SENDING, S.WAITING, S.HELD])
def test_every_unsettled_payment_can_be_settled_every_way(
    state: State, doubt: bool, resolution: Resolution
) -> None:
    """Each step is a legal one, the last names who said so and on what evidence."""
    if state is S.QUEUED and doubt:
        return  # what is queued was never sent
    of = by_app(state, doubt=doubt)
    changes = settle(of, word(resolution, result=HostResult(rrn="1")))
    assert changes is not None
    assert moved(of, changes) == (ENDS[resolution], False)
    assert changes[-1].note == f"settled as {resolution} by uid:7: host's list"
    assert changes[-1].result == HostResult(rrn="1")
    assert {change.actor for change in changes} == {"uid:7"}


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nobodys_word_changes_what_is_proven(state: State) -> None:
    """Agreeing is remembered; disagreeing is refused; a posted payment may have been taken back."""
    of = by_app(state, flags=("limit.total", CONTRADICTED))
    for resolution in Resolution:
        changes = settle(of, word(resolution))
        if ENDS[resolution] is state:
            assert changes is not None
            assert [change.event for change in changes] == [Event.LATE]
            assert flags_after(of.flags, changes[0].flags) == ("limit.total", SETTLED)
        elif (state, resolution) == (State.POSTED, Resolution.REVERSED):
            assert changes is not None
            assert moved(of, changes) == (State.REVERSED, False)
        else:
            assert changes is None


def test_flags_add_up_and_a_new_contradiction_opens_it_again() -> None:
    """Each once; settled and contradicting exclude each other."""
    assert flags_after(("a",), ("b", "a")) == ("a", "b")
    assert flags_after((CONTRADICTED,), (SETTLED,)) == (SETTLED,)
    assert flags_after((SETTLED,), (CONTRADICTED,)) == (CONTRADICTED,)
    assert settle(by_app(State.QUEUED), word(Resolution.POSTED)) is not None
