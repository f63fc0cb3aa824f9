"""The journal on a real SQLite file: taking over, moving on, finding again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.money.journal import Change, Event, HostResult, IllegalMoveError, Record, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import App, Card, CustomerSaw, Kind, Posting
from agent.errors import CallerError
from agent.store import Store
from agent.store.retention import forget
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened


def at(clock: FakeClock, seconds: float = 0) -> dict[str, object]:
    return {"occurred_at": clock.now().at + timedelta(seconds=seconds)}


async def post(store: Store, record: Record) -> Record:
    sending = await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
    return await store.advance(sending.seq, sending.version, Change(event=Event.POSTED))


def test_l1_l2_a_payment_is_taken_over_once(tmp_path: Path) -> None:
    """The second hand-over of the same payment writes nothing and answers with its state."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            first = await store.append(submission(**at(clock)))
            again = await store.append(submission(**at(clock), attempts=2, rrn="9"))
            assert (first.created, again.created) == (True, False)
            assert again.record == first.record
            assert (await store.backlog()).total.count == 1

    asyncio.run(story())


def test_l2_two_at_once_are_serialised(tmp_path: Path) -> None:
    """A double tap ends as one record."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            both = await asyncio.gather(*(store.append(submission(**at(clock))) for _ in range(8)))
            assert sum(one.created for one in both) == 1

    asyncio.run(story())


def test_l3_one_key_is_one_payment(tmp_path: Path) -> None:
    """Other content under a known key is refused and changes nothing."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission(**at(clock)))
            for other in (
                submission(**at(clock), amount_minor=1),
                submission(body=b"x", **at(clock)),
            ):
                with pytest.raises(CallerError) as refused:
                    await store.append(other)
                assert refused.value.code == "key.mismatch"
            assert (await store.backlog()).total.by_currency == {"CNY": 1250}

    asyncio.run(story())


def test_the_whole_record_survives_a_restart(tmp_path: Path) -> None:
    """Every field of the record comes back as it was handed over."""
    clock = FakeClock()
    now = clock.now().at
    full = submission(
        "full",
        body=b"\x00\xff bytes",
        **at(clock),
        kind=Kind.PREAUTH_COMPLETION,
        posting=Posting.REQUEST,
        posted_amount_minor=1200,
        send_before=now + timedelta(seconds=30),
        rrn="123456789012",
        refers_to="earlier",
        covers=("a", "b"),
        first_attempt_at=now - timedelta(seconds=5),
        attempts=2,
        reversal_key="full-rev",
        customer_saw=CustomerSaw.APPROVED,
        card=Card(scheme="unionpay", masked="622848******1234"),
        app=App(name="till", version="3.2.1"),
    )

    async def story() -> None:
        async with opened(tmp_path, clock) as store:
            await store.append(full)
        async with opened(tmp_path, clock) as store:
            record = await store.record("full")
            assert record is not None
            assert record.transaction == full.transaction
            payload = await store.payload(record)
            assert payload == full.payload

    asyncio.run(story())


def test_money_rule_1_what_the_app_had_tried_starts_in_doubt(tmp_path: Path) -> None:
    """A hand-over with earlier attempts is waiting and in doubt, not queued."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock), attempts=1))).record
            assert (record.state, record.in_doubt) == (State.WAITING, True)

    asyncio.run(story())


def test_money_rule_8_a_payment_older_than_the_journal_starts_in_doubt(tmp_path: Path) -> None:
    """An earlier journal may have sent it."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            clock.advance(60)
            old = (await store.append(submission("old", **at(clock, -3600)))).record
            new = (await store.append(submission("new", **at(clock, -1)))).record
            assert (old.in_doubt, new.in_doubt) == (True, False)

    asyncio.run(story())


