"""Records for tests: one plain advice of 12.50 CNY, varied by keyword."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from agent.core.moment import Stamp
from agent.core.money.journal import Record, State
from agent.core.money.transaction import Kind, Payload, Posting, Submission, Transaction

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)


def transaction(key: str = "k1", **changes: Any) -> Transaction:
    """A sale already approved off-line."""
    plain = Transaction(
        key=key,
        terminal_id="T0000001",
        merchant_id="M00000000000001",
        kind=Kind.SALE,
        posting=Posting.ADVICE,
        occurred_at=AT,
        uplink="host",
        amount_minor=1250,
        currency="CNY",
        stan="000123",
        batch="000001",
    )
    return replace(plain, **changes)


def submission(key: str = "k1", body: bytes = b'{"sale":1}', **changes: Any) -> Submission:
    return Submission(
        transaction=transaction(key, **changes),
        payload=Payload(content_type="application/json", body=body),
    )


def record(key: str = "k1", *, of: dict[str, Any] | None = None, **changes: Any) -> Record:
    """A queued record; `of` varies the transaction, keywords vary the row."""
    plain = Record(
        seq=1, transaction=transaction(key, **(of or {})), state=State.QUEUED, in_doubt=False,
        version=1, sent=0, tried=0, cause="", note="", stored_at=AT, changed_at=AT,
        next_wall_ms=0, next_boot_ms=0, boot_no=1, lane=None,
        stored=Stamp(1_795_000_000_000, 100_000, 1),
    )  # fmt: skip
    return replace(plain, **changes)
