"""Journal rows and records: the one place that knows the column order, and the row MAC.

The MAC covers every column, bound to this database and this row: a flipped bit in a merchant
number or a due date is as wrong as an edited state. A swapped row or a row
that `.recover` brought back from the dead does not match (delivery facts, section 2).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
from dataclasses import asdict
from datetime import datetime

from agent.core.moment import Stamp, at_ms, to_ms
from agent.core.money.journal import HostResult, Record, State, Step
from agent.core.money.transaction import (
    App,
    Card,
    CustomerSaw,
    Delivery,
    Kind,
    Posting,
    Transaction,
)

#: Stored as numbers; the order is part of the schema, and the unsent states come first.
STATES: tuple[State, ...] = (
    State.QUEUED,
    State.SENDING,
    State.WAITING,
    State.HELD,
    State.POSTED,
    State.DECLINED,
    State.REVERSED,
    State.VOIDED,
    State.LAPSED,
)
NUMBER = {state: number for number, state in enumerate(STATES)}
FIRST_FINAL = NUMBER[State.POSTED]


class Sealer:
    """Makes and checks row MACs with this terminal's key, bound to one database."""

    def __init__(self, secret: bytes, database_id: bytes) -> None:
        self.secret = secret
        self._base = hashlib.blake2b(database_id, digest_size=16, key=secret, person=b"pos/row")

    def mac(self, record: Record, business_fp: bytes, payload_fp: bytes) -> bytes:
        digest = self._base.copy()
        stamps = (*_stamp_columns(record.first_sent), *_stamp_columns(record.last_sent))
        columns = (inserted_columns(record, b"", business_fp, payload_fp), stamps)
        digest.update(repr(columns).encode())
        return digest.digest()

    def line(self, values: tuple[object, ...]) -> bytes:
        """The MAC of one line of the history: short, because it decides nothing about money."""
        digest = self._base.copy()
        digest.update(b"history" + repr(values).encode())
        return digest.digest()[:8]

    def told(self, table: str, values: tuple[object, ...]) -> bytes:
        """The MAC of a report of the payment app: evidence, so as short as the history's."""
        digest = self._base.copy()
        digest.update(table.encode() + repr(values).encode())
        return digest.digest()[:8]

    def genuine(self, row: sqlite3.Row, record: Record) -> bool:
        expected = self.mac(record, row["business_fp"], row["payload_fp"])
        return hmac.compare_digest(expected, row["mac"])


def _stamp(row: sqlite3.Row, prefix: str) -> Stamp | None:
    wall_ms = row[f"{prefix}_ms"]
    if wall_ms is None:
        return None
    return Stamp(wall_ms, row[f"{prefix}_boot_ms"], row[f"{prefix}_boot_no"])


def _at(wall_ms: int | None) -> datetime | None:
    return None if wall_ms is None else at_ms(wall_ms)


def transaction_of(row: sqlite3.Row) -> Transaction:
    """The business fields of a `tx` row. Raises ValueError or KeyError on a damaged one."""
    card, app, covers = row["card"], row["app"], row["covers"]
    return Transaction(
        key=row["key"],
        terminal_id=row["terminal_id"],
        merchant_id=row["merchant_id"],
        kind=Kind(row["kind"]),
        posting=Posting(row["posting"]),
        occurred_at=at_ms(row["occurred_ms"]),
        uplink=row["uplink"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        posted_amount_minor=row["posted_amount_minor"],
        send_before=_at(row["send_before_ms"]),
        stan=row["stan"],
        batch=row["batch"],
        rrn=row["rrn"],
        refers_to=row["refers_to"],
        covers=tuple(json.loads(covers)) if covers else (),
        first_attempt_at=_at(row["first_attempt_ms"]),
        attempts=row["attempts"],
        reversal_key=row["reversal_key"],
        customer_saw=CustomerSaw(row["customer_saw"]),
        card=Card(**json.loads(card)) if card else None,
        app=App(**json.loads(app)) if app else None,
        delivery=Delivery(row["delivery"]),
    )


def record_of(row: sqlite3.Row) -> Record:
    """A `tx` row as everybody but the store sees it."""
    return Record(
        seq=row["seq"],
        transaction=transaction_of(row),
        state=STATES[row["state"]],
        in_doubt=bool(row["in_doubt"]),
        version=row["version"],
        sent=row["sent"],
        tried=row["tried"],
        cause=row["cause"],
        note=row["note"],
        stored_at=at_ms(row["stored_ms"]),
        changed_at=at_ms(row["changed_ms"]),
        next_wall_ms=row["next_wall_ms"],
        next_boot_ms=row["next_boot_ms"],
        boot_no=row["boot_no"],
        lane=row["lane"],
        stored=Stamp(row["stored_ms"], row["stored_boot_ms"], row["stored_boot_no"]),
        first_sent=_stamp(row, "first_sent"),
        last_sent=_stamp(row, "last_sent"),
        payload_version=row["payload_version"],
        not_found=row["not_found"],
        result=result_of(row["result"]),
        flags=tuple((row["flags"] or "").split()),
    )


def result_text(result: HostResult | None) -> str | None:
    """JSON of a host's result, without the fields it did not give."""
    if result is None:
        return None
    fields = {name: value for name, value in asdict(result).items() if value is not None}
    if result.posted_at is not None:
        fields["posted_at"] = to_ms(result.posted_at)
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False)


