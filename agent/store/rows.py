"""Journal rows and records: the one place that knows the column order, and the row MAC.

The MAC covers every column, because every one decides about money somewhere: a flipped `delivery`
sends what the payment app sends itself, a flipped `not_found` ends a doubt. It is bound to this
database, so that a swapped row does not match, nor one that `.recover` brought back from the dead
(docs/rules.md, rule 8).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import asdict
from dataclasses import fields as fields_of
from datetime import datetime
from typing import Any

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
from agent.record import dataclass

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

#: The columns of `tx` in the order of its schema, which is what `SELECT *` gives; a later schema
#: only adds at the end. A row is taken apart by position: looking 45 names up costs three times
#: as much as everything else that is done with it.
COLUMNS: tuple[str, ...] = (
    "seq", "key", "state", "in_doubt", "version", "sent", "tried", "not_found", "payload_version",
    "next_wall_ms", "next_boot_ms", "boot_no", "changed_ms", "first_sent_ms", "first_sent_boot_ms",
    "first_sent_boot_no", "last_sent_ms", "last_sent_boot_ms", "last_sent_boot_no", "cause", "note",
    "result", "flags", "mac", "stored_ms", "stored_boot_ms", "stored_boot_no", "lane", "uplink",
    "amount_minor", "currency", "posted_amount_minor", "terminal_id", "merchant_id", "kind",
    "posting", "delivery", "customer_saw", "occurred_ms", "send_before_ms", "first_attempt_ms",
    "attempts", "stan", "batch", "rrn", "refers_to", "covers", "reversal_key", "card", "app",
    "business_fp", "payload_fp",
)  # fmt: skip
_MAC = COLUMNS.index("mac")
_FIRST_CHANGING = COLUMNS.index("state")
_FIRST_BUSINESS = COLUMNS.index("uplink")
_FINGERPRINTS = COLUMNS.index("business_fp")
_VERSION = COLUMNS.index("version")

#: What a row that was not written by us may raise while it is taken apart.
UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)

#: A whole row, in the order of its columns.
Values = tuple[Any, ...]
Hash = hashlib.blake2b

_encode = json.JSONEncoder(separators=(",", ":")).encode

_KINDS = {str(kind): kind for kind in Kind}
_POSTINGS = {str(posting): posting for posting in Posting}
_SEEN = {str(saw): saw for saw in CustomerSaw}
_DELIVERIES = {str(delivery): delivery for delivery in Delivery}


class Sealer:
    """Makes and checks row MACs with this terminal's key, bound to one database."""

    def __init__(self, secret: bytes, database_id: bytes) -> None:
        self.secret = secret
        self._base = hashlib.blake2b(database_id, digest_size=16, key=secret, person=b"pos/row")

    def standing(self, fixed: Values) -> Hash:
        """The MAC's half over what never changes: everything behind the column `mac`.

        Raises TypeError for values no column can hold.
        """
        digest = self._base.copy()
        digest.update(_encode(fixed[:-2]).encode())
        for fingerprint in fixed[-2:]:
            digest.update(fingerprint)
        return digest

    def genuine(self, values: Values) -> Hash | None:
        """The standing half for a `tx` row that is as it was written, or None."""
        standing = self.standing(values[_MAC + 1 :])
        expected = _mac(standing, values[:_MAC])
        return standing if hmac.compare_digest(expected, values[_MAC]) else None

    def read(self, values: Values) -> Known | str:
        """What is known of a row, or why it is not believed."""
        try:
            standing = self.genuine(values)
            if standing is None:
                return "row MAC does not match"
            return Known(record_of(values), values, standing)
        except UNREADABLE as error:
            return f"unreadable row: {type(error).__name__}"

    def whole(self, before: Values, after: Values) -> bytes:
        """The MAC of a row by what stands before and behind the column `mac`."""
        return _mac(self.standing(after), before)

    def line(self, table: str, values: Values) -> bytes:
        """The MAC of a row of another table: evidence that moves no money, so it is short."""
        digest = self._base.copy()
        digest.update(table.encode() + _encode(values).encode())
        return digest.digest()[:8]

    def insertion(self, record: Record, *fingerprints: bytes) -> Values:
        """A new row, sealed."""
        before = (record.seq, record.key, *_changing_columns(record))
        after = (*_fixed_columns(record), *fingerprints)
        return (*before, _mac(self.standing(after), before), *after)


def _mac(standing: Hash, changing: Values) -> bytes:
    """The whole MAC: the standing half, and all columns before the column `mac`."""
    digest = standing.copy()
    digest.update(_encode(changing).encode())
    return digest.digest()


@dataclass(frozen=True, slots=True)
class Known:
    """A row as it was last seen on the flash: what was made of it, and its columns."""

    record: Record
    values: Values
    standing: Hash  #: half of its MAC (`Sealer.standing`)

    def moved(self, after: Record) -> Known:
        """The row with other changing columns, sealed again."""
        changing = self.values[:_FIRST_CHANGING] + _changing_columns(after)
        values = (*changing, _mac(self.standing, changing), *self.values[_MAC + 1 :])
        return Known(after, values, self.standing)

    def update(self, after: Known) -> Values:
        """The values of `update_tx`: what to set, and what the row must still be."""
        now = self.values
        return (*after.values[_FIRST_CHANGING : _MAC + 1], now[0], now[_VERSION], now[_MAC])


