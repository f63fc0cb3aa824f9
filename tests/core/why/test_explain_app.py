"""Payments the app sends itself: the verdict from what the app reported, and from nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from agent.core.money.batches import Batch
from agent.core.money.journal import Event, Record, State
from agent.core.money.stages import CONTRADICTED, Effect, Kept, Report, Said
from agent.core.money.stages import Stage as Told
from agent.core.money.transaction import Delivery
from agent.core.why.case import Payment
from agent.core.why.explain import explain
from agent.core.why.verdict import Retry, Stage, Verdict
from tests.core.why.cases import AT, EARLIER, case, record, step, transaction

BATCH = Batch(terminal_id="T0000001", batch="000007", opened_at=EARLIER)


def kept(*stages: Told, said: Said | None = None, effect: Effect = Effect.MOVED) -> list[Kept]:
    return [
        Kept(
            report=Report(
                n=n, stage=stage, at=EARLIER + timedelta(seconds=n),
                outcome=said if stage is Told.ANSWERED else None,
            ),
            effect=effect,
            stored_at=EARLIER,
        )
        for n, stage in enumerate(stages, 1)
    ]  # fmt: skip


def verdict(of: Record, *reports: Kept, batch: Batch | None = None, **more: Any) -> Verdict:
    payment = Payment(key=of.key, record=of, reports=reports, batch=batch, **more)
    return explain(replace(case(of), payment=payment))


def by_app(state: State = State.QUEUED, **changes: Any) -> Record:
    return record(state, t=transaction(delivery=Delivery.APP, batch="000007"), **changes)


def lines(found: Verdict, lang: str = "en") -> str:
    shown = [found.headline, *found.facts, *found.unknowns, found.advice.line]
    return "\n".join(line.render(lang) for line in shown)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("of", "reports", "batch", "proven", "missing"),
    [
        (by_app(), [], None, Stage.STORED, Stage.SENT),
        (by_app(), kept(Told.CAPTURED), None, Stage.STORED, Stage.SENT),
        (by_app(State.SENDING), kept(Told.SENT), None, Stage.SENT, Stage.HOST_ANSWERED),
        (
            by_app(State.WAITING, in_doubt=True),
            kept(Told.NO_ANSWER),
            None,
            Stage.SENT,
            Stage.HOST_ANSWERED,
        ),
        (by_app(State.WAITING), kept(Told.SENT, Told.NOT_SENT), None, Stage.STORED, Stage.SENT),
        (by_app(State.POSTED), [], None, Stage.HOST_ANSWERED, Stage.BATCH_CLOSED),
        (by_app(State.POSTED), [], BATCH, Stage.HOST_ANSWERED, Stage.BATCH_CLOSED),
        (
            by_app(State.POSTED),
            kept(Told.BATCH_CLOSED),
            None,
            Stage.BATCH_CLOSED,
            Stage.SETTLED,
        ),
        (
            by_app(State.POSTED),
            [],
            replace(BATCH, closed_at=AT, agreed=True),
            Stage.BATCH_CLOSED,
            Stage.SETTLED,
        ),
        (
            by_app(State.POSTED),
            kept(Told.BATCH_CLOSED),
            replace(BATCH, closed_at=AT, agreed=False),
            Stage.HOST_ANSWERED,
            Stage.BATCH_CLOSED,
        ),
        (by_app(State.DECLINED), [], None, Stage.HOST_ANSWERED, None),
    ],
)
def test_the_last_stage_proven_and_the_first_one_missing(
    of: Record, reports: list[Kept], batch: Batch | None, proven: Stage, missing: Stage | None
) -> None:
    """Captured, sent, answered, batch closed: as far as the app's word goes."""
    found = verdict(of, *reports, batch=batch)
    assert found.stages is not None
    assert (found.stages.proven, found.stages.missing) == (proven, missing)


def test_the_batch_of_a_payment_the_agent_sent_counts_as_well() -> None:
    """Whoever sent it, it is in the batch the app closed."""
    of = record(State.POSTED, t=transaction(batch="000007"))
    found = verdict(of, batch=replace(BATCH, closed_at=AT))
    assert found.stages is not None
    assert found.stages.proven is Stage.BATCH_CLOSED
    assert "payout cannot be seen" in lines(found)


def test_reports_are_shown_with_what_they_did() -> None:
    """Each with its time, the late and the contradicting ones with that word."""
    reports = [
        *kept(Told.SENT),
        *kept(Told.ANSWERED, said=Said.APPROVED, effect=Effect.CONTRADICTS),
    ]
    found = verdict(by_app(State.DECLINED, flags=(CONTRADICTED,)), *reports, batch=BATCH)
    said = lines(found)
    assert "The payment app reported: sent, 2026-11-21 13:55:10" in said
    assert "approved by the host, 2026-11-21 13:55:10 (contradicts what is proven)" in said
    assert "Batch 000007, opened 2026-11-21 13:55:09" in said
    assert "Flagged: stage.contradiction" in said
    assert "矛盾" in lines(found, "zh")


def test_without_a_report_that_is_said() -> None:
    """Not known is not the same as not sent."""
    found = verdict(by_app())
    assert "has not reported how far it came" in lines(found)
    assert found.advice.retry is Retry.DO_NOT_RETRY
    assert "has not reported" not in lines(verdict(by_app(), *kept(Told.CAPTURED)))


def test_a_payment_left_in_the_middle_names_the_last_step() -> None:
    """Captured and nothing more: the cashier finishes or cancels it."""
    found = verdict(by_app(), *kept(Told.CAPTURED))
    (finding,) = [one for one in found.findings if one.code == "operator.not_completed"]
    assert "last step captured" in finding.reason.render("en")


def test_doubt_about_the_apps_own_payment_is_said_as_such() -> None:
    """Its outcome is unknown, not only its way."""
    of = by_app(State.WAITING, in_doubt=True, cause="host.no_reply", note="no answer")
    found = verdict(of, *kept(Told.SENT), steps=(step(Event.NO_ANSWER, "host.no_reply"),))
    assert "outcome is unknown" in lines(found)
    assert "host.no_reply" in [one.code for one in found.findings]


def test_totals_that_differ_keep_the_batch_open_in_our_eyes() -> None:
    """Closed without agreement is a batch to look at."""
    found = verdict(by_app(State.POSTED), batch=replace(BATCH, closed_at=AT, agreed=False))
    assert "settlement.batch_not_closed" in [one.code for one in found.findings]
    assert "totals differ" in lines(found)
