"""What health was before now, in the local API: one row of `agent.wire.api.OPERATIONS`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.core.health.reading import Value
from agent.core.health.tracker import HistoryLine
from agent.wire.operation import LOOKERS, Operation
from agent.wire.views import Both

Ms = Annotated[int, Meta(ge=0, le=253_402_300_799_000)]


class HealthHistoryArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which time, newest first."""

    since: Ms = 0
    """In milliseconds since 1970, included; 0: as far back as is kept."""
    until: Ms = 0
    """Included; 0: now. With `before`: `next_until` of the page before."""
    before: Annotated[int, Meta(ge=0)] = 0
    """`next_before` of the page before; 0: the newest."""
    code: Annotated[str, Meta(pattern=r"^([a-z0-9_]+(\.[a-z0-9_]+)+)?$", max_length=64)] = ""
    """Only this condition; empty: all."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 200


class HealthLineOut(Struct, frozen=True, kw_only=True):
    """One change of one condition."""

    number: int
    code: str
    what: str
    """`began`, `shown`, `cleared`, `ended`, `noted`, `released`; see the event stream."""
    at: datetime
    component: str
    """Empty for a condition this version does not know."""
    severity: str
    title: Both
    args: dict[str, Value]


class HealthHistoryOut(Struct, frozen=True, kw_only=True):
    """The page, newest first."""

    lines: list[HealthLineOut]
    next_before: int | None
    """null: that was all."""
    next_until: int | None


def line_out(number: int, line: HistoryLine, component: str, severity: str) -> HealthLineOut:
    """A line with the title of its cause."""
    from agent.core.why.causes import CATALOGUE  # loaded when somebody first looks
    from agent.wire.views import both

    cause = CATALOGUE.get(line.code)
    return HealthLineOut(
        number=number,
        code=line.code,
        what=line.what,
        at=line.at,
        component=component,
        severity=severity,
        title=both(cause.title, line.args) if cause else Both(line.code, line.code),
        args=dict(line.args),
    )


HISTORY: tuple[Operation, ...] = (
    Operation(
        name="health_history",
        method="GET",
        path="/v1/health/history",
        roles=LOOKERS,
        summary="What was wrong and when, page by page, newest first.",
        arguments=HealthHistoryArgs,
        result=HealthHistoryOut,
        problems=("request.bad_field", "store.unavailable"),
    ),
)
