"""The table `tx`, a row at a time: believed or put aside, sealed when written, history beside it.

It decides whether a row is what was once written, and what follows when it is not: that row is
put aside, and everything unsent is under suspicion until it is held (money rule 8). It knows
neither keys nor lanes nor when anything is due (journal). On the writer thread only.
"""

from __future__ import annotations

import hmac
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from agent.core.moment import Moment, Stamp
from agent.core.money.journal import Change, Event, Record, State, move
from agent.core.money.stages import flags_after
from agent.core.money.transaction import Delivery
from agent.errors import InternalError
from agent.record import dataclass
from agent.store.aside import Aside
from agent.store.known import KnownRows
from agent.store.past import Past
from agent.store.rows import UNREADABLE, Known, Sealer
from agent.store.sql import QUERIES
from agent.store.tally import Tally

_META = "suspicion"
#: Rows that are grouped at once: half a megabyte.
COUNTED = 10_000
#: The lost commit may have said "this is being sent now"; nobody can tell of which payment.
CUT_OFF = Change(
    event=Event.RESTART,
    cause="host.no_reply",
    note="the end of the log was unreadable: this may have been sent when the agent last stopped",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Damage was found: no unsent record up to this number is believed before all are held."""

    below: int
    note: str
    #: The end of the log is gone, and only that: what may have left is in doubt, nothing is held.
    doubt: bool = False


class Table:
    """`tx`, `history` and what is kept in step with them."""

    def __init__(
        self, db: sqlite3.Connection, sealer: Sealer, *,
        boot_no: int, next_seq: int, window_s: int = 0,
    ) -> None:  # fmt: skip
        self.db = db
        self.sealer = sealer
        self.boot_no = boot_no
        self.next_seq = next_seq
        self.tally = Tally(window_s)
        self.aside = Aside(db)
        self.past = Past(db, sealer)
        self.changed: list[Record] = []  #: by the present piece of work, in order
        self.known = KnownRows()
        self.suspicion = self._suspicion()
        #: How far each uplink's records under suspicion have been held.
        self.held_to: dict[str, int] = {}

    # -- reading ---------------------------------------------------------------------------

    def one(self, name: str, *values: object) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self.db.execute(QUERIES[name], values).fetchone()
        return row

    def many(self, name: str, *values: object) -> list[sqlite3.Row]:
        return self.db.execute(QUERIES[name], values).fetchall()

    def uplinks(self) -> list[str]:
        """Those with unsent records."""
        return [row[0] for row in self.many("uplinks")]

    def oldest_unsent(self) -> sqlite3.Row | None:
        """Number and stamps of the unsent record that was accepted first."""
        rows = [
            row
            for uplink in self.uplinks()
            if (row := self.one("oldest_unsent", uplink)) is not None
        ]
        return min(rows, key=lambda row: row["seq"], default=None)

    def recount(self) -> None:
        """Count the unsent again if nobody can say how their number moved."""
        if self.tally.spoilt:
            self.tally.load(counted(self))

    def believed(self, row: sqlite3.Row, now: Moment) -> Record | None:
        """The record, or None after putting aside a row that is not what was written."""
        known = self.look(row, now)
        return None if known is None else known.record

    def expected(self, row: sqlite3.Row, now: Moment) -> Record | None:
        """The same for a record that will soon be moved on: it need not be read again."""
        known = self.look(row, now)
        if known is None:
            return None
        self.known.keep(known)
        return known.record

    def look(self, row: sqlite3.Row, now: Moment) -> Known | None:
        """The same with what is needed to move the record on."""
        known = self.sealer.read(tuple(row))
        if isinstance(known, Known):
            return known
        self.distrust(row, known, now)
        return None

    # -- writing ---------------------------------------------------------------------------

    def insert(self, record: Record, business_fp: bytes, payload_fp: bytes) -> None:
        """A new row; its number is used up, and it is the first line of its history."""
        values = self.sealer.insertion(record, business_fp, payload_fp)
        self.db.execute(QUERIES["insert_tx"], values)
        self.next_seq += 1
        self.tally.moved(None, record)
        self.changed.append(record)

    def move(self, known: Known, change: Change, now: Moment) -> Known:
        """Move a record on; its history goes with it. IllegalMoveError where the table says no."""
        after = self.moved(known, change, now)
        if after is None:
            raise InternalError("store.lost_update", f"row {known.record.seq} has changed")
        return after

    def moved(self, known: Known, change: Change, now: Moment) -> Known | None:
        """Write the change and its history; None if the row is not what is known of it."""
        before = known.record
        after = _after(before, change, now, self.boot_no)
        moved = known.moved(after)
        if self.db.execute(QUERIES["update_tx"], known.update(moved)).rowcount != 1:
            self.known.drop(before.seq)
            return None
        self.known.keep(moved)
        self.tally.moved(before, after)
        self.past.moved(before, after, change, now)
        self.changed.append(after)
        return moved

    # -- a batch ends ----------------------------------------------------------------------

    def committed(self) -> None:
        """What was written since the last call is durable."""
        self.tally.commit()
        self.aside.commit()
        self.changed.clear()

    def rolled_back(self, mark: tuple[int, int, int] = (0, 0, 0)) -> None:
        """What was written since `mark` (of the tally) did not happen."""
        self.tally.rollback(mark)
        self.aside.rollback()
        self.changed.clear()

    # -- doubt about the rows themselves ---------------------------------------------------

    def distrust(self, row: sqlite3.Row, reason: str, now: Moment) -> None:
        """Put the row aside, and (rule 8) believe nothing unsent until somebody looked."""
        self.aside.keep(row, reason, now)
        self.tally.spoil()
        self.suspect(f"record {row['seq']} was found altered; nothing unsent is believed")

    def suspect(self, note: str, *, doubt: bool = False) -> None:
        """From now on nothing unsent is sent; `recovery.settle_suspects` holds it, piece by piece.

        `doubt`: it is only put in doubt. What is to be held already stays so.
        """
        before = self.suspicion
        if before is not None and doubt and not before.doubt:
            doubt, note = False, before.note
        self.suspicion = Suspicion(below=self.next_seq - 1, note=note, doubt=doubt)
        if before != self.suspicion:
            self.held_to.clear()
        text = json.dumps({"below": self.suspicion.below, "note": note, "doubt": doubt})
        self.db.execute(QUERIES["set_meta"], (_META, text))

    def acquit(self) -> None:
        """Everything under suspicion is held, or in doubt."""
        self.suspicion = None
        self.db.execute(QUERIES["set_meta"], (_META, ""))

    def suspects(self, record: Record) -> bool:
        """Whether this record is yet to be held or doubted."""
        return (
            self.suspicion is not None
            and record.seq <= self.suspicion.below
            and not (record.state is State.HELD and record.in_doubt)
            and not record.final
        )

    @property
    def suspect_seq(self) -> int:
        """Up to here unsent records are not believed."""
        return 0 if self.suspicion is None else self.suspicion.below

    def settle(self, known: Known, now: Moment) -> Known:
        """Do to a record under suspicion what has to be done."""
        record = known.record
        held = record.state is State.HELD
        if self.suspicion is None or not self.suspicion.doubt or held:
            # What was held stays held for what it was held for, and is in doubt from now on.
            note = "" if self.suspicion is None else self.suspicion.note
            cause = record.cause if held else "queue.held"
            return self.move(known, Change(event=Event.DAMAGE, cause=cause, note=note), now)
        if record.in_doubt or record.transaction.delivery is not Delivery.AGENT:
            return known
        if record.state is not State.SENDING:
            # As if it had been on its way: the host knows its key since now at the latest.
            known = self.move(known, Change(event=Event.ATTEMPT), now)
        return self.move(known, replace(CUT_OFF, note=self.suspicion.note), now)

    def _suspicion(self) -> Suspicion | None:
        row = self.one("get_meta", _META)
        if row is None or not row[0]:
            return None
        try:
            return Suspicion(**json.loads(row[0]))
        except UNREADABLE:
            return Suspicion(below=self.next_seq - 1, note="damage was found before the last stop")


def counted(table: Table) -> Iterator[sqlite3.Row]:
    """Counts and sums of the unsent, piece by piece."""
    for uplink in table.uplinks():
        after, found = 0, COUNTED
        while found >= COUNTED:
            rows = table.many("tally", uplink, after, COUNTED)
            yield from rows
            found = sum(row[4] for row in rows)
            after = max((row[6] for row in rows), default=after)


def keep_tally(db: sqlite3.Connection, table: Table) -> None:
    """At a clean stop: write down the counts, so that the next start need not count a million."""
    told = "" if table.tally.spoilt else json.dumps(table.tally.kept())
    seal = table.sealer.line("tally", (table.next_seq, told)).hex()
    db.execute(QUERIES["set_meta"], ("tally", f"{seal} {told}" if told else ""))


def tally_kept(db: sqlite3.Connection, table: Table) -> list[list[Any]] | None:
    """What the last clean stop wrote down; None: to be counted."""
    row = db.execute(QUERIES["get_meta"], ("tally",)).fetchone()
    seal, _, told = str(row[0] if row else "").partition(" ")
    expected = table.sealer.line("tally", (table.next_seq, told)).hex()
    if not told or not hmac.compare_digest(seal.encode(), expected.encode()):
        return None
    rows: list[list[Any]] = json.loads(told)
    return rows


def _after(before: Record, change: Change, now: Moment, boot_no: int) -> Record:
    """What a change makes of a record. Raises IllegalMoveError."""
    state, in_doubt = move(before.state, before.in_doubt, change.event)
    stamp = Stamp(now.wall_ms, now.boot_ms, boot_no)
    attempt = change.event is Event.ATTEMPT
    unsent_again = change.event is Event.NOT_SENT
    # What was asked about a held record is history; why it is held stays with it.
    held = before.state is State.HELD and state is State.HELD
    keeps_cause = attempt or (held and change.event in (Event.ASKED, Event.NOT_FOUND))
    keeps_note = attempt or (held and change.event is Event.ASKED)
    # Every field by name: replace() takes as long as the UPDATE.
    return Record(
        seq=before.seq,
        transaction=before.transaction,
        state=state,
        in_doubt=in_doubt,
        version=before.version + 1,
        sent=before.sent + attempt - unsent_again,
        tried=before.tried + attempt - (0 if change.counts else 1),
        cause=before.cause if keeps_cause else change.cause,
        note=before.note if keeps_note else change.note,
        stored_at=before.stored_at,
        changed_at=now.at,
        next_wall_ms=change.next_wall_ms,
        next_boot_ms=change.next_boot_ms,
        boot_no=boot_no,
        lane=before.lane,
        stored=before.stored,
        first_sent=(before.first_sent or stamp) if attempt else before.first_sent,
        last_sent=stamp if attempt else before.last_sent,
        payload_version=change.payload_version or before.payload_version,
        not_found=change.not_found,
        result=change.result or before.result,
        flags=flags_after(before.flags, change.flags),
    )
