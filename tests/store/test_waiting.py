"""Readings that wait in the outbox: folded, gathered, and never twice under two numbers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent.store.outbox import Outbox
from agent.store.waiting import PORTION, THIN_AFTER_MS, THIN_TO_MS
from agent.wire.past import Readings

T = TypeVar("T")
SCHEMA = Path(__file__).parents[2] / "agent" / "store" / "migrations" / "state_0001.sql"
NOW, EVENT, READING, HISTORY = 0, 1, 2, 3
START = 500_000 * THIN_TO_MS
QUARTER_MS = 900_000


@dataclass(frozen=True)
class Message:
    body: bytes
    at_ms: int = START
    kind: str = "health"
    priority: int = READING
    retained: bool = False
    supersedes: int | None = None


class Db:
    """Real SQLite; every work is run twice, as after a full batch: the first time rolled back."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.executescript(SCHEMA.read_text("utf-8"))
        self.slowest_s = 0.0

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        await asyncio.sleep(0)
        self.connection.execute("BEGIN")
        work(self.connection)
        self.connection.execute("ROLLBACK")
        self.connection.execute("BEGIN")
        began_s = time.perf_counter()
        result = work(self.connection)
        self.slowest_s = max(self.slowest_s, time.perf_counter() - began_s)
        self.connection.execute("COMMIT")
        return result

    def rows(self, kind: str = "health") -> list[tuple[int, dict[str, Any]]]:
        found = self.connection.execute(
            "SELECT seq, body FROM outbox WHERE kind = ? ORDER BY seq", (kind,)
        )
        return [(seq, json.loads(body)) for seq, body in found]


def told(story: Callable[[Outbox, Db], Coroutine[Any, Any, None]], **bounds: int) -> None:
    db = Db()
    outbox = Outbox(db, **({"max_rows": 100_000, "max_bytes": 1 << 30} | bounds), past=Readings())
    try:
        asyncio.run(story(outbox, db))
    finally:
        db.connection.close()


def reading(at_ms: int, *, full: bool = False, suspect: bool = False, **values: Any) -> Message:
    body: dict[str, Any] = values | {"ts": at_ms, "full": full}
    if suspect:
        body["clock_suspect"] = True
    return Message(json.dumps(body).encode(), at_ms)


def counted(outbox: Outbox, db: Db) -> None:
    """What is kept in `meta` is what lies in the table."""
    found = db.connection.execute("SELECT count(*), coalesce(sum(length(body)), 0) FROM outbox")
    assert found.fetchone() == (outbox.stats.rows, outbox.stats.body_bytes)


