"""May this payment be taken now, and may it be taken *again*? Asked before the customer pays.

Changes nothing. A store that is full or cannot be written is an answer too: the payment could not
be kept. A payment whose outcome is open is never answered with "take it again".
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.actions.ports import Ports
from agent.core.money.limits import Answer, Finding, Ground, Level, answer_of
from agent.errors import StoreError
from agent.wire.check import AgainOut, CheckArgs, CheckOut, candidate
from agent.wire.findings import findings_out
from agent.wire.problem import RequestError
from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.money.journal import Record
    from agent.core.money.transaction import Transaction

#: The cashier says that it is another payment: a second customer with the same amount.
UNFINISHED = "payment.unfinished"


async def run(ports: Ports, args: CheckArgs) -> CheckOut:
    now = ports.clock.now()
    t = candidate(args, now.at)
    if t.amount_minor is not None and t.currency is None:
        raise RequestError("amount.missing", "amount_minor needs currency", field="currency")
    again = await _again(ports, args, t)
    try:
        findings = list(await ports.judge().examine(t))
    except StoreError as error:
        if error.code != "store.full":
            raise
        full = Finding(
            code="store.full", cause="queue.store_full", level=Level.REFUSE, ground=Ground.LIMIT
        )
        return CheckOut(
            at=now.at, answer=Answer.REFUSE, findings=findings_out([full]), again=_shown(again)
        )
    if args.entry_ms is not None:
        findings += ports.judge().entered(args.entry_ms)
    answer = answer_of(t, findings, frozenset(args.confirmed))
    if again is not None and not _may(again):
        # Also what is no new money: a completion or a void must not be made twice either.
        answer = Answer.REFUSE
        findings = [_open(again), *(one for one in findings if one.args.get("twin") != _key(again))]
    return CheckOut(at=now.at, answer=answer, findings=findings_out(findings), again=_shown(again))


async def _again(ports: Ports, args: CheckArgs, t: Transaction) -> Record | None:
    """The earlier payment it is about. Raises RequestError for one that was never handed over."""
    if args.again_of is not None:
        record = await ports.journal.record(args.again_of)
        if record is None:
            raise RequestError(
                "transaction.unknown",
                "again_of was never handed over here",
                field="again_of",
                hint="Only the app knows whether it was sent; ask the host before taking it again.",
            )
        return record
    if UNFINISHED in args.confirmed:
        return None
    key = await ports.judge().unfinished(t)
    return None if key is None else await ports.journal.record(key)


def _may(record: Record) -> bool:
    # Loaded when there is such a payment.
    from agent.core.why.about_payment import advice
    from agent.core.why.verdict import Retry

    return advice(record).retry in (Retry.SAFE_TO_RETRY, Retry.NOT_APPLICABLE)


def _key(record: Record) -> str:
    return record.transaction.key


def _open(record: Record) -> Finding:
    t = record.transaction
    return Finding(
        code=UNFINISHED,
        cause="host.no_reply" if record.in_doubt else "duplicate.suspected",
        level=Level.REFUSE,
        ground=Ground.DUPLICATE,
        args={
            "currency": t.currency or "",
            "twin": t.key,
            "twin_at": t.occurred_at,
            "twin_minor": t.amount_minor or 0,
            "twin_stan": t.stan or "",
        },
    )


def _shown(record: Record | None) -> AgainOut | None:
    if record is None:
        return None
    from agent.core.why.about_payment import advice

    t, told = record.transaction, advice(record)
    offset = t.occurred_at.astimezone().utcoffset() or timedelta(0)
    return AgainOut(
        key=t.key,
        retry="safe_to_retry" if _may(record) else "do_not_retry",
        state=record.state,
        in_doubt=record.in_doubt,
        occurred_at=t.occurred_at,
        amount_minor=t.amount_minor,
        currency=t.currency,
        stan=t.stan,
        advice=Both(told.line.render("zh", offset), told.line.render("en", offset)),
    )
