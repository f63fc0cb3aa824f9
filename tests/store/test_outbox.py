"""The outbox: order, numbers, bounds, and what survives."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from agent.store.outbox import Outbox, Stats

T = TypeVar("T")
SCHEMA = Path(__file__).parents[2] / "agent" / "store" / "migrations" / "state_0001.sql"
NOW, EVENT, READING = 0, 1, 2


@dataclass(frozen=True)
class Message:
    kind: str = "health"
    priority: int = READING
    retained: bool = False
    at_ms: int = 1
    body: bytes = b"{}"
    supersedes: int | None = None


class Db:
    """Real SQLite; `twice` runs the work again after a rollback, as a full batch would."""

    def __init__(self, path: Path) -> None:
        fresh = not path.exists()
        self.connection = sqlite3.connect(path, isolation_level=None)
        if fresh:
            self.connection.executescript(SCHEMA.read_text("utf-8"))
        self.twice = False

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await asyncio.sleep(0)
        if self.twice:
            self.connection.execute("BEGIN")
            work(self.connection)
            self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")
        try:
            result = work(self.connection)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        return result

    def rows(self) -> list[tuple[int, str, int]]:
        found = self.connection.execute("SELECT seq, kind, priority FROM outbox ORDER BY seq")
        return found.fetchall()


def told(
    path: Path,
    story: Callable[[Outbox, Db], Coroutine[Any, Any, None]],
    *,
    max_rows: int = 10_000,
    max_bytes: int = 1 << 20,
) -> None:
    """Run a story on an outbox over a real file."""
    db = Db(path / "state.db")
    try:
        asyncio.run(story(Outbox(db, max_rows=max_rows, max_bytes=max_bytes), db))
    finally:
        db.connection.close()


def test_sent_by_priority_then_age(tmp_path: Path) -> None:
    """Stuck money first, then alarms oldest first, then readings."""

    async def story(outbox: Outbox, _db: Db) -> None:
        await outbox.put([Message(), Message(kind="event", priority=EVENT)])
        await outbox.put([Message(kind="event", priority=EVENT), Message(priority=NOW)])
        assert [row.seq for row in await outbox.take(3)] == [4, 2, 3]
        assert [row.seq for row in await outbox.take(3)] == [1]
        assert await outbox.take(3) == []

    told(tmp_path, story)


def test_deleted_only_when_acknowledged(tmp_path: Path) -> None:
    """A row leaves with its PUBACK and not before; what was in flight is sent again as it was."""

    async def story(outbox: Outbox, _db: Db) -> None:
        await outbox.put([Message(body=b'{"n":1}', retained=True, kind="info"), Message()])
        first = await outbox.take(8)
        assert (outbox.unsent, outbox.stats.rows) == (0, 2)
        await outbox.done([1])
        assert outbox.stats == Stats(rows=1, body_bytes=2, lost=0)
        outbox.release()
        assert outbox.unsent == 1
        assert await outbox.take(8) == [first[1]]
        await outbox.done([2, 2, 99])
        assert outbox.drained
        assert first[0].retained
        assert first[0].body == b'{"n":1}'

    told(tmp_path, story)


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    """An emptied outbox goes on counting, also after a restart: receivers drop known numbers."""

    async def story(outbox: Outbox, _db: Db) -> None:
        (first,) = await outbox.put([Message()])
        await outbox.done([first])
        assert await outbox.put([Message()]) == [first + 1]
        await outbox.done([first + 1])

    told(tmp_path, story)

    async def after_restart(outbox: Outbox, _db: Db) -> None:
        assert await outbox.put([Message()]) == [3]

    told(tmp_path, after_restart)


def test_the_name_changes_with_the_file_or_the_counters(tmp_path: Path) -> None:
    """Within one name a number means one message, even if state.db was deleted."""
    names: list[str] = []

    async def story(outbox: Outbox, _db: Db) -> None:
        names.append(await outbox.identity("counters"))

    for directory in ("a", "a", "b"):
        (tmp_path / directory).mkdir(exist_ok=True)
        told(tmp_path / directory, story)
    first, again, other_file = names
    assert first == again
    assert first != other_file

    async def other_counters(outbox: Outbox, _db: Db) -> None:
        assert await outbox.identity("others") != first

    told(tmp_path / "a", other_counters)


def test_counts_survive_a_restart_and_need_no_scan(tmp_path: Path) -> None:
    """After a start the outbox knows how full it is and what it ever gave up."""

    async def story(outbox: Outbox, _db: Db) -> None:
        await outbox.put([Message(body=b'{"a":1}'), Message(), Message()])
        await outbox.refuse([2])

    told(tmp_path, story)

    async def after_restart(outbox: Outbox, _db: Db) -> None:
        await outbox.identity("x")
        assert outbox.stats == Stats(rows=2, body_bytes=9, lost=1)

    told(tmp_path, after_restart)


def test_counts_are_made_once_where_they_are_missing(tmp_path: Path) -> None:
    """Rows of an older version are counted, not forgotten."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message(), Message()])
        db.connection.execute("DELETE FROM meta")
        await outbox.put([Message()])
        assert outbox.stats.rows == 3

    told(tmp_path, story)


def test_work_repeated_after_a_rollback_counts_once(tmp_path: Path) -> None:
    """The writer may run a whole batch again; counts come from the transaction, not from memory."""

    async def story(outbox: Outbox, db: Db) -> None:
        db.twice = True
        await outbox.put([Message(), Message()])
        await outbox.take(1)
        await outbox.done([1])
        assert outbox.stats == Stats(rows=1, body_bytes=2, lost=0)
        assert len(db.rows()) == 1

    told(tmp_path, story)


