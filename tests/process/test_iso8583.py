"""The real daemon against the simulated acquirer: money in, money posted, money taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.sim.acquirer import AcquirerThread
from agent.sim.acquirer_book import sums
from agent.sim.acquirer_faults import Fault
from agent.sim.terminal import PaymentApp, part
from tests.process.daemon import Daemon, call, wait_until

pytestmark = pytest.mark.process

QUICK = {
    "backoff_base_s": 0.1,
    "backoff_cap_s": 0.5,
    "host_in_flight_s": 1,
    "answer_timeout_s": 1.0,
    "connect_timeout_s": 2.0,
    "pause_s": 1.0,
}


@pytest.fixture
def host() -> Iterator[AcquirerThread]:
    with AcquirerThread() as thread:
        yield thread


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    with Daemon() as daemon:
        yield daemon


def started(daemon: Daemon, host: AcquirerThread, **changes: object) -> Daemon:
    daemon.configure(host.acquirer.profile(**{**QUICK, **changes}))
    return daemon.start()


def settled(daemon: Daemon, key: str, *states: str) -> dict[str, Any]:
    """The record once it is in one of these states."""

    def found() -> dict[str, Any] | None:
        record = daemon.record(key)
        return record if record.get("state") in states else None

    record: dict[str, Any] = wait_until(found, f"{key} is {states}: {daemon.record(key)}")
    return record


def test_a_day_at_the_till(daemon: Daemon, host: AcquirerThread) -> None:
    """Sale, void, advice, batch upload and settlement reach the acquirer, each exactly once."""
    started(daemon, host)
    app = PaymentApp()
    sale = app.sale("sale-1", 1250)
    assert daemon.submit(sale).status == 201
    assert settled(daemon, "sale-1", "posted")["result"]["response_code"] == "00"
    assert daemon.submit(app.void("void-1", "sale-1", sale["stan"])).status == 201
    settled(daemon, "void-1", "posted")
    assert daemon.submit(app.advice("advice-1", 300)).status == 201
    assert daemon.submit(app.batch_upload("batch-1", ["advice-1"])).status == 201
    assert daemon.submit(app.settlement("settle-1")).status == 201
    daemon.wait_drained()
    total = sums(host.acquirer.book.entries())
    assert (total.posted, total.uploaded, total.settled, total.duplicates) == (3, 1, 1, ())
    assert host.acquirer.seen["line"] == 1, "one connection for all of it"


def test_an_unanswered_sale_is_taken_back(daemon: Daemon, host: AcquirerThread) -> None:
    """No answer, no query message, time over: the reversal goes out before the next payment."""
    started(daemon, host, on_unknown="reverse")
    host.apply(Fault.named("black_hole_after", only="payment", times=1))
    app = PaymentApp()
    soon = datetime.now(UTC) + timedelta(seconds=2)
    assert daemon.submit(app.sale("sale-1", 1250, send_before=soon.isoformat())).status == 201
    assert daemon.submit(app.sale("sale-2", 700)).status == 201
    record = settled(daemon, "sale-1", "reversed")
    assert record["cause"] == "reversal.completed"
    assert daemon.record("sale-1-rev")["result"]["response_code"] == "00"
    settled(daemon, "sale-2", "posted")
    entries = [(entry.what, entry.stan) for entry in host.acquirer.book.entries()]
    assert entries == [("posted", "000001"), ("reversed", "000001"), ("posted", "000002")]
    assert sums(host.acquirer.book.entries()).net_minor == 700


def test_issuer_down_ends_a_request_and_delays_an_advice(
    daemon: Daemon, host: AcquirerThread
) -> None:
    """Field 39 = 91: the request is declined, the advice goes out again until it is posted."""
    started(daemon, host)
    app = PaymentApp()
    host.apply(Fault.named("code", code="91"))
    daemon.submit(app.sale("sale-1"))
    assert settled(daemon, "sale-1", "declined")["cause"] == "issuer.unavailable"
    daemon.submit(app.advice("advice-1"))
    wait_until(lambda: daemon.record("advice-1")["sent"] >= 2, "the advice was tried again")
    host.apply(Fault())
    settled(daemon, "advice-1", "posted")


def test_lost_keys_are_mended_by_the_app(daemon: Daemon, host: AcquirerThread) -> None:
    """A0 to an advice: held, its payload replaced after a new sign-on, then posted."""
    started(daemon, host)
    app = PaymentApp()
    host.apply(Fault.named("code", code="A0"))
    advice = app.advice("advice-1")
    daemon.submit(advice)
    assert settled(daemon, "advice-1", "held")["cause"] == "config.not_signed_on"
    host.apply(Fault())
    fresh = app.message("0220", advice["stan"], amount=1250, f64="FF" * 8)
    body = json.dumps({"payload": part(fresh)}).encode()
    answer = call(daemon.socket, "PUT", "/v1/transactions/advice-1/payload", body)
    assert answer.status == 200, answer.body
    record = settled(daemon, "advice-1", "posted")
    assert record["payload_version"] == 2
    assert daemon.submit(advice).status == 200, "the first hand-over repeated is still the same"


def test_a_wrong_mac_is_reported_by_the_app(daemon: Daemon, host: AcquirerThread) -> None:
    """An approval the app cannot trust is reversed with A0, and the sale becomes reversed."""
    started(daemon, host)
    app = PaymentApp()
    daemon.submit(app.sale("sale-1"))
    settled(daemon, "sale-1", "posted")
    answer = daemon.post("/v1/transactions/sale-1/reverse", {"reason": "A0"})
    assert (answer.status, answer.json["key"]) == (200, "sale-1-rev")
    settled(daemon, "sale-1", "reversed")
    assert sums(host.acquirer.book.entries()).net_minor == 0
    assert daemon.post("/v1/transactions/sale-1/reverse", {"reason": "A0"}).status == 200


def test_clear_card_data_is_refused_and_the_key_stays_usable(
    daemon: Daemon, host: AcquirerThread
) -> None:
    """Field 2 in clear: 422 naming the field, nothing stored, and the same key works without it."""
    started(daemon, host)
    app = PaymentApp()
    refused = daemon.submit(app.sale("sale-1", f2="6222021234567890"))
    assert (refused.status, refused.code) == (422, "card.clear_data")
    assert refused.json["field"] == "payload:2"
    assert refused.json["recorded"] == "no"
    assert daemon.submit(app.sale("sale-1")).status == 201
    settled(daemon, "sale-1", "posted")
    assert "6222021234567890" not in daemon.log()


def test_a_killed_daemon_finds_out_before_it_goes_on(daemon: Daemon, host: AcquirerThread) -> None:
    """Killed while an advice is under way: the same bytes once more, one posting."""
    started(daemon, host)
    host.apply(Fault.named("black_hole_after", times=1))
    daemon.submit(PaymentApp().advice("advice-1"))
    wait_until(lambda: host.acquirer.seen["0220"] == 1, "the acquirer has it")
    daemon.kill()
    daemon.start()
    settled(daemon, "advice-1", "posted")
    total = sums(host.acquirer.book.entries())
    assert (total.posted, total.duplicates) == (1, ())
