"""Going back to an older agent: every payment stays, and comes forward again."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent import __version__
from agent.core.audit import Deed
from agent.core.money.journal import Change, Event, IllegalMoveError, State
from agent.errors import OperatorError, StoreError
from agent.store import Store, migrate, opening, schema, stepdown
from agent.store.audit import Trail
from agent.store.files import LockFile
from agent.store.schema import SCHEMA
from agent.store.sql import migration
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened

OLDER = SCHEMA - 1
MOVES = (Event.ATTEMPT, Event.HOLD, Event.POSTED, Event.NO_ANSWER)


def content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table, but for the small facts of this file and its run."""
    db = sqlite3.connect(path)
    try:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
        kept = (name for name in names if name not in {"meta", "boot", "sqlite_sequence"})
        return {
            name.removeprefix(f"later_{SCHEMA}_"): sorted(db.execute(f'SELECT * FROM "{name}"'))
            for name in kept
        }
    finally:
        db.close()


def schema_text(path: Path) -> list[tuple[str, str]]:
    db = sqlite3.connect(path)
    try:
        return db.execute("SELECT name, sql FROM sqlite_schema ORDER BY name").fetchall()
    finally:
        db.close()


def version_of(path: Path) -> int:
    db = sqlite3.connect(path)
    try:
        return int(db.execute("PRAGMA user_version").fetchone()[0])
    finally:
        db.close()


async def lived(store: Store, clock: FakeClock, seed: int) -> None:
    """A random history: payments of many standings, and a line in the trail."""
    drawn = random.Random(seed)
    for number in range(12):
        clock.advance(1)
        added = await store.append(submission(f"p-{number}", occurred_at=clock.now().at))
        record = added.record
        for event in drawn.choices(MOVES, k=drawn.randrange(4)):
            try:
                record = await store.advance(record.seq, record.version, Change(event=event))
            except IllegalMoveError:
                continue  # another is drawn
    await Trail(store, clock, 30).write(
        Deed(actor="cli", op="queue_hold", target="p-1", outcome="ok")
    )


def made(tmp_path: Path, seed: int = 1) -> Path:
    """A journal of today's schema with a history; its path."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await lived(store, clock, seed)

    asyncio.run(story())
    return tmp_path / "state" / "journal.db"


def later() -> FakeClock:
    clock = FakeClock()
    clock.advance(86_400)
    return clock


def down(journal: Path, target: int = OLDER) -> stepdown.SteppedDown:
    return stepdown.step_down(journal.parent, target, FakeClock().now())


def believed(tmp_path: Path) -> None:
    """Today's agent opens it without a word of damage, knows all payments and the trail."""

    async def story() -> None:
        async with opened(tmp_path, later()) as store:
            assert (await store.facts()).damage == ""
            assert not await store.quarantined()
            assert len(await store.page(limit=100)) == 12
            lines = await Trail(store, later(), 30).page(0, 1 << 40, 10)
            assert [line.deed.target for line in lines] == ["p-1"]

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(5))
def test_down_and_up_again_is_the_same_journal(tmp_path: Path, seed: int) -> None:
    """Random histories: no row of any table is lost or changed on the way down, nor up again."""
    journal = made(tmp_path, seed)
    before, text = content(journal), schema_text(journal)
    done = down(journal)
    assert (done.found, done.schema, done.records) == (SCHEMA, OLDER, 12)
    assert version_of(journal) == OLDER
    assert content(journal) == before
    assert down(journal).found == OLDER  # once more does nothing
    db = opening.connect(journal)
    migrate.migrate(db, journal, OLDER, (journal.parent / "row.key").read_bytes())
    db.close()
    assert (content(journal), schema_text(journal)) == (before, text)
    believed(tmp_path)


def test_a_copy_from_before_an_update_does_not_outlive_the_way_back(tmp_path: Path) -> None:
    """Who goes back does so with all that happened since; the copy is gone."""
    journal = made(tmp_path)
    copy = journal.with_name(f"journal.db.schema-{OLDER}")
    copy.touch()
    down(journal)
    assert not copy.exists()


