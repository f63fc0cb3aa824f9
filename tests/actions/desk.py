"""A desk to ask actions at, over a real journal, for the tests of this folder."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.actions.ports import Identity, Ports
from agent.core.health.tracker import Alarm, ComponentState
from agent.core.money.abandoning import Asking
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Kind, Payload, Posting, Submission, Transaction
from agent.errors import AgentError
from agent.store import Store
from tests.fakes import FakeClock

AT = datetime(2026, 12, 1, tzinfo=UTC)


@dataclass
class Line:
    """One uplink."""

    name: str = "main"
    state: str = "ok"
    cause: str = ""
    since_at: datetime | None = None
    next_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    in_flight: int = 0


@dataclass
class Lines:
    """The uplinks, and what they were told."""

    lines: list[Line] = field(default_factory=lambda: [Line()])
    kicked: list[str | None] = field(default_factory=list)
    told: Asking = Asking.YES

    def asking(self, record: Record) -> Asking:
        return self.told

    def channels(self) -> list[Line]:
        return self.lines

    async def kick(self, name: str | None) -> None:
        self.kicked.append(name)


@dataclass
class Tracker:
    """What is known of the terminal."""

    open: list[Alarm] = field(default_factory=list)
    heard: list[ComponentState] = field(default_factory=list)

    def alarms(self) -> list[Alarm]:
        return self.open

    def components(self) -> list[ComponentState]:
        return self.heard


@dataclass
class Desktop:
    """What a test holds."""

    ports: Ports
    store: Store
    lines: Lines
    tracker: Tracker

    async def take(self, key: str, *, attempts: int = 0, uplink: str = "main") -> None:
        transaction = Transaction(
            key=key, terminal_id="T", merchant_id="M", kind=Kind.SALE, posting=Posting.ADVICE,
            occurred_at=AT, uplink=uplink, amount_minor=100, currency="CNY", attempts=attempts,
        )  # fmt: skip
        payload = Payload(content_type="a/b", body=b"x")
        await self.store.append(Submission(transaction=transaction, payload=payload))

    async def move(self, key: str, *changes: Change) -> None:
        for change in changes:
            record = await self.store.record(key)
            assert record is not None
            await self.store.advance(record.seq, record.version, change)

    async def state(self, key: str) -> State:
        record = await self.store.record(key)
        assert record is not None
        return record.state


FAILED = (
    Change(event=Event.ATTEMPT),
    Change(
        event=Event.NOT_SENT, cause="network.no_link", note="no carrier",
        next_wall_ms=1_795_000_300_000, next_boot_ms=400_000,
    ),
)  # fmt: skip


def on_desk(folder: Path, test: Callable[[Desktop], Awaitable[None]]) -> None:
    async def running() -> None:
        clock = FakeClock()
        store = Store(folder, clock)
        await store.start()
        lines, tracker = Lines(), Tracker()
        ports = Ports(
            journal=store, mover=store, health=tracker, channels=lines, clock=clock,
            identity=Identity(device_id="d", tenant="t", site="s", version="1"), actor="uid:7",
        )  # fmt: skip
        try:
            await test(Desktop(ports, store, lines, tracker))
        finally:
            store.stop()

    asyncio.run(running())


async def code_of(asked: Awaitable[object]) -> str:
    with pytest.raises(AgentError) as caught:
        await asked
    return caught.value.code
