"""Why the money has not arrived: one case in, one verdict out. Pure and deterministic.

It decides what is proven, what is missing, which causes stand and in which order, and whether the
payment may be taken again. It refuses to know where the facts came from (daemon or dead store) and
how the answer looks (render, wire). Called by the local API and by the command line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.core.moment import at_ms
from agent.core.money.channel import ChannelState
from agent.core.money.journal import Event, Record, State
from agent.core.money.reversing import PENDING
from agent.core.money.transaction import Kind
from agent.core.why import about_payment, about_terminal, past, phrases, sources
from agent.core.why.case import (
    Case,
    ChannelView,
    Condition,
    JournalView,
    Payment,
    PutAside,
    Said,
    UnknownComponent,
    VersionChange,
    conditions_of,
    unknown_of,
)
from agent.core.why.causes import CATALOGUE
from agent.core.why.composing import composed, title_of
from agent.core.why.text import Args, Line, Money, Text, verbatim
from agent.core.why.verdict import Advice, Finding, Retry, Stage, Stages, Verdict
from agent.core.why.weigh import WAY, Scales, Tier, own_tier

__all__ = [
    "Advice",
    "Case",
    "ChannelView",
    "Condition",
    "Finding",
    "JournalView",
    "Line",
    "Money",
    "Payment",
    "PutAside",
    "Retry",
    "Stage",
    "Stages",
    "Text",
    "UnknownComponent",
    "Verdict",
    "VersionChange",
    "conditions_of",
    "explain",
    "unknown_of",
]

#: With these the host had its say or was never asked: the way to it explains nothing.
_SETTLED_HERE = frozenset({State.DECLINED, State.REVERSED, State.VOIDED})
#: Alarms about other payments, or about taking new ones: none of them holds this one up.
_OF_OTHERS = frozenset(
    {
        "queue.held",
        "queue.limit_reached",
        "queue.quarantined",
        "queue.store_full",
        "request.lapsed",
        "software.data_error",
    }
)
#: Kinds that bring the merchant money: only for them "ask the bank" makes sense.
_MONEY_IN = frozenset(
    {
        Kind.SALE,
        Kind.QR_SALE,
        Kind.PREAUTH_COMPLETION,
        Kind.ADJUSTMENT,
        Kind.SETTLEMENT,
        Kind.BATCH_UPLOAD,
    }
)
_UNCLOSED = "settlement.batch_not_closed"
_LACKING = frozenset({"settlement.not_in_file", "settlement.delayed"})
#: What a list says of a payment that is posted here, or those that should have followed it.
_LISTED = ("settlement.", "account.", "preauth.")
#: What checks dislike: a warning, unless the payment is held for it.
_CAUTIONS = frozenset(
    {
        "duplicate.suspected",
        "fraud.suspicious",
        "operator.too_fast",
        "operator.wrong_amount",
        "operator.wrong_payment_type",
    }
)
#: What the check disliked when the payment was taken, where the cause has another name.
_FLAGS: Mapping[str, str] = {"amount.mistyped": "operator.wrong_amount"}
_ASK_ELSEWHERE = (
    "account.check_with_bank",
    "settlement.account_limit",
    "config.settlement_account",
)
_ASK_PLATFORM = ("platform.check_with_platform", "platform.policy_changed")


def explain(case: Case) -> Verdict:
    """The verdict on one payment, or on the whole terminal."""
    if case.payment is None:
        return _terminal(case)
    if case.payment.record is None:
        return _unknown_key(case, case.payment.key)
    return _payment(case, case.payment, case.payment.record)


# -- one payment ---------------------------------------------------------------------------------


def _payment(case: Case, payment: Payment, record: Record) -> Verdict:
    references = {
        name: value for name, value in about_payment.references(record).items() if value is not None
    }
    scales = Scales({**case.known, **references})
    posted = record.state is State.POSTED
    channel = _channel(case, record.transaction.uplink)
    unknowns: list[Line] = []
    _add_own(scales, payment, record)
    if record.state not in _SETTLED_HERE:
        sources.add_agent(scales, case)
        sources.add_conditions(scales, _touching(case.conditions, record))
        unknowns += _add_way(scales, case, record, channel)
    if _UNCLOSED in scales.codes:  # no list has what its batch did not bring there
        for code in _LACKING & {one.code for one in case.said}:
            scales.add(code, after=_UNCLOSED)
    sources.add_said(scales, case.said, _of_this(scales, record))
    facts = about_payment.facts(record, at_ms(case.now.wall_ms)) + about_payment.told(payment)
    facts += _add_last_cause(scales, record, channel)
    for code, line in about_payment.troubles(payment):
        if code in scales.codes:
            scales.add(code, evidence=(line,))
        else:
            facts.append(line)
    for code, line in past.lines(payment, case.past or ()):
        if code in scales.codes:
            scales.add(code, evidence=(line,))
        else:
            facts.append(line)
    failure = about_payment.first_failure(payment)
    sources.add_changes(scales, case, failure.first_at if failure else None)
    findings = scales.findings(aside=posted)
    if record.state not in _SETTLED_HERE:
        unknowns += sources.unknown_components(case.unknown, aside=posted)
    unknowns += _payment_unknowns(payment, record, findings, case.said)
    if case.past is None:
        unknowns.append(Line(phrases.PAST_UNKNOWN))
    return composed(
        case,
        key=payment.key,
        headline=about_payment.headline(record),
        stages=about_payment.stages(payment, record),
        facts=facts,
        findings=findings,
        advice=about_payment.advice(record, _listed(case, payment)),
        unknowns=[*unknowns, *sources.strange_codes(scales)],
        suggestions=_suggestions(case, record, findings) if posted else (),
    )


def _listed(case: Case, payment: Payment) -> bool:
    """Whether anybody's list may have this payment's money: then it is not taken again."""
    return payment.settled is not None or any(
        one.code.startswith("settlement.") and one.code != "settlement.not_in_file"
        for one in case.said
    )


def _of_this(scales: Scales, record: Record) -> Callable[[str], Tier]:
    """Where what others found of this payment stands. Of money the host has, a list knows more than
    anything that is wrong here now; what a check disliked stops nothing by itself."""
    unclosed = _UNCLOSED in scales.codes

    def place(code: str) -> Tier:
        if record.state is State.POSTED and code.startswith(_LISTED):
            return Tier.REMOTE if unclosed else Tier.STATE
        return Tier.LIMP if code in _CAUTIONS and record.state is not State.HELD else own_tier(code)

    return place


def _touching(conditions: Iterable[Condition], record: Record) -> list[Condition]:
    """The conditions that can touch this payment: what others wait for is no cause of its own."""
    conditions = [one for one in conditions if not _of_others(one)]
    if record.state is State.POSTED:
        return conditions
    mine = "" if about_payment.by_app(record) else record.transaction.uplink
    return [
        one
        for one in conditions
        if not (one.component == "uplink" and one.args.get("channel", mine) != mine)
    ]


def _of_others(one: Condition) -> bool:
    """What a list says of this very payment is told by `said`, not by the terminal's alarm."""
    return one.code in _OF_OTHERS or one.component == "settlement"