def test_a_copy_put_back_by_hand_sends_nothing_by_itself(tmp_path: Path) -> None:
    """All that is unsent in it may have been sent since: held and in doubt."""
    journal = made(tmp_path)
    down(journal)
    believed(tmp_path)  # raised again, with a copy of before
    copy = journal.with_name(f"journal.db.schema-{OLDER}")
    assert copy.exists()
    journal.unlink()
    copy.rename(journal)

    async def story() -> None:
        async with opened(tmp_path, later()) as store:
            records = await store.page(limit=100)
            unsent = [one for one in records if not one.final]
            assert unsent
            assert all(one.state is State.HELD and one.in_doubt for one in unsent)

    asyncio.run(story())


def test_what_cannot_be_done_is_refused_untouched(tmp_path: Path) -> None:
    """Too old, too new, damaged, in use, or nothing there: its own word, and not a byte changed."""
    with pytest.raises(OperatorError) as refused:
        down(tmp_path / "state" / "journal.db")
    assert refused.value.code == "store.absent"
    journal = made(tmp_path)
    before = journal.read_bytes()
    for target in (1, SCHEMA + 1):
        with pytest.raises(OperatorError) as refused:
            down(journal, target)
        assert refused.value.code == "journal.target"
    with LockFile(journal.parent / "lock") as lock:
        lock.acquire("daemon")
        with pytest.raises(StoreError) as busy:
            down(journal)
        assert busy.value.code == "store.busy"
    assert journal.read_bytes() == before
    db = sqlite3.connect(journal)
    db.execute("UPDATE meta SET value = 'x' WHERE name = 'schema_sum'")
    db.commit()
    db.close()
    with pytest.raises(OperatorError) as refused:
        down(journal)
    assert refused.value.code == "journal.damaged"


def test_a_journal_without_its_key_is_not_stepped_down(tmp_path: Path) -> None:
    """No new key is made, and the next start still sees that none of its rows can be believed."""
    journal = made(tmp_path)
    key, before = journal.with_name("row.key"), journal.read_bytes()
    key.unlink()
    with pytest.raises(OperatorError) as refused:
        down(journal)
    assert refused.value.code == "journal.damaged"
    assert not key.exists()
    assert journal.read_bytes() == before


def test_what_the_older_cannot_say_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script names what must not be there; the journal stays the newer one's."""
    journal = made(tmp_path)
    script = migration(f"journal_{SCHEMA:04d}.down")
    words = "-- refused while: SELECT count(*) FROM tx => payments of another kind\n"
    monkeypatch.setattr(stepdown, "migration", lambda _: words + script)
    before = content(journal)
    with pytest.raises(OperatorError) as refused:
        down(journal)
    assert refused.value.code == "journal.not_expressible"
    assert "12 payments of another kind" in refused.value.what
    assert (content(journal), version_of(journal)) == (before, SCHEMA)


