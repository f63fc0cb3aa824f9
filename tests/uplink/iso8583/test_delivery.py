"""Store, uploader and acquirer together: what becomes of a payment at every bad turn."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.clock import SystemClock
from agent.config import Iso8583Uplink as Config
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.lanes import Order
from agent.core.money.transaction import Kind, Payload, Posting, Submission
from agent.link.dial import Dialer
from agent.link.fault import cause_of
from agent.sim.acquirer import LAYOUT, Acquirer, AcquirerOptions
from agent.sim.acquirer_book import sums
from agent.sim.acquirer_faults import Fault
from agent.sim.certificates import make_certificates
from agent.sim.terminal import CONTENT_TYPE, PaymentApp
from agent.store import Store
from agent.store.prepared import Prepared
from agent.supervise import DaemonThreads
from agent.uplink import Ports, Uploader, build
from tests.core.money.payments import transaction


class Terminal:
    """A terminal with a real store and a real uploader."""

    def __init__(self, store: Store, uploader: Uploader, acquirer: Acquirer) -> None:
        self.store = store
        self.uploader = uploader
        self.acquirer = acquirer
        self.prepared = Prepared(store, SystemClock())
        self.app = PaymentApp()
        self._changed = asyncio.Condition()
        store.on_change(lambda _: self._poke())
        self._pokes: set[asyncio.Task[None]] = set()

    def _poke(self) -> None:
        async def tell() -> None:
            async with self._changed:
                self._changed.notify_all()

        task = asyncio.get_running_loop().create_task(tell())
        self._pokes.add(task)
        task.add_done_callback(self._pokes.discard)

    async def take(self, body: Mapping[str, Any], **changes: Any) -> Record:
        """Hand over what the app built."""

        def raw(given: Mapping[str, str]) -> bytes:
            return base64.b64decode(given["base64"])

        now = SystemClock().now().at
        limit_s = changes.pop("limit_s", None)
        if limit_s is not None:
            changes["send_before"] = now + timedelta(seconds=limit_s)
        query = changes.pop("query", None)
        reversals = {r: raw(p) for r, p in body.get("reversal_payloads", {}).items()}
        reversals = changes.pop("reversals", reversals)
        submission = Submission(
            transaction=transaction(
                body["key"],
                **{
                    "kind": Kind(body["kind"]),
                    "posting": Posting(body["posting"]),
                    "stan": body["stan"],
                    "amount_minor": body.get("amount_minor"),
                    "currency": body.get("currency"),
                    "refers_to": body.get("refers_to"),
                    "covers": tuple(body.get("covers", ())),
                    "reversal_key": body.get("reversal_key"),
                    "occurred_at": now,
                    **changes,
                },
            ),
            payload=Payload(content_type=CONTENT_TYPE, body=raw(body["payload"])),
            query_payload=query,
            reversal_payloads=reversals,
        )
        return (await self.store.append(submission)).record

    async def until(self, key: str, wanted: Callable[[Record], bool]) -> Record:
        """The record once it is as wanted."""
        async with asyncio.timeout(15):
            while True:
                record = await self.store.record(key)
                if record is not None and wanted(record):
                    return record
                async with self._changed:
                    try:
                        async with asyncio.timeout(0.2):
                            await self._changed.wait()
                    except TimeoutError:
                        continue

    async def settles(self, key: str, *states: State) -> Record:
        return await self.until(key, lambda record: record.state in states)


@asynccontextmanager
async def terminal(path: Path, options: AcquirerOptions | None = None, **keys: Any) -> Any:
    acquirer = Acquirer(options)
    await acquirer.start()
    values: dict[str, Any] = {
        "name": "host", "host": "127.0.0.1", "port": acquirer.port, "tls": False,
        "tpdu": LAYOUT.tpdu.hex(), "header": LAYOUT.header.hex(), "answer_timeout_s": 0.3,
        "backoff_base_s": 0.05, "backoff_cap_s": 0.2, "host_in_flight_s": 1, "pause_s": 0.2,
    }  # fmt: skip
    config = Config(**{**values, **keys})
    clock = SystemClock()
    store = Store(path, clock, {"host": Order(config.order)})
    await store.start()
    prepared = Prepared(store, clock)
    ports = Ports(
        journal=store, clock=clock, draw=random.Random(1).random, reverse=prepared.reverse
    )
    threads = DaemonThreads()
    uploader = build(
        [config], ports, dial=lambda _: Dialer(threads), cause_of=cause_of, prepared=prepared
    )
    store.on_change(uploader.changed)
    stop = asyncio.Event()
    running = asyncio.create_task(uploader.run(stop))
    try:
        yield Terminal(store, uploader, acquirer)
    finally:
        stop.set()
        await running
        store.stop()
        await acquirer.close()


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
