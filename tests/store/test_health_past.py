"""The history of health, page by page."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from agent.actions import health_history
from agent.errors import StoreError
from agent.store.health_past import HealthPast
from agent.wire.history import HealthHistoryArgs, HealthHistoryOut
from agent.wire.problem import RequestError
from tests.fakes import FakeClock

T = TypeVar("T")
SCHEMA = Path("agent/store/migrations/state_0001.sql")


class Db:
    """state.db in memory, with lines at the given times."""

    def __init__(self, times_ms: list[int], args: str = "{}") -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.executescript((Path(__file__).parents[2] / SCHEMA).read_text("utf-8"))
        self.connection.executemany(
            "INSERT INTO health_history (code, what, at_ms, boot_ms, args) VALUES (?,?,?,0,?)",
            [(("printer.paper_out", "made.up")[n % 2], "began", at, args)
             for n, at in enumerate(times_ms)],
        )  # fmt: skip

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return work(self.connection)


def asked(db: Db, **given: Any) -> HealthHistoryOut:
    ports: Any = SimpleNamespace(past=HealthPast(db), clock=FakeClock())
    return asyncio.run(health_history.run(ports, HealthHistoryArgs(**given)))


def test_every_line_comes_once_newest_first() -> None:
    """Pages of three over a clock that was set back and lines of the same moment."""
    db = Db([50, 60, 70, 20, 20, 20, 20, 30, 80, 80])
    seen: list[int] = []
    page = asked(db, limit=3)
    while True:
        seen += [line.number for line in page.lines]
        if page.next_before is None:
            break
        page = asked(db, limit=3, before=page.next_before, until=page.next_until)
    assert seen == [10, 9, 3, 2, 1, 8, 7, 6, 5, 4]
    db.connection.close()


def test_a_span_and_one_condition() -> None:
    """Both ends belong to it; another condition is left out; unknown ones show their code."""
    db = Db([10, 20, 30, 40, 50], args="not json")
    assert [line.number for line in asked(db, since=20, until=40).lines] == [4, 3, 2]
    (line,) = asked(db, since=20, until=40, code="printer.paper_out").lines
    assert (line.component, line.severity, line.args) == ("printer", "major", {})
    assert line.title.zh != line.title.en
    strange = asked(db, code="made.up").lines[0]
    assert (strange.title.en, strange.component) == ("made.up", "")
    with pytest.raises(RequestError):
        asked(db, since=50, until=40)
    db.connection.close()


def test_without_a_store_it_says_so() -> None:
    """Nobody keeps a history here: an error, not an empty one."""
    ports: Any = SimpleNamespace(past=None, clock=FakeClock())
    with pytest.raises(StoreError):
        asyncio.run(health_history.run(ports, HealthHistoryArgs()))
