"""What must not happen to money when host, flash, clock or our own code fail in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.channel import Channel, ChannelState
from agent.core.money.delivery import Answer, Reply
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.transaction import Payload, Posting
from agent.errors import CallerError, StoreError
from agent.store.journal import Due
from agent.uplink.attempt import Ports
from agent.uplink.uploader import LONGEST_WAIT_S, Runner
from tests.core.money.payments import record, submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.uplink.scene import PROFILE, Scene, scene

Send = Callable[[Record, Payload, int, Callable[[], Awaitable[None]]], Awaitable[Reply]]


def intercepted(it: Scene, wrap: Callable[[Send], Send]) -> None:
    """Put something between the uploader and its uplink."""
    uplink: Any = it.runner._attempts._uplink
    uplink.post = wrap(uplink.post)


async def release(it: Scene, key: str) -> None:
    """As a person does it: again, when the uploader was quicker."""
    while (record := await it.now(key)).state is State.HELD:
        with contextlib.suppress(CallerError):
            await it.store.advance(record.seq, record.version, Change(event=Event.RELEASE))


def test_u16_not_found_beyond_the_key_window_is_no_leave_to_send_again(tmp_path: Path) -> None:
    """The host posted it, the answer was lost, and by now it has forgotten the key."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            it.host.ledger._key_window_ms = 86_400_000
            await it.fault("drop_after", only="post")
            await it.hand_over("k1")

            async def posted() -> bool:
                return it.ledger() == ["k1"]

            await it.until(posted, 0)
            it.clock.advance(2 * 86_400)
            await it.fault("none")
            record = await it.reaches("k1", State.HELD, 10)
            assert record.in_doubt
            assert "forgotten the key" in record.note
            it.clock.advance(3_600)
            it.runner.wake()

            async def asked_again() -> bool:
                return (await it.events("k1"))[-1] == "asked"

            await it.until(asked_again, 60)
            record = await it.now("k1")
            assert (record.cause, "forgotten" in record.note) == ("queue.held", True)
            await release(it, "k1")
            await it.reaches("k1", State.HELD, 10)
            assert it.ledger() == ["k1"], "released, asked about, and still not sent again"

    asyncio.run(story())


def test_money_rule_2_holds_up_to_the_first_byte(tmp_path: Path) -> None:
    """The limit passed while the connection was made, or while the commit hung: nothing is sent."""

    async def story(late: str) -> None:
        async with scene(tmp_path / late) as it:

            def slow(send: Send) -> Send:
                async def post(
                    record: Record,
                    payload: Payload,
                    attempt: int,
                    before: Callable[[], Awaitable[None]],
                ) -> Reply:
                    it.clock.advance(31)
                    return await send(record, payload, attempt, before)

                return post

            real = it.store.advance

            async def hanging(seq: int, version: int, change: Change) -> Record:
                moved = await real(seq, version, change)
                if change.event is Event.ATTEMPT:
                    it.clock.advance(31)
                return moved

            if late == "connecting":
                intercepted(it, slow)
            else:
                it.store.advance = hanging  # type: ignore[method-assign]
            limit = it.clock.now().at + timedelta(seconds=30)
            await it.hand_over("k1", posting=Posting.REQUEST, send_before=limit)
            await it.reaches("k1", State.LAPSED, 0)
            assert it.ledger() == []
            assert it.host.state()["requests"].get("post") is None

    for late in ("connecting", "committing"):
        asyncio.run(story(late))


def test_u26_attempts_that_fail_together_close_the_channel_once(tmp_path: Path) -> None:
    """Eight in flight when the line breaks are one failure: the next try comes soon."""

    async def story() -> None:
        async with scene(tmp_path, width=8) as it:
            await it.fault("black_hole")
            for i in range(8):
                await it.hand_over(f"k{i}")

            async def all_there() -> bool:
                return it.host.state()["faults_met"].get("black_hole", 0) == 8

            await it.until(all_there, 0)
            await it.fault("refuse")

            async def closed() -> bool:
                return it.runner.in_flight == 0

            await it.until(closed, 0)
            assert it.runner.channel.failures == 1
            assert it.runner.channel.state is ChannelState.BACKING_OFF

    asyncio.run(story())


