"""Long final payments are forgotten a few at a time, their keys never, and nothing else ever."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest import mock

import msgspec
import pytest

from agent.core.moment import BUILD_FLOOR_MS
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Kind
from agent.errors import CallerError
from agent.store import Store, retention, tombstones, verify
from agent.store.journal import Journal
from agent.store.retention import Keeping, Mark, Retention, believed
from agent.store.verify import Verified
from agent.wire.keeping import VerifyArgs
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_sealing import care

DAY_S = 86_400
KEEPING = Keeping(keep_ms=180 * DAY_S * 1000, per_day=1_000)


def told(tmp_path: Path, story: Callable[[Store, FakeClock], Awaitable[None]]) -> None:
    """Run a story over a store whose clock has proved itself."""

    async def scene() -> None:
        clock = FakeClock(wall_ms=BUILD_FLOOR_MS + 30 * DAY_S * 1000)
        async with opened(tmp_path, clock) as store:
            await week(store, clock)
            await story(store, clock)

    asyncio.run(scene())


async def piece(store: Store, clock: FakeClock, walk: Retention | None = None) -> int:
    walk = walk or Retention(KEEPING)
    return await store.journal(lambda journal: walk.piece(journal, clock.now()))


async def week(store: Store, clock: FakeClock) -> None:
    """The clock shows that it runs as it should."""
    for _ in range(9):
        await piece(store, clock)
        clock.advance(DAY_S)


async def months(store: Store, clock: FakeClock, days: int) -> None:
    """Time goes by while the agent runs."""
    for _ in range(days):
        clock.advance(DAY_S)
        await store.journal(lambda journal: Retention(_NEVER).piece(journal, clock.now()))


_NEVER = Keeping(keep_ms=1 << 60, per_day=1_000)


async def final(store: Store, clock: FakeClock, key: str) -> Record:
    record = (await store.append(submission(key, occurred_at=clock.now().at))).record
    for event in (Event.ATTEMPT, Event.POSTED):
        record = await store.advance(record.seq, record.version, Change(event=event))
    return record


async def count(store: Store, table: str) -> int:
    return await store.journal(
        lambda journal: int(journal.table.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])
    )


def test_verification_walks_the_keys_of_forgotten_payments(tmp_path: Path) -> None:
    """A piece at a time, also past a key that is no key any more; an altered one is told, refuses
    its key as before, and puts nothing else under suspicion."""

    async def story(store: Store, clock: FakeClock) -> None:
        for number in range(6):  # the newest is kept, whatever its age
            await final(store, clock, f"old-{number}")
        await months(store, clock, 181)
        assert [await piece(store, clock) for _ in range(3)][-1] == 0
        assert await count(store, "tombstone") == 5

        def alter(journal: Journal) -> None:
            journal.table.db.execute("UPDATE tombstone SET key = 'ä b' WHERE key = 'old-1'")
            journal.table.db.execute("UPDATE tombstone SET final_ms = 1 WHERE key = 'old-3'")

        await store.journal(alter)
        looked_after = care(store, clock)
        whole = Verified()
        while whole.after is not None:
            args = msgspec.convert({"after": whole.after}, VerifyArgs)  # the border takes it back
            whole.add(await looked_after.verify(args.after, 0.0))
        assert whole.checked["tombstone"] == 5
        assert whole.found == {"tombstone": 2}
        assert {one.key for one in whole.findings} == {"ä b", "old-3"}
        assert (await store.append(submission("new", occurred_at=clock.now().at))).created

    with mock.patch.object(verify, "STONES", 2):
        told(tmp_path, story)


def test_a_payment_long_final_is_forgotten_and_its_key_is_not(tmp_path: Path) -> None:
    """Row, payload and history go; the tombstone tells a repeat from another payment."""

    async def story(store: Store, clock: FakeClock) -> None:
        old = await final(store, clock, "old")
        again = submission("old", occurred_at=old.transaction.occurred_at)
        await months(store, clock, 179)
        assert await piece(store, clock) == 0
        await final(store, clock, "young")
        await months(store, clock, 2)
        assert await piece(store, clock) == 1
        assert await store.record("old") is None
        assert [await count(store, t) for t in ("tx", "payload", "tombstone")] == [1, 1, 1]
        assert await store.steps(old.seq) == []
        with pytest.raises(CallerError) as repeat:
            await store.append(again)
        assert repeat.value.code == "key.retired"
        with pytest.raises(CallerError) as other:
            await store.append(submission("old", b"another"))
        assert other.value.code == "key.mismatch"

    told(tmp_path, story)


def test_nothing_that_is_not_final_is_ever_forgotten(tmp_path: Path) -> None:
    """Queued, waiting and held payments outlive everything; so does what they hang on."""

    async def story(store: Store, clock: FakeClock) -> None:
        await final(store, clock, "voided-later")
        for key in ("queued", "waiting", "held"):
            record = (await store.append(submission(key, occurred_at=clock.now().at))).record
            events = {"waiting": (Event.ATTEMPT, Event.NO_ANSWER), "held": (Event.HOLD,)}
            for event in events.get(key, ()):
                record = await store.advance(record.seq, record.version, Change(event=event))
        void = submission(
            "void", kind=Kind.VOID, refers_to="voided-later", occurred_at=clock.now().at
        )
        await store.append(void)
        await final(store, clock, "alone")
        await final(store, clock, "newest")
        await months(store, clock, 4_000)
        assert await piece(store, clock) == 1
        assert await store.record("alone") is None
        kept = {record.key for record in await store.page(limit=100)}
        assert kept == {"voided-later", "queued", "waiting", "held", "void", "newest"}

    told(tmp_path, story)


def test_the_number_of_a_forgotten_payment_is_not_used_again(tmp_path: Path) -> None:
    """The newest row stays until there is a newer one, also over a stop without goodbye."""

    async def story(store: Store, clock: FakeClock) -> None:
        records = [await final(store, clock, f"k-{n}") for n in range(3)]
        await months(store, clock, 400)
        assert await piece(store, clock) == 2
        assert await store.record("k-2") is not None
        fresh = await final(store, clock, "fresh")
        assert fresh.seq == records[-1].seq + 1

    told(tmp_path, story)


def test_nothing_is_forgotten_while_the_clock_is_not_trusted(tmp_path: Path) -> None:
    """1970 and other impossible clocks decide nothing."""

    async def story(store: Store, clock: FakeClock) -> None:
        await final(store, clock, "old")
        await final(store, clock, "newest")
        await months(store, clock, 400)
        clock.trusted = False
        assert await piece(store, clock) == 0
        clock.trusted = None
        assert await piece(store, clock) == 1

    told(tmp_path, story)


def test_a_clock_that_jumped_must_prove_itself_for_a_week(tmp_path: Path) -> None:
    """Set ten years ahead it forgets nothing; set back in time nothing has happened."""

    async def story(store: Store, clock: FakeClock) -> None:
        await final(store, clock, "one")
        await final(store, clock, "newest")
        clock.jump(10 * 365 * DAY_S)
        for _ in range(6):
            assert await piece(store, clock) == 0
            clock.advance(DAY_S)
        clock.jump(-10 * 365 * DAY_S)
        for _ in range(30):
            assert await piece(store, clock) == 0
            clock.advance(DAY_S)
        assert await store.record("one") is not None

    told(tmp_path, story)


def test_a_clock_set_while_the_terminal_was_off_is_a_jump_too(tmp_path: Path) -> None:
    """Nobody can tell years in a drawer from a wrong clock: both wait a week of running time."""
    before = Mark(wall_ms=BUILD_FLOOR_MS, boot_ms=1_000, boot_id="boot-1")
    clock = FakeClock(wall_ms=BUILD_FLOOR_MS, boot_ms=1_000)
    clock.reboot(down_s=3 * DAY_S)
    assert believed(before, clock.now()).settle_ms == 0
    clock.reboot(down_s=90 * DAY_S)
    off = believed(before, clock.now())
    assert off.settle_ms == retention.SETTLE_MS
    clock.advance(3 * DAY_S)
    assert believed(off, clock.now()).settle_ms == retention.SETTLE_MS - 3 * DAY_S * 1000
    clock.advance(4 * DAY_S)
    assert believed(off, clock.now()).settle_ms == 0
    clock.reboot(down_s=-2 * DAY_S)
    assert believed(before, clock.now()).settle_ms == retention.SETTLE_MS


def test_a_payment_finished_under_a_wrong_clock_waits_its_whole_time(tmp_path: Path) -> None:
    """A stamp of 1970 or of next century says nothing about age: it is stamped anew, once."""

    async def story(store: Store, clock: FakeClock) -> None:
        right_ms = clock.wall_ms
        for key, wall_ms in (
            ("in-1970", 86_400_000),
            ("in-2090", right_ms + 64 * 365 * 86_400_000),
        ):
            clock.wall_ms = wall_ms
            await final(store, clock, key)
        clock.wall_ms = right_ms
        await final(store, clock, "newest")
        assert await piece(store, clock) == 2
        steps = await store.steps((await _of(store, "in-1970")).seq)
        assert "wrong" in steps[-1].note
        assert (await _of(store, "in-1970")).state is State.POSTED
        assert await piece(store, clock) == 0
        await months(store, clock, 179)
        assert await piece(store, clock) == 0
        await months(store, clock, 2)
        assert await piece(store, clock) == 2

    told(tmp_path, story)


async def _of(store: Store, key: str) -> Record:
    record = await store.record(key)
    assert record is not None
    return record


def test_a_day_has_its_bound_and_a_piece_its_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flash is spared: so many rows a day, fifty at most in one commit, and fewer on a slow one."""

    async def story(store: Store, clock: FakeClock) -> None:
        for number in range(130):
            await final(store, clock, f"k-{number}")
        await months(store, clock, 200)
        monkeypatch.setattr(retention, "PIECE_MS", 1e9)
        walk = Retention(Keeping(keep_ms=KEEPING.keep_ms, per_day=70))
        assert [await piece(store, clock, walk) for _ in range(3)] == [50, 20, 0]
        clock.advance(DAY_S)
        monkeypatch.setattr(retention, "PIECE_MS", -1.0)
        assert await piece(store, clock, walk) == 0
        monkeypatch.setattr(retention, "PIECE_MS", 1e9)
        assert [await piece(store, clock, walk) for _ in range(3)] == [50, 9, 0]

    told(tmp_path, story)


