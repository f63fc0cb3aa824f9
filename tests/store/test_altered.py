"""Bits that changed on the flash: found whatever column, header or payload they hit."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, State
from agent.errors import CallerError
from agent.store import Store
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


def stored(tmp_path: Path, statement: str) -> Path:
    """A closed journal with one payment, then changed behind the agent's back."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            await store.append(submission())

    asyncio.run(story())
    path = tmp_path / "state" / "journal.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute(statement)
    db.close()
    return path


@pytest.mark.parametrize(
    "change",
    ["merchant_id = 'M2'", "next_boot_ms = 99", "stan = CAST(x'30ff31' AS TEXT)", "rrn = '1'"],
)
def test_a_change_of_any_column_is_found(change: str, tmp_path: Path) -> None:
    """Also where it decides nothing about money, and where it is not even text."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            assert await store.page() == []
            aside = (await store.backlog()).quarantined
            assert aside is not None
            assert aside.count == 1

    stored(tmp_path, f"UPDATE tx SET {change}")
    asyncio.run(story())


def test_changed_bytes_to_send_are_put_aside_and_never_sent(tmp_path: Path) -> None:
    """The payment app's bytes go out exactly as they came, or not at all."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            record = await store.record("k1")
            assert record is not None
            with pytest.raises(CallerError):
                await store.payload(record)
            assert await store.record("k1") is None
            aside = (await store.backlog()).quarantined
            assert aside is not None
            assert aside.count == 1

    stored(tmp_path, "UPDATE payload SET body = x'00'")
    asyncio.run(story())


@pytest.mark.parametrize(
    "change",
    [
        "PRAGMA application_id = 1",
        "PRAGMA user_version = 0",
        "PRAGMA user_version = 4",
        "UPDATE meta SET value = 'x' WHERE name = 'database_id'",
        "DELETE FROM meta WHERE name = 'born_ms'",
        "DROP TABLE boot",
        "ALTER TABLE tx RENAME COLUMN rrn TO rro",
    ],
)
def test_a_changed_header_does_not_keep_the_agent_from_starting(
    change: str, tmp_path: Path
) -> None:
    """Our own journal with a flipped header is put aside like any other damaged one."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            assert (await store.facts()).damage
            assert (await store.append(submission("k2"))).created

    stored(tmp_path, change)
    asyncio.run(story())


def test_a_damaged_last_commit_leaves_no_payment_sendable_without_doubt(tmp_path: Path) -> None:
    """It may have said that the payment was being sent."""

    async def cut() -> None:
        store = Store(tmp_path / "first", FakeClock())
        await store.start()
        record = (await store.append(submission())).record
        await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
        shutil.copytree(tmp_path / "first", tmp_path / "state")
        store.stop()

    async def story() -> None:
        async with opened(tmp_path) as store:
            record = await store.record("k1")
            assert record is not None
            assert (record.state, record.in_doubt) == (State.WAITING, True)

    asyncio.run(cut())
    log = tmp_path / "state" / "journal.db-wal"
    raw = bytearray(log.read_bytes())
    raw[-700] ^= 0x10
    log.write_bytes(raw)
    asyncio.run(story())


def test_an_altered_line_of_the_history_is_shown_as_altered(tmp_path: Path) -> None:
    """It decides nothing about money, so the payment goes on; but nobody is told a false past."""

    async def troubled() -> None:
        async with opened(tmp_path) as store:
            record = (await store.append(submission())).record
            record = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            await store.advance(record.seq, record.version, Change(event=Event.NO_ANSWER))

    async def story() -> None:
        async with opened(tmp_path) as store:
            record = await store.record("k1")
            assert record is not None
            shown = [step.event for step in await store.steps(record.seq)]
            assert shown == ["submitted", "altered", "no_answer"]
            await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            shown = [step.event for step in await store.steps(record.seq)]
            assert shown == ["submitted", "altered", "no_answer", "attempt"]

    asyncio.run(troubled())
    db = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
    db.execute("UPDATE history SET first_ms = first_ms + 1 WHERE n = 2")
    db.close()
    asyncio.run(story())
