"""Health rows in a real SQLite file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from agent.core.health.conditions import Severity
from agent.core.health.reading import (
    NotFitted,
    NotObservable,
    Outcome,
    Reading,
    Unknown,
)
from agent.core.health.tracker import Alarm, Change, ComponentState, OpenAlarm, What
from agent.store import health
from agent.store.health import HealthRows
from agent.store.sql import migration
from tests.fakes import FakeClock

T = TypeVar("T")


class OneFile:
    """A StateDb on the caller's own thread."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None)

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self.connection:
            self.connection.execute("BEGIN")
            return work(self.connection)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[OneFile]:
    one = OneFile(tmp_path / "state.db")
    one.connection.executescript(migration("state_0001"))
    one.connection.executescript(migration("state_0006"))
    one.connection.executescript(migration("state_0008"))
    yield one
    one.connection.close()


def change(clock: FakeClock, code: str = "printer.paper_out", what: What = What.BEGAN) -> Change:
    now = clock.now()
    alarm = Alarm(
        code=code,
        component="printer",
        severity=Severity.MAJOR,
        since_at=now.at,
        shown_at=None,
        args={"paper": "out"},
        flaps=0,
        suppressed_by="",
    )
    return Change(code=code, what=what, at=now, alarm=alarm)


def state(clock: FakeClock, component: str, outcome: Outcome) -> ComponentState:
    return ComponentState(
        component=component,
        outcome=outcome,
        at=clock.now().at,
        duration_ms=12,
        success=not isinstance(outcome, Unknown),
    )


def test_open_conditions_survive_and_the_closed_ones_go(db: OneFile) -> None:
    """What was saved last is all that is open, with since, shown, flaps and arguments."""
    rows = HealthRows(db)
    first = OpenAlarm(code="a.b", since_ms=1, shown_ms=None, flaps=0, args={})
    second = OpenAlarm(
        code="c.d", since_ms=2, shown_ms=3, flaps=4, args={"name": "缺纸", "n": 1, "ok": True}
    )
    asyncio.run(rows.save([], [first, second], []))
    assert asyncio.run(rows.load()) == [first, second]
    asyncio.run(rows.save([], [second], []))
    assert asyncio.run(rows.load()) == [second]


def test_history_is_told_in_order_within_the_range(db: OneFile) -> None:
    """Only what happened between the two times comes back, oldest first."""
    rows, clock = HealthRows(db), FakeClock()
    start = clock.now().at
    for what in (What.BEGAN, What.SHOWN, What.ENDED, What.CLEARED):
        asyncio.run(rows.save([change(clock, what=what)], [], []))
        clock.advance(60)
    lines = asyncio.run(rows.history(start + timedelta(seconds=60), start + timedelta(seconds=120)))
    assert [line.what for line in lines] == ["shown", "ended"]
    assert lines[0].args == {"paper": "out"}
    assert lines[0].at == start + timedelta(seconds=60)


def test_a_question_about_a_flapping_past_is_bounded(db: OneFile) -> None:
    """With more lines than asked for, the newest come back, still oldest first."""
    clock = FakeClock()
    start = clock.now().at
    for number in range(5):
        health.add_history(db.connection, [change(clock, code=f"x.n{number}")])
        clock.advance(1)
    lines = health.history(db.connection, start, clock.now().at, limit=2)
    assert [line.code for line in lines] == ["x.n3", "x.n4"]


def test_history_older_than_ninety_days_goes(db: OneFile) -> None:
    """Pruning drops by age while the clock can be believed."""
    rows, clock = HealthRows(db), FakeClock()
    asyncio.run(rows.save([change(clock)], [], []))
    clock.advance(health.KEEP_DAYS * 86_400 + 1)
    asyncio.run(rows.save([change(clock)], [], []))
    assert asyncio.run(rows.prune(clock.now())) == 1
    assert db.connection.execute("SELECT count(*) FROM health_history").fetchone() == (1,)


def test_a_wrong_clock_expires_nothing(db: OneFile) -> None:
    """A clock ten years ahead and not trusted deletes no history."""
    rows, clock = HealthRows(db), FakeClock()
    asyncio.run(rows.save([change(clock)], [], []))
    clock.jump(10 * 365 * 86_400)
    clock.trusted = False
    assert asyncio.run(rows.prune(clock.now())) == 0


def test_history_is_bounded_by_rows(db: OneFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """However fast a condition flaps, the table stops growing; the newest rows stay."""
    monkeypatch.setattr(health, "KEEP_ROWS", 3)
    clock = FakeClock()
    health.add_history(db.connection, [change(clock, code=f"x.n{n}") for n in range(8)])
    assert health.prune(db.connection, clock.now()) == 5
    assert [row[0] for row in db.connection.execute("SELECT code FROM health_history")] == [
        "x.n5",
        "x.n6",
        "x.n7",
    ]


@pytest.mark.parametrize(
    "outcome",
    [
        Reading({"paper": "out", "free_mb": 1.5, "online": True, "n": None}, {"raw": "12"}),
        NotFitted(),
        NotObservable("behind its own security chip"),
        Unknown("no answer within 1 s", "printer.not_answering", {"port": "/dev/ttyS1"}),
    ],
    ids=lambda outcome: type(outcome).__name__,
)
def test_the_last_word_of_a_component_comes_back_as_it_was(db: OneFile, outcome: Outcome) -> None:
    """Each of the four outcomes survives the store unchanged, and replaces the one before."""
    rows, clock = HealthRows(db), FakeClock()
    asyncio.run(rows.save([], [], [state(clock, "printer", Reading({}))]))
    clock.advance(5)
    asyncio.run(rows.save([], [], [state(clock, "printer", outcome)]))
    assert health.last_readings(db.connection) == [state(clock, "printer", outcome)]


def test_damaged_rows_are_left_out_not_raised(db: OneFile) -> None:
    """Garbage in the arguments or the body never keeps `status` from answering."""
    db.connection.execute(
        "INSERT INTO alarm (code, since_ms, flaps, args) VALUES ('a.b', 1, 0, '{broken')"
    )
    db.connection.execute(
        "INSERT INTO alarm (code, since_ms, flaps, args) VALUES ('c.d', 2, 0, '[1]')"
    )
    db.connection.execute("INSERT INTO reading VALUES ('printer', 1, 'hologram', '{}')")
    db.connection.execute("INSERT INTO reading VALUES ('system', 1, 'reading', '7')")
    assert [alarm.args for alarm in health.open_alarms(db.connection)] == [{}, {}]
    (only,) = health.last_readings(db.connection)
    assert (only.component, only.outcome, only.duration_ms) == ("system", Reading({}), 0)


def test_a_failing_save_changes_nothing(db: OneFile) -> None:
    """History, open conditions and readings are one transaction."""
    rows, clock = HealthRows(db), FakeClock()
    kept = OpenAlarm(code="a.b", since_ms=1, shown_ms=None, flaps=0, args={})
    asyncio.run(rows.save([], [kept], []))
    with pytest.raises(sqlite3.IntegrityError):
        asyncio.run(rows.save([change(clock)], [kept, kept], []))
    assert asyncio.run(rows.load()) == [kept]
    assert db.connection.execute("SELECT count(*) FROM health_history").fetchone() == (0,)
