"""What listeners of the event stream get, and what happens to the slow."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime

from agent.core.fleet.inventory import ItemChange, item
from agent.core.moment import Stamp
from agent.core.money.journal import Record, State
from agent.core.money.transaction import Kind, Posting, Transaction
from agent.core.software.standing import VersionChanged
from agent.local.events import BEHIND, DROPPED, HEARTBEAT, HELLO, LISTENERS, Hub

AT = datetime(2026, 12, 1, tzinfo=UTC)


def record(key: str = "k") -> Record:
    transaction = Transaction(
        key=key, terminal_id="T", merchant_id="M", kind=Kind.SALE, posting=Posting.ADVICE,
        occurred_at=AT, uplink="main", amount_minor=1, currency="CNY",
    )  # fmt: skip
    return Record(
        seq=1, transaction=transaction, state=State.QUEUED, in_doubt=False, version=1, sent=0,
        tried=0, cause="", note="", stored_at=AT, changed_at=AT, next_wall_ms=0, next_boot_ms=0,
        boot_no=1, lane=None, stored=Stamp(0, 0, 1),
    )  # fmt: skip


def test_nothing_is_encoded_for_nobody() -> None:
    """Without a listener a change costs nothing and marks nothing stale."""
    hub = Hub()
    hub.record(record())
    assert not hub.stale.is_set()


def test_a_listener_gets_every_change_in_order() -> None:
    """Changes between two reads come together, in order."""

    async def run() -> None:
        hub = Hub()
        stream = hub.stream()
        assert await anext(stream) == HELLO
        hub.record(record("a"))
        hub.record(record("b"))
        assert hub.stale.is_set()
        text = (await anext(stream)).decode()
        keys = [
            json.loads(line.removeprefix("data: "))["key"]
            for line in text.split("\n")
            if line.startswith("data: ")
        ]
        assert keys == ["a", "b"]
        await stream.aclose()
        assert not hub.heard

    asyncio.run(run())


def test_a_listener_gets_devices_with_before_and_after() -> None:
    """One event a change, as `GET /v1/inventory` tells it."""

    async def run() -> None:
        hub = Hub()
        stream = hub.stream()
        await anext(stream)
        before = item("printer", {"model": "TM-T20"}, "masked")
        hub.devices([ItemChange(component="printer", at_ms=1, before=before, after=None)])
        lines = (await anext(stream)).decode().split("\n")
        assert lines[0] == "event: device"
        told = json.loads(lines[1].removeprefix("data: "))
        assert (told["what"], told["before"], told["after"]) == (
            "removed", {"model": "TM-T20"}, {},
        )  # fmt: skip
        await stream.aclose()

    asyncio.run(run())


def test_a_listener_gets_changed_versions() -> None:
    """One event a change, as `GET /v1/software` tells it; nothing is made for nobody."""

    async def run() -> None:
        hub = Hub()
        changed = VersionChanged(component="os", at_ms=1, noticed_ms=2, before="1", after="2")
        hub.software([changed])
        stream = hub.stream()
        await anext(stream)
        hub.software([changed])
        lines = (await anext(stream)).decode().split("\n")
        assert lines[0] == "event: software"
        told = json.loads(lines[1].removeprefix("data: "))
        assert (told["component"], told["before"], told["after"]) == ("os", "1", "2")
        await stream.aclose()

    asyncio.run(run())


def test_silence_is_broken_by_a_comment() -> None:
    """Both ends notice a dead peer because something is said now and then."""

    async def run() -> None:
        stream = Hub(heartbeat_s=0.01).stream()
        await anext(stream)
        assert await anext(stream) == HEARTBEAT
        await stream.aclose()

    asyncio.run(run())


def test_a_slow_listener_is_dropped_and_told() -> None:
    """Falling behind costs the listener its stream, not the agent its memory."""

    async def run() -> None:
        hub = Hub()
        stream = hub.stream()
        await anext(stream)
        for number in range(BEHIND + 5):
            hub.record(record(str(number)))
        rest = [chunk async for chunk in stream]
        assert rest == [b"", DROPPED]
        assert not hub.heard

    asyncio.run(run())


def test_there_is_a_limit_of_listeners() -> None:
    """The hub says when no further stream may be opened."""

    async def run() -> None:
        hub = Hub()
        streams = [hub.stream() for _ in range(LISTENERS)]
        for stream in streams:
            assert not hub.full
            await anext(stream)
        assert hub.full
        for stream in streams:
            await stream.aclose()

    asyncio.run(run())
