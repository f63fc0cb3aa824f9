"""The store's thread: whoever asks gets an answer, whatever fails, and failures are remembered."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import warnings
import weakref
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Record, State
from agent.errors import CallerError, InternalError, OperatorError, StoreError
from agent.store import Store, opening
from agent.store.files import Counters
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at
from tests.store.test_opening import crash


def failing(code: str) -> sqlite3.Error:
    """What sqlite3 raises when the flash does."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorname = code
    return error


def raising(error: Exception) -> Any:
    def work(_: Any) -> None:
        raise error

    return work


def let_go(store: Store) -> None:
    """What the end of the process does to the connections of a failed store."""
    assert store._writer._abandoned is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        store._writer._abandoned = None
        gc.collect()


def test_a_start_that_fails_in_an_unexpected_way_is_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that died without a word would leave the daemon waiting for ever."""
    monkeypatch.setattr(opening, "open_journal", lambda *_, **__: 1 // 0)

    async def story() -> None:
        store = Store(tmp_path / "state", FakeClock())
        with pytest.raises(OperatorError, match="ZeroDivisionError"):
            await asyncio.wait_for(store.start(), 10)

    asyncio.run(story())


def test_a_callers_fault_ends_no_thread(tmp_path: Path) -> None:
    """In the journal, in state.db and in the files: each gets its own error, the next is served."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for work in (store.journal, store.state, store.outside):
                with pytest.raises(ZeroDivisionError):
                    await work(raising(ZeroDivisionError()))
            assert (await store.append(submission(**at(clock)))).created

    asyncio.run(story())


def test_a_row_the_database_refuses_is_no_failing_flash(tmp_path: Path) -> None:
    """A constraint is our mistake: the caller is told, its batch is committed, nothing stops."""

    async def story() -> None:
        clock = FakeClock()
        failures: list[str] = []
        async with opened(tmp_path, clock, failures=failures) as store:
            record = (await store.append(submission("a", **at(clock)))).record

            def twice(journal: Any) -> None:
                journal.table.insert(record, b"x" * 16, b"y" * 16)

            outcomes = await asyncio.gather(
                store.append(submission("c", **at(clock))),
                store.journal(twice),
                return_exceptions=True,
            )
            assert isinstance(outcomes[1], InternalError)
            assert (await store.record("c")) is not None
            assert (await store.backlog()).total.count == 2
        assert failures == []

    asyncio.run(story())


