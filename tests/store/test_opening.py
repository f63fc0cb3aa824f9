"""What a start finds: a clean stop, a crash, damage, somebody else, a newer agent, no space."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, State
from agent.errors import OperatorError, StoreError
from agent.store import Store, opening
from agent.store.files import Counters, LockFile, private_directory, row_key
from agent.store.offline import open_offline
from agent.store.part import StorePart
from agent.store.salvage import count_unsent
from agent.store.wal import read_log
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at, post


def crash(tmp_path: Path, name: str = "crashed") -> Path:
    """A copy of the files as they lie on the flash right now: what a kill -9 leaves."""
    target = tmp_path / name
    target.mkdir()
    shutil.copytree(tmp_path / "state", target / "state")
    return target


def test_u22_what_was_being_sent_at_a_crash_is_in_doubt(tmp_path: Path) -> None:
    """A start turns `sending` into doubt and leaves the rest alone."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            a = (await store.append(submission("a", **at(clock)))).record
            await store.append(submission("b", **at(clock)))
            await store.advance(a.seq, 1, Change(event=Event.ATTEMPT))
            left = crash(tmp_path)
        async with opened(left, clock) as store:
            facts = await store.facts()
            assert (facts.clean_start, facts.doubtful, facts.damage) == (False, 1, "")
            one, two = await store.record("a"), await store.record("b")
            assert one is not None
            assert two is not None
            assert (one.state, one.in_doubt) == (State.WAITING, True)
            assert (two.state, two.in_doubt) == (State.QUEUED, False)
            assert [step.event for step in await store.steps(one.seq)][-1] == "restart"

    asyncio.run(story())


def test_every_acknowledged_payment_is_there_after_a_crash(tmp_path: Path) -> None:
    """Nothing is checkpointed yet: all of it comes back from the write-ahead log."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await asyncio.gather(
                *(store.append(submission(f"k{i}", **at(clock))) for i in range(99))
            )
            left = crash(tmp_path)
        async with opened(left, clock) as store:
            assert (await store.backlog()).total.count == 99

    asyncio.run(story())


def test_a_clean_stop_says_so_and_leaves_no_log_behind(tmp_path: Path) -> None:
    """TRUNCATE at the stop; the next start trusts the file."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission(**at(clock)))
        wal = tmp_path / "state" / "journal.db-wal"
        assert not wal.exists() or wal.stat().st_size == 0
        async with opened(tmp_path, clock) as store:
            assert (await store.facts()).clean_start

    asyncio.run(story())


def test_a_damaged_journal_is_put_aside_untouched_and_a_new_one_takes_over(tmp_path: Path) -> None:
    """Rule 8: bytes unchanged in quarantine, new payments accepted, old ones counted."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(50):
                await store.append(submission(f"k{i}", **at(clock)))
        path = tmp_path / "state" / "journal.db"
        broken = bytearray(path.read_bytes())
        broken[100:130] = os.urandom(30)  # the b-tree header of page 1
        path.write_bytes(broken)
        clock.advance(60)
        async with opened(tmp_path, clock) as store:
            aside = await store.quarantined()
            assert len(aside) == 1
            assert Path(aside[0].path).read_bytes() == bytes(broken)
            assert (await store.backlog()).quarantined is None, "not known is not none"
            assert "damaged" in (await store.facts()).damage
            assert (await store.append(submission("new", **at(clock)))).created
            old = (await store.append(submission("k1", **at(clock, -60)))).record
            assert old.in_doubt, "the old journal may have sent it"

    asyncio.run(story())


def test_what_lies_in_quarantine_is_counted_where_it_can_be_read(tmp_path: Path) -> None:
    """Money put aside is still unsent money."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(300):
                await store.append(submission(f"k{i}", **at(clock)))
            first = await store.record("k0")
            assert first is not None
            await post(store, first)
        path = tmp_path / "state" / "journal.db"
        size = path.stat().st_size
        broken = bytearray(path.read_bytes())
        middle = size // 2 // 1024 * 1024
        broken[middle : middle + 1024] = b"\xa5" * 1024
        path.write_bytes(broken)
        (tmp_path / "state" / "journal.db-wal").write_bytes(b"")
        db = sqlite3.connect(path)
        db.execute(
            "PRAGMA user_version"
        )  # the file still opens: only an unclean start looks deeper
        db.close()
        mark_unclean(path)
        async with opened(tmp_path, clock) as store:
            assert len(await store.quarantined()) == 1

            async def here(work):  # type: ignore[no-untyped-def]
                return work()

            await StorePart(store).count_quarantined(here)
            quarantined = (await store.backlog()).quarantined
            assert quarantined is not None
            assert 200 < quarantined.count < 300
            assert quarantined.by_currency["CNY"] == quarantined.count * 1250

    asyncio.run(story())


