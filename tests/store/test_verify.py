"""Verification finds whatever is not what was written, in small pieces, and tells what is there."""

from __future__ import annotations

import asyncio
import gc
import shutil
from collections import Counter
from pathlib import Path

import pytest

from agent.core.money.batches import AppReport, BatchReport
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.stages import Report, Stage
from agent.core.money.transaction import Delivery
from agent.store import Store, verify
from agent.store.offline import open_offline
from agent.store.reports import Reports
from agent.store.sealing import KEY_FILE
from agent.store.verify import ROWS, Sweep, Verified
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_believing import all_held, database
from tests.store.test_journal import at, post
from tests.store.test_sealing import altering, canary, care, lose_keys, story


async def troubled(store: Store, record: Record) -> Record:
    """Posted by its second attempt; the first is in its history."""
    sending = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
    silent = Change(event=Event.NO_ANSWER, cause="host.no_reply")
    waiting = await store.advance(sending.seq, sending.version, silent)
    return await post(store, waiting)


async def filled(folder: Path, clock: FakeClock) -> None:
    """A store with something in every table that is checked."""
    async with opened(folder, clock) as store:
        await troubled(store, (await store.append(canary("a", clock))).record)
        await store.append(canary("b", clock))
        await store.append(submission("app", **at(clock), delivery=Delivery.APP))
        reports = Reports(store, clock)
        await reports.report("app", [Report(n=1, stage=Stage.SENT, at=clock.now().at)])
        batch = BatchReport(batch="000001", closed=False)
        await reports.told(AppReport(terminal_id="T1", at=clock.now().at, batch=batch))


def test_a_whole_store_is_found_whole(tmp_path: Path) -> None:
    """Every record with payload, history and reports, and the structure of the file."""

    async def test(clock: FakeClock) -> None:
        await filled(tmp_path, clock)
        async with opened(tmp_path, clock) as store:
            done = await care(store, clock).verify()
        assert (done.after, done.permille, done.structure) == (None, 1000, "ok")
        assert +done.checked == {"record": 3, "payload": 3, "history": 6, "report": 2}
        assert not done.found

    story(test)


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("UPDATE tx SET amount_minor = 1 WHERE seq = 2", "record"),
        ("UPDATE tx SET state = 0 WHERE seq = 1", "record"),
        ("UPDATE payload SET body = x'00' WHERE id = 257", "payload"),
        ("UPDATE payload SET seal = 2, body = x'' WHERE id = 513", "payload"),
        ("DELETE FROM payload WHERE id = 513", "payload"),
        ("UPDATE history SET note = 'x' WHERE seq = 1 AND n = 2", "history"),
        ("DELETE FROM history WHERE seq = 1 AND n = 2", "history"),
        ("DELETE FROM history WHERE seq = 1", "history"),
        ("UPDATE stage SET at_ms = 1", "report"),
        ("UPDATE batch SET closed_ms = 1", "report"),
        ("DELETE FROM tx WHERE seq = 2", "stray"),
    ],
)
def test_every_alteration_is_told_and_money_is_put_aside(
    tmp_path: Path, sql: str, what: str
) -> None:
    """The finding says what and where; an altered record or payload is put aside, and everything
    unsent is held."""

    async def test(clock: FakeClock) -> None:
        await filled(tmp_path, clock)
        altering(tmp_path, sql)
        async with opened(tmp_path, clock) as store:
            done = await care(store, clock).verify()
            assert what in done.found
            assert done.findings[0].detail
            assert (await care(store, clock).verify()).after is None
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert backlog.quarantined.count == (what in ("record", "payload"))
            if what in ("record", "payload"):
                await all_held(store)
                assert State.QUEUED not in (await store.backlog()).by_state
        async with open_offline(tmp_path / "state") as reader:
            again = await reader.verify()
            assert again.after is None
            assert bool(again.found) == (what not in ("record", "payload"))

    story(test)


# A store that stopped for damage leaves its files to the end of the process, which is not now.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_damaged_page_is_told_by_its_structure(tmp_path: Path) -> None:
    """Whatever no row shows: an index that does not fit its table."""

    async def test(clock: FakeClock) -> None:
        await filled(tmp_path, clock)
        db = database(tmp_path)
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'tx_app'").fetchone()
        db.close()
        with (tmp_path / "state" / "journal.db").open("r+b") as file:
            file.seek((page - 1) * 1024 + 3)  # number of entries on the page
            assert file.read(2) == b"\0\1"
            file.seek((page - 1) * 1024 + 3)
            file.write(b"\0\0")
        failed: list[str] = []
        async with opened(tmp_path, clock, failures=failed) as store:
            done = await care(store, clock).verify()
            assert done.structure == "damaged"
            assert any("tx_app" in finding.detail for finding in done.findings)
            async with asyncio.timeout(30):
                while not failed:  # holding what is unsent meets the damage
                    await asyncio.sleep(0.01)
        after = tmp_path / "after"  # the process would end here, and its locks with it
        shutil.copytree(tmp_path / "state", after / "state")
        async with opened(after, clock) as store:
            assert "damaged" in (await store.facts()).damage
            assert len(await store.quarantined()) == 1
            assert await store.page(limit=9) == []

    story(test)
    gc.collect()


