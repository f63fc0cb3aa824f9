"""The whole terminal at a glance, in the local API: backlog, health, why, status, events.

Rows of `agent.wire.api.OPERATIONS`; what each does is in `agent.actions` under the same name.
"""

from __future__ import annotations

from agent.wire.arguments import Nothing
from agent.wire.operation import EVERYBODY_PAYING, LOOKERS, Operation, Role
from agent.wire.verdict import VerdictOut
from agent.wire.views import BacklogOut, HealthOut, StatusOut

LOOKING: tuple[Operation, ...] = (
    Operation(
        name="backlog",
        method="GET",
        path="/v1/backlog",
        roles=EVERYBODY_PAYING,
        summary="The unsent money of this terminal: count, amounts, age, cause.",
        arguments=Nothing,
        result=BacklogOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="health",
        method="GET",
        path="/v1/health",
        roles=(*EVERYBODY_PAYING, Role.REPORT),
        summary="Open alarms, and what each component last said.",
        arguments=Nothing,
        result=HealthOut,
    ),
    Operation(
        name="why",
        method="GET",
        path="/v1/explain",
        roles=EVERYBODY_PAYING,
        summary="Why money of this terminal has not arrived.",
        arguments=Nothing,
        result=VerdictOut,
        problems=("store.unavailable",),
    ),
    Operation(
        name="status",
        method="GET",
        path="/v1/status",
        roles=LOOKERS,
        summary="Agent, store, backlog, alarms and channels at a glance.",
        arguments=Nothing,
        result=StatusOut,
    ),
    Operation(
        name="events",
        method="GET",
        path="/v1/events",
        roles=EVERYBODY_PAYING,
        summary="Server-sent events: `transaction`, `health`, `device`, `backlog`, "
        "`inspection`, `drill`, `software`.",
        arguments=Nothing,
        result=None,
        problems=("events.too_many",),
    ),
    Operation(
        name="openapi",
        method="GET",
        path="/v1/openapi.json",
        roles=tuple(Role),
        summary="This contract.",
        arguments=Nothing,
        result=None,
    ),
)  # fmt: skip
