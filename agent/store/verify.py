"""Holds everything in a journal against what was written: MACs, digests, seals, structure.

A record at a time with all that belongs to it, a few milliseconds at a time, so that no payment
waits; where a pass got to is a text that the next piece goes on from. What is found altered goes
the way of every altered row (`Table.distrust`); a line of history or a report decides nothing about
money and is only told. On the writer thread; who asks, and how often, is decided elsewhere.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import field

from agent.core.moment import Moment
from agent.core.money.journal import Record
from agent.record import dataclass
from agent.store import tombstones
from agent.store.journal import Journal
from agent.store.past import implied
from agent.store.sealing import MissingKeyError

log = logging.getLogger(__name__)

#: A piece ends after the record that passes this; the longest record takes about 1 ms more.
PIECE_S = 0.002
ROWS = 40
#: Tombstones in a piece: about 2 ms.
STONES = 200
#: A journal of more pages takes SQLite too long to look at in one go, and it does not stop halfway.
PAGES = 1_000
#: Findings named in one answer; the rest is only counted.
NAMED = 100
_TABLES = ("batch", "sign_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not what was written."""

    what: str  #: record, payload, history, report, stray, tombstone, index, structure
    seq: int
    key: str
    detail: str


@dataclass(slots=True)
class Verified:
    """What a pass, or a part of it, came to."""

    after: str | None = ""  #: where to go on; None: it is through
    checked: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    #: "": not looked at yet; ok; long: too large to be looked at while payments may come
    structure: str = ""
    permille: int = 0

    def add(self, other: Verified) -> None:
        """A further piece."""
        self.after, self.permille = other.after, other.permille
        self.structure = other.structure or self.structure
        self.checked.update(other.checked)
        self.found.update(other.found)
        self.findings += other.findings[: max(0, NAMED - len(self.findings))]

    def tell(self, what: str, detail: str, seq: int = 0, key: str = "") -> None:
        """One finding."""
        self.found[what] += 1
        self.findings.append(Finding(what=what, seq=seq, key=key, detail=detail))
        log.error("event=verify_finding what=%s seq=%s detail=%r", what, seq, detail)


def piece(journal: Journal, after: str, now: Moment, *, patient: bool = False) -> Verified:
    """Check some more. `patient`: nobody waits for this thread; the structure is checked whole."""
    phase, _, place = after.partition(":")
    done = Verified()
    at = int(place) if place.isascii() and place.isdigit() else 0
    match phase:
        case "" | "records":
            last = _records(journal, at, now, done, 60.0 if patient else PIECE_S)
            done.after = "strays" if last is None else f"records:{last}"
            done.permille = 900 * at // max(1, journal.table.next_seq)
        case "strays":
            last = _strays(journal, at, done)
            done.after = "stones" if last is None else f"strays:{last}"
            done.permille = 900
        case "stones":
            key = _stones(journal, _unhex(place), done)
            done.after = "reports" if key is None else f"stones:{key.encode().hex()}"
            done.permille = 930
        case "reports":
            _reports(journal, done)
            done.after, done.permille = "structure", 950
        case _:
            _structure(journal.table.db, done, patient=patient)
            if done.structure == "damaged":
                journal.table.suspect("the structure of the journal is damaged")
            done.after, done.permille = None, 1000
    return done


def _records(
    journal: Journal, after: int, now: Moment, done: Verified, budget_s: float
) -> int | None:
    """Rows of tx with payloads, history and reports. The number of the last; None: no more."""
    ends = time.monotonic() + budget_s
    rows = journal.table.many("records_after", after, ROWS)
    for row in rows:
        done.checked["record"] += 1
        seq, key = row["seq"], str(row["key"])
        record = journal.table.believed(row, now)
        if record is None:
            done.tell("record", "its row was altered and is put aside", seq, key)
        else:
            _indexes(journal, record, done)
            _payload(journal, record, row, now, done)
        _history(journal, seq, key, record, done)
        _stages(journal, seq, key, done)
        if time.monotonic() > ends:
            return int(seq)
    return None if len(rows) < ROWS else int(rows[-1]["seq"])


def _indexes(journal: Journal, record: Record, done: Verified) -> None:
    """Whether it is found where it is looked for. A journal that does not find a payment sends it
    never, or a second time."""
    ways = [("key_of", record.key)]
    if not record.final:
        ways.append(("unsent_of", record.transaction.uplink))
    for query, value in ways:
        if journal.table.one(query, value, record.seq) is None:
            done.tell("index", "an index does not find it", record.seq, record.key)
            journal.table.suspect("an index of the journal is damaged")


def _payload(
    journal: Journal, record: Record, row: sqlite3.Row, now: Moment, done: Verified
) -> None:
    done.checked["payload"] += 1
    try:
        reason = journal.payloads.verdict(record)
    except MissingKeyError as error:
        done.tell("key", error.what, record.seq, record.key)
        return
    if reason:
        journal.table.distrust(row, reason, now)
        done.tell("payload", f"{reason}; it is put aside", record.seq, record.key)


