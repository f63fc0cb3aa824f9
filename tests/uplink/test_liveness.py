"""Nothing that may be sent lies about until somebody looks: time is driven by the runner alone.

No wake-up comes from outside here. Whenever nothing is under way the clock is put forward by as
much as the runner says that it wants to rest, and what it says is held against the journal.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.money.channel import Channel
from agent.core.money.delivery import Answer, Reply, Todo
from agent.core.money.journal import Record
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload
from agent.store import Store, journal
from agent.uplink import uploader
from agent.uplink.attempt import Ports
from agent.uplink.uploader import Runner
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.uplink.scene import PROFILE

PAYMENTS = 40
#: What else the runner may rest, over what the journal says: the look again after a walk.
SLACK_MS = 100

POSTED = Reply(answer=Answer.POSTED)
TO_A_POST = (
    Reply(answer=Answer.NOT_SENT),
    Reply(answer=Answer.NO_ANSWER),
    Reply(answer=Answer.IN_PROGRESS, retry_after_s=1),
    Reply(answer=Answer.BUSY, retry_after_s=2),
    Reply(answer=Answer.ERROR),
    Reply(answer=Answer.LATER),
    POSTED,
    POSTED,
)
TO_A_QUESTION = (
    Reply(answer=Answer.NOT_SENT),
    Reply(answer=Answer.NO_ANSWER),
    Reply(answer=Answer.IN_PROGRESS),
    Reply(answer=Answer.NOT_FOUND),
    Reply(answer=Answer.UNSUPPORTED),
    POSTED,
)


class Moody:
    """A host that answers anything, our own faults included, until it is told to behave."""

    asks_by_record = False

    def __init__(self, draw: random.Random, order: Order) -> None:
        self.well = False
        self.posted: Counter[str] = Counter()
        self._draw, self._order = draw, order

    async def post(
        self,
        record: Record,
        payload: Payload,
        attempt: int,
        before_first_byte: Callable[[], Awaitable[None]],
    ) -> Reply:
        del payload, attempt
        reply = POSTED if self.well else self._draw.choice(TO_A_POST)
        await self._turns()
        if reply.answer is not Answer.NOT_SENT or self._draw.random() < 0.5:
            await before_first_byte()
        if not self.well and self._draw.random() < 0.02:
            raise RuntimeError("a fault of our own")
        await self._turns()
        self.posted[record.key] += reply is POSTED
        return reply

    async def query(self, record: Record) -> Reply:
        reply = POSTED if self.well else self._draw.choice(TO_A_QUESTION)
        await self._turns()
        self.posted[record.key] += reply is POSTED
        return reply

    def exclusive(self, record: Record) -> str:
        return record.transaction.terminal_id if self._order is Order.TERMINAL else ""

    def retire(self) -> None:
        return None

    async def close(self) -> None:
        return None

    async def _turns(self) -> None:
        for _ in range(self._draw.randrange(4)):
            await asyncio.sleep(0)


async def due_in_ms(store: Store, runner: Runner, clock: FakeClock) -> int | None:
    """How long until there is something to do with a payment in the journal; None: never."""
    now, after, times = clock.now(), 0, list[int]()
    while True:
        page = await store.due("host", after, 32)
        times += [] if page.next_boot_ms is None else [page.next_boot_ms]
        for record in page.records:
            decision = runner._attempts.plan(record, now)
            rests_ms = runner._attempts.memory.rests_ms(record.seq, now)
            if decision.todo is not Todo.NOTHING:  # a question that cannot be asked for a while
                times.append(now.boot_ms + max(decision.wait_ms, rests_ms))
        if page.after is None:
            break
        after = page.after  # type: ignore[assignment]
    if not times:
        return None
    return max(min(times), runner.channel.open_at_boot_ms, now.boot_ms) - now.boot_ms


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("width", [1, 2, 8])
@pytest.mark.parametrize("seed", range(2))
def test_what_may_be_sent_never_waits_for_a_sign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: Order, width: int, seed: int
) -> None:
    """Over a long backlog and every kind of answer the runner rests no longer than the journal."""
    monkeypatch.setattr(uploader, "VAIN_SHARE", 0.0)  # the rest of a long walk is in real time
    monkeypatch.setattr(uploader, "PAGE", 3)  # a long backlog is one of many pages
    monkeypatch.setattr(journal, "ROWS", 10)

    async def story() -> None:
        draw, clock = random.Random(f"{seed} {width} {order}"), FakeClock()
        host = Moody(draw, order)
        async with opened(tmp_path, clock, {"host": order}) as store:
            ports = Ports(journal=store, clock=clock, draw=draw.random)
            channel = Channel(name="host", base_s=2.0, cap_s=30.0, pause_s=300.0, width=width)
            # Shorter back-off than an outage: what is looked for is a rest beyond it.
            profile = replace(PROFILE, backoff_cap_s=30.0, host_in_flight_s=5)
            runner = Runner(channel, profile, host, ports)
            store.on_change(runner.heed)
            for number in range(PAYMENTS):
                at = clock.now().at + timedelta(seconds=1)
                kind = Kind.QR_SALE if number % 7 == 0 else Kind.SALE
                terminal = f"T{number % 5:07d}"
                changes = {"occurred_at": at, "kind": kind, "terminal_id": terminal}
                await store.append(submission(f"k{number}", stan=f"{number:06d}", **changes))
            for step in range(100_000):
                host.well = step > 400
                runner._wake.clear()
                rest_s = await runner._round()
                if runner._wake.is_set():
                    continue
                if runner.in_flight:
                    await runner._wake.wait()
                    continue
                allowed_ms = await due_in_ms(store, runner, clock)
                if allowed_ms is None:
                    break
                assert rest_s * 1000 <= allowed_ms + SLACK_MS, f"step {step}"
                clock.advance(rest_s)
            backlog = await store.backlog()
            assert host.posted.total() >= PAYMENTS - backlog.total.count > 0
            assert backlog.total.count == backlog.held.count
            await runner._attempts.close()

    asyncio.run(story())
