"""A signed command as it is kept: what was taken or refused, and how far it has come.

Shared by `store.orders`, which keeps it, and `telemetry.orders`, which moves it on. Decides only
what becomes of a command that a stop has cut short: it is never begun a second time.
"""

from __future__ import annotations

import re
from enum import IntEnum

from agent.core.fleet.commands import Command, Reason
from agent.core.money import cards
from agent.record import dataclass, replace


class Stage(IntEnum):
    """How far it has come; the numbers are stored."""

    ACCEPTED = 0
    RUNNING = 1
    DONE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One command that was taken or refused for good."""

    cmd_id: str
    key_id: str
    seq: int
    digest: bytes  #: of the signed bytes and the key they were signed with
    op: str
    target: str  #: a payment's key, a cause, a component
    at_ms: int
    stage: Stage = Stage.ACCEPTED
    status: str = "accepted"
    code: str = ""
    detail: str = ""
    result: bytes | None = None
    ended_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known before a command is judged."""

    kept: Order | None
    last_seq: int
    since_ms: int | None  #: since when sequences are kept without a gap; None: they were lost


#: Names of ours: a payment's key, a cause, a component; nobody's own words.
_NAME = re.compile(r"[A-Za-z0-9._:-]{0,128}")
#: Which argument says what a command is about.
_TARGETS = ("key", "cause", "code", "update", "component", "uplink")


def taken(command: Command, key_id: str, digest: bytes, at_ms: int) -> Order:
    """The row of a command that will be carried out."""
    target = next((str(command.args[name]) for name in _TARGETS if name in command.args), "")
    if not _NAME.fullmatch(target) or cards.contains(target):
        target = ""  # nobody checked yet what the signer wrote there
    return Order(
        cmd_id=command.cmd_id,
        key_id=key_id,
        seq=command.seq,
        digest=digest,
        op=command.op,
        target=target,
        at_ms=at_ms,
    )


def refused(order: Order, reason: Reason) -> Order:
    """The row of one that never will be."""
    status = "expired" if reason is Reason.EXPIRED else "rejected"
    return ended(order, status, at_ms=order.at_ms, code=reason)


def running(order: Order) -> Order:
    """It has begun."""
    return replace(order, stage=Stage.RUNNING, status="running")


def ended(
    order: Order,
    status: str,
    *,
    at_ms: int,
    code: str = "",
    detail: str = "",
    result: bytes | None = None,
) -> Order:
    """Its end."""
    return replace(
        order,
        stage=Stage.DONE,
        status=status,
        code=str(code),
        detail=detail[:300],
        result=result,
        ended_ms=at_ms,
    )


#: Ops whose very purpose is that the agent stops while they run.
_RESTARTS = frozenset({"restart_agent", "reload_config"})


def after_stop(order: Order, now_ms: int) -> Order:
    """What became of one that was under way when the agent stopped."""
    if order.stage is Stage.RUNNING and order.op in _RESTARTS:
        return ended(order, "ok", at_ms=now_ms)
    return ended(order, "failed", at_ms=now_ms, code="interrupted")
