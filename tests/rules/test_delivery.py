"""Edges of the delivery (U) and money rules, through the real store, client and reference host."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agent.actions.ports import Identity, Ports
from agent.actions.queue import abandon, hold, release, retry
from agent.core.money.abandoning import Asking
from agent.core.money.delivery import OnUnknown
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload, Posting, Submission
from agent.errors import CallerError
from agent.http.client import Client, Origin
from agent.link.dial import Dialer
from agent.store.prepared import Prepared
from agent.store.retention import Keeping, Retention
from agent.supervise import DaemonThreads
from agent.uplink.https import HttpsUplink
from agent.wire.api import AbandonArgs, ConfirmationIn, HoldArgs, ReleaseArgs, RetryArgs
from tests.core.money.payments import submission
from tests.fakes import FakeClock
from tests.store.stores import opened
from tests.store.test_journal import at
from tests.store.test_opening import crash
from tests.store.test_retention import final, months, piece, told
from tests.uplink.scene import Scene, scene
from tests.uplink.test_edges import post_directly


async def doubtful(it: Scene, key: str) -> None:
    async def there() -> bool:
        return (await it.now(key)).in_doubt

    await it.until(there, 0)


def test_edge_u3_an_answer_that_names_the_payment_is_its_proof(tmp_path: Path) -> None:
    """Posted, with the host's reference in the same commit."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.hand_over("k1")
            record = await it.reaches("k1", State.POSTED)
            assert record.result is not None
            assert record.result.reference
            assert await it.events("k1") == ["submitted", "attempt", "posted"]

    asyncio.run(story())


def test_edge_u9_a_message_the_host_cannot_take(tmp_path: Path) -> None:
    """Without doubt it is refused without effect; in doubt it stays so and is asked about."""

    async def story() -> None:
        async with scene(tmp_path, on_unknown=OnUnknown.RESEND) as it:
            await it.fault("bad_request", times=1)
            await it.hand_over("new")
            await it.reaches("new", State.POSTED)
            assert not any(record.in_doubt for record in it.changes)
            await it.fault("drop_after", times=1)
            await it.hand_over("doubtful")
            await doubtful(it, "doubtful")
            await it.fault("bad_request", times=1)
            await it.reaches("doubtful", State.POSTED)
            assert (await it.events("doubtful")).count("refused") == 0
            assert it.ledger() == ["new", "doubtful"]

    asyncio.run(story())


def test_edge_u15_what_is_no_answer_proves_nothing(tmp_path: Path) -> None:
    """Another protocol on the host's port: in doubt, asked about when the host is back."""

    async def story() -> None:
        async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(65_536)
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
            await writer.drain()
            writer.close()

        async with scene(tmp_path) as it:
            server = await asyncio.start_server(babble, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            client = Client(
                Origin(scheme="http", host="127.0.0.1", port=port), Dialer(DaemonThreads())
            )
            wrong = HttpsUplink(f"http://127.0.0.1:{port}/pay", client, answer_timeout_s=5.0)
            right, it.runner._attempts._uplink = it.runner._attempts._uplink, wrong
            await it.hand_over("k1")
            await doubtful(it, "k1")
            assert (await it.now("k1")).result is None
            it.runner._attempts._uplink = right
            await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]
            await client.close()
            server.close()
            await server.wait_closed()

    asyncio.run(story())


