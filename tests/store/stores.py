"""Opening real stores in a test's own folder."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from agent.core.money.lanes import Order
from agent.store import Store
from agent.store.sealing import KEY_FILE, Sealing
from tests.fakes import FakeClock

T = TypeVar("T")


class OneFile:
    """A StateDb on the caller's own thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    async def state(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self.connection:
            return work(self.connection)


@asynccontextmanager
async def opened(
    directory: Path,
    clock: FakeClock | None = None,
    orders: Mapping[str, Order] | None = None,
    failures: list[str] | None = None,
    *,
    seal: bool = True,
) -> AsyncIterator[Store]:
    """A store that is closed cleanly at the end."""
    seen: list[str] = [] if failures is None else failures
    state = directory / "state"
    sealing = Sealing(file=state / KEY_FILE, on=seal)
    store = Store(state, clock or FakeClock(), orders, seen.append, sealing=sealing)
    await store.start()
    try:
        yield store
    finally:
        assert store.stop()
