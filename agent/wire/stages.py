"""What a payment app reports of payments it sends itself and of its terminals: shapes in and out.

Checks form only; what a report is worth is decided by `core.money.stages`. Host references are
checked for card data like any other text handed over.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.core.money.batches import AppReport, Batch, BatchReport, SignOn
from agent.core.money.currencies import EXPONENT
from agent.core.money.journal import HostResult, Record
from agent.core.money.stages import (
    Effect,
    Kept,
    Report,
    Resolution,
    Said,
    Settlement,
    Stage,
)
from agent.core.money.transaction import MAX_AMOUNT_MINOR
from agent.wire.problem import RequestError
from agent.wire.submit import Amount, Key, Time
from agent.wire.views import ResultOut, TransactionOut, result_out, transaction_out

TerminalId = Annotated[str, Meta(pattern=r"^[!-~]{1,16}$")]
BatchNumber = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,12}$")]
Reference = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._/-]{1,64}$")]
ResponseCode = Annotated[str, Meta(pattern=r"^[A-Za-z0-9]{1,8}$")]
Currency = Annotated[str, Meta(pattern=r"^[A-Z]{3}$")]


class StageIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage of one payment, as the app saw it."""

    n: Annotated[int, Meta(ge=1, le=1_000_000)]
    """The app's own running number within the payment. The same again is harmless."""
    stage: Stage
    at: Time
    outcome: Said | None = None
    """With `answered`, and only then."""
    response_code: ResponseCode | None = None
    reference: Reference | None = None
    rrn: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,32}$")] | None = None
    posted_amount_minor: Amount | None = None
    """With an approval of another amount than asked for."""
    text: Annotated[str, Meta(max_length=120)] | None = None
    batch: BatchNumber | None = None
    """With `batch_closed`."""


class StagesArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Reports of one payment, any number at once: after a crash the app repeats what it has."""

    key: Key
    stages: Annotated[tuple[StageIn, ...], Meta(min_length=1, max_length=50)]


class StageOut(Struct, frozen=True, kw_only=True):
    """One report as it was kept."""

    n: int
    stage: Stage
    at: datetime
    stored_at: datetime
    effect: Effect
    """`moved` the payment; `noted`; `late`: a later report had said more; `contradicts` what is
    proven, and a person has to look."""
    outcome: Said | None
    result: ResultOut | None
    batch: str | None


class BatchOut(Struct, frozen=True, kw_only=True):
    """A batch as far as it was reported."""

    terminal_id: str
    batch: str
    opened_at: datetime | None
    closed_at: datetime | None
    agreed: bool | None
    """Whether the host's totals were the same."""
    count: int | None
    by_currency: dict[str, int]


class ReportedOut(Struct, frozen=True, kw_only=True):
    """A payment the app sends itself: where it stands, and every report about it."""

    transaction: TransactionOut
    stages: list[StageOut]
    batch: BatchOut | None


class ResolveArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's word about a payment the app sent, with the evidence for it."""

    key: Key
    outcome: Resolution
    evidence: Annotated[str, Meta(min_length=3, max_length=200)]
    """Where it was looked up: the host's list, the app, the acquirer's answer."""
    reference: Reference | None = None
    rrn: Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,32}$")] | None = None


