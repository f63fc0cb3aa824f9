"""A list is told of journal rows as anybody else would read them, only faster."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from agent.core.money.journal import Change, Event, HostResult
from agent.core.money.transaction import Card, Kind
from agent.core.why.reconcile.payments import Payment, payment_of
from agent.store import Store, paid
from agent.store.paid import PaidRows
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


async def filled(store: Store, clock: FakeClock) -> list[Payment]:
    """Payments of every shape, a minute apart; as a list would know them, by the slow way."""
    shapes: list[dict[str, Any]] = [
        {"stan": "000007", "batch": "000", "rrn": "app", "card": Card(masked="622588******1234")},
        {"kind": Kind.REFUND, "refers_to": "k-0", "stan": "0000"},
        {"posted_amount_minor": 900, "card": Card(scheme="x", masked="12")},
        {"amount_minor": None, "currency": None, "kind": Kind.SETTLEMENT},
    ]
    for number, shape in enumerate(shapes):
        given = submission(f"k-{number}", occurred_at=clock.now().at, **shape)
        record = (await store.append(given)).record
        if number == 0:
            record = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            result = HostResult(rrn="host", posted_amount_minor=800)
            change = Change(event=Event.POSTED, result=result)
            await store.advance(record.seq, record.version, change)
        clock.advance(60)
    return [payment_of(record) for record in await store.page(limit=100)]


def test_the_fast_way_tells_the_same_as_the_slow_one(tmp_path: Path) -> None:
    """Signs, leading zeros, the host's own RRN and amount, the card's last digits, the state."""

    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            expected = await filled(store, clock)
            page = await PaidRows(store, clock).page(0, 0, 2**50)
            assert page is not None
            told = [Payment(*row) for row in json.loads(page.text)]
            # The end of a masked number is looked at by whoever reads the page.
            assert [one._replace(card=one.card[-4:]) for one in told[:2]] == expected[:2]
            assert [one._replace(card="") for one in told] == [
                one._replace(card="") for one in expected
            ]
            assert (page.first_seq, page.last_seq, page.payments) == (1, 4, 4)

    asyncio.run(run())


def test_pages_are_of_the_time_asked_for(tmp_path: Path) -> None:
    """A page tells how far it came also where nothing of it is wanted; behind the last is none."""

    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            expected = await filled(store, clock)
            rows = PaidRows(store, clock)
            second, third = expected[1].occurred_ms, expected[2].occurred_ms
            page = await rows.page(0, second, third)
            assert page is not None
            assert [row[0] for row in json.loads(page.text)] == [2]
            empty = await rows.page(2, 0, 1)
            assert empty is not None
            assert (empty.payments, empty.last_seq) == (0, 4)
            assert await rows.page(4, 0, 2**50) is None
            assert await rows.first_after(0) == 0
            assert await rows.first_after(third) == 1
            assert await rows.first_after(2**50) == 3

    asyncio.run(run())


def test_a_row_that_cannot_be_written_out_is_put_aside_and_the_others_are_told(
    tmp_path: Path,
) -> None:
    """Flash may leave bytes that are no text."""

    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await filled(store, clock)

            def spoil(journal: object) -> None:
                db = journal.table.db  # type: ignore[attr-defined]
                db.execute("UPDATE tx SET refers_to = CAST(x'ff' AS TEXT) WHERE seq = 2")

            await store.journal(spoil)
            page = await PaidRows(store, clock).page(0, 0, 2**50)
            assert page is not None
            assert [row[0] for row in json.loads(page.text)] == [1, 3, 4]
            assert await store.record("k-1") is None

    asyncio.run(run())


def test_payments_are_found_by_key_whatever_their_day(tmp_path: Path) -> None:
    """But for those a page of the same run has told; by the index, without going over the journal;
    a row that cannot be written out is put aside."""

    async def run() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            expected = await filled(store, clock)
            rows = PaidRows(store, clock)
            keys = ["k-3", "k-0", "no", "k-0", "k-1"]
            span = (expected[1].occurred_ms, expected[2].occurred_ms)

            async def seqs(after: int, last: int) -> list[int]:
                page = await rows.named(keys, after, last, span)
                assert page is not None
                told = [row[0] for row in json.loads(page.text)]
                assert (page.first_seq, page.last_seq, page.payments) == (
                    told[0], told[-1], len(told),
                )  # fmt: skip
                return told

            assert await seqs(0, 0) == [1, 2, 4]
            assert await seqs(0, 4) == [1, 4]
            assert await seqs(2, 4) == [1, 2, 4]
            assert await rows.named(["no"], 0, 0, span) is None

            def plan(journal: Any) -> list[str]:
                told = journal.table.db.execute(
                    "EXPLAIN QUERY PLAN " + paid._NAMED, ("[]", 0, 0, 0, 0)
                )
                return [row[3] for row in told]

            assert not [step for step in await store.journal(plan) if "SCAN tx" in step]

            def spoil(journal: Any) -> None:
                db = journal.table.db
                db.execute("UPDATE tx SET refers_to = CAST(x'ff' AS TEXT) WHERE seq = 4")

            await store.journal(spoil)
            assert await seqs(0, 0) == [1, 2]
            assert await seqs(0, 4) == [1]
            assert await rows.named(["k-3"], 0, 0, span) is None

    asyncio.run(run())