def test_readings_of_an_hour_become_the_last_of_them_after_a_day() -> None:
    """A later value wins; younger hours are left as they are; what went is counted."""

    async def story(outbox: Outbox, db: Db) -> None:
        for n in range(4 * 30):
            await outbox.put([reading(START + n * QUARTER_MS, a=n, **{f"b{n % 4}": n})])
            counted(outbox, db)
        hours: dict[int, list[dict[str, Any]]] = {}
        for _, body in db.rows():
            hours.setdefault(body["ts"] // THIN_TO_MS - 500_000, []).append(body)
        # The last was put at 29:45: the hours up to 4:00-5:00 ended a day before.
        assert [len(hours[hour]) for hour in range(30)] == [1] * 5 + [4] * 25
        assert hours[1] == [
            {
                "a": 7,
                "b0": 4,
                "b1": 5,
                "b2": 6,
                "b3": 7,
                "ts": START + 7 * QUARTER_MS,
                "full": False,
            }
        ]
        assert outbox.stats.thinned == 15
        assert outbox.stats.lost == 0

    told(story)


def test_a_full_report_within_the_hour_ends_what_was_before_it() -> None:
    """And what is folded is a full report itself: nothing that vanished comes back."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START, gone=1)])
        await outbox.put([reading(START + 1, full=True, a=1)])
        await outbox.put([reading(START + 2, a=2)])
        await outbox.put([reading(START + 2 * THIN_AFTER_MS, z=1)])
        assert db.rows()[0] == (3, {"a": 2, "ts": START + 2, "full": True})

    told(story)


def test_an_hour_of_many_readings_is_folded_in_portions() -> None:
    """However many there are, one transaction touches a portion; in the end one is left."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START + n, **{f"v{n % 7}": n}) for n in range(300)])
        later = START + 2 * THIN_AFTER_MS
        for n in range(10):
            before = outbox.stats.rows
            await outbox.put([reading(later + n, z=n)])
            assert before - outbox.stats.rows < PORTION
            counted(outbox, db)
        old = [body for _, body in db.rows() if body["ts"] < later]
        assert old == [
            {f"v{n % 7}": n for n in range(293, 300)} | {"ts": START + 299, "full": False}
        ]

    told(story)


def test_a_time_that_cannot_be_right_is_not_mixed_with_one_that_is() -> None:
    """Readings under a suspect clock stay among themselves, and garbage stays alone."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START, suspect=True, a=1), reading(START + 1, a=2)])
        await outbox.put([Message(b"{", START + 2), reading(START + 3, a=3)])
        for n in range(5):
            await outbox.put([Message(b'{"ts":1,"full":false}', START + 2 * THIN_AFTER_MS + n)])
        assert outbox.stats.thinned == 0
        # A clock that ran ahead and was put right: a day in the future is as old as one behind.
        await outbox.put([reading(START + 9 * THIN_AFTER_MS + n, a=n) for n in range(3)])
        for n in range(9):
            await outbox.put([Message(b'{"ts":1,"full":false}', START + 3 * THIN_AFTER_MS + n)])
        assert outbox.stats.thinned >= 2

    told(story)


def test_what_waited_for_the_connection_leaves_last_and_together() -> None:
    """Alarms, then what is read now, then history; none of it waits for the other."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START + n, a=n) for n in range(20)])
        await outbox.put([Message(b"{}", kind="event", priority=EVENT)])
        outbox.reconnected()
        (first,) = await outbox.take(8, readings=0)
        assert (first.kind, outbox.unsent) == ("event", 20)
        await outbox.put([reading(START + 99, a=99)])
        (second,) = await outbox.take(8, readings=1)
        assert (second.kind, json.loads(second.body)["a"]) == ("health", 99)
        assert await outbox.take(8, history=False) == []
        (third,) = await outbox.take(8, now_ms=START + 100)
        body = json.loads(third.body)
        assert (third.kind, third.priority, body["ts"]) == ("hist", HISTORY, START + 100)
        assert [entry["values"]["a"] for entry in body["entries"]] == list(range(20))
        assert (outbox.gathered, outbox.stats.rows, outbox.stats.lost) == (1, 3, 0)
        counted(outbox, db)
        await outbox.done([first.seq, second.seq, third.seq])
        assert outbox.drained

    told(story)


def test_history_sent_again_is_the_same_message() -> None:
    """Put together once, on disk: a cut, even of the process, repeats number and bytes."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START + n, a=n) for n in range(20)])
        outbox.reconnected()
        (sent,) = await outbox.take(8, now_ms=1)
        outbox.release()
        again = Outbox(db, max_rows=10**6, max_bytes=10**9, past=Readings())
        await again.identity("x")
        again.reconnected()
        assert await again.take(8, now_ms=2) == [sent]

    told(story)


def test_a_reading_that_was_on_the_wire_keeps_its_number() -> None:
    """A reader may have it: it is neither folded nor gathered, also by the next process."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START, a=0), reading(START + 1, a=1)])
        sent = await outbox.take(1)
        await outbox.put([reading(START + 2 + n, a=2 + n) for n in range(9)])
        await outbox.put([reading(START + 2 * THIN_AFTER_MS, a=20)])
        outbox.release()
        again = Outbox(db, max_rows=10**6, max_bytes=10**9, past=Readings())
        await again.identity("x")
        again.reconnected()
        first, second = await again.take(8, now_ms=1)
        assert first == sent[0]
        assert second.kind == "hist"
        values = [entry["values"]["a"] for entry in json.loads(second.body)["entries"]]
        assert values == [10, 20]
        await again.done([first.seq, second.seq])
        assert again.drained
        left = db.connection.execute("SELECT value FROM meta WHERE name = 'outbox.tried'")
        assert left.fetchone() == ("",)

    told(story)


def test_a_single_reading_is_no_history() -> None:
    """A short cut costs nothing: what waited goes as it is."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([reading(START, a=0)])
        outbox.reconnected()
        assert [row.kind for row in await outbox.take(8)] == ["health"]
        assert outbox.gathered == 0

    told(story)


def test_the_newest_repeat_of_the_backlog_does_not_wait_behind_history() -> None:
    """It is about now; the next edge still replaces it."""

    async def story(outbox: Outbox, db: Db) -> None:
        repeat = Message(b"{}", kind="backlog", supersedes=READING)
        await outbox.put([reading(START, a=0), repeat, reading(START + 1, a=1), repeat])
        outbox.reconnected()
        assert [(row.kind, row.seq) for row in await outbox.take(1)] == [("backlog", 4)]
        outbox.release()
        await outbox.put([Message(b"{}", kind="backlog", priority=NOW, supersedes=READING)])
        assert [(row.kind, row.seq) for row in await outbox.take(8)] == [
            ("backlog", 5),
            ("hist", 6),
        ]

    told(story)


def test_history_is_cut_where_a_message_ends() -> None:
    """Eight kilobytes each; one reading larger than that becomes several entries of its time."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put(
            [reading(START + n, **{f"name_{v}": "x" * 20 for v in range(40)}) for n in range(30)]
        )
        huge = {f"n{v}": "y" * 200 for v in range(70)}
        await outbox.put([reading(START + 50, **huge), reading(START + 51, a=1)])
        outbox.reconnected()
        seen: list[tuple[int, dict[str, Any]]] = []
        while not outbox.drained:
            for row in await outbox.take(1, now_ms=1):
                assert len(row.body) <= 8_192 - 50
                seen += [(e["ts"], e["values"]) for e in json.loads(row.body)["entries"]]
                await outbox.done([row.seq])
            counted(outbox, db)
        assert [at for at, _ in seen[:30]] == [START + n for n in range(30)]
        parts = [values for at, values in seen if at == START + 50]
        assert len(parts) > 1
        merged: dict[str, Any] = {}
        for part in parts:
            merged |= part
        assert merged == huge
        assert outbox.stats.lost == 0

    told(story)


