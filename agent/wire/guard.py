"""The guard as the local API tells it: may this terminal be updated, emptied or taken away?"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from agent.wire.operation import LOOKERS, TECHNICIANS, Operation
from agent.wire.views import AmountsOut

Purpose = Literal["update", "removal", "purge", "downgrade"]


class GuardArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody is about to do."""

    purpose: Purpose = "update"


class GuardForceArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is done although money is unsent, and why."""

    purpose: Purpose
    reason: Annotated[str, Meta(min_length=3, max_length=100)]

    @property
    def forced(self) -> str:
        """What the trail says it was about."""
        return f"{self.purpose}: {self.reason}"


class GuardOut(Struct, frozen=True, kw_only=True):
    """Whether money is unsent."""

    at: datetime
    purpose: str
    standing: str
    """`clear`: nothing is; `unsent`; `unknown`: it cannot be told, which counts as unsent."""
    total: AmountsOut | None
    """With what was put aside, as far as it was counted; null: nothing could be read."""
    in_doubt: int | None
    held: int | None
    quarantined: int | None
    """Put aside as damaged; null: not counted yet."""
    oldest_at: datetime | None
    oldest_age_s: int | None
    cause: str
    """Why nothing moves right now, or empty."""
    reason: str
    """Why it cannot be told, or empty."""
    aside: list[str]
    """Names of journals put aside."""


GUARD: tuple[Operation, ...] = (
    Operation(
        name="guard",
        method="GET",
        path="/v1/guard",
        roles=LOOKERS,
        summary="Is money unsent? For package scripts and update hooks, before they go on.",
        arguments=GuardArgs,
        result=GuardOut,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="guard_force",
        method="POST",
        path="/v1/guard/force",
        roles=TECHNICIANS,
        summary="Write into the trail that somebody goes on although money is unsent, and why. "
        "Changes nothing else.",
        arguments=GuardForceArgs,
        result=GuardOut,
        audited=True,
        problems=("request.bad_field", "store.unavailable"),
    ),
)
