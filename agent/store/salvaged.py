"""Takes rows of a quarantined journal back into the present one: held, in doubt, never sent.

Only what is proved counts: the row by its MAC, its payload by digest and seal, both bound to the
old database. A row that is proved may still be older than the last one the old journal had, so
nothing unsent goes out before the host was asked or a person released it (money rule 8). What is
final there stays final here, which keeps its key known. A key that is here already is left alone,
so it can be done again and again. The old files are never touched: `Wreck` reads a copy.
"""

from __future__ import annotations

import hmac
import logging
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

from agent.core.moment import Moment, Stamp
from agent.core.money.journal import FINAL, Change, Event, Record, State
from agent.core.money.transaction import Submission
from agent.crypt import KeyRing
from agent.errors import AgentError, OperatorError
from agent.record import dataclass
from agent.store import migrate
from agent.store.files import row_key
from agent.store.journal import Journal
from agent.store.past import implied
from agent.store.payloads import proved
from agent.store.quarantine import FOLDER
from agent.store.rows import COLUMNS, FIRST_FINAL, UNREADABLE, Sealer, record_of
from agent.store.schema import SCHEMA, DamagedError, database_id
from agent.store.sealing import DESTROYED, Seals
from agent.store.sql import QUERIES

log = logging.getLogger(__name__)

