"""What two payments may not be under way with at once: one terminal, one message at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.channel import Channel
from agent.core.money.delivery import Answer, Reply
from agent.core.money.journal import Record
from agent.core.money.transaction import Kind, Payload
from agent.store import Store
from agent.uplink import uploader as module
from agent.uplink.attempt import Ports
from agent.uplink.uploader import Runner
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.uplink.iso8583.till import until
from tests.uplink.scene import PROFILE, scene


@dataclass(slots=True)
class Acquirer:
    """Answers when it is told to; one message per terminal at a time."""

    asks_by_record: bool = True
    underway: dict[str, str] = field(default_factory=dict)  #: key by terminal
    order: list[str] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)

    def exclusive(self, record: Record) -> str:
        return record.transaction.terminal_id

    async def post(
        self, record: Record, payload: Payload, attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:  # fmt: skip
        del payload, attempt
        terminal = record.transaction.terminal_id
        assert terminal not in self.underway
        self.underway[terminal] = record.key
        await before_first_byte()
        self.order.append(record.key)
        await self.open.wait()
        del self.underway[terminal]
        return Reply(answer=Answer.POSTED)

    async def query(self, record: Record) -> Reply:
        raise AssertionError(record)

    async def close(self) -> None: ...


@asynccontextmanager
async def till(tmp_path: Path) -> AsyncIterator[tuple[Store, Runner, Acquirer, list[Any]]]:
    """A store, a runner of four, the acquirer, and every page that was asked for."""
    clock, pages = FakeClock(), []
    async with opened(tmp_path, clock) as store:
        real = store.due

        async def due(uplink: str, after: int | str, limit: int) -> Any:
            pages.append(after)
            return await real(uplink, after, limit)

        store.due = due  # type: ignore[method-assign,assignment]
        acquirer = Acquirer()
        channel = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4)
        ports = Ports(journal=store, clock=clock, draw=lambda: 0.5)
        runner = Runner(channel, PROFILE, acquirer, ports)
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        store.on_change(runner.heed)
        try:
            yield store, runner, acquirer, pages
        finally:
            stop.set()
            await asyncio.wait_for(task, 5)


async def hand_over(store: Store, key: str, terminal_id: str) -> None:
    at = FakeClock().now().at
    await store.append(submission(key, terminal_id=terminal_id, occurred_at=at, stan=key))


def test_one_terminal_never_has_two_and_does_not_stop_another(tmp_path: Path) -> None:
    """The second terminal's payment goes at once, past those that wait for the first's."""

    async def story() -> None:
        async with till(tmp_path) as (store, runner, acquirer, _pages):
            for key in ("a1", "a2", "a3"):
                await hand_over(store, key, "T1")
            await hand_over(store, "b1", "T2")
            await until(lambda: len(acquirer.order) == 2, "both terminals have one under way")
            assert acquirer.underway == {"T1": "a1", "T2": "b1"}
            assert runner.in_flight == 2
            acquirer.open.set()
            await until(lambda: len(acquirer.order) == 4, "the others follow")
            assert [key for key in acquirer.order if key != "b1"] == ["a1", "a2", "a3"]

    asyncio.run(story())


def test_a_long_backlog_of_one_terminal_is_not_read_through_for_every_payment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one under way, no more is read than can be kept back; nothing is left out."""
    monkeypatch.setattr(module, "PAGE", 8)
    monkeypatch.setattr(module, "PASSED_OVER", 32)

    async def story() -> None:
        async with till(tmp_path) as (store, runner, acquirer, pages):
            keys = [f"k{n}" for n in range(56)]
            for key in keys:
                await hand_over(store, key, "T1")
            await until(lambda: len(runner._queue.passed) >= 32, "enough is kept back")
            assert acquirer.order == ["k0"]
            pages.clear()
            for _ in range(20):
                runner.wake()
                await asyncio.sleep(0.001)
            assert pages == []
            acquirer.open.set()
            await until(lambda: len(acquirer.order) == len(keys), "all are through")
            assert sorted(acquirer.order) == sorted(keys)

    asyncio.run(story())


def test_what_comes_while_a_walk_rests_goes_only_if_its_lane_is_free(tmp_path: Path) -> None:
    """A reversal is known before its sale: the sale stays behind it although it is new."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("delay", delay_s=0.3)
            queue = it.runner._queue

            async def idle() -> bool:
                return queue.after == 0 and not it.runner.in_flight

            await it.until(idle, 0)
            queue.not_before_s = asyncio.get_running_loop().time() + 60
            await it.hand_over("rev", kind=Kind.REVERSAL, refers_to="sale")
            await until(lambda: it.runner.in_flight, "the reversal does not wait for the walk")
            await it.hand_over("sale")
            await it.hand_over("other")
            await until(lambda: len(it.ledger()) == 2, "the others are through")
            assert sorted(it.ledger()) == ["other", "rev"]
            assert queue.not_before_s
            it.runner.kick()
            await until(lambda: len(it.ledger()) == 3, "then the sale")

    asyncio.run(story())
