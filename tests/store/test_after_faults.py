"""What a start must do because an earlier sync failed or the power went at an awkward moment."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.store import files
from agent.store.files import private_directory, row_key
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


def test_a_start_writes_the_log_into_the_database_before_it_answers(tmp_path: Path) -> None:
    """A failed sync may have left parts of the log that never reach the flash by themselves."""

    async def left_open() -> None:
        from agent.store import Store

        store = Store(tmp_path / "state", FakeClock())
        await store.start()
        await store.append(submission())
        # The process dies here: nothing is closed, the log stays.
        (tmp_path / "left").mkdir()
        for file in (tmp_path / "state").iterdir():
            (tmp_path / "left" / file.name).write_bytes(file.read_bytes())
            (tmp_path / "left" / file.name).chmod(0o600)
        store.stop()

    async def started() -> int:
        (tmp_path / "again").mkdir()
        (tmp_path / "left").rename(tmp_path / "again" / "state")
        log = tmp_path / "again" / "state" / "journal.db-wal"
        before = log.stat().st_size
        async with opened(tmp_path / "again", FakeClock()) as store:
            # Only what this start itself wrote is in the log now.
            assert log.stat().st_size < before
            assert await store.record("k1") is not None
        return before

    asyncio.run(left_open())
    assert asyncio.run(started()) > 0


def test_the_key_has_its_name_only_once_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty key file after a power cut would stop every start."""

    def no_sync(_fd: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(files.os, "fsync", no_sync)
        with pytest.raises(OSError, match="Input"):
            row_key(tmp_path / "row.key")
    assert not (tmp_path / "row.key").exists()
    assert row_key(tmp_path / "row.key")[1] is True


def test_a_directory_whose_name_could_not_be_synced_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next start would take it for durable, and a power cut would take it all away."""
    synced: list[Path] = []

    def failing(_directory: Path) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(files, "sync_directory", failing)
        with pytest.raises(OSError, match="Input"):
            private_directory(tmp_path / "a" / "state")
    monkeypatch.setattr(files, "sync_directory", synced.append)
    private_directory(tmp_path / "a" / "state")
    assert synced == [tmp_path, tmp_path / "a"]
