"""Opening real stores in a test's own folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from agent.core.money.lanes import Order
from agent.store import Store
from agent.store.sealing import KEY_FILE, Sealing
from tests.fakes import FakeClock


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