#: Rows read, and rows written, in one go.
READ = 100
WRITTEN = 10
CAUSE = "queue.quarantined"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One row of the wreck that is proved, with all that belongs to it."""

    record: Record
    business_fp: bytes
    payload_fp: bytes
    payloads: Mapping[int, Submission | None]  #: by version; None: destroyed
    lines: list[tuple[object, ...]]  #: of the history, without both numbers and MAC
    stages: list[tuple[object, ...]]  #: what the app reported, without the record's number and MAC


@dataclass(slots=True)
class Haul:
    """What came of a piece of it, or of all."""

    after: int | None = 0  #: where to go on; None: it is through
    taken: int = 0  #: unsent before, held now
    final: int = 0
    known: int = 0  #: their keys are here already
    unproved: int = 0  #: unsent and left where they are
    amounts: Counter[str] = field(default_factory=Counter)  #: of the unproved

    def add(self, other: Haul) -> None:
        """The counts of a further piece."""
        self.taken += other.taken
        self.final += other.final
        self.known += other.known
        self.unproved += other.unproved
        self.amounts.update(other.amounts)


class Wreck:
    """A copy of one quarantined journal, for reading. Off the loop: all of it blocks."""

    def __init__(self, state_dir: Path, name: str, ring: KeyRing | None) -> None:
        """Raises OperatorError where nothing in it can be proved."""
        import shutil  # damage is rare, and these bring the archive formats along (0.8 MB)
        import tempfile

        source = state_dir / FOLDER / name
        if Path(name).name != name or not source.is_file():
            raise OperatorError("salvage.unknown", f"there is no {name} in {state_dir / FOLDER}")
        self.name = name
        self._scratch = tempfile.TemporaryDirectory(prefix="posagent-")
        try:
            copy = Path(self._scratch.name) / "journal.db"
            for suffix in ("", "-wal"):
                beside = source.with_name(name + suffix)
                if beside.exists():
                    shutil.copyfile(beside, copy.with_name(copy.name + suffix))
            secret, _ = row_key(state_dir / "row.key")
            self._db = _opened(copy, secret)
        except BaseException:
            self._scratch.cleanup()
            raise
        try:
            old_id = database_id(self._db)
        except (sqlite3.Error, DamagedError, *UNREADABLE) as error:
            self.close()
            raise _hopeless(name, f"its number cannot be read ({type(error).__name__})") from error
        self._sealer = Sealer(secret, old_id)
        ids = ring.ids if ring else frozenset()
        self._seals = Seals(old_id, ring, on=False, in_use=ids)
        self._boots = self._boot_ids()

    def close(self) -> None:
        self._db.close()
        self._scratch.cleanup()

    def piece(self, after: int) -> tuple[list[Found], Haul, dict[int, str]]:
        """The next rows that are proved, what the others were, and the boots the rows name."""
        haul = Haul(after=after)
        found: list[Found] = []
        top = self._top()
        last = after
        while last < top and len(found) < READ:
            try:
                rows = self._db.execute(QUERIES["records_after"], (last, READ)).fetchall()
                if not rows:
                    last = top
                for row in rows:
                    last = row["seq"]
                    self._take(row, found, haul)
            except sqlite3.Error:
                last += 1  # step over the page that cannot be read
        haul.after = None if last >= top else last
        return found, haul, self._boots

    def _top(self) -> int:
        try:
            return int(self._db.execute("SELECT max(seq) FROM tx").fetchone()[0] or 0)
        except (sqlite3.Error, TypeError, ValueError):
            return 0

    def _take(self, row: sqlite3.Row, found: list[Found], haul: Haul) -> None:
        one = self._proved(row)
        if one is not None:
            found.append(one)
        elif isinstance(row["state"], int) and row["state"] < FIRST_FINAL:
            haul.unproved += 1
            if isinstance(row["currency"], str) and isinstance(row["amount_minor"], int):
                haul.amounts[row["currency"]] += row["amount_minor"]

    def _proved(self, row: sqlite3.Row) -> Found | None:
        try:
            if self._sealer.genuine(tuple(row)) is None:
                return None
            record = record_of(tuple(row))
            payloads = self._payloads(record)
        except (AgentError, *UNREADABLE):  # also a key that is not here
            return None
        if payloads is None:
            return None
        return Found(
            record=record, business_fp=bytes(row["business_fp"]),
            payload_fp=bytes(row["payload_fp"]), payloads=payloads,
            lines=self._history(record),
            stages=self._lines("stage", "stages", record.seq, 1),
        )  # fmt: skip

    def _payloads(self, record: Record) -> dict[int, Submission | None] | None:
        """By version; None: the one to be sent is not what was handed over."""
        found: dict[int, Submission | None] = {}
        for version in range(1, record.payload_version + 1):
            number = record.seq * 256 + version
            kept = self._db.execute(QUERIES["payload"], (record.seq, number)).fetchone()
            one = None
            if kept is not None and kept["seal"] != DESTROYED:
                one = proved(self._seals, record, number, kept, self._sealer.secret)
            gone = kept is not None and kept["seal"] == DESTROYED and record.final
            if one is None and not gone:
                if version == record.payload_version:
                    return None
                continue  # an older one that nobody sends
            found[version] = one
        return found

    def _history(self, record: Record) -> list[tuple[object, ...]]:
        """All steps, those too that only the row tells of."""
        told = [tuple(line[2:]) for line in implied(record)]
        written = self._lines("history", "history_of", record.seq, 2)
        return written if len(written) >= len(told) else told

    def _lines(self, table: str, query: str, seq: int, skip: int) -> list[tuple[object, ...]]:
        """Those that are what was written, without their first columns and MAC."""
        lines: list[tuple[object, ...]] = []
        for row in self._db.execute(QUERIES[query], (seq,)).fetchall():
            *values, mac = tuple(row)
            try:
                if hmac.compare_digest(self._sealer.line(table, tuple(values)), mac):
                    lines.append(tuple(values[skip:]))
            except TypeError:
                log.debug("event=line_not_proved seq=%s", seq)
        return lines

    def _boot_ids(self) -> dict[int, str]:
        try:
            rows = self._db.execute("SELECT no, boot_id FROM boot").fetchall()
        except sqlite3.Error:
            return {}
        return {row[0]: row[1] for row in rows if isinstance(row[1], str)}


def _opened(copy: Path, secret: bytes) -> sqlite3.Connection:
    """Raises OperatorError where the file is no journal any more."""
    db = sqlite3.connect(copy, isolation_level=None, check_same_thread=False)
    try:
        db.row_factory = sqlite3.Row
        db.text_factory = lambda raw: raw.decode("utf-8", "backslashreplace")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if 0 < version < SCHEMA:
            migrate.migrate(db, copy, version, secret, own=False)
        columns = tuple(row["name"] for row in db.execute("PRAGMA table_info(tx)"))
    except (sqlite3.Error, AgentError) as error:
        db.close()
        raise _hopeless(copy.name, type(error).__name__) from error
    if columns != COLUMNS:
        db.close()
        raise _hopeless(copy.name, "it was written by another version of the agent")
    return db


def _hopeless(name: str, why: str) -> OperatorError:
    return OperatorError(
        "salvage.unreadable",
        f"nothing in {name} can be proved: {why}",
        "keep the file for the vendor; compare with the host's list (reconcile)",
    )


# -- into the present journal, on its thread ----------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class From:
    """Where rows come from, and who asked for them."""

    name: str
    boots: Mapping[int, str]
    actor: str


def take(journal: Journal, found: Sequence[Found], source: From, now: Moment) -> Haul:
    """Write some rows of a wreck into the journal."""
    haul = Haul()
    numbers = {old: _boot_no(journal, boot_id, now) for old, boot_id in source.boots.items()}
    for one in found:
        key = one.record.key
        if journal.table.one("by_key", key) or journal.table.one("tombstone", key):
            haul.known += 1
            continue
        record = _brought_over(one.record, journal, numbers, source.name, now)
        _write(journal, record, one, source, now)
        haul.final += record.final
        haul.taken += not record.final
    return haul


def _boot_no(journal: Journal, boot_id: str, now: Moment) -> int:
    row = journal.table.one("boot", boot_id)
    if row is not None:
        return int(row[0])
    added = journal.table.db.execute(QUERIES["add_boot"], (boot_id, now.wall_ms))
    return int(added.lastrowid or 0)


def _brought_over(
    old: Record, journal: Journal, numbers: Mapping[int, int], name: str, now: Moment
) -> Record:
    def stamp(at: Stamp | None) -> Stamp | None:
        # 0 is no boot: an age that can only be told by the wall clock.
        return at and Stamp(at.wall_ms, at.boot_ms, numbers.get(at.boot_no, 0))

    unsent = old.state not in FINAL
    return replace(
        old,
        seq=journal.table.next_seq,
        state=State.HELD if unsent else old.state,
        in_doubt=unsent,
        version=old.version + 1,
        cause=CAUSE if unsent else old.cause,
        note=f"taken back from {name}, where it was {old.state}" if unsent else old.note,
        changed_at=now.at,
        next_wall_ms=0,
        next_boot_ms=0,
        boot_no=journal.boot_no,
        stored=stamp(old.stored) or old.stored,
        first_sent=stamp(old.first_sent),
        last_sent=stamp(old.last_sent),
        not_found=0,
    )


def _write(journal: Journal, record: Record, one: Found, source: From, now: Moment) -> None:
    table = journal.table
    db, sealer = table.db, table.sealer
    db.execute(QUERIES["insert_tx"], sealer.insertion(record, one.business_fp, one.payload_fp))
    table.next_seq += 1
    table.tally.moved(None, record)
    table.changed.append(record)
    for version, submission in one.payloads.items():
        journal.payloads.bring(record, version, submission)
    for n, line in enumerate(one.lines, 1):
        values = (record.seq, n, *line)
        db.execute(QUERIES["history_add"], (*values, sealer.line("history", values)))
    for stage in one.stages:
        values = (record.seq, *stage)
        db.execute(QUERIES["add_stage"], (*values, sealer.line("stage", values)))
    note = f"taken back from {source.name}"
    change = Change(event=Event.LATE, cause=record.cause, note=note, actor=source.actor)
    table.past.remember(record, "salvaged", change, now, len(one.lines) + 1)
