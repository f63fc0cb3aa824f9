"""The silence of a payment app becomes doubt on time, over a real journal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from agent.core.money.journal import Record, State
from agent.core.money.stages import Patience, Report, Said, Stage
from agent.core.money.transaction import Delivery
from agent.errors import StoreError
from agent.store import Store
from agent.store.reports import Reports
from agent.uplink import overdue as module
from agent.uplink.overdue import Overdue
from agent.uplink.uploader import Uploader
from tests.core.money.payments import AT, submission
from tests.fakes import FakeClock


class Bench:
    """A store, its reports, and the watcher running beside them."""

    def __init__(self, store: Store, clock: FakeClock, patience: Patience) -> None:
        self.store, self.clock = store, clock
        self.reports = Reports(store, clock)
        self.overdue = Overdue(self.reports, clock, patience)
        self._moved = asyncio.Event()
        store.on_change(self.overdue.heed)
        store.on_change(lambda _record: self._moved.set())

    async def until(self, key: str, state: State) -> Record:
        async with asyncio.timeout(10):
            while True:
                self._moved.clear()
                record = await self.store.record(key)
                assert record is not None
                if record.state is state:
                    return record
                await self._moved.wait()

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.overdue._wake.set()


def run(folder: Path, patience: Patience, test: Callable[[Bench], Awaitable[None]]) -> None:
    async def running() -> None:
        clock = FakeClock()
        store = Store(folder, clock)
        await store.start()
        bench, stop = Bench(store, clock, patience), asyncio.Event()
        task = asyncio.create_task(bench.overdue.run(stop))
        try:
            await test(bench)
        finally:
            stop.set()
            await asyncio.wait_for(task, 5)
            assert store.stop()

    asyncio.run(running())


def sent(n: int = 1) -> Report:
    return Report(n=n, stage=Stage.SENT, at=AT)


def test_no_answer_in_time_is_doubt_and_an_answer_in_time_is_none(tmp_path: Path) -> None:
    """Two payments sent at once; one is answered."""

    async def test(bench: Bench) -> None:
        for key in ("a", "b"):
            await bench.store.append(submission(key, stan=key, delivery=Delivery.APP))
            await bench.reports.report(key, [sent()])
        approved = Report(n=2, stage=Stage.ANSWERED, at=AT, outcome=Said.APPROVED)
        await bench.reports.report("a", [approved])
        bench.later(60)
        record = await bench.until("b", State.WAITING)
        assert (record.in_doubt, record.cause) == (True, "host.no_reply")
        assert (await bench.until("a", State.POSTED)).in_doubt is False

    run(tmp_path, Patience(answer_timeout_s=60), test)


def test_nothing_at_all_is_doubt_later(tmp_path: Path) -> None:
    """The app may have crashed after sending; more than one page of them."""

    async def test(bench: Bench) -> None:
        for n in range(module.PAGE + 1):
            key = f"k{n}"
            await bench.store.append(submission(key, stan=str(n), delivery=Delivery.APP))
        await bench.store.append(submission("agents", stan="agents"))
        bench.later(900)
        record = await bench.until(f"k{module.PAGE}", State.WAITING)
        assert (record.in_doubt, record.cause) == (True, "operator.not_completed")
        assert (await bench.until("agents", State.QUEUED)).in_doubt is False

    run(tmp_path, Patience(silence_s=900), test)


def test_a_report_at_the_same_moment_wins(tmp_path: Path) -> None:
    """What was just answered is not put in doubt by a look taken before."""

    async def test(bench: Bench) -> None:
        await bench.store.append(submission("a", delivery=Delivery.APP))
        await bench.reports.report("a", [sent()])
        (stale,) = await bench.reports.pending(0, 1)
        approved = Report(n=2, stage=Stage.ANSWERED, at=AT, outcome=Said.APPROVED)
        await bench.reports.report("a", [approved])
        await bench.overdue._doubt(stale)
        assert (await bench.until("a", State.POSTED)).in_doubt is False

    run(tmp_path, Patience(), test)


def test_while_the_store_is_closed_it_waits(tmp_path: Path) -> None:
    """Doubt can be written later; nothing is decided in memory."""

    class Closed:
        async def boot_no(self) -> int:
            raise StoreError("store.unavailable", "closed")

    watcher = Overdue(Closed(), FakeClock(), Patience())  # type: ignore[arg-type]
    assert asyncio.run(watcher._round()) == module.STORE_RETRY_S


def test_the_uploader_carries_it(tmp_path: Path) -> None:
    """It runs with the runners, ends with them, and hears of every record."""

    class Beside:
        def __init__(self) -> None:
            self.heard: list[str] = []
            self.ran = False

        def heed(self, record: Record) -> None:
            self.heard.append(record.key)

        async def run(self, stop: asyncio.Event) -> None:
            self.ran = True
            await stop.wait()

    async def running() -> None:
        lapser, silent, stop = Beside(), Beside(), asyncio.Event()
        uploader = Uploader({}, lapser, silent)  # type: ignore[arg-type]
        task = asyncio.create_task(uploader.run(stop))
        store = Store(tmp_path, FakeClock())
        await store.start()
        store.on_change(uploader.changed)
        await store.append(submission("a"))
        await asyncio.sleep(0)  # the app hears first
        assert silent.heard == ["a"]
        stop.set()
        await asyncio.wait_for(task, 5)
        assert silent.ran
        assert lapser.ran
        store.stop()

    asyncio.run(running())