class BatchIn(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A batch was opened, or closed at the host."""

    batch: BatchNumber
    closed: bool
    agreed: bool | None = None
    """Whether the host's totals were the same."""
    count: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    by_currency: dict[Currency, Annotated[int, Meta(ge=0, le=MAX_AMOUNT_MINOR)]] = {}


class AppStateArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a terminal is signed on, and its batch. What is left out is not changed."""

    terminal_id: TerminalId
    at: Time
    signed_on: bool | None = None
    batch: BatchIn | None = None


class AppStateOut(Struct, frozen=True, kw_only=True):
    """What is known of the terminal now."""

    terminal_id: str
    signed_on: bool | None
    signed_on_at: datetime | None
    """Since when that is said."""
    batch: BatchOut | None


class AliveArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The payment app says that it is there. Its other calls say so too."""

    version: Annotated[str, Meta(pattern=r"^[!-~]{0,64}$")] = ""
    busy: bool = False
    """A payment is being taken: not to be restarted now."""


class AliveOut(Struct, frozen=True, kw_only=True):
    """Whether anybody listens."""

    taken: bool


def reports(args: StagesArgs) -> list[Report]:
    """The reports of a request. Raises RequestError naming the field."""
    found: dict[int, Report] = {}
    for at, given in enumerate(args.stages):
        where = f"stages.{at}"
        if (given.outcome is not None) is not (given.stage is Stage.ANSWERED):
            raise RequestError(
                "stage.bad",
                "outcome goes with answered, and with it only",
                field=f"{where}.outcome",
            )
        if given.batch is not None and given.stage is not Stage.BATCH_CLOSED:
            raise RequestError(
                "stage.bad", "batch goes with batch_closed only", field=f"{where}.batch"
            )
        if given.n in found:
            raise RequestError("stage.bad", "two reports have one number", field=f"{where}.n")
        found[given.n] = _report(given)
    return list(found.values())


def _report(given: StageIn) -> Report:
    answer = (
        given.reference, given.response_code, given.rrn, given.posted_amount_minor, given.text
    )  # fmt: skip
    result = None
    if answer != (None,) * 5:
        result = HostResult(
            reference=given.reference,
            response_code=given.response_code,
            rrn=given.rrn,
            posted_amount_minor=given.posted_amount_minor,
            posted_at=given.at if given.outcome is Said.APPROVED else None,
            text=given.text,
        )
    return Report(
        n=given.n, stage=given.stage, at=given.at, outcome=given.outcome, result=result,
        batch=given.batch,
    )  # fmt: skip


def settlement(args: ResolveArgs, actor: str) -> Settlement:
    """The word of the person who asked."""
    result = None
    if args.reference is not None or args.rrn is not None:
        result = HostResult(reference=args.reference, rrn=args.rrn)
    return Settlement(resolution=args.outcome, evidence=args.evidence, actor=actor, result=result)


def app_report(args: AppStateArgs) -> AppReport:
    """The report about a terminal. Raises RequestError for a currency there is none of."""
    told = None
    if args.batch is not None:
        for currency in args.batch.by_currency:
            if currency not in EXPONENT:
                raise RequestError(
                    "currency.bad", "not an ISO 4217 currency", field="batch.by_currency"
                )
        told = BatchReport(
            batch=args.batch.batch,
            closed=args.batch.closed,
            agreed=args.batch.agreed,
            count=args.batch.count,
            by_currency=dict(args.batch.by_currency),
        )
    return AppReport(terminal_id=args.terminal_id, at=args.at, signed_on=args.signed_on, batch=told)


def stages_out(record: Record, kept: Iterable[Kept], batch: Batch | None) -> ReportedOut:
    """A payment with its reports, as the API shows it."""
    return ReportedOut(
        transaction=transaction_out(record),
        stages=[_stage(one) for one in kept],
        batch=batch_out(batch),
    )


def _stage(kept: Kept) -> StageOut:
    report = kept.report
    return StageOut(
        n=report.n,
        stage=report.stage,
        at=report.at,
        stored_at=kept.stored_at,
        effect=kept.effect,
        outcome=report.outcome,
        result=None if report.result is None else result_out(report.result),
        batch=report.batch,
    )


def batch_out(batch: Batch | None) -> BatchOut | None:
    """A batch as the API shows it."""
    if batch is None:
        return None
    return BatchOut(
        terminal_id=batch.terminal_id,
        batch=batch.batch,
        opened_at=batch.opened_at,
        closed_at=batch.closed_at,
        agreed=batch.agreed,
        count=batch.count,
        by_currency=dict(batch.by_currency),
    )


def app_state_out(terminal_id: str, batch: Batch | None, sign_on: SignOn | None) -> AppStateOut:
    """What is known of a terminal, as the API shows it."""
    return AppStateOut(
        terminal_id=terminal_id,
        signed_on=None if sign_on is None else sign_on.signed_on,
        signed_on_at=None if sign_on is None else sign_on.at,
        batch=batch_out(batch),
    )