def test_edge_u17_a_status_answer_counts_like_the_answer_that_was_lost(tmp_path: Path) -> None:
    """Posted, declined, and in progress, which is waited for."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            for key, fault, state in (
                ("posted", "none", State.POSTED), ("declined", "decline", State.DECLINED),
            ):  # fmt: skip
                await it.fault("refuse")
                await it.hand_over(key, attempts=1)
                await it.fault(fault)
                await post_directly(it, key)
                await it.fault("in_progress", only="status", times=1)
                it.runner.kick()
                record = await it.reaches(key, state)
                assert (record.sent, record.in_doubt) == (0, False)
                assert "attempt" not in await it.events(key)

    asyncio.run(story())


def test_edge_u19_a_host_that_cannot_be_asked_gets_the_same_key_again(tmp_path: Path) -> None:
    """Inside its window the resend is safe: the stored result comes back."""

    async def story() -> None:
        async with scene(tmp_path, status_query=False) as it:
            await it.fault("drop_after", times=1)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.POSTED)
            assert (it.ledger(), record.sent) == (["k1"], 2)

    asyncio.run(story())


def test_edge_u22_what_was_being_sent_at_the_crash_is_in_doubt(tmp_path: Path) -> None:
    """The next start finds `sending`; the rest is as it was, in the order of acceptance."""

    async def story() -> None:
        clock = FakeClock()
        async with opened(tmp_path, clock) as store:
            for key in ("a", "b", "c"):
                record = (await store.append(submission(key, **at(clock)))).record
                if key == "b":
                    await store.advance(record.seq, 1, Change(event=Event.ATTEMPT))
            left = crash(tmp_path)
        clock.reboot()
        async with opened(left, clock) as store:
            records = await store.page(limit=10)
            assert [(r.key, r.state, r.in_doubt) for r in records] == [
                ("a", State.QUEUED, False),
                ("b", State.WAITING, True),
                ("c", State.QUEUED, False),
            ]
            assert [step.event for step in await store.steps(2)][-1] == "restart"

    asyncio.run(story())


class Lines:
    """The one channel of a scene, as the actions see it."""

    def __init__(self, it: Scene) -> None:
        self._it = it

    def channels(self) -> list[object]:
        return []

    def asking(self, record: Record) -> Asking:
        return self._it.runner.asking(record)

    async def kick(self, _name: str | None) -> None:
        self._it.runner.kick()


def ports(it: Scene) -> Ports:
    return Ports(
        journal=it.store, mover=it.store, health=None, channels=Lines(it), clock=it.clock,  # type: ignore[arg-type]
        identity=Identity(device_id="d", tenant="t", site="s", version="1"), actor="uid:7",
    )  # fmt: skip


def test_edge_u23_what_a_person_does_keeps_the_key_and_names_the_person(tmp_path: Path) -> None:
    """Held, released, tried at once: the same key, posted once, every order in the history."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            await it.hand_over("k1")
            await hold.run(ports(it), HoldArgs(key="k1", reason="asked by the bank"))
            await it.fault("none")
            await release.run(ports(it), ReleaseArgs(key="k1"))
            await retry.run(ports(it), RetryArgs())
            await it.reaches("k1", State.POSTED, 0)
            assert it.ledger() == ["k1"]
            assert {"hold", "release"} <= set(await it.events("k1"))

    asyncio.run(story())


def test_edge_u23_nothing_is_given_up_before_the_host_was_asked(tmp_path: Path) -> None:
    """The real uplink can ask, so its "not found" comes first; given up, it is never sent."""
    word = ConfirmationIn(outcome="not_at_host", reference="ticket 4711", said_by="A. Wang")
    order = AbandonArgs(key="k1", confirmation=word)

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            record = await it.hand_over("k1", attempts=1)
            damaged = Change(event=Event.DAMAGE, cause="queue.held")
            await it.store.advance(record.seq, record.version, damaged)
            with pytest.raises(CallerError) as refused:
                await abandon.run(ports(it), order)
            assert refused.value.code == "record.not_asked"
            await it.fault("none")
            await retry.run(ports(it), RetryArgs(key="k1"))

            async def denied() -> bool:
                return (await it.now("k1")).not_found == 1

            await it.until(denied)
            gone = await abandon.run(ports(it), order)
            assert (gone.state, gone.in_doubt) == ("voided", True)
            it.clock.advance(86_400)
            it.runner.wake()
            await asyncio.sleep(0.05)
            assert it.ledger() == []
            assert (await it.store.backlog()).total.count == 0

    asyncio.run(story())


def test_edge_u24_only_long_final_payments_are_forgotten_and_their_keys_never(
    tmp_path: Path,
) -> None:
    """After its time the row goes and the key is still refused."""

    async def story(store, clock) -> None:  # type: ignore[no-untyped-def]
        old = await final(store, clock, "old")
        await months(store, clock, 181)
        await final(store, clock, "young")
        assert await piece(store, clock) == 1
        assert await store.record("old") is None
        assert await store.record("young") is not None
        with pytest.raises(CallerError) as repeat:
            await store.append(submission("old", occurred_at=old.transaction.occurred_at))
        assert repeat.value.code == "key.retired"

    told(tmp_path, story)