def _add_own(scales: Scales, payment: Payment, record: Record) -> None:
    """What the record's own state says."""
    note = (verbatim(record.note),) if record.note else ()
    match record.state:
        case State.HELD:
            args: Args = {"held_reason": record.note or title_of(record.cause)}
            scales.add(
                "queue.held", tier=Tier.STATE, since_at=record.changed_at, args=args, evidence=note
            )
        case State.LAPSED:
            scales.add("request.lapsed", tier=Tier.STATE, since_at=record.changed_at, evidence=note)
        case State.REVERSED:
            scales.add(
                "reversal.completed", tier=Tier.STATE, since_at=record.changed_at, evidence=note
            )
        case State.DECLINED:
            _add_decline(scales, record)
        case State.QUEUED if about_payment.by_app(record) and payment.reports:
            last = payment.reports[-1].report
            args = {"last_step": phrases.REPORTS[last.stage], "since": last.at}
            scales.add("operator.not_completed", tier=Tier.STATE, since_at=last.at, args=args)
        case _:
            pass
    if payment.batch is not None and payment.batch.agreed is False:
        args = {"batch": payment.batch.batch, "count": payment.batch.count}
        scales.add(
            _UNCLOSED,
            tier=Tier.STATE if record.state is State.POSTED else None,
            since_at=payment.batch.closed_at,
            args=args,
        )
    for code in dict.fromkeys(_FLAGS.get(flag, flag) for flag in record.flags):
        if code in CATALOGUE:
            args = {"amount": about_payment.amount_of(record)}
            tier = Tier.DOUBT if record.state is State.HELD else Tier.LIMP
            scales.add(code, tier=tier, args=args, evidence=(Line(phrases.DISLIKED),))
    if about_payment.doubtful(record):
        lines = list(note)
        since_at = record.changed_at
        if record.last_sent is not None:
            since_at = at_ms(record.last_sent.wall_ms)
            lines.insert(0, Line(phrases.MAY_HAVE_LEFT, {"at": since_at}))
        if record.cause == PENDING:  # one story: it is being taken back because nobody answered
            scales.add(PENDING, since_at=record.changed_at, evidence=lines)
            scales.add("host.no_reply", since_at=since_at, after=PENDING)
        else:
            scales.add("host.no_reply", since_at=since_at, evidence=lines)


def _add_decline(scales: Scales, record: Record) -> None:
    meaning = about_payment.meaning(record)
    code, owner = record.cause, None
    if code in ("", "host.rejected") or code not in CATALOGUE:
        code = meaning.cause if meaning else "host.rejected"
        owner = meaning.owner if meaning else None
    result = record.result
    scales.add(
        code,
        tier=Tier.STATE,
        since_at=record.changed_at,
        args={"answer": (result.text if result else None) or (meaning.text if meaning else None)},
        evidence=(about_payment.host_said(result),) if result else (),
        owner=owner,
    )


