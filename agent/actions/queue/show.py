"""One payment: where it stands and how it got there."""

from __future__ import annotations

from agent.actions.finding import by_key
from agent.actions.ports import Ports
from agent.wire.api import ShowArgs
from agent.wire.views import TransactionOut, transaction_out

STEPS = 100


async def run(ports: Ports, args: ShowArgs) -> TransactionOut:
    record = await by_key(ports, args.key)
    steps = await ports.journal.steps(record.seq, STEPS) if args.history else None
    return transaction_out(record, steps)
