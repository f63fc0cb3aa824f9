"""Puts doubt on what is unsent when the end of the log is gone.

The lost commit may have said "this is being sent now". Nobody can tell of which payment, so each
that may have left is treated as one whose sending was cut off: the host is asked, or it goes out
marked as a repeat. Called while the journal opens; decides nothing else.
"""

from __future__ import annotations

from agent.core.moment import Moment
from agent.core.money.journal import Change, Event, State
from agent.core.money.transaction import Delivery
from agent.store.journal import Journal

NOTE = "the end of the log was unreadable: this may have been sent when the agent last stopped"


def doubt_unsent(journal: Journal, now: Moment) -> int:
    """How many records were put in doubt."""
    doubted = after_seq = 0
    while found := journal.page(frozenset({State.QUEUED, State.WAITING}), after_seq, 500, now):
        for record in found:
            after_seq = record.seq
            if record.in_doubt or record.transaction.delivery is not Delivery.AGENT:
                continue
            sending = journal.advance(record.seq, record.version, Change(event=Event.ATTEMPT), now)
            change = Change(event=Event.RESTART, cause="host.no_reply", note=NOTE)
            journal.advance(sending.seq, sending.version, change, now)
            doubted += 1
    return doubted
