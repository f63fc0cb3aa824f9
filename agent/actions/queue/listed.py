"""Which payments are in the journal, in order of acceptance, a page at a time."""

from __future__ import annotations

from agent.actions.ports import Ports
from agent.core.money.journal import Record
from agent.wire.api import ListArgs, states_of
from agent.wire.views import QueuePage, TransactionOut, transaction_out

#: Records looked at for one page: a filter that matches nothing must not walk a whole journal.
SCAN = 5_000
PAGE = 500


async def run(ports: Ports, args: ListArgs) -> QueuePage:
    states = states_of(args.state)
    items: list[TransactionOut] = []
    after = args.after
    scanned = 0
    while scanned < SCAN:
        wanted = PAGE if args.cause or args.uplink else args.limit
        page = await ports.journal.page(states=states, after_seq=after, limit=wanted)
        for record in page:
            after = record.seq
            if _fits(record, args):
                items.append(transaction_out(record))
                if len(items) == args.limit:
                    return QueuePage(items=items, next_after=after)
        if len(page) < wanted:
            return QueuePage(items=items, next_after=None)
        scanned += len(page)
    return QueuePage(items=items, next_after=after)


def _fits(record: Record, args: ListArgs) -> bool:
    return (args.cause is None or record.cause == args.cause) and (
        args.uplink is None or record.transaction.uplink == args.uplink
    )