def test_a_change_and_its_history_are_one_commit_and_repeats_one_row(tmp_path: Path) -> None:
    """A payment that failed a hundred times has a short story with counts."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            for _ in range(100):
                clock.advance(1)
                record = await store.advance(
                    record.seq, record.version, Change(event=Event.ATTEMPT)
                )
                record = await store.advance(
                    record.seq,
                    record.version,
                    Change(event=Event.NO_ANSWER, cause="host.no_reply", note="silence"),
                )
            steps = await store.steps(record.seq)
            assert [(step.event, step.count) for step in steps] == [
                ("submitted", 1),
                ("attempt", 100),
                ("no_answer", 100),
            ]
            assert (steps[2].last_at - steps[2].first_at).total_seconds() == 99
            assert (record.sent, record.tried, record.in_doubt) == (100, 100, True)
            assert record.version == 201

    asyncio.run(story())


def test_a_history_ends_where_its_record_stands(tmp_path: Path) -> None:
    """The same damage a second time is not folded into a line that something stands behind."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            for event in (Event.DAMAGE, Event.NOT_FOUND, Event.NOT_FOUND, Event.DAMAGE):
                clock.advance(1)
                record = await store.advance(record.seq, record.version, Change(event=event))
            steps = await store.steps(record.seq)
            assert [(step.event, step.in_doubt) for step in steps][-1] == ("damage", True)
            assert sum(step.count for step in steps) == record.version

    asyncio.run(story())


def test_a_change_against_an_old_version_is_refused(tmp_path: Path) -> None:
    """Compare-and-set: two hands cannot move one record."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            with pytest.raises(CallerError, match="changed"):
                await store.advance(record.seq, record.version, Change(event=Event.ATTEMPT))
            with pytest.raises(CallerError, match="no record"):
                await store.advance(99, 1, Change(event=Event.ATTEMPT))
            with pytest.raises(IllegalMoveError):
                await store.advance(record.seq, 2, Change(event=Event.VOID))
            assert [step.event for step in await store.steps(record.seq)] == [
                "submitted",
                "attempt",
            ]

    asyncio.run(story())


def test_one_callers_fault_does_not_spoil_the_batch_of_others(tmp_path: Path) -> None:
    """A mismatch in the middle of a batch leaves its neighbours recorded."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission("a", **at(clock)))
            work = [store.append(submission("a", body=b"other", **at(clock)))]
            work += [store.append(submission(f"n{i}", **at(clock))) for i in range(20)]
            done = await asyncio.gather(*work, return_exceptions=True)
            assert isinstance(done[0], CallerError)
            assert not any(isinstance(one, BaseException) for one in done[1:])
            assert (await store.backlog()).total.count == 21

    asyncio.run(story())


def test_the_backlog_is_kept_in_step_and_recounted_at_a_start(tmp_path: Path) -> None:
    """Counts and sums by currency, state and doubt, before and after a restart."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            records = [
                (await store.append(submission(f"k{i}", **at(clock), amount_minor=100 + i))).record
                for i in range(4)
            ]
            await store.append(submission("usd", **at(clock), amount_minor=7, currency="USD"))
            await post(store, records[0])
            sending = await store.advance(records[1].seq, 1, Change(event=Event.ATTEMPT))
            await store.advance(
                sending.seq, 2, Change(event=Event.NO_ANSWER, cause="host.no_reply")
            )
            await store.advance(records[2].seq, 1, Change(event=Event.HOLD, cause="queue.held"))
            before = await store.backlog()
            assert before.total.count == 4
            assert before.total.by_currency == {"CNY": 306, "USD": 7}
            assert before.in_doubt.by_currency == {"CNY": 101}
            assert before.held.by_currency == {"CNY": 102}
            assert before.by_state[State.QUEUED].by_currency == {"CNY": 103, "USD": 7}
            assert before.by_cause == {"host.no_reply": 1, "queue.held": 1}
        async with opened(tmp_path, clock) as store:
            assert await store.backlog() == before

    asyncio.run(story())


def test_order_is_kept_inside_a_lane_and_never_across(tmp_path: Path) -> None:
    """A void waits for its sale; the next customer waits for neither; a reversal goes first."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            sale = (await store.append(submission("sale", **at(clock)))).record
            await store.append(submission("void", **at(clock), kind=Kind.VOID, refers_to="sale"))
            await store.append(submission("next", **at(clock)))

            async def heads() -> list[str]:
                return [record.key for record in (await store.due("host", 0, 50)).records]

            assert await heads() == ["sale", "next"]
            await store.append(submission("rev", **at(clock), kind=Kind.REVERSAL, refers_to="void"))
            assert await heads() == ["next", "rev"]
            reversal = await store.record("rev")
            assert reversal is not None
            await post(store, reversal)
            assert await heads() == ["sale", "next"]
            void = await store.record("void")
            assert void is not None
            assert void.state is State.REVERSED
            await post(store, sale)
            assert await heads() == ["next"]

    asyncio.run(story())


