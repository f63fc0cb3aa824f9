"""The questions about more than one payment: late, settlement, pre-authorisations, the slip. Pure.

Each is answered by the same scales as one payment, with the payments it is about, worst first. It
refuses to know how they were found: what could not be read is None and becomes an unknown. Called
by the actions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from agent.core.money.batches import Batch
from agent.core.money.journal import Record, State
from agent.core.money.transaction import Kind
from agent.core.why import about_payment, about_terminal, phrases, sources
from agent.core.why.asked import NO_ADVICE, Asked, Question, advice_of, ranked, sums, unread
from agent.core.why.case import Case
from agent.core.why.composing import composed
from agent.core.why.preauths import preauths
from agent.core.why.text import Arg, Line
from agent.core.why.verdict import Verdict
from agent.core.why.weigh import Scales, Tier

__all__ = ["Asked", "Question", "answer"]

#: A batch that is open for longer was forgotten.
BATCH_AGE = timedelta(hours=24)
_CLOSING = frozenset({Kind.SETTLEMENT, Kind.BATCH_UPLOAD})
#: What others said that belongs to settlement.
_OF_SETTLEMENT = ("settlement.", "presettlement.", "account.", "reversal.", "config.settlement")
#: The parts a slip needs, in the order in which they are looked at.
_PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("printer", ("printer.", "device.")),
    (
        "data",
        (
            "software.data_error",
            "queue.quarantined",
            "queue.store_full",
            "system.storage_worn",
            "presettlement.missing_records",
        ),
    ),
    ("rights", ("config.permission_denied",)),
    ("software", ("software.", "config.not_activated", "system.memory_low")),
)
#: Of the software: what is only old or waiting makes no slip fail.
_HARMLESS = frozenset({"software.outdated", "software.update_pending", "software.recently_changed"})


def answer(case: Case, asked: Asked) -> Verdict:
    """The verdict on one question."""
    return _ANSWERS[asked.question](case, asked)


# -- late ----------------------------------------------------------------------------------------


def _late(case: Case, asked: Asked) -> Verdict:
    weighed = about_terminal.weighed(case)
    sources.add_said(weighed.scales, case.said, sources.listed_tier(case))
    sources.add_changes(weighed.scales, case, None)
    findings = weighed.scales.findings(aside=False)
    late = [one for one in asked.records or () if _is_late(case, asked, one)]
    total = len(late) + asked.more
    payments = ranked(late, findings)
    args: dict[str, Arg] = {"count": total}
    if late:
        args |= {
            "amounts": None if asked.more else sums(late),
            "oldest_at": min(one.transaction.occurred_at for one in late),
        }
    headline = Line(phrases.LATE if late else phrases.LATE_NONE, args)
    if asked.records is None:
        headline = weighed.headline
    return composed(
        case,
        key=None,
        headline=headline,
        stages=None,
        facts=weighed.facts,
        findings=findings,
        advice=advice_of(late),
        unknowns=[
            *weighed.unknowns,
            *unread(asked),
            *sources.unknown_components(case.unknown, aside=False),
            *sources.strange_codes(weighed.scales),
        ],
        suggestions=(),
        question=asked.question,
        payments=payments,
        payments_total=total,
    )


def _is_late(case: Case, asked: Asked, record: Record) -> bool:
    if record.final:
        return False
    # Where the clock cannot be believed no age can be told: what is unsent is shown.
    if about_payment.doubtful(record) or record.state is State.HELD or not case.now.trusted:
        return True
    return (case.now.at - record.stored_at).total_seconds() >= asked.late_after_s


# -- settlement ----------------------------------------------------------------------------------


def _settlement(case: Case, asked: Asked) -> Verdict:
    weighed = about_terminal.weighed(case)
    scales = weighed.scales
    told = [one for one in case.said if one.code.startswith(_OF_SETTLEMENT)]
    sources.add_said(scales, told, sources.listed_tier(case))
    facts: list[Line] = []
    unknowns = unread(asked)
    bad = 0
    for batch in asked.batches or ():
        bad += _add_batch(scales, facts, case, batch)
    if not asked.batches:
        unknowns.append(Line(phrases.BATCHES_UNKNOWN))
    if not asked.listed:
        unknowns.append(Line(phrases.NO_LIST))
    unsent = [one for one in asked.records or () if not one.final]
    closing = [one for one in unsent if one.transaction.kind in _CLOSING]
    if closing:
        first = closing[0]
        scales.add(
            "settlement.batch_not_closed",
            tier=Tier.DOUBT,
            since_at=first.stored_at,
            args={"batch": first.transaction.batch, "count": len(closing)},
            evidence=(Line(phrases.BATCH_UNSENT, {"count": len(closing)}),),
        )
    findings = scales.findings(aside=False)
    total = len(unsent) + asked.more
    found = bool(bad or total or told)
    args: dict[str, Arg] = {"batches": bad + len(closing), "count": total or None}
    return composed(
        case,
        key=None,
        headline=Line(phrases.SETTLING if found else phrases.SETTLING_NONE, args),
        stages=None,
        facts=[*facts, *weighed.facts],
        findings=findings,
        advice=advice_of(unsent),
        unknowns=[*weighed.unknowns, *unknowns, *sources.strange_codes(scales)],
        suggestions=(),
        question=asked.question,
        payments=ranked(unsent, findings),
        payments_total=total,
    )


def _add_batch(scales: Scales, facts: list[Line], case: Case, batch: Batch) -> bool:
    """A batch as a fact, or as a cause where somebody must act; whether it is one."""
    args: dict[str, Arg] = {
        "terminal_id": batch.terminal_id,
        "batch": batch.batch,
        "opened_at": batch.opened_at,
        "closed_at": batch.closed_at,
        "count": batch.count,
    }
    if batch.closed_at is None:
        line = Line(phrases.BATCH_OPEN, args)
        opened = batch.opened_at
        wrong = opened is not None and case.now.trusted and case.now.at - opened > BATCH_AGE
    else:
        by_agreed = {
            None: phrases.BATCH_CLOSED, True: phrases.BATCH_AGREED, False: phrases.BATCH_DIFFERS
        }  # fmt: skip
        line, wrong = Line(by_agreed[batch.agreed], args), batch.agreed is False
    if not wrong:
        facts.append(line)
        return False
    scales.add(
        "settlement.batch_not_closed",
        tier=Tier.DOUBT,
        since_at=batch.closed_at or batch.opened_at,
        args={"batch": batch.batch, "count": batch.count, "terminal_id": batch.terminal_id},
        evidence=(line,),
    )
    return True


# -- the slip ------------------------------------------------------------------------------------


def _slip(case: Case, asked: Asked) -> Verdict:
    weighed = about_terminal.weighed(case)
    scales = weighed.scales
    told = [one for one in case.said if one.code.startswith("presettlement.")]
    part, code = _first_failed(scales.codes)
    if part:
        scales.add(
            "presettlement.not_generated",
            args={"failed": phrases.FAILED_PARTS[part]},
            after=code,
        )
    sources.add_said(scales, told)
    findings = [
        one
        for one in scales.findings(aside=True)
        if _part_of(one.code) or one.code.startswith("presettlement.")
    ]
    findings.sort(key=lambda one: one.code != code)  # what failed first stands first
    failed: Arg = phrases.FAILED_PARTS[part] if part else None
    failed = failed or next((one.args.get("failed") for one in told), None)
    broken = bool(part or told)
    return composed(
        case,
        key=None,
        headline=Line(phrases.SLIP_FAILS if broken else phrases.SLIP_FINE, {"failed": failed}),
        stages=None,
        facts=weighed.facts,
        findings=findings,
        advice=NO_ADVICE,
        unknowns=[
            *sources.unknown_components(
                [one for one in case.unknown if one.component in ("printer", "queue", "software")],
                aside=True,
            ),
            *sources.strange_codes(scales),
        ],
        suggestions=(),
        question=asked.question,
    )


def _part_of(code: str) -> str:
    """The part of making a slip that `code` breaks, or ""."""
    if code in _HARMLESS:
        return ""
    return next((part for part, starts in _PARTS if code.startswith(starts)), "")


def _first_failed(codes: Iterable[str]) -> tuple[str, str]:
    """(part, cause) of the first part that failed."""
    order = [part for part, _ in _PARTS]
    failed = sorted((order.index(part), code) for code in codes if (part := _part_of(code)))
    if not failed:
        return "", ""
    number, code = failed[0]
    return order[number], code


_ANSWERS: Mapping[Question, Callable[[Case, Asked], Verdict]] = {
    Question.LATE: _late,
    Question.SETTLEMENT: _settlement,
    Question.PREAUTH: preauths,
    Question.SLIP: _slip,
}
