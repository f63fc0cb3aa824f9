"""A store, a runner and the reference host joined on loopback, with time under the test's thumb."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import OnUnknown, Profile
from agent.core.money.journal import Record, State
from agent.core.money.lanes import Order
from agent.http.client import Client, Origin
from agent.link.dial import Dialer
from agent.sim.host import HostOptions, ReferenceHost
from agent.sim.host_faults import Fault
from agent.store import Store
from agent.supervise import DaemonThreads
from agent.uplink.attempt import Ports
from agent.uplink.https import HttpsUplink
from agent.uplink.lapser import Lapser
from agent.uplink.uploader import Runner, Uploader
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened

PROFILE = Profile(
    status_query=True,
    on_unknown=OnUnknown.QUERY,
    key_window_s=86_400,
    host_in_flight_s=60,
    backoff_base_s=2.0,
    backoff_cap_s=300.0,
)


@dataclass(slots=True)
class Scene:
    """Everything one story needs."""

    clock: FakeClock
    store: Store
    host: ReferenceHost
    runner: Runner
    lapser: Lapser
    stop: asyncio.Event
    changes: list[Record] = field(default_factory=list)

    async def hand_over(self, key: str, **changes: Any) -> Record:
        """The payment app submits a payment of now."""
        changes.setdefault("occurred_at", self.clock.now().at + timedelta(seconds=1))
        return (await self.store.append(submission(key, **changes))).record

    async def fault(self, name: str, **options: Any) -> None:
        await self.host.apply(Fault.named(name, **options))

    async def until(self, holds: Callable[[], Awaitable[bool]], step_s: float = 1.0) -> None:
        """Let time pass second by second until it is so; at most ten real seconds."""
        async with asyncio.timeout(10):
            while not await holds():
                self.clock.advance(step_s)
                self.runner.wake()
                self.lapser.wake()
                await asyncio.sleep(0.005)

    async def reaches(self, key: str, state: State, step_s: float = 1.0) -> Record:
        """The record once it is in `state`."""

        async def there() -> bool:
            return (await self.now(key)).state is state

        await self.until(there, step_s)
        return await self.now(key)

    async def now(self, key: str) -> Record:
        record = await self.store.record(key)
        assert record is not None
        return record

    async def events(self, key: str) -> list[str]:
        record = await self.now(key)
        return [step.event for step in await self.store.steps(record.seq)]

    def ledger(self) -> list[str]:
        return [posting.key for posting in self.host.ledger.postings()]


@asynccontextmanager
async def scene(
    tmp_path: Path,
    *,
    order: Order = Order.PAYMENT,
    width: int = 4,
    switched: ChannelState = ChannelState.OK,
    answer_timeout_s: float = 5.0,
    ignore_keys: bool = False,
    **profile: Any,
) -> AsyncIterator[Scene]:
    """A running uploader with one uplink called `host`."""
    clock = FakeClock()
    host = ReferenceHost(
        HostOptions(ignore_keys=ignore_keys, sync=False), now_ms=lambda: clock.wall_ms
    )
    await host.start()
    async with opened(tmp_path, clock, {"host": order}) as store:
        client = Client(
            Origin(scheme="http", host="127.0.0.1", port=host.port), Dialer(DaemonThreads())
        )
        ports = Ports(journal=store, clock=clock, draw=lambda: 0.5)
        channel = Channel(
            name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=width, switched=switched
        )
        uplink = HttpsUplink(host.url, client, answer_timeout_s=answer_timeout_s)
        runner = Runner(channel, replace(PROFILE, **profile), uplink, ports)
        lapser = Lapser(store, clock)
        uploader = Uploader({"host": runner}, lapser)
        told = Scene(clock, store, host, runner, lapser, asyncio.Event())
        store.on_change(told.changes.append)
        store.on_change(uploader.changed)
        task = asyncio.create_task(uploader.run(told.stop))
        try:
            yield told
        finally:
            told.stop.set()
            await asyncio.wait_for(task, 5)
            await host.close()
