"""What checks found out about a payment, and who has an alarm in hand, for the verdict.

A record keeps the codes of what spoke against it; the facts behind them (which twin, when, how
much) are found again among the payments around it. Decides nothing about the payment. Called by
whoever gathers evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from agent.core.health.tracker import Alarm
from agent.core.moment import to_ms
from agent.core.money.journal import Record, State
from agent.core.money.limits import Finding, Rules, Seen, twins
from agent.core.money.stages import Kept, Stage
from agent.core.money.transaction import Delivery
from agent.core.why import checked
from agent.core.why.case import Said
from agent.core.why.text import Arg, Line, Money, Text

#: Flags that name a cause by themselves, where the facts are not to be had any more.
CAUSES: Mapping[str, str] = {
    "duplicate.suspected": "duplicate.suspected",
    **dict.fromkeys(("amount.mistyped", "amount.unusual", "amount.large"), "operator.wrong_amount"),
    **dict.fromkeys(
        ("refund.too_large", "void.settled", "type.no_preauth", "type.wrong_original"),
        "operator.wrong_payment_type",
    ),
    "entry.too_fast": "operator.too_fast",
    **dict.fromkeys(("fraud.declines", "fraud.refunds", "fraud.split"), "fraud.suspicious"),
}
_FLAGGED = Text(
    "录入时的检查已标记：{flag}", "Flagged by the check when it was handed over: {flag}"
)
_IN_HAND = Text(
    "{by}已确认此告警[，交给{to}处理][，至{until}][：{note}]",
    "{by} took note of this[, handed over to {to}][, until {until}][: {note}]",
)
#: Payments the host did not take, or that were taken back, are nobody's twin.
_UNDONE = frozenset({State.DECLINED, State.VOIDED, State.LAPSED, State.REVERSED})


def about(record: Record, around: Iterable[Record], rules: Rules) -> list[Said]:
    """What its flags mean, with the twin where it is still among those `around` it."""
    found: dict[str, Finding] = {}
    if {"duplicate.suspected", "amount.mistyped"} & set(record.flags):
        seen = [_seen(one) for one in around if _alike(record, one)]
        found = {one.code: one for one in twins(record.transaction, rules, seen)}
    said: list[Said] = []
    for flag in record.flags:
        finding = found.get(flag)
        if finding is not None:
            said.append(
                Said(
                    code=finding.cause,
                    since_at=record.stored_at,
                    args=_args(finding),
                    evidence=(checked.sentence(finding),),
                )
            )
        elif flag in CAUSES:
            line = Line(_FLAGGED, {"flag": flag})
            said.append(Said(code=CAUSES[flag], since_at=record.stored_at, evidence=(line,)))
    return said


def not_completed(
    record: Record, reports: Iterable[Kept], now: datetime, after_s: float
) -> list[Said]:
    """A payment the app captured and never sent, cancelled or finished."""
    last = max(reports, key=lambda kept: kept.report.n, default=None)
    if record.final or record.transaction.delivery is not Delivery.APP or last is None:
        return []
    stage, at = last.report.stage, last.report.at
    if stage is not Stage.CAPTURED or (now - at).total_seconds() < after_s:
        return []
    args: dict[str, Arg] = {"last_step": stage.value, "since": at}
    return [Said(code="operator.not_completed", since_at=at, args=args)]


def in_hand(alarms: Iterable[Alarm]) -> list[Said]:
    """Who took note of which alarm; it stands as it stood."""
    return [
        Said(
            code=alarm.code,
            since_at=alarm.since_at,
            evidence=(
                Line(
                    _IN_HAND,
                    {
                        "by": alarm.acknowledged_by,
                        "to": alarm.acknowledged_to,
                        "until": alarm.acknowledged_until,
                        "note": alarm.acknowledged_note,
                    },
                ),
            ),
        )
        for alarm in alarms
        if alarm.acknowledged_by and not alarm.suppressed_by
    ]


def _alike(record: Record, other: Record) -> bool:
    mine, its = record.transaction, other.transaction
    same = (mine.terminal_id, mine.kind, mine.currency) == (
        its.terminal_id, its.kind, its.currency,
    )  # fmt: skip
    return same and other.seq != record.seq and other.state not in _UNDONE


def _seen(record: Record) -> Seen:
    t = record.transaction
    return Seen(
        key=t.key, amount_minor=t.amount_minor or 0, occurred_ms=to_ms(t.occurred_at),
        card=t.card.masked if t.card else None, stan=t.stan, batch=t.batch,
    )  # fmt: skip


def _args(finding: Finding) -> dict[str, Arg]:
    given, currency = finding.args, str(finding.args["currency"])
    amount = Money(int(str(given["twin_minor"])), currency)
    named: dict[str, Arg] = {"compared_with": amount}
    if finding.code == "duplicate.suspected":
        named = {
            "twin": str(given["twin"]), "twin_amount": amount, "twin_stan": str(given["twin_stan"]),
        }  # fmt: skip
        at = given["twin_at"]
        named["twin_at"] = at if isinstance(at, datetime) else None
    return named
