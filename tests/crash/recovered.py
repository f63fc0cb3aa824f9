"""Opens a store on what a crash left, by the store's own way in, and compares it with the history.

Used by every rig. What it looks for: an acknowledged payment that is missing or has other content;
a state that was never asked for or has gone back behind what was acknowledged; damage reported
although nothing was damaged; sums that do not fit; a store that opens and cannot record.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from agent.core.moment import Moment
from agent.core.money.journal import Backlog, Record, State
from agent.errors import AgentError
from agent.store.files import Counters, private_directory
from agent.store.journal import RECORDS, Journal
from agent.store.opening import open_journal
from tests.crash.history import History, submission_of
from tests.fakes import FakeClock

#: A key no workload uses: what the first customer after the crash pays with.
AFTERWARDS = "after-the-crash"


def problems(directory: Path, history: History, doubted: list[str] | None = None) -> list[str]:
    """What is wrong with the store in `directory`, opened as after a reboot; [] is well.

    `doubted` gets the payments in doubt only because the end of the log could not be read.
    """
    now = FakeClock(wall_ms=time.time_ns() // 1_000_000 + 60_000, boot_id="boot-2").now()
    try:
        # The steps of `Store._open` that money depends on; the lock and state.db are not.
        private_directory(directory)
        Counters(directory / "counters")
        db, journal, facts = open_journal(directory, now, {})
    except AgentError as error:
        return [f"does not open: {error.code} {error.what}"]
    try:
        damage = [f"damage reported: {facts.damage}"] if facts.damage else []
        return damage + _compared(db, journal, history, now, [] if doubted is None else doubted)
    finally:
        db.close()


def everything(
    journal: Journal, now: Moment, states: frozenset[State] | None = None
) -> list[Record]:
    """All records, or those in some states, in order of acceptance."""
    found: list[Record] = []
    after: int | None = 0
    while after is not None:
        page = journal.page(states, after, RECORDS, now)
        found += page.records
        after = page.after_seq
    return found


def _compared(
    db: sqlite3.Connection, journal: Journal, history: History, now: Moment, doubted: list[str]
) -> list[str]:
    found: list[str] = []
    if journal.aside.keys or journal.aside.journals():
        found.append("something was put aside")
    db.execute("BEGIN IMMEDIATE")
    records = {record.key: record for record in everything(journal, now)}
    found += [f"lost: {key}" for key in history.acknowledged() if key not in records]
    for record in records.values():
        found += filter(None, (history.knows(record), _content(journal, record, now)))
        if record.key in history.lives and history.doubted(record):
            doubted.append(record.key)
    found += _sums(journal.backlog(), records.values())
    if not journal.append(submission_of(AFTERWARDS), now).created:
        found.append("a new payment was not recorded")
    db.execute("COMMIT")
    return found


def _content(journal: Journal, record: Record, now: Moment) -> str:
    """The payment and its bytes are what the app handed over, and the history tells its end."""
    submission = submission_of(record.key)
    payload = journal.payload(record, now)
    if record.transaction != submission.transaction or payload != submission.payload:
        return f"other content: {record.key}"
    # The same trouble again is counted in its earlier row, so the newest row is one of the last.
    steps = journal.steps(record.seq, 3)
    if (record.state, record.in_doubt) not in [(step.state, step.in_doubt) for step in steps]:
        return f"history does not know where the record stands: {record.key}"
    return ""


def _sums(backlog: Backlog, records: Iterable[Record]) -> list[str]:
    unsent = [record for record in records if not record.final]
    amount = sum(record.transaction.amount_minor or 0 for record in unsent)
    if (backlog.total.count, backlog.total.by_currency.get("CNY", 0)) != (len(unsent), amount):
        return [f"sums: {backlog.total} for {len(unsent)} records of {amount}"]
    return []
