"""The edges of delivery, one by one, through the real store, client and reference host."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from agent.core.money.channel import ChannelState
from agent.core.money.delivery import OnUnknown
from agent.core.money.journal import Change, Event, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Posting
from agent.errors import StoreError
from tests.store.stores import opened
from tests.uplink.scene import Scene, scene


def test_u0_sending_is_on_disk_before_the_first_byte(tmp_path: Path) -> None:
    """Money rule 1: when the host sees the request, the row has been committed as sending."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("delay", delay_s=0.2)
            await it.hand_over("k1")

            async def arrived() -> bool:
                return bool(it.ledger())

            await it.until(arrived, 0)
            assert it.changes[1].state is State.SENDING
            await it.reaches("k1", State.POSTED)
            assert await it.events("k1") == ["submitted", "attempt", "posted"]

    asyncio.run(story())


def test_u1_what_cannot_connect_is_not_touched_at_all(tmp_path: Path) -> None:
    """Zero bytes left: no state, no history, no flash; the channel backs off and heals."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            await it.hand_over("k1")

            async def closed() -> bool:
                return it.runner.channel.failures >= 3

            await it.until(closed)
            record = await it.now("k1")
            assert (record.state, record.version, record.in_doubt) == (State.QUEUED, 1, False)
            assert it.runner.channel.cause == "network.host_unreachable"
            await it.fault("none")
            await it.reaches("k1", State.POSTED)
            assert it.runner.channel.state is ChannelState.OK

    asyncio.run(story())


def test_u2_a_lost_answer_is_asked_about_and_not_sent_again(tmp_path: Path) -> None:
    """Posted at the host, reply lost: one ledger row, found by a status query."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("drop_after", times=1)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]
            assert record.sent == 1
            assert record.result is not None
            assert await it.events("k1") == ["submitted", "attempt", "no_answer", "posted"]

    asyncio.run(story())


def test_u18_a_payment_the_host_never_saw_is_sent_again_after_two_denials(tmp_path: Path) -> None:
    """Not found counts only after the host's working time, and only twice in a row."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("drop_before", times=1)
            await it.hand_over("k1")
            began = it.clock.boot_ms
            record = await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]
            assert record.sent == 2
            assert it.clock.boot_ms - began >= 60_000
            events = await it.events("k1")
            assert "not_found" in events
            assert events.index("not_found") > events.index("asked")

    asyncio.run(story())


def test_u6_a_repeat_the_host_knows_is_posted_once(tmp_path: Path) -> None:
    """Blind resend inside the window, same key and bytes: the stored result comes back."""

    async def story() -> None:
        async with scene(tmp_path, on_unknown=OnUnknown.RESEND) as it:
            await it.fault("drop_after", times=2)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]
            assert record.sent == 3

    asyncio.run(story())


def test_the_scene_would_show_a_duplicate(tmp_path: Path) -> None:
    """Positive control: a host that ignores keys gets the same payment twice."""

    async def story() -> None:
        async with scene(tmp_path, on_unknown=OnUnknown.RESEND, ignore_keys=True) as it:
            await it.fault("drop_after", times=1)
            await it.hand_over("k1")
            await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1", "k1"]

    asyncio.run(story())


def test_u7_in_progress_is_waited_for(tmp_path: Path) -> None:
    """409 is neither posted nor failed."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("in_progress", times=2)
            await it.hand_over("k1")
            await it.reaches("k1", State.POSTED)
            assert it.ledger() == ["k1"]

    asyncio.run(story())


def test_u8_other_content_under_the_hosts_key_is_held_for_a_person(tmp_path: Path) -> None:
    """422: never a new key, never again by itself."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("mismatch", times=1)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.HELD)
            assert record.cause == "queue.held"
            it.clock.advance(3600)
            it.runner.wake()
            assert (await it.now("k1")).state is State.HELD

    asyncio.run(story())


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("unauthorised", "config.credential_expired"),
        ("forbidden", "config.permission_denied"),
        ("redirect", "network.config_invalid"),
    ],
)
def test_u10_u14_what_a_retry_cannot_mend_pauses_the_channel(
    tmp_path: Path, fault: str, cause: str
) -> None:
    """401, 403, 3xx: one record tries after the pause, nothing is counted, all pass when mended."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault(fault)
            for i in range(5):
                await it.hand_over(f"k{i}")

            async def paused() -> bool:
                return it.runner.channel.state is ChannelState.PAUSED and not it.runner.in_flight

            await it.until(paused, 0)
            assert it.runner.channel.cause == cause
            records = [await it.now(f"k{i}") for i in range(5)]
            if fault != "redirect":
                assert all(record.tried == 0 for record in records)
            await it.fault("none")
            for i in range(5):
                await it.reaches(f"k{i}", State.POSTED, 30)
            assert sorted(it.ledger()) == [f"k{i}" for i in range(5)]

    asyncio.run(story())


