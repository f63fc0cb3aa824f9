"""Forgets payments that have been final for long enough, and keeps their keys for ever.

Oldest first, a few at a time while nobody waits, and only so many a day: what is deleted wears the
flash like what is written. With a row go its payloads, history and reports; a tombstone with key,
state and fingerprints stays, so that no key is ever posted twice (money rule 4). Nothing that is
not final is touched, nor the newest row, whose number must not be used again.

The wall clock decides, so it must have proved itself: nothing is deleted while it is not trusted,
nor for a week of running time after it jumped, nor by the stamp of a row that was finished under
an impossible clock; such a row is stamped anew and waits its whole time from then on. On the
writer thread only.
"""

from __future__ import annotations

import json
import logging
import time
from dataclasses import asdict, replace
from typing import Any

from agent.core.moment import BUILD_FLOOR_MS, Moment
from agent.core.money.journal import Change, Event, Record
from agent.record import dataclass
from agent.store import tombstones
from agent.store.journal import Journal
from agent.store.rows import FIRST_FINAL
from agent.store.sql import QUERIES
from agent.store.table import Table

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
#: Between two looks when there was nothing to do, and between two pieces when there was.
PASS_S = 3_600.0
PIECE_S = 0.25
#: Rows looked at and forgotten in one piece, and the time after which it ends early: the commit
#: comes on top.
LOOK_ROWS = 200
PIECE_ROWS = 50
PIECE_MS = 3.0
#: So many rows in a row that are too young end a walk: those behind them are younger still.
YOUNG_ROWS = 500
#: A clock that gained or lost more than this against the boot clock was set.
JUMP_MS = 3_600_000
#: Longer switched off than this looks the same as a clock that was set.
OFF_MS = 30 * DAY_MS
SETTLE_MS = 7 * DAY_MS
_META = "retention"
_RESTAMPED = "final under a clock that was wrong; kept for its whole time from here on"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long final payments are kept, and how many may be forgotten in a day."""

    keep_ms: int
    per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where forgetting stood the last time; kept in the journal."""

    wall_ms: int = 0
    boot_ms: int = 0
    boot_id: str = ""
    settle_ms: int = 0  #: running time yet to go by before the clock is believed again
    day: int = 0
    done: int = 0  #: rows of that day


class Retention:
    """The walk over one journal."""

    def __init__(self, keeping: Keeping) -> None:
        self._keeping = keeping
        self._after_seq = 0
        self._young = 0
        self._next_s = 0.0

    def wait_s(self, now_s: float) -> float:
        """How long until there is something to do."""
        return max(0.0, self._next_s - now_s)

    def put_off(self, now_s: float) -> None:
        """Something failed: much later."""
        self._next_s = now_s + PASS_S

    def piece(self, journal: Journal, now: Moment) -> int:
        """Forget a few. How many; when nothing is left, the next look is an hour away."""
        self._next_s = time.monotonic() + PASS_S
        if not now.trusted or journal.table.suspicion is not None or journal.gate.handed_over:
            return 0
        mark = believed(_mark(journal.table), now)
        room = min(PIECE_ROWS, self._keeping.per_day - mark.done)
        forgotten = 0
        if mark.settle_ms <= 0 and room > 0:
            forgotten = self._walk(journal, now, room)
        before = _mark(journal.table)
        mark = replace(mark, done=mark.done + forgotten)
        # An hour that changed nothing is not worth a write; a day is.
        if forgotten or mark.settle_ms != before.settle_ms or mark.day != before.day:
            said = json.dumps(asdict(mark), separators=(",", ":"))
            journal.table.db.execute(QUERIES["set_meta"], (_META, said))
        return forgotten

    def _walk(self, journal: Journal, now: Moment, room: int) -> int:
        table = journal.table
        newest = table.next_seq - 1
        ends_s = time.monotonic() + PIECE_MS / 1000
        rows = table.many("final_from", self._after_seq, newest, LOOK_ROWS)
        forgotten = 0
        for seq, state, changed_ms in rows:
            if forgotten >= room or time.monotonic() > ends_s:
                break
            self._after_seq = seq
            if state < FIRST_FINAL:
                continue
            age_ms = now.wall_ms - changed_ms
            if changed_ms < BUILD_FLOOR_MS or age_ms < -DAY_MS:
                forgotten += self._stamp_anew(table, seq, now)
            elif age_ms < self._keeping.keep_ms:
                self._young += 1
            else:
                self._young = 0
                forgotten += forget(journal, seq, now)
        if not rows or self._young >= YOUNG_ROWS:
            self._after_seq = self._young = 0  # this walk is over
        else:
            self._next_s = time.monotonic() + PIECE_S
        return forgotten

    def _stamp_anew(self, table: Table, seq: int, now: Moment) -> int:
        row = table.one("by_seq", seq)
        known = None if row is None else table.look(row, now)
        if known is None:
            return 0
        table.move(known, Change(event=Event.LATE, cause=known.record.cause, note=_RESTAMPED), now)
        return 1  # it costs as much as one that is forgotten


def believed(mark: Mark, now: Moment) -> Mark:
    """The mark carried on to now: how much running time the clock still has to prove itself."""
    day = now.wall_ms // DAY_MS
    same_boot = mark.boot_id == now.boot_id
    ran_ms = now.boot_ms - mark.boot_ms if same_boot else now.boot_ms
    gained_ms = now.wall_ms - mark.wall_ms
    settle_ms = max(0, mark.settle_ms - ran_ms)
    if mark.wall_ms == 0:
        settle_ms = SETTLE_MS  # a new journal has nothing old anyway
    elif (same_boot and abs(gained_ms - ran_ms) > JUMP_MS) or (
        not same_boot and not -JUMP_MS <= gained_ms <= ran_ms + OFF_MS
    ):
        settle_ms = SETTLE_MS
    return Mark(
        wall_ms=now.wall_ms, boot_ms=now.boot_ms, boot_id=now.boot_id, settle_ms=settle_ms,
        day=day, done=mark.done if day == mark.day else 0,
    )  # fmt: skip


def forget(journal: Journal, seq: int, now: Moment) -> int:
    """Replace one final payment by its tombstone. How many were forgotten: it may be damaged."""
    table = journal.table
    row = table.one("by_seq", seq)
    known = None if row is None else table.look(row, now)
    if row is None or known is None or not known.record.final or _waited_for(table, known.record):
        return 0
    final_ms = row["changed_ms"]
    tombstones.lay(table, known.record, final_ms, (row["business_fp"], row["payload_fp"]))
    for name, values in (
        ("delete_tx", (seq,)),
        ("delete_payloads", (seq * 256, seq * 256 + 255)),
        ("delete_history", (seq,)),
        ("delete_stages", (seq,)),
    ):
        table.db.execute(QUERIES[name], values)
    return 1


def _waited_for(table: Table, record: Record) -> bool:
    """Whether something unsent still hangs on it, in the lane that bears its key."""
    lane = record.lane if record.lane and record.lane.startswith("p:") else f"p:{record.key}"
    return table.one("lane_unsent", lane) is not None


def _mark(table: Table) -> Mark:
    row = table.one("get_meta", _META)
    try:
        fields: dict[str, Any] = json.loads(row[0]) if row is not None else {}
        return Mark(**fields)
    except (ValueError, TypeError):
        return Mark()  # altered: the clock must prove itself again