def test_after_the_end_everybody_is_answered_at_once(tmp_path: Path) -> None:
    """A late caller of a stopped store must not wait for a thread that is gone."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission(**at(clock)))
        for late in (store.backlog(), store.state(raising(ZeroDivisionError()))):
            with pytest.raises(StoreError, match="closed"):
                await asyncio.wait_for(late, 5)

    asyncio.run(story())


def test_refusals_during_an_outage_do_not_pile_up(tmp_path: Path) -> None:
    """The same error raised for every caller would keep the stacks of all of them."""

    async def story() -> None:
        clock = FakeClock()
        state = tmp_path / "state"
        state.mkdir(mode=0o700)
        (state / "journal.db").mkdir()
        held: list[weakref.ref[Any]] = []

        class Payment:
            """Something a caller has in hand."""

        async def caller(store: Store) -> None:
            mine = Payment()
            held.append(weakref.ref(mine))
            await store.append(submission(**at(clock)))

        async with opened(tmp_path, clock) as store:
            for _ in range(5):
                with pytest.raises(StoreError):
                    await caller(store)
            assert store.refusal is not store.refusal
        gc.collect()
        assert [one() for one in held[:-1]] == [None] * 4, "the last one is in the hands of pytest"

    asyncio.run(story())


def test_three_failures_of_the_storage_in_a_row_put_the_journal_aside(tmp_path: Path) -> None:
    """Facts 2(e): fail-stop each time; then a new journal takes over, and the old one is kept."""

    async def broken(code: str) -> Store:
        clock = FakeClock()
        fatal: list[str] = []
        store = Store(tmp_path / "state", clock, None, fatal.append)
        await store.start()
        with pytest.raises(StoreError) as unknown:
            await store.journal(raising(failing(code)))
        assert unknown.value.code == "store.unknown"
        with pytest.raises(StoreError) as after:
            await store.append(submission("x", **at(clock)))
        assert after.value.code == "store.unavailable"
        await asyncio.sleep(0)
        assert fatal == [code]
        assert store.stop()
        return store

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission("k1", **at(clock)))
        for failures in (1, 2):
            let_go(await broken("SQLITE_IOERR_FSYNC"))
            assert Counters(tmp_path / "state" / "counters").counts.failures == failures
        async with opened(tmp_path, clock) as store:
            assert await store.record("k1") is not None, "two are not enough"
        assert Counters(tmp_path / "state" / "counters").counts.failures == 0, "nor in a row"
        for _ in range(3):
            let_go(await broken("SQLITE_IOERR_WRITE"))
        async with opened(tmp_path, clock) as store:
            assert len(await store.quarantined()) == 1
            assert "3 times in a row" in (await store.facts()).damage
            assert await store.record("k1") is None
            assert (await store.append(submission("k2", **at(clock)))).created
        async with opened(tmp_path, clock) as store:
            assert len(await store.quarantined()) == 1
            assert await store.record("k2") is not None

    asyncio.run(story())


def test_a_thread_that_meets_the_unforeseen_stops_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fail-stop like a dying flash: an answer for everybody, and the daemon is told to end."""

    async def story() -> None:
        clock = FakeClock()
        fatal: list[str] = []
        store = Store(tmp_path / "state", clock, None, fatal.append)
        await store.start()
        monkeypatch.setattr(store._writer, "_commit", lambda *_: 1 // 0)
        with pytest.raises(StoreError) as unknown:
            await asyncio.wait_for(store.append(submission(**at(clock))), 5)
        assert unknown.value.code == "store.unknown"
        with pytest.raises(StoreError):
            await asyncio.wait_for(store.backlog(), 5)
        assert fatal == ["ZeroDivisionError"]
        assert store.stop()
        let_go(store)

    asyncio.run(story())


def test_a_batch_that_finds_the_disk_full_leaves_the_counts_as_they_were(tmp_path: Path) -> None:
    """Also when a row was put aside in it: nothing of that happened."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b"):
                await store.append(submission(key, **at(clock)))
        db = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        db.execute("UPDATE tx SET sent = 1 WHERE key = 'a'")
        db.close()
        async with opened(tmp_path, clock) as store:

            def full(journal: Any) -> None:
                assert journal.record("a", clock.now()) is None
                assert journal.backlog().total.count == 1
                raise failing("SQLITE_FULL")

            with pytest.raises(StoreError) as refused:
                await store.journal(full)
            assert refused.value.code == "store.full"
            assert await store.record("a") is None, "it is found again"
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert (backlog.total.count, backlog.quarantined.count) == (1, 1)
            left = crash(tmp_path)
        async with opened(left, clock) as store:
            again = await store.backlog()
            assert (again.total.count, again.quarantined) == (1, backlog.quarantined)

    asyncio.run(story())


def test_what_is_committed_is_told_although_its_caller_has_gone(tmp_path: Path) -> None:
    """The uploader and the event stream act on it; the caller's patience is not theirs."""

    async def story() -> None:
        clock = FakeClock()
        told: list[Record] = []
        async with opened(tmp_path, clock) as store:
            store.on_change(told.append)
            task = asyncio.create_task(store.append(submission(**at(clock))))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await store.backlog()
            await asyncio.sleep(0)
            assert [(record.key, record.state) for record in told] == [("k1", State.QUEUED)]
            again = await store.append(submission(**at(clock)))
            assert (again.created, len(told)) == (False, 1)
            with pytest.raises(CallerError):
                await store.append(submission(**at(clock), amount_minor=1))
            assert len(told) == 1

    asyncio.run(story())


def test_who_waits_for_a_commit_goes_on_before_the_others_hear_of_it(tmp_path: Path) -> None:
    """A payment app's "recorded" does not wait for uploader, event stream and statistics."""

    async def story() -> None:
        clock = FakeClock()
        order: list[str] = []
        async with opened(tmp_path, clock) as store:
            store.on_change(lambda _record: order.append("others"))
            await store.append(submission(**at(clock)))
            order.append("app")
            await asyncio.sleep(0)
        assert order == ["app", "others"]

    asyncio.run(story())
