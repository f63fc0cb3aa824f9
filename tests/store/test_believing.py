"""Rows that are not what was written: noticed, put aside, and nothing unsent is sent after."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Change, Event, HostResult, State
from agent.core.money.transaction import App, Card, Delivery, Kind, Payload, Posting, Submission
from agent.errors import CallerError
from agent.store import Store
from agent.store.rows import COLUMNS
from tests.core.money.payments import submission, transaction
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at, post
from tests.store.test_opening import crash


def database(folder: Path) -> sqlite3.Connection:
    """The journal of a stopped store."""
    return sqlite3.connect(folder / "state" / "journal.db", isolation_level=None)


def full(clock: FakeClock) -> Submission:
    """A payment with a value in every field."""
    now = clock.now().at
    return Submission(
        transaction=transaction(
            "full",
            **at(clock),
            kind=Kind.PREAUTH_COMPLETION,
            posting=Posting.REQUEST,
            posted_amount_minor=1200,
            send_before=now + timedelta(seconds=30),
            rrn="123456789012",
            refers_to="earlier",
            covers=("a", "b"),
            first_attempt_at=now,
            attempts=2,
            reversal_key="full-rev",
            card=Card(scheme="unionpay", masked="622848******1234"),
            app=App(name="till", version="3.2.1"),
        ),
        payload=Payload(content_type="text/plain", body=b"pay"),
        query_payload=b"ask",
        reversal_payloads={"68": b"back"},
    )


def altered(value: object) -> object:
    """The smallest change to a column's value."""
    match value:
        case int():
            return value ^ 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case str():
            return (chr(ord(value[0]) ^ 1) + value[1:]) if value else "x"
        case _:
            return 1