def _at(wall_ms: int | None) -> datetime | None:
    return None if wall_ms is None else at_ms(wall_ms)


def _transaction(key: str, fields: tuple[Any, ...]) -> Transaction:
    """From the columns `uplink` to `app`."""
    (
        uplink, amount_minor, currency, posted_amount_minor, terminal_id, merchant_id, kind,
        posting, delivery, customer_saw, occurred_ms, send_before_ms, first_attempt_ms, attempts,
        stan, batch, rrn, refers_to, covers, reversal_key, card, app,
    ) = fields  # fmt: skip
    return Transaction(
        key=key,
        terminal_id=terminal_id,
        merchant_id=merchant_id,
        kind=_KINDS[kind],
        posting=_POSTINGS[posting],
        occurred_at=at_ms(occurred_ms),
        uplink=uplink,
        amount_minor=amount_minor,
        currency=currency,
        posted_amount_minor=posted_amount_minor,
        send_before=_at(send_before_ms),
        stan=stan,
        batch=batch,
        rrn=rrn,
        refers_to=refers_to,
        covers=tuple(json.loads(covers)) if covers else (),
        first_attempt_at=_at(first_attempt_ms),
        attempts=attempts,
        reversal_key=reversal_key,
        customer_saw=_SEEN[customer_saw],
        card=Card(**json.loads(card)) if card else None,
        app=App(**json.loads(app)) if app else None,
        delivery=_DELIVERIES[delivery],
    )


def record_of(values: Values) -> Record:
    """A `tx` row as everybody but the store sees it. ValueError or KeyError on a damaged one."""
    (
        seq, key, state, in_doubt, version, sent, tried, not_found, payload_version, next_wall_ms,
        next_boot_ms, boot_no, changed_ms, first_ms, first_boot_ms, first_boot_no, last_ms,
        last_boot_ms, last_boot_no, cause, note, result, flags, _mac, stored_ms, stored_boot_ms,
        stored_boot_no, lane,
    ) = values[:_FIRST_BUSINESS]  # fmt: skip
    return Record(
        seq=seq,
        transaction=_transaction(key, values[_FIRST_BUSINESS:_FINGERPRINTS]),
        state=STATES[state],
        in_doubt=bool(in_doubt),
        version=version,
        sent=sent,
        tried=tried,
        cause=cause,
        note=note,
        stored_at=at_ms(stored_ms),
        changed_at=at_ms(changed_ms),
        next_wall_ms=next_wall_ms,
        next_boot_ms=next_boot_ms,
        boot_no=boot_no,
        lane=lane,
        stored=Stamp(stored_ms, stored_boot_ms, stored_boot_no),
        first_sent=None if first_ms is None else Stamp(first_ms, first_boot_ms, first_boot_no),
        last_sent=None if last_ms is None else Stamp(last_ms, last_boot_ms, last_boot_no),
        payload_version=payload_version,
        not_found=not_found,
        result=result_of(result),
        flags=tuple(flags.split()) if flags else (),
    )


_RESULT = tuple(field.name for field in fields_of(HostResult))


def result_text(result: HostResult | None) -> str | None:
    """JSON of a host's result, without the fields it did not give."""
    if result is None:
        return None
    # Not asdict(), whose deep copies cost as much as the rest of the row.
    fields: dict[str, Any] = {
        name: value for name in _RESULT if (value := getattr(result, name)) is not None
    }
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


def step_of(line: Values, *, altered: str = "") -> Step:
    """A line of the history by its columns; of an altered one only that there is one."""
    if altered:
        return Step(
            event=altered, state=State.HELD, in_doubt=True, cause="",
            note="this line of the history was found altered", count=1,
            first_at=at_ms(0), last_at=at_ms(0),
        )  # fmt: skip
    _seq, _n, event, state, in_doubt, cause, note, actor, count, first_ms, last_ms = line[:11]
    return Step(
        event=event, state=STATES[state], in_doubt=bool(in_doubt), cause=cause, note=note,
        count=count, first_at=at_ms(first_ms), last_at=at_ms(last_ms), actor=actor,
    )  # fmt: skip


def _stamp_columns(stamp: Stamp | None) -> tuple[int | None, int | None, int | None]:
    return (None, None, None) if stamp is None else (stamp.wall_ms, stamp.boot_ms, stamp.boot_no)


def _changing_columns(record: Record) -> tuple[object, ...]:
    """From `state` to `flags`."""
    return (
        NUMBER[record.state],
        int(record.in_doubt),
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
    )


def _fixed_columns(record: Record) -> tuple[object, ...]:
    """From `stored_ms` to `app`: what was handed over."""
    t = record.transaction

    def ms(at: datetime | None) -> int | None:
        return None if at is None else to_ms(at)

    def text(value: Card | App | None) -> str | None:
        return None if value is None else json.dumps(asdict(value), separators=(",", ":"))

    return (
        record.stored.wall_ms, record.stored.boot_ms, record.stored.boot_no, record.lane,
        t.uplink, t.amount_minor, t.currency, t.posted_amount_minor, t.terminal_id, t.merchant_id,
        t.kind.value, t.posting.value, t.delivery.value, t.customer_saw.value,
        to_ms(t.occurred_at), ms(t.send_before), ms(t.first_attempt_at), t.attempts, t.stan,
        t.batch, t.rrn, t.refers_to, json.dumps(t.covers) if t.covers else None, t.reversal_key,
        text(t.card), text(t.app),
    )  # fmt: skip
