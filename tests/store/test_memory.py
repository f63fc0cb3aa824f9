"""What is only remembered about payments never stands between a payment and its commit."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Change, Event
from agent.core.money.lately import Lately, Watch
from agent.core.money.limits import Rules
from agent.core.money.transaction import Card
from agent.store import Store
from agent.store.checks import Checks
from agent.store.recent import Recent
from tests.core.money.payments import submission, transaction
from tests.fakes import FakeClock

CARD = Card(scheme="visa", masked="411111******1111")
RULES = Rules(
    duplicate_window_s=3_600, trace_window_s=3_600, watch=Watch(again_window_s=900, least=2)
)


def run(folder: Path, test: Callable[[Store], Awaitable[None]], clock: FakeClock) -> None:
    async def running() -> None:
        store = Store(folder, clock, rules=RULES)
        await store.start()
        try:
            await test(store)
        finally:
            assert store.stop()

    asyncio.run(running())


@pytest.mark.parametrize(
    "change",
    [
        "card = '{'", "card = '[]'", "card = 7", "card = x'ff'", "card = CAST(x'ff41' AS TEXT)",
        "amount_minor = 'much'", "amount_minor = -9223372036854775808", "occurred_ms = 'then'",
        "kind = 'gift'", "state = 77", "state = 'none'", "currency = x'00'", "terminal_id = 7",
        "stored_ms = 'then'", "changed_ms = x'00'", "changed_ms = 'then'", "boot_no = x'00'",
        "stored_boot_ms = 'then'", "stored_boot_no = 'then'", "stan = 1.5",
    ],
)  # fmt: skip
def test_a_damaged_row_keeps_no_store_shut(tmp_path: Path, change: str) -> None:
    """The newest rows are read into memory at the start, before anybody has checked them: one that
    is not what was written is left out, and payments are taken and checked as ever."""
    clock = FakeClock()

    async def before(store: Store) -> None:
        for key in ("a", "b", "c"):
            await store.append(submission(key, card=CARD, occurred_at=clock.now().at))

    async def after(store: Store) -> None:
        assert (await store.append(submission("d", card=CARD, amount_minor=77))).created
        found = await Checks(store, clock).examine(
            transaction("new", card=CARD, occurred_at=clock.now().at)
        )
        assert found, "the others of this card are known"

    run(tmp_path, before, clock)
    db = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    db.execute(f"UPDATE tx SET {change} WHERE seq = 2")
    db.close()
    run(tmp_path, after, clock)


@pytest.mark.parametrize(
    ("memory", "where"), [(Lately, "moved"), (Recent, "moved"), (Recent, "commit")]
)
def test_a_memory_that_fails_costs_no_payment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: type[Any], where: str
) -> None:
    """A fault in what is remembered: the payment is committed and confirmed, moved on, counted, and
    the memory begins anew."""
    clock = FakeClock()

    async def story(store: Store) -> None:
        assert (await store.append(submission("a", card=CARD, occurred_at=clock.now().at))).created

        def broken(*_: object, **__: object) -> None:
            raise KeyError("a fault of ours")

        with monkeypatch.context() as patch:
            patch.setattr(memory, where, broken)
            record = (
                await store.append(submission("b", card=CARD, occurred_at=clock.now().at))
            ).record
            record = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            await store.advance(record.seq, record.version, Change(event=Event.POSTED))
        assert (await store.backlog()).total.count == 1
        assert (await store.append(submission("c", card=CARD, occurred_at=clock.now().at))).created
        at = clock.now().at
        assert await Checks(store, clock).examine(transaction("n", card=CARD, occurred_at=at))

    run(tmp_path, story, clock)
