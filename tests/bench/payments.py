"""The payments of the bench: an advice with a payload of 512 bytes, one for each number."""

from __future__ import annotations

import json
from datetime import UTC, datetime

_FILLER = "x" * 512
TERMINAL, MERCHANT, AMOUNT = "T0000001", "M00000000000001", 1250


def text(number: int) -> str:
    """The payload's 512 bytes."""
    start = f'{{"order":"A-{number:08d}","note":"'
    return start + _FILLER[: 512 - len(start) - 2] + '"}'


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
        }
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