def _history(journal: Journal, seq: int, key: str, record: Record | None, done: Verified) -> None:
    rows = journal.table.many("history_of", seq)
    numbers = [row["n"] for row in rows]
    done.checked["history"] += len(rows)
    # Of an altered row nobody can say what its lines should be.
    if record is not None and not _complete(numbers, len(implied(record))):
        done.tell("history", "lines of its history are missing", seq, key)
    for row in rows:
        if not _genuine(journal, "history", row):
            done.tell("history", f"line {row['n']} of its history was altered", seq, key)


def _complete(numbers: list[int], told: int) -> bool:
    """Whether no line is missing; the row itself says the first `told` of them."""
    if set(numbers) <= set(range(1, told + 1)):
        return told > 0
    return numbers == list(range(1, len(numbers) + 1))


def _stages(journal: Journal, seq: int, key: str, done: Verified) -> None:
    rows = journal.table.many("stages", seq)
    done.checked["report"] += len(rows)
    for row in rows:
        if not _genuine(journal, "stage", row):
            done.tell("report", f"report {row['n']} of its stages was altered", seq, key)


def _genuine(journal: Journal, table: str, row: sqlite3.Row) -> bool:
    *line, mac = tuple(row)
    try:
        return hmac.compare_digest(journal.table.sealer.line(table, tuple(line)), mac)
    except TypeError:
        return False


def _strays(journal: Journal, after: int, done: Verified) -> int | None:
    """Payloads of records that are in no table: somebody took the row away."""
    rows = journal.table.many("payload_ids", after, 5 * ROWS)
    for row in rows:
        seq = row["id"] >> 8
        if journal.table.one("known_seq", seq, seq) is None:
            done.tell("stray", "there is a payload and no record", seq)
    return None if len(rows) < 5 * ROWS else int(rows[-1]["id"])


def _unhex(place: str) -> str:
    """A key on its way through the caller: of an altered one nobody knows what signs are in it."""
    try:
        return bytes.fromhex(place).decode("utf-8", "replace")
    except ValueError:
        return ""  # from the beginning


def _stones(journal: Journal, after: str, done: Verified) -> str | None:
    """Keys of forgotten payments. One that was altered still refuses its key."""
    rows = journal.table.many("tombstones_after", after, STONES)
    done.checked["tombstone"] += len(rows)
    for row in rows:
        if not tombstones.genuine(journal.table.sealer, row):
            detail = "what was kept of a forgotten payment was altered"
            done.tell("tombstone", detail, key=row["key"])
    return None if len(rows) < STONES else str(rows[-1]["key"])


def _reports(journal: Journal, done: Verified) -> None:
    for table in _TABLES:
        rows = journal.table.many(f"all_{table}")
        done.checked["report"] += len(rows)
        for row in rows:
            if not _genuine(journal, table, row):
                done.tell("report", f"what was reported of terminal {row[0]} was altered")


def _structure(db: sqlite3.Connection, done: Verified, *, patient: bool) -> None:
    if not patient and db.execute("PRAGMA page_count").fetchone()[0] > PAGES:
        done.structure = "long"
        return
    verdicts = [row[0] for row in db.execute("PRAGMA integrity_check(10)")]
    done.structure = "ok" if verdicts == ["ok"] else "damaged"
    for verdict in verdicts if verdicts != ["ok"] else ():
        done.tell("structure", str(verdict)[:200])


class Sweep:
    """A whole pass in the given time, in quiet portions; asked once a tick.

    Counted in records, so that a small journal costs a handful of pieces a day and a large one a
    piece every few seconds.
    """

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._owed = float(ROWS)  # one at once: switched off every hour, it still gets on
        self.after = ""  #: where the pass goes on
        self.so_far = Verified()

    def passed(self, passed_s: float, records: int) -> None:
        """So much time has gone by over a journal of so many records."""
        if self._period_s:
            # A little ahead, because the other phases take their turn too.
            self._owed += 1.1 * (records + 3 * ROWS) * passed_s / self._period_s

    @property
    def due(self) -> bool:
        """Whether a piece is to be done now."""
        return self._period_s > 0 and self._owed >= ROWS

    def took(self, done: Verified) -> Verified | None:
        """A piece is done. The whole pass, if that was its last."""
        self._owed -= done.checked["record"] or ROWS
        self.so_far.add(done)
        self.after = done.after or ""
        if done.after is not None:
            return None
        whole, self.so_far = self.so_far, Verified()
        return whole


def counts(found: Mapping[str, int]) -> str:
    """For a line of the log."""
    return ",".join(f"{name}:{number}" for name, number in sorted(found.items())) or "none"


__all__ = ["Finding", "Sweep", "Verified", "counts", "piece"]