def result_of(text: str | None) -> HostResult | None:
    if text is None:
        return None
    fields = json.loads(text)
    if "posted_at" in fields:
        fields["posted_at"] = at_ms(fields["posted_at"])
    return HostResult(**fields)


def step_of(row: sqlite3.Row, *, altered: str = "") -> Step:
    """A line of the history; of an altered one only that there is one."""
    if altered:
        return Step(
            event=altered, state=State.HELD, in_doubt=True, cause="",
            note="this line of the history was found altered", count=1,
            first_at=at_ms(0), last_at=at_ms(0),
        )  # fmt: skip
    return Step(
        event=row["event"],
        state=STATES[row["state"]],
        in_doubt=bool(row["in_doubt"]),
        cause=row["cause"],
        note=row["note"],
        count=row["count"],
        first_at=at_ms(row["first_ms"]),
        last_at=at_ms(row["last_ms"]),
    )


def _stamp_columns(stamp: Stamp | None) -> tuple[int | None, int | None, int | None]:
    return (None, None, None) if stamp is None else (stamp.wall_ms, stamp.boot_ms, stamp.boot_no)


def changing_columns(record: Record, mac: bytes) -> tuple[object, ...]:
    """The SET list of `update_tx`, in its order."""
    return (
        NUMBER[record.state],
        record.in_doubt,
        record.version,
        record.sent,
        record.tried,
        record.not_found,
        record.payload_version,
        record.next_wall_ms,
        record.next_boot_ms,
        record.boot_no,
        to_ms(record.changed_at),
        *_stamp_columns(record.first_sent),
        *_stamp_columns(record.last_sent),
        record.cause,
        record.note,
        result_text(record.result),
        " ".join(record.flags) or None,
        mac,
    )


def inserted_columns(
    record: Record, mac: bytes, business_fp: bytes, payload_fp: bytes
) -> tuple[object, ...]:
    """The value list of `insert_tx`, in its order."""
    t = record.transaction

    def ms(at: datetime | None) -> int | None:
        return None if at is None else to_ms(at)

    def text(value: Card | App | None) -> str | None:
        return None if value is None else json.dumps(asdict(value), separators=(",", ":"))

    return (
        t.key, NUMBER[record.state], record.in_doubt, record.version, record.sent, record.tried,
        record.not_found, record.payload_version, record.next_wall_ms, record.next_boot_ms,
        record.boot_no, to_ms(record.changed_at), record.cause, record.note,
        result_text(record.result), mac, record.stored.wall_ms, record.stored.boot_ms,
        record.stored.boot_no, record.lane, t.uplink, t.amount_minor, t.currency,
        t.posted_amount_minor, t.terminal_id, t.merchant_id, t.kind.value, t.posting.value,
        t.delivery.value, t.customer_saw.value, to_ms(t.occurred_at), ms(t.send_before),
        ms(t.first_attempt_at), t.attempts, t.stan, t.batch, t.rrn, t.refers_to,
        json.dumps(t.covers) if t.covers else None, t.reversal_key, text(t.card), text(t.app),
        business_fp, payload_fp, " ".join(record.flags) or None, record.seq,
    )  # fmt: skip
