"""The payments of the bench: an advice with a payload of 512 bytes, one for each number."""

from __future__ import annotations

import json
from datetime import UTC, datetime

TERMINAL, MERCHANT, AMOUNT = "T0000001", "M00000000000001", 1250
PAYLOAD_BYTES = 512
#: What a till says of a sale; article numbers have 13 digits, which a search for cards must read.
_LINES = (
    '{"article":"6901234567892","name":"绿茶 500ml","quantity":2,"unit_minor":350},'
    '{"article":"6923450657713","name":"饼干","quantity":1,"unit_minor":550}'
)


def text(number: int) -> str:
    """The payload's 512 bytes."""
    start = (
        f'{{"order":"A-20261122-{number:08d}","till":"3","cashier":"0042","total_minor":1250,'
        f'"currency":"CNY","paid_at":"2026-11-22T10:11:12.345+08:00","lines":[{_LINES}],"note":"'
    )
    return start + "x" * (PAYLOAD_BYTES - len(start.encode()) - 2) + '"}'


def submission(key: str, number: int) -> bytes:
    """The body of `POST /v1/transactions`."""
    return json.dumps(
        {
            "key": key,
            "terminal_id": TERMINAL,
            "merchant_id": MERCHANT,
            "kind": "sale",
            "posting": "advice",
            "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "amount_minor": AMOUNT,
            "currency": "CNY",
            "stan": f"{number % 1_000_000:06d}",
            "customer_saw": "approved",
            "payload": {"content_type": "application/json", "text": text(number)},
        },
        ensure_ascii=False,
    ).encode()


def headers(key: str) -> dict[str, str]:
    """What the uplink sends beside the body."""
    return {
        "Idempotency-Key": key,
        "Content-Type": "application/json",
        "Accept": "application/json",
        "Terminal-Id": TERMINAL,
        "Merchant-Id": MERCHANT,
        "Transaction-Kind": "sale",
        "Transaction-Posting": "advice",
        "Attempt": "1",
        "Transaction-Amount": f"{AMOUNT} CNY",
        "Accept-Encoding": "identity",
    }