def test_full_thins_the_oldest_readings_and_keeps_alarms(tmp_path: Path) -> None:
    """Beyond the bound every other old reading goes; alarms and edges stay; all is counted."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message(kind="event", priority=EVENT) for _ in range(20)])
        await outbox.put([Message(kind="backlog", priority=NOW) for _ in range(5)])
        for _ in range(30):
            await outbox.put([Message() for _ in range(10)])
        rows = db.rows()
        assert len(rows) <= 200
        assert sum(priority == EVENT for *_, priority in rows) == 20
        assert sum(priority == NOW for *_, priority in rows) == 5
        readings = [seq for seq, _, priority in rows if priority == READING]
        # The newest are complete, the oldest stretch is thin but not gone.
        assert readings[-50:] == list(range(276, 326))
        assert readings[0] < 60
        assert outbox.stats.lost == 325 - len(rows)
        assert outbox.stats.rows == len(rows)

    told(tmp_path, story, max_rows=200)


def test_full_of_alarms_gives_up_the_oldest_alarms_last(tmp_path: Path) -> None:
    """The bound holds even without a single reading."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message(kind="backlog", priority=NOW)])
        for _ in range(30):
            await outbox.put([Message(kind="event", priority=EVENT) for _ in range(10)])
        rows = db.rows()
        assert len(rows) <= 100
        assert rows[0][2] == NOW
        assert rows[-1][0] == 301

    told(tmp_path, story, max_rows=100)


def test_bytes_are_bounded_too(tmp_path: Path) -> None:
    """Few large messages fill the flash as well as many small ones."""

    async def story(outbox: Outbox, _db: Db) -> None:
        for _ in range(50):
            await outbox.put([Message(body=b"{" + b" " * 1000 + b"}")])
        assert outbox.stats.body_bytes <= 10_000
        assert outbox.stats.lost == 50 - outbox.stats.rows

    told(tmp_path, story, max_bytes=10_000)


def test_what_is_on_the_wire_is_never_thinned(tmp_path: Path) -> None:
    """A row in flight lands or comes back; giving it up would help nobody."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message() for _ in range(4)])
        flying = {row.seq for row in await outbox.take(4)}
        await outbox.put([Message() for _ in range(3)])
        assert flying <= {seq for seq, *_ in db.rows()}
        assert len(db.rows()) == 4

    told(tmp_path, story, max_rows=4)


def test_superseded_rows_go_without_being_counted_as_lost(tmp_path: Path) -> None:
    """Only the newest introduction and the newest periodic backlog wait; edges all stay."""

    async def story(outbox: Outbox, db: Db) -> None:
        info = Message(kind="info", priority=NOW, supersedes=NOW)
        await outbox.put([info])
        await outbox.put([info])
        edge = Message(kind="backlog", priority=NOW, supersedes=READING)
        periodic = Message(kind="backlog", priority=READING, supersedes=READING)
        await outbox.put([periodic, edge, periodic, periodic, edge])
        assert [(seq, kind) for seq, kind, _ in db.rows()] == [
            (2, "info"),
            (4, "backlog"),
            (7, "backlog"),
        ]
        assert outbox.stats.lost == 0
        await outbox.take(1)
        await outbox.put([info])
        assert {seq for seq, *_ in db.rows()} == {2, 4, 7, 8}

    told(tmp_path, story)


def test_a_failed_transaction_changes_nothing(tmp_path: Path) -> None:
    """If the store refuses, neither rows nor counts nor flights change."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message()])
        db.connection.execute("ALTER TABLE outbox RENAME TO away")
        with pytest.raises(sqlite3.OperationalError):
            await outbox.put([Message()])
        with pytest.raises(sqlite3.OperationalError):
            await outbox.take(1)
        db.connection.execute("ALTER TABLE away RENAME TO outbox")
        assert outbox.stats.rows == 1
        assert [row.seq for row in await outbox.take(5)] == [1]

    told(tmp_path, story)


def test_taking_uses_the_index(tmp_path: Path) -> None:
    """A full outbox is not sorted for every PUBACK."""

    async def story(_outbox: Outbox, db: Db) -> None:
        plan = db.connection.execute(
            "EXPLAIN QUERY PLAN SELECT seq, kind, retained, body FROM outbox"
            " ORDER BY priority, seq LIMIT 16"
        ).fetchall()
        assert "outbox_order" in str(plan)
        assert "TEMP B-TREE" not in str(plan)

    told(tmp_path, story)


def test_what_was_replaced_in_flight_is_not_sent_again_behind_its_successor(
    tmp_path: Path,
) -> None:
    """A broker that keeps the last word must end with the newest, also over a cut."""

    async def story(outbox: Outbox, db: Db) -> None:
        edge = Message(kind="backlog", priority=NOW, retained=True, supersedes=READING)
        repeat = Message(kind="backlog", priority=READING, retained=True, supersedes=READING)
        await outbox.put([repeat])
        (flying,) = await outbox.take(1)
        await outbox.put([edge])
        assert {seq for seq, *_ in db.rows()} == {1, 2}, "the broker may still take it"
        outbox.release()
        assert [row.seq for row in await outbox.take(8)] == [2]
        assert (outbox.stats.rows, outbox.stats.lost) == (1, 0)
        await outbox.done([flying.seq, 2])
        assert outbox.drained
        # Acknowledged in time, nothing is left to be taken back.
        await outbox.put([repeat])
        (flying,) = await outbox.take(1)
        await outbox.put([edge])
        await outbox.done([flying.seq])
        outbox.release()
        assert [row.seq for row in await outbox.take(8)] == [4]
        assert outbox.stats.rows == 1

    told(tmp_path, story)