def _add_way(scales: Scales, case: Case, record: Record, channel: ChannelView | None) -> list[Line]:
    """What the way to this payment's host says; returns what is not known about it."""
    if about_payment.by_app(record):
        return []
    if case.channels is None:
        return [Line(phrases.CHANNELS_UNKNOWN)]
    if channel is None:
        if not record.final:
            sources.not_configured(scales, record.transaction.uplink)
        return []
    return sources.add_channels(scales, (channel,))


def _add_last_cause(scales: Scales, record: Record, channel: ChannelView | None) -> list[Line]:
    """The record's last trouble: a cause if it can still stand, otherwise a fact."""
    code = sources.whose_dates(scales, record.cause)
    if record.final or not code or code in scales.codes:
        return []
    clear = channel is not None and channel.state is ChannelState.OK
    if record.state is not State.HELD and clear and sources.connection_level(code):
        title = title_of(code)
        return [Line(phrases.WAY_IS_CLEAR, {"title": title})] if title else []
    lines = (verbatim(record.note),) if record.note else ()
    scales.add(code, tier=own_tier(code), args={"answer": record.note}, evidence=lines)
    return []


def _payment_unknowns(
    payment: Payment, record: Record, findings: Iterable[Finding], said: Iterable[Said]
) -> list[Line]:
    lines = []
    if record.state is State.POSTED and payment.settled is None:
        if payment.compared is None:
            closed = about_payment.batch_closed(payment)
            lines.append(Line(phrases.PAYOUT_UNSEEN if closed else phrases.SETTLEMENT_UNSEEN))
        elif not any(one.code.startswith(_LISTED) for one in said):
            lines.append(payment.compared)
    if about_payment.by_app(record):
        if not payment.reports:
            lines.append(Line(phrases.APP_STAGES_UNKNOWN))
    elif about_payment.doubtful(record):
        if not any(step.event == Event.ASKED for step in payment.steps):
            lines.append(Line(phrases.NOT_ASKED))
    elif not record.final and any(one.code in WAY for one in findings):
        lines.append(Line(phrases.NOT_REACHED))
    return lines


# -- a key nobody knows --------------------------------------------------------------------------


def _unknown_key(case: Case, key: str) -> Verdict:
    scales = Scales({**case.known, "key": key})
    sources.add_agent(scales, case)
    sources.add_journal(scales, case.journal, case.backlog.quarantined if case.backlog else None)
    headline, facts = phrases.KEY_NOT_LOOKED_UP, []
    if case.journal is not None:
        headline = phrases.NO_SUCH_KEY
        born: Args = {"born_at": case.journal.born_at}
        facts = [Line(text, born) for text in phrases.KEY_REASONS]
    return composed(
        case,
        key=key,
        headline=Line(headline, {"key": key}),
        stages=None,
        facts=facts,
        findings=scales.findings(aside=False),
        advice=Advice(Retry.DO_NOT_RETRY, Line(phrases.DO_NOT_UNKNOWN_KEY)),
        unknowns=[],
        suggestions=(),
    )


# -- the whole terminal --------------------------------------------------------------------------


def _terminal(case: Case) -> Verdict:
    weighed = about_terminal.weighed(case)
    sources.add_said(weighed.scales, case.said, sources.listed_tier(case))
    sources.add_changes(weighed.scales, case, None)
    findings = weighed.scales.findings(aside=True)
    unknowns = weighed.unknowns + sources.unknown_components(case.unknown, aside=True)
    return composed(
        case,
        key=None,
        headline=weighed.headline,
        stages=None,
        facts=weighed.facts,
        findings=findings,
        advice=Advice(Retry.NOT_APPLICABLE, Line(phrases.NOT_A_PAYMENT)),
        unknowns=[*unknowns, *sources.strange_codes(weighed.scales)],
        suggestions=_suggestions(case, None, findings),
    )


# -- shared --------------------------------------------------------------------------------------


def _suggestions(case: Case, record: Record | None, findings: list[Finding]) -> tuple[Finding, ...]:
    """Whom to ask about what cannot be seen from here: only when all that can be seen is well."""
    well = (
        not findings
        and not any(_of_others(one) for one in case.conditions)
        and case.channels is not None
        and case.backlog is not None
        and all(one.permanent for one in case.unknown)
    )
    if not well:
        return ()
    codes: tuple[str, ...] = _ASK_ELSEWHERE
    args: Args = {}
    if record is None:
        if case.backlog is None or case.backlog.total.count:
            return ()
    else:
        kind = record.transaction.kind
        if kind not in _MONEY_IN:
            return ()
        codes = (*_ASK_PLATFORM, *codes) if kind is Kind.QR_SALE else codes
        args = about_payment.references(record)
    return tuple(Finding(code=code, owner=CATALOGUE[code].owner, args=args) for code in codes)


def _channel(case: Case, name: str) -> ChannelView | None:
    return next((one for one in case.channels or () if one.name == name), None)
