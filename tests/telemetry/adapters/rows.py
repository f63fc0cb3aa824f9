"""What a terminal records, as rows of the outbox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from agent.core.fleet.messages import (
    BacklogMessage,
    EventMessage,
    HealthMessage,
    HistEntry,
    HistMessage,
    InfoMessage,
    Message,
    ResMessage,
    StateMessage,
)
from agent.core.health.tracker import What
from agent.telemetry.adapters import Packet, Scheme
from agent.wire import mqtt

TS = 1_795_000_000_000
CLEARED = What.CLEARED


class Rules(Protocol):
    def take(self, topic: str, payload: bytes, *, qos: int = 1, retained: bool = False) -> None: ...


def tell(scheme: Scheme, rules: Rules, *told: Message) -> list[Packet]:
    """What the scheme makes of the messages, put before the rules."""
    packets: list[Packet] = []
    for seq, message in enumerate(told, 1):
        if isinstance(message, StateMessage):
            packets += scheme.state(message)
        else:
            body = mqtt.encode(message)
            packets += scheme.packets(
                mqtt.tail_of(message), body, seq=seq, outbox_id="5f0c9a1be2d4", retained=False
            )
    take(rules, packets)
    return packets


def take(rules: Rules, packets: Iterable[Packet]) -> None:
    for each in packets:
        rules.take(each.topic, each.payload, retained=each.retained)


def online(connects: int = 1) -> StateMessage:
    return StateMessage(state="online", connects=connects, ts=TS)


def offline(connects: int = 1) -> StateMessage:
    return StateMessage(state="offline", connects=connects, ts=TS)


def info(**fields: Any) -> InfoMessage:
    return InfoMessage(
        ts=TS,
        clock_suspect=None,
        contract=1,
        agent_version="0.1.0",
        site="0042",
        os="Debian 12",
        model="A920",
        firmware="1.2",
        terminal_ids=("00012345",),
        merchant_ids=("898000000000001",),
        uplinks=("host",),
        fields=fields,
    )


def health(
    *, full: bool = False, suspect: bool = False, at: int = TS, **fields: Any
) -> HealthMessage:
    return HealthMessage(
        ts=at, clock_suspect=True if suspect else None, full=full, alarms=None, fields=fields
    )


def backlog(count: int, *, at: int = TS, cause: str | None = None, **fields: Any) -> BacklogMessage:
    return BacklogMessage(
        ts=at,
        clock_suspect=None,
        count=count,
        oldest_age_s=75 if count else None,
        queued_count=0,
        sending_count=0,
        waiting_count=count,
        held_count=0,
        in_doubt_count=0,
        quarantined_count=None,
        cause=cause,
        cause_count=count if cause else None,
        next_attempt_ts=TS + 5_000 if count else None,
        fields=fields,
    )


def event(
    code: str, *, active: bool = True, severity: str = "major", at: int = TS, **args: Any
) -> EventMessage:
    return EventMessage(
        ts=at,
        clock_suspect=None,
        code=code,
        component=code.partition(".")[0],
        severity=severity,
        active=active,
        since_ts=TS - 5_000,
        flaps=None,
        suppressed_by=None,
        fields={f"arg_{name}": value for name, value in args.items()},
    )


def hist(count: int) -> HistMessage:
    entries = tuple(
        HistEntry(
            ts=TS - (count - n) * 900_000, values={"battery_percent": 90 - n, "printer": "ok"}
        )
        for n in range(count)
    )
    return HistMessage(ts=TS, entries=entries)


def res(cmd_id: str, status: str, **more: Any) -> ResMessage:
    return ResMessage(ts=TS, clock_suspect=None, cmd_id=cmd_id, op="inspect", status=status, **more)
