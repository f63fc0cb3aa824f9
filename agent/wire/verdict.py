"""A verdict of the explain engine as it crosses the border: sentences in both languages.

Adds nothing, drops nothing, reorders nothing: every reader shows the same findings in the same
order. Called by the actions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.why.text import Line
    from agent.core.why.verdict import Affected, Finding, Verdict


class FindingOut(Struct, frozen=True, kw_only=True):
    """One cause with its evidence, one owner and one next step."""

    code: str
    title: Both
    owner: str
    """Who must act."""
    step: Both
    """What to do next."""
    reason: Both
    since_at: datetime | None
    evidence: list[Both]
    consequences: list[str]
    """Codes that follow from it."""


class StagesOut(Struct, frozen=True, kw_only=True):
    """Captured, stored, sent, host answered, batch closed, settled: how far it provably came."""

    proven: str
    missing: str | None


class AdviceOut(Struct, frozen=True, kw_only=True):
    """May the payment be taken again?"""

    retry: str
    """`do_not_retry`, `will_be_sent`, `safe_to_retry`, `already_done` or `not_applicable`."""
    text: Both


class AffectedOut(Struct, frozen=True, kw_only=True):
    """One payment a question is about."""

    key: str
    state: str
    in_doubt: bool
    code: str
    """The cause it waits for; empty where none is known."""
    amount_minor: int | None
    currency: str | None
    occurred_at: datetime
    text: Both


class VerdictOut(Struct, frozen=True, kw_only=True):
    """Why money has not arrived."""

    at: datetime
    key: str | None
    """null: the whole terminal."""
    headline: Both
    stages: StagesOut | None
    facts: list[Both]
    findings: list[FindingOut]
    """At most five, most important first."""
    omitted: int
    advice: AdviceOut
    unknowns: list[Both]
    """What is not known, and what was not tried."""
    suggestions: list[FindingOut]
    question: str
    """`late`, `settlement`, `preauth` or `slip`; empty for one payment and for the terminal."""
    payments: list[AffectedOut]
    """At most twenty, worst first."""
    payments_total: int
    """Of them, shown or not."""
    daemon_alive: bool
    text: dict[str, list[str]]
    """The whole of it as lines of plain text, `zh` and `en`: what the command line prints."""


def verdict_out(verdict: Verdict, daemon_alive: bool) -> VerdictOut:
    """Times in the sentences are in the terminal's own time zone."""
    # The shapes above are part of the daemon; the sentences are loaded when somebody asks why.
    from agent.core.why.render import render

    offset = verdict.at.astimezone().utcoffset() or timedelta(0)
    stages = verdict.stages
    return VerdictOut(
        at=verdict.at,
        key=verdict.key,
        headline=_both(verdict.headline, offset),
        stages=None if stages is None else StagesOut(proven=stages.proven, missing=stages.missing),
        facts=_all(verdict.facts, offset),
        findings=[_finding(finding, offset) for finding in verdict.findings],
        omitted=verdict.omitted,
        advice=AdviceOut(retry=verdict.advice.retry, text=_both(verdict.advice.line, offset)),
        unknowns=_all(verdict.unknowns, offset),
        suggestions=[_finding(finding, offset) for finding in verdict.suggestions],
        question=verdict.question,
        payments=[_affected(one, offset) for one in verdict.payments],
        payments_total=verdict.payments_total,
        daemon_alive=daemon_alive,
        text={lang: render(verdict, lang, offset) for lang in ("zh", "en")},
    )


def _finding(finding: Finding, offset: timedelta) -> FindingOut:
    return FindingOut(
        code=finding.code,
        title=_both(finding.title, offset),
        owner=finding.owner,
        step=_both(finding.step, offset),
        reason=_both(finding.reason, offset),
        since_at=finding.since_at,
        evidence=_all(finding.evidence, offset),
        consequences=list(finding.consequences),
    )


def _affected(one: Affected, offset: timedelta) -> AffectedOut:
    return AffectedOut(
        key=one.key,
        state=one.state,
        in_doubt=one.in_doubt,
        code=one.code,
        amount_minor=one.amount.amount_minor if one.amount else None,
        currency=one.amount.currency if one.amount else None,
        occurred_at=one.occurred_at,
        text=_both(one.line, offset),
    )


def _all(lines: Iterable[Line], offset: timedelta) -> list[Both]:
    return [_both(line, offset) for line in lines]


def _both(line: Line, offset: timedelta) -> Both:
    return Both(line.render("zh", offset), line.render("en", offset))