def test_a_row_nobody_can_read_is_counted_as_lost() -> None:
    """A flipped bit in state.db does not stop the drain."""

    async def story(outbox: Outbox, db: Db) -> None:
        await outbox.put([Message(b"{nonsense"), reading(START, a=1), reading(START + 1, a=2)])
        outbox.reconnected()
        kinds = []
        while not outbox.drained:
            for row in await outbox.take(1, now_ms=1):
                kinds.append(row.kind)
                await outbox.done([row.seq])
        assert kinds == ["hist"]
        assert outbox.stats.lost == 1

    told(story)


def test_no_work_looks_at_the_whole_table() -> None:
    """With thousands of rows waiting, a put and a take read a few dozen of them."""

    async def story(outbox: Outbox, db: Db) -> None:
        many = [reading(START + n * 1_000, a=n) for n in range(5_000)]
        for first in range(0, len(many), 2_000):
            await outbox.put(many[first : first + 2_000])
        steps = 0

        def counting() -> int:
            nonlocal steps
            steps += 1
            return 0

        db.connection.set_progress_handler(counting, 100)
        most = 0
        info = Message(b"{}", kind="info", priority=NOW, retained=True, supersedes=NOW)
        repeat = Message(b"{}", kind="backlog", supersedes=READING)
        await outbox.put([info, repeat])  # the first of a kind looks once
        outbox.reconnected()
        late = reading(START + 30 * THIN_AFTER_MS, a=1)
        for work in (
            lambda: outbox.put([info]),
            lambda: outbox.put([repeat]),
            lambda: outbox.put([late]),
            lambda: outbox.take(8, readings=0),
            lambda: outbox.take(8, readings=1),
            lambda: outbox.take(8, readings=1, history=True, now_ms=1),
        ):
            steps = 0
            await work()
            most = max(most, steps)
        db.connection.set_progress_handler(None, 0)
        # Twice, because the work is repeated. A scan needs ten instructions a row, so a thousand.
        assert most < 200

    told(story)


def test_what_is_read_while_connected_is_never_history() -> None:
    """Also when it comes in several messages at once and has to wait for its turn."""

    async def story(outbox: Outbox, db: Db) -> None:
        del db
        outbox.reconnected()
        await outbox.put([reading(START, full=True, a=1), reading(START + 1, b=2)])
        assert [row.kind for row in await outbox.take(1)] == ["health"]
        assert [row.kind for row in await outbox.take(1)] == ["health"]
        assert outbox.gathered == 0

    told(story)