def mark_unclean(path: Path) -> None:
    """As if the last run had not stopped cleanly; the rest of the file stays."""
    raw = path.read_bytes()
    where = raw.find(b"cleanyes")
    assert where > 0
    path.write_bytes(raw[: where + 5] + b"nay" + raw[where + 8 :])


def test_an_altered_row_is_put_aside_and_nothing_unsent_is_believed(tmp_path: Path) -> None:
    """Rule 8: a row MAC that fails holds everything non-final in doubt."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for name in ("a", "b", "c"):
                await store.append(submission(name, **at(clock)))
        db = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        db.execute("UPDATE tx SET amount_minor = 999999 WHERE key = 'b'")
        db.close()
        async with opened(tmp_path, clock) as store:
            assert await store.record("b") is None
            for name in ("a", "c"):
                record = await store.record(name)
                assert record is not None
                assert (record.state, record.in_doubt) == (State.HELD, True)
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert (backlog.total.count, backlog.quarantined.count) == (2, 1)
            again = (await store.append(submission("b", **at(clock)))).record
            assert (again.state, again.in_doubt, again.cause) == (
                State.HELD, True, "queue.quarantined",
            )  # fmt: skip

    asyncio.run(story())


def test_a_lost_key_file_means_no_row_can_be_believed(tmp_path: Path) -> None:
    """Without the key the MACs prove nothing: everything is put aside, nothing is sent."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission(**at(clock)))
        (tmp_path / "state" / "row.key").unlink()
        async with opened(tmp_path, clock) as store:
            assert "key file was missing" in (await store.facts()).damage
            assert (await store.due("host", 0, 10)).records == []
            quarantined = (await store.backlog()).quarantined
            assert quarantined is not None
            assert quarantined.count == 1

    asyncio.run(story())


def test_a_hole_in_the_log_with_later_commits_behind_it_is_damage(tmp_path: Path) -> None:
    """Acknowledged payments are missing: what is left is held in doubt, and the start says so."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(20):
                await store.append(submission(f"k{i}", **at(clock)))
            left = crash(tmp_path)
        wal = left / "state" / "journal.db-wal"
        raw = bytearray(wal.read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        wal.write_bytes(raw)
        assert "lost" in read_log(wal).missing
        async with opened(left, clock) as store:
            backlog = await store.backlog()
            assert 0 < backlog.total.count < 20
            assert backlog.held.count == backlog.in_doubt.count == backlog.total.count
            assert "write-ahead log" in (await store.facts()).damage

    asyncio.run(story())


def test_a_torn_last_commit_is_a_power_cut_and_not_damage(tmp_path: Path) -> None:
    """What was never acknowledged may be missing; nothing else is doubted for it."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(20):
                await store.append(submission(f"k{i}", **at(clock)))
            left = crash(tmp_path)
        wal = left / "state" / "journal.db-wal"
        raw = wal.read_bytes()
        for cut in (1, 700, 1047, 1048, 1500):
            wal.write_bytes(raw[:-cut])
            assert read_log(wal).missing == ""
        torn = bytearray(raw)
        torn[-1100:-1060] = bytes(40)  # the last frame but one lost a sector, the last did not
        wal.write_bytes(torn)
        assert read_log(wal).missing == ""
        wal.write_bytes(b"")
        assert read_log(wal).missing == ""
        assert read_log(wal.with_name("absent")).missing == ""

    asyncio.run(story())


def test_a_damaged_log_header_over_live_commits_is_damage(tmp_path: Path) -> None:
    """SQLite would drop the whole log without a word."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(5):
                await store.append(submission(f"k{i}", **at(clock)))
            left = crash(tmp_path)
        wal = left / "state" / "journal.db-wal"
        raw = bytearray(wal.read_bytes())
        raw[25] ^= 1
        wal.write_bytes(raw)
        assert read_log(wal).missing
        raw[8:12] = b"\xff" * 4
        wal.write_bytes(raw)
        assert "header" in read_log(wal).missing

    asyncio.run(story())


def test_a_journal_cut_to_nothing_keeps_what_its_log_holds(tmp_path: Path) -> None:
    """SQLite would delete the log beside an empty file: both are put aside, and count."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            await store.append(submission("a"))
            left = crash(tmp_path)
        os.truncate(left / "state" / "journal.db", 0)
        log = (left / "state" / "journal.db-wal").read_bytes()
        async with opened(left) as store:
            assert "the file is empty" in (await store.facts()).damage
            assert (await store.backlog()).quarantined is None
            (aside,) = await store.quarantined()
            assert Path(aside.path + "-wal").read_bytes() == log

    asyncio.run(story())