def test_an_altered_row_is_put_aside_and_not_forgotten(tmp_path: Path) -> None:
    """Retention believes no row it did not check."""

    async def story(store: Store, clock: FakeClock) -> None:
        old = await final(store, clock, "old")
        await final(store, clock, "newest")
        await months(store, clock, 400)
        await store.journal(
            lambda journal: (
                journal.table.db.execute(
                    "UPDATE tx SET amount_minor = 1 WHERE seq = ?", (old.seq,)
                ).rowcount
            )
        )
        assert await piece(store, clock) == 0
        assert await count(store, "tombstone") == 0
        assert await count(store, "quarantined_row") == 1

    told(tmp_path, story)


def test_a_tombstone_has_a_mac(tmp_path: Path) -> None:
    """One that was altered is told from one that was not, and still refuses its key."""

    async def story(store: Store, clock: FakeClock) -> None:
        await final(store, clock, "old")
        await final(store, clock, "newest")
        await months(store, clock, 400)
        assert await piece(store, clock) == 1

        def look(change: str) -> bool:
            def work(journal):  # type: ignore[no-untyped-def]
                journal.table.db.execute(change)
                row = journal.table.db.execute("SELECT * FROM tombstone").fetchone()
                return tombstones.genuine(journal.table.sealer, row)

            return work  # type: ignore[return-value]

        assert await store.journal(look("SELECT 1"))  # type: ignore[arg-type]
        assert not await store.journal(look("UPDATE tombstone SET state = 8"))  # type: ignore[arg-type]

        with pytest.raises(CallerError, match="altered") as refused:
            await store.append(submission("old"))
        assert refused.value.code == "key.retired"

    told(tmp_path, story)


def test_a_quiet_store_forgets_by_itself(tmp_path: Path) -> None:
    """The daemon's store does all that while nobody asks for anything."""

    async def scene() -> None:
        from agent.config import Storage

        clock = FakeClock(wall_ms=BUILD_FLOOR_MS + 30 * DAY_S * 1000)
        async with opened(tmp_path, clock) as store:
            await week(store, clock)
            await final(store, clock, "old")
            await final(store, clock, "newest")
            await months(store, clock, 181)
        store = Store(tmp_path / "state", clock, storage=Storage(reserve_kb=64))
        await store.start()
        try:
            async with asyncio.timeout(10):
                while await store.record("old") is not None:
                    await asyncio.sleep(0.3)  # it works only while it is left alone
        finally:
            store.stop()

    asyncio.run(scene())
