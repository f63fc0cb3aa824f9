"""Store, uploader and acquirer together: what becomes of a payment at every bad turn."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from agent.core.money.journal import Change, Event, State
from agent.sim.acquirer import AcquirerOptions
from agent.sim.acquirer_book import sums
from agent.sim.acquirer_faults import Fault
from agent.sim.certificates import make_certificates
from tests.uplink.iso8583.terminal import terminal


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


def test_asked_and_found_the_payment_is_posted(tmp_path: Path) -> None:
    """No answer to the sale; the app's query message finds it; nothing is sent twice."""

    async def story() -> None:
        async with terminal(tmp_path, query_codes={"94": "posted"}) as t:
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            sale = t.app.sale("sale")
            query = base64.b64decode(sale["payload"]["base64"])
            await t.take(sale, query=query)
            record = await t.settles("sale", State.POSTED)
            assert record.sent == 1
            assert sums(t.acquirer.book.entries()).posted == 1

    run(story)


def test_asked_and_not_found_it_is_taken_back_when_time_is_over(tmp_path: Path) -> None:
    """Rule 5 with a query: not found once and the customer gone is enough to reverse."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="reverse") as t:
            await t.acquirer.apply(Fault.named("black_hole", times=1))
            sale = t.app.sale("sale")
            query = t.app.message("0200", sale["stan"], amount=1250, f61="000001999999")
            await t.take(sale, query=query, limit_s=0.8)
            record = await t.settles("sale", State.REVERSED)
            assert "does not know it" in record.note
            reversal = await t.store.record("sale-rev")
            assert reversal is not None
            assert reversal.transaction.stan == sale["stan"]

    run(story)


@pytest.mark.parametrize("code", ["68", "94", "98", "ZZ"])
def test_an_open_answer_to_an_advice_is_never_sent_again(tmp_path: Path, code: str) -> None:
    """68, 94, 98 and codes nobody knows: held in doubt after one attempt."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="resend") as t:
            await t.acquirer.apply(Fault.named("code_after", code=code))
            await t.take(t.app.advice("advice"))
            record = await t.settles("advice", State.HELD)
            assert (record.sent, record.in_doubt) == (1, True)
            assert record.result is not None
            assert record.result.response_code == code

    run(story)


def test_an_unknown_outcome_without_a_way_to_ask_or_reverse_is_held(tmp_path: Path) -> None:
    """A request is not sent again by STAN."""

    async def story() -> None:
        async with terminal(tmp_path) as t:
            await t.acquirer.apply(Fault.named("drop_after"))
            await t.take(t.app.sale("sale"), reversal_key=None, reversals={})
            record = await t.settles("sale", State.HELD)
            assert (record.sent, record.in_doubt) == (1, True)
            assert "charge twice" in record.note

    run(story)


def test_a_reversal_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    """The app prepared only A0, which nobody reported: held with that reason."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="reverse") as t:
            await t.acquirer.apply(Fault.named("drop_after"))
            await t.take(t.app.sale("sale"), reversals={"A0": b"x"}, limit_s=0.5)
            record = await t.settles("sale", State.HELD)
            assert "no reversal for reason 98" in record.note

    run(story)


def test_an_advice_is_repeated_until_it_is_through(tmp_path: Path) -> None:
    """Lost answers, a dead host, a host at its cut-off: one posting in the end."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="resend") as t:
            for fault in ("drop_after", "refuse", "black_hole_after"):
                await t.acquirer.apply(Fault.named(fault))
                key = f"after-{fault}"
                await t.take(t.app.advice(key))
                await t.until(key, lambda r: r.tried >= 1 or r.state is State.QUEUED)
                await t.acquirer.apply(Fault.named("code", code="90", times=2))
                await t.settles(key, State.POSTED)
            total = sums(t.acquirer.book.entries())
            assert (total.posted, total.duplicates) == (3, ())

    run(story)


def test_a_late_answer_settles_a_payment_that_waits(tmp_path: Path) -> None:
    """U20: the approval comes after the deadline and before anything else was done."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="reverse", host_in_flight_s=30) as t:
            await t.acquirer.apply(Fault.named("delay", delay_s=0.6, times=1))
            await t.take(t.app.sale("sale"))
            record = await t.settles("sale", State.POSTED)
            assert record.sent == 1
            assert await t.store.record("sale-rev") is None

    run(story)


def test_an_approval_after_the_reversal_is_history(tmp_path: Path) -> None:
    """Rule 5: the sale ends reversed although its approval came in between."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="hold") as t:
            await t.acquirer.apply(Fault.named("delay", delay_s=0.8, times=1, only="payment"))
            await t.take(t.app.sale("sale"))
            await t.until("sale", lambda r: r.state in (State.WAITING, State.HELD))
            await t.prepared.reverse("sale", "06")
            record = await t.settles("sale", State.REVERSED)
            assert record.cause == "reversal.completed"
            assert sums(t.acquirer.book.entries()).net_minor == 0

    run(story)


def test_a_batch_upload_past_its_cut_off_asks_a_person(tmp_path: Path) -> None:
    """Held with the choice; released it goes out, and what it covers is not sent any more."""

    async def story() -> None:
        async with terminal(tmp_path, batch_wait_s=0.3) as t:
            await t.acquirer.apply(Fault.named("code", code="A0", only="payment"))
            await t.take(t.app.advice("advice"))
            await t.settles("advice", State.HELD)
            await t.take(t.app.batch_upload("batch", ["advice"]))
            batch = await t.settles("batch", State.HELD)
            assert batch.cause == "settlement.batch_not_closed"
            release = Change(event=Event.RELEASE, cause=batch.cause)
            await t.store.advance(batch.seq, batch.version, release)
            await t.settles("batch", State.POSTED)
            assert sums(t.acquirer.book.entries()).uploaded == 1

    run(story)


