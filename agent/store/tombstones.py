"""Keys of forgotten payments: they outlive the rows, so that a key is never posted twice.

Each carries a MAC. One that was altered still refuses its key: a key that was ever taken is not
free again because a bit has changed. On the writer's thread, laid by retention, met by the journal.
"""

from __future__ import annotations

import hmac
import sqlite3

from agent.core.money.journal import Record, State
from agent.errors import CallerError
from agent.store.rows import NUMBER, STATES, Sealer
from agent.store.sql import QUERIES
from agent.store.table import Table

Stone = tuple[str, int, int, bytes, bytes]


def lay(table: Table, record: Record, final_ms: int, prints: tuple[bytes, bytes]) -> None:
    """Keep the key of a record that is about to be forgotten, with its two fingerprints."""
    stone = (record.key, NUMBER[record.state], final_ms, *prints)
    table.db.execute(QUERIES["add_tombstone"], (*stone, _mac(table.sealer, stone)))


def genuine(sealer: Sealer, row: sqlite3.Row) -> bool:
    """Whether a row of the table `tombstone` is as it was written."""
    *stone, mac = tuple(row)
    try:
        return hmac.compare_digest(_mac(sealer, tuple(stone)), mac)
    except (TypeError, AttributeError, ValueError):
        return False


def refused(sealer: Sealer, row: sqlite3.Row, business: bytes, digest: bytes) -> CallerError:
    """What is said to a payment under such a key."""
    key = row["key"]
    if not genuine(sealer, row):
        return CallerError(
            "key.retired",
            f"key {key} was used long ago, and what was kept of it has been altered",
            "ask the host about this key; use a new key only for a new payment",
        )
    if (row["business_fp"], row["payload_fp"]) != (business, digest):
        return mismatch(key)
    state = STATES[row["state"]]
    return CallerError(
        "key.retired",
        f"key {key} was {state} long ago and its record has been pruned",
        "it is at the host already; do not send it again"
        if state is State.POSTED
        else "it has ended; use a new key only for a new payment",
    )


def mismatch(key: str) -> CallerError:
    """One key, two payments."""
    return CallerError(
        "key.mismatch",
        f"key {key} already belongs to a payment with other content",
        "one key is one payment: look the key up, and use a new key only for a new payment",
    )


def _mac(sealer: Sealer, stone: Stone) -> bytes:
    key, state, final_ms, business_fp, payload_fp = stone
    prints = (bytes(business_fp).hex(), bytes(payload_fp).hex())
    return sealer.line("tombstone", (key, state, final_ms, *prints))
