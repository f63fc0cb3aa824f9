"""The outage drill as the local API tells it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta, Struct

from agent.core.health.reading import Value
from agent.core.moment import at_ms
from agent.wire.operation import LOOKERS, TECHNICIANS, Operation
from agent.wire.views import Both

if TYPE_CHECKING:
    from agent.core.drill.report import Done, Drill

#: Shorter than the server allows a handler.
MAX_WAIT_S = 20.0
Which = Annotated[str, Meta(pattern=r"^(last|[0-9]{1,9})$")]


class DrillArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to exercise."""

    records: Annotated[int, Meta(ge=1, le=200)] = 20
    """Marked records; each costs the flash as much as a payment."""
    restart: bool = False
    """Also kill the agent itself, hard, and let it start anew; only while nobody pays."""


class DrillShowArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One drill by its number, or `last`; of one under way what is known so far."""

    number: Which
    after: Annotated[int, Meta(ge=0, le=1_000)] = 0
    """Answer once more steps than this have ended …"""
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0.0
    """… but after this at the latest."""


class DrillsArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The last ones, the newest first."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 20


class DrillStepOut(Struct, frozen=True, kw_only=True):
    """One step of a drill."""

    name: str
    title: Both
    verdict: str
    """`pass`, `fail` or `skipped`."""
    said: Both
    """What came of it, with its figures."""
    began_at: datetime
    duration_ms: int
    facts: dict[str, Value]


class DrillOut(Struct, frozen=True, kw_only=True):
    """One drill, under way or over."""

    number: int
    state: str
    """`running` or `done`."""
    result: str
    """`passed`, `failed` or `broken_off`; empty while it runs."""
    said: Both
    """The result in a sentence."""
    trigger: str
    """`asked` or `schedule`."""
    actor: str
    records: int
    restart: bool
    started_at: datetime
    ended_at: datetime | None
    expected: list[str]
    """Names of all its steps."""
    steps: list[DrillStepOut]


class DrillLine(Struct, frozen=True, kw_only=True):
    """One drill in the list."""

    number: int
    state: str
    result: str
    trigger: str
    actor: str
    records: int
    started_at: datetime
    ended_at: datetime | None


class DrillsOut(Struct, frozen=True, kw_only=True):
    """The last drills."""

    drills: list[DrillLine]


class DrillEvent(Struct, frozen=True, kw_only=True):
    """A step of a drill ended, or all of it (`step` is null then)."""

    number: int
    state: str
    result: str
    done: int
    expected: int
    step: DrillStepOut | None


DRILL: tuple[Operation, ...] = (
    Operation(
        name="drill",
        method="POST",
        path="/v1/drills",
        roles=TECHNICIANS,
        summary="Exercise an outage on this terminal with marked records that cannot reach a host: "
        "accepted while the sink is down, killed, opened again, delivered once and in order, "
        "removed. While one is under way, that one. Follow it at /v1/drills/{number} or on "
        "/v1/events.",
        arguments=DrillArgs,
        result=DrillOut,
        disruptive=True,
        audited=True,
        problems=("request.bad_field", "request.unknown_field", "drill.in_doubt",
                  "drill.not_here", "store.full", "store.unavailable"),
    ),
    Operation(
        name="drills",
        method="GET",
        path="/v1/drills",
        roles=LOOKERS,
        summary="The last outage drills, the newest first.",
        arguments=DrillsArgs,
        result=DrillsOut,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="drill_show",
        method="GET",
        path="/v1/drills/{number}",
        roles=LOOKERS,
        summary="One outage drill by its number, or `last`: its steps with times and verdicts.",
        arguments=DrillShowArgs,
        result=DrillOut,
        problems=("request.bad_field", "request.unknown_field", "drill.unknown",
                  "store.unavailable"),
    ),
)  # fmt: skip


def drill_out(drill: Drill) -> DrillOut:
    """A drill as it is shown."""
    from agent.core.drill.words import result_said

    line = drill_line(drill)
    return DrillOut(
        number=line.number,
        state=line.state,
        result=line.result,
        said=Both(result_said(drill, "zh"), result_said(drill, "en")),
        trigger=line.trigger,
        actor=line.actor,
        records=line.records,
        restart=drill.restart,
        started_at=line.started_at,
        ended_at=line.ended_at,
        expected=[str(step) for step in drill.expected],
        steps=[_step(done) for done in drill.steps],
    )


def drill_line(drill: Drill) -> DrillLine:
    """A drill without its steps."""
    return DrillLine(
        number=drill.number,
        state="running" if drill.ended_ms is None else "done",
        result=str(drill.result),
        trigger=drill.trigger,
        actor=drill.actor,
        records=drill.records,
        started_at=at_ms(drill.started_ms),
        ended_at=None if drill.ended_ms is None else at_ms(drill.ended_ms),
    )


def drill_event(drill: Drill) -> DrillEvent:
    """What a drill's last change is to those who listen."""
    over = drill.ended_ms is not None
    return DrillEvent(
        number=drill.number,
        state="done" if over else "running",
        result=str(drill.result),
        done=len(drill.steps),
        expected=len(drill.expected),
        step=_step(drill.steps[-1]) if drill.steps and not over else None,
    )


def _step(done: Done) -> DrillStepOut:
    from agent.core.drill.words import said, title

    return DrillStepOut(
        name=str(done.name),
        title=Both(title(done.name, "zh"), title(done.name, "en")),
        verdict=str(done.verdict),
        said=Both(said(done, "zh"), said(done, "en")),
        began_at=at_ms(done.began_ms),
        duration_ms=done.duration_ms,
        facts=dict(done.facts),
    )
