"""The self-inspection as the local API tells it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

from agent.core.health.reading import Value
from agent.core.moment import at_ms
from agent.wire.arguments import Nothing
from agent.wire.operation import Operation, Role
from agent.wire.views import Both, both

if TYPE_CHECKING:
    from agent.core.inspection.report import Check, Report
    from agent.core.why.causes import Cause

#: Shorter than the server allows a handler.
MAX_WAIT_S = 20.0
Which = Annotated[str, Meta(pattern=r"^(last|[0-9]{1,9})$")]


class InspectionArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inspection by its number, or `last`; of one under way what is known so far."""

    number: Which
    after: Annotated[int, Meta(ge=0, le=1_000)] = 0
    """Answer once more checks than this have ended …"""
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0.0
    """… but after this at the latest."""


class InspectionsArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last ones, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class SlipArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inspection as lines for receipt paper."""

    number: Which
    columns: Annotated[int, Meta(ge=24, le=80)] = 32
    """32 for paper of 58 mm, 48 for 80 mm."""
    lang: Literal["zh", "en"] = "zh"


class CheckedOut(Struct, frozen=True, kw_only=True):
    """One check of an inspection."""

    name: str
    title: Both
    verdict: str
    """`pass`, `warn`, `fail`, `unknown`, `not_fitted` or `not_observable`."""
    duration_ms: int
    codes: list[str]
    """Causes, the worst first."""
    cause: Both
    """The first of them in words."""
    owner: str
    """Who must act; empty: nobody."""
    step: Both
    """What to do next."""
    why: Both
    """What is the matter, or why nothing is known."""
    follows: str
    """Cause found by another check that this one follows from; empty: it stands for itself."""
    evidence: dict[str, Value]


class InspectionOut(Struct, frozen=True, kw_only=True):
    """One inspection, under way or over."""

    number: int
    """0: it could not be kept."""
    state: str
    """`running` or `done`."""
    trigger: str
    """`asked` or `schedule`."""
    actor: str
    started_at: datetime
    ended_at: datetime | None
    expected: list[str]
    """Names of all its checks."""
    checks: list[CheckedOut]
    """In the order they ended."""
    totals: dict[str, int]
    """How many checks came to which verdict."""


class InspectionLine(Struct, frozen=True, kw_only=True):
    """One inspection in the list."""

    number: int
    state: str
    trigger: str
    actor: str
    started_at: datetime
    ended_at: datetime | None
    totals: dict[str, int]


class InspectionsOut(Struct, frozen=True, kw_only=True):
    """The last inspections."""

    inspections: list[InspectionLine]


class SlipOut(Struct, frozen=True, kw_only=True):
    """Lines for receipt paper; none is wider than `columns`, Chinese characters counted as two."""

    number: int
    columns: int
    lines: list[str]


class InspectionEvent(Struct, frozen=True, kw_only=True):
    """A check of an inspection ended, or all of it (`check` is null then)."""

    number: int
    state: str
    done: int
    expected: int
    check: CheckedOut | None
    totals: dict[str, int]


_LOOK = (Role.READ, Role.TECHNICIAN)

INSPECTION: tuple[Operation, ...] = (
    Operation(
        name="inspect",
        method="POST",
        path="/v1/inspections",
        roles=(Role.TECHNICIAN,),
        summary="Inspect the terminal now: every check once, nothing printed, nothing sent. While "
        "one is under way, that one. Follow it at /v1/inspections/{number} or on /v1/events.",
        arguments=Nothing,
        result=InspectionOut,
        audited=True,
    ),
    Operation(
        name="inspections",
        method="GET",
        path="/v1/inspections",
        roles=_LOOK,
        summary="The last self-inspections, the newest first.",
        arguments=InspectionsArgs,
        result=InspectionsOut,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="inspection",
        method="GET",
        path="/v1/inspections/{number}",
        roles=_LOOK,
        summary="One self-inspection by its number, or `last`: per check a verdict with evidence, "
        "cause, next step and duration.",
        arguments=InspectionArgs,
        result=InspectionOut,
        problems=(
            "request.bad_field", "request.unknown_field", "inspection.unknown",
            "store.unavailable",
        ),
    ),
    Operation(
        name="inspection_slip",
        method="GET",
        path="/v1/inspections/{number}/slip",
        roles=_LOOK,
        summary="One self-inspection as lines of text for a receipt printer.",
        arguments=SlipArgs,
        result=SlipOut,
        problems=(
            "request.bad_field", "request.unknown_field", "inspection.unknown",
            "store.unavailable",
        ),
    ),
)  # fmt: skip


def inspection_out(report: Report) -> InspectionOut:
    """A report as it is shown."""
    line = line_out(report)
    return InspectionOut(
        number=line.number,
        state=line.state,
        trigger=line.trigger,
        actor=line.actor,
        started_at=line.started_at,
        ended_at=line.ended_at,
        expected=list(report.expected),
        checks=[_checked(check) for check in report.checks],
        totals=line.totals,
    )


def line_out(report: Report) -> InspectionLine:
    """A report without its checks."""
    return InspectionLine(
        number=report.number,
        state="running" if report.ended_ms is None else "done",
        trigger=report.trigger,
        actor=report.actor,
        started_at=at_ms(report.started_ms),
        ended_at=None if report.ended_ms is None else at_ms(report.ended_ms),
        totals=report.totals,
    )


def inspection_event(report: Report) -> InspectionEvent:
    """What a report's last change is to those who listen."""
    over = report.ended_ms is not None
    return InspectionEvent(
        number=report.number,
        state="done" if over else "running",
        done=len(report.checks),
        expected=len(report.expected),
        check=_checked(report.checks[-1]) if report.checks and not over else None,
        totals=report.totals,
    )


def _checked(check: Check) -> CheckedOut:
    # Loaded when somebody looks: the texts of all causes are 1 MB of a quiet daemon.
    from agent.core.inspection.words import title
    from agent.core.why.causes import CATALOGUE

    cause = CATALOGUE.get(check.code)
    return CheckedOut(
        name=check.name,
        title=both(title(check.name), {}),
        verdict=check.verdict,
        duration_ms=check.duration_ms,
        codes=list(check.codes),
        cause=Both(check.code, check.code) if cause is None else both(cause.title, check.args),
        owner="" if cause is None else cause.owner,
        step=Both("", "") if cause is None else both(cause.step, check.args),
        why=_why(check, cause),
        follows=check.follows,
        evidence=dict(check.evidence),
    )


def _why(check: Check, cause: Cause | None) -> Both:
    if check.reason:
        from agent.core.why.reasons import in_chinese

        return Both(in_chinese(check.reason), check.reason)
    if cause is None:
        return Both("", "")
    return both(cause.reason, check.args)
