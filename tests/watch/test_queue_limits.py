"""The queue's own reading says how far the limits are used up."""

from __future__ import annotations

import asyncio
from pathlib import Path

from agent.core.health.reading import Reading
from agent.core.money.limits import Limit, Rules
from agent.store import Store
from agent.store.checks import Checks
from agent.watch.itself import QueueWatcher
from tests.core.money.payments import submission
from tests.fakes import FakeClock


def values(folder: Path, rules: Rules, *, told: bool = True) -> dict[str, object]:
    async def running() -> dict[str, object]:
        clock = FakeClock()
        store = Store(folder, clock, rules=rules)
        await store.start()
        try:
            await store.append(submission("a"))
            limits = Checks(store, clock) if told else None
            outcome = await QueueWatcher(store, lambda: 0, clock, limits).read()
        finally:
            assert store.stop()
        assert isinstance(outcome, Reading)
        return {n: v for n, v in outcome.values.items() if n.startswith(("limit", "found"))}

    return asyncio.run(running())


def test_a_limit_that_is_reached_is_told_with_its_figures(tmp_path: Path) -> None:
    """Which limit, how full, and whether it counts as reached."""
    rules = Rules(limits=(Limit(currency="CNY", total_minor=1250, count=2),))
    assert values(tmp_path, rules) == {
        "limit_reached": True, "limit_code": "limit.total", "limit_percent": 100,
        "limit": "CNY 12.50", "found": "CNY 12.50",
    }  # fmt: skip


def test_without_limits_none_is_reached(tmp_path: Path) -> None:
    """Whether none is configured or nobody can be asked."""
    assert values(tmp_path / "a", Rules()) == {"limit_reached": False}
    assert values(tmp_path / "b", Rules(), told=False) == {"limit_reached": False}
