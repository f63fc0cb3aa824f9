"""A local API to be asked over its real unix socket, for the tests of this folder."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from agent.actions.ports import Identity, Ports
from agent.actions.table import Desk
from agent.config import Agent, Api, Config, Uplink
from agent.core.health.conditions import Severity
from agent.core.health.reading import Reading
from agent.core.health.tracker import Alarm, Change, ComponentState
from agent.core.moment import Moment
from agent.core.money.abandoning import Asking
from agent.core.money.journal import Record
from agent.core.money.limits import Rules
from agent.local import LocalApi, build
from agent.store import Store
from agent.store.checks import Checks
from agent.store.reports import Reports
from tests.fakes import FakeClock

NOW = Moment(wall_ms=1_795_000_000_000, boot_ms=1, boot_id="b", trusted=True)
ALARM = Alarm(
    code="printer.paper_out",
    component="printer",
    severity=Severity.MAJOR,
    since_at=NOW.at,
    shown_at=NOW.at,
    args={},
    flaps=0,
    suppressed_by="",
)
SALE: dict[str, Any] = {
    "key": "sale-1",
    "terminal_id": "T0000001",
    "merchant_id": "M00000000000001",
    "kind": "sale",
    "posting": "advice",
    "occurred_at": "2026-12-01T14:05:09+08:00",
    "amount_minor": 1250,
    "currency": "CNY",
    "payload": {"content_type": "application/json", "text": "{}"},
}


class Health:
    """One alarm, one component, and a way to tell of changes."""

    def __init__(self) -> None:
        self.sinks: list[Callable[[Sequence[Change]], None]] = []

    def alarms(self) -> list[Alarm]:
        return [ALARM]

    def components(self) -> list[ComponentState]:
        return [
            ComponentState(
                component="system", outcome=Reading({"free_mb": 512}), at=NOW.at,
                duration_ms=3, success=True,
            )
        ]  # fmt: skip

    def subscribe(self, sink: Callable[[Sequence[Change]], None]) -> None:
        self.sinks.append(sink)


@dataclass
class Line:
    """One uplink."""

    name: str = "main"
    state: str = "backing_off"
    cause: str = "network.no_link"
    since_at: datetime | None = NOW.at
    next_attempt_at: datetime | None = NOW.at
    last_success_at: datetime | None = None
    in_flight: int = 0


class Lines:
    """The uplinks, and what they were told."""

    def __init__(self) -> None:
        self.kicked: list[str | None] = []

    def asking(self, record: Record) -> Asking:
        return Asking.YES

    def channels(self) -> list[Line]:
        return [Line()]

    async def kick(self, name: str | None) -> None:
        self.kicked.append(name)


@dataclass
class House:
    """What a test holds of the running API."""

    api: LocalApi
    store: Store
    health: Health
    lines: Lines

    async def ask(
        self, method: str, target: str, document: object = None, **headers: str
    ) -> tuple[int, Any, Mapping[str, str]]:
        """One request on a connection of its own: status, JSON, headers."""
        match document:
            case None:
                body = b""
            case bytes():
                body = document
            case _:
                body = json.dumps(document).encode()
        reader, writer = await asyncio.open_unix_connection(str(self.api.path))
        try:
            writer.write(_head(method, target, body, headers) + body)
            status, received = await _read_head(reader)
            content = await reader.readexactly(int(received["content-length"]))
            return status, json.loads(content) if content else None, received
        finally:
            writer.close()
            await writer.wait_closed()

    @asynccontextmanager
    async def events(self) -> AsyncIterator[asyncio.StreamReader]:
        reader, writer = await asyncio.open_unix_connection(str(self.api.path))
        try:
            writer.write(_head("GET", "/v1/events", b"", {}))
            status, received = await _read_head(reader)
            assert (status, received["content-type"]) == (200, "text/event-stream")
            yield reader
        finally:
            writer.close()
            await writer.wait_closed()


def _head(method: str, target: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "host: localhost"]
    if body or method == "POST":
        lines += [f"content-length: {len(body)}"]
        headers = {"content-type": "application/json", **headers}
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, Mapping[str, str]]:
    raw = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *rest = raw.strip().split("\r\n")
    pairs = (line.split(": ", 1) for line in rest)
    return int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}


def serve(
    folder: Path,
    test: Callable[[House], Awaitable[None]],
    *,
    api: Api | None = None,
    rules: Rules | None = None,
) -> None:
    """Run `test` against an API over a real store in `folder`."""

    async def running() -> None:
        clock = FakeClock()
        store = Store(folder / "state", clock, rules=rules)
        await store.start()
        health, lines = Health(), Lines()
        reports = Reports(store, clock)
        desk = Desk(
            Ports(
                journal=store, mover=store, health=health, channels=lines, clock=clock,
                judged=Checks(store, clock), told=reports, reports=reports,
                identity=Identity(device_id="d-1", tenant="t", site="s", version="0"),
            )
        )  # fmt: skip
        config = Config(
            agent=Agent(run_dir=str(folder)),
            api=api or Api(),
            uplink=(Uplink(name="main", url="https://host.example/pay"),),
        )
        part = build(config, journal=store, do=desk.do, health=health)
        stop = asyncio.Event()
        task = asyncio.create_task(part.run(stop))
        try:
            async with asyncio.timeout(20):
                await part.listening.wait()
                await test(House(part, store, health, lines))
        finally:
            stop.set()
            await task
            store.stop()

    asyncio.run(running())