def test_a_terminal_lane_sends_one_payment_after_the_other(tmp_path: Path) -> None:
    """UnionPay: nothing of a terminal overtakes what is pending."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock, {"host": Order.TERMINAL}) as store:
            first = (await store.append(submission("a", **at(clock)))).record
            await store.append(submission("b", **at(clock)))
            await store.append(submission("c", **at(clock), terminal_id="T0000002"))
            heads = (await store.due("host", 0, 50)).records
            assert [record.key for record in heads] == ["a", "c"]
            await post(store, first)
            heads = (await store.due("host", 0, 50)).records
            assert [record.key for record in heads] == ["b", "c"]

    asyncio.run(story())


def test_due_leaves_out_what_waits_and_says_when_it_ends(tmp_path: Path) -> None:
    """Back-off is read on the boot clock of this boot."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            sending = await store.advance(record.seq, 1, Change(event=Event.ATTEMPT))
            assert (await store.due("host", 0, 50)).records == []
            await store.advance(
                sending.seq, 2, Change(event=Event.REFUSED, next_boot_ms=clock.boot_ms + 9_000)
            )
            page = await store.due("host", 0, 50)
            assert (page.records, page.next_boot_ms) == ([], clock.boot_ms + 9_000)
            clock.advance(9)
            assert len((await store.due("host", 0, 50)).records) == 1
            assert (await store.due("other", 0, 50)).records == []

    asyncio.run(story())


def test_pages_walk_the_journal_by_seq(tmp_path: Path) -> None:
    """Keyset pages see every record once, filtered or not."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(30):
                record = (await store.append(submission(f"k{i}", **at(clock)))).record
                if i % 3 == 0:
                    await post(store, record)

            async def walk(states: frozenset[State] | None) -> list[int]:
                found: list[int] = []
                after = 0
                while page := await store.page(states=states, after_seq=after, limit=7):
                    found += [record.seq for record in page]
                    after = page[-1].seq
                return found

            assert await walk(None) == list(range(1, 31))
            assert len(await walk(frozenset({State.POSTED}))) == 10
            assert len(await walk(frozenset({State.QUEUED}))) == 20

    asyncio.run(story())


def test_a_pruned_key_is_remembered_by_its_tombstone(tmp_path: Path) -> None:
    """Rule 4: key tombstones outlive the rows, so a key is never posted twice."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await post(store, (await store.append(submission(**at(clock)))).record)
            assert await store.journal(lambda journal: forget(journal, 1, clock.now())) == 1
        async with opened(tmp_path, clock) as store:
            with pytest.raises(CallerError) as refused:
                await store.append(submission(**at(clock)))
            assert refused.value.code == "key.retired"
            with pytest.raises(CallerError) as refused:
                await store.append(submission(**at(clock), amount_minor=1))
            assert refused.value.code == "key.mismatch"
            fresh = (await store.append(submission("k2", **at(clock)))).record
            assert fresh.seq == 2, "a number is never used again"

    asyncio.run(story())


def test_a_result_is_stored_with_its_state(tmp_path: Path) -> None:
    """U3: reference, code and time of the host survive with the posting."""

    async def story() -> None:
        clock = FakeClock()
        result = HostResult(reference="R-1", response_code="00", rrn="42", posted_at=clock.now().at)
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            sending = await store.advance(record.seq, 1, Change(event=Event.ATTEMPT))
            await store.advance(sending.seq, 2, Change(event=Event.POSTED, result=result))
        async with opened(tmp_path, clock) as store:
            found = await store.record("k1")
            assert found is not None
            assert (found.state, found.result) == (State.POSTED, result)

    asyncio.run(story())
