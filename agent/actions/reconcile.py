"""Take a settlement list in pieces, and show what lists said."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from agent.actions.ports import Ports
from agent.core.moment import at_ms
from agent.core.why.causes import CATALOGUE
from agent.core.why.reconcile.classes import CONFIDENCE, MEANINGS, By
from agent.core.why.reconcile.kept import (
    KeptFinding,
    KeptList,
    class_of,
    day_text,
    shown_at,
    stan_text,
)
from agent.core.why.reconcile.words import refusal, zone_note
from agent.wire.problem import RequestError
from agent.wire.reconcile import (
    PIECE_BYTES,
    ListFindingOut,
    ReconcileBeginArgs,
    ReconcileBegunOut,
    ReconcileEndArgs,
    ReconcilePieceArgs,
    ReconcilePieceOut,
    ReconcilePullArgs,
    ReconcilePulledOut,
    ReconciliationArgs,
    ReconciliationLine,
    ReconciliationOut,
    ReconciliationsArgs,
    ReconciliationsOut,
)

if TYPE_CHECKING:
    from agent.actions.ports.reconcile import Lists


async def begin(ports: Ports, args: ReconcileBeginArgs) -> ReconcileBegunOut:
    import_id, number = await ports.reconciling().begin(
        args.profile, args.file_name, sha256=args.sha256, size_bytes=args.size_bytes,
        settled_on=args.settled_on, actor=ports.actor,
    )  # fmt: skip
    return ReconcileBegunOut(import_id=import_id, number=number, piece_bytes=PIECE_BYTES)


async def piece(ports: Ports, args: ReconcilePieceArgs) -> ReconcilePieceOut:
    try:
        told = base64.b64decode(args.data, validate=True)
    except binascii.Error:
        raise RequestError("request.bad_field", "data is not base64", field="data") from None
    if len(told) > PIECE_BYTES:
        raise RequestError("request.bad_field", "the piece is too large", field="data")
    size = ports.reconciling().piece(args.import_id, int(args.number), told)
    return ReconcilePieceOut(import_id=args.import_id, size_bytes=size)


async def end(ports: Ports, args: ReconcileEndArgs) -> ReconciliationOut:
    reconciling = ports.reconciling()
    if args.give_up:
        reconciling.give_up(args.import_id)
        raise RequestError("reconcile.unknown", "the list was given up")
    number = await reconciling.end(args.import_id)
    return await _shown(ports, number, [], 0, 0)


async def pull(ports: Ports, args: ReconcilePullArgs) -> ReconcilePulledOut:
    number = await ports.pulling().ask(args.profile, args.settled_on, ports.actor)
    return ReconcilePulledOut(number=number)


async def listed(ports: Ports, args: ReconciliationsArgs) -> ReconciliationsOut:
    found = [] if ports.lists is None else await ports.lists.lists(args.limit)
    return ReconciliationsOut(reconciliations=[line_out(one) for one in found])


async def show(ports: Ports, args: ReconciliationArgs) -> ReconciliationOut:
    number = None if args.number == "last" else int(args.number)
    if number is None:
        last = await _lists(ports).one(None)
        number = 0 if last is None else last.number
    if ports.reconciler is not None and args.wait_s:
        await ports.reconciler().finished(number, args.wait_s)
    only = None if not args.only else [] if args.only == "all" else args.only.split(",")
    return await _shown(ports, number, only, args.after, args.limit)


async def _shown(
    ports: Ports, number: int, only: list[str] | None, after: int, limit: int
) -> ReconciliationOut:
    lists = _lists(ports)
    of = await lists.one(number)
    if of is None:
        raise RequestError("reconcile.unknown", "no such settlement list is kept")
    # `after` counts from 1, so that 0 begins.
    found = []
    if limit and of.state != "running":
        found = list(await lists.findings(number, only, after - 1, limit))
    running = None if ports.reconciler is None else ports.reconciler().running
    return ReconciliationOut(
        reconciliation=line_out(of),
        stage=running.stage if running is not None and running.number == number else "",
        findings=[found_out(one) for one in found],
        after=found[-1].n + 1 if limit and len(found) == limit else None,
    )


def _lists(ports: Ports) -> Lists:
    if ports.lists is None:
        raise RequestError("reconcile.unknown", "no settlement list is kept")
    return ports.lists


def line_out(one: KeptList) -> ReconciliationLine:
    """A list without its findings."""
    body = one.body
    problem = body.get("problem") or {}
    return ReconciliationLine(
        number=one.number,
        state=one.state,
        profile=one.profile,
        name=one.name,
        started_at=shown_at(one.started_ms),
        ended_at=None if one.ended_ms is None else shown_at(one.ended_ms),
        actor=one.actor,
        lines=int(body.get("lines", 0)),
        payments=int(body.get("payments", 0)),
        days=[day_text(day) for day in body.get("days", ())],
        counts=dict(body.get("counts", {})),
        sums=dict(body.get("sums", {})),
        encoding=str(body.get("encoding", "")),
        problem=refusal(problem, "en") if problem else "",
        problem_zh=refusal(problem, "zh") if problem else "",
        code="reconcile.refused" if problem else "",
        note=zone_note(int(body.get("zone_hours", 0)), "en"),
        note_zh=zone_note(int(body.get("zone_hours", 0)), "zh"),
    )


def found_out(one: KeptFinding) -> ListFindingOut:
    """A finding as it is shown."""
    known = class_of(one.result)
    code = "" if known is None else MEANINGS[known].code
    by = By(one.how) if one.how in list(By) else By.NOTHING
    return ListFindingOut(
        n=one.n + 1,
        result=one.result,
        code=code,
        owner=CATALOGUE[code].owner.value if code else "",
        line=one.line,
        key=one.key,
        matched_by=by.value,
        confidence=CONFIDENCE[by],
        amount_minor=one.amount_minor,
        listed_minor=one.listed_minor,
        fee_minor=one.fee_minor,
        currency=one.currency,
        settled_on=day_text(one.settled_day),
        due_on=day_text(one.due_day),
        occurred_at=at_ms(one.occurred_ms).isoformat() if one.occurred_ms else "",
        rrn=one.rrn,
        stan=stan_text(one.stan),
        batch=one.batch,
        terminal_id=one.terminal_id,
        detail=one.detail,
        superseded_by=one.superseded,
    )