def test_an_alteration_of_any_column_is_noticed(tmp_path: Path) -> None:
    """T12: every column decides about money somewhere, so the MAC covers every one."""
    unnoticed: list[str] = []

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(full(clock))).record
            record = await store.advance(record.seq, 1, Change(event=Event.ATTEMPT))
            await store.advance(
                record.seq,
                record.version,
                Change(
                    event=Event.NO_ANSWER,
                    cause="host.no_reply",
                    note="silence",
                    next_wall_ms=1,
                    next_boot_ms=1,
                    result=HostResult(reference="R"),
                    flags=("settled:uid:7",),
                ),
            )
        for column in COLUMNS:
            folder = tmp_path / f"altered-{column}"
            folder.mkdir()
            shutil.copytree(tmp_path / "state", folder / "state")
            db = database(folder)
            (value,) = db.execute(f"SELECT {column} FROM tx").fetchone()
            assert value is not None, f"{column} has no value to alter"
            db.execute(f"UPDATE tx SET {column} = ?", (altered(value),))
            db.close()
            async with opened(folder, clock) as store:
                found = [record.key for record in await store.page(limit=10)]
                found += [] if await store.record("full") is None else ["full"]
                aside = (await store.backlog()).quarantined
                if found or (column != "key" and (aside is None or aside.count != 1)):
                    unnoticed.append(column)

    asyncio.run(story())
    assert unnoticed == []


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE payload SET body = CAST('pax' AS BLOB)",
        "UPDATE payload SET body = 'pay' || char(0)",
        "UPDATE payload SET body = 7",
        "UPDATE payload SET content_type = 'text/html'",
        "UPDATE payload SET query_body = NULL",
        "UPDATE payload SET reversals = CAST('{}' AS BLOB)",
        "UPDATE payload SET reversals = CAST('{' AS BLOB)",
        "DELETE FROM payload",
    ],
)
def test_an_alteration_of_the_bytes_to_send_is_noticed(tmp_path: Path, sql: str) -> None:
    """They are checked before every sending, and never handed out altered, sealed or not."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock, seal=False) as store:
            await store.append(full(clock))
            await store.append(submission("other", **at(clock)))
        db = database(tmp_path)
        db.execute(f"{sql} WHERE id = 257")
        db.close()
        async with opened(tmp_path, clock) as store:
            page = await store.due("host", 0, 10)
            assert 1 not in page.payloads
            assert page.payloads[2].body == b'{"sale":1}'
            record = await store.record("full")
            assert record is not None
            with pytest.raises(CallerError, match="put aside"):
                await store.payload(record)
            assert await store.record("full") is None
            await all_held(store)
            assert (await store.backlog()).held.count == 1

    asyncio.run(story())


async def all_held(store: Store) -> None:
    """Wait until nothing is under suspicion any more."""
    async with asyncio.timeout(30):
        while await store.journal(lambda journal: journal.table.suspicion is not None):
            await asyncio.sleep(0.001)


def test_a_text_that_is_no_text_any_more_does_not_end_the_daemon(tmp_path: Path) -> None:
    """One flipped bit makes invalid UTF-8, which sqlite3 reports as an error of its own."""

    async def story() -> None:
        clock = FakeClock()
        failures: list[str] = []
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b"):
                await store.append(submission(key, **at(clock)))
        db = database(tmp_path)
        for column in ("cause", "key", "merchant_id"):
            db.execute(f"UPDATE tx SET {column} = CAST(x'ff41' AS TEXT) WHERE seq = 1")
        db.execute("UPDATE history SET note = CAST(x'ff41' AS TEXT) WHERE seq = 2")
        db.close()
        async with opened(tmp_path, clock, failures=failures) as store:
            assert (await store.append(submission("c", **at(clock)))).created
            await store.page(limit=10)
            await all_held(store)
            assert len(await store.steps(2)) == 2
            quarantined = (await store.backlog()).quarantined
            assert quarantined is not None
            assert quarantined.count == 1
        assert failures == []

    asyncio.run(story())


def test_a_state_out_of_range_does_not_end_the_daemon(tmp_path: Path) -> None:
    """Neither the count at the start nor a filtered page falls over it."""

    async def story(state: int) -> None:
        clock = FakeClock()
        folder = tmp_path / str(state)
        async with opened(folder, clock) as store:
            for key in ("a", "b"):
                await store.append(submission(key, **at(clock)))
        db = database(folder)
        db.execute("UPDATE tx SET state = ? WHERE key = 'a'", (state,))
        db.close()
        async with opened(folder, clock) as store:
            assert (await store.backlog()).total.count >= 1
            for states in (None, frozenset({State.QUEUED}), frozenset({State.POSTED})):
                await store.page(states=states, limit=10)
            assert await store.record("a") is None
            await all_held(store)
            assert (await store.backlog()).held.count == 1

    for state in (-1, 9, 200):
        asyncio.run(story(state))


def test_what_was_put_aside_stays_aside_although_its_caller_is_refused(tmp_path: Path) -> None:
    """The refusal must not roll back what was just learnt, nor bend the counts."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b", "c"):
                await store.append(submission(key, **at(clock)))
        db = database(tmp_path)
        db.execute("UPDATE tx SET amount_minor = 1 WHERE key = 'b'")
        db.close()
        async with opened(tmp_path, clock) as store:
            work = [store.advance(2, 1, Change(event=Event.ATTEMPT))]
            work += [store.advance(99, 1, Change(event=Event.ATTEMPT))]
            outcomes = await asyncio.gather(
                *work, store.append(submission("d", **at(clock))), return_exceptions=True
            )
            assert [type(one).__name__ for one in outcomes] == [
                "CallerError", "CallerError", "Appended",
            ]  # fmt: skip
            await all_held(store)
            before = await store.backlog()
            assert (before.total.count, before.held.count) == (3, 2), "d came after the damage"
            assert before.total.by_currency == {"CNY": 3750}
            assert before.quarantined is not None
            assert before.quarantined.count == 1
            left = crash(tmp_path)
        async with opened(left, clock) as store:
            assert await store.backlog() == before

    asyncio.run(story())