def test_u12_the_host_may_ask_for_time(tmp_path: Path) -> None:
    """Retry-After is kept by the whole channel."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("busy", times=1, retry_after_s=40)
            began = it.clock.boot_ms
            await it.hand_over("k1")
            await it.reaches("k1", State.POSTED)
            assert it.clock.boot_ms - began >= 40_000

    asyncio.run(story())


def test_u13_a_server_error_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    """A 500 after posting is found out by asking, not by sending again."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("error_500_after", times=1)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.POSTED)
            assert (it.ledger(), record.sent) == (["k1"], 1)

    asyncio.run(story())


@pytest.mark.parametrize("fault", ["malformed", "empty", "truncated", "wrong_amount", "wrong_key"])
def test_u4_u5_a_success_that_proves_nothing_is_asked_about(tmp_path: Path, fault: str) -> None:
    """Garbage, nothing, half an answer, somebody else's: in doubt, then found out."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault(fault, times=1)
            await it.hand_over("k1")
            await it.reaches("k1", State.POSTED)
            assert it.ledger().count("k1") == 1
            assert any(record.in_doubt for record in it.changes)

    asyncio.run(story())


def test_u11_a_decline_is_final_with_its_code(tmp_path: Path) -> None:
    """The host's no is kept with its proof."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("decline", times=1)
            await it.hand_over("k1")
            record = await it.reaches("k1", State.DECLINED)
            assert record.cause == "host.rejected"
            assert record.result is not None
            assert record.result.response_code

    asyncio.run(story())


def test_money_rule_7_one_poisonous_payment_does_not_stop_the_others(tmp_path: Path) -> None:
    """It is held after its limit because others pass; they pass meanwhile."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.hand_over("poison", terminal_id="T-BAD")
            real = it.runner._attempts._uplink.post

            async def picky(record, payload, attempt, before):  # type: ignore[no-untyped-def]
                if record.key == "poison":
                    await it.fault("bad_request")
                reply = await real(record, payload, attempt, before)
                await it.fault("none")
                return reply

            it.runner._attempts._uplink.post = picky
            for i in range(6):
                await it.hand_over(f"k{i}")
                await it.reaches(f"k{i}", State.POSTED)
            record = await it.reaches("poison", State.HELD)
            assert record.cause == "host.format_error"
            assert len(it.ledger()) == 6

    asyncio.run(story())


def test_money_rule_7_the_same_answer_for_all_holds_nobody(tmp_path: Path) -> None:
    """A wrong address answers 404 to everything: the channel backs off, no payment is held."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("bad_request")
            for i in range(4):
                await it.hand_over(f"k{i}")

            async def long_enough() -> bool:
                return it.runner.channel.failures >= 12

            await it.until(long_enough, 30)
            states = {(await it.now(f"k{i}")).state for i in range(4)}
            assert State.HELD not in states
            assert it.runner.channel.cause == "host.format_error"

    asyncio.run(story())


def test_order_is_kept_on_the_wire_inside_a_lane(tmp_path: Path) -> None:
    """The void travels after its sale although four could travel at once."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("delay", delay_s=0.05)
            await it.hand_over("sale")
            await it.hand_over("void", kind=Kind.VOID, refers_to="sale")
            await it.hand_over("other")
            for key in ("sale", "void", "other"):
                await it.reaches(key, State.POSTED, 0)
            ledger = it.ledger()
            assert ledger.index("sale") < ledger.index("void")

    asyncio.run(story())


def test_a_terminal_lane_sends_one_after_the_other(tmp_path: Path) -> None:
    """With order = terminal the journal's order is the host's order."""

    async def story() -> None:
        async with scene(tmp_path, order=Order.TERMINAL) as it:
            keys = [f"k{i}" for i in range(8)]
            for key in keys:
                await it.hand_over(key)
            for key in keys:
                await it.reaches(key, State.POSTED, 0)
            assert it.ledger() == keys

    asyncio.run(story())


@pytest.mark.parametrize("state", [ChannelState.DISABLED, ChannelState.SHADOW])
def test_a_switched_off_uplink_records_and_sends_nothing(
    tmp_path: Path, state: ChannelState
) -> None:
    """The kill switch, and the pilot's shadow; a request still lapses in time."""

    async def story() -> None:
        async with scene(tmp_path, switched=state) as it:
            await it.hand_over("advice")
            await it.hand_over(
                "request",
                posting=Posting.REQUEST,
                send_before=it.clock.now().at + timedelta(seconds=20),
            )
            await it.reaches("request", State.LAPSED)
            assert (await it.now("advice")).state is State.QUEUED
            assert it.ledger() == []

    asyncio.run(story())


