"""Payments that hang together: who waits for whom, and what one's end does to another.

A reversal goes before anything else of its payment and freezes it (money rule 5); its acceptance
takes the original back in the same commit. A batch upload waits for what it covers and stops it
once it goes out (rule 6). The messages an app prepared beside a payment (query, reversals by
reason, a replaced payload) are read and written here too. Part of the journal; on its thread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Protocol

from agent.core.moment import Moment
from agent.core.money import reversing
from agent.core.money.abandoning import given_up
from agent.core.money.deadlines import CUT_OFF
from agent.core.money.journal import Change, Event, Record, State
from agent.core.money.lanes import TERMINAL_LANES, root_of
from agent.core.money.transaction import (
    Delivery,
    Kind,
    Payload,
    Posting,
    Submission,
    Transaction,
)
from agent.errors import CallerError
from agent.store.payloads import MAX_VERSIONS, Payloads
from agent.store.table import Table


class Appended(Protocol):
    """The answer to a hand-over."""

    @property
    def record(self) -> Record: ...
    @property
    def created(self) -> bool: ...


class Rows(Protocol):
    """The journal, as far as it is moved from here."""

    def append(self, submission: Submission, now: Moment) -> Appended: ...
    def record(self, key: str, now: Moment) -> Record | None: ...
    def moved_on(self, seq: int, version: int, change: Change, now: Moment) -> Record: ...


class Linked:
    """The ties between the rows of one journal."""

    def __init__(self, table: Table, rows: Rows, payloads: Payloads) -> None:
        self._table = table
        self._rows = rows
        self._payloads = payloads

    # -- who waits -------------------------------------------------------------------------

    def free(self, record: Record) -> bool:
        """Whether nothing goes before this record."""
        t = record.transaction
        if t.kind is Kind.QR_CANCEL and t.refers_to:
            # A code nobody confirmed is cancelled while its outcome is open: that is the point.
            return not self._any("in_flight", t.refers_to)
        till = record.lane is not None and record.lane.startswith(TERMINAL_LANES)
        root = root_of(record.key, record.lane)
        lane = record.lane if till else f"p:{root}"
        # In a terminal's lane what is held must not stop the till: a person looks after it.
        suffix = "_till" if till else ""
        if t.kind is Kind.REVERSAL:
            if self._any(f"reversal_ahead{suffix}", lane, record.seq):
                return False
            return not (t.refers_to and self._any("in_flight", t.refers_to))
        if self._any(f"reversal_pending{suffix}", lane, record.seq):
            return False
        if till:
            return self._free_at_till(record) and not self.waits_for_covered(record)
        if record.lane is not None and (
            self._any("lane_head", lane, record.seq)
            or self._any("lane_root_unsent", root, record.seq)
        ):
            return False
        return not self.waits_for_covered(record)

    def _free_at_till(self, record: Record) -> bool:
        if record.state is State.HELD:
            return True  # it is only asked about
        if self._any("till_ahead", record.lane, record.seq, f'"{record.key}"'):
            return False
        if self.being_reversed(record):
            return False
        refers_to = record.transaction.refers_to
        return not (refers_to and self._any("lane_root_unsent", refers_to, record.seq))

    def waits_for_covered(self, record: Record) -> bool:
        """Whether a batch upload must wait for payments it covers."""
        t = record.transaction
        if t.kind is not Kind.BATCH_UPLOAD or not t.covers or record.cause == CUT_OFF:
            return False
        return self._any("covered_unsent", json.dumps(t.covers))

    def being_reversed(self, record: Record) -> bool:
        """Whether an unsent reversal of this record exists."""
        lane = record.lane
        if lane is None or not lane.startswith(TERMINAL_LANES):
            lane = f"p:{root_of(record.key, lane)}"
        return self._any("reversal_of", lane, record.key)

    def _any(self, name: str, *values: object) -> bool:
        return self._table.one(name, *values) is not None

    # -- what follows ----------------------------------------------------------------------

    def appended(self, record: Record, now: Moment) -> None:
        """A new record: if it is a reversal, its original is frozen. One being sent is frozen by
        the end of its attempt, because the reversal must not overtake it."""
        t = record.transaction
        if t.kind is not Kind.REVERSAL or t.refers_to is None:
            return
        original = self._rows.record(t.refers_to, now)
        if original is None or original.final or original.state is State.SENDING:
            return
        if original.transaction.delivery is Delivery.AGENT:
            self._move(original, _freeze(original, f"its reversal {record.key} is recorded"), now)

    def judged(self, record: Record, change: Change) -> Change:
        """The change as it is to be written: an outcome of what is being reversed is history."""
        if change.event not in (Event.POSTED, Event.DECLINED):
            return change
        if record.transaction.kind is Kind.REVERSAL or not self.being_reversed(record):
            return change
        if record.state is State.SENDING:
            return _freeze(record, f"late answer: {change.event}; its reversal is recorded", change)
        return reversing.late(record, change, frozen=True)

    def moved(self, before: Record, after: Record, now: Moment) -> None:
        """A record has moved: take others along where they hang on it."""
        t = after.transaction
        if t.kind is Kind.BATCH_UPLOAD and after.state is State.SENDING and t.covers:
            self._stop_covered(after, now)
        takes_back = t.kind in (Kind.REVERSAL, Kind.QR_CANCEL)
        if takes_back and after.final and not before.final and t.refers_to:
            original = self._rows.record(t.refers_to, now)
            if original is not None:
                self._settle_original(original, after, now)

    def _settle_original(self, original: Record, reversal: Record, now: Moment) -> None:
        code = reversal.result.response_code if reversal.result else None
        unknown = code == reversing.ORIGINAL_UNKNOWN
        refused = reversal.state is State.DECLINED
        if (refused or given_up(reversal)) and not original.final:
            # Thawed by either, it would be sent although somebody wanted it taken back.
            note = f"its reversal {reversal.key} was {'refused' if refused else 'given up'}"
            if original.state is not State.HELD:
                self._move(original, Change(event=Event.HOLD, cause="queue.held", note=note), now)
        if reversal.state is not State.POSTED:
            return
        if original.state in (State.WAITING, State.HELD) or (
            original.state is State.POSTED and not unknown
        ):
            note = f"taken back by {reversal.key}"
            if unknown:
                note = f"the host does not know it (field 39 = {code}): nothing to take back"
            change = Change(event=Event.REVERSE, cause=reversing.COMPLETED, note=note)
            self._move(original, change, now)
        else:
            note = f"its reversal {reversal.key} was answered{f' {code}' if code else ''}"
            self._move(original, Change(event=Event.LATE, cause=original.cause, note=note), now)

    def _stop_covered(self, batch: Record, now: Moment) -> None:
        covered = self._table.many("covered_all_unsent", json.dumps(batch.transaction.covers))
        for row in covered:
            record = self._rows.record(row["key"], now)
            if record is not None and record.state in (State.QUEUED, State.WAITING):
                note = f"its batch upload {batch.key} has gone out; sending it now could post twice"
                self._move(record, Change(event=Event.HOLD, cause="queue.held", note=note), now)

    def _move(self, record: Record, change: Change, now: Moment) -> None:
        self._rows.moved_on(record.seq, record.version, change, now)

    # -- what the app prepared -------------------------------------------------------------

    def query_payload(self, record: Record) -> bytes | None:
        """The message that asks for the outcome, if the app gave one."""
        return self._payloads.query(record)

    def reversals(self, record: Record) -> Mapping[str, bytes]:
        """The reversal messages the app gave, by reason."""
        return self._payloads.prepared(record).reversal_payloads

    def reverse(self, key: str, reason: str, actor: str, now: Moment) -> Appended:
        """Record the reversal the app prepared for this payment. Repeating it changes nothing.

        Raises CallerError: no such payment, none prepared, or its key is another's.
        """
        original = self._rows.record(key, now)
        if original is None:
            raise CallerError("transaction.unknown", f"the journal has no payment with key {key}")
        t = original.transaction
        if t.reversal_key is None:
            raise CallerError("reversal.none_prepared", f"no reversal was handed over with {key}")
        known = self._rows.record(t.reversal_key, now)
        if known is not None:
            if known.transaction.refers_to != key:
                raise CallerError(
                    "reversal.key_taken", f"the reversal key of {key} belongs to another record"
                )
            return _Known(known)
        handed_over = self._payloads.prepared(original)
        offered = handed_over.reversal_payloads
        chosen = reversing.prepared(reason, offered)
        if chosen is None:
            raise CallerError(
                "reversal.none_prepared", f"no reversal for reason {reason} was handed over"
            )
        content_type = handed_over.payload.content_type
        submission = Submission(
            transaction=Transaction(
                key=t.reversal_key, terminal_id=t.terminal_id, merchant_id=t.merchant_id,
                kind=Kind.REVERSAL, posting=Posting.ADVICE, occurred_at=now.at, uplink=t.uplink,
                amount_minor=t.amount_minor, currency=t.currency, stan=t.stan, batch=t.batch,
                rrn=t.rrn, refers_to=key, customer_saw=t.customer_saw, card=t.card, app=t.app,
            ),
            payload=Payload(content_type=content_type, body=offered[chosen]),
        )  # fmt: skip
        appended = self._rows.append(submission, now)
        words = f"reversal {t.reversal_key} made with reason {chosen} by {actor}"
        fresh = self._rows.record(key, now)
        if fresh is not None:
            self._move(fresh, Change(event=Event.LATE, cause=fresh.cause, note=words), now)
        return appended

    def replace(self, record: Record, fresh: Submission, actor: str, now: Moment) -> Record:
        """Money rule 9: new bytes under the same key, the old ones kept. The same bytes again
        change nothing. Raises CallerError when the record moved or has had too many."""
        have = self._payloads.prepared(record)
        if (fresh.payload, fresh.query_payload, dict(fresh.reversal_payloads)) == (
            have.payload, have.query_payload, dict(have.reversal_payloads),
        ):  # fmt: skip
            return record
        version = record.payload_version + 1
        if version > MAX_VERSIONS:
            raise CallerError("payload.immutable", f"{record.key} has had {version - 1} payloads")
        self._payloads.insert(record, fresh, version)
        change = Change(
            event=Event.REPLACED,
            cause=record.cause,
            note=f"the payment app replaced the payload (version {version})",
            payload_version=version,
            actor=actor,
        )
        return self._rows.moved_on(record.seq, record.version, change, now)


class _Known:
    """A reversal that was recorded before."""

    created = False

    def __init__(self, record: Record) -> None:
        self.record = record


def _freeze(record: Record, note: str, outcome: Change | None = None) -> Change:
    return Change(
        event=Event.FREEZE,
        cause=reversing.PENDING,
        note=note,
        not_found=record.not_found,
        result=outcome.result if outcome else None,
    )
