"""Taking a payment by code back: recorded at once, sent at its earliest moment, past its sale."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.limits import Rules
from agent.core.money.qr import WECHAT
from agent.core.money.transaction import Kind, Posting
from agent.store import Store
from tests.core.money.payments import AT, submission
from tests.fakes import FakeClock

RULES = Rules(qr={"host": WECHAT})


def run(
    folder: Path, test: Callable[[Store, FakeClock], Awaitable[None]], rules: Rules = RULES
) -> None:
    async def running() -> None:
        clock = FakeClock()
        store = Store(folder, clock, rules=rules)
        await store.start()
        try:
            await test(store, clock)
        finally:
            assert store.stop()

    asyncio.run(running())


async def take(store: Store, key: str, kind: Kind, **of: Any) -> Record:
    request = {"posting": Posting.REQUEST, "stan": None, **of}
    return (await store.append(submission(key, kind=kind, **request))).record


async def move(store: Store, key: str, *events: Event) -> Record:
    record = await store.record(key)
    assert record is not None
    for event in events:
        record = await store.advance(record.seq, record.version, Change(event=event))
    return record


async def due(store: Store) -> list[str]:
    return [record.key for record in (await store.due("host", 0, 10)).records]


def test_a_cancellation_waits_for_its_earliest_moment_and_passes_its_sale(tmp_path: Path) -> None:
    """Five seconds after the payment it is recorded, fifteen after it goes, though that is open."""

    async def test(store: Store, clock: FakeClock) -> None:
        await take(store, "sale", Kind.QR_SALE)
        await move(store, "sale", Event.ATTEMPT)
        clock.advance(5)
        cancel = await take(store, "cancel", Kind.QR_CANCEL, refers_to="sale")
        assert cancel.next_boot_ms == clock.boot_ms + 10_000
        clock.advance(10)
        assert await due(store) == []  # the sale is on its way at this very moment
        await move(store, "sale", Event.NO_ANSWER)
        assert await due(store) == ["sale", "cancel"]

    run(tmp_path, test)


def test_an_accepted_cancellation_takes_the_sale_back(tmp_path: Path) -> None:
    """Whether it was in doubt or paid; a refused one leaves the sale to a person."""

    async def test(store: Store, clock: FakeClock) -> None:
        del clock
        for key, events in (
            ("doubt", (Event.ATTEMPT, Event.NO_ANSWER)),
            ("paid", (Event.ATTEMPT, Event.POSTED)),
            ("kept", (Event.ATTEMPT, Event.NO_ANSWER)),
        ):
            await take(store, key, Kind.QR_SALE)
            await move(store, key, *events)
            await take(store, f"c-{key}", Kind.QR_CANCEL, refers_to=key)
        await move(store, "c-doubt", Event.ATTEMPT, Event.POSTED)
        await move(store, "c-paid", Event.ATTEMPT, Event.POSTED)
        await move(store, "c-kept", Event.ATTEMPT, Event.DECLINED)
        states = {key: await store.record(key) for key in ("doubt", "paid", "kept")}
        assert {key: one.state for key, one in states.items() if one} == {
            "doubt": State.REVERSED,
            "paid": State.REVERSED,
            "kept": State.HELD,
        }

    run(tmp_path, test)


def test_too_late_for_its_payment_it_is_held_at_once(tmp_path: Path) -> None:
    """The journal knows when the payment was made; the cancellation says nothing of it."""

    async def test(store: Store, clock: FakeClock) -> None:
        await take(store, "sale", Kind.QR_SALE)
        await move(store, "sale", Event.ATTEMPT, Event.POSTED)
        clock.advance(12 * 86_400)
        today = AT + timedelta(days=10)
        held = await take(store, "cancel", Kind.QR_CANCEL, refers_to="sale", occurred_at=today)
        assert (held.state, held.cause) == (State.HELD, "queue.held")
        assert held.note.endswith("refund it")
        refund = await take(store, "refund", Kind.QR_REFUND, refers_to="sale", occurred_at=today)
        assert refund.state is State.QUEUED

    run(tmp_path, test)


def test_without_windows_or_without_the_sale_nothing_is_held_up(tmp_path: Path) -> None:
    """Another platform's times are not guessed."""

    async def test(store: Store, clock: FakeClock) -> None:
        await take(store, "sale", Kind.QR_SALE)
        await move(store, "sale", Event.ATTEMPT, Event.NO_ANSWER)
        assert (await take(store, "c1", Kind.QR_CANCEL, refers_to="sale")).next_boot_ms == 0
        assert (await take(store, "c2", Kind.QR_CANCEL, refers_to="gone")).state is State.QUEUED
        del clock

    run(tmp_path / "a", test, Rules())

    async def unknown(store: Store, clock: FakeClock) -> None:
        del clock
        assert (await take(store, "c2", Kind.QR_CANCEL, refers_to="gone")).next_boot_ms == 0

    run(tmp_path / "b", unknown)