def test_money_rule_2_requests_lapse_and_advices_follow_late(tmp_path: Path) -> None:
    """The host comes back after a day: advices are posted, the request never was and never is."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            limit = it.clock.now().at + timedelta(seconds=30)
            await it.hand_over("request", posting=Posting.REQUEST, send_before=limit)
            await it.hand_over("advice")
            await it.reaches("request", State.LAPSED)
            it.clock.advance(86_400)
            await it.fault("none")
            await it.reaches("advice", State.POSTED, 60)
            assert it.ledger() == ["advice"]

    asyncio.run(story())


def test_forward_now_does_not_wait_for_the_back_off(tmp_path: Path) -> None:
    """A technician mended the line and does not want to wait five minutes."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            await it.hand_over("k1")

            async def deep() -> bool:
                return it.runner.channel.failures >= 6

            await it.until(deep, 60)
            await it.fault("none")
            it.runner.kick()
            await it.reaches("k1", State.POSTED, 0)

    asyncio.run(story())


def test_what_is_held_in_doubt_is_only_asked_about(tmp_path: Path) -> None:
    """Rule 8: after damage a status query may end a payment; nothing is sent by itself."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("refuse")
            there = await it.hand_over("there")
            absent = await it.hand_over("absent")
            for record in (there, absent):
                await it.store.advance(
                    record.seq, record.version, Change(event=Event.DAMAGE, cause="queue.held")
                )
            await it.fault("none")
            await post_directly(it, "there")
            await it.reaches("there", State.POSTED)

            async def denied() -> bool:
                return not (await it.now("absent")).in_doubt

            await it.until(denied, 30)
            assert (await it.now("absent")).state is State.HELD
            assert it.ledger() == ["there"]

    asyncio.run(story())


async def post_directly(it: Scene, key: str) -> None:
    """As an earlier journal would have: the host has the payment already."""
    record = await it.now(key)

    async def nothing() -> None:
        return None

    await it.runner._attempts._uplink.post(record, await it.store.payload(record), 1, nothing)


def test_u21_an_outcome_that_finds_the_disk_full_is_kept_and_committed_later(
    tmp_path: Path,
) -> None:
    """The host's proof is not thrown away because a log filled the flash."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            real = it.store.advance
            refusals = 0

            async def full(seq: int, version: int, change: Change):  # type: ignore[no-untyped-def]
                nonlocal refusals
                if change.event is Event.POSTED and refusals < 2:
                    refusals += 1
                    raise StoreError("store.full", "no space")
                return await real(seq, version, change)

            it.store.advance = full  # type: ignore[method-assign]
            await it.hand_over("k1")
            await it.reaches("k1", State.POSTED)
            assert refusals == 2
            assert it.ledger() == ["k1"]

    asyncio.run(story())


def test_stopping_in_mid_attempt_leaves_doubt_and_the_next_start_finds_out(tmp_path: Path) -> None:
    """The answer never came; the payment is in doubt, asked about, posted once."""

    async def story() -> None:
        async with scene(tmp_path) as it:
            await it.fault("black_hole_after")
            await it.hand_over("k1")

            async def arrived() -> bool:
                return bool(it.ledger())

            await it.until(arrived, 0)
        async with opened(tmp_path) as store:
            record = await store.record("k1")
            assert record is not None
            assert (record.state, record.in_doubt) == (State.WAITING, True)

    asyncio.run(story())


def test_a_host_that_cannot_be_asked_gets_the_same_key_inside_its_window(tmp_path: Path) -> None:
    """No status query: resend inside the window, hold beyond it."""

    async def story() -> None:
        async with scene(tmp_path, status_query=False) as it:
            await it.fault("drop_after", times=1)
            await it.hand_over("young")
            await it.reaches("young", State.POSTED)
            await it.fault("drop_after", times=1)
            await it.hand_over("old")

            async def doubtful() -> bool:
                return (await it.now("old")).in_doubt

            await it.until(doubtful, 0)
            it.clock.advance(86_400)
            record = await it.reaches("old", State.HELD)
            assert "forgotten the key" in record.note
            assert it.ledger() == ["young", "old"]

    asyncio.run(story())


def test_three_hundred_payments_drain_once_each(tmp_path: Path) -> None:
    """Wide open: every payment is posted exactly once and the backlog is empty."""

    async def story() -> None:
        async with scene(tmp_path, width=8) as it:
            await asyncio.gather(*(it.hand_over(f"k{i}") for i in range(300)))

            async def drained() -> bool:
                return (await it.store.backlog()).total.count == 0

            await it.until(drained, 0)
            assert sorted(it.ledger()) == sorted(f"k{i}" for i in range(300))

    asyncio.run(story())