def test_the_number_of_a_record_put_aside_is_never_used_again(tmp_path: Path) -> None:
    """Its payload is still there: a second record under its number could not be stored."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b"):
                await store.append(submission(key, **at(clock)))
        db = database(tmp_path)
        db.execute("UPDATE tx SET version = 7 WHERE key = 'b'")
        db.execute("DELETE FROM meta WHERE name = 'last_seq'")
        db.close()
        async with opened(tmp_path, clock) as store:
            assert await store.record("b") is None
            left = crash(tmp_path)
        async with opened(left, clock) as store:
            assert (await store.append(submission("c", **at(clock)))).record.seq == 3

    asyncio.run(story())


def test_damage_to_a_long_journal_holds_all_of_it_without_holding_anybody_up(
    tmp_path: Path,
) -> None:
    """Money rule 8 in small pieces: nothing is due meanwhile, new payments are taken, a power cut
    does not end it."""

    async def story() -> None:
        clock = FakeClock()
        count = 1500
        async with opened(tmp_path, clock) as store:
            await asyncio.gather(
                *(store.append(submission(f"k{i}", **at(clock))) for i in range(count))
            )
            sending = await store.advance(3, 1, Change(event=Event.ATTEMPT))
            left = crash(tmp_path)
        db = sqlite3.connect(left / "state" / "journal.db", isolation_level=None)
        db.execute("UPDATE tx SET sent = 1 WHERE key = 'k1490'")
        db.close()
        async with opened(left, clock) as store:
            facts = await store.facts()
            assert "altered" in facts.damage
            assert (await store.due("host", 0, 10)).records == []
            assert await store.requests(0, 10) == []
            assert (await store.append(submission("new", **at(clock)))).created
            with pytest.raises(CallerError, match="changed"):
                await store.advance(1400, 1, Change(event=Event.ATTEMPT))
            cut = crash(left)
        async with opened(cut, clock) as store:
            assert "altered" in (await store.facts()).damage
            await all_held(store)
            backlog = await store.backlog()
            assert backlog.held.count == backlog.in_doubt.count == count - 1
            assert backlog.total.count == count
            new = await store.record("new")
            assert new is not None
            assert new.state is State.QUEUED, "what came after the damage is believed"
            assert [r.key for r in (await store.due("host", 0, 10)).records][-1:] != []
            was_sending = await store.record(sending.key)
            assert was_sending is not None
            assert (was_sending.state, was_sending.in_doubt) == (State.HELD, True)
        async with opened(cut, clock) as store:
            assert (await store.facts()).damage == ""

    asyncio.run(story())


def test_without_its_key_a_long_journal_is_put_aside_row_by_row_in_the_end(tmp_path: Path) -> None:
    """No row can be believed; the work grows with the rows and not with their square."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await asyncio.gather(
                *(store.append(submission(f"k{i}", **at(clock))) for i in range(1200))
            )
        (tmp_path / "state" / "row.key").unlink()
        async with opened(tmp_path, clock) as store:
            assert (await store.append(submission("new", **at(clock)))).created
            await all_held(store)
            backlog = await store.backlog()
            assert backlog.quarantined is not None
            assert (backlog.quarantined.count, backlog.total.count) == (1200, 1)
            again = (await store.append(submission("k7", **at(clock)))).record
            assert (again.state, again.in_doubt) == (State.HELD, True)

    asyncio.run(story())


def test_a_released_record_is_not_held_again_by_damage_already_dealt_with(tmp_path: Path) -> None:
    """A person's decision stands."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b"):
                await store.append(submission(key, **at(clock)))
        db = database(tmp_path)
        db.execute("UPDATE tx SET sent = 1 WHERE key = 'a'")
        db.close()
        async with opened(tmp_path, clock) as store:
            assert await store.record("a") is None
            await all_held(store)
            held = await store.record("b")
            assert held is not None
            free = await store.advance(
                held.seq, held.version, Change(event=Event.RELEASE, actor="person")
            )
            assert (free.state, free.in_doubt) == (State.WAITING, True)
            asked = await store.advance(free.seq, free.version, Change(event=Event.ASKED))
            assert asked.state is State.WAITING

    asyncio.run(story())


def test_what_persons_did_is_never_folded_into_one_line(tmp_path: Path) -> None:
    """Two holds by two people are two lines; the agent's repeats are one with a count."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock)))).record
            for person in ("li", "wang"):
                record = await store.advance(
                    record.seq, record.version, Change(event=Event.HOLD, note="x", actor=person)
                )
                record = await store.advance(
                    record.seq, record.version, Change(event=Event.RELEASE, actor=person)
                )
            events = [step.event for step in await store.steps(record.seq)]
            assert events == ["submitted", "hold", "release", "hold", "release"]

    asyncio.run(story())


