"""Payments that hang together, in the real store."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.deadlines import CUT_OFF
from agent.core.money.journal import Change, Event, HostResult, Record, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload, Posting, Submission
from agent.errors import CallerError
from agent.store import Store
from agent.store.prepared import Prepared
from tests.core.money.payments import transaction
from tests.fakes import FakeClock

REVERSALS = {"98": b"no answer", "06": b"other", "A0": b"mac"}


class Books:
    """A store with short words for what the tests do."""

    def __init__(self, store: Store, clock: FakeClock) -> None:
        self.store = store
        self.clock = clock
        self.prepared = Prepared(store, clock)
        self.told: list[tuple[str, State]] = []
        store.on_change(lambda record: self.told.append((record.key, record.state)))

    async def add(self, key: str, **changes: Any) -> Record:
        request = changes.get("posting") is Posting.REQUEST
        if request:
            changes.setdefault("reversal_key", f"{key}-rev")
        submission = Submission(
            transaction=transaction(key, occurred_at=self.clock.now().at, **changes),
            payload=Payload(content_type="x/y", body=key.encode()),
            query_payload=b"query" if request else None,
            reversal_payloads=REVERSALS if request else {},
        )
        return (await self.store.append(submission)).record

    async def reversal(self, key: str, of: str, **changes: Any) -> Record:
        return await self.add(key, kind=Kind.REVERSAL, refers_to=of, **changes)

    async def now(self, key: str) -> Record:
        record = await self.store.record(key)
        assert record is not None
        return record

    async def step(self, key: str, event: Event, **changes: Any) -> Record:
        record = await self.now(key)
        return await self.store.advance(record.seq, record.version, Change(event=event, **changes))

    async def sent(self, key: str, event: Event = Event.NO_ANSWER, **changes: Any) -> Record:
        await self.step(key, Event.ATTEMPT)
        return await self.step(key, event, **changes)

    async def heads(self) -> list[str]:
        return [record.key for record in (await self.store.due("host", 0, 50)).records]


@asynccontextmanager
async def books(path: Path, order: Order = Order.PAYMENT) -> Any:
    clock = FakeClock()
    store = Store(path, clock, {"host": order})
    await store.start()
    clock.advance(1)
    try:
        yield Books(store, clock)
    finally:
        store.stop()


REQUEST = {"posting": Posting.REQUEST}


def test_a_reversal_freezes_its_original_and_goes_first(tmp_path: Path) -> None:
    """Rule 5: from the hand-over on nothing is sent for the original; accepted, it is reversed."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("sale", **REQUEST)
            await b.sent("sale")
            await b.reversal("rev", "sale")
            frozen = await b.now("sale")
            assert (frozen.state, frozen.in_doubt) == (State.WAITING, True)
            assert frozen.cause == "reversal.pending"
            assert await b.heads() == ["rev"]
            await b.sent("rev", Event.POSTED, result=HostResult(response_code="00"))
            done = await b.now("sale")
            assert (done.state, done.cause, done.in_doubt) == (
                State.REVERSED, "reversal.completed", False,
            )  # fmt: skip
            assert b.told[-2:] == [("rev", State.POSTED), ("sale", State.REVERSED)]
            assert (await b.store.backlog()).total.count == 0

    asyncio.run(story())