def test_a_script_that_would_lose_a_payment_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts and sums are compared before the commit."""
    journal = made(tmp_path)
    script = migration(f"journal_{SCHEMA:04d}.down")
    loses = script + "DELETE FROM tx WHERE key = 'p-3';"
    monkeypatch.setattr(stepdown, "migration", lambda _: loses)
    before = content(journal)
    with pytest.raises(StoreError) as refused:
        down(journal)
    assert refused.value.code == "journal.changed"
    assert (content(journal), version_of(journal)) == (before, SCHEMA)


class Dying:
    """A connection whose process is killed before its n-th statement."""

    def __init__(self, db: sqlite3.Connection, dies_at: int, skips: tuple[str, ...]) -> None:
        self._db, self._left, self._skips = db, dies_at, skips

    def execute(self, statement: str, *more: object) -> sqlite3.Cursor:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)
        if statement.startswith(self._skips):
            return self._db.execute("SELECT 1")
        return self._db.execute(statement, *more)

    def __getattr__(self, name: str) -> object:
        return getattr(self._db, name)


def killed_at(journal: Path, number: int, way: Way, skips: tuple[str, ...]) -> bool:
    """Go one way in a process that is killed there; False: it came to its end."""
    child = os.fork()
    if not child:
        real = opening.connect
        try:
            dying = lambda path: Dying(real(path), number, skips)  # noqa: E731
            stepdown.connect = dying  # type: ignore[assignment]
            way(journal, dying)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - a process of its own
            os._exit(3)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, -signal.SIGKILL), code
    return code != 0


Way = Callable[[Path, Callable[[Path], object]], object]


def downwards(journal: Path, _: object) -> None:
    down(journal)


def upwards(journal: Path, connect: Callable[[Path], object]) -> None:
    db: Any = connect(journal)
    migrate.migrate(db, journal, OLDER, (journal.parent / "row.key").read_bytes())
    db.close()


def lost_or_torn(tmp_path: Path, way: Way, skips: tuple[str, ...] = (" ",)) -> list[str]:
    """Kill at every statement of one way in turn; what was wrong with what was left."""
    journal = made(tmp_path)
    if way is upwards:
        down(journal)
    kept, before, found = tmp_path / "kept", content(journal), []
    shutil.copytree(journal.parent, kept)
    number, deaths = 1, 0
    while killed_at(journal, number, way, skips):
        deaths += 1
        found += _wrong(journal, before, number)
        shutil.rmtree(journal.parent)
        shutil.copytree(kept, journal.parent)
        number += 1
    assert deaths > 10
    return found + _wrong(journal, before, number)


def _wrong(journal: Path, before: object, number: int) -> list[str]:
    try:
        db = opening.connect(journal)
        try:
            schema.check_identity(db, journal)
        finally:
            db.close()
    except (schema.DamagedError, OperatorError) as error:
        return [f"killed at {number}: {error}"]
    return [] if content(journal) == before else [f"killed at {number}: rows are not the same"]


@pytest.mark.parametrize("way", [downwards, upwards], ids=["down", "up"])
def test_killed_at_every_statement(tmp_path: Path, way: Way) -> None:
    """The journal is the older one's or the newer one's, whole, wherever the process was killed."""
    assert lost_or_torn(tmp_path, way) == []


@pytest.mark.parametrize("way", [downwards, upwards], ids=["down", "up"])
def test_the_killing_finds_what_is_not_one_transaction(tmp_path: Path, way: Way) -> None:
    """Control: with a commit for every statement the same killing finds torn journals."""
    assert lost_or_torn(tmp_path, way, ("BEGIN", "COMMIT")) != []


def test_a_newer_journal_that_says_so_is_worked_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New tables only: the older agent takes payments in it and leaves them as they are."""
    journal = made(tmp_path)
    newer = SCHEMA + 1
    db = sqlite3.connect(journal)
    with monkeypatch.context() as patched:
        patched.setattr(schema, "READERS", {newer: SCHEMA})
        db.execute("CREATE TABLE shift (n INTEGER PRIMARY KEY)")
        db.execute("INSERT INTO shift VALUES (7)")
        schema.write_down(db, newer)
    db.execute(f"PRAGMA user_version = {newer}")
    db.commit()
    db.close()

    async def story() -> None:
        clock = later()
        async with opened(tmp_path, clock) as store:
            facts = await store.facts()
            assert (facts.schema, facts.damage) == (newer, "")
            await store.append(submission("at-the-older", occurred_at=clock.now().at))

    asyncio.run(story())
    assert content(journal)["shift"] == [(7,)]
    assert (version_of(journal), len(content(journal)["tx"])) == (newer, 13)
    db = sqlite3.connect(journal)
    db.execute("UPDATE meta SET value = '2' || substr(value, 2) WHERE name = 'min_reader'")
    db.commit()
    db.close()
    with pytest.raises(OperatorError) as refused:
        asyncio.run(story())
    assert refused.value.code == "store.newer_schema"


def test_every_schema_has_a_way_back_and_says_truly_who_can_read_it() -> None:
    """A script down for each but the lowest; readable by an older one means new tables only."""
    for version in range(schema.LOWEST + 1, SCHEMA + 1):
        assert schema.statements(migration(f"journal_{version:04d}.down"))
    for version in schema.READERS:
        for statement in schema.statements(migration(f"journal_{version:04d}")):
            assert statement.split()[:2] in (["CREATE", "TABLE"], ["CREATE", "INDEX"])


def test_what_is_shown_of_a_journal(tmp_path: Path) -> None:
    """Who wrote it, what waits in it, and how many payments."""
    journal = made(tmp_path)
    said = stepdown.look(journal.parent)
    assert (said["schema"], said["records"], said["written_by"]) == (SCHEMA, 12, __version__)
    down(journal)
    said = stepdown.look(journal.parent)
    assert (said["schema"], said["put_by"][0]) == (OLDER, f"later_{SCHEMA}_audit")