def test_a_batch_upload_goes_by_itself_when_all_it_covers_is_through(tmp_path: Path) -> None:
    """Nobody is asked."""

    async def story() -> None:
        async with terminal(tmp_path) as t:
            await t.take(t.app.batch_upload("batch", ["advice"]), batch="000001")
            await t.take(t.app.advice("advice"))
            await t.settles("batch", State.POSTED)
            whats = [entry.what for entry in t.acquirer.book.entries()]
            assert sorted(whats) == ["posted", "uploaded"]

    run(story)


def test_bytes_that_are_no_message_are_held_unsent_and_open_no_channel(tmp_path: Path) -> None:
    """The profile was changed under a payment: our own word on it is not the host's."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="resend") as t:
            await t.take(t.app.advice("good"))
            await t.settles("good", State.POSTED)
            channel = t.uploader.runners["host"].channel
            before = (channel.passed, channel.last_success_wall_ms)
            advice = t.app.advice("worse")
            advice["payload"] = {"base64": base64.b64encode(b"no message").decode()}
            await t.take(advice)
            record = await t.settles("worse", State.HELD)
            assert (record.cause, record.sent, record.in_doubt) == ("host.format_error", 0, False)
            assert (channel.passed, channel.last_success_wall_ms) == before

    run(story)


def test_one_payment_nobody_can_ask_about_says_nothing_of_the_next(tmp_path: Path) -> None:
    """The first came without a question and is held; the second's is put, and finds it posted."""

    async def story() -> None:
        async with terminal(tmp_path, query_codes={"94": "posted"}) as t:
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            await t.take(t.app.sale("mute"), reversal_key=None, reversals={})
            await t.settles("mute", State.HELD)
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            sale = t.app.sale("sale")
            await t.take(sale, query=base64.b64decode(sale["payload"]["base64"]))
            record = await t.settles("sale", State.POSTED)
            assert record.sent == 1

    run(story)


def test_the_time_of_an_automatic_reversal_is_not_slept_through(tmp_path: Path) -> None:
    """It cannot be asked about and may not be taken back yet: looked at again when it may."""

    async def story() -> None:
        async with terminal(tmp_path, on_unknown="reverse", host_in_flight_s=2) as t:
            await t.acquirer.apply(Fault.named("drop_after", times=1))
            await t.take(t.app.sale("sale"))
            await t.settles("sale", State.REVERSED)

    run(story)


def test_an_unknown_terminal_pauses_the_channel(tmp_path: Path) -> None:
    """97 to an advice: not its fault, not counted; the channel waits to be mended."""

    async def story() -> None:
        async with terminal(tmp_path) as t:
            await t.acquirer.apply(Fault.named("code", code="97"))
            await t.take(t.app.advice("advice"))
            await t.until("advice", lambda r: r.cause == "config.device_unregistered")
            channel = t.uploader.runners["host"].channel
            assert (channel.state, channel.cause) == ("paused", "config.device_unregistered")
            await t.acquirer.apply(Fault())
            record = await t.settles("advice", State.POSTED)
            assert record.tried == 1

    run(story)


def test_over_tls(tmp_path: Path) -> None:
    """The same through the real dialer, with certificates checked on both sides."""

    async def story() -> None:
        made = make_certificates(tmp_path / "certs")
        options = AcquirerOptions(
            cert_file=made.host_cert_file,
            key_file=made.host_key_file,
            client_ca_file=made.ca_file,
        )
        keys = {
            "tls": True, "host": "localhost", "ca_file": str(made.ca_file),
            "cert_file": str(made.terminal_cert_file), "key_file": str(made.terminal_key_file),
        }  # fmt: skip
        async with terminal(tmp_path / "state", options, **keys) as t:
            await t.take(t.app.advice("advice"))
            await t.settles("advice", State.POSTED)

    run(story)


#: Every way a line or a host loses, spoils or doubles an answer.
MIX = {
    "drop_before": 0.1, "drop_after": 0.1, "truncated": 0.05, "garbage": 0.03, "wrong_stan": 0.03,
    "wrong_tpdu": 0.03, "twice": 0.1, "split": 0.1, "still_there": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("broken", [False, True])
def test_exactly_once_through_a_bad_line(tmp_path: Path, broken: bool) -> None:
    """40 advices through every fault: each posted once. A host that ignores repeats must show
    duplicates, or this test could not see any."""

    async def story() -> None:
        options = AcquirerOptions(ignore_duplicates=broken, sync=False)
        async with terminal(tmp_path, options, order="payment") as t:
            await t.acquirer.apply_mix(MIX, seed=39)
            for number in range(40):
                await t.take(t.app.advice(f"a{number}"))
            for number in range(40):
                record = await t.settles(f"a{number}", State.POSTED, State.HELD)
                if record.state is State.HELD:  # five spoilt answers in a row
                    release = Change(event=Event.RELEASE, cause=record.cause)
                    await t.store.advance(record.seq, record.version, release)
                    await t.settles(f"a{number}", State.POSTED)
            total = sums(t.acquirer.book.entries())
            assert bool(total.duplicates) is broken
            assert len({e.stan for e in t.acquirer.book.entries()}) == 40
            assert broken or (total.posted, total.net_minor) == (40, 50_000)

    run(story)