def test_the_host_never_had_it(tmp_path: Path) -> None:
    """25 to the reversal: reversed, with that note."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("sale", **REQUEST)
            await b.sent("sale")
            await b.reversal("rev", "sale")
            await b.sent("rev", Event.POSTED, result=HostResult(response_code="25"))
            done = await b.now("sale")
            assert done.state is State.REVERSED
            assert "does not know it" in done.note

    asyncio.run(story())


def test_an_approval_is_taken_back_but_not_by_25(tmp_path: Path) -> None:
    """A posted sale: 00 reverses it, "never had it" contradicts its approval and is history."""

    async def story() -> None:
        async with books(tmp_path) as b:
            for key, code, state in (("a", "00", State.REVERSED), ("b", "25", State.POSTED)):
                await b.add(key, **REQUEST)
                await b.sent(key, Event.POSTED)
                await b.reversal(f"rev-{key}", key)
                assert (await b.now(key)).state is State.POSTED
                await b.sent(f"rev-{key}", Event.POSTED, result=HostResult(response_code=code))
                assert (await b.now(key)).state is state
            steps = await b.store.steps((await b.now("b")).seq)
            assert steps[-1].event == "late"

    asyncio.run(story())


def test_a_late_approval_of_a_frozen_payment_is_history(tmp_path: Path) -> None:
    """Whether it was waiting or being sent when its reversal came."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("a", **REQUEST)
            await b.sent("a")
            await b.reversal("rev-a", "a")
            late = await b.step("a", Event.POSTED, result=HostResult(rrn="9"))
            assert (late.state, late.in_doubt) == (State.WAITING, True)
            assert late.note.startswith("late answer: posted")
            await b.add("b", **REQUEST)
            await b.step("b", Event.ATTEMPT)
            await b.reversal("rev-b", "b")
            assert (await b.now("b")).state is State.SENDING
            assert "rev-b" not in await b.heads(), "it must not overtake what is under way"
            late = await b.step("b", Event.DECLINED)
            assert (late.state, late.in_doubt, late.cause) == (
                State.WAITING, True, "reversal.pending",
            )  # fmt: skip
            assert "rev-b" in await b.heads()

    asyncio.run(story())


def test_a_refused_or_withdrawn_reversal(tmp_path: Path) -> None:
    """Refused: a person looks at the original. Withdrawn unsent: it goes on."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("a", **REQUEST)
            await b.sent("a")
            await b.reversal("rev-a", "a")
            await b.sent("rev-a", Event.DECLINED)
            assert (await b.now("a")).state is State.HELD
            await b.add("b")
            await b.sent("b")
            await b.reversal("rev-b", "b")
            await b.step("rev-b", Event.VOID)
            assert (await b.now("b")).state is State.WAITING
            assert await b.heads() == ["a", "b"]
            await b.step("b", Event.POSTED)
            assert (await b.now("b")).state is State.POSTED

    asyncio.run(story())


def test_order_terminal_puts_a_pending_reversal_before_the_next_payment(tmp_path: Path) -> None:
    """UnionPay; other terminals go on; what is held does not stop the till."""

    async def story() -> None:
        async with books(tmp_path, Order.TERMINAL) as b:
            await b.add("a", **REQUEST)
            await b.add("b")
            await b.add("c", terminal_id="T0000002")
            await b.sent("a")
            await b.reversal("rev", "a")
            assert await b.heads() == ["rev", "c"]
            await b.step("rev", Event.HOLD)
            assert await b.heads() == ["b", "c"], "a stays frozen and lets the others pass"
            await b.add("void-a", kind=Kind.VOID, refers_to="a")
            await b.sent("b", Event.POSTED)
            assert await b.heads() == ["c"], "what is about a waits for it"

    asyncio.run(story())


def test_the_prepared_reversal_is_recorded_once(tmp_path: Path) -> None:
    """By reason, with the original's numbers; asked for again it is the same one."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("sale", **REQUEST)
            await b.sent("sale")
            made = await b.prepared.reverse("sale", "98")
            t = made.transaction
            assert (t.key, t.kind, t.refers_to, t.stan, t.amount_minor) == (
                "sale-rev", Kind.REVERSAL, "sale", "000123", 1250,
            )  # fmt: skip
            assert (await b.store.payload(made)).body == b"no answer"
            assert (await b.prepared.reverse("sale", "A0")).seq == made.seq
            assert (await b.now("sale")).cause == "reversal.pending"
            assert await b.prepared.query_payload(await b.now("sale")) == b"query"

    asyncio.run(story())


