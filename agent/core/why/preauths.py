"""Pre-authorisations nobody completed: a deposit the bank never turns into money. Pure.

Which are still open follows from the payments that refer to them; the terminal's own records are
all it knows, and it says how far back they were looked at. Called by `questions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from agent.core.moment import Moment
from agent.core.money.journal import Record, State
from agent.core.money.transaction import Kind
from agent.core.why import about_payment, about_terminal, phrases, sources
from agent.core.why.asked import Asked, advice_of, affected, cause_of, sums, unread
from agent.core.why.case import Case, Said
from agent.core.why.composing import composed
from agent.core.why.text import Arg, Line
from agent.core.why.verdict import Affected, Verdict
from agent.core.why.weigh import Tier

#: A pre-authorisation is completed within thirty days, the day it was taken not counted.
PREAUTH_DAYS = 30
_COMPLETES = frozenset({Kind.PREAUTH_COMPLETION, Kind.PREAUTH_VOID})
#: What undoes a completion opens its pre-authorisation again.
_REOPENS = Kind.PREAUTH_COMPLETION_VOID
PREAUTH_FAMILY = frozenset({Kind.PREAUTH, Kind.REVERSAL, *_COMPLETES, _REOPENS})
_GONE = frozenset({State.DECLINED, State.REVERSED, State.VOIDED, State.LAPSED})


def last_day(record: Record) -> datetime:
    """Until when a pre-authorisation can be completed."""
    return record.transaction.occurred_at + timedelta(days=PREAUTH_DAYS)


def open_preauths(family: Iterable[Record]) -> list[Record]:
    """Those that are neither completed nor taken back, oldest first. A completion that may have
    reached the host, or is on its way, completes; one that failed does not."""
    done: dict[str, str] = {}  # pre-authorisation -> what ended it
    taken = sorted(family, key=lambda one: one.seq)
    ended_by = {
        one.key: one.transaction.refers_to for one in taken if one.transaction.kind in _COMPLETES
    }
    for one in taken:
        t = one.transaction
        if one.state in _GONE or not t.refers_to:
            continue
        if t.kind in _COMPLETES:
            done[t.refers_to] = one.key
        elif t.kind is _REOPENS or t.kind is Kind.REVERSAL:
            original = ended_by.get(t.refers_to)
            if original is not None and done.get(original) == t.refers_to:
                del done[original]
    return [
        one
        for one in taken
        if one.transaction.kind is Kind.PREAUTH
        and one.state not in _GONE
        and one.key not in done
        and one.transaction.amount_minor != 0  # a card check holds no money
    ]


def preauths(case: Case, asked: Asked) -> Verdict:
    weighed = about_terminal.weighed(case)
    scales = weighed.scales
    waiting = open_preauths(asked.records or ())
    for one in waiting:
        if one.state is State.POSTED and not one.in_doubt:
            sources.add_said(scales, [_not_completed(one, case.now)])
        elif about_payment.doubtful(one):
            scales.add("host.no_reply", tier=Tier.DOUBT, since_at=one.changed_at)
        elif one.cause:
            scales.add(one.cause)
    sources.add_said(scales, [one for one in case.said if one.code.startswith("preauth.")])
    findings = scales.findings(aside=False)
    unknowns = unread(asked)
    if asked.looked_back_to is not None:
        unknowns.append(Line(phrases.LOOKED_BACK, {"until_at": asked.looked_back_to}))
    args: dict[str, Arg] = {"count": len(waiting), "amounts": sums(waiting)}
    return composed(
        case,
        key=None,
        headline=Line(phrases.PREAUTHS if waiting else phrases.PREAUTHS_NONE, args),
        stages=None,
        facts=weighed.facts,
        findings=findings,
        advice=advice_of([one for one in waiting if not one.final]),
        unknowns=[*weighed.unknowns, *unknowns, *sources.strange_codes(scales)],
        suggestions=(),
        question=asked.question,
        payments=[_preauth_line(case, one) for one in _worst_first(waiting)],
        payments_total=len(waiting) + asked.more,
    )


def _worst_first(waiting: Iterable[Record]) -> list[Record]:
    return sorted(
        waiting,
        key=lambda one: (not about_payment.doubtful(one), one.final, one.transaction.occurred_at),
    )


def said_of(record: Record, family: Iterable[Record], now: Moment) -> list[Said]:
    """The same about one of them: `family` are those taken since."""
    if record.state is not State.POSTED or record.in_doubt:
        return []
    others = (one for one in family if one.key != record.key)
    waiting = any(one.key == record.key for one in open_preauths([record, *others]))
    return [_not_completed(record, now)] if waiting else []


def _not_completed(record: Record, now: Moment) -> Said:
    t = record.transaction
    args: dict[str, Arg] = {
        "amount": about_payment.amount_of(record),
        "occurred_at": t.occurred_at,
        "last_day": last_day(record),
    }
    age_days = (now.at - t.occurred_at).days if now.trusted else None
    return Said(
        code="preauth.not_completed",
        since_at=t.occurred_at,
        args={**args, "age_days": age_days},
        evidence=(Line(phrases.PREAUTH_PROOF, args),),
    )


def _preauth_line(case: Case, record: Record) -> Affected:
    proven = record.state is State.POSTED and not record.in_doubt
    code = "preauth.not_completed" if proven else cause_of(record)
    plain = affected(record, code)
    if not proven:
        return plain
    late = case.now.trusted and case.now.at > last_day(record)
    return Affected(
        key=plain.key,
        state=plain.state,
        in_doubt=plain.in_doubt,
        code=code,
        amount=plain.amount,
        occurred_at=plain.occurred_at,
        line=Line(
            phrases.ONE_PREAUTH,
            {
                **plain.line.args,
                "last_day": last_day(record),
                "expired": phrases.EXPIRED if late else None,
            },
        ),
    )