@pytest.mark.parametrize("index", ["sqlite_autoindex_tx_1", "tx_unsent"])
def test_a_payment_an_index_does_not_find_is_told(tmp_path: Path, index: str) -> None:
    """Also where the structure cannot be looked at as a whole: it would never be sent, or twice."""

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            await store.append(canary("a", clock))
        db = database(tmp_path)
        (page,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (index,)
        ).fetchone()
        db.close()
        with (tmp_path / "state" / "journal.db").open("r+b") as file:
            file.seek((page - 1) * 1024 + 3)  # number of entries on the page
            file.write(b"\0\0")
        failed: list[str] = []
        async with opened(tmp_path, clock, failures=failed) as store:
            done = await care(store, clock).verify(for_s=0)
            assert done.found["index"] == 1

    story(test)


def test_a_missing_key_is_told_and_nothing_is_put_aside_for_it(tmp_path: Path) -> None:
    """The bytes may be whole; nobody can say here."""

    async def test(clock: FakeClock) -> None:
        await filled(tmp_path, clock)
        lose_keys(tmp_path)
        async with opened(tmp_path, clock) as store:
            done = await care(store, clock).verify()
            assert done.found == {"key": 3}
            assert (await store.backlog()).quarantined.count == 0  # type: ignore[union-attr]

    story(test)


def test_offline_the_keys_are_used_where_they_are_and_none_is_made(tmp_path: Path) -> None:
    """A reader checks the seals of a dead daemon's store and changes nothing."""

    async def test(clock: FakeClock) -> None:
        await filled(tmp_path, clock)
        key_file = tmp_path / "elsewhere.keys"
        for name in (KEY_FILE, KEY_FILE + ".copy"):
            (tmp_path / "state" / name).rename(tmp_path / name.replace(KEY_FILE, key_file.name))
        async with open_offline(tmp_path / "state", key_file) as reader:
            assert not (await reader.verify()).found
        async with open_offline(tmp_path / "state") as reader:
            assert (await reader.verify()).found == {"key": 3}
        assert not (tmp_path / "state" / KEY_FILE).exists()

    story(test)


def test_a_pass_goes_on_from_any_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few rows add up to the whole, each row once."""
    monkeypatch.setattr(verify, "ROWS", 2)

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            for number in range(7):
                await store.append(canary(f"k{number}", clock))
            looked_after = care(store, clock)
            after: str | None = ""
            records = pieces = 0
            while after is not None:
                done = await looked_after.verify(after, 1e-9)
                after = done.after
                records += done.checked["record"]
                pieces += 1
            assert records == 7
            assert pieces >= 7

    story(test)


@pytest.mark.parametrize("records", [0, 1, 39, 1_000, 250_000])
def test_the_sweep_takes_its_period_and_no_more_than_it_must(records: int) -> None:
    """Enough pieces for a pass a day, spread evenly, and only a few for a small journal."""
    sweep, pieces, most = Sweep(86_400), 0, 0
    for _ in range(1_440):
        sweep.passed(60, records)
        before = pieces
        while sweep.due:
            pieces += 1
            sweep.took(Verified(after="records:1", checked=Counter(record=10)))
        most = max(most, pieces - before)
    assert records <= pieces * 10 + ROWS <= 1.2 * records + 5 * ROWS
    assert most * 10 <= records / 1_440 * 1.2 + 2 * ROWS
    never = Sweep(0)
    never.passed(86_400, 10**6)
    assert not never.due


def test_the_sweep_finds_what_was_altered_and_goes_on_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it got to is kept in state.db, so that a terminal switched off every night is checked
    too."""
    monkeypatch.setattr(verify, "ROWS", 2)

    async def test(clock: FakeClock) -> None:
        async with opened(tmp_path, clock) as store:
            for number in range(9):
                await store.append(canary(f"k{number}", clock))
        altering(tmp_path, "UPDATE tx SET amount_minor = 1 WHERE seq = 8")
        seen: list[str] = []
        for _ in range(40):
            async with opened(tmp_path, clock) as store:
                looked_after = care(store, clock, sweep_period_s=600.0)
                await looked_after.sweep()
                seen.append(looked_after._sweep.after)
                found = await store.backlog()
                if found.quarantined is not None and found.quarantined.count:
                    break
        else:
            pytest.fail(f"not found: {seen}")
        assert len(set(seen)) > 2

    story(test)