def test_a_log_whose_journal_is_gone_counts_as_unsent(tmp_path: Path) -> None:
    """It holds what was taken since the last checkpoint: put aside, and told of at each start."""

    async def story() -> None:
        async with opened(tmp_path) as store:
            await store.append(submission("a"))
            left = crash(tmp_path)
        (left / "state" / "journal.db").unlink()
        for _ in range(2):
            async with opened(left) as store:
                assert (await store.backlog()).quarantined is None
                (aside,) = await store.quarantined()
                assert aside.path.endswith("journal.db-wal")
        assert not list((left / "state" / "quarantine").glob("*journal.db"))

    asyncio.run(story())


def test_a_second_daemon_is_told_who_holds_the_store(tmp_path: Path) -> None:
    """It refuses to start, naming role and process."""

    async def story() -> None:
        async with opened(tmp_path):
            second = Store(tmp_path / "state", FakeClock())
            with pytest.raises(StoreError) as refused:
                await second.start()
            assert refused.value.code == "store.busy"
            assert f"daemon, process {os.getpid()}" in refused.value.what

    asyncio.run(story())


def test_a_newer_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A downgrade must not touch what it does not understand."""

    async def story() -> None:
        async with opened(tmp_path):
            pass
        path = tmp_path / "state" / "journal.db"
        db = sqlite3.connect(path, isolation_level=None)
        db.execute("PRAGMA user_version = 99")
        db.execute("UPDATE meta SET value = '99' WHERE name = 'schema'")
        db.close()
        before = path.read_bytes()
        store = Store(tmp_path / "state", FakeClock())
        with pytest.raises(OperatorError) as refused:
            await store.start()
        assert refused.value.code == "store.newer_schema"
        assert path.read_bytes() == before

    asyncio.run(story())


def test_a_foreign_database_is_not_ours_to_touch(tmp_path: Path) -> None:
    """A wrong state_dir is an installer's mistake, not damage."""
    (tmp_path / "state").mkdir(mode=0o700)
    db = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
    db.execute("CREATE TABLE t (x)")
    db.execute("PRAGMA user_version = 1")
    db.close()
    with pytest.raises(OperatorError, match="not a posagent journal"):
        asyncio.run(Store(tmp_path / "state", FakeClock()).start())


def test_keys_and_folders_others_can_reach_are_refused(tmp_path: Path) -> None:
    """Rights are checked at every start, and the message says which chmod mends them."""
    path = tmp_path / "row.key"
    key, made = row_key(path)
    assert (len(key), made, path.stat().st_mode & 0o777) == (32, True, 0o600)
    assert row_key(path) == (key, False)
    path.chmod(0o644)
    with pytest.raises(OperatorError, match="chmod 0600"):
        row_key(path)
    path.chmod(0o600)
    path.write_bytes(b"short")
    with pytest.raises(OperatorError, match="5 bytes"):
        row_key(path)
    link = tmp_path / "link.key"
    link.symlink_to(path)
    with pytest.raises(OperatorError, match="cannot read"):
        row_key(link)
    tmp_path.chmod(0o777)
    with pytest.raises(OperatorError, match="chmod 0700"):
        private_directory(tmp_path)


def test_a_torn_write_of_the_counters_costs_one_step_at_most(tmp_path: Path) -> None:
    """Two slots in turn; without either a new identity, and the loss is known."""
    path = tmp_path / "counters"
    counters = Counters(path)
    for _ in range(3):
        counters.save(connects=counters.counts.connects + 1)
    same = Counters(path)
    assert (same.counts, same.lost) == (counters.counts, False)
    raw = bytearray(path.read_bytes())
    raw[(same.counts.generation % 2) * 512 + 20] ^= 1
    path.write_bytes(raw)
    torn = Counters(path)
    assert torn.counts.connects == 2
    assert torn.counts.outbox_id == same.counts.outbox_id
    path.write_bytes(bytes(1024))
    lost = Counters(path)
    assert lost.lost
    assert lost.counts.outbox_id != same.counts.outbox_id


def test_an_unusable_flash_is_an_answer_and_heals(tmp_path: Path) -> None:
    """No space or no right: every call says why, and the store opens when it can."""

    async def story() -> None:
        clock = FakeClock()
        state = tmp_path / "state"
        state.mkdir(mode=0o700)
        (state / "journal.db").mkdir()  # nothing can be opened there
        async with opened(tmp_path, clock) as store:
            with pytest.raises(StoreError) as refused:
                await store.append(submission(**at(clock)))
            assert refused.value.code == "store.unavailable"
            with pytest.raises(StoreError):
                await store.facts()
            assert store.refusal is not None

    asyncio.run(story())


