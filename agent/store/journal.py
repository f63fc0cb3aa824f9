"""Money on disk: every read and write of journal.db, as plain functions on the writer thread.

It decides how a record is stored, found and moved on; what may move where is
`core.money.journal`, when is the uploader's business, and commits are the writer's. Nothing in
here commits: a batch of calls becomes durable together, history included.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Mapping
from dataclasses import field, replace

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
)
from agent.core.money.lanes import TERMINAL_LANES, Order, lane_of, root_of, terminal_lanes
from agent.core.money.limits import Rules
from agent.core.money.transaction import Payload, Submission, fingerprint, payload_digest
from agent.errors import CallerError
from agent.record import dataclass
from agent.store import tombstones
from agent.store.aside import Aside
from agent.store.examiner import Examiner
from agent.store.gate import Gate
from agent.store.linked import Linked
from agent.store.payloads import Payloads
from agent.store.reported import Reported
from agent.store.rows import STATES, Known
from agent.store.sealing import Seals
from agent.store.table import Table
from agent.store.tally import Tally

#: One read takes so many records apart at most, and walks over so many rows: about 3 ms each.
RECORDS = 64
ROWS = 2_000
#: Lanes whose heads one read looks at, and how many batch uploads that wait it looks behind.
LANES = 200
HEADS = 8
#: How soon to look again while damage is being dealt with.
SUSPICION_MS = 250
#: Payloads up to this size come with the work: 64 of them are 256 KiB at most.
SMALL_PAYLOAD_BYTES = 4_096
#: What must not happen to a record under suspicion, however fast the caller was.
_FORWARD = frozenset({Event.ATTEMPT, Event.LAPSE, Event.VOID, Event.RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """The answer to a hand-over: the record as it stands, and whether it is new."""

    record: Record
    created: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some records, and from where to go on; None: there are no more."""

    records: list[Record]
    after_seq: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One piece of a walk over the work of an uplink."""

    records: list[Record]
    after: int | str | None  #: where the next piece begins; None: this was the last
    next_boot_ms: int | None  #: when the earliest back-off met on this piece ends
    payloads: Mapping[int, Payload] = field(default_factory=dict)  #: the small ones, by seq


class Journal:
    """journal.db through one connection, on one thread."""

    def __init__(
        self, table: Table, seals: Seals, *,
        born_ms: int, orders: Mapping[str, Order], rules: Rules | None = None,
    ) -> None:  # fmt: skip
        self.table = table
        self.born_ms = born_ms
        self._orders = orders
        self.payloads = Payloads(table, seals)
        self.linked = Linked(table, self, self.payloads)
        self.reported = Reported(table.db, self, table.sealer)
        self.examiner = Examiner(table, rules or Rules())
        self.gate = Gate()

    @property
    def tally(self) -> Tally:
        return self.table.tally

    @property
    def aside(self) -> Aside:
        return self.table.aside

    @property
    def boot_no(self) -> int:
        return self.table.boot_no

    # -- taking over -----------------------------------------------------------------------

    def append(self, submission: Submission, now: Moment) -> Appended:
        """L1-L3. Raises CallerError `key.mismatch` for another payment under a known key."""
        t = submission.transaction
        business = fingerprint(t, self.table.sealer.secret)
        digest = payload_digest(submission, self.table.sealer.secret)
        row = self.table.one("by_key", t.key)
        if row is not None:
            record = self.table.believed(row, now)
            if record is not None:
                if (row["business_fp"], row["payload_fp"]) != (business, digest):
                    raise tombstones.mismatch(t.key)
                return Appended(record=record, created=False)
        else:
            stone = self.table.one("tombstone", t.key)
            if stone is not None:
                raise tombstones.refused(self.table.sealer, stone, business, digest)
            self.gate.check(submission, self.tally.unsent, self.table.db)
        record = self._new_record(submission, now)
        for key in submission.acknowledges:  # first: what is destroyed makes room in its page
            ended = self.record(key, now)
            if ended is not None and ended.final:
                self.payloads.erase(ended)
        self.table.insert(record, business, digest)
        self.payloads.insert(record, submission)
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
        elif to_ms(t.occurred_at) < self.born_ms // 1000 * 1000:  # apps often give whole seconds
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
            parent = self.table.one("by_key", t.refers_to)
            root = None if parent is None else root_of(parent["key"], parent["lane"])
        wait_ms, late = self.examiner.by_code(t, self, now)
        if late and not in_doubt:
            state, cause, note = State.HELD, "queue.held", late
        at = now.at
        return Record(
            seq=self.table.next_seq, transaction=t, state=state, in_doubt=in_doubt, version=1,
            sent=0, tried=0, cause=cause, note=note, stored_at=at, changed_at=at,
            next_wall_ms=now.wall_ms + wait_ms if wait_ms else 0,
            next_boot_ms=now.boot_ms + wait_ms if wait_ms else 0, boot_no=self.boot_no,
            lane=lane_of(t, order, root), stored=stamp, flags=ruling.flags,
        )  # fmt: skip

    # -- reading ---------------------------------------------------------------------------

    def record(self, key: str, now: Moment) -> Record | None:
        row = self.table.one("by_key", key)
        return None if row is None else self.table.believed(row, now)

    def payload(self, record: Record, now: Moment) -> Payload | None:
        """The bytes to send, checked against what was handed over.

        None after putting aside a record whose bytes are not those (T12: a flipped bit in them is
        money too). Raises InternalError for bytes this version cannot open.
        """
        payload, reason = self.payloads.checked(record)
        if payload is None and (row := self.table.one("by_seq", record.seq)) is not None:
            self.table.distrust(row, reason, now)
        return payload

    def steps(self, seq: int, limit: int) -> list[Step]:
        """The newest `limit` steps, oldest first."""
        row = self.table.one("by_seq", seq)
        known = "" if row is None else self.table.sealer.read(tuple(row))
        return self.table.past.steps(seq, known.record if isinstance(known, Known) else None, limit)

    def page(
        self, states: frozenset[State] | None, after_seq: int, limit: int, now: Moment
    ) -> Page:
        """Some records after `after_seq` in order of acceptance; may be none although more follow.

        With only unsent states asked for, the index of the unsent is walked and never the whole
        journal.
        """
        limit = min(limit, RECORDS)
        wanted = sum(
            1 << number for number, s in enumerate(STATES) if states is None or s in states
        )
        beyond: int | None
        if states is not None and not states & FINAL:
            rows = self._unsent(after_seq, RECORDS)
            beyond = rows[-1]["seq"] if len(rows) == RECORDS else None
            rows = [row for row in rows if wanted >> max(row["state"], 0) & 1]
            if len(rows) > limit:
                rows = rows[:limit]
                beyond = rows[-1]["seq"]
        else:
            upto = after_seq + ROWS
            rows = self.table.many("page_all", after_seq, upto, wanted, limit)
            if len(rows) == limit:
                upto = rows[-1]["seq"]
            following = self.table.one("seq_after", upto)
            next_seq = None if following is None else following[0]
            beyond = None if next_seq is None else max(upto, next_seq - 1)
        records = [r for row in rows if (r := self.table.believed(row, now)) is not None]
        return Page(records=records, after_seq=beyond)

    def _unsent(self, after_seq: int, limit: int) -> list[sqlite3.Row]:
        """The unsent of all uplinks, in order of acceptance."""
        parts = [
            self.table.many("unsent", uplink, after_seq, limit) for uplink in self.table.uplinks()
        ]
        return list(heapq.merge(*parts, key=lambda row: row["seq"]))[:limit]

    def requests(self, after_seq: int, limit: int, now: Moment) -> list[Record]:
        """Unsent requests that have a time limit, and batch uploads that wait; none of those under
        suspicion."""
        rows = self.table.many("requests", max(after_seq, self.table.suspect_seq), limit)
        return [r for row in rows if (r := self.table.believed(row, now)) is not None]

    def pending_by_app(self, after_seq: int, limit: int, now: Moment) -> list[Record]:
        """Unsettled payments the app sends itself, not in doubt yet."""
        rows = self.table.many("pending_by_app", after_seq, limit)
        return [r for row in rows if (r := self.table.believed(row, now)) is not None]

    def backlog(self) -> Backlog:
        self.table.recount()
        first = self.table.oldest_unsent()
        return self.tally.backlog(
            None if first is None else at_ms(first["stored_ms"]), self.aside.amounts()
        )

    # -- what is due -----------------------------------------------------------------------

    def due(self, uplink: str, after: int | str, limit: int, now: Moment) -> Due:
        """Records of one uplink at the head of their lane whose back-off is over, from `after` on.

        0 begins a walk. What is under suspicion is not due before it is held, and nothing of a
        journal that was handed over.
        """
        if self.gate.handed_over:
            return Due(records=[], after=None, next_boot_ms=None)
        found = self._due(uplink, after, limit, now)
        if self.table.suspicion is not None:
            again_ms = _sooner(found.next_boot_ms, now.boot_ms + SUSPICION_MS)
            found = replace(found, next_boot_ms=again_ms)
        records, payloads = self.payloads.ready(found.records, SMALL_PAYLOAD_BYTES, now)
        return replace(found, records=records, payloads=payloads)

    def _due(self, uplink: str, after: int | str, limit: int, now: Moment) -> Due:
        by_terminal = self._orders.get(uplink, Order.PAYMENT) is Order.TERMINAL
        if not by_terminal:
            return self._walk(uplink, int(after), limit, now, "")
        if isinstance(after, int) and after:
            return self._walk(uplink, after, limit, now, TERMINAL_LANES)
        heads = self._lane_heads(uplink, str(after or ""), limit, now)
        if heads.records or heads.after is not None:
            return heads
        # What was taken over before the profile kept this order lies in no such lane.
        rest = self._walk(uplink, 0, limit, now, TERMINAL_LANES)
        return replace(rest, next_boot_ms=_sooner(heads.next_boot_ms, rest.next_boot_ms))

    def _walk(self, uplink: str, after: int, limit: int, now: Moment, but_lanes: str) -> Due:
        after = max(after, self.table.suspect_seq)
        beyond = self.table.one("unsent_beyond", uplink, after, ROWS - 1)
        upto = 2**62 if beyond is None else beyond[0]
        rows = self.table.many(
            "due", uplink, after, upto, now.boot_ms, self.boot_no, but_lanes, limit
        )
        if len(rows) == limit:
            upto = rows[-1]["seq"]
        found = [
            record
            for row in rows
            if (record := self.table.expected(row, now)) is not None and self.linked.free(record)
        ]
        soonest = self.table.one("next_due", uplink, after, upto, now.boot_ms, self.boot_no)
        return Due(
            records=found,
            after=None if upto == 2**62 else upto,
            next_boot_ms=None if soonest is None else soonest[0],
        )

    def _lane_heads(self, uplink: str, lane: str, limit: int, now: Moment) -> Due:
        """The heads of the lanes of terminals: a few steps each, however long the lane is."""
        first, last = terminal_lanes(uplink)
        lane = lane or first
        found: list[Record] = []
        soonest: int | None = None
        for _ in range(LANES):
            row = self.table.one("next_till", lane, last)
            if row is None:
                return Due(records=found, after=None, next_boot_ms=soonest)
            lane = row["lane"]
            record = self._till_head(lane, now)
            if record is None:
                continue
            if record.boot_no == self.boot_no and record.next_boot_ms > now.boot_ms:
                soonest = _sooner(soonest, record.next_boot_ms)
                continue
            found.append(record)
            if len(found) == limit:
                break
        return Due(records=found, after=lane, next_boot_ms=soonest)

    def _till_head(self, lane: str, now: Moment) -> Record | None:
        """What one terminal may send next, if anything: a pending reversal before all others."""
        reversal = self.table.one("till_reversal", lane)
        rows = [reversal] if reversal is not None else self.table.many("till_heads", lane, HEADS)
        for row in rows:
            record = self.table.expected(row, now)
            if record is None or record.state is State.SENDING or self.table.suspects(record):
                return None
            if self.linked.free(record):
                return record
        return None

    # -- moving on -------------------------------------------------------------------------

    def advance(self, seq: int, version: int, change: Change, now: Moment) -> Record | CallerError:
        """Move a record on, if it is still at `version`; its history goes with it.

        Raises IllegalMoveError where the transition table says no, CallerError `record.changed`
        or `record.unknown`; these are returned where something had to be written beside them.
        """
        self.gate.forward(change.event)
        table = self.table
        known = None if table.suspicion else table.known.at(seq, version)
        if known is not None:
            change = self.linked.judged(known.record, change)
            if (moved := table.moved(known, change, now)) is not None:
                self.linked.moved(known.record, moved.record, now)
                return moved.record
        row = table.one("by_seq", seq)
        if row is None:
            raise _unknown(seq)
        known = table.look(row, now)
        if known is None:
            return _unknown(seq)
        if known.record.version != version:
            raise _changed(known.record)
        if change.event in _FORWARD and table.suspects(known.record):
            table.settle(known, now)
            return _changed(known.record)
        return self._moved(known, self.linked.judged(known.record, change), now)

    def moved_on(self, seq: int, version: int, change: Change, now: Moment) -> Record:
        """The same for a piece of work of several steps, which a refusal undoes as a whole."""
        moved = self.advance(seq, version, change, now)
        if isinstance(moved, CallerError):
            raise moved
        return moved

    def _moved(self, known: Known, change: Change, now: Moment) -> Record:
        moved = self.table.move(known, change, now)
        if change.event is not Event.RELEASE and self.table.suspects(moved.record):
            moved = self.table.settle(moved, now)
        self.linked.moved(known.record, moved.record, now)
        return moved.record


def _sooner(one: int | None, other: int | None) -> int | None:
    return min((at for at in (one, other) if at is not None), default=None)


def _unknown(seq: int) -> CallerError:
    return CallerError("record.unknown", f"no record number {seq} in the journal")


def _changed(record: Record) -> CallerError:
    return CallerError(
        "record.changed", f"{record.key} has changed meanwhile", "look again and repeat"
    )


__all__ = ["Appended", "Due", "IllegalMoveError", "Journal", "Page"]
