"""Old journals come to today's schema in one transaction, with everything that is in them."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, State
from agent.errors import CallerError, OperatorError
from agent.store import Store, migrate, opening
from agent.store.schema import SCHEMA
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened

GOLDEN = Path(__file__).parent / "golden"
KINDS = ("schema-1-clean", "schema-1-cut")


def laid_out(tmp_path: Path, kind: str) -> Path:
    """A golden journal where a store looks for its own."""
    state = tmp_path / "state"
    shutil.copytree(GOLDEN / kind, state)
    state.chmod(0o700)
    (state / "row.key").chmod(0o600)
    return state


def later() -> FakeClock:
    """The clock of the terminal the golden journals are from, on another day."""
    clock = FakeClock()
    clock.advance(86_400)
    return clock


@pytest.fixture(params=KINDS)
def state(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return laid_out(tmp_path, request.param)


def test_every_record_of_the_first_schema_is_there_and_believed(
    tmp_path: Path, state: Path
) -> None:
    """State, doubt, result and history of each payment are what the old agent wrote."""

    async def story() -> None:
        async with opened(tmp_path, later()) as store:
            records = {r.key: r for r in await store.page(limit=100)}
            assert {key: r.state for key, r in records.items()} == {
                "posted": State.POSTED, "declined": State.DECLINED, "queued": State.QUEUED,
                "doubt": State.WAITING, "held": State.HELD, "request": State.QUEUED,
                "void-of-posted": State.QUEUED, "sending": State.WAITING,
            }  # fmt: skip
            assert {key for key, r in records.items() if r.in_doubt} == {"doubt", "sending"}
            assert records["posted"].result is not None
            assert records["posted"].result.reference == "R-1"
            assert records["void-of-posted"].lane == "p:posted"
            steps = await store.steps(records["doubt"].seq)
            assert [(s.event, s.count) for s in steps][-1] == ("no_answer", 3)
            assert not [s for s in steps if s.event == "altered"]
            payload = await store.payload(records["queued"])
            assert payload.body == b'{"sale":1}'
            facts = await store.facts()
            assert (facts.schema, facts.damage) == (SCHEMA, "")
            assert not await store.quarantined()
            backlog = await store.backlog()
            assert backlog.total.count == 6

    asyncio.run(story())
    db = sqlite3.connect(state / "journal.db")
    left = {row[0] for row in db.execute("SELECT name FROM sqlite_schema")}
    assert not [name for name in left if name.endswith("_before")]
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_migrated_journal_goes_on_and_knows_its_keys(tmp_path: Path, state: Path) -> None:
    """Old payments move on, repeats are recognised, new ones are numbered after them."""

    async def story() -> None:
        clock = later()
        async with opened(tmp_path, clock) as store:
            queued = await store.record("queued")
            assert queued is not None
            sent = await store.advance(queued.seq, queued.version, Change(event=Event.ATTEMPT))
            await store.advance(sent.seq, sent.version, Change(event=Event.POSTED))
            repeat = await store.append(
                submission("doubt", occurred_at=(await _of(store, "doubt")).transaction.occurred_at)
            )
            assert not repeat.created
            with pytest.raises(CallerError) as refused:
                await store.append(submission("doubt", b"other"))
            assert refused.value.code == "key.mismatch"
            new = await store.append(submission("new", occurred_at=clock.now().at))
            assert new.record.seq == 9
        async with opened(tmp_path, clock) as store:
            assert (await store.facts()).clean_start

    asyncio.run(story())


async def _of(store: Store, key: str):  # type: ignore[no-untyped-def]
    record = await store.record(key)
    assert record is not None
    return record


def test_a_migrated_journal_looks_like_a_new_one(tmp_path: Path, state: Path) -> None:
    """Whether a journal was made today or years ago, its schema is the same to the letter."""

    async def story() -> None:
        async with opened(tmp_path, later()):
            pass
        async with opened(tmp_path / "fresh", later()):
            pass

    asyncio.run(story())
    assert _schema(state / "journal.db") == _schema(tmp_path / "fresh" / "state" / "journal.db")


def _schema(path: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(path)
    try:
        rows = db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
        return [*rows, db.execute("PRAGMA user_version").fetchone()]
    finally:
        db.close()


def test_a_row_altered_before_the_migration_is_not_believed_after_it(tmp_path: Path) -> None:
    """The old MAC is checked: an altered row is put aside and everything unsent is held."""
    state = laid_out(tmp_path, "schema-1-clean")
    db = sqlite3.connect(state / "journal.db")
    db.execute("UPDATE tx SET amount_minor = 999999 WHERE key = 'queued'")
    db.commit()
    db.close()

    async def story() -> None:
        async with opened(tmp_path, later()) as store:
            assert await store.record("queued") is None
            held = await _of(store, "request")
            while held.state is not State.HELD:  # piece by piece, between other work
                held = await _of(store, "request")
            assert held.in_doubt
            assert (await _of(store, "posted")).state is State.POSTED

    asyncio.run(story())


def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off before its end, the journal is still the old agent's, to the last row."""
    state = laid_out(tmp_path, "schema-1-clean")
    before = _content(state / "journal.db")

    def cut(*_: object) -> str:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(migrate, "write_down", cut)
        db = opening.connect(state / "journal.db")
        with pytest.raises(sqlite3.OperationalError):
            migrate.migrate(db, state / "journal.db", 1, (state / "row.key").read_bytes())
        db.close()
    assert _content(state / "journal.db") == before


def _content(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return [*db.iterdump(), str(db.execute("PRAGMA user_version").fetchone())]
    finally:
        db.close()


def test_the_old_journal_is_kept_until_the_new_agent_has_run_once(tmp_path: Path) -> None:
    """The copy is the old journal, whole; the first start after a clean stop removes it."""
    state = laid_out(tmp_path, "schema-1-cut")
    copy = state / "journal.db.schema-1"

    async def story() -> None:
        async with opened(tmp_path, later()):
            db = sqlite3.connect(copy)
            assert db.execute("SELECT count(*) FROM tx").fetchone() == (8,)
            assert db.execute("PRAGMA user_version").fetchone() == (1,)
            db.close()
            assert copy.stat().st_mode & 0o077 == 0
        assert copy.exists()
        async with opened(tmp_path, later()):
            assert not copy.exists()

    asyncio.run(story())


def test_a_journal_of_a_newer_agent_is_refused_untouched(tmp_path: Path) -> None:
    """Going back to an older agent is refused in plain words, and nothing is written."""

    async def story() -> None:
        async with opened(tmp_path):
            pass
        journal = tmp_path / "state" / "journal.db"
        db = sqlite3.connect(journal)
        db.execute(f"PRAGMA user_version = {SCHEMA + 1}")
        db.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (str(SCHEMA + 1),))
        db.commit()
        db.close()
        before = journal.read_bytes()
        with pytest.raises(OperatorError) as refused:
            async with opened(tmp_path):
                pass
        assert refused.value.code == "store.newer_schema"
        assert journal.read_bytes() == before

    asyncio.run(story())