def test_a_dead_daemons_store_is_read_without_changing_it(tmp_path: Path) -> None:
    """Offline reading sees everything, leaves every byte alone, and waits for no daemon."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(10):
                await store.append(submission(f"k{i}", **at(clock)))
            with pytest.raises(StoreError, match="another posagent"):
                async with open_offline(tmp_path / "state"):
                    pass
            left = crash(tmp_path)
        state = left / "state"
        before = {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}
        async with open_offline(state) as reader:
            assert (await reader.backlog()).total.count == 10
            found = await reader.record("k3")
            assert found is not None
            assert [step.event for step in await reader.steps(found.seq)] == ["submitted"]
            assert len(await reader.page(limit=4)) == 4
            assert (await reader.facts()).damage == ""
            assert await reader.quarantined() == []
        after = {path.name: path.read_bytes() for path in state.iterdir() if path.is_file()}
        assert after == before
        with pytest.raises(OperatorError, match="no journal"):
            async with open_offline(tmp_path / "nowhere"):
                pass

    asyncio.run(story())


def test_the_lock_ends_with_its_holder(tmp_path: Path) -> None:
    """Readers share, a daemon excludes, and a released lock is free."""
    path = tmp_path / "lock"
    with LockFile(path) as daemon:
        daemon.acquire("daemon")
    with LockFile(path) as one, LockFile(path) as two:
        one.acquire("reader", shared=True)
        two.acquire("reader", shared=True)
        with pytest.raises(StoreError, match="daemon"):
            LockFile(path).acquire("daemon")


def test_counting_gives_up_on_what_is_no_database(tmp_path: Path) -> None:
    """Unknown, not zero."""
    path = tmp_path / "noise.db"
    path.write_bytes(os.urandom(5000))
    assert count_unsent(path) is None


def test_counts_are_kept_over_a_clean_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next start counts nothing, and what comes after is counted on from there."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in "abc":
                await store.append(submission(key, **at(clock)))
            before = await store.backlog()
        with monkeypatch.context() as patched:
            patched.setattr(opening, "counted", lambda _table: pytest.fail("it was counted"))
            async with opened(tmp_path, clock) as store:
                assert replace(await store.backlog(), oldest_at=None) == replace(
                    before, oldest_at=None
                )
                await store.append(submission("d", **at(clock)))
                assert (await store.backlog()).total.count == before.total.count + 1

    asyncio.run(story())


@pytest.mark.parametrize("left", ["altered", "foreign", "gone", "crash"])
def test_counts_are_made_anew_where_they_cannot_be_believed(tmp_path: Path, left: str) -> None:
    """Altered counts, none at all, or a stop that was not clean: the rows are counted."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in "abc":
                await store.append(submission(key, **at(clock)))
            crashed = crash(tmp_path)
            before = await store.backlog()
        home = crashed if left == "crash" else tmp_path
        if left != "crash":
            with sqlite3.connect(home / "state/journal.db") as db:
                altered = "replace(value, ', 3, ', ', 9, ')"
                change = {"altered": altered, "foreign": "'é' || value"}.get(left, "''")
                changed = db.execute(f"UPDATE meta SET value = {change} WHERE name = 'tally'")
                assert changed.rowcount == 1
                told = db.execute("SELECT value FROM meta WHERE name = 'tally'").fetchone()[0]
                assert (", 9, " in told) == (left == "altered")
            db.close()
        async with opened(home, clock) as store:
            assert (await store.backlog()).total == before.total

    asyncio.run(story())


def test_counts_an_older_agent_worked_past_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sent payments and stopped cleanly, but knows nothing of the counts that were kept."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in "abc":
                await store.append(submission(key, **at(clock)))
        with monkeypatch.context() as patched:
            patched.setattr(opening, "keep_tally", lambda _db, _table: None)
            async with opened(tmp_path, clock) as store:
                sending = await store.advance(1, 1, Change(event=Event.ATTEMPT))
                await store.advance(1, sending.version, Change(event=Event.POSTED))
        db = sqlite3.connect(tmp_path / "state/journal.db")
        with db:  # as it writes the number
            plain = "UPDATE meta SET value = CAST(CAST(value AS INTEGER) AS TEXT)"
            assert db.execute(f"{plain} WHERE name = 'last_seq'").rowcount == 1
        db.close()
        async with opened(tmp_path, clock) as store:
            assert (await store.backlog()).total.count == 2

    asyncio.run(story())