def test_our_own_fault_with_one_payment_stops_neither_it_for_ever_nor_the_rest(
    tmp_path: Path,
) -> None:
    """It is never left `sending`, held or asked about, and not tried in a loop."""

    async def story(when: str, expected: State) -> None:
        async with scene(tmp_path / when) as it:
            tries = 0

            def failing(send: Send) -> Send:
                async def post(
                    record: Record,
                    payload: Payload,
                    attempt: int,
                    before: Callable[[], Awaitable[None]],
                ) -> Reply:
                    nonlocal tries
                    if record.key != "bad":
                        return await send(record, payload, attempt, before)
                    tries += 1
                    if when == "after":
                        await before()
                    raise ZeroDivisionError

                return post

            intercepted(it, failing)
            await it.hand_over("bad")
            for i in range(20):
                await it.hand_over(f"k{i}")
                await it.reaches(f"k{i}", State.POSTED, 0)
            record = await it.now("bad")
            assert (record.state, record.in_doubt) == (expected, when == "after")
            assert record.cause == "software.agent_degraded"
            assert tries == 1
            assert it.runner.channel.state is ChannelState.OK

    asyncio.run(story("before", State.HELD))
    asyncio.run(story("after", State.WAITING))


def test_a_payload_that_was_altered_is_not_sent(tmp_path: Path) -> None:
    """T12: the record is put aside, and nothing unsent is believed any more."""

    async def story() -> None:
        clock = FakeClock()
        at = clock.now().at + timedelta(seconds=1)
        async with opened(tmp_path, clock) as store:
            for key in ("bad", "good"):
                await store.append(submission(key, occurred_at=at))
        db = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        db.execute("UPDATE payload SET body = ? WHERE id = 257", (b'{"sale":2}',))
        db.close()
        async with scene(tmp_path) as it:
            record = await it.reaches("good", State.HELD)
            assert record.in_doubt
            assert await it.store.record("bad") is None
            quarantined = (await it.store.backlog()).quarantined
            assert quarantined is not None
            assert quarantined.count == 1
            assert it.ledger() == []

    asyncio.run(story())


def test_u20_a_late_answer_still_ends_what_was_moved_on_meanwhile(tmp_path: Path) -> None:
    """Damage was found and everything held while the host was answering: its word is proof."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("delay", delay_s=0.2)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.SENDING, 0)
            await it.store.advance(
                record.seq, record.version, Change(event=Event.DAMAGE, cause="queue.held")
            )
            record = await it.reaches("k1", State.POSTED, 0)
            assert record.result is not None
            assert it.host.state()["requests"].get("status") is None

    asyncio.run(story())


def test_money_rule_7_a_credential_refused_for_one_merchant_alone_holds_that_payment(
    tmp_path: Path,
) -> None:
    """403 pauses the channel; when others pass in between, it is the payment's own trouble."""

    async def story() -> None:
        async with scene(tmp_path) as it:

            def picky(send: Send) -> Send:
                async def post(
                    record: Record,
                    payload: Payload,
                    attempt: int,
                    before: Callable[[], Awaitable[None]],
                ) -> Reply:
                    if record.transaction.merchant_id != "M-STRANGER":
                        return await send(record, payload, attempt, before)
                    await before()
                    return Reply(answer=Answer.UNAUTHORISED, cause="config.permission_denied")

                return post

            intercepted(it, picky)
            await it.hand_over("stranger", merchant_id="M-STRANGER")
            for i in range(3):
                await it.hand_over(f"k{i}")
                await it.reaches(f"k{i}", State.POSTED, 10)
                it.clock.advance(300)
                it.runner.wake()
            record = await it.reaches("stranger", State.HELD, 10)
            assert record.cause == "config.permission_denied"
            assert not record.in_doubt
            await it.hand_over("k-after")
            await it.reaches("k-after", State.POSTED, 10)
            assert it.runner.channel.state is ChannelState.OK

    asyncio.run(story())