def test_reversals_that_cannot_be_recorded(tmp_path: Path) -> None:
    """No such payment, none prepared, another's key: each says so and changes nothing."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("plain")
            await b.add("taken", **REQUEST, reversal_key="plain")
            for key, code in (
                ("nobody", "transaction.unknown"),
                ("plain", "reversal.none_prepared"),
                ("taken", "reversal.key_taken"),
            ):
                with pytest.raises(CallerError) as caught:
                    await b.prepared.reverse(key, "98")
                assert caught.value.code == code
            assert (await b.now("taken")).version == 1
            submission = Submission(
                transaction=transaction("mac", reversal_key="mac-rev", **REQUEST),
                payload=Payload(content_type="x/y", body=b"m"),
                reversal_payloads={"A0": b"mac"},
            )
            await b.store.append(submission)
            with pytest.raises(CallerError, match="reason 98"):
                await b.prepared.reverse("mac", "98")

    asyncio.run(story())


def test_a_batch_upload_waits_for_what_it_covers(tmp_path: Path) -> None:
    """Rule 6: it waits; released by a person it goes, and what it covers is stopped."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("a")
            await b.add("b")
            batch = await b.add(
                "up", kind=Kind.BATCH_UPLOAD, covers=("a", "b"), amount_minor=None, currency=None
            )
            assert await b.heads() == ["a", "b"]
            assert await b.prepared.waits_for_covered(batch)
            assert [r.key for r in await b.store.requests(0, 10)] == ["up"]
            await b.sent("a", Event.POSTED)
            assert await b.heads() == ["b"]
            await b.step("up", Event.HOLD, cause=CUT_OFF)
            await b.step("up", Event.RELEASE, cause=CUT_OFF)
            assert await b.heads() == ["b", "up"]
            await b.step("up", Event.ATTEMPT)
            stopped = await b.now("b")
            assert stopped.state is State.HELD
            assert "batch upload up has gone out" in stopped.note
            assert (await b.now("a")).state is State.POSTED

    asyncio.run(story())


def test_a_payload_is_replaced_and_the_old_one_kept(tmp_path: Path) -> None:
    """Rule 9: a new version under the same key; the same bytes again change nothing."""

    async def story() -> None:
        async with books(tmp_path) as b:
            await b.add("sale", **REQUEST)
            await b.sent("sale", Event.HOLD, cause="config.not_signed_on")
            held = await b.now("sale")
            fresh = Submission(
                transaction=held.transaction,
                payload=Payload(content_type="x/y", body=b"new mac"),
                reversal_payloads={"98": b"new reversal"},
            )
            replaced = await b.prepared.replace(held, fresh, "uid:7")
            assert (replaced.state, replaced.payload_version) == (State.WAITING, 2)
            assert (await b.store.payload(replaced)).body == b"new mac"
            assert await b.prepared.query_payload(replaced) is None
            again = await b.prepared.replace(replaced, fresh, "uid:7")
            assert again.version == replaced.version
            number = held.seq * 256 + 1
            first = await b.store.journal(
                lambda journal: journal.payloads.seals.opened(
                    number, journal.table.one("payload", held.seq, number)
                )
            )
            assert first[0] == b"sale"
            await b.sent("sale", Event.POSTED)

    asyncio.run(story())


def test_a_payload_has_at_most_255_versions(tmp_path: Path) -> None:
    """The row id has a byte for them."""

    async def story() -> None:
        async with books(tmp_path) as b:
            record = await b.add("sale")
            record = await b.sent("sale", Event.HOLD)
            for number in range(254):
                body = Payload(content_type="x/y", body=str(number).encode())
                fresh = Submission(transaction=record.transaction, payload=body)
                record = await b.prepared.replace(record, fresh, "app")
            body = Payload(content_type="x/y", body=b"one more")
            fresh = Submission(transaction=record.transaction, payload=body)
            with pytest.raises(CallerError) as caught:
                await b.prepared.replace(record, fresh, "app")
            assert caught.value.code == "payload.immutable"

    asyncio.run(story())
