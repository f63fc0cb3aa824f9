"""What a store brought along to another machine: held and in doubt, until a person has decided.

An image or a flash that was put into another terminal brings unsent payments with it. Whether the
first terminal still has them, and sends them, nobody here can know: so each is held and in doubt
(money rule 8), which leaves only questions to the host. What is taken over from then on carries
keys of its own and goes its way. Once per machine: the journal notes since when. On the writer's
thread; called when the journal is opened, and by `agent.main` for what was released.
"""

from __future__ import annotations

import logging
import sqlite3

from agent.core.moment import Moment
from agent.core.money.journal import Change, Event, State
from agent.store.journal import Journal
from agent.store.recovery import AT_START, settle_suspects
from agent.store.schema import meta
from agent.store.sql import QUERIES

log = logging.getLogger(__name__)

#: Also recognises, among what is held, what is held for this.
NOTE = "brought along from another terminal's hardware: that one may have sent it, or still will"
RELEASED = "a technician confirmed that this is the same terminal in other hardware"
_META = "inherited"
#: Records looked at in one piece of work.
PIECE = 20


def hold(db: sqlite3.Connection, journal: Journal, since_ms: int, now: Moment) -> bool:
    """Everything not final comes under suspicion; False: it did already, for this machine."""
    if meta(db, _META) == str(since_ms):
        return False
    db.execute("BEGIN IMMEDIATE")
    try:
        journal.table.suspect(NOTE)
        settle_suspects(journal.table, now, AT_START)
        db.execute(QUERIES["set_meta"], (_META, str(since_ms)))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
    journal.table.committed()
    log.warning("event=inherited_held unsent=%d", journal.backlog().total.count)
    return True


def release(journal: Journal, after_seq: int, now: Moment) -> tuple[int, int | None]:
    """A person decided: let go what is held for this alone, a piece at a time.

    Released in doubt stays in doubt: the host is asked before anything is sent. Returns how many,
    and where to go on; None: that was all.
    """
    if journal.table.suspicion is not None:
        return 0, after_seq  # still being held
    page = journal.page(frozenset({State.HELD}), after_seq, PIECE, now)
    released = 0
    for record in page.records:
        if not _for_this(journal, record.seq):
            continue
        change = Change(event=Event.RELEASE, note=RELEASED, not_found=record.not_found)
        journal.moved_on(record.seq, record.version, change, now)
        released += 1
    return released, page.after_seq


def _for_this(journal: Journal, seq: int) -> bool:
    """Whether the newest hold of a record is ours, and it was not held before."""
    steps = journal.steps(seq, 100)
    holds = [n for n, step in enumerate(steps) if step.event in (Event.HOLD, Event.DAMAGE)]
    if not holds or steps[holds[-1]].note != NOTE:
        return False
    return holds[-1] == 0 or steps[holds[-1] - 1].state is not State.HELD