@pytest.mark.parametrize("order", Order)
def test_edge_u25_one_that_keeps_failing_lets_the_others_pass(tmp_path: Path, order: Order) -> None:
    """Unless the profile keeps the terminal in order: then those behind it wait."""

    async def story() -> None:
        async with scene(tmp_path, order=order) as it:
            real = it.runner._attempts._uplink.post

            async def picky(record, payload, attempt, before):  # type: ignore[no-untyped-def]
                await it.fault("busy" if record.key == "poison" else "none", retry_after_s=1)
                try:
                    return await real(record, payload, attempt, before)
                finally:
                    await it.fault("none")

            it.runner._attempts._uplink.post = picky
            await it.hand_over("poison")

            async def failed() -> bool:
                return (await it.now("poison")).tried >= 1

            await it.until(failed)
            await it.hand_over("next")
            if order is Order.PAYMENT:
                await it.reaches("next", State.POSTED)
                assert it.ledger() == ["next"]
            else:
                for _ in range(30):
                    it.clock.advance(1)
                    it.runner.wake()
                    await asyncio.sleep(0.005)
                assert (await it.now("next")).state is State.QUEUED
            assert not (await it.now("poison")).final

    asyncio.run(story())


def test_money_rule_4_nothing_unfinished_is_ever_forgotten(tmp_path: Path) -> None:
    """Queued, in doubt and held, for ten years: still there, still counted."""

    async def story(store, clock) -> None:  # type: ignore[no-untyped-def]
        events = {"waiting": (Event.ATTEMPT, Event.NO_ANSWER), "held": (Event.HOLD,)}
        for key in ("queued", "waiting", "held"):
            record = (await store.append(submission(key, occurred_at=clock.now().at))).record
            for event in events.get(key, ()):
                record = await store.advance(record.seq, record.version, Change(event=event))
        await months(store, clock, 200)
        clock.advance(3_650 * 86_400)
        walk = Retention(Keeping(keep_ms=1, per_day=1_000))
        assert await piece(store, clock, walk) == 0
        assert [record.seq for record in await store.page(limit=10)] == [1, 2, 3]
        assert (await store.backlog()).total.count == 3

    told(tmp_path, story)


def test_money_rule_5_a_recorded_reversal_stops_its_original(tmp_path: Path) -> None:
    """Accepted, it takes the original back; the original itself is never sent."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            await it.hand_over("sale", posting=Posting.REQUEST)
            await it.hand_over("back", kind=Kind.REVERSAL, refers_to="sale")
            await it.fault("none")
            it.runner.kick()
            await it.reaches("sale", State.REVERSED)
            assert (await it.now("back")).state is State.POSTED
            assert it.ledger() == ["back"]
            sale = await it.now("sale")
            late = Change(event=Event.LATE, note="late answer: posted")
            after = await it.store.advance(sale.seq, sale.version, late)
            assert after.state is State.REVERSED

    asyncio.run(story())


def test_money_rule_6_a_batch_upload_waits_for_what_it_covers(tmp_path: Path) -> None:
    """Handed over first in time or not: it goes out behind all of them."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            for key in ("a", "b"):
                await it.hand_over(key)
            await it.hand_over(
                "batch", kind=Kind.BATCH_UPLOAD, covers=("a", "b"), amount_minor=None, currency=None
            )
            await it.fault("none")
            it.runner.kick()
            await it.reaches("batch", State.POSTED)
            assert sorted(it.ledger()[:2]) == ["a", "b"]
            assert it.ledger()[2:] == ["batch"]

    asyncio.run(story())


def test_money_rule_9_new_bytes_go_out_under_the_same_key(tmp_path: Path) -> None:
    """After key loss the app replaces the payload: same business, one posting, old bytes kept."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("drop_before", times=1)
            record = await it.hand_over("k1")
            await doubtful(it, "k1")
            record = await it.now("k1")
            fresh = Submission(
                transaction=record.transaction,
                payload=Payload(content_type="application/json", body=b'{"mac":"new"}'),
            )
            replaced = await Prepared(it.store, it.clock).replace(record, fresh, "app")
            assert (replaced.payload_version, replaced.key) == (2, "k1")
            await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]
            assert (await it.store.payload(await it.now("k1"))).body == b'{"mac":"new"}'
            assert "replaced" in await it.events("k1")

    asyncio.run(story())
