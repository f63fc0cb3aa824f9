"""What a start does to records that were left half done, and what damage does to all unsent ones.

A journal may hold a million records, so nothing here walks all of them at once: what was being
sent is found by its count, and what is under suspicion is held a few rows at a time between other
work, while nothing of it can be sent. Where that stands is kept in the journal, so that a power
cut does not end it. On the writer thread only.
"""

from __future__ import annotations

from agent.core.moment import Moment
from agent.core.money.journal import Change, Event, State
from agent.store.table import Table

#: Rows held in one piece of work: about 5 ms on a slow terminal.
PIECE = 50
#: Held before a start goes on: a journal of usual size is done then.
AT_START = 500

RESTART = Change(
    event=Event.RESTART,
    cause="host.no_reply",
    note="the agent stopped while this was being sent",
)


def restarted(table: Table, now: Moment) -> int:
    """U22: what was being sent is in doubt. Needs the tally, which says how many to look for."""
    left = table.tally.count(State.SENDING)
    moved = 0
    for uplink in table.uplinks() if left else ():
        for row in table.many("sending", uplink, left - moved):
            known = table.look(row, now)
            if known is not None:
                table.move(known, RESTART, now)
                moved += 1
    return moved


def settle_suspects(table: Table, now: Moment, limit: int = PIECE) -> bool:
    """Hold or doubt some more of what is under suspicion. True when there is nothing left."""
    suspicion = table.suspicion
    if suspicion is None:
        return True
    for uplink in table.uplinks():
        from_seq = table.held_to.get(uplink, 0)
        rows = table.many("suspects", uplink, from_seq, suspicion.below, limit)
        for row in rows:
            table.held_to[uplink] = row["seq"]
            known = table.look(row, now)
            if table.suspicion is not suspicion:
                return False  # one was found altered: from the beginning
            if known is not None:
                table.settle(known, now)
        if rows:
            return False
    table.acquit()
    return True
