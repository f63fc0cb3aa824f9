"""The write-ahead log: begun again in quiet moments, never grown without bound, never cut short."""

from __future__ import annotations

import asyncio
import os
import queue
from pathlib import Path

import pytest

from agent.store import Store
from agent.store.checkpoint import BYTES, CHANGES, HARD_BYTES, LogBound
from agent.store.inbox import Inbox
from tests.core.money.payments import submission
from tests.store.stores import opened


def _file(path: Path, size_bytes: int) -> None:
    path.touch()
    os.truncate(path, size_bytes)


def test_a_log_is_carried_over_when_it_is_worth_it(tmp_path: Path) -> None:
    """In a quiet moment from one MiB on or after enough changes; in between only at the bound."""
    log = tmp_path / "log"
    bound = LogBound(log)
    assert not bound.due(10_000, idle=True)  # no log at all
    _file(log, BYTES - 1)
    assert not bound.due(CHANGES - 1, idle=True)
    assert bound.due(CHANGES, idle=True)
    assert not bound.due(CHANGES, idle=False)
    _file(log, BYTES)
    assert bound.due(1, idle=True)
    assert not bound.due(1, idle=False)
    _file(log, HARD_BYTES)
    assert bound.due(1, idle=False)


def test_a_log_that_was_begun_again_counts_only_what_is_new(tmp_path: Path) -> None:
    """Its size stays; only growth beyond it, or changes since, make it due again."""
    log = tmp_path / "log"
    bound = LogBound(log)
    _file(log, HARD_BYTES)
    bound.carried_over(5_000)
    assert not bound.due(5_000, idle=True)
    assert not bound.due(5_000 + 10 * CHANGES, idle=False)
    assert bound.due(5_000 + CHANGES, idle=True)
    _file(log, HARD_BYTES + 1024)
    assert bound.due(5_001, idle=False)
    log.unlink()
    bound.carried_over(6_000)
    assert not bound.due(6_000 + CHANGES, idle=True)


def test_the_log_of_a_busy_journal_is_written_over_and_not_grown(tmp_path: Path) -> None:
    """After a quiet moment the next payments fit into the blocks the log has already."""

    async def take_over(store: Store, start: int) -> None:
        for number in range(start, start + CHANGES // 3 + 1):
            await store.append(submission(f"k-{number}"))

    async def scene() -> None:
        log = tmp_path / "state" / "journal.db-wal"
        async with opened(tmp_path) as store:
            await take_over(store, 0)
            size_bytes = log.stat().st_size
            bound = store._writer._opened.log_bound  # type: ignore[union-attr]
            async with asyncio.timeout(10):
                while not bound._changes:
                    await asyncio.sleep(0.01)
            for number in range(50):
                await store.append(submission(f"later-{number}"))
            assert log.stat().st_size == size_bytes

    asyncio.run(scene())


def test_work_of_one_turn_reaches_the_thread_together() -> None:
    """The first piece goes at once; what follows while it is under way comes as one batch."""

    async def scene() -> None:
        inbox: Inbox[int] = Inbox()
        inbox.put(1)
        assert inbox.get(0.0) == 1
        inbox.put(2)
        inbox.put(3)
        with pytest.raises(queue.Empty):
            inbox.get_nowait()
        await asyncio.sleep(0)
        assert (inbox.get_nowait(), inbox.get_nowait()) == (2, 3)
        inbox.answered(3)
        inbox.put(4)
        assert inbox.get_nowait() == 4
        inbox.put(5)
        inbox.end()
        assert (inbox.get_nowait(), inbox.get_nowait()) == (5, None)

    asyncio.run(scene())