def test_why_a_record_is_held_stays_with_it_while_it_is_asked_about(tmp_path: Path) -> None:
    """Bulk release goes by cause; what was asked meanwhile is history."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            record = (await store.append(submission(**at(clock), attempts=1))).record
            record = await store.advance(
                record.seq, 1, Change(event=Event.HOLD, cause="queue.held", note="asked for")
            )
            asked = Change(event=Event.ASKED, cause="host.no_reply", note="not known there")
            record = await store.advance(record.seq, record.version, asked)
            assert (record.cause, record.note) == ("queue.held", "asked for")
            assert (await store.steps(record.seq))[-1].note == "not known there"

    asyncio.run(story())


async def walked(store: Store, uplink: str = "host") -> tuple[list[str], int]:
    """The keys of everything due, and how many pieces the walk took."""
    keys: list[str] = []
    after: int | str | None = 0
    pieces = 0
    while after is not None:
        page = await store.due(uplink, after, 64)
        keys += [record.key for record in page.records]
        after = page.after
        pieces += 1
    return keys, pieces


def test_the_head_of_a_long_lane_is_found_in_one_step(tmp_path: Path) -> None:
    """A terminal with a thousand payments in order: each one costs the same as the first."""
    from agent.core.money.lanes import Order

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock, {"host": Order.TERMINAL}) as store:
            await asyncio.gather(
                *(store.append(submission(f"k{i:04d}", **at(clock))) for i in range(1000))
            )
            await store.append(submission("other", **at(clock), terminal_id="T2"))
            page = await store.due("host", 0, 64)
            assert [record.key for record in page.records] == ["k0000", "other"]
            assert page.after is None
            first = await store.record("k0000")
            assert first is not None
            await post(store, first)
            assert [r.key for r in (await store.due("host", 0, 64)).records] == ["k0001", "other"]

    asyncio.run(story())


def test_lanes_of_two_hosts_do_not_wait_for_each_other(tmp_path: Path) -> None:
    """A dead host must not stop what the same terminal sends to another."""
    from agent.core.money.lanes import Order

    async def story() -> None:
        clock = FakeClock()
        orders = {"host": Order.TERMINAL, "second": Order.TERMINAL}
        async with opened(tmp_path, clock, orders) as store:
            await store.append(submission("a", **at(clock)))
            await store.append(submission("b", **at(clock), uplink="second"))
            assert (await walked(store))[0] == ["a"]
            assert (await walked(store, "second"))[0] == ["b"]

    asyncio.run(story())


def test_what_was_taken_over_before_an_order_was_set_is_still_sent(tmp_path: Path) -> None:
    """And the other way round: lanes of terminals outlive the setting."""
    from agent.core.money.lanes import Order

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            await store.append(submission("before", **at(clock)))
        async with opened(tmp_path, clock, {"host": Order.TERMINAL}) as store:
            await store.append(submission("a", **at(clock)))
            await store.append(submission("b", **at(clock)))
            assert (await walked(store))[0] == ["a"]
            await store.advance(2, 1, Change(event=Event.ATTEMPT))
            assert (await walked(store))[0] == ["before"]
        async with opened(tmp_path, clock) as store:
            assert (await walked(store))[0] == ["before", "a"]

    asyncio.run(story())


def test_nothing_waits_for_what_the_app_sends_itself(tmp_path: Path) -> None:
    """The agent never sends it and may never hear of its end."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            own: dict[str, Any] = {"delivery": Delivery.APP}
            await store.append(submission("sale", **at(clock), **own))
            await store.append(submission("void", **at(clock), kind=Kind.VOID, refers_to="sale"))
            assert (await walked(store))[0] == ["void"]

    asyncio.run(story())


def test_a_walk_is_cut_into_pieces_and_ends(tmp_path: Path) -> None:
    """Thousands that wait are walked over a bounded number at a time, and the soonest is told."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            records = await asyncio.gather(
                *(store.append(submission(f"k{i}", **at(clock))) for i in range(4500))
            )
            await asyncio.gather(
                *(
                    store.advance(one.record.seq, 1, Change(event=Event.HOLD, cause="queue.held"))
                    for one in records[:-1]
                )
            )
            assert await walked(store) == (["k4499"], 3)
            assert (await walked(store, "nobody"))[0] == []
            assert await store.page(states=frozenset({State.POSTED}), limit=10) == []
            assert len(await store.page(states=frozenset({State.HELD}), limit=500)) == 500
            assert len(await store.page(states=frozenset({State.QUEUED}), limit=500)) == 1

    asyncio.run(story())


def test_pages_of_the_unsent_keep_the_order_of_acceptance_over_all_uplinks(tmp_path: Path) -> None:
    """The index is by uplink; people see one queue."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for i in range(250):
                await store.append(submission(f"k{i}", **at(clock), uplink=f"u{i % 3}"))
            seen: list[int] = []
            after = 0
            while page := await store.page(
                states=frozenset({State.QUEUED}), after_seq=after, limit=70
            ):
                seen += [record.seq for record in page]
                after = page[-1].seq
            assert seen == list(range(1, 251))
            oldest = (await store.backlog()).oldest_at
            assert oldest == clock.now().at

    asyncio.run(story())
