"""The table `tx`, a row at a time: believed or put aside, sealed when written, history beside it.

It decides whether a row is what was once written, and what follows when it is not: that row is
put aside, and everything unsent is under suspicion until it is held (money rule 8). It knows
neither keys nor lanes nor when anything is due (journal). On the writer thread only.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from agent.core.moment import Moment, Stamp
from agent.core.money.journal import Change, Event, Record, State, move
from agent.errors import InternalError
from agent.store.aside import Aside
from agent.store.known import KnownRows
from agent.store.rows import NUMBER, Known, Sealer, record_of
from agent.store.sql import QUERIES
from agent.store.tally import Tally

#: What a row that was not written by us may raise while it is taken apart.
UNREADABLE = (ValueError, KeyError, IndexError, TypeError, AttributeError)
_META = "suspicion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspicion:
    """Damage was found: no unsent record up to this number is believed before all are held."""

    below: int
    note: str


class Table:
    """`tx`, `history` and what is kept in step with them."""

    def __init__(
        self, db: sqlite3.Connection, sealer: Sealer, *, boot_no: int, next_seq: int
    ) -> None:
        self.db = db
        self.sealer = sealer
        self.boot_no = boot_no
        self.next_seq = next_seq
        self.tally = Tally()
        self.aside = Aside(db)
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
        values = tuple(row)
        try:
            standing = self.sealer.genuine(values)
            if standing is not None:
                return Known(record_of(values), values, standing)
            reason = "row MAC does not match"
        except UNREADABLE as error:
            reason = f"unreadable row: {type(error).__name__}"
        self.distrust(row, reason, now)
        return None

    # -- writing ---------------------------------------------------------------------------

    def insert(self, record: Record, business_fp: bytes, payload_fp: bytes, now: Moment) -> None:
        """A new row; its number is used up."""
        values = self.sealer.insertion(record, business_fp, payload_fp)
        self.db.execute(QUERIES["insert_tx"], values)
        self.next_seq += 1
        self.tally.moved(None, record)
        self.remember(record, "submitted", Change(event=Event.RELEASE), now, 1)

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
        # The first step has a history of one row, and a final event cannot have happened before.
        plain = before.version == 1 or (before.version == 2 and after.final)
        self.remember(after, change.event.value, change, now, after.version if plain else 0)
        return moved

    def remember(self, record: Record, event: str, change: Change, now: Moment, n: int = 0) -> None:
        """The history row; the same trouble again only raises the count of its row.

        `n`: the number of the new row where it is known that it is new.
        """
        tail = [] if n else self.many("history_tail", record.seq)
        said = (event, change.cause, change.note, change.actor)
        for row in tail if change.actor == "agent" else ():  # what a person did is never folded
            if (row["event"], row["cause"], row["note"], row["actor"]) == said:
                self.db.execute(
                    QUERIES["history_again"],
                    (now.wall_ms, NUMBER[record.state], record.in_doubt, record.seq, row["n"]),
                )
                return
        self.db.execute(
            QUERIES["history_add"],
            (
                record.seq, n or (tail[0]["n"] + 1 if tail else 1), event, NUMBER[record.state],
                record.in_doubt, change.cause, change.note, change.actor, now.wall_ms, now.wall_ms,
            ),
        )  # fmt: skip

    # -- a batch ends ----------------------------------------------------------------------

    def committed(self) -> None:
        """What was written since the last call is durable."""
        self.tally.commit()
        self.aside.commit()

    def rolled_back(self, mark: int = 0) -> None:
        """What was written since `mark` (of the tally) did not happen."""
        self.tally.rollback(mark)
        self.aside.rollback()

    # -- doubt about the rows themselves ---------------------------------------------------

    def distrust(self, row: sqlite3.Row, reason: str, now: Moment) -> None:
        """Put the row aside, and (rule 8) believe nothing unsent until somebody looked."""
        self.aside.keep(row, reason, now)
        self.tally.spoil()
        self.suspect(f"record {row['seq']} was found altered; nothing unsent is believed")

    def suspect(self, note: str) -> None:
        """From now on nothing unsent is sent; `recovery.hold_suspects` holds it, piece by piece."""
        before, self.suspicion = self.suspicion, Suspicion(below=self.next_seq - 1, note=note)
        if before is None or before.below != self.suspicion.below:
            self.held_to.clear()
        text = json.dumps({"below": self.suspicion.below, "note": note})
        self.db.execute(QUERIES["set_meta"], (_META, text))

    def acquit(self) -> None:
        """Everything under suspicion is held."""
        self.suspicion = None
        self.db.execute(QUERIES["set_meta"], (_META, ""))

    def suspects(self, record: Record) -> bool:
        """Whether this record is yet to be held."""
        return (
            self.suspicion is not None
            and record.seq <= self.suspicion.below
            and record.state is not State.HELD
            and not record.final
        )

    @property
    def suspect_seq(self) -> int:
        """Up to here unsent records are not believed."""
        return 0 if self.suspicion is None else self.suspicion.below

    @property
    def damage(self) -> Change:
        """What happens to a record under suspicion."""
        note = "" if self.suspicion is None else self.suspicion.note
        return Change(event=Event.DAMAGE, cause="queue.held", note=note)

    def _suspicion(self) -> Suspicion | None:
        row = self.one("get_meta", _META)
        if row is None or not row[0]:
            return None
        try:
            return Suspicion(**json.loads(row[0]))
        except UNREADABLE:
            return Suspicion(below=self.next_seq - 1, note="damage was found before the last stop")


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
        payload_version=before.payload_version,
        not_found=change.not_found,
        result=change.result or before.result,
    )
