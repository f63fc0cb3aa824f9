"""What a payment app may send wrongly: a stable code each time, and nothing stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.sim.host import HostThread
from tests.process.daemon import Daemon, call, payment

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    """One daemon without an uplink for all refusals: none of them may leave a trace."""
    with Daemon() as daemon:
        yield daemon.start()
        assert daemon.stop() == 0


def raw(**changes: Any) -> bytes:
    return json.dumps(payment(**changes)).encode()


def with_literal(field: str, literal: str) -> bytes:
    """A payment with a number json.dumps would not write."""
    body = json.dumps(payment(**{field: "@@"}))
    return body.replace('"@@"', literal).encode()


BAD: dict[str, tuple[bytes, int, str]] = {
    "no key": (
        json.dumps({name: value for name, value in payment().items() if name != "key"}).encode(),
        400,
        "key.missing",
    ),
    "empty key": (json.dumps(payment() | {"key": ""}).encode(), 400, "key.bad"),
    "key with a blank": (raw(key="a b"), 400, "key.bad"),
    "key of 65 characters": (raw(key="k" * 65), 400, "key.bad"),
    "key with a newline": (raw(key="abc\n"), 400, "request.control_character"),
    "key not a text": (json.dumps(payment() | {"key": 7}).encode(), 400, "key.bad"),
    "key of another script": (raw(key="ключ"), 400, "key.bad"),
    "negative amount": (raw(amount_minor=-1), 400, "amount.bad"),
    "amount of 0": (raw(amount_minor=0), 400, "amount.bad"),
    "amount with a point": (raw(amount_minor=12.5), 400, "amount.bad"),
    "amount with a point and zero": (with_literal("amount_minor", "12.0"), 400, "amount.bad"),
    "amount in exponents": (with_literal("amount_minor", "1e3"), 400, "amount.bad"),
    "amount above 2^53": (raw(amount_minor=2**53 + 1), 400, "amount.bad"),
    "amount above 2^64": (raw(amount_minor=2**64 + 1), 400, "amount.bad"),
    "amount as text": (raw(amount_minor="1250"), 400, "amount.bad"),
    "amount true": (raw(amount_minor=True), 400, "amount.bad"),
    "amount NaN": (with_literal("amount_minor", "NaN"), 400, "request.not_json"),
    "no amount": (raw(amount_minor=None), 422, "amount.missing"),
    "small currency": (raw(currency="cny"), 400, "currency.bad"),
    "no such currency": (raw(currency="ABC"), 400, "currency.bad"),
    "numeric currency": (raw(currency="156"), 400, "currency.bad"),
    "not JSON": (b"amount=1250&currency=CNY", 400, "request.not_json"),
    "half of JSON": (raw()[:-10], 400, "request.not_json"),
    "JSON in UTF-16": (json.dumps(payment()).encode("utf-16"), 400, "request.not_json"),
    "nested too deeply": (b"[" * 100_000 + b"]" * 100_000, 400, "request.not_json"),
    "a list": (b"[" + raw() + b"]", 400, "request.not_object"),
    "nothing": (b"", 400, "request.not_json"),
    "unknown field": (raw(ammount_minor=1250), 400, "request.unknown_field"),
    "payload above 256 KiB": (
        raw(payload={"content_type": "text/plain", "text": "x" * (256 * 1024 + 1)}),
        413,
        "payload.too_large",
    ),
    "body above the limit": (
        raw(payload={"content_type": "text/plain", "text": "x" * 3_000_000}),
        413,
        "request.body_too_large",
    ),
    "clear card number in a field": (raw(rrn="4111111111111111"), 422, "card.clear_data"),
    "clear card number by name": (
        json.dumps(payment() | {"pan": "4111111111111111"}).encode(), 422, "card.clear_data",
    ),
    "clear card number in the mask": (
        raw(card={"scheme": "visa", "masked": "4111111111111111"}), 422, "card.clear_data",
    ),
    "clear card number in the payload": (
        raw(payload={
            "content_type": "application/json", "text": '{"card_number":"4111111111111111"}',
        }),
        422,
        "card.clear_data",
    ),
    "cvv in the payload": (
        raw(payload={"content_type": "application/json", "text": '{"cvv2":"123"}'}),
        422,
        "card.clear_data",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_has_a_stable_code_and_is_not_stored(daemon: Daemon, name: str) -> None:
    """problem+json with the documented code, `recorded: no`, and an empty backlog."""
    body, status, code = BAD[name]
    answer = daemon.submit(body)
    assert (answer.status, answer.code) == (status, code), answer.body
    assert answer.json["status"] == status
    assert answer.json["detail"]
    assert answer.json.get("recorded") in ("no", None)
    assert b"4111111111111111" not in answer.body
    assert daemon.unsent() == 0
    assert "4111111111111111" not in daemon.log()


def test_a_refused_key_stays_usable() -> None:
    """The same key with the mistake corrected is a new payment."""
    with Daemon() as own:
        own.start()
        assert own.submit(payment("k-again", amount_minor=-5)).code == "amount.bad"
        assert own.submit(payment("k-again", rrn="4111111111111111")).code == "card.clear_data"
        assert own.unsent() == 0
        assert own.submit(payment("k-again")).status == 201
        assert own.unsent() == 1


def test_another_media_type_is_refused(daemon: Daemon) -> None:
    """A web form cannot hand over money."""
    body = json.dumps(payment()).encode()
    answer = call(
        daemon.socket, "POST", "/v1/transactions", body, headers={"content-type": "text/plain"}
    )
    assert (answer.status, answer.code) == (415, "request.media_type")
    assert daemon.unsent() == 0


def test_a_clear_card_number_reaches_no_file_of_the_terminal() -> None:
    """Journal, write-ahead log, state and log hold nothing of a refused payment."""
    number = b"4111111111111111"
    with Daemon() as daemon:
        daemon.start()
        assert daemon.submit(payment("k-card", rrn=number.decode())).code == "card.clear_data"
        # The control: what is stored can be found with this very search.
        assert daemon.submit(payment("k-control", rrn="CONTROL-4711")).status == 201
        daemon.kill()
        files = [file for file in daemon.home.rglob("*") if file.is_file()]
        assert [file for file in files if b"CONTROL-4711" in file.read_bytes()]
        assert [file for file in files if number in file.read_bytes()] == []


def test_same_key_and_same_content_answers_the_stored_state() -> None:
    """A repeat is 200 with the state as it stands now, and is posted once."""
    with HostThread() as host, Daemon() as daemon:
        daemon.configure(url=host.host.url)
        daemon.start()
        body = payment("k-same")
        assert daemon.submit(body).status == 201
        daemon.wait_drained()
        again = daemon.submit(body)
        assert (again.status, again.json["state"], again.json["final"]) == (200, "posted", True)
        assert [posting.key for posting in host.host.ledger.postings()] == ["k-same"]


@pytest.mark.parametrize(
    "change",
    [
        {"amount_minor": 1251},
        {"currency": "USD"},
        {"kind": "refund"},
        {"terminal_id": "T0000002"},
        {"payload": {"content_type": "application/json", "text": '{"order":"A-2"}'}},
        {"payload": {"content_type": "text/plain", "text": '{"order":"A-1"}'}},
    ],
    ids=["amount", "currency", "kind", "terminal", "payload", "content type"],
)
def test_same_key_and_other_content_is_422(change: dict[str, Any]) -> None:
    """The stored payment stays as it was."""
    with Daemon() as daemon:
        daemon.start()
        first = payment("k-twice")
        assert daemon.submit(first).status == 201
        answer = daemon.submit(first | change)
        assert (answer.status, answer.code) == (422, "key.mismatch")
        kept = daemon.record("k-twice")
        assert (kept["amount_minor"], kept["currency"], kept["kind"]) == (1250, "CNY", "sale")
        assert daemon.backlog()["total"] == {"count": 1, "by_currency": {"CNY": 1250}}
