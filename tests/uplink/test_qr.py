"""A sale by code through the real uploader: asked at the platform's pace until it is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent.core.money.channel import Channel
from agent.core.money.delivery import Answer, OnUnknown, Profile, Reply
from agent.core.money.journal import HostResult, Record, State
from agent.core.money.qr import AWAITING, WECHAT
from agent.core.money.transaction import Kind, Payload, Posting
from agent.store import Store
from agent.uplink.attempt import Ports
from agent.uplink.uploader import Runner
from tests.core.money.payments import submission
from tests.fakes import FakeClock

PROFILE = Profile(
    status_query=True, on_unknown=OnUnknown.QUERY, key_window_s=86_400, host_in_flight_s=60,
    backoff_base_s=2.0, backoff_cap_s=300.0, qr=WECHAT,
)  # fmt: skip


class Platform:
    """Says what it was told to, and remembers when it was asked."""

    def __init__(self, clock: FakeClock, *answers: Answer) -> None:
        self._clock = clock
        self._answers = list(answers)
        self.asked_s: list[float] = []
        self.posts = 0

    async def post(
        self,
        record: Record,
        payload: Payload,
        attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:
        del record, payload, attempt
        await before_first_byte()
        self.posts += 1
        return Reply(answer=Answer.IN_PROGRESS)

    async def query(self, record: Record) -> Reply:
        del record
        self.asked_s.append(self._clock.boot_ms / 1000 - 100)
        answer = self._answers.pop(0)
        result = HostResult(reference="wx-1") if answer is Answer.POSTED else None
        return Reply(answer=answer, result=result)

    def exclusive(self, record: Record) -> str:
        del record
        return ""

    async def close(self) -> None: ...


def test_the_customer_confirms_at_the_fifteenth_second(tmp_path: Path) -> None:
    """Posted once, asked three times five seconds apart, then proven."""

    async def running() -> None:
        clock = FakeClock()
        store = Store(tmp_path, clock)
        await store.start()
        platform = Platform(clock, Answer.IN_PROGRESS, Answer.IN_PROGRESS, Answer.POSTED)
        channel = Channel(name="host", base_s=2, cap_s=300, pause_s=300, width=4)
        ports = Ports(journal=store, clock=clock, draw=lambda: 0.5)
        runner = Runner(channel, PROFILE, platform, ports)
        moved = asyncio.Event()
        store.on_change(lambda _record: (moved.set(), runner.wake()))
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))

        async def until(state: State, cause: str) -> Record:
            async with asyncio.timeout(10):
                while True:
                    moved.clear()
                    record = await store.record("k1")
                    assert record is not None
                    if (record.state, record.cause) == (state, cause):
                        return record
                    await moved.wait()

        await store.append(submission(kind=Kind.QR_SALE, posting=Posting.REQUEST))
        version = 0
        for _ in range(2):
            while (record := await until(State.WAITING, AWAITING)).version == version:
                await asyncio.sleep(0)
            version = record.version
            assert "left to confirm" in record.note
            clock.advance(5)
            runner.wake()
            async with asyncio.timeout(10):
                while (await until(State.WAITING, AWAITING)).version == version:
                    moved.clear()
                    await moved.wait()
        clock.advance(5)
        runner.wake()
        record = await until(State.POSTED, "")
        assert record.result is not None
        assert (platform.posts, platform.asked_s) == (1, [5.0, 10.0, 15.0])
        stop.set()
        await asyncio.wait_for(task, 5)
        assert store.stop()

    asyncio.run(running())
