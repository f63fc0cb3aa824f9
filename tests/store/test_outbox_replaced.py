"""Rows that a newer one of their kind replaced: never the last word, never left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from agent.store.outbox import Outbox
from tests.store.test_outbox import NOW, READING, Db, Message

REPEAT = Message(kind="backlog", priority=READING, supersedes=READING, retained=True)
EDGE = Message(kind="backlog", priority=NOW, supersedes=READING, retained=True)


def lives(path: Path, *stories: Callable[[Outbox, Db], Coroutine[Any, Any, None]]) -> None:
    """Each on a new outbox over the same file: the process was killed in between."""
    for story in stories:
        db = Db(path / "state.db")
        outbox = Outbox(db, max_rows=4, max_bytes=1 << 20)

        async def live(outbox: Outbox = outbox, db: Db = db, story: Any = story) -> None:
            await outbox.identity("c0ffee")
            await story(outbox, db)

        try:
            asyncio.run(live())
        finally:
            db.connection.close()


def test_killed_with_a_stale_backlog_in_flight(tmp_path: Path) -> None:
    """The repeat on the wire is not sent again behind the edge that replaced it."""

    async def first(outbox: Outbox, _db: Db) -> None:
        await outbox.put([REPEAT])
        assert [row.seq for row in await outbox.take(8)] == [1]
        await outbox.put([EDGE])

    async def second(outbox: Outbox, _db: Db) -> None:
        assert [row.seq for row in await outbox.take(8)] == [2]
        await outbox.done([2])
        assert outbox.drained
        assert outbox.stats.lost == 0

    lives(tmp_path, first, second)


def test_what_was_on_the_wire_once_is_not_remembered_for_ever(tmp_path: Path) -> None:
    """A bad line for months: rows sent, released, replaced or given up leave no trace."""

    async def story(outbox: Outbox, db: Db) -> None:
        for _ in range(5):
            await outbox.put([REPEAT])
            await outbox.take(8)
            outbox.release()
        for _ in range(9):
            await outbox.put([Message()])
            await outbox.take(8)
            outbox.release()
        found = db.connection.execute("SELECT value FROM meta WHERE name = 'outbox.tried'")
        (tried,) = found.fetchone()
        there = {seq for seq, _, _ in db.rows()}
        assert {int(word) for word in tried.split()} <= there

    lives(tmp_path, story)
