"""The trail of who did what, and taking note of an alarm, as the local API tells it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from agent.wire.arguments import Code
from agent.wire.operation import Operation, Role
from agent.wire.submit import Time
from agent.wire.views import AlarmOut


class AuditArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which lines, and whether the whole trail is to be checked."""

    since_ms: Annotated[int, Meta(ge=0, le=253_402_300_799_000)] = 0
    """Written at or after this, in milliseconds since 1970."""
    before: Annotated[int, Meta(ge=0)] = 0
    """`next_before` of the page before; 0: the newest."""
    limit: Annotated[int, Meta(ge=1, le=500)] = 100
    verify: bool = False


class AuditLineOut(Struct, frozen=True, kw_only=True):
    """Who did what, and how it ended."""

    number: int
    at: datetime
    actor: str
    """`uid:1000`: a local user; `fleet:operations-1`: a key of the fleet; `unknown`: nobody
    proved to be anybody."""
    op: str
    """An operation of this API, or `command.…` of the fleet."""
    target: str
    """A payment's key, a cause or a component."""
    outcome: str
    """`ok`, `accepted`, or the code of what went wrong."""
    count: int
    """More than 1: so often since the last such line."""
    before: str
    """Hash of the line before, in hexadecimal."""
    hash: str


class AuditFaultOut(Struct, frozen=True, kw_only=True):
    """Something that is not as it was written."""

    what: str
    """`altered`, `missing`, `cut`, `added`, `seal_start` or `seal_head`."""
    number: int
    until: int
    """missing, cut: the last number that is gone."""


class AuditCheckOut(Struct, frozen=True, kw_only=True):
    """The whole trail, checked."""

    lines: int
    first: int
    last: int
    faults: list[AuditFaultOut]
    """At most a hundred; none: every line is as it was written."""


class AuditOut(Struct, frozen=True, kw_only=True):
    """Lines, the newest first."""

    lines: list[AuditLineOut]
    next_before: int | None
    """Where the next page begins; null: there are no older ones."""
    check: AuditCheckOut | None
    """Only with verify=true."""


class AlarmAcknowledgeArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An open alarm by its code, and what is to stand beside it."""

    code: Code
    note: Annotated[str, Meta(max_length=200)] = ""
    """A few words for whoever comes next."""
    until: Time | None = None
    """When the note ends by itself; left out: with the alarm."""
    to: Annotated[str, Meta(max_length=60)] = ""
    """Who has it in hand from now on; left out: whoever asks."""


class AlarmReleaseArgs(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An open alarm by its code."""

    code: Code


_TECHNICIAN = (Role.TECHNICIAN,)

AUDIT: tuple[Operation, ...] = (
    Operation(
        name="audit",
        method="GET",
        path="/v1/audit",
        roles=(Role.READ, Role.TECHNICIAN),
        summary="Who did what on this terminal, here and from the fleet: every operation that "
        "changes something and every command, the newest first; verify=true checks the chain.",
        arguments=AuditArgs,
        result=AuditOut,
        problems=("request.bad_field", "request.unknown_field", "store.unavailable"),
    ),
    Operation(
        name="alarm_acknowledge",
        method="POST",
        path="/v1/alarms/{code}/acknowledge",
        roles=_TECHNICIAN,
        summary="Take note of an open alarm, or hand it over: who, when, the note and until when "
        "stand beside it until it ends. It stays visible. Repeating it is harmless.",
        arguments=AlarmAcknowledgeArgs,
        result=AlarmOut,
        audited=True,
        problems=("request.bad_field", "alarm.not_open"),
    ),
    Operation(
        name="alarm_release",
        method="POST",
        path="/v1/alarms/{code}/release",
        roles=_TECHNICIAN,
        summary="Take that back: nobody has this alarm in hand. Repeating it is harmless.",
        arguments=AlarmReleaseArgs,
        result=AlarmOut,
        audited=True,
        problems=("request.bad_field", "alarm.not_open"),
    ),
)
