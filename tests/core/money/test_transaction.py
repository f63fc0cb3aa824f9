"""What a payment is: its fingerprint, its digest, its lane."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.money.lanes import Order, lane_of, root_of, terminal_lanes
from agent.core.money.transaction import (
    Card,
    CustomerSaw,
    Kind,
    Payload,
    fingerprint,
    payload_digest,
)
from tests.core.money.payments import AT, submission, transaction

SECRET = b"s" * 32


@pytest.mark.parametrize(
    "change",
    [
        {"terminal_id": "T2"},
        {"amount_minor": 1251},
        {"currency": "USD"},
        {"kind": Kind.REFUND},
        {"stan": None},
        {"covers": ("a", "b")},
        {"occurred_at": AT + timedelta(seconds=1)},
        {"posted_amount_minor": 5},
    ],
)
def test_another_business_content_is_another_fingerprint(change: dict[str, object]) -> None:
    """L3: one key is one payment."""
    assert fingerprint(transaction(), SECRET) != fingerprint(transaction(**change), SECRET)


def test_what_may_honestly_differ_between_repeats_is_left_out() -> None:
    """An app that crashed and was updated still hands over the same payment."""
    again = transaction(
        attempts=3, first_attempt_at=AT, send_before=AT, rrn="1", card=Card(scheme="visa"),
        customer_saw=CustomerSaw.APPROVED,
    )  # fmt: skip
    assert fingerprint(again, SECRET) == fingerprint(transaction(), SECRET)


def test_fields_cannot_run_together() -> None:
    """("ab", "c") and ("a", "bc") are different lists."""
    one = transaction(stan="12", batch="3")
    two = transaction(stan="1", batch="23")
    assert fingerprint(one, SECRET) != fingerprint(two, SECRET)


def test_every_byte_handed_over_is_in_the_digest() -> None:
    """The payload, its type, the query and each reversal."""
    plain = submission()
    others = [
        replace(plain, payload=Payload(content_type="application/json", body=b"other")),
        replace(plain, payload=Payload(content_type="text/plain", body=plain.payload.body)),
        replace(plain, query_payload=b"q"),
        replace(plain, reversal_payloads={"98": b"r"}),
    ]
    digests = {payload_digest(it, SECRET) for it in (plain, *others)}
    assert len(digests) == 5
    assert payload_digest(plain, b"t" * 32) not in digests


def test_a_payment_and_all_that_refers_to_it_share_a_lane() -> None:
    """Order inside a lane, never across lanes."""
    sale = transaction("sale")
    void = transaction("void", refers_to="sale", kind=Kind.VOID)
    assert lane_of(sale, Order.PAYMENT, None) is None
    assert lane_of(void, Order.PAYMENT, None) == "p:sale"
    assert lane_of(transaction("rev", refers_to="void"), Order.PAYMENT, "sale") == "p:sale"
    assert lane_of(sale, Order.TERMINAL, None) == "t:host:T0000001"
    assert terminal_lanes("host") == ("t:host:", "t:host;")
    assert root_of("void", "p:sale") == "sale"
    assert root_of("sale", None) == "sale"
    assert root_of("sale", "t:T0000001") == "sale"
