"""Money on disk: every read and write of journal.db, as plain functions on the writer thread.

It decides how a record is stored, found and moved on; what may move where is
`core.money.journal`, when is the uploader's business, and commits are the writer's. Nothing in
here commits: a batch of calls becomes durable together, history included.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from agent.core.moment import Moment, Stamp, at_ms, to_ms
from agent.core.money.journal import (
    FINAL,
    Backlog,
    Change,
    Event,
    IllegalMoveError,
    Record,
    State,
    Step,
    move,
)
from agent.core.money.lanes import Order, lane_of, root_of
from agent.core.money.limits import Rules
from agent.core.money.stages import flags_after
from agent.core.money.transaction import (
    Delivery,
    Payload,
    Submission,
    fingerprint,
    payload_digest,
)
from agent.errors import CallerError, InternalError
from agent.store.aside import Aside
from agent.store.examiner import Examiner
from agent.store.linked import Linked
from agent.store.past import Past
from agent.store.reported import Reported
from agent.store.rows import (
    STATES,
    Sealer,
    changing_columns,
    inserted_columns,
    record_of,
)
from agent.store.sql import QUERIES
from agent.store.tally import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The answer to a hand-over: the record as it stands, and whether it is new."""

    record: Record
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One page of work for an uplink."""

    records: list[Record]
    after_seq: int | None  #: where the next page begins; None: this was the last
    next_boot_ms: int | None  #: on the last page: when the earliest back-off ends


class Journal:
    """journal.db through one connection, on one thread."""

    def __init__(
        self, db: sqlite3.Connection, sealer: Sealer, *,
        boot_no: int, born_ms: int, next_seq: int, orders: Mapping[str, Order],
        rules: Rules | None = None,
    ) -> None:  # fmt: skip
        self._db = db
        self._sealer = sealer
        self._orders = orders
        self._next_seq = next_seq
        self.boot_no = boot_no
        self.born_ms = born_ms
        rules = rules or Rules()
        self.tally = Tally(rules.window_s)
        self.aside = Aside(db)
        self.past = Past(db, sealer)
        self.linked = Linked(db, self)
        self.reported = Reported(db, self, sealer)
        self.changed: list[Record] = []  #: by the present piece of work, in order
        self.examiner = Examiner(db, rules, self.tally, self.aside, boot_no)

    # -- taking over -----------------------------------------------------------------------

    def append(self, submission: Submission, now: Moment) -> Appended:
        """L1-L3. Raises CallerError `key.mismatch` for another payment under a known key."""
        t = submission.transaction
        business = fingerprint(t, self._sealer.secret)
        digest = payload_digest(submission, self._sealer.secret)
        row = self._one("by_key", t.key)
        if row is not None:
            record = self._believed(row, now)
            if record is not None:
                if (row["business_fp"], row["payload_fp"]) != (business, digest):
                    raise _mismatch(t.key)
                return Appended(record=record, created=False)
        else:
            stone = self._one("tombstone", t.key)
            if stone is not None:
                raise _retired(t.key, stone, business, digest)
        record = self._new_record(submission, now)
        mac = self._sealer.mac(record, business, digest)
        self._db.execute(QUERIES["insert_tx"], inserted_columns(record, mac, business, digest))
        self._db.execute(QUERIES["insert_payload"], _payload_columns(record, submission))
        self.past.remember(record, "submitted", Change(event=Event.RELEASE), now)
        self._next_seq += 1
        self.tally.moved(None, record)
        self.changed.append(record)
        self.linked.appended(record, now)
        return Appended(record=record, created=True)

    def _new_record(self, submission: Submission, now: Moment) -> Record:
        t = submission.transaction
        stamp = Stamp(now.wall_ms, now.boot_ms, self.boot_no)
        state, in_doubt, cause, note = State.QUEUED, False, "", ""
        if t.key in self.aside.keys:
            state, in_doubt, cause = State.HELD, True, "queue.quarantined"
            note = "an earlier record under this key was damaged and put aside"
        elif t.attempts:
            state, in_doubt = State.WAITING, True
            note = f"the payment app had tried {t.attempts} times before it handed this over"
        elif to_ms(t.occurred_at) < self.born_ms:
            # Money rule 8: this journal is younger than the payment, so an older journal may
            # have sent it already.
            state, in_doubt = State.WAITING, True
            note = "the payment is older than this journal; the host is asked before it is sent"
        ruling = self.examiner.ruling(submission, now, in_doubt=in_doubt)
        if ruling.held_for is not None:
            state, cause = State.HELD, ruling.held_for.cause
            note = f"held by the check before it was sent: {ruling.held_for.code}"
        order = self._orders.get(t.uplink, Order.PAYMENT)
        root = None
        if t.refers_to is not None and order is Order.PAYMENT:
            parent = self._one("by_key", t.refers_to)
            root = None if parent is None else root_of(parent["key"], parent["lane"])
        wait_ms, late = self.examiner.by_code(t, self, now)
        if late and not in_doubt:
            state, cause, note = State.HELD, "queue.held", late
        return Record(
            seq=self._next_seq, transaction=t, state=state, in_doubt=in_doubt, version=1, sent=0,
            tried=0, cause=cause, note=note, stored_at=now.at, changed_at=now.at,
            next_wall_ms=now.wall_ms + wait_ms if wait_ms else 0,
            next_boot_ms=now.boot_ms + wait_ms if wait_ms else 0, boot_no=self.boot_no,
            lane=lane_of(t, order, root), stored=stamp, flags=ruling.flags,
        )  # fmt: skip

    # -- reading ---------------------------------------------------------------------------

    def record(self, key: str, now: Moment) -> Record | None:
        row = self._one("by_key", key)
        return None if row is None else self._believed(row, now)

    def payload(self, record: Record, now: Moment) -> Payload | None:
        """The bytes to send, or None after putting aside a row whose bytes are not what came."""
        row = self._one("by_seq", record.seq)
        if row is None:
            return None
        try:
            submission = _handed_over(
                record, self._one("payload", record.seq * 256 + record.payload_version)
            )
        except (ValueError, TypeError):
            submission = None
        if submission is None or (
            # A payload replaced later (rule 9) has a fingerprint of its own.
            record.payload_version == 1
            and payload_digest(submission, self._sealer.secret) != row["payload_fp"]
        ):
            self._distrust(row, "the bytes to send are not what was handed over", now)
            return None
        return submission.payload

    def steps(self, seq: int, limit: int) -> list[Step]:
        """The newest `limit` steps, oldest first."""
        return self.past.steps(seq, limit)

    def page(
        self, states: frozenset[State] | None, after_seq: int, limit: int, now: Moment
    ) -> list[Record]:
        """Records after `after_seq` in order of acceptance: at most `limit` (≤ 500) of them.

        With only unsent states asked for, the index of the unsent is walked and never the whole
        journal. A page may be short although more follow only when `states` filters it; callers
        go on from the last seq until a page is empty.
        """
        limit = min(limit, 500)
        unsent_only = states is not None and not states & FINAL
        name = "page_unsent" if unsent_only else "page_all"
        found: list[Record] = []
        while len(found) < limit:
            rows = self._db.execute(QUERIES[name], (after_seq, limit)).fetchall()
            for row in rows:
                after_seq = row["seq"]
                if states is not None and STATES[row["state"]] not in states:
                    continue
                record = self._believed(row, now)
                if record is not None:
                    found.append(record)
                if len(found) == limit:
                    break
            if len(rows) < limit:
                break
        return found

    def due(self, uplink: str, after_seq: int, limit: int, now: Moment) -> Due:
        """Records of one uplink at the head of their lane whose back-off is over."""
        rows = self._db.execute(
            QUERIES["due"], (after_seq, uplink, now.boot_ms, self.boot_no, limit)
        ).fetchall()
        found: list[Record] = []
        for row in rows:
            record = self._believed(row, now)
            if record is not None and self.linked.free(record):
                found.append(record)
        if len(rows) == limit:
            return Due(records=found, after_seq=rows[-1]["seq"], next_boot_ms=None)
        soonest = self._one("next_due", uplink, self.boot_no, now.boot_ms)
        return Due(
            records=found, after_seq=None, next_boot_ms=None if soonest is None else soonest[0]
        )

    def requests(self, after_seq: int, limit: int, now: Moment) -> list[Record]:
        """Unsent requests that have a time limit, and batch uploads that wait."""
        rows = self._db.execute(QUERIES["requests"], (after_seq, limit)).fetchall()
        return [r for row in rows if (r := self._believed(row, now)) is not None]

    def pending_by_app(self, after_seq: int, limit: int, now: Moment) -> list[Record]:
        """Unsettled payments the app sends itself, not in doubt yet."""
        rows = self._db.execute(QUERIES["pending_by_app"], (after_seq, limit)).fetchall()
        return [r for row in rows if (r := self._believed(row, now)) is not None]

    def backlog(self) -> Backlog:
        oldest = self._one("oldest_unsent")
        return self.tally.backlog(
            None if oldest is None else at_ms(oldest["stored_ms"]), self.aside.amounts()
        )

    # -- moving on -------------------------------------------------------------------------

    def advance(self, seq: int, version: int, change: Change, now: Moment) -> Record:
        """Move a record on, if it is still at `version`; its history goes with it.

        Raises CallerError `record.changed` or `record.unknown`, IllegalMoveError where the
        transition table says no.
        """
        row = self._one("by_seq", seq)
        before = None if row is None else self._believed(row, now)
        if row is None or before is None:
            raise CallerError("record.unknown", f"no record number {seq} in the journal")
        if before.version != version:
            raise CallerError(
                "record.changed", f"{before.key} has changed meanwhile", "look again and repeat"
            )
        after = self._advanced(row, before, self.linked.judged(before, change), now)
        self.changed.append(after)
        self.linked.moved(before, after, now)
        return after

    def _advanced(self, row: sqlite3.Row, before: Record, change: Change, now: Moment) -> Record:
        state, in_doubt = move(before.state, before.in_doubt, change.event)
        stamp = Stamp(now.wall_ms, now.boot_ms, self.boot_no)
        attempt = change.event is Event.ATTEMPT
        unsent_again = change.event is Event.NOT_SENT
        after = replace(
            before,
            state=state,
            in_doubt=in_doubt,
            version=before.version + 1,
            sent=before.sent + attempt - unsent_again,
            tried=before.tried + attempt - (0 if change.counts else 1),
            cause=before.cause if attempt else change.cause,
            note=before.note if attempt else change.note,
            changed_at=now.at,
            next_wall_ms=change.next_wall_ms,
            next_boot_ms=change.next_boot_ms,
            boot_no=self.boot_no,
            not_found=change.not_found,
            payload_version=change.payload_version or before.payload_version,
            first_sent=(before.first_sent or stamp) if attempt else before.first_sent,
            last_sent=stamp if attempt else before.last_sent,
            result=change.result or before.result,
            flags=flags_after(before.flags, change.flags),
        )
        self._write(row, before, after)
        self.past.remember(after, change.event.value, change, now)
        return after

    def _write(self, row: sqlite3.Row, before: Record, after: Record) -> None:
        mac = self._sealer.mac(after, row["business_fp"], row["payload_fp"])
        values = (*changing_columns(after, mac), after.seq, before.version)
        if self._db.execute(QUERIES["update_tx"], values).rowcount != 1:
            raise InternalError("store.lost_update", f"row {after.seq} is not at {before.version}")
        self.tally.moved(before, after)

    def recover(self, now: Moment, damage: str) -> dict[str, int]:
        """Start-up: what was being sent is in doubt (U22); after damage all unsent is held."""
        moved = {"doubt": 0, "held": 0}
        for row in self._unsent():
            before = self._believed(row, now)
            if before is None:
                continue
            if damage:
                change = Change(event=Event.DAMAGE, cause="queue.held", note=damage)
                moved["held"] += 1
            elif before.state is State.SENDING and before.transaction.delivery is Delivery.AGENT:
                change = Change(
                    event=Event.RESTART,
                    cause="host.no_reply",
                    note="the agent stopped while this was being sent",
                )
                moved["doubt"] += 1
            else:
                continue
            self._advanced(row, before, change, now)
        return moved

    def _unsent(self) -> Iterator[sqlite3.Row]:
        after_seq = 0
        while rows := self._db.execute(QUERIES["page_unsent"], (after_seq, 500)).fetchall():
            yield from rows
            after_seq = rows[-1]["seq"]

    # -- doubt about the rows themselves ---------------------------------------------------

    def _believed(self, row: sqlite3.Row, now: Moment) -> Record | None:
        """The record, or None after putting aside a row that is not what was written."""
        try:
            record = record_of(row)
            if self._sealer.genuine(row, record):
                return record
            reason = "row MAC does not match"
        except (ValueError, KeyError, IndexError, TypeError) as error:
            reason = f"unreadable row: {type(error).__name__}"
        self._distrust(row, reason, now)
        return None

    def _distrust(self, row: sqlite3.Row, reason: str, now: Moment) -> None:
        """Put the row aside, and (rule 8) believe nothing unsent until somebody looked."""
        self.aside.keep(row, reason, now)
        damage = Change(
            event=Event.DAMAGE,
            cause="queue.held",
            note=f"record {row['seq']} was found altered; nothing unsent is believed",
        )
        for other in self._unsent():
            try:
                record = record_of(other)
            except (ValueError, KeyError, IndexError, TypeError):
                continue  # its own turn comes when it is read
            if self._sealer.genuine(other, record) and record.state is not State.HELD:
                self._advanced(other, record, damage, now)
        self.tally.load(self._db.execute(QUERIES["tally"]).fetchall())

    # -- small things ----------------------------------------------------------------------

    def _one(self, name: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(QUERIES[name], values).fetchone()
        return row


def _payload_columns(record: Record, submission: Submission) -> tuple[object, ...]:
    reversals = None
    if submission.reversal_payloads:
        reversals = json.dumps(
            {r: base64.b64encode(b).decode() for r, b in submission.reversal_payloads.items()}
        ).encode()
    return (
        record.seq * 256 + record.payload_version,
        submission.payload.content_type,
        submission.payload.body,
        submission.query_payload,
        reversals,
    )


def _handed_over(record: Record, row: sqlite3.Row | None) -> Submission | None:
    """The submission as its bytes were stored. Raises ValueError or TypeError on a damaged row."""
    if row is None or row["seal"] != 0:
        return None
    reversals = json.loads(row["reversals"]) if row["reversals"] is not None else {}
    return Submission(
        transaction=record.transaction,
        payload=Payload(content_type=row["content_type"], body=bytes(row["body"])),
        query_payload=None if row["query_body"] is None else bytes(row["query_body"]),
        reversal_payloads={r: base64.b64decode(text) for r, text in reversals.items()},
    )


def _mismatch(key: str) -> CallerError:
    return CallerError(
        "key.mismatch",
        f"key {key} already belongs to a payment with other content",
        "one key is one payment: look the key up, and use a new key only for a new payment",
    )


def _retired(key: str, stone: sqlite3.Row, business: bytes, digest: bytes) -> CallerError:
    if (stone["business_fp"], stone["payload_fp"]) != (business, digest):
        return _mismatch(key)
    return CallerError(
        "key.retired",
        f"key {key} was {STATES[stone['state']]} long ago and its record has been pruned",
        "it is at the host already; do not send it again",
    )


__all__ = ["Appended", "Due", "IllegalMoveError", "Journal"]
