"""Under a load that never pauses the log is carried over at its bound, and its file used again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.core.money.journal import Change, Event
from agent.store.checkpoint import HARD_BYTES
from tests.core.money.payments import submission
from tests.store.stores import opened


def test_the_log_stays_bounded_under_a_steady_load(tmp_path: Path) -> None:
    """Thirty-two megabytes of payments with no quiet moment between: the log never passes its
    bound by more than a batch."""

    async def scene() -> None:
        log = tmp_path / "state" / "journal.db-wal"
        largest = 0
        async with opened(tmp_path) as store:
            for number in range(640):
                await store.append(submission(f"k-{number}", b"x" * 50_000))
                largest = max(largest, log.stat().st_size)
            assert (tmp_path / "state" / "journal.db").stat().st_size > 20 << 20
        assert HARD_BYTES <= largest < HARD_BYTES + (1 << 20)

    asyncio.run(scene())


def test_room_of_forgotten_payments_is_used_again(tmp_path: Path) -> None:
    """The file keeps its largest size (docs/decisions.md) and does not grow while rows come and
    go."""

    async def scene() -> None:
        async with opened(tmp_path) as store:
            sizes = []
            for round_no in range(6):
                for number in range(60):
                    key = f"k-{round_no}-{number}"
                    record = (await store.append(submission(key, b"x" * 5_000))).record
                    for event in (Event.ATTEMPT, Event.POSTED):
                        record = await store.advance(
                            record.seq, record.version, Change(event=event)
                        )
                sizes.append(await store.journal(_forget_all))
            assert sizes[-1] <= sizes[1] * 1.1

    asyncio.run(scene())


def _forget_all(journal):  # type: ignore[no-untyped-def]
    from agent.store.retention import forget
    from tests.fakes import FakeClock

    db = journal.table.db
    for (seq,) in db.execute("SELECT seq FROM tx ORDER BY seq DESC LIMIT -1 OFFSET 1").fetchall():
        assert forget(journal, seq, FakeClock().now()) == 1
    return db.execute("PRAGMA page_count").fetchone()[0]