def test_a_status_question_that_is_never_answered_properly_ends_with_a_person(
    tmp_path: Path,
) -> None:
    """U9 in doubt: asked, refused each time while others pass, then held and still in doubt."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("drop_after", times=1)
            await it.hand_over("poison")

            async def doubtful() -> bool:
                return (await it.now("poison")).in_doubt

            await it.until(doubtful, 0)
            await it.fault("bad_request", only="status")
            for i in range(6):
                it.clock.advance(300)
                await it.hand_over(f"k{i}")
                await it.reaches(f"k{i}", State.POSTED)
            record = await it.reaches("poison", State.HELD)
            assert (record.in_doubt, record.cause) == (True, "host.format_error")

    asyncio.run(story())


@dataclass(slots=True)
class Shelf:
    """A journal that takes its time and has nothing to do but what came last."""

    walks: int = 0
    came: list[Record] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)  #: from where on beside the walks

    async def due(self, uplink: str, after: int | str, limit: int) -> Any:
        del uplink, limit
        self.walks += after == 0
        await asyncio.sleep(0.02)
        last = int(after) >= 4
        if int(after) > 4:
            self.looks.append(int(after))

        class Page:
            records: list[Record] = []  # noqa: RUF012
            payloads: dict[int, Payload] = {}  # noqa: RUF012
            next_boot_ms = None

        page: Any = Page()
        page.records = [r for r in self.came if last and r.seq > int(after)]
        page.after = None if last else int(after) + 1
        return page

    async def payload(self, record: Record) -> Payload:
        del record
        return Payload(content_type="text/plain", body=b"")

    async def boot_no(self) -> int:
        return 1


class NoHost:
    """Takes its time for ever."""

    async def post(self, *_: Any) -> Reply:
        await asyncio.Event().wait()
        raise AssertionError

    def exclusive(self, record: Record) -> str:
        del record
        return ""

    async def close(self) -> None:
        return None


def test_a_long_walk_in_vain_is_not_repeated_for_every_wink(tmp_path: Path) -> None:
    """Two hundred thousand held payments cost a share of the time, not all of it."""

    async def story() -> None:
        shelf, clock = Shelf(), FakeClock()
        ports = Ports(journal=shelf, clock=clock, draw=lambda: 0.5)  # type: ignore[arg-type]
        channel = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=4)
        runner = Runner(channel, PROFILE, NoHost(), ports)  # type: ignore[arg-type]
        stop = asyncio.Event()
        task = asyncio.create_task(runner.run(stop))
        for _ in range(30):
            runner.wake()
            await asyncio.sleep(0.02)
        assert shelf.walks == 1
        new = record(seq=7)
        shelf.came.append(new)
        runner.heed(record(seq=9, state=State.SENDING))
        runner.heed(record(seq=9, lane="t:host:T1"))
        runner.heed(record(seq=8, lane="p:k0"))
        runner.heed(new)
        async with asyncio.timeout(5):
            while runner.in_flight != 1:
                await asyncio.sleep(0.005)
        assert shelf.walks == 1, "a new payment does not wait for the next walk"
        assert (list(runner._busy), shelf.looks) == ([7], [6])
        runner.kick()
        async with asyncio.timeout(5):
            while shelf.walks == 1:
                await asyncio.sleep(0.005)
        stop.set()
        await asyncio.wait_for(task, 5)

    asyncio.run(story())


@dataclass(slots=True)
class TwoPages:
    """A journal of one payment that is due, and a second page with nothing on it."""

    record_: Record = field(default_factory=lambda: record(seq=1, boot_no=1))
    clock: FakeClock = field(default_factory=FakeClock)
    heed: Callable[[Record], None] = lambda _: None

    async def due(self, uplink: str, after: int | str, limit: int) -> Due:
        del uplink, limit
        one, boot_ms = self.record_, self.clock.now().boot_ms
        if after:
            return Due(records=[], after=None, next_boot_ms=None)
        if one.next_boot_ms > boot_ms:
            return Due(records=[], after=1, next_boot_ms=one.next_boot_ms)
        return Due(records=[one], after=1, next_boot_ms=None)

    async def record(self, key: str) -> Record:
        del key
        return self.record_

    async def payload(self, record: Record) -> Payload:
        del record
        return Payload(content_type="text/plain", body=b"")

    async def advance(self, seq: int, version: int, change: Change) -> Record:
        del seq, version
        state = State.SENDING if change.event is Event.ATTEMPT else State.WAITING
        self.record_ = replace(self.record_, state=state, next_boot_ms=change.next_boot_ms)
        self.heed(self.record_)
        return self.record_

    async def boot_no(self) -> int:
        return 1


@dataclass(slots=True)
class Bad:
    """A host that never takes anything, in one of several ways."""

    how: Reply | None  #: None: our own code breaks at it

    async def post(
        self, record: Record, payload: Payload, attempt: int, commit: Callable[[], Awaitable[None]]
    ) -> Reply:
        del record, payload, attempt
        if self.how is None or self.how.answer is not Answer.NOT_SENT:
            await commit()
        if self.how is None:
            raise RuntimeError("a fault of ours")
        return self.how

    def exclusive(self, record: Record) -> str:
        del record
        return ""


@pytest.mark.parametrize(
    "how",
    [Reply(answer=Answer.NOT_SENT), Reply(answer=Answer.IN_PROGRESS), None],
    ids=["nothing_written", "written", "our_own_fault"],
)
def test_what_fails_behind_a_walk_over_a_long_backlog_does_not_wait_for_a_sign(
    how: Reply | None,
) -> None:
    """One slot, so the walk stands still meanwhile: its end has nothing, but its beginning does."""

    async def story() -> None:
        shelf = TwoPages()
        ports = Ports(journal=shelf, clock=shelf.clock, draw=lambda: 0.5)  # type: ignore[arg-type]
        channel = Channel(name="host", base_s=2.0, cap_s=300.0, pause_s=300.0, width=1)
        runner = Runner(channel, replace(PROFILE, status_query=False), Bad(how), ports)  # type: ignore[arg-type]
        shelf.heed = runner.heed
        assert await runner._round() == LONGEST_WAIT_S
        (errand,) = runner._busy.values()
        await errand.task
        await asyncio.sleep(0)  # its end is noticed
        waited_s = 0.0
        while not runner.in_flight:
            wait_s = await runner._round()
            if not runner.in_flight:
                assert waited_s + wait_s < 100, "only a look for missed signs finds it again"
                shelf.clock.advance(wait_s)
                waited_s += wait_s
        assert waited_s >= 1
        for errand in runner._busy.values():
            errand.task.cancel()

    asyncio.run(story())


def test_a_store_without_room_is_not_a_reason_to_connect_every_second(tmp_path: Path) -> None:
    """Each try costs the host a connection: they come less and less often, and work again."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            real = it.store.advance
            full = True
            waits: list[int] = []

            async def refused(seq: int, version: int, change: Change) -> Record:
                if full and change.event is Event.ATTEMPT:
                    raise StoreError("store.full", "no space")
                return await real(seq, version, change)

            it.store.advance = refused  # type: ignore[method-assign]
            await it.hand_over("k1")
            for _ in range(7):

                async def waiting() -> bool:
                    return bool(it.runner.channel.wait_ms(it.clock.now()))

                await it.until(waiting, 0)
                waits.append(it.runner.channel.wait_ms(it.clock.now()) or 0)
                it.clock.advance(waits[-1] / 1000)
                it.runner.wake()
            assert waits == [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
            full = False
            await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]

    asyncio.run(story())


def test_an_app_that_hangs_up_too_soon_does_not_leave_its_payment_lying(tmp_path: Path) -> None:
    """Committed is committed: the uploader hears of it although nobody waits for the answer."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            handing = asyncio.create_task(it.hand_over("k1"))
            while await it.store.record("k1") is None:
                handing.cancel()

            async def posted() -> bool:
                return it.ledger() == ["k1"]

            async with asyncio.timeout(10):
                while not await posted():
                    await asyncio.sleep(0.005)

    asyncio.run(story())
