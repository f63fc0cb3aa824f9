"""How a verdict is put together from what was weighed, the same for every question. Pure.

It keeps the lists short and says when all of it is older than now. Called by `explain` and
`questions`.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.core.why import phrases
from agent.core.why.case import Case
from agent.core.why.causes import CATALOGUE
from agent.core.why.text import Line, Text
from agent.core.why.verdict import (
    MAX_FINDINGS,
    MAX_PAYMENTS,
    Advice,
    Affected,
    Finding,
    Stages,
    Verdict,
)


def composed(
    case: Case,
    *,
    key: str | None,
    headline: Line,
    stages: Stages | None,
    facts: Sequence[Line],
    findings: Sequence[Finding],
    advice: Advice,
    unknowns: Sequence[Line],
    suggestions: tuple[Finding, ...],
    question: str = "",
    payments: Sequence[Affected] = (),
    payments_total: int = 0,
) -> Verdict:
    """The verdict. `payments`: worst first; `payments_total`: all there are, at least these."""
    stale = [] if case.daemon_alive else [Line(phrases.DAEMON_DEAD)]
    return Verdict(
        at=case.now.at,
        key=key,
        headline=headline,
        stages=stages,
        facts=(*stale, *facts),
        findings=tuple(findings[:MAX_FINDINGS]),
        omitted=max(0, len(findings) - MAX_FINDINGS),
        advice=advice,
        unknowns=(*unknowns, *(_unheard(one) for one in case.unheard)),
        suggestions=suggestions,
        question=question,
        payments=tuple(payments[:MAX_PAYMENTS]),
        payments_total=max(payments_total, len(payments)),
    )


def title_of(code: str) -> Text | None:
    """The title of a cause, unless another version of this program wrote the code."""
    cause = CATALOGUE.get(code)
    return cause.title if cause else None


def _unheard(who: str) -> Line:
    return Line(phrases.NOT_HEARD, {"who": phrases.SPEAKERS.get(who, who)})
